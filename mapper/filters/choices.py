"""Stand-ins for what is empty, look-ups, and time as it is now."""

from __future__ import annotations

from typing import Any

from ..scope import Table
from ..values import Context, is_empty
from .registry import filter_, function


@filter_(
    ("none | default('website')", "website"),
    ("'' | default('website')", "website"),
    ("' ' | default('website')", "website"),
    ("0 | default(5)", 0),
    ("false | default(true)", False),
    takes_empty=True,
    first_filled=True,
)
def default(value: Any, otherwise: Any) -> Any:
    """Stand in for a value that is empty. Zero and false are values and stay."""
    return otherwise if is_empty(value) else value


@function(
    ("coalesce(none, '', 'guest')", "guest"),
    ("coalesce(0, 5)", 0),
    ("coalesce(none, none)", None),
    first_filled=True,
)
def coalesce(*values: Any) -> Any:
    """The first value that is not empty."""
    return next((value for value in values if not is_empty(value)), None)


@filter_(literal=frozenset(("table",)))
def lookup(value: Any, table: Table) -> Any:
    """What stands behind a key in one of the mapping's `tables:`. A miss is empty, or the table's default."""
    return table.get(value)


@function(needs_context=True)
def now(context: Context) -> int:
    """The current time in whole Unix seconds: the same for everything that is made of one record."""
    return int(context.now)
