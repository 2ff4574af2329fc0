"""Finds the sandbox that stands already, so that ``--to sandbox`` sends to the one whose page is open.

A standing sandbox leaves its address and token in a file that only its user can read, and takes it away when it ends.
A file that was left behind by one that was killed is recognised by nobody answering there.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec

_SECONDS: Final = 0.5
_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Standing:
    """A sandbox that stands: its address, what it is a sandbox of, and the settings to send to it with."""

    url: str
    destination: str
    settings: dict[str, str] = field(repr=False)
    is_standing: ClassVar[bool] = True


def _place() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) if runtime else Path.home() / ".cache" / "mapper"
    return folder / "mapper-sandbox.json"


@contextmanager
def announced(standing: Standing) -> Iterator[None]:
    """Let others find a sandbox for as long as the block lasts; where no file can be written, nobody does."""
    place = _place()
    text = msgspec.json.encode(standing)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.unlink(missing_ok=True)
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(text)
    try:
        yield
    finally:
        with suppress(OSError):
            if place.read_bytes() == text:
                place.unlink()


def find(destination: str) -> Standing | None:
    """The sandbox of a destination that stands on this machine, if there is one and it answers."""
    try:
        place = _place()
        if place.stat().st_uid != os.getuid() or place.stat().st_size > _MAX:
            return None
        found = msgspec.json.decode(place.read_bytes(), type=Standing)
    except (OSError, ValueError, AttributeError):
        return None
    parts = urlsplit(found.url)
    if found.destination != destination or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    return found if _answers(parts.hostname, parts.port or 80, found.settings.get("PIXEL_ID", "")) else None


def _answers(host: str, port: int, pixel: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/api/state")
        said = json.loads(connection.getresponse().read())
        return isinstance(said, dict) and said.get("pixel") == pixel
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
