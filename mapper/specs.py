"""Runs a mapping's tests: records, and the events they must give. They stand in the mapping or beside it, in
``NAME.spec.yaml`` or ``NAME.WORD.spec.yaml`` for ``NAME.yaml``.

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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from . import document, schema
from .destination import Field
from .errors import MappingError, Problem, Span
from .mapping import inside
from .placing import Lines
from .program import Program
from .results import Result
from .trees import Place
from .values import Context

TEST_RULES: Final[dict[str, Any]] = {
    "name": {"type": "string", "required": True, "meta": {"about": "What must hold, as a sentence."}},
    "now": {"type": ["string", "integer"], "meta": {"about": "The time at which the record is mapped (ISO 8601)."}},
    "record": {"type": ["dict", "string", "list"], "meta": {"about": "The record, or a JSON file beside the mapping."}},
    "line": {"type": "string", "meta": {"about": "Instead of `record`: a line of text, for what is no JSON."}},
    "events": {
        "type": "list",
        "schema": {"type": "dict"},
        "meta": {"about": "The events that it must give, in their order."},
    },
    "exactly": {"type": "boolean", "meta": {"about": "`true`: nothing may be there that is not named."}},
    "problems": {
        "type": "list",
        "schema": {"type": ["string", "dict"]},
        "meta": {"about": "Why events are refused: `code`, `parameter`, `event`."},
    },
    "ignored": {"type": ["boolean", "string"], "meta": {"about": "The record gives nothing, on purpose."}},
    "warnings": {
        "type": "list",
        "schema": {"type": ["string", "dict"]},
        "meta": {"about": "Values that are left out: `code`, `parameter`."},
    },
}
SPEC_RULES: Final[dict[str, Any]] = {
    "about": {"type": "string", "meta": {"about": "What the tests of the file are about."}},
    "tests": {"type": "list", "required": True, "schema": {"type": "dict"}, "meta": {"about": "The tests."}},
}
"""The keys of a file of tests."""

SUFFIX: Final = ".spec.yaml"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: the place of the expectation, and both sides.

    A difference of a single value that is not hashed has the ``place`` of the expectation and the ``actual`` value.
    """

    span: Span
    message: str
    place: Place | None = None
    actual: Any = None


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


def spec_files(mapping: str | Path) -> list[Path]:
    """The files of tests beside a mapping file."""
    path = Path(mapping)
    found = [one for one in path.parent.glob(f"*{SUFFIX}") if mapping_of(one) == path]
    return sorted(found)


def mapping_of(spec: Path) -> Path:
    """The mapping that a file of tests is about: ``shop.yaml`` for ``shop.spec.yaml``, ``shop.refunds.spec.yaml``."""
    stem = spec.name.removesuffix(SUFFIX)
    while stem:
        path = spec.with_name(f"{stem}.yaml")
        if path.is_file():
            return path
        stem = stem.rpartition(".")[0]
    return spec.with_name(f"{spec.name.removesuffix(SUFFIX)}.yaml")


def all_tests(program: Program) -> list[Place]:
    """The tests of a mapping: in the mapping, and in the files beside it.

    raises  MappingError if such a file cannot be read or is no file of tests
    """
    places = list(program.tests)
    problems: list[Problem] = []
    for path in spec_files(program.files[0]):
        try:
            found = document.read(path)
        except MappingError as error:
            problems += error.problems
            continue
        wrong = schema.check(found, SPEC_RULES)
        problems += wrong
        if not wrong:
            places += [Place(found, ("tests", index)) for index in range(len(found.value["tests"]))]
    if problems:
        raise MappingError(problems)
    return places


def check_tests(program: Program) -> list[Problem]:
    """What is wrong with a mapping's tests themselves."""
    try:
        places = all_tests(program)
    except MappingError as error:
        return error.problems
    timed = program.destination.roles.time is not None
    return [problem for place in places for problem in _check(place, timed)]


