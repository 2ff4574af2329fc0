"""Runs the tests that stand in a mapping: records, and the events they must give.

tests:
  - name: a paid order becomes a Purchase
    now: 2025-10-14T09:20:00Z
    record: {type: order.paid, …}             # or the name of a JSON file beside the mapping
    events:
      - event_name: Purchase
        user_data: {em: jane@example.com}     # plain text: compared after cleaning and hashing
        custom_data: {value: 142.52}          # only what is named is compared, unless ``exactly: true``
  - name: an order without an e-mail address is refused
    record: {…}
    events: []
    problems: [{code: missing, parameter: user_data.em}]
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from . import schema
from .destination import Field
from .errors import MappingError, Problem, Span
from .mapping import inside
from .program import Program, Result
from .trees import Place
from .values import Context

TEST_RULES: Final[dict[str, Any]] = {
    "name": {"type": "string", "required": True, "meta": {"about": "What must hold, as a sentence."}},
    "now": {"type": ["string", "integer"], "meta": {"about": "The time at which the record is mapped (ISO 8601)."}},
    "record": {"type": ["dict", "string", "list"], "meta": {"about": "The record, or a JSON file beside the mapping."}},
    "line": {"type": "string", "meta": {"about": "Instead of `record`: a line of text, for what is no JSON."}},
    "events": {"type": "list", "meta": {"about": "The events that it must give, in their order."}},
    "exactly": {"type": "boolean", "meta": {"about": "`true`: nothing may be there that is not named."}},
    "problems": {"type": "list", "meta": {"about": "Why events are refused: `code`, `parameter`, `event`."}},
    "ignored": {"type": ["boolean", "string"], "meta": {"about": "The record gives nothing, on purpose."}},
    "warnings": {"type": "list", "meta": {"about": "Values that are left out: `code`, `parameter`."}},
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: the place of the expectation, and both sides."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test: passed if there is no difference."""

    name: str
    span: Span
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.differences


def check_tests(program: Program) -> list[Problem]:
    """What is wrong with the declarations of a mapping's tests themselves."""
    problems: list[Problem] = []
    for place in program.tests:
        problems += schema.check(place.document, TEST_RULES, path=place.path)
        if isinstance(place.value, dict) and not {"record", "line"} & place.value.keys():
            problems.append(place.problem("missing-key", "a test needs a record", "Add 'record:' with the record."))
    return problems


def run_tests(program: Program, *, match: str = "") -> Iterator[Outcome]:
    """Run a mapping's tests.

    match   only those whose name contains this, whatever the case
    raises  MappingError if a test is badly declared
    """
    problems = check_tests(program)
    if problems:
        raise MappingError(problems)
    for place in program.tests:
        if match.lower() in str(place.value["name"]).lower():
            started = time.perf_counter()
            found = tuple(_Test(program, place).differences())
            yield Outcome(place.value["name"], place.child("name").span(), found, time.perf_counter() - started)


