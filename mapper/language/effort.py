"""How much the expressions of one record may do.

Every text, list and loop has a bound of its own (see ``values``), but a mapping can have thousands of expressions and a
record thousands of items, and each may look at a text of a megabyte. What costs noticeable time or memory is therefore
added up while a record is mapped. The sum is the same on every machine, so a record either always fails or never.

The unit is what looking at one character takes, some nanoseconds; a member of a list counts as ``MEMBER`` of them. What
is small is not counted, because counting would take longer than the work itself.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from ..errors import RecordError

MOST: Final = 50_000_000
"""Units for one record: a second or two, and tens of megabytes."""

LARGE: Final = 1_024
"""Characters from which on a text counts."""

MANY: Final = 64
"""Members from which on a list or an object counts."""

MEMBER: Final = 20


class _Left(threading.local):
    """What is left for the record that a thread is mapping."""

    units = MOST


_left: Final = _Left()


def renew() -> None:
    """Another record: all may be spent again."""
    _left.units = MOST


def spend(units: int) -> None:
    """Count some work.

    raises  RecordError "limit" once a record has had its share
    """
    _left.units -= units
    if _left.units < 0:
        raise RecordError("limit", "the expressions of one record would have too much to do")


def weigh(value: Any) -> None:
    """Count all that a value holds, before it is written down: a text may stand in it ten thousand times."""
    waiting, units = [value], 0
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            units += len(one)
        elif type(one) is dict:
            units += MEMBER * (len(one) + 1)
            waiting += one.values()
        elif type(one) is list:
            units += MEMBER * (len(one) + 1)
            waiting += one
        if units > _left.units:
            break
    spend(units)


def spend_on(value: Any, times: int = 1) -> None:
    """Count looking at a text, a list or an object as a whole, ``times`` over."""
    size = len(value)
    if type(value) is str:
        if size > LARGE:
            spend(size * times)
    elif size > MANY:
        spend(size * times * MEMBER)
