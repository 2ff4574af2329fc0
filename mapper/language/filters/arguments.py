"""Reading what filters are given: a value as text or as a list, an argument of the right type.

Messages name the type that was found, never the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import RecordError
from ..effort import LARGE, spend, spend_on
from ..values import MAX_ITEMS, MAX_TEXT, is_empty, kind, text


def as_text(value: Any) -> str:
    """Text as it is, numbers and booleans as they are written; else RecordError "wrong-type"."""
    if type(value) is not str:
        return text(value)
    if len(value) > LARGE:
        spend(len(value))
    return value


def text_argument(value: Any, name: str) -> str:
    """An argument that is text; it may be blank, but not absent."""
    if value is None:
        raise RecordError("wrong-type", f"the argument '{name}' is empty")
    return as_text(value)


def whole_argument(value: Any, name: str) -> int:
    """An argument that is a whole number."""
    if type(value) is not int:
        raise RecordError("wrong-type", f"the argument '{name}' is {kind(value)}, not a whole number")
    if abs(value) > MAX_TEXT:
        raise RecordError("limit", f"the argument '{name}' is larger than {MAX_TEXT:,}")
    return value


def members(value: Any) -> list[Any]:
    """The members of a list; anything else that is not empty counts as a list of one."""
    if type(value) is not list:
        return [] if is_empty(value) else [value]
    if len(value) > MAX_ITEMS:
        raise RecordError("limit", f"a list has more than {MAX_ITEMS:,} members")
    spend_on(value)
    return value


def fields(value: Any, what: str = "the value") -> dict[str, Any]:
    """An object; else RecordError "wrong-type"."""
    if type(value) is not dict:
        raise RecordError("wrong-type", f"{what} is {kind(value)}, not an object")
    spend_on(value)
    return value


def at_path(value: Any, path: Any) -> Any:
    """What stands in an object at a key, or else at a dotted path of keys and indexes; None where nothing is."""
    written = path if type(path) is str else text(path)
    if type(value) is dict and written in value:
        return value[written]
    for key in written.split("."):
        if type(value) is dict:
            value = value.get(key)
        elif type(value) is list and key.isascii() and key.isdigit() and int(key[:6]) < len(value):
            value = value[int(key[:6])]
        else:
            return None
    return value


def known_name(arguments: Mapping[str, Any], name: str, known: Mapping[str, Any], what: str) -> str:
    """A complaint if the literal argument names none of the known, or ""."""
    given = arguments.get(name)
    if given is None or given in known:
        return ""
    return f"there is no {what} {given!r}"
