"""What became of a run: every record and every event counted once.

    records read = mapped + ignored + dead          (blank lines apart)
    events made  = sent + rejected + pending

Both sums are checked whenever a report is made. A report holds counts, codes and places, never a record's value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .cleaning import CODES
from .program import Program
from .results import Dropped, Refusal


@dataclass(slots=True)
class Records:
    """Records by their fate. A record of which at least one event was made is mapped."""

    read: int = 0
    mapped: int = 0
    ignored: int = 0
    dead: int = 0
    blank: int = 0


@dataclass(slots=True)
class Events:
    """Events by their fate."""

    made: int = 0
    sent: int = 0
    rejected: int = 0
    pending: int = 0
    maybe_twice: int = 0
    limited: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """Why something was refused: the event, the code, the parameter, the place in the mapping, and in one sentence."""

    code: str
    event: str = ""
    parameter: str = ""
    place: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a run ended before its input did."""

    code: str
    message: str
    hint: str
    exit_code: int


@dataclass(slots=True)
class Tally:
    """The counts of a run while it goes on."""

    records: Records = field(default_factory=Records)
    events: Events = field(default_factory=Events)
    carried: Counter[tuple[str, int]] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)
    warnings: Counter[Reason] = field(default_factory=Counter)
    messages: set[str] = field(default_factory=set)
    requests: int = 0
    retries: int = 0
    settled_before: int = 0
    stopped: Stopped | None = None


def by_event(carried: Mapping[tuple[str, int], int]) -> dict[str, int]:
    """Events by name."""
    found: Counter[str] = Counter()
    for (name, _), count in carried.items():
        found[name] += count
    return dict(found)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run.

    refused       why records gave no event, or lacked one: reason -> how often
    rejected      why the destination refused events
    warnings      values that were left out of events that were made
    settled_before  records that an earlier run had settled: passed over, and not counted as read
    match_keys    event -> parameter about the person -> how many of these events carry it
    exit_code     what the command exits with
    """

    destination: str
    to: str
    dry_run: bool
    records: Records
    events: Events
    by_event: dict[str, int]
    match_keys: dict[str, dict[str, int]]
    ignored: dict[str, int]
    refused: dict[Reason, int]
    rejected: dict[Reason, int]
    warnings: dict[Reason, int]
    messages: tuple[str, ...]
    requests: int
    retries: int
    settled_before: int
    seconds: float
    stopped: Stopped | None
    dead_letters: str
    dead_letters_written: int
    files: tuple[str, ...]

    def __post_init__(self) -> None:
        records, events = self.records, self.events
        assert records.read == records.mapped + records.ignored + records.dead, "records do not add up"
        assert events.made == events.sent + events.rejected + events.pending, "events do not add up"

    @property
    def exit_code(self) -> int:
        if self.stopped is not None:
            return self.stopped.exit_code
        return 1 if self.refused or self.rejected else 0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {
            "records": _plain(self.records),
            "events": _plain(self.events),
            "exit_code": self.exit_code,
            "destination": self.destination,
            "to": self.to,
            "dry_run": self.dry_run,
            "files": list(self.files),
            "by_event": dict(sorted(self.by_event.items())),
            "match_keys": self.match_keys,
            "ignored": dict(sorted(self.ignored.items())),
            "refused": _reasons(self.refused),
            "rejected": _reasons(self.rejected),
            "warnings": _reasons(self.warnings),
            "messages": list(self.messages),
            "requests": self.requests,
            "retries": self.retries,
            "settled_before": self.settled_before,
            "seconds": round(self.seconds, 3),
            "stopped": _plain(self.stopped) if self.stopped else None,
            "dead_letters": {"file": self.dead_letters, "written": self.dead_letters_written},
        }


def refused(problem: Refusal) -> Reason:
    """A refusal, without the record it was about."""
    place = str(problem.span) if problem.span else ""
    return Reason(problem.code, problem.event, problem.parameter, place, problem.message)


def warned(program: Program, warning: Dropped) -> Reason:
    """A value that was left out, or a rule that is only a warning, in one sentence; the same for all events."""
    message = CODES.get(warning.code, "")
    for rule in program.destination.rules:
        if rule.id == warning.code:
            message = rule.explain((warning.parameter,) if warning.parameter else ())
    return Reason(warning.code, "", warning.parameter, "", message)


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _reasons(counts: dict[Reason, int]) -> list[dict[str, Any]]:
    """Reasons as plain values, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"count": count, **_plain(reason)} for reason, count in ordered]
