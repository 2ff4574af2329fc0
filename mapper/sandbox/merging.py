"""Which copy of an event counts, when the pixel and the server both report it.

Two ways lead to a pair, as Meta describes them. Copies with the same name and id, received within 48 hours: the later
one is discarded, but within about five minutes the browser's copy is preferred. Or the same name and the same browser
id (fbp) or external id, within 48 hours, if the browser's copy came first. Two copies of the same kind are never
merged: Meta promises that for the pixel and the server only.

Source: https://developers.facebook.com/documentation/ads-commerce/conversions-api/deduplicate-pixel-and-server-events
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

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


class Newest:
    """The newest accepted event of each identity from either side: more than these two is never merged with.

    In memory, because an index of numbers that are spread at random costs a store more than all the rest.
    """

    def __init__(self) -> None:
        self._ids: dict[Source, dict[int, int]] = {"server": {}, "pixel": {}}

    def load(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take over source, identity and number of stored events, oldest first."""
        self.clear()
        for source, identity, number in rows:
            self._ids[source][identity] = number

    def add(self, source: Source, identity: int, number: int) -> None:
        """An event was accepted, perhaps one that had come earlier than others."""
        known = self._ids[source]
        known[identity] = max(number, known.get(identity, 0))

    def of(self, identities: Iterable[int]) -> list[int]:
        """The numbers of the newest events with one of these identities, oldest first."""
        wanted = set(identities)
        return sorted(known[one] for known in self._ids.values() for one in known.keys() & wanted)

    def forget(self, last: int) -> None:
        """Forget the events up to a number."""
        for source, known in self._ids.items():
            self._ids[source] = {identity: number for identity, number in known.items() if number > last}

    def clear(self) -> None:
        for known in self._ids.values():
            known.clear()
