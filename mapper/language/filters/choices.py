"""Stand-ins for what is empty, look-ups, and time as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..scope import Table
from ..values import Context, is_empty, truth
from .registry import Fails, filter_, function


def _check_boolean(given: Mapping[str, Any]) -> str:
    return "" if type(given.get("boolean", False)) is bool else "'boolean' is true or false"


@filter_(
    ("none | default('website')", "website"),
    ("'' | default('website')", "website"),
    ("' ' | default('website')", "website"),
    ("0 | default(5)", 0),
    ("false | default(true)", False),
    ("0 | default(5, true)", 5),
    ("'a' | default('b', 'yes')", Fails("bad-argument")),
    takes_empty=True,
    first_filled=True,
    literal=frozenset(("boolean",)),
    check=_check_boolean,
)
def default(value: Any, otherwise: Any, boolean: bool = False) -> Any:
    """Stand in for a value that is empty. Zero and false are values and stay.

    As in Jinja, `default(otherwise, true)` stands in for zero and false, too, as `or` does.
    """
    return otherwise if (not truth(value) if boolean else is_empty(value)) else value


@filter_(
    ("none | coalesce('', 'guest')", "guest"),
    ("0 | coalesce(5)", 0),
    name="coalesce",
    takes_empty=True,
    first_filled=True,
)
def coalesced(value: Any, *others: Any) -> Any:
    """The value, or if it is empty the first of the others that is not."""
    return coalesce(value, *others)


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
