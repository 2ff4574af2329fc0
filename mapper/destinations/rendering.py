"""Where parameters stand in a request, if not where the mapping puts them.

An event is mapped, checked and kept as one object. Some destinations want a part of it elsewhere: beside the events in
the request's body, as a tagged member of a list, or a time in another unit. That is done last, when a request is put
together; events whose parts beside them differ cannot share a request. A destination without such parameters has no
rendering, and its events are sent as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from .fields import Field

VALUE: Final = "$value"
"""Stands for the value in a ``wrap``."""

UNITS: Final = ("s", "ms", "us", "iso8601")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Tagged:
    """A parameter whose values become members of a list: each stands in a copy of ``wrap``."""

    path: str
    into: str
    wrap: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is done to events that are on their way into a request.

    beside   names of parameters that stand beside the events
    tagged   parameters that become members of a list, in their order there
    units    path of a time -> its unit, one of ``UNITS``
    """

    beside: tuple[str, ...] = ()
    tagged: tuple[Tagged, ...] = ()
    units: Mapping[str, str] | None = None

    def groups(self, events: Sequence[bytes]) -> list[list[int]]:
        """The positions of events that can share a request, in the order of their first event."""
        found: dict[bytes, list[int]] = {}
        for index, encoded in enumerate(events):
            key = _encode([_decode(encoded).get(name) for name in self.beside]) if self.beside else b""
            found.setdefault(key, []).append(index)
        return list(found.values())

    def render(self, event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands beside an event, and the event as it is sent. The event given is used up."""
        beside = {name: event.pop(name) for name in self.beside if name in event}
        for path, unit in (self.units or {}).items():
            self._convert(event, path.split("."), unit)
        for one in self.tagged:
            value = _taken(event, one.path.split("."))
            for member in value if isinstance(value, list) else [] if value is None else [value]:
                _list_at(event, one.into.split(".")).append(_wrapped(one.wrap, member))
        return beside, event

    def _convert(self, event: dict[str, Any], path: list[str], unit: str) -> None:
        *above, name = path
        at: Any = event
        for step in above:
            at = at.get(step) if isinstance(at, dict) else None
        if isinstance(at, dict) and type(at.get(name)) is int:
            at[name] = in_unit(at[name], unit)

    def body(self, events: Iterable[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """What stands beside the events of one group, and the events as they are sent."""
        rendered = [self.render(_decode(encoded)) for encoded in events]
        return (rendered[0][0] if rendered else {}), [_encode(event) for _, event in rendered]


def rendering(root: Field) -> Rendering | None:
    """What the parameters of a destination need; None if all of them stand where they are mapped."""
    fields = [field for child in (root.children or {}).values() for field in child.walk()]
    found = Rendering(
        tuple(field.path for field in fields if field.beside),
        tuple(Tagged(field.path, field.into, field.wrap) for field in fields if field.into),
        {field.path: field.unit for field in fields if field.unit != "s"},
    )
    return found if found.beside or found.tagged or found.units else None


def in_unit(seconds: int, unit: str) -> int | str:
    """A time in Unix seconds in another unit."""
    if unit == "iso8601":
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return seconds * {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]


def _taken(event: dict[str, Any], path: list[str]) -> Any:
    """Take a parameter out of an event, and objects that this leaves empty."""
    name, *rest = path
    if not rest:
        return event.pop(name, None)
    inner = event.get(name)
    if not isinstance(inner, dict):
        return None
    value = _taken(inner, rest)
    if not inner:
        del event[name]
    return value


def _list_at(event: dict[str, Any], path: list[str]) -> list[Any]:
    *above, name = path
    for step in above:
        event = event.setdefault(step, {})
    found: list[Any] = event.setdefault(name, [])
    return found


def _wrapped(wrap: Any, value: Any) -> Any:
    if isinstance(wrap, Mapping):
        return {key: _wrapped(inner, value) for key, inner in wrap.items()}
    if isinstance(wrap, list):
        return [_wrapped(inner, value) for inner in wrap]
    return value if wrap == VALUE else wrap
