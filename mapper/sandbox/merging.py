"""Which copy of an event counts, when the pixel and the server both report it.

Two ways lead to a pair, as Meta describes them. Copies with the same name and id, received within 48 hours: the later
one is discarded, but within about five minutes the browser's copy is preferred. Or the same name and the same browser
id (fbp) or external id, within 48 hours, if the browser's copy came first. Two copies of the same kind are never
merged: Meta promises that for the pixel and the server only.

Source: https://developers.facebook.com/documentation/ads-commerce/conversions-api/deduplicate-pixel-and-server-events
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WINDOW: Final = 48 * 3600.0
"""Seconds within which copies are merged."""

PREFERRED: Final = 5 * 60.0
"""Seconds within which the browser's copy wins even if it came second."""

Source = Literal["server", "pixel"]
Way = Literal["id", "person"]


@dataclass(frozen=True, slots=True)
class Copy:
    """An event that is stored: its number, how it came, when (Unix seconds)."""

    id: int
    source: Source
    at: float


@dataclass(frozen=True, slots=True)
class Merged:
    """Of two copies, ``kept`` counts and ``dropped`` does not, because they agree in their ``way``."""

    kept: int
    dropped: int
    way: Way


def merge(earlier: Copy, later: Copy, way: Way) -> Merged | None:
    """Decide about two copies of one event; None if Meta keeps both."""
    if earlier.source == later.source or later.at - earlier.at > WINDOW:
        return None
    if way == "person" and earlier.source != "pixel":
        return None
    if way == "id" and later.source == "pixel" and later.at - earlier.at <= PREFERRED:
        return Merged(later.id, earlier.id, way)
    return Merged(earlier.id, later.id, way)