def _check(place: Place, timed: bool) -> list[Problem]:
    problems = schema.check(place.document, TEST_RULES, path=place.path)
    value = place.value
    if not isinstance(value, dict) or problems:
        return problems
    if not {"record", "line"} & value.keys():
        problems.append(place.problem("missing-key", "a test needs a record", "Add 'record:' with the record."))
    if timed and value.get("events") and "now" not in value:
        hint = "Add 'now:' with a time soon after the record's, such as 2025-10-14T09:20:00Z."
        message = "this test has no clock: it fails as soon as its record is too old"
        problems.append(Problem(place.child("name").span(), "test-without-now", message, hint, "warning"))
    return problems


def run_tests(program: Program, *, match: str = "") -> Iterator[Outcome]:
    """Run a mapping's tests.

    match   only those whose name contains this, whatever the case
    raises  MappingError if a test is badly declared
    """
    problems = [problem for problem in check_tests(program) if problem.level == "error"]
    if problems:
        raise MappingError(problems)
    for place in all_tests(program):
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
        self.event = place

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
            self.event = at.child(index)
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
            message = f"{name}: expected {_shown(wanted.value)}, got {_shown(actual)}"
            yield Difference(wanted.span(), message, wanted, actual)

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
            for key in [key for key in actual if key not in wanted.value]:
                yield Difference(wanted.span(), f"'{key}' is there and was not expected: {_shown(actual[key])}")

    def _leaf(self, wanted: Place, actual: Any, field: Field) -> Iterator[Difference]:
        """A value: as it is sent, or as it was before cleaning and hashing."""
        if _same(wanted.value, actual):
            return
        single = [wanted.value] if field.many and not isinstance(wanted.value, list) else wanted.value
        if _same(single, actual):
            return
        context = Context(self.now if self.now is not None else time.time())
        for companion in (self._companion(field), None, "us"):
            if _same(field.preparer({})(wanted.value, context, companion), actual):
                return
        message = f"{field.path}: expected {_shown(wanted.value)}, got "
        if field.hash:
            yield Difference(wanted.span(), f"{message}another value (it is hashed)")
        else:
            single = actual[0] if field.many and len(actual) == 1 and not isinstance(wanted.value, list) else actual
            yield Difference(wanted.span(), f"{message}{_shown(actual)}", wanted, single)

    def _companion(self, field: Field) -> Any:
        """What the test expects of the parameter that cleaning looks at beside this one."""
        value: Any = self.event.value
        for key in (field.companion or "").split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

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


def updated(differences: Iterable[Difference]) -> dict[str, tuple[str, int]]:
    """Files of tests rewritten so that they expect what came out: file -> (its new text, how many values changed).

    Only single values that stand on one line and are not hashed are rewritten; everything else is left for a person.
    """
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    found = [one for one in differences if one.place is not None and isinstance(one.actual, str | int | float)]
    for one in sorted(found, key=lambda one: one.span, reverse=True):  # the last first: places stay
        assert one.place is not None
        span, source = one.span, one.place.document
        text = texts.get(span.file, source.text)
        line = Lines.of(source.text, span.file).starts[span.line - 1]
        start, end = line + span.column - 1, line + span.end - 1
        if _read(text[start:end]) == one.place.value:
            texts[span.file] = text[:start] + _spelled(one.actual) + text[end:]
            counts[span.file] = counts.get(span.file, 0) + 1
    return {file: (text, counts[file]) for file, text in texts.items()}


def _spelled(value: str | int | float) -> str:
    """A value as YAML, wherever it may stand."""
    if isinstance(value, str) and _read(f"{{a: {value}}}") == {"a": value}:
        return value
    return msgspec.json.encode(value).decode()


def _read(text: str) -> Any:
    try:
        return document.load(f"x: {text}", "").value["x"]
    except MappingError:
        return None


__all__ = ["Difference", "Outcome", "all_tests", "check_tests", "mapping_of", "run_tests", "spec_files", "updated"]
