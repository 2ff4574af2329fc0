"""Tests: what follows ``is``. A test answers yes or no, for an empty value too."""

from __future__ import annotations

from typing import Any

from .. import values
from .registry import test


@test(("none is defined", False), ("'' is defined", False), ("0 is defined", True))
def defined(value: Any) -> bool:
    """There is a value: it is not empty."""
    return not values.is_empty(value)


@test(("none is empty", True), ("'  ' is empty", True), ("[] is empty", True), ("0 is empty", False))
def empty(value: Any) -> bool:
    """Absent, null, blank text, a list without members or an object without keys."""
    return values.is_empty(value)


@test(("none is none", True), ("'' is none", True), ("false is none", False))
def none(value: Any) -> bool:
    """The same as `empty`: absent, null and blank are one thing."""
    return values.is_empty(value)


@test(("'internal.ping' startswith 'internal.'", True), ("none is startswith('a')", False))
def startswith(value: Any, text: Any) -> bool:
    """Text that starts with another. It may be written without `is`. Case counts."""
    return type(value) is str and type(text) is str and not values.is_empty(text) and value.startswith(text)


@test(("'a@example.com' endswith '.com'", True), ("5 is endswith('5')", False))
def endswith(value: Any, text: Any) -> bool:
    """Text that ends with another. It may be written without `is`. Case counts."""
    return type(value) is str and type(text) is str and not values.is_empty(text) and value.endswith(text)


@test(
    ("'summer sale' contains 'sale'", True),
    ("['a', 'b'] contains 'a'", True),
    ("none is contains('a')", False),
)
def contains(value: Any, item: Any) -> bool:
    """Text with another in it, a list with a member, an object with a key. It may be written without `is`."""
    return values.contains(value, item)
