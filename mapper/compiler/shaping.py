"""Objects and lists that an expression computes, cleaned while the record is mapped.

``custom_data: "{{ properties | omit('email') }}"`` gives an object whose keys are known only then. Each key that the
destination knows is cleaned as if it had been declared; any other key stays if the destination takes free keys there,
and is left out with a warning if not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..destinations.destination import Field
from ..language.effort import spend_on
from ..language.values import Context, is_empty, pruned

Shape = Callable[[Any, Context], Any]


def shaper(field: Field) -> Shape:
    """What turns any value into a prepared value of ``field``, or None if nothing usable is left. Never raises."""
    one = _one(field)
    if not field.many or field.is_leaf:
        return one

    def every(value: Any, context: Context) -> Any:
        if is_empty(value):
            return None
        items = value if type(value) is list else [value]
        shaped = [item for item in (one(item, context) for item in items) if item is not None]
        return shaped or None

    return every


def lacks(value: Any, *keys: str) -> bool:
    """Whether nothing stands at a path of keys; where there is a list on the way, in any of its items."""
    if type(value) is list:
        return not value or any(lacks(item, *keys) for item in value)
    if not keys:
        return value is None
    return type(value) is not dict or lacks(value.get(keys[0]), *keys[1:])


def copier(field: Field, without: Iterable[str] = ()) -> Shape:
    """What turns any value into the beginning of an object at ``field``: a new dict of what is usable, maybe none.

    without  keys that are not copied
    """
    shape = _free(field) if field.kind == "any" else _object(field, begun=True)
    left_out = frozenset(without)

    def copy(value: Any, context: Context) -> Any:
        if left_out and type(value) is dict:
            value = {key: part for key, part in value.items() if key not in left_out}
        return shape(value, context) or {}

    return copy


def incomplete(path: str) -> Callable[..., None]:
    """What says of a positional list, by the values that it cannot do without, that one of them is empty.

    Silent if all of them are: then there is nothing to be incomplete.
    """

    def said(context: Context, *values: Any) -> None:
        if any(value is not None for value in values):
            context.warn("incomplete", path)

    return said


def _free(field: Field) -> Shape:
    path = field.path

    def shape(value: Any, context: Context) -> Any:
        if type(value) is not dict and not is_empty(value):
            context.warn("wrong-type", path)
            return None
        return pruned(value)

    return shape


def _one(field: Field) -> Shape:
    if field.kind == "list":
        return _positional(field)
    if field.kind == "object":
        return _object(field)
    prepare = field.preparer({})

    def leaf(value: Any, context: Context) -> Any:
        return prepare(value, context)

    return leaf


def _object(field: Field, *, begun: bool = False) -> Shape:
    """``begun``: other parts are still to come, so that what is lacking does not matter yet."""
    children = {name: shaper(child) for name, child in (field.children or {}).items()}
    path, additional = field.path, field.additional
    required = (
        [] if begun else [(child.name, child.path) for child in (field.children or {}).values() if child.required]
    )

    def shape(value: Any, context: Context) -> Any:
        if type(value) is not dict:
            if not is_empty(value):
                context.warn("wrong-type", path)
            return None
        spend_on(value)
        prepared: dict[str, Any] = {}
        for key, part in value.items():
            child = children.get(key)
            if child is not None:
                part = child(part, context)
            elif additional:
                part = pruned(part)
            else:
                context.warn("unknown-parameter", path)
                continue
            if part is not None:
                prepared[key] = part
        for name, lacking in required if prepared and path else ():
            if name not in prepared:
                context.warn("incomplete", lacking)
                return None
        return prepared or None

    return shape


def _positional(field: Field) -> Shape:
    slots = [position.preparer({}) for position in field.positions]
    required = [place for place, position in enumerate(field.positions) if position.required]
    path = field.path

    def shape(value: Any, context: Context) -> Any:
        if is_empty(value):
            return None
        if type(value) is not list or len(value) > len(slots):
            context.warn("wrong-type", path)
            return None
        parts = [slot(part, context) for slot, part in zip(slots, value, strict=False)]
        parts += [None] * (len(slots) - len(parts))
        if any(parts[place] is None for place in required):
            if any(part is not None for part in parts):
                context.warn("incomplete", path)
            return None
        if all(part is None for part in parts):
            return None
        return ["" if part is None else part for part in parts]

    return shape
