"""How many events of each name came within the last minute."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

SPAN: Final = 60
"""Seconds that are looked back."""

_MOST_NAMES: Final = 200
"""Names that are told apart within a second; those beyond have no rate."""


class Rates:
    """Counts the events of each name, second by second; what is older than ``SPAN`` is forgotten."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, Counter[str]]] = deque()

    def add(self, at: float, counts: Mapping[str, int]) -> None:
        """Events that came at a time, in Unix seconds, by name."""
        second = int(at)
        if not self._seconds or second > self._seconds[-1][0]:
            self._seconds.append((second, Counter()))
            self._forget(at)
        found = self._seconds[-1][1]
        for name, count in counts.items():
            if name in found or len(found) < _MOST_NAMES:
                found[name] += count

    def of(self, now: float) -> Counter[str]:
        """The events within the last ``SPAN`` seconds, by name."""
        self._forget(now)
        return sum((counts for _, counts in self._seconds), Counter())

    def clear(self) -> None:
        self._seconds.clear()

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - SPAN:
            self._seconds.popleft()
