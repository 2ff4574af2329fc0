"""A mapping against real records: what comes out, what stays empty and why, and what nobody reads of them.

Every record is mapped as it would be for sending. Of the records only field names and counts are kept, never a value.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..compiler.assembling import Transform
from ..compiler.parts import Parameter
from ..compiler.projection import Path, label, reads
from ..delivery.report import Reason, warned
from ..delivery.report import refused as refused_for
from ..destinations.cleaning import CODES
from ..destinations.hints import is_called, snake
from ..events.program import Program
from ..events.results import Result
from .attempts import Attempts

MAX_FIELDS: Final = 5000
"""How many different fields of records are remembered: records with keys that are data have no end of them."""
_MAX_DEPTH: Final = 12
_ALIKE: Final = 0.8
"""How like two names are, at least, of which one may be meant for the other."""
_WORD: Final = 4
"""Letters of a name, at least, that is looked for within another."""
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class ParameterCoverage:
    """One declared parameter over all events that were made or refused.

    filled      events that carry it, or would if they were not refused for something else
    empty       events that lack it
    unusable    values that were there and could not be used, and expressions that failed, by code
    missing     the record's paths that were empty when it was
    """

    path: str
    label: str
    place: str
    expression: str
    required: bool
    literal: bool
    filled: int = 0
    empty: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class EventCoverage:
    """One event of the mapping: how many were made, how many refused and why.

    when   the condition by which records are meant for it, or ""
    """

    key: str
    when: str = ""
    made: int = 0
    refused: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    parameters: dict[str, ParameterCoverage] = field(default_factory=dict)


@dataclass(slots=True)
class Coverage:
    """What records gave.

    unknown   paths that the mapping reads and no record has: path -> the nearest that records have, or ""
    unread    fields of records that look useful and are never read: path -> in how many records
    """

    records: int = 0
    mapped: int = 0
    ignored: int = 0
    dead: int = 0
    events: dict[str, EventCoverage] = field(default_factory=dict)
    reasons: Counter[Reason] = field(default_factory=Counter)
    warnings: Counter[Reason] = field(default_factory=Counter)
    unknown: dict[str, str] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "records": {"read": self.records, "mapped": self.mapped, "ignored": self.ignored, "dead": self.dead},
            "events": [_event(event) for event in self.events.values()],
            "problems": [_reason(reason, count) for reason, count in self.reasons.most_common()],
            "warnings": [_reason(reason, count) for reason, count in self.warnings.most_common()],
            "unknown_fields": self.unknown,
            "unread_fields": self.unread,
        }


def cover(program: Program, lines: Iterable[tuple[bytes, float, int]]) -> Coverage:
    """Map records and count.

    lines   (line, now, shift) for each record: see ``Program.map``
    """
    run = _Run(program)
    for line, now, shift in lines:
        run.take(line, now, shift)
    return run.finish()


class _Run:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.attempts = Attempts(program)
        self.coverage = Coverage()
        self.fields: Counter[Path] = Counter()
        self.declared: dict[str, list[Parameter]] = {}
        for transform in program.transforms:
            self.declared[transform.key] = _declared(transform)
            self.coverage.events[transform.key] = _fresh(transform, self.declared[transform.key])
        for spec in program.spec.events:
            when = spec.part("when")
            self.coverage.events[spec.key].when = "" if when is None else str(when.value).strip()

    def take(self, line: bytes, now: float, shift: int) -> None:
        coverage, result = self.coverage, self.program.map(line, now, shift=shift)
        coverage.records += 1
        if result.events:
            coverage.mapped += 1
        elif result.problems:
            coverage.dead += 1
        else:
            coverage.ignored += 1
        try:
            record = _decode(line)
        except (ValueError, RecursionError):
            record = None
        for path in set(_fields(record, (), 0)):
            if path in self.fields or len(self.fields) < MAX_FIELDS:
                self.fields[path] += 1
        refused = {problem.event for problem in result.problems if problem.event}
        for event in result.events:
            coverage.events[event.key].made += 1
            if event.key not in refused:
                self._carried(event.key, event.parameters, record)
        for key in refused:
            coverage.events[key].refused += 1
        for problem in result.problems:
            coverage.reasons[refused_for(problem)] += 1
            if problem.event:
                coverage.events[problem.event].reasons[refused_for(problem)] += 1
        for warning in result.warnings:
            coverage.warnings[warned(self.program, warning)] += 1
            if warning.event not in refused:
                self._unusable(warning.event, warning.code, warning.parameter)
        if refused:
            self._attempted(line, now, shift, result, refused, record)

    def _attempted(
        self, line: bytes, now: float, shift: int, result: Result, refused: Collection[str], record: Any
    ) -> None:
        """Events that were refused, for one thing that is missing, say: the others are counted all the same."""
        failed: set[tuple[str, str]] = set()
        for attempt in self.attempts(line, now, shift=shift):
            if attempt.key not in refused:
                continue
            if attempt.parameters is None:
                failed.add((attempt.key, attempt.failed))
                continue
            self._carried(attempt.key, attempt.parameters, record)
            for code, path in attempt.unusable:
                self._unusable(attempt.key, code, path)
        for problem in result.problems:
            known = self.coverage.events[problem.event].parameters.get(problem.parameter) if problem.event else None
            if known is not None and (problem.event, problem.code) in failed:
                known.empty += 1
                known.unusable[problem.code] += 1

    def _carried(self, key: str, event: Mapping[str, Any], record: Any) -> None:
        counted = self.coverage.events[key]
        for parameter in self.declared[key]:
            known = counted.parameters[parameter.path]
            if reads(event, tuple(parameter.path.split("."))):
                known.filled += 1
            else:
                known.empty += 1
                for path in parameter.paths:
                    if not reads(record, path):
                        known.missing[label(path)] += 1

    def _unusable(self, key: str, code: str, path: str) -> None:
        known = self.coverage.events[key].parameters.get(path)
        if known is not None and code in CODES:
            known.unusable[code] += 1

    def finish(self) -> Coverage:
        read = {path for declared in self.declared.values() for parameter in declared for path in parameter.paths}
        read |= set(self.program.paths)
        present = {label(path): path for path in self.fields}
        if self.coverage.records:
            for path in sorted(read - self.fields.keys()):
                self.coverage.unknown[label(path)] = _nearest(path, present)
        useful = _wanted(self.program)
        for path, count in sorted(self.fields.items(), key=lambda item: (-item[1], item[0])):
            used = any(path[: len(other)] == other or other[: len(path)] == path for other in read)
            if not used and is_called(path[-1], useful):
                self.coverage.unread[label(path)] = count
        return self.coverage


def _wanted(program: Program) -> tuple[str, ...]:
    """Names of record fields that the destination can make use of; an event's id and time, once given, need no other.

    A destination that says no names is asked for those of its parameters.
    """
    destination, roles = program.destination, program.destination.roles
    given = [{one.path for one in transform.parameters} for transform in program.transforms]
    settled = {path for path in (roles.name, roles.id, roles.time) if all(path in paths for paths in given)}
    records = destination.hints.records or {
        path: (snake(known.name),) for path, known in destination.fields.items() if known.is_leaf
    }
    return tuple(name for path, names in records.items() if path not in settled for name in names)


def _declared(transform: Transform) -> list[Parameter]:
    """One of each parameter: a list's members and a loop's items share a path."""
    return list({parameter.path: parameter for parameter in transform.parameters}.values())


def _fresh(transform: Transform, declared: list[Parameter]) -> EventCoverage:
    required = {requirement.parameter for requirement in transform.requirements}
    parameters = {
        one.path: ParameterCoverage(
            one.path, one.known.label, str(one.place.span()), str(one.place.value), one.path in required, one.literal
        )
        for one in declared
    }
    return EventCoverage(transform.key, parameters=parameters)


def _fields(value: Any, path: Path, depth: int) -> Iterable[Path]:
    """The paths of everything that a record holds; a list's items share one."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _fields(item, path, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if inner is not None:
                yield (*path, key)
                yield from _fields(inner, (*path, key), depth + 1)


