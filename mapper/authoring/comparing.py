"""A test's record through the mapping, and what came of it against what the test expects.

Only what a test names is compared, unless it says ``exactly``. Personal data is expected in plain text: it is compared
after cleaning and hashing, and what came instead is told as the record has it, for nobody can read a hash.
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

from ..compiler.mapping import inside
from ..compiler.trees import Place
from ..destinations.destination import Field
from ..errors import MappingError, Span
from ..events.explain import LITERAL, SENT, Explanation, explain
from ..events.program import Program
from ..events.results import Event, Result
from ..language.values import Context

_LONGEST: Final = 200
"""The most that is shown of a value, in characters."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected.

    span      the place of the expectation
    about     the parameter, or all that there is to say
    expected  and ``got``: both sides as text, if there are two
    place     the expectation, if it can be rewritten to ``actual``
    """

    span: Span
    about: str
    expected: str = ""
    got: str = ""
    place: Place | None = None
    actual: Any = None

    @property
    def message(self) -> str:
        """All of it on one line, but for reasons, which have a line each."""
        return f"{self.about}: expected {self.expected}, got {self.got}" if self.expected else self.about


class Comparison:
    """One test, run."""

    def __init__(self, program: Program, place: Place) -> None:
        self.program = program
        self.place = place
        self.value: dict[str, Any] = place.value
        self.now = _moment(place)
        self.exactly = bool(self.value.get("exactly"))
        self.record = self._record()
        self.event = place
        self.made: Event | None = None
        self._explanations: dict[str, Explanation] = {}

    def differences(self) -> Iterator[Difference]:
        """What is not as expected, in the order of the test.

        raises  MappingError if the test names a file that is not there, or no moment
        """
        result = self.program.map(self.record, self.now)
        fewer = len(result.events) < len(self.value.get("events", ()))
        if "events" in self.value:
            yield from self._events(result)
        yield from self._reasons(result, "problems", told=fewer)
        yield from self._reasons(result, "warnings")
        if "ignored" in self.value:
            wanted = self.value["ignored"]
            if result.reason != wanted if isinstance(wanted, str) else result.ignored != wanted:
                said = f"is ignored ({result.reason})" if result.ignored else "is not ignored"
                at, actual = self.place.child("ignored"), result.reason if isinstance(wanted, str) else result.ignored
                yield Difference(at.span(), f"the record {said}", place=at, actual=actual or False)

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
            self.event, self.made = at.child(index), event
            yield from self._compared(at.child(index), event.parameters, self.program.destination.root)
        for index in range(len(result.events), len(wanted)):
            reasons = "".join(f"\n      {problem}" for problem in result.problems)
            given = f": the record gives {len(result.events) or 'none'}" if not result.problems else ""
            yield Difference(at.child(index).span(), f"there is no such event{given}{reasons}")
        for event in result.events[len(wanted) :]:
            shown = Difference(at.span(), f"there is one event more: {event.name}")
            if wanted or event is not result.events[0]:
                yield shown
            else:
                yield Difference(shown.span, shown.about, place=at, actual=list(map(self._plain, result.events)))

    def _compared(self, wanted: Place, actual: Any, field: Field | None) -> Iterator[Difference]:
        """What is expected against what came out, as deep as the expectation goes."""
        name = field.path if field is not None and field.path else "the event"
        if field is not None and field.is_leaf and field.kind != "any":
            yield from self._leaf(wanted, actual, field)
        elif isinstance(wanted.value, dict):
            if not isinstance(actual, dict):
                yield Difference(wanted.span(), name, "an object", _shown(actual), wanted, actual)
                return
            yield from self._object(wanted, actual, field)
        elif isinstance(wanted.value, list) and isinstance(actual, list):
            if len(wanted.value) != len(actual):
                expected, got = (f"{count} item{'s' * (count != 1)}" for count in (len(wanted.value), len(actual)))
                yield Difference(wanted.span(), name, expected, f"{got}: {_shown(actual)}", wanted, actual)
                return
            for index in range(len(actual)):
                yield from self._compared(wanted.child(index), actual[index], field)
        elif not _same(wanted.value, actual):
            yield Difference(wanted.span(), name, _shown(wanted.value), _shown(actual), wanted, actual)

    def _object(self, wanted: Place, actual: dict[str, Any], field: Field | None) -> Iterator[Difference]:
        above = f"{field.path}." if field is not None and field.path else ""
        for key, place in wanted.children():
            known = self.program.destination.field(above + key) if field is not None else None
            if place.value is None:
                if key in actual:
                    plain = self._plainly(known, actual[key])
                    yield Difference(place.key_span(), above + key, "nothing", _shown(plain), place, plain)
            elif key not in actual:
                yield Difference(place.key_span(), above + key, _shown(place.value), "nothing", place, None)
            else:
                yield from self._compared(place, actual[key], known)
        for key in [key for key in actual if key not in wanted.value] if self.exactly else ():
            known = self.program.destination.field(above + key) if field is not None else None
            yield Difference(wanted.span(), above + key, "nothing", _shown(self._plainly(known, actual[key])))

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
        plain = self._plainly(field, actual)
        if field.many and isinstance(plain, list) and len(plain) == 1 and not isinstance(wanted.value, list):
            [plain] = plain
        got = _shown(plain) + (", which is hashed when it is sent" if field.hash and plain != actual else "")
        yield Difference(wanted.span(), field.path, _shown(wanted.value), got, wanted, plain)

    def _companion(self, field: Field) -> Any:
        """What the test expects of the parameter that cleaning looks at beside this one."""
        value: Any = self.event.value
        for key in (field.companion or "").split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _plain(self, event: Event) -> Any:
        """An event as a test would expect it: personal data in plain text."""
        self.made = event
        return self._plainly(self.program.destination.root, event.parameters)

    def _plainly(self, field: Field | None, actual: Any) -> Any:
        """A value that was sent, with what is hashed as the record has it."""
        if field is None or (field.is_leaf and not field.hash):
            return actual
        if isinstance(actual, dict) and not field.is_leaf:
            prefix = f"{field.path}." if field.path else ""
            return {key: self._plainly(self.program.destination.field(prefix + key), actual[key]) for key in actual}
        if not field.hash or self.made is None:
            return actual
        sent = set(actual) if isinstance(actual, list) else {actual}
        found = [value for value, hashed in self._hashed(field.path) if hashed <= sent]
        if len(found) != len(sent):
            return actual
        return found if len(found) > 1 else found[0]

    def _hashed(self, path: str) -> Iterator[tuple[Any, set[str]]]:
        """What the record has for a parameter, with the hashes that were made of it."""
        assert self.made is not None
        for event in self._explained(self.made.key).events:
            for trace in (trace for item in event.items for trace in item.parameters):
                if trace.known.path == path and trace.outcome in (SENT, LITERAL):
                    sent = trace.sent if isinstance(trace.sent, list) else [trace.sent]
                    value = trace.value.strip() if isinstance(trace.value, str) else trace.value
                    yield value, {one for one in sent if isinstance(one, str)}

    def _explained(self, key: str) -> Explanation:
        if key not in self._explanations:
            now = self.now if self.now is not None else time.time()
            self._explanations[key] = explain(self.program, self.record, now, event=key)
        return self._explanations[key]

    def _reasons(self, result: Result, key: str, *, told: bool = False) -> Iterator[Difference]:
        """Refusals or warnings: each that is expected must be there; with ``exactly`` no other.

        told   whether the refusals have been told already, as the reasons why an event is missing
        """
        if key not in self.value:
            meant = "events" in self.value and not self.value["events"]
            if key == "problems" and not told and not meant:
                for problem in result.problems:
                    yield Difference(self.place.child("name").span(), f"was refused: {problem}")
            return
        found = [_fields(reason) for reason in getattr(result, key)]
        place, left = self.place.child(key), list(found)
        for index, wanted in enumerate(self.value[key]):
            asked = {"code": wanted} if isinstance(wanted, str) else wanted
            match = next((one for one in left if all(one.get(k) == v for k, v in asked.items())), None)
            if match is None:
                yield Difference(place.child(index).span(), f"there is no such {key[:-1]}; there are: {_listed(left)}")
            else:
                left.remove(match)
        if left and (self.exactly or key == "problems"):
            actual = [{name: one[name] for name in ("code", "parameter") if one[name]} for one in found]
            yield Difference(place.span(), f"not expected: {_listed(left)}", place=place, actual=actual)


def _fields(reason: Any) -> Mapping[str, str]:
    return {name: getattr(reason, name) for name in ("code", "parameter", "event")}


def _listed(reasons: Iterable[Mapping[str, str]]) -> str:
    return ", ".join(f"{one['code']} {one['parameter']}".strip() for one in reasons) or "none"


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
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
