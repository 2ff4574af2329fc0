"""Filters for numbers: conversion that is asked for and can fail, rounding, sums."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from ...errors import RecordError
from ..values import add as plus
from ..values import is_empty, is_number, kind
from .arguments import at_path, members, whole_argument
from .registry import NOT_GIVEN, Fails, filter_

_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_MAX_DIGITS: Final = 300
_TRUE: Final = frozenset(("true", "yes", "on", "1"))
_FALSE: Final = frozenset(("false", "no", "off", "0"))


@filter_(
    ("'42' | int", 42),
    ("'42.9' | int", 42),
    ("-1.5 | int", -1),
    ("'1e5' | int", Fails("not-a-number")),
    ("'12 pieces' | int", Fails("not-a-number")),
    ("'n/a' | int(default=0)", 0),
    ("none | int(0)", None),
    name="int",
)
def int_(value: Any, default: Any = NOT_GIVEN) -> Any:
    """A whole number; a fraction is cut off.

    Text must be a plain decimal number, such as `42` or `-3.5`: no exponent, no thousands separator. Any
    other text stops the event, or gives `default`. An empty value stays empty.
    """
    if type(value) is int:
        return value
    number = _number(value, default)
    if type(number) is float and number is not default:
        return int(number)
    return number


@filter_(
    ("'19.90' | float", 19.9),
    ("5 | float", 5.0),
    ("'19,90' | float", Fails("not-a-number")),
    ("'free' | float(default=none)", None),
    name="float",
)
def float_(value: Any, default: Any = NOT_GIVEN) -> Any:
    """A number with a fraction. Text is read as by `int`; a decimal comma needs `replace(',', '.')` first."""
    number = _number(value, default)
    if type(number) is not int or number is default:
        return number
    try:
        return float(number)
    except OverflowError:
        raise RecordError("limit", "a number is too large") from None


def _number(value: Any, default: Any) -> Any:
    if is_number(value):
        return value
    if type(value) is bool:
        return int(value)
    if type(value) is str and len(value) <= _MAX_DIGITS:
        written = value.strip()
        if _PLAIN.fullmatch(written):
            return float(written) if "." in written else int(written)
    if default is not NOT_GIVEN:
        return default
    if type(value) is str:
        raise RecordError("not-a-number", "the text is no plain number")
    raise RecordError("wrong-type", f"{kind(value)} is no number")


@filter_(
    ("'yes' | bool", True),
    ("'False' | bool", False),
    ("0 | bool", False),
    ("'maybe' | bool", Fails("not-a-boolean")),
    ("'maybe' | bool(false)", False),
    name="bool",
)
def bool_(value: Any, default: Any = NOT_GIVEN) -> Any:
    """True or false, from `true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0` in any case; else an error."""
    if type(value) is bool:
        return value
    word = value.strip().lower() if type(value) is str else value
    if (type(word) is str and word in _TRUE) or (is_number(word) and word == 1):
        return True
    if (type(word) is str and word in _FALSE) or (is_number(word) and word == 0):
        return False
    if default is not NOT_GIVEN:
        return default
    raise RecordError("not-a-boolean", f"{kind(value)} was found that means neither true nor false")


@filter_(
    ("42.55 | round(1)", 42.5),
    ("42.5 | round", 42.0),
    ("43.5 | round", 44.0),
    ("42.1 | round(method='ceil')", 43.0),
    ("42.19 | round(1, 'floor')", 42.1),
    ("'42.5' | round", Fails("wrong-type")),
    name="round",
    check=lambda given: (
        "" if given.get("method", "common") in ("common", "ceil", "floor") else "no such method of rounding"
    ),
)
def round_(value: Any, digits: Any = 0, method: Any = "common") -> Any:
    """Round to a number of digits: `common`, up with `ceil`, down with `floor`.

    As in Jinja, `common` takes the nearest; a tie goes to the even digit, and a number that cannot be
    written exactly in binary (42.55) is not a tie. A number with a fraction stays one: `42.5 | round` is
    `42.0`; add `| int` for 42.
    """
    number = _checked(value)
    places = whole_argument(digits, "digits")
    if not -30 <= places <= 30:
        raise RecordError("limit", "numbers are rounded to 30 digits at most")
    if method == "common":
        return round(number, places)
    if method not in ("ceil", "floor"):
        raise RecordError("wrong-type", "the argument 'method' is 'common', 'ceil' or 'floor'")
    scale = 10.0**places
    try:
        return (math.ceil if method == "ceil" else math.floor)(number * scale) / scale
    except OverflowError:
        raise RecordError("limit", "a number is too large to be rounded") from None


@filter_(("-5 | abs", 5), ("none | abs", None), name="abs")
def abs_(value: Any) -> Any:
    """The number without its sign."""
    return abs(_checked(value))


@filter_(
    ("[1, 2.5, none] | sum", 3.5),
    ("[{'q': 2, 'p': 5}, {'q': 1, 'p': 3}] | sum(attribute='q')", 3),
    ("[] | sum", []),
    ("['1'] | sum", Fails("wrong-type")),
    name="sum",
)
def sum_(value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """The numbers of a list, or of one field of its members, added up. Empty members are passed over."""
    total = start
    numbers = _present(value, attribute)
    if any(type(number) is float for number in numbers) and all(map(is_number, [start, *numbers])):
        try:
            return math.fsum([start, *numbers])
        except OverflowError:
            raise RecordError("limit", "a number becomes too large") from None
    for number in numbers:
        total = plus(total, _checked(number))
    return total


@filter_(("[3, 1, none] | min", 1), ("[{'p': 3}, {'p': 2}] | min(attribute='p')", 2), name="min")
def min_(value: Any, attribute: Any = None) -> Any:
    """The smallest number (or the first text in order) of a list, or of one field of its members."""
    return min(_alike(_present(value, attribute)), default=None)


@filter_(("[3, 1, none] | max", 3), ("['a', 1] | max", Fails("wrong-type")), name="max")
def max_(value: Any, attribute: Any = None) -> Any:
    """The largest number (or the last text in order) of a list, or of one field of its members."""
    return max(_alike(_present(value, attribute)), default=None)


def _present(value: Any, attribute: Any) -> list[Any]:
    found = members(value)
    if attribute is not None:
        found = [at_path(member, attribute) for member in found]
    return [member for member in found if not is_empty(member)]


def _alike(found: list[Any]) -> list[Any]:
    if all(map(is_number, found)) or all(type(member) is str for member in found):
        return found
    raise RecordError("wrong-type", "only numbers alone, or texts alone, have an order")


def _checked(value: Any) -> Any:
    if is_number(value):
        return value
    hint = "; convert text with | int or | float" if type(value) is str else ""
    raise RecordError("wrong-type", f"{kind(value)} was found where a number is needed{hint}")
