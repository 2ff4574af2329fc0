"""Events on their way to a destination, and what becomes of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ..destinations.answers import Answer
from ..records.source import Line

PENDING_LATER: Final = 3
PENDING_PERSON: Final = 4
INTERNAL: Final = 70
PATIENCE: Final = 900.0
WINDOW: Final = 44 * 3600
"""Seconds for which a destination is taken to drop copies unless it is known better: see ``Destination.memory``."""

INTERRUPTED: Final = "interrupted"
"""The reason of an answer that was never asked for, because the run is to end."""
DECIDED: Final = math.inf
"""In place of the moment at which something may first have arrived: somebody decided since that it is sent again."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an event comes from.

    line        the record's line; without data if it is not there any more
    name        the event's name as the destination sees it
    key         the mapping's name for it
    time        when it happened, Unix seconds
    first_sent  when an attempt to send it ended without a clear answer, Unix seconds; None if it cannot have arrived,
                ``DECIDED`` if it may have, and is to be sent again all the same
    """

    line: Line
    name: str = ""
    key: str = ""
    time: int | None = None
    first_sent: float | None = None


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event on its way: its bytes, the last second at which it is taken, and where it comes from."""

    encoded: bytes
    expires: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing more can be sent, and the exit code that says so."""

    answer: Answer
    exit_code: int


@dataclass(slots=True)
class Outcome:
    """What became of a batch: every item is in exactly one of accepted, rejected and pending.

    unclear    pending items that may have arrived, with the moment of the first such attempt
    held       pending items of which that is too long ago: they are not sent again before somebody decides
    repeated   accepted items that may have been accepted before
    halvings   requests that were split because they were refused
    size       bytes of the events of all requests
    waited     seconds, by the reason why the destination wanted them
    answers    how often each answer came: its meaning and its code
    """

    accepted: list[Item] = field(default_factory=list)
    rejected: list[tuple[Item, Answer]] = field(default_factory=list)
    pending: list[Item] = field(default_factory=list)
    unclear: list[tuple[Item, float]] = field(default_factory=list)
    held: list[Item] = field(default_factory=list)
    repeated: list[Item] = field(default_factory=list)
    stop: Stop | None = None
    requests: int = 0
    retries: int = 0
    messages: set[str] = field(default_factory=set)
    halvings: int = 0
    size: int = 0
    waited: dict[str, float] = field(default_factory=dict)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
