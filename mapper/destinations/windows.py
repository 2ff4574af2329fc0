"""How old an event may be, and how durations are written in files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .rules import Condition, Getter

_UNITS: Final[Mapping[str, int]] = {"s": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,9}) ?(s|second|minute|hour|day)s?\Z")


def seconds(text: str) -> int | None:
    """``7 days``, ``48 hours``, ``60 s`` in seconds; None if it is none of the kind."""
    match = _DURATION.match(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


@dataclass(frozen=True, slots=True)
class Fresh:
    """For some events: a time that may be no longer ago than ``within`` seconds."""

    when: tuple[Condition, ...]
    get: Getter
    within: int


@dataclass(frozen=True, slots=True)
class Windows:
    """The limits of an event's age, in seconds.

    max_age   for events to which none of ``cases`` applies; None: no limit
    future    how far ahead of the clock a time may lie
    margin    what a sender keeps back from the limits, because an event ages on its way
    """

    max_age: int | None = None
    cases: tuple[tuple[tuple[Condition, ...], int], ...] = ()
    fresh: tuple[Fresh, ...] = ()
    future: int = 60
    margin: int = 60

    @property
    def always(self) -> float:
        """The age up to which the destination takes every event."""
        limits = [limit for _, limit in self.cases]
        return min(limits if self.max_age is None else [*limits, self.max_age], default=math.inf)

    def of(self, event: Mapping[str, Any]) -> int | None:
        """The documented age up to which the destination takes this event."""
        for when, limit in self.cases:
            if all(condition.holds(event) for condition in when):
                return limit
        return self.max_age

    def end(self, event: Mapping[str, Any], time: Any) -> int | None:
        """The last second at which the destination takes this event, whose time is ``time``."""
        limit = self.of(event)
        ends = [time + limit] if limit is not None and type(time) is int else []
        for fresh in self.fresh:
            since = fresh.get(event)
            if type(since) is int and all(condition.holds(event) for condition in fresh.when):
                ends.append(since + fresh.within)
        return min(ends, default=None)
