"""Which parameters about the person an event carries: by them a destination finds the person again.

Counted for every event that is made, so it has to cost next to nothing: a set of keys is one number, a bit a key, and
the few sets that occur are remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..destinations.destination import Destination

__all__ = ["MatchKeys"]

_SECTION: Final = "customer"
"""The section of a destination file whose parameters are about the person."""
_MOST: Final = 4096


class MatchKeys:
    """The keys of one destination, in its order.

    parent  the parameter that holds them (``user_data``), or "" if the destination has none
    """

    def __init__(self, destination: Destination) -> None:
        inner = [path for path, field in destination.fields.items() if field.section == _SECTION and "." in path]
        self.parent = inner[0].rpartition(".")[0] if inner else ""
        paths = (path.rpartition(".") for path in inner)
        self.names = tuple(name for parent, _, name in paths if parent == self.parent)
        self._bits = {name: 1 << place for place, name in enumerate(self.names)}
        self._known: dict[tuple[str, ...], int] = {}

    def carried(self, event: Mapping[str, Any]) -> int:
        """The keys that an event carries, a bit each."""
        person = event.get(self.parent)
        if type(person) is not dict:
            return 0
        keys = tuple(person)
        found = self._known.get(keys)
        if found is None:
            found = sum(self._bits.get(key, 0) for key in keys)
            if len(self._known) < _MOST:
                self._known[keys] = found
        return found

    def counts(self, carried: Mapping[tuple[str, int], int]) -> dict[str, dict[str, int]]:
        """How many events of each name carry each key, from how often each set occurred; not those that none has."""
        found: dict[str, dict[str, int]] = {}
        for (event, keys), count in sorted(carried.items()):
            of_event = found.setdefault(event, {})
            for name, bit in self._bits.items():
                if keys & bit:
                    of_event[name] = of_event.get(name, 0) + count
        return {event: {name: of[name] for name in self.names if name in of} for event, of in found.items()}
