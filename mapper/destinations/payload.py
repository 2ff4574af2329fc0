"""The payload helper: is a request body from anywhere correct, and what does a correct one look like?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ..errors import Level
from . import pasted
from .answers import at
from .destination import Destination
from .fields import Field
from .rules import Rule, getter, is_nothing
from .validation import Finding, Validator, validator

_NO_JSON: Final = "json"
_NO_EVENTS: Final = "no-events"
_FORM: Final = "Give a request body, an event, a list of events, or one event a line."

_encode_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def check_payload(
    destination: Destination,
    body: bytes | str | Mapping[str, Any],
    now: float,
    *,
    strict: bool = False,
    production: bool = False,
) -> list[Finding]:
    """Every finding for a request body, as it is sent.

    body        a body (``{"data": […], …}``), one event, a list of events, or JSON lines of any of these; a form;
                a text with such JSON in it, such as a copied page
    now         the current time, Unix seconds
    production  a test event code is an error, not only a warning
    returns     findings in the order of the body; paths begin with ``data[3].``, and with ``line 3: `` if there are
                several values
    """
    if isinstance(body, Mapping):
        return list(_Payload(destination, now, strict, production).findings(dict(body)))
    text = pasted.text_of(body) if isinstance(body, bytes) else body
    checker = _Payload(destination, now, strict, production)
    return list(checker.read(text))


class _Payload:
    def __init__(self, destination: Destination, now: float, strict: bool, production: bool) -> None:
        self.destination = destination
        self.now = now
        self.production = production
        self.events: Validator = validator(destination, strict)
        self.envelope = Validator(_as_body(destination), strict)

    def read(self, text: str) -> Iterator[Finding]:
        """Findings for a text, whatever form the requests in it have."""
        holds_any = False
        for place, value in pasted.found(text, self._is_request):
            holds_any = True
            if place and value is None:
                yield Finding(place, _NO_JSON, "error", "this is not JSON", _FORM)
                continue
            for finding in self.findings(value):
                yield replace(finding, path=f"{place}: {finding.path}".rstrip(": ")) if place else finding
        if not holds_any:
            yield Finding("", _NO_JSON, "error", f"this is not JSON{_where(text)}", _FORM)

    def _is_request(self, value: Any) -> bool:
        """Whether a value in a text can be a request or events, rather than, say, an answer."""
        first = value[0] if isinstance(value, list) and value else value
        return isinstance(first, dict) and bool(
            {self.destination.envelope_key.partition(".")[0], self.destination.roles.name} & set(first)
        )

    def findings(self, value: Any) -> Iterator[Finding]:
        """Findings for a body, an event or a list of events."""
        key = self.destination.envelope_key
        if isinstance(value, list) and value:
            yield from self._events(value, "")
        elif isinstance(value, dict) and (key.partition(".")[0] in value or self.destination.roles.name not in value):
            yield from self._body(value, key)
        elif isinstance(value, dict):
            yield from self.events.check(value, self.now)
        else:
            yield Finding("", _NO_EVENTS, "error", "there are no events in this", _FORM)

    def _body(self, body: dict[str, Any], key: str) -> Iterator[Finding]:
        request = self.destination.request
        beside = {name: body[name] for name in (request.rendering.beside if request.rendering else ()) if name in body}
        passed = {key.partition(".")[0], *beside, *request.body}
        yield from self.envelope.check({name: body[name] for name in body if name not in passed}, self.now)
        code = request.test_code
        if code is not None and not is_nothing(at(body, code)):
            yield from self._engine("test-code", code, f"{code} is set", None if self.production else "warning")
        events = at(body, key)
        if isinstance(events, str):
            events = _decoded(events)
        if not isinstance(events, list) or not events:
            message = f"a request holds its events in a list under '{key}'"
            yield Finding(key, _NO_EVENTS, "error", message, _FORM)
        if isinstance(events, dict):
            yield from self._event({**beside, **events}, key)
        elif isinstance(events, list):
            yield from self._events([{**beside, **one} if isinstance(one, dict) else one for one in events], key)

    def _events(self, events: list[Any], prefix: str) -> Iterator[Finding]:
        most = self.destination.batch.max_events
        if len(events) > most:
            message = f"{len(events)} events in one request; the most is {most}"
            yield from self._engine("batch", prefix, message, None)
        for i, event in enumerate(events):
            yield from self._event(_decoded(event) if isinstance(event, str) else event, f"{prefix}[{i}]")

    def _event(self, event: Any, where: str) -> Iterator[Finding]:
        for finding in self.events.check(event, self.now):
            yield replace(finding, path=f"{where}.{finding.path}" if finding.path else where)

    def _engine(self, kind: str, path: str, message: str, level: Level | None) -> Iterator[Finding]:
        """A finding of a check that the destination's file only names."""
        rule = next((rule for rule in self.destination.rules if rule.kind == kind), None)
        if rule is not None:
            yield Finding(path, rule.id, level or rule.level, message, rule.remedy)


def _as_body(destination: Destination) -> Destination:
    """The destination with the request's body in place of the event: the same checks for its other keys."""
    root = Field(path="", name="", kind="object", label="a request", children=destination.envelope)
    return replace(destination, root=root, rules=())