def _nearest(path: Path, present: Mapping[str, Path]) -> str:
    """The field of records whose own name is spelt most like that of ``path``; of several, the nearest."""
    wanted, whole = _letters(path[-1]), label(path)
    best, found = 0.0, ""
    for text, other in sorted(present.items()):
        known = _letters(other[-1])
        likeness = difflib.SequenceMatcher(None, wanted, known).ratio()
        if min(len(wanted), len(known)) >= _WORD and (wanted in known or known in wanted):  # phone, phone_number
            likeness = max(likeness, _ALIKE)
        if likeness >= _ALIKE:
            likeness += difflib.SequenceMatcher(None, whole, text).ratio() / 10
            if likeness > best:
                best, found = likeness, text
    return found


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _event(event: EventCoverage) -> dict[str, Any]:
    parameters = [
        {
            "parameter": one.path,
            "label": one.label,
            "place": one.place,
            "required": one.required,
            "literal": one.literal,
            "filled": one.filled,
            "empty": one.empty,
            "unusable": dict(one.unusable),
            "missing_in_record": dict(one.missing),
        }
        for one in event.parameters.values()
    ]
    reasons = [_reason(reason, count) for reason, count in event.reasons.most_common()]
    return {
        "event": event.key,
        "when": event.when,
        "made": event.made,
        "refused": event.refused,
        "reasons": reasons,
        "parameters": parameters,
    }


def _reason(reason: Reason, count: int) -> dict[str, Any]:
    return {"count": count, **{name: getattr(reason, name) for name in Reason.__slots__}}
