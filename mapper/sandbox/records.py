"""What the sandbox remembers: requests and events, as they are stored and as they are read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from .judging import MATCH_KEYS, Verdict
from .merging import Source

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came and as it was answered.

    at       when it came, Unix seconds; ``took`` seconds until its answer was ready
    form     ``json``, ``form``, ``multipart``, ``pixel``
    code     Meta's error code and subcode, 0 for none; ``message`` the error's title
    fault    the fault that was injected, or ""
    events   how many events it held, also if they were not looked at
    """

    at: float
    source: Source = "server"
    version: str = ""
    form: str = ""
    status: int = 200
    code: int = 0
    subcode: int = 0
    message: str = ""
    trace: str = ""
    fault: str = ""
    test_code: str = ""
    agent: str = ""
    bytes: int = 0
    took: float = 0.0
    events: int = 0


@dataclass(frozen=True, slots=True)
class Request(Arrival):
    """A stored request: its number, and how many of its events were accepted, at fault, and held."""

    id: int = 0
    accepted: int = 0
    refused: int = 0
    held: int = 0


REQUEST_COLUMNS: Final = tuple(Request.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored event.

    at         when it first came, Unix seconds
    request    the request it first came with, ``position`` its place there
    source     ``server``, or ``pixel`` for the browser's copy
    verdict    ``accepted``, ``refused`` (at fault itself) or ``held`` (refused with its request)
    rule, path, message, remedy    why it was refused
    warned     findings that do not refuse it
    keys       which match keys it carries, see ``judging.MATCH_KEYS``
    merged     ``kept`` or ``dropped`` if a copy of it came the other way, ``repeat`` if the same way; ``twin`` is that
               copy, ``way`` says in what they agree (``id`` or ``person``)
    attempts   how often it was sent
    parameters what was sent, masked where it was not hashed
    """

    id: int
    at: float
    request: int
    position: int
    source: Source
    verdict: Verdict
    name: str
    event_id: str = ""
    event_time: int | None = None
    action_source: str = ""
    test_code: str = ""
    rule: str = ""
    path: str = ""
    message: str = ""
    remedy: str = ""
    warned: int = 0
    keys: int = 0
    merged: str = ""
    twin: int = 0
    way: str = ""
    attempts: int = 1
    body: bytes = field(default=b"{}", repr=False)

    @property
    def parameters(self) -> Any:
        """The event as it was sent, masked where it was not hashed."""
        return _decode(self.body)

    def match_keys(self) -> tuple[str, ...]:
        """The parameters of a person that it carries."""
        return tuple(key for place, key in enumerate(MATCH_KEYS) if self.keys >> place & 1)


EVENT_COLUMNS: Final = tuple(name for name in Stored.__dataclass_fields__ if name != "body")
"""The columns of an event's row; its body lies in a table of its own, so that lists of events stay quick to read."""
