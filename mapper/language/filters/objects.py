"""Filters for objects, and for JSON as text."""

from __future__ import annotations

from typing import Any

import msgspec

from ...errors import RecordError
from ..effort import MEMBER, spend, weigh
from ..values import is_empty, sized
from .arguments import as_text, at_path, fields
from .registry import NOT_GIVEN, Fails, filter_


@filter_(
    ("{'a': 1, 'b': 2, 'c': 3} | omit('a', 'c')", {"b": 2}),
    ("{'a': {'x': 1, 'y': 2}} | omit('a.x')", {"a": {"y": 2}}),
    ("{'a': 1} | omit(['a', 'b'])", {}),
    ("'text' | omit('a')", Fails("wrong-type")),
)
def omit(value: Any, *keys: Any) -> dict[str, Any]:
    """An object without some of its keys. A dotted key (`address.zip`) is left out of the object within."""
    result = fields(value)
    for key in _names(keys):
        result = _without(result, key)
    return result


def _without(value: dict[str, Any], key: str) -> dict[str, Any]:
    if key in value:
        return {name: member for name, member in value.items() if name != key}
    outer, _, inner = key.partition(".")
    if not inner or type(value.get(outer)) is not dict:
        return value
    return {**value, outer: _without(value[outer], inner)}


@filter_(
    ("{'a': 1, 'b': 2} | pick('b', 'c')", {"b": 2}),
    ("{'a': {'x': 1, 'y': 2}} | pick('a.x')", {"a": {"x": 1}}),
)
def pick(value: Any, *keys: Any) -> dict[str, Any]:
    """An object with nothing but some of its keys; those that are empty are left out."""
    source = fields(value)
    result: dict[str, Any] = {}
    for key in _names(keys):
        member = at_path(source, key)
        if is_empty(member):
            continue
        if key in source or "." not in key:
            result[key] = member
            continue
        *outer, inner = key.split(".")
        place = result
        for step in outer:
            below = place.get(step)
            place[step] = dict(below) if type(below) is dict else {}
            place = place[step]
        place[inner] = member
    return result


def _names(keys: tuple[Any, ...]) -> list[str]:
    """Keys given one by one or as a list."""
    found = [key for given in keys for key in (given if type(given) is list else [given])]
    return [as_text(key) for key in sized(found) if not is_empty(key)]


@filter_(
    ("{'a': 1, 'b': 2} | merge({'b': 3})", {"a": 1, "b": 3}),
    ("{'a': 1} | merge({'a': none, 'b': 2})", {"a": 1, "b": 2}),
    ("none | merge({'a': 1})", {"a": 1}),
    ("{'a': {'x': 1}} | merge({'a': {'y': 2}}, deep=true)", {"a": {"x": 1, "y": 2}}),
    takes_empty=True,
)
def merge(value: Any, *others: Any, deep: Any = False) -> dict[str, Any]:
    """Several objects as one. Where two have the same key the later wins, unless it is empty there.

    With `deep=true` objects that stand behind the same key are merged as well.
    """
    result: dict[str, Any] = {}
    for other in (value, *others):
        if not is_empty(other):
            result = _merged(result, fields(other), 64 if deep is True else 0)
    sized(result)
    return result


def _merged(one: dict[str, Any], other: dict[str, Any], depth: int) -> dict[str, Any]:
    spend((len(one) + len(other) + 10) * MEMBER)
    result = dict(one)
    for key, member in other.items():
        below = result.get(key)
        if depth and type(below) is dict and type(member) is dict:
            result[key] = _merged(below, member, depth - 1)
        elif not is_empty(member) or key not in result:
            result[key] = member
    return result


@filter_(("{'a': 1} | entries", [{"key": "a", "value": 1}]), ("{} | entries", {}))
def entries(value: Any) -> list[Any]:
    """The keys of an object and what stands behind each, as a list to loop over: `key` and `value`."""
    return [{"key": key, "value": member} for key, member in sized(fields(value)).items()]


@filter_(
    ("{'a': [1, true, none]} | tojson", '{"a":[1,true,null]}'),
    ("'text' | tojson", '"text"'),
    ("none | tojson", None),
)
def tojson(value: Any) -> str:
    """The value as JSON text, without spaces, keys in their order."""
    try:
        weigh(value)
        written: str = sized(msgspec.json.encode(value).decode())
    except (ValueError, RecursionError):
        raise RecordError("wrong-type", "the value cannot be written as JSON") from None
    return written


@filter_(
    ("""'{"a": [1, 2]}' | parse_json""", {"a": [1, 2]}),
    ("'{' | parse_json", Fails("not-json")),
    ("'{' | parse_json(default=none)", None),
    ("none | parse_json", None),
)
def parse_json(value: Any, default: Any = NOT_GIVEN) -> Any:
    """What a text of JSON says. Text that is no JSON stops the event, or gives `default`."""
    if type(value) is not str:
        return value
    try:
        return msgspec.json.decode(value.encode())
    except (ValueError, RecursionError):
        if default is not NOT_GIVEN:
            return default
        raise RecordError("not-json", "the text is no JSON") from None
