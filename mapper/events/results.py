"""What mapping a record gives: events, and why there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ..errors import Span

_decode = msgspec.json.Decoder().decode


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One event, ready to send.

    name      the event's name as the destination will see it
    id        its id, by which the destination drops copies; None if the mapping gives none
    time      when it happened, Unix seconds; None for a destination without times
    expires   the last moment (Unix seconds) at which the destination still takes it; None if it never expires
    encoded   the event as JSON bytes, exactly as sent: cleaned and hashed
    key       the mapping's name for the event (under ``events:``)
    carries   the parameters about the person that it has, a bit each: see ``MatchKeys``
    limited   whether it is sent with limited data use, because consent is limited
    """

    name: str
    id: str | None
    time: int | None
    expires: int | None
    encoded: bytes
    key: str
    carries: int = 0
    limited: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What is sent, decoded anew at each call."""
        parameters: dict[str, Any] = _decode(self.encoded)
        return parameters


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one event of a record could not be made, or why a line is no record.

    code       a stable word, see the list of codes
    message    one sentence; names rules, types and paths, never a value
    event      the mapping's name for the event, or "" if the record itself is at fault
    parameter  the parameter at fault (``user_data.em``), or ""
    span       the place in the mapping that asked for it, or None
    missing    the paths in the record that were empty
    """

    code: str
    message: str
    event: str = ""
    parameter: str = ""
    span: Span | None = None
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.span}: " if self.span else ""
        return f"{where}{self.message} [{self.code}]"


class Dropped(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A value that could not be used and was left out of an event that was made all the same, or a rule's warning."""

    code: str
    parameter: str
    event: str


class Result(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of one record.

    events     what it gives, in the order of the mapping
    problems   why events that it should have given could not be made
    warnings   values that were left out of events that were made all the same
    reason     why it gives nothing, on purpose: ``rule`` (an ``ignore:`` rule matched), ``no-event`` (no event's
               ``when`` was true) or ``consent``; else ""
    """

    events: Sequence[Event] = ()
    problems: Sequence[Refusal] = ()
    warnings: Sequence[Dropped] = ()
    reason: str = ""

    @property
    def ignored(self) -> bool:
        """Whether nothing applied, on purpose."""
        return bool(self.reason)


REFUSALS: Final = {
    "missing": "Something required came out empty.",
    "too-old": "The destination takes no event that old.",
    "in-the-future": "The event's time lies in the future.",
    "number-range": "A number is too large for JSON.",
    "not-json": "The line is no JSON.",
    "not-utf-8": "The line is no UTF-8.",
    "not-an-object": "The line is JSON, but no object.",
    "too-long": "The line is too long to be a record.",
    "too-many-values": "The line holds more values than a record may have.",
}
"""Why records are refused, beside what expressions, cleaning and the destination's rules say, as codes."""

BY_RULE, NO_EVENT, BY_CONSENT = (Result(reason=reason) for reason in ("rule", "no-event", "consent"))


@dataclass(frozen=True, slots=True)
class Replay:
    """A file of samples and the moment (Unix seconds) at which it was recorded.

    ``clock(now)`` gives the two numbers that make it behave as if recorded at ``now``: the time to map with, and the
    seconds to add to every time of an event.
    """

    recorded: float

    def clock(self, now: float) -> tuple[float, int]:
        return self.recorded, int(now - self.recorded)


NOT_AN_OBJECT = Refusal("not-an-object", "the line is JSON, but no object: a record is written in { }")


MOST_VALUES: Final = 200_000
CROWDED = Refusal("too-many-values", f"the line holds more than {MOST_VALUES:,} values")


def is_crowded(line: bytes) -> bool:
    """Whether a line holds more values than a record may have, by the commas between them: ``[],[],[],…``.

    Each would be an object of its own, so that a line of 10 MiB would take hundreds of megabytes, and seconds.
    """
    return len(line) > MOST_VALUES and line.count(b",") > MOST_VALUES


def unreadable(record: Any, error: Exception) -> Refusal:
    """Why a line is no record. The parser's message names types and offsets, never what the line says."""
    if isinstance(error, UnicodeDecodeError):
        return Refusal("not-utf-8", f"the line is not UTF-8 at byte {error.start}")
    if isinstance(record, dict):
        return Refusal("not-json", "the record holds something that JSON cannot say")
    if not isinstance(record, bytes | bytearray | memoryview | str):
        return Refusal("not-an-object", "a record is a dict, or one line of JSON")
    if isinstance(error, msgspec.ValidationError) and "out of range" in str(error):
        return Refusal("not-json", "the line holds a number that is too large for JSON")
    if isinstance(error, msgspec.ValidationError):
        return NOT_AN_OBJECT
    if isinstance(error, RecursionError):
        return Refusal("not-json", "the line is nested too deeply")
    if not (record if isinstance(record, str) else bytes(record)).strip():
        return Refusal("not-json", "the line is blank")
    where = str(error).rpartition("(byte ")[2].rstrip(")")
    if not where.isdigit():
        return Refusal("not-json", "the line is not valid JSON")
    byte = int(where) - ("trailing characters" in str(error))  # of these msgspec names the byte after the first
    return Refusal("not-json", f"the line is not valid JSON from byte {byte}")


_AT: Final = re.compile(r" (?:from|at) byte \d+\Z")


def general(message: str) -> str:
    """Why a line is no record, without where in the line: the same for all lines, so that it can be counted."""
    return _AT.sub("", message)
