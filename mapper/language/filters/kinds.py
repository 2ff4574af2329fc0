"""Tests: what follows ``is``. A test answers yes or no, for an empty value too."""

from __future__ import annotations

from typing import Any

from .. import values
from .registry import as_test, filter_


@as_test(("none is defined", False), ("'' is defined", False), ("0 is defined", True))
def defined(value: Any) -> bool:
    """There is a value: it is not empty."""
    return not values.is_empty(value)


@as_test(("none is undefined", True), ("0 is undefined", False))
def undefined(value: Any) -> bool:
    """The same as `empty`."""
    return values.is_empty(value)


@as_test(("none is empty", True), ("'  ' is empty", True), ("[] is empty", True), ("0 is empty", False))
def empty(value: Any) -> bool:
    """Absent, null, blank text, a list without members or an object without keys."""
    return values.is_empty(value)


@as_test(("none is none", True), ("'' is none", True), ("false is none", False))
def none(value: Any) -> bool:
    """The same as `empty`: absent, null and blank are one thing."""
    return values.is_empty(value)


@as_test(("'5' is string", True), ("5 is string", False))
def string(value: Any) -> bool:
    """Text, even if it is blank."""
    return type(value) is str


@as_test(("5.5 is number", True), ("'5' is number", False), ("true is number", False))
def number(value: Any) -> bool:
    """A number, with or without a fraction."""
    return values.is_number(value)


@as_test(("false is boolean", True), ("0 is boolean", False))
def boolean(value: Any) -> bool:
    """True or false."""
    return type(value) is bool


@as_test(("[] is list", True), ("'abc' is list", False), name="list")
def list_(value: Any) -> bool:
    """A list, even one without members."""
    return type(value) is list


@as_test(("{} is mapping", True), ("[] is mapping", False))
def mapping(value: Any) -> bool:
    """An object, even one without keys."""
    return type(value) is dict


@as_test(("true is true", True), ("1 is true", False), name="true")
def true_(value: Any) -> bool:
    """The boolean true."""
    return value is True


@as_test(("false is false", True), ("none is false", False), name="false")
def false_(value: Any) -> bool:
    """The boolean false."""
    return value is False


@as_test(("4 is even", True), ("none is even", False))
def even(value: Any) -> bool:
    """A whole number that two divides."""
    return type(value) is int and value % 2 == 0


@as_test(("3 is odd", True), ("'3' is odd", False))
def odd(value: Any) -> bool:
    """A whole number that two does not divide."""
    return type(value) is int and value % 2 == 1


@as_test(("'a' is eq('a')", True), ("1 is eq(true)", False))
def eq(value: Any, other: Any) -> bool:
    """Equal, as `==`."""
    return values.eq(value, other)


@as_test(("'a' is ne('b')", True))
def ne(value: Any, other: Any) -> bool:
    """Not equal, as `!=`."""
    return values.ne(value, other)


@as_test(("5 is gt(3)", True), ("none is gt(3)", False))
def gt(value: Any, other: Any) -> bool:
    """Greater than, as `>`."""
    return values.gt(value, other)


@as_test(("5 is ge(5)", True))
def ge(value: Any, other: Any) -> bool:
    """Greater than or equal, as `>=`."""
    return values.ge(value, other)


@as_test(("5 is lt(3)", False))
def lt(value: Any, other: Any) -> bool:
    """Less than, as `<`."""
    return values.lt(value, other)


@as_test(("5 is le(5)", True))
def le(value: Any, other: Any) -> bool:
    """Less than or equal, as `<=`."""
    return values.le(value, other)


@as_test(("'a' is in(['a', 'b'])", True), ("none is in(['a'])", False), name="in")
def in_(value: Any, container: Any) -> bool:
    """A member of a list, a part of a text, a key of an object."""
    return values.contains(container, value)


@as_test(("'internal.ping' startswith 'internal.'", True), ("none is startswith('a')", False))
def startswith(value: Any, text: Any) -> bool:
    """Text that starts with another. It may be written without `is`. Case counts."""
    return type(value) is str and type(text) is str and text != "" and value.startswith(text)


@as_test(("'a@example.com' endswith '.com'", True), ("5 is endswith('5')", False))
def endswith(value: Any, text: Any) -> bool:
    """Text that ends with another. It may be written without `is`. Case counts."""
    return type(value) is str and type(text) is str and text != "" and value.endswith(text)


@as_test(
    ("'summer sale' contains 'sale'", True),
    ("['a', 'b'] contains 'a'", True),
    ("none is contains('a')", False),
    ("5 contains '5'", False),
    ("'5 left' contains 5", False),
)
def contains(value: Any, item: Any) -> bool:
    """Text with another in it, a list with a member, an object with a key. It may be written without `is`."""
    if type(value) is str or type(value) is dict:
        return type(item) is str and values.contains(value, item)
    return type(value) is list and values.contains(value, item)


@filter_(("'summer sale' | contains('sale')", True), ("['a'] | contains('b')", False), name="contains")
def contains_(value: Any, item: Any) -> bool:
    """Whether a text has another in it, a list a member, an object a key. In conditions write it as a test."""
    return values.contains(value, item)