def _decoded(text: str) -> Any:
    """Forms send events as texts that are JSON themselves."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _where(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f" (line {error.lineno}, column {error.colno})"
    except (ValueError, RecursionError):
        pass
    return ""


def sample_payload(
    destination: Destination,
    event_name: str,
    given: Mapping[str, Any] | None = None,
    *,
    now: float,
    only: Iterable[str] | None = None,
) -> dict[str, Any]:
    """A body with one event that is correct and complete: required, recommended and listed parameters.

    event_name  a standard event by its name, or a name of one's own
    given       path -> value of parameters that shall be so, such as ``{"action_source": "physical_store"}``
    now         the event's time, Unix seconds; other times keep their distance to it
    only        parameters, in place of the recommended and listed ones
    raises      KeyError for a given path that is no parameter
    """
    event = sample_event(destination, event_name, given, now=now, only=only)
    beside: dict[str, Any] = {}
    request = destination.request
    if request.rendering is not None:
        beside, event = request.rendering.render(event)
    return {**request.around([event]), **beside}


def sample_event(
    destination: Destination,
    event_name: str,
    given: Mapping[str, Any] | None = None,
    *,
    now: float,
    only: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The event of ``sample_payload``."""
    sample = _Sample(destination, now)
    for name, field in (destination.root.children or {}).items():
        if field.required and field.is_leaf:
            sample.add(name)
    sample.put(destination.roles.name, event_name)
    for path, value in (given or {}).items():
        if destination.field(path) is None:
            raise KeyError(path)
        sample.put(path, value)
    for path in _usual(destination, event_name, sample.event) if only is None else only:
        sample.add(path)
    sample.obey(destination.rules)
    return sample.ordered()


def _usual(destination: Destination, event_name: str, event: Mapping[str, Any]) -> Iterator[str]:
    """The parameters that are recommended for an event, or listed for its name."""
    for field in _outside_lists(destination.root):
        if field.recommended is not None and all(one.holds(event) for one in field.recommended):
            yield field.path
    listed = destination.standard_events.get(event_name)
    yield from listed.parameters if listed is not None else ()


def _outside_lists(field: Field) -> Iterator[Field]:
    """The parameters that are no part of a list's items."""
    for child in (field.children or {}).values():
        yield child
        if not child.many:
            yield from _outside_lists(child)


class _Sample:
    """An event that grows by examples."""

    def __init__(self, destination: Destination, now: float) -> None:
        self.destination = destination
        self.now = int(now)
        self.event: dict[str, Any] = {}
        time = destination.roles.time
        example = destination.fields[time].example if time is not None else None
        self.shift = self.now - example if type(example) is int else 0

    def add(self, path: str) -> None:
        """Add a parameter with its example, unless the event has it; for one below a list, the list."""
        field = self.destination.fields.get(self._list_above(path))
        if field is None or not is_nothing(getter(field.path)(self.event)):
            return
        value = self._example(field)
        if not is_nothing(value):
            self.put(field.path, value)

    def _list_above(self, path: str) -> str:
        heads = (path[:end] for end, sign in enumerate(path) if sign == ".")
        lists = (head for head in heads if (above := self.destination.fields.get(head)) is not None and above.many)
        return next(lists, path)

    def put(self, path: str, value: Any) -> None:
        *above, name = path.split(".")
        at = self.event
        for step in above:
            at = at.setdefault(step, {})
        at[name] = value

    def _example(self, field: Field) -> Any:
        if field.kind == "time" and type(field.example) is int:
            return field.example + self.shift
        if field.kind != "object" or field.example is not None:
            return field.example
        inner = {
            name: value
            for name, child in (field.children or {}).items()
            if (child.required or child.recommended is not None) and not is_nothing(value := self._example(child))
        }
        return [inner] if field.many and inner else inner

    def obey(self, rules: tuple[Rule, ...]) -> None:
        """Add what the rules demand, until they demand nothing more."""
        for _ in range(len(rules)):
            wanting = [rule for rule in rules if rule.kind in ("require", "one_of") and not rule.holds(self.event)]
            if not wanting:
                return
            for rule in wanting:
                for path in rule.paths if rule.kind == "require" else rule.groups[0]:
                    self.add(path)

    def ordered(self) -> dict[str, Any]:
        """The event with its parameters in the order of the destination's file."""
        event: dict[str, Any] = _ordered(self.destination.root, self.event)
        return event


def _ordered(field: Field, value: Any) -> Any:
    if isinstance(value, list):
        return [_ordered(field, one) for one in value]
    if not isinstance(value, dict) or field.children is None:
        return value
    known = {name: _ordered(child, value[name]) for name, child in field.children.items() if name in value}
    return {**known, **{name: inner for name, inner in value.items() if name not in known}}


def commented(destination: Destination, payload: Mapping[str, Any]) -> str:
    """A body as JSON for people: one parameter a line, with a comment that says what it is."""
    lines = list(_lines(destination, dict(payload), "", "", 0))
    width = min(60, max(len(line) for line, _ in lines))
    return "\n".join(f"{line:<{width}}  // {about}" if about else line for line, about in lines) + "\n"


def _lines(
    destination: Destination, value: Any, path: str, before: str, depth: int, after: str = ""
) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    field = destination.field(path) if path else None
    about = field.about if field is not None else ""
    deep = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))
    if not deep or not value:
        yield f"{indent}{before}{_encode_text(value)}{after}", about
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    yield f"{indent}{before}{opening}", about
    pairs = list(value.items()) if isinstance(value, dict) else [("", one) for one in value]
    for i, (name, inner) in enumerate(pairs):
        above = "" if not path and name == destination.envelope_key else f"{path}.{name}".strip(".")
        comma = "," if i + 1 < len(pairs) else ""
        named = f"{_encode_text(name)}: " if isinstance(value, dict) else ""
        yield from _lines(destination, inner, above if name else path, named, depth + 1, comma)
    yield f"{indent}{closing}{after}", ""
