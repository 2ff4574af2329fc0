"""What a sender has taken and not settled."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from .items import Item, Outcome
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

    waiting      events that are on no way yet, since when, and whether they are to go without waiting for more
    in_flight    how many are on their way
    unsettled    of each event that is not settled, by its identity
    """

    waiting: deque[Item] = field(default_factory=deque)
    since: float = 0.0
    is_flushed: bool = False
    in_flight: int = 0
    unsettled: dict[int, Unsettled] = field(default_factory=dict)

    def add(self, group: Group, items: Sequence[tuple[Item, Receipt | None]], places: Iterable[int]) -> None:
        """Events that wait for their turn. ``places``: their numbers in the group's stretch."""
        if not self.waiting:
            self.since = time.monotonic()
        for place, (item, receipt) in zip(places, items, strict=True):
            self.waiting.append(item)
            self.unsettled[id(item)] = Unsettled(group, place, receipt)

    def is_due(self, size: int, max_wait: float) -> bool:
        """Whether a batch is to be sent: it is full, or has waited long enough, or nobody wants to wait."""
        if not self.waiting:
            return False
        return len(self.waiting) >= size or self.is_flushed or self.patience(max_wait) == 0.0

    def patience(self, max_wait: float) -> float | None:
        """Seconds for which what waits can wait on; None if nothing does."""
        return max(0.0, self.since + max_wait - time.monotonic()) if self.waiting else None

    def next_batch(self, size: int) -> list[Item]:
        """The events that have waited longest; from now on they are on their way."""
        batch = [self.waiting.popleft() for _ in range(min(size, len(self.waiting)))]
        self.since = time.monotonic()
        self.is_flushed = self.is_flushed and bool(self.waiting)
        self.in_flight += len(batch)
        return batch

    def group(self, item: Item) -> Group:
        """The group of an event that is not settled."""
        return self.unsettled[id(item)].group

    def take_back(self, outcome: Outcome) -> None:
        """What is pending waits for another time; what may have arrived too long ago waits for somebody to decide."""
        held = set(map(id, outcome.held))
        for item in outcome.held:
            known = self.unsettled.pop(id(item))
            if known.receipt is not None:
                known.receipt.close()
        first = {id(item): moment for item, moment in outcome.unclear}
        again: list[Item] = []
        for item in outcome.pending:
            if id(item) in held:
                continue
            if id(item) in first:
                known = self.unsettled.pop(id(item))
                item = replace(item, origin=replace(item.origin, first_sent=first[id(item)]))
                self.unsettled[id(item)] = known
            again.append(item)
        if again:
            self.waiting.extendleft(reversed(again))
            self.since = time.monotonic()

    def close(self) -> None:
        """Nothing more becomes of what is not settled: whoever waits for it is told."""
        for known in self.unsettled.values():
            if known.receipt is not None:
                known.receipt.close()
