"""Counts of the events that are stored, by everything the page groups and filters by.

The counts follow every change of the store, so that showing them costs the same for ten events and for a million.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from .judging import MATCH_KEYS

MOST_NAMES: Final = 100
MOST_CODES: Final = 50


class Facet(NamedTuple):
    """What one event counts under."""

    source: str
    verdict: str
    name: str
    merged: str
    test_code: str
    rule: str
    keys: int
    warned: bool


FACET_COLUMNS: Final = "source, verdict, name, merged, test_code, rule, keys, warned > 0"


class Cube:
    """How many events there are of each facet."""

    def __init__(self) -> None:
        self._counts: Counter[Facet] = Counter()

    def add(self, facet: Facet, number: int = 1) -> None:
        count = self._counts[facet] + number
        if count:
            self._counts[facet] = count
        else:
            del self._counts[facet]

    def load(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows of ``FACET_COLUMNS`` and a number."""
        for *facet, number in rows:
            self.add(facet_of(facet), number)

    def unload(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take such rows away."""
        for *facet, number in rows:
            self.add(facet_of(facet), -number)

    def clear(self) -> None:
        self._counts.clear()

    def verdicts(self) -> Counter[str]:
        """Events by verdict, the pixel's copies apart as ``pixel``, and server events that were merged away."""
        found: Counter[str] = Counter()
        for facet, number in self._counts.items():
            found["pixel" if facet.source == "pixel" else facet.verdict] += number
            if facet.merged:
                found[facet.merged] += number
            if facet.warned and facet.verdict == "accepted":
                found["warned"] += number
        return found

    def names(self) -> list[dict[str, Any]]:
        """By event name: verdicts, copies, and how many of the server's events carry each match key; most first."""
        by_name: dict[str, dict[str, Any]] = {}
        for facet, number in self._counts.items():
            entry = by_name.setdefault(
                facet.name,
                {
                    "name": facet.name,
                    "accepted": 0,
                    "refused": 0,
                    "held": 0,
                    "pixel": 0,
                    "merged": 0,
                    "keys": Counter(),
                },
            )
            entry["pixel" if facet.source == "pixel" else facet.verdict] += number
            entry["merged"] += number if facet.merged in ("kept", "dropped") and facet.source == "server" else 0
            if facet.source == "server" and facet.verdict == "accepted":
                for place, key in enumerate(MATCH_KEYS):
                    if facet.keys >> place & 1:
                        entry["keys"][key] += number
        order = sorted(by_name.values(), key=lambda one: -(one["accepted"] + one["refused"] + one["held"]))
        return order[:MOST_NAMES]

    def rules(self) -> list[tuple[str, int]]:
        """The rules for which events were refused, with their numbers."""
        return self._by("rule")

    def test_codes(self) -> list[tuple[str, int]]:
        """The test codes that events came with, with their numbers."""
        return self._by("test_code")[:MOST_CODES]

    def _by(self, attribute: str) -> list[tuple[str, int]]:
        found: Counter[str] = Counter()
        for facet, number in self._counts.items():
            if value := getattr(facet, attribute):
                found[value] += number
        return found.most_common()


def facet_of(values: Iterable[Any]) -> Facet:
    """A facet from values in the order of ``FACET_COLUMNS``."""
    facet = Facet(*values)
    return facet._replace(warned=bool(facet.warned))
