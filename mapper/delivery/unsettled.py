"""What a sender has taken and not settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .delivery import Item
from .receipts import Receipt
from .stretches import Stretch


@dataclass(slots=True)
class Group:
    """Records that were handed over together: in the journal one stretch, which is settled when all its events are."""

    file: int
    stretch: Stretch
    left: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What belongs to an event that is not settled."""

    group: Group
    place: int
    receipt: Receipt | None


@dataclass(slots=True)
class Open:
    """What the sender has taken and not settled; guarded by its lock.

    waiting   events that are on no way yet, since when, and whether they are to go without waiting for more
    unsettled    of each event that is not settled, by its identity
    """

    waiting: deque[Item] = field(default_factory=deque)
    since: float = 0.0
    is_flushed: bool = False
    in_flight: int = 0
    unsettled: dict[int, Unsettled] = field(default_factory=dict)
