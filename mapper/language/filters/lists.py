"""Filters for lists. A single value where a list is expected counts as a list of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import RecordError
from ..values import MAX_ITEMS, MAX_TEXT, is_empty, is_number, kind, sized, truth
from .arguments import as_text, at_path, known_name, members, text_argument
from .registry import FILTERS, TESTS, Fails, filter_


@filter_(("[3, 1] | first", 3), ("'one' | first", "one"), ("[] | first | default('none')", "none"), flows=True)
def first(value: Any) -> Any:
    """The first member of a list. A single value is its own first member."""
    if type(value) is not list:
        return value
    return value[0] if value else None


@filter_(("[3, 1] | last", 1), ("{'sku': 'A'} | last", {"sku": "A"}), flows=True)
def last(value: Any) -> Any:
    """The last member of a list. A single value is its own last member."""
    if type(value) is not list:
        return value
    return value[-1] if value else None


@filter_(("'one' | list", ["one"]), ("[1, 2] | list", [1, 2]), ("none | list", None), name="list")
def list_(value: Any) -> list[Any]:
    """A list as it is, and anything else as a list of one."""
    return list(members(value))


@filter_(
    ("['Ada', none, 'King'] | join(' ')", "Ada King"),
    ("[{'sku': 'A'}, {'sku': 'B'}] | join(',', attribute='sku')", "A,B"),
    ("[] | join(',')", []),
)
def join(value: Any, separator: Any = "", attribute: Any = None) -> str | None:
    """The members of a list, or one field of each, as one text. Empty members are passed over."""
    found = _picked(value, attribute)
    texts = [as_text(member) for member in found if not is_empty(member)]
    between = text_argument(separator, "separator")
    if sum(map(len, texts)) + len(between) * len(texts) > 2 * MAX_TEXT:
        raise RecordError("limit", f"a text is longer than {MAX_TEXT:,} characters")
    joined: str = sized(between.join(texts))
    return joined if texts else None


@filter_(
    ("['b', 'A', 'c'] | sort", ["A", "b", "c"]),
    ("[2, none, 10, 1] | sort(reverse=true)", [10, 2, 1, None]),
    ("[{'p': 2}, {'p': 1}] | sort(attribute='p')", [{"p": 1}, {"p": 2}]),
    ("['a', 1] | sort", Fails("wrong-type")),
)
def sort(value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    """The members in order, or in the order of one field of each; empty ones come last."""
    pairs = list(zip(_picked(value, attribute), members(value), strict=True))
    empty = [member for key, member in pairs if is_empty(key)]
    found = [(_folded(key, truth(case_sensitive)), member) for key, member in pairs if not is_empty(key)]
    if not (all(is_number(key) for key, _ in found) or all(type(key) is str for key, _ in found)):
        raise RecordError("wrong-type", "only numbers alone, or texts alone, have an order")
    found.sort(key=lambda pair: pair[0], reverse=truth(reverse))
    return [member for _, member in found] + empty


@filter_(("[3, 1, 2] | reverse", [2, 1, 3]))
def reverse(value: Any) -> list[Any]:
    """The members in the opposite order."""
    return members(value)[::-1]


@filter_(
    ("['a', 'A', 'b'] | unique", ["a", "b"]),
    ("[1, true, 1.0] | unique", [1, True]),
    ("[['a'], ['b'], ['a'], {'p': 1}, {'p': 2}, {'p': 1}] | unique", [["a"], ["b"], {"p": 1}, {"p": 2}]),
    ("[{'p': 1, 'q': 1}, {'p': 1, 'q': 2}] | unique(attribute='p')", [{"p": 1, "q": 1}]),
)
def unique(value: Any, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    """Every member once, in the order in which they come first; upper and lower case are the same."""
    seen: dict[Any, Any] = {}
    for key, member in zip(_picked(value, attribute), members(value), strict=True):
        seen.setdefault(_frozen(_folded(key, truth(case_sensitive))), member)
    return list(seen.values())


@filter_(
    ("[[1, [2]], 3] | flatten", [1, 2, 3]),
    ("{'a': {'b': 1, 'c': {'d': 2}}} | flatten", {"a.b": 1, "a.c.d": 2}),
    ("{'a': {'b': 1}} | flatten('_')", {"a_b": 1}),
    ("{'a': [{'b': 1}]} | flatten", {"a": [{"b": 1}]}),
    ("{'a': [{'b': 1}]} | flatten(lists=true)", {"a.0.b": 1}),
    ("{'a': [{'b': 1}]} | flatten(lists='brackets')", {"a[0].b": 1}),
    ("{'a': [1]} | flatten(lists='dots')", Fails("wrong-type")),
)
def flatten(value: Any, separator: Any = ".", lists: Any = False) -> Any:
    """Lists in a list as one list; objects in an object as one object, their keys joined by the separator.

    Lists within an object stay as they are, unless `lists=true`: then their members are keys by number, with
    `lists='brackets'` as numbers in brackets.
    """
    if type(value) is list:
        return _flat(value)
    if type(value) is not dict:
        return value
    if type(lists) is str and lists != "brackets":
        raise RecordError("wrong-type", "the argument 'lists' is true, false or 'brackets'")
    between, opens = text_argument(separator, "separator"), truth(lists)
    before, after = ("[", "]") if lists == "brackets" else (between, "")
    result: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = list(reversed(value.items()))
    size = 0
    while waiting:
        key, member = waiting.pop()
        if type(member) is dict and member:
            steps, values, form = list(member), list(member.values()), (key, between, "")
        elif opens and type(member) is list and member:
            steps, values, form = list(map(str, range(len(member)))), member, (key, before, after)
        else:
            result[key] = member
            continue
        size += len(steps) * sum(map(len, form)) + sum(map(len, steps))
        if size > MAX_TEXT or len(result) + len(waiting) + len(steps) > MAX_ITEMS:
            raise RecordError("limit", f"an object has more than {MAX_ITEMS:,} keys, or keys that are too long")
        named = [f"{key}{form[1]}{step}{form[2]}" for step in steps]
        waiting += zip(reversed(named), reversed(values), strict=True)
    return result


def _flat(value: list[Any]) -> list[Any]:
    result: list[Any] = []
    waiting = value[::-1]
    while waiting:
        member = waiting.pop()
        if type(member) is list:
            waiting += member[::-1]
        else:
            result.append(member)
        if len(result) + len(waiting) > MAX_ITEMS:
            raise RecordError("limit", f"a list has more than {MAX_ITEMS:,} members")
    return result


def _check_map(given: Mapping[str, Any]) -> str:
    if ("filter" in given) == ("attribute" in given):
        return "it takes the name of a filter, or attribute='key'"
    if given.get("filter") in ("map", "select", "reject", "selectattr", "rejectattr", "lookup"):
        return f"{given['filter']!r} cannot be used for each member; write a loop"
    return known_name(given, "filter", FILTERS, "filter")


@filter_(
    ("[{'sku': 'A'}, {'sku': 'B'}] | map(attribute='sku')", ["A", "B"]),
    ("[{'sku': 'A'}, {}] | map(attribute='sku', default='?')", ["A", "?"]),
    ("[['A', 2], ['B', 1]] | map(attribute=0)", ["A", "B"]),
    ("['a', none] | map('upper')", ["A", None]),
    ("['1', '2'] | map('int') | sum", 3),
    ("['a'] | map('uper')", Fails("bad-argument")),
    literal=frozenset(("filter", "attribute")),
    check=_check_map,
    name="map",
)
def map_(
    value: Any,
    filter: str | None = None,  # noqa: A002
    *arguments: Any,
    attribute: Any = None,
    default: Any = None,
) -> list[Any]:
    """One field of every member, or every member through a filter."""
    if filter is None:
        found = [at_path(member, attribute) for member in members(value)]
        return [default if is_empty(member) else member for member in found]
    spec = FILTERS[filter]
    _wants(spec, len(arguments), f"filter '{filter}'")
    return [
        spec.function(member, *arguments) if spec.takes_empty or not is_empty(member) else member
        for member in members(value)
    ]


def _check_test(given: Mapping[str, Any]) -> str:
    return known_name(given, "test", TESTS, "test")


@filter_(
    ("[0, 1, none, 'a'] | select", [1, "a"]),
    ("[1, 5, 9] | select('gt', 3)", [5, 9]),
    ("[1, 5] | select('grt', 3)", Fails("bad-argument")),
    literal=frozenset(("test",)),
    check=_check_test,
)
def select(value: Any, test: str | None = None, *arguments: Any) -> list[Any]:
    """The members that are true, or that pass a test."""
    passes = _passing(test, arguments)
    return [member for member in members(value) if passes(member)]


@filter_(
    ("[0, 1, 'a'] | reject", [0]), ("[1, 5] | reject('gt', 3)", [1]), literal=frozenset(("test",)), check=_check_test
)
def reject(value: Any, test: str | None = None, *arguments: Any) -> list[Any]:
    """The members that are not true, or that do not pass a test."""
    passes = _passing(test, arguments)
    return [member for member in members(value) if not passes(member)]


@filter_(
    ("[{'q': 2}, {'q': 0}] | selectattr('q')", [{"q": 2}]),
    ("[{'type': 'a', 'n': 1}, {'type': 'b', 'n': 2}] | selectattr('type', 'eq', 'b') | map(attribute='n') | first", 2),
    literal=frozenset(("attribute", "test")),
    check=_check_test,
)
def selectattr(value: Any, attribute: str, test: str | None = None, *arguments: Any) -> list[Any]:
    """The members of which one field is true, or passes a test."""
    passes = _passing(test, arguments)
    return [member for member in members(value) if passes(at_path(member, attribute))]


@filter_(
    ("[{'q': 2}, {'q': 0}] | rejectattr('q')", [{"q": 0}]),
    ("[{'q': 2}, {}] | rejectattr('q', 'defined')", [{}]),
    literal=frozenset(("attribute", "test")),
    check=_check_test,
)
def rejectattr(value: Any, attribute: str, test: str | None = None, *arguments: Any) -> list[Any]:
    """The members of which one field is not true, or does not pass a test."""
    passes = _passing(test, arguments)
    return [member for member in members(value) if not passes(at_path(member, attribute))]


def _passing(name: str | None, arguments: tuple[Any, ...]) -> Callable[[Any], bool]:
    if name is None:
        return truth
    spec = TESTS[name]
    _wants(spec, len(arguments), f"test '{name}'")
    return lambda member: bool(spec.function(member, *arguments))


def _wants(spec: Any, count: int, called: str) -> None:
    positional = [parameter for parameter in spec.parameters if not parameter.named]
    required = sum(parameter.required for parameter in positional)
    if count < required or (count > len(positional) and not spec.many):
        raise RecordError("wrong-type", f"{called} is given {count} arguments and needs {required}")


def _picked(value: Any, attribute: Any) -> list[Any]:
    """The members, or the field of each."""
    found = members(value)
    return found if attribute is None else [at_path(member, attribute) for member in found]


def _folded(key: Any, case_sensitive: bool) -> Any:
    return key.casefold() if type(key) is str and not case_sensitive else key


def _frozen(value: Any, depth: int = 16) -> Any:
    """Something hashable that is equal for equal values only; ``True`` is not 1."""
    if depth == 0:
        raise RecordError("limit", "the members of a list are nested too deep to be compared")
    if type(value) is list:
        return (kind(value), *(_frozen(member, depth - 1) for member in value))
    if type(value) is dict:
        return (kind(value), frozenset((key, _frozen(member, depth - 1)) for key, member in value.items()))
    return (kind(value), value) if not is_empty(value) else None
