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

import difflib
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..compiler.trees import Place
from ..destinations.cleaning import CODES
from ..destinations.destination import Destination
from ..documents import document, schema
from ..errors import MappingError, Problem, Span
from ..events.program import Program
from ..events.results import BY_CONSENT, BY_RULE, NO_EVENT, REFUSALS
from ..language.expression import RECORD_CODES
from .comparing import Comparison, Difference

_REASON: Final = {
    "code": {"type": "string", "meta": {"about": "Why, as a code: `missing`, `bad-email`, `too-old`, …"}},
    "parameter": {"type": "string", "meta": {"about": "Of which parameter, such as `user_data.em`."}},
    "event": {"type": "string", "meta": {"about": "Of which event of the mapping."}},
}
_IGNORED: Final = [True, False, *(one.reason for one in (BY_RULE, NO_EVENT, BY_CONSENT))]

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
        "schema": {"type": ["string", "dict"], "schema": _REASON},
        "meta": {"about": "Why events are refused: `code`, `parameter`, `event`."},
    },
    "ignored": {
        "type": ["boolean", "string"],
        "allowed": _IGNORED,
        "meta": {"about": "The record gives nothing, on purpose; `rule`, `no-event` or `consent` say why."},
    },
    "warnings": {
        "type": "list",
        "schema": {"type": ["string", "dict"], "schema": _REASON},
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
    keys = {transform.key for transform in program.transforms}
    problems: list[Problem] = []
    for place in places:
        found = _check(place, program.destination, keys)
        problems += found
        if not any(problem.level == "error" for problem in found):
            try:
                Comparison(program, place)
            except MappingError as error:
                problems += error.problems
    return problems


def _check(place: Place, destination: Destination, keys: Collection[str]) -> list[Problem]:
    problems = schema.check(place.document, TEST_RULES, path=place.path)
    value = place.value
    if not isinstance(value, dict) or problems:
        return problems
    if not {"record", "line"} & value.keys():
        problems.append(place.problem("missing-key", "a test needs a record", "Add 'record:' with the record."))
    if {"record", "line"} <= value.keys():
        message = "a test has one record: 'record', or 'line' for a text that is no JSON"
        problems.append(Problem(place.child("line").key_span(), "two-records", message, "Take one of them away."))
    for index, event in enumerate(value.get("events") or ()):
        problems += _parameters(place.child("events", index), destination, "") if isinstance(event, dict) else ()
    codes = {*CODES, *RECORD_CODES, *REFUSALS, *destination.severities}
    for key in ("problems", "warnings"):
        for index, reason in enumerate(value.get(key) or ()):
            problems += _reason(place.child(key, index), reason, codes, destination, keys)
    timed = destination.roles.time is not None
    if timed and value.get("events") and "now" not in value:
        hint = "Add 'now:' with a time soon after the record's, such as 2025-10-14T09:20:00Z."
        message = "this test has no clock: it fails as soon as its record is too old"
        problems.append(Problem(place.child("name").span(), "test-without-now", message, hint, "warning"))
    return problems


def _parameters(place: Place, destination: Destination, above: str) -> Iterator[Problem]:
    """Parameters that are expected and that no event can have; that they are not there may be expected of any."""
    for key, inner in place.children():
        path = f"{above}.{key}" if above else key
        known = destination.field(path)
        if known is None and inner.value is not None:
            near = [one.rpartition(".")[2] for one in destination.fields if one.rpartition(".")[0] == above]
            message = f"{destination.title} has no parameter '{key}'" + (f" in '{above}'" if above else "")
            yield Problem(inner.key_span(), "unknown-parameter", message, _nearest(key, near))
        elif known is not None and isinstance(inner.value, dict) and not known.is_leaf:
            yield from _parameters(inner, destination, path)


def _reason(
    place: Place, reason: Any, codes: Collection[str], destination: Destination, keys: Collection[str]
) -> Iterator[Problem]:
    """A refusal or warning that is expected and cannot be."""
    if isinstance(reason, str):
        if reason not in codes:
            yield place.problem("unknown-code", f"there is no code '{reason}'", _nearest(reason, codes))
        return
    code, event = reason.get("code"), reason.get("event")
    if code is not None and code not in codes:
        yield place.child("code").problem("unknown-code", f"there is no code '{code}'", _nearest(code, codes))
    if event is not None and event not in keys:
        yield place.child("event").problem("unknown-event", f"there is no event '{event}'", _nearest(event, keys))
    path = reason.get("parameter", "").partition("[")[0]
    if path and destination.field(path) is None:
        message = f"{destination.title} has no parameter '{path}'"
        yield place.child("parameter").problem("unknown-parameter", message, _nearest(path, destination.fields))


def _nearest(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(names), 1)
    return f"Did you mean '{close[0]}'?" if close else ""


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
            found = tuple(Comparison(program, place).differences())
            yield Outcome(place.value["name"], place.child("name").span(), found, time.perf_counter() - started)
