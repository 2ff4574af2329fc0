"""What became of a run: every record and every event counted once.

    records read = mapped + ignored + dead          (blank lines apart)
    events made  = sent + rejected + pending

Both sums are checked whenever a report is made. A report holds counts, codes and places, never a record's value, but
for the ids of events that may have been accepted twice: without them nobody could look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..destinations.answers import at
from ..destinations.cleaning import CODES
from ..events.program import Program
from ..events.results import Dropped, Event, Refusal, Result, general
from ..records.blocks import Mapped
from .dead_letters import DeadLetters
from .items import Item, Outcome

_MOST_NAMED: Final = 1_000
_decode = msgspec.json.Decoder().decode


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
    """Events by their fate.

    held          of those that are pending: may have arrived, so long ago that somebody has to decide
    maybe_twice   of those that were sent: may have been accepted before
    """

    made: int = 0
    sent: int = 0
    rejected: int = 0
    pending: int = 0
    held: int = 0
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
class Doubtful:
    """An event of which it is not known whether it arrived: where its record stood, its name, its id, when it happened.

    time  Unix seconds
    """

    file: str
    line: int
    event: str
    id: str
    time: int | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a run ended before its input did."""

    code: str
    message: str
    hint: str
    exit_code: int


@dataclass(slots=True)
class Sending:
    """What sending took.

    requests  of which ``retries`` were the same again, and ``halvings`` were split because they were refused
    size      bytes of the events in all requests
    waited    seconds that batches had to wait, by reason; several wait at once, so the sum can exceed the run's time
    answers   how often each answer came, by its meaning and its code: ``("refused", "100/2804050")``
    oldest    when the oldest event happened that was sent, Unix seconds
    repeated  events that may have been accepted twice; the first thousand of them
    held      events that may have arrived and wait for a decision; the first thousand of them
    """

    requests: int = 0
    retries: int = 0
    halvings: int = 0
    size: int = 0
    waited: dict[str, float] = field(default_factory=dict)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    oldest: int | None = None
    repeated: list[Item] = field(default_factory=list)
    held: list[Item] = field(default_factory=list)
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Tally:
    """The counts of a run while it goes on.

    position   bytes read of ``size`` in all; size is 0 if nobody can know it
    passed     bytes of them that an earlier run had settled
    in_flight  events on their way at the moment
    """

    records: Records = field(default_factory=Records)
    events: Events = field(default_factory=Events)
    sending: Sending = field(default_factory=Sending)
    carried: Counter[tuple[str, int]] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)
    warnings: Counter[Reason] = field(default_factory=Counter)
    settled_before: int = 0
    stopped: Stopped | None = None
    position: int = 0
    passed: int = 0
    size: int = 0
    in_flight: int = 0

    def record(self, program: Program, result: Result, events: Sequence[Event]) -> None:
        """Count a record and what it gave. ``events`` are those that are wanted, which may be fewer than there are."""
        records = self.records
        records.read += 1
        if events:
            records.mapped += 1
        elif result.problems:
            records.dead += 1
        else:
            records.ignored += 1
            self.ignored[result.reason or "since"] += 1
        for event in events:
            self.events.made += 1
            self.carried[event.name, event.carries] += 1
            self.events.limited += event.limited
        for problem in result.problems:
            self.refused[refused(problem)] += 1
        for warning in result.warnings:
            self.warnings[warned(program, warning)] += 1

    def block(self, program: Program, mapped: Mapped) -> None:
        """Count the records of a block, and what they gave."""
        records = self.records
        records.read += mapped.read
        records.blank += mapped.blank
        records.mapped += mapped.mapped
        records.dead += mapped.dead
        records.ignored += sum(mapped.ignored.values())
        self.ignored.update(mapped.ignored)
        for name, keys, count in mapped.carried:
            self.events.made += count
            self.carried[name, keys] += count
        self.events.limited += mapped.limited
        for odd in mapped.odd:
            for problem in odd.problems:
                self.refused[refused(problem)] += 1
            for warning in odd.warnings:
                self.warnings[warned(program, warning)] += 1

    def outcome(self, outcome: Outcome) -> None:
        """Count a delivery that is done."""
        events, sending = self.events, self.sending
        events.sent += len(outcome.accepted)
        events.rejected += len(outcome.rejected)
        events.held += len(outcome.held)
        events.maybe_twice += len(outcome.repeated)
        sending.repeated += outcome.repeated[: _MOST_NAMED - len(sending.repeated)]
        sending.held += outcome.held[: _MOST_NAMED - len(sending.held)]
        sending.requests += outcome.requests
        sending.retries += outcome.retries
        sending.halvings += outcome.halvings
        sending.size += outcome.size
        for reason, seconds in outcome.waited.items():
            sending.waited[reason] = sending.waited.get(reason, 0.0) + seconds
        sending.answers.update(outcome.answers)
        sending.messages |= outcome.messages
        times = [item.origin.time for item in outcome.accepted if item.origin.time is not None]
        if times:
            sending.oldest = min(times) if sending.oldest is None else min(sending.oldest, *times)
        for item, answer in outcome.rejected:
            code = answer.reason or answer.code
            self.rejected[Reason(code, item.origin.key, message=answer.message or answer.code)] += 1

    def stop(self, code: str, message: str, hint: str, exit_code: int) -> None:
        """Note why the run ends early; the first reason counts."""
        if self.stopped is None:
            self.stopped = Stopped(code, message, hint, exit_code)

    def finish(self) -> None:
        """What is neither sent nor rejected is pending."""
        self.events.pending = self.events.made - self.events.sent - self.events.rejected