class _Test:
    def __init__(self, program: Program, place: Place) -> None:
        self.program = program
        self.place = place
        self.value: dict[str, Any] = place.value
        self.now = _moment(place)
        self.exactly = bool(self.value.get("exactly"))

    def differences(self) -> Iterator[Difference]:
        result = self.program.map(self._record(), self.now)
        if "events" in self.value:
            yield from self._events(result)
        yield from self._reasons(result, "problems")
        yield from self._reasons(result, "warnings")
        if "ignored" in self.value:
            wanted = self.value["ignored"]
            if result.reason != wanted if isinstance(wanted, str) else result.ignored != wanted:
                said = f"is ignored ({result.reason})" if result.ignored else "is not ignored"
                yield Difference(self.place.child("ignored").span(), f"the record {said}")

    def _record(self) -> Any:
        if "line" in self.value:
            return self.value["line"]
        record = self.value["record"]
        if not isinstance(record, str):
            return msgspec.json.encode(record)
        at = self.place.child("record")
        root = Path(self.place.document.file).parent
        path = inside(root, root / record)
        if path is None or not path.is_file():
            raise MappingError([at.problem("no-such-file", f"there is no file {record!r} beside the mapping")])
        return path.read_bytes().strip()

    def _events(self, result: Result) -> Iterator[Difference]:
        wanted = self.value["events"]
        at = self.place.child("events")
        for event, index in zip(result.events, range(len(wanted)), strict=False):
            yield from self._compared(at.child(index), event.parameters, self.program.destination.root)
        for index in range(len(result.events), len(wanted)):
            reasons = "".join(f"\n      {problem}" for problem in result.problems)
            yield Difference(at.child(index).span(), f"there is no such event{reasons}")
        for event in result.events[len(wanted) :]:
            yield Difference(at.span(), f"there is one event more: {event.name}")

    def _compared(self, wanted: Place, actual: Any, field: Field | None) -> Iterator[Difference]:
        """What is expected against what came out, as deep as the expectation goes."""
        name = field.path if field is not None and field.path else "the event"
        if field is not None and field.is_leaf and field.kind != "any":
            yield from self._leaf(wanted, actual, field)
        elif isinstance(wanted.value, dict):
            if not isinstance(actual, dict):
                yield Difference(wanted.span(), f"{name}: expected an object, got {_shown(actual)}")
                return
            yield from self._object(wanted, actual, field)
        elif isinstance(wanted.value, list) and isinstance(actual, list):
            if len(wanted.value) != len(actual):
                yield Difference(wanted.span(), f"{name}: expected {len(wanted.value)} items, got {len(actual)}")
            for index in range(min(len(wanted.value), len(actual))):
                yield from self._compared(wanted.child(index), actual[index], field)
        elif not _same(wanted.value, actual):
            yield Difference(wanted.span(), f"{name}: expected {_shown(wanted.value)}, got {_shown(actual)}")

    def _object(self, wanted: Place, actual: dict[str, Any], field: Field | None) -> Iterator[Difference]:
        for key, place in wanted.children():
            path = f"{field.path}.{key}" if field is not None and field.path else key
            known = self.program.destination.field(path) if field is not None else None
            if place.value is None:
                if key in actual:
                    yield Difference(place.key_span(), f"{path}: expected nothing, got {_shown(actual[key])}")
            elif key not in actual:
                yield Difference(place.key_span(), f"{path}: expected {_shown(place.value)}, got nothing")
            else:
                yield from self._compared(place, actual[key], known)
        if self.exactly:
            for key in actual.keys() - wanted.value.keys():
                yield Difference(wanted.span(), f"'{key}' is there and was not expected: {_shown(actual[key])}")

    def _leaf(self, wanted: Place, actual: Any, field: Field) -> Iterator[Difference]:
        """A value: as it is sent, or as it was before cleaning and hashing."""
        if _same(wanted.value, actual):
            return
        single = [wanted.value] if field.many and not isinstance(wanted.value, list) else wanted.value
        if _same(single, actual):
            return
        context = Context(self.now if self.now is not None else time.time())
        for companion in (None, "us"):
            if _same(field.preparer({})(wanted.value, context, companion), actual):
                return
        got = "another value (it is hashed)" if field.hash else _shown(actual)
        yield Difference(wanted.span(), f"{field.path}: expected {_shown(wanted.value)}, got {got}")

    def _reasons(self, result: Result, key: str) -> Iterator[Difference]:
        """Refusals or warnings: each that is expected must be there; with ``exactly`` no other."""
        if key not in self.value:
            if key == "problems" and result.problems and "events" in self.value and not self.value["events"]:
                return
            if key == "problems":
                for problem in result.problems:
                    yield Difference(self.place.child("name").span(), f"was refused: {problem}")
            return
        found = [_fields(reason) for reason in getattr(result, key)]
        place = self.place.child(key)
        for index, wanted in enumerate(self.value[key]):
            asked = {"code": wanted} if isinstance(wanted, str) else wanted
            match = next((one for one in found if all(one.get(k) == v for k, v in asked.items())), None)
            if match is None:
                listed = ", ".join(f"{one['code']} {one['parameter']}".strip() for one in found) or "none"
                yield Difference(place.child(index).span(), f"there is no such one; there are: {listed}")
            else:
                found.remove(match)
        if found and (self.exactly or key == "problems"):
            listed = ", ".join(f"{one['code']} {one['parameter']}".strip() for one in found)
            yield Difference(place.span(), f"not expected: {listed}")


def _fields(reason: Any) -> Mapping[str, str]:
    return {name: getattr(reason, name) for name in ("code", "parameter", "event")}


def _moment(place: Place) -> float | None:
    value = place.value.get("now")
    if value is None:
        return None
    if isinstance(value, int):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        message = "'now' is a time in ISO 8601 with an offset, such as 2025-10-14T09:20:00Z"
        raise MappingError([place.child("now").problem("bad-time", message)])
    return moment.timestamp()


def _same(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return wanted is actual
    if isinstance(wanted, int | float) and isinstance(actual, int | float):
        return math.isclose(wanted, actual, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(wanted, list) and isinstance(actual, list):
        return len(wanted) == len(actual) and all(map(_same, wanted, actual))
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return wanted.keys() == actual.keys() and all(_same(wanted[key], actual[key]) for key in wanted)
    return type(wanted) is type(actual) and bool(wanted == actual)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"


__all__ = ["Difference", "Outcome", "check_tests", "run_tests"]
