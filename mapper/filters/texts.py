"""Filters for text."""

from __future__ import annotations

from typing import Any

from ..values import text
from .registry import Fails, filter_


def as_text(value: Any) -> str:
    """A text as it is, a number as its digits; anything else is an error."""
    return value if type(value) is str else text(value)


@filter_(
    ("'ADA@Example.COM' | lower", "ada@example.com"),
    ("none | lower", None),
    ("[1] | lower", Fails("wrong-type")),
)
def lower(value: Any) -> str:
    """Text in lower case."""
    return value.lower() if type(value) is str else text(value).lower()


@filter_(("'eur' | upper", "EUR"), ("none | upper", None))
def upper(value: Any) -> str:
    """Text in upper case."""
    return as_text(value).upper()


@filter_(("'  Ada ' | trim", "Ada"), ("none | trim", None))
def trim(value: Any) -> str:
    """Text without white space at its ends."""
    return as_text(value).strip()