def by_event(carried: Mapping[tuple[str, int], int]) -> dict[str, int]:
    """Events by name."""
    found: Counter[str] = Counter()
    for (name, _), count in carried.items():
        found[name] += count
    return dict(found)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run. Both sums hold, or there is no report:
    records read = mapped + ignored + dead, and events made = sent + rejected + pending.

    destination, to   the destination's name, and where events went
    records, events   counts by fate
    by_event          events made, by name
    match_keys        event -> parameter about the person -> how many of these events carry it
    ignored           records that were left out on purpose, by ``rule``, ``no-event``, ``consent``, ``since``, ``torn``
    refused           why records gave no event, or lacked one: reason -> how often
    rejected          why the destination refused events
    warnings          values that were left out of events that were made
    sending           what sending took: requests, bytes, answers, seconds of waiting
    settled_before    records that an earlier run had settled: passed over, and not counted as read
    seconds           how long the run took
    stopped           why the run ended before its input did, or None
    dead_letters      the file of dead letters; ``dead_letters_written`` says how many this run added
    files             the files that were read
    repeated          the events that may have been accepted twice, the first thousand of them
    held              the events that wait for a decision, the first thousand of them
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
    sending: Sending
    settled_before: int
    seconds: float
    stopped: Stopped | None
    dead_letters: str
    dead_letters_written: int
    files: tuple[str, ...]
    repeated: tuple[Doubtful, ...]
    held: tuple[Doubtful, ...]
    tally: Tally = field(repr=False)

    def __post_init__(self) -> None:
        records, events = self.records, self.events
        if records.read != records.mapped + records.ignored + records.dead:  # not assert: -O must not switch it off
            raise AssertionError("records do not add up")
        if events.made != events.sent + events.rejected + events.pending:
            raise AssertionError("events do not add up")

    @property
    def requests(self) -> int:
        """Requests that were sent, with those that were sent again."""
        return self.sending.requests

    @property
    def retries(self) -> int:
        """Requests that were the same as one before."""
        return self.sending.retries

    @property
    def exit_code(self) -> int:
        """What the command exits with: see the table of exit codes in docs/command.md."""
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
            "messages": sorted(self.sending.messages),
            "requests": self.sending.requests,
            "retries": self.sending.retries,
            "halvings": self.sending.halvings,
            "bytes": self.sending.size,
            "waited": {reason: round(seconds, 3) for reason, seconds in sorted(self.sending.waited.items())},
            "answers": [
                {"meaning": meaning, "code": code, "count": count}
                for (meaning, code), count in self.sending.answers.most_common()
            ],
            "oldest_event_sent": self.sending.oldest,
            "repeated": [_plain(one) for one in self.repeated],
            "held": [_plain(one) for one in self.held],
            "settled_before": self.settled_before,
            "seconds": round(self.seconds, 3),
            "stopped": _plain(self.stopped) if self.stopped else None,
            "dead_letters": {"file": self.dead_letters, "written": self.dead_letters_written},
        }


def made(
    program: Program,
    tally: Tally,
    *,
    to: str,
    dry_run: bool,
    seconds: float,
    letters: DeadLetters,
    files: Sequence[str],
) -> Report:
    """The report of a run that is over."""
    return Report(
        destination=program.destination.name,
        to=to,
        dry_run=dry_run,
        records=tally.records,
        events=tally.events,
        by_event=by_event(tally.carried),
        match_keys=program.match_keys.counts(tally.carried),
        ignored=dict(tally.ignored),
        refused=dict(tally.refused),
        rejected=dict(tally.rejected),
        warnings=dict(tally.warnings),
        sending=tally.sending,
        settled_before=tally.settled_before,
        seconds=seconds,
        stopped=tally.stopped,
        dead_letters=str(letters.path or ""),
        dead_letters_written=letters.written,
        files=tuple(files),
        repeated=tuple(_doubtful(program, item) for item in tally.sending.repeated),
        held=tuple(_doubtful(program, item) for item in tally.sending.held),
        tally=tally,
    )


def _doubtful(program: Program, item: Item) -> Doubtful:
    origin, path = item.origin, program.destination.roles.id
    identity = at(_decode(item.encoded), path) if path is not None else None
    name = "" if identity is None else str(identity)
    return Doubtful(origin.line.file, origin.line.number, origin.name, name, origin.time)


def refused(problem: Refusal) -> Reason:
    """A refusal, without the record it was about, and without where in its line: that differs from line to line."""
    place = str(problem.span) if problem.span else ""
    return Reason(problem.code, problem.event, problem.parameter, place, general(problem.message))


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
