"""A stretch of an input on its way, and what of it is settled when not all of it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..destinations.answers import Answer
from ..events.results import Refusal
from ..records.source import Line
from .items import Item, Outcome
from .stretches import Repeated, Stretch


@dataclass(slots=True)
class Job:
    """A stretch of an input on its way: it is settled when all its events are, and only then are its refusals kept.

    size      bytes of its events; ``held``: of the records that they are kept with until they are settled
    unclear   pending items that may have arrived, with the moment of the first such attempt
    repeated  accepted items that may have been accepted before
    kept      for what cannot be read again: the place of each item in the journal
    """

    path: Path | None
    file: int | None
    start: int = 0
    end: int = 0
    lines: int = 0
    size: int = 0
    held: int = 0
    mark: str = ""
    since: float = 0.0
    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Line, Sequence[Refusal]]] = field(default_factory=list)
    rejected: list[tuple[Item, Answer]] = field(default_factory=list)
    pending: list[Item] = field(default_factory=list)
    unclear: list[tuple[Item, float]] = field(default_factory=list)
    repeated: list[Item] = field(default_factory=list)
    kept: dict[int, int] = field(default_factory=dict)
    parts: int = 0
    is_replay: bool = False

    @property
    def stretch(self) -> Stretch:
        return Stretch(self.start, self.end, self.lines, self.mark)

    def follows(self) -> Job:
        """The stretch after this one."""
        return Job(self.path, self.file, self.end, self.end, is_replay=self.is_replay)

    def take(self, outcome: Outcome) -> None:
        """What became of some of its items."""
        self.rejected += outcome.rejected
        self.pending += outcome.pending
        self.unclear += outcome.unclear
        self.repeated += outcome.repeated

    def settled_places(self) -> list[int]:
        """The places in the journal of the items that are not pending."""
        pending = set(map(id, self.pending))
        return [self.kept[place] for place, item in enumerate(self.items) if id(item) not in pending]

    def settled_lines(self) -> dict[int, Line]:
        """The lines that gave events of which none is pending, by their offset."""
        waiting = {item.origin.line.offset for item in self.pending}
        lines = {item.origin.line.offset: item.origin.line for item in self.items}
        return {offset: line for offset, line in sorted(lines.items()) if offset not in waiting}

    def unclear_lines(self, now: float) -> list[tuple[Stretch, float]]:
        """Lines with pending events of which some event has arrived or may have, with the moment of the first."""
        waiting = {item.origin.line.offset for item in self.pending}
        pending = set(map(id, self.pending))
        first = dict[int, float]()
        for item, moment in [(item, now) for item in self.items if id(item) not in pending] + self.unclear:
            offset = item.origin.line.offset
            if offset in waiting:
                first[offset] = min(moment, first.get(offset, moment))
        lines = {item.origin.line.offset: item.origin.line for item in self.items}
        return [(stretch, first[stretch.start]) for stretch in _alike(lines, first)]

    def maybe_twice(self) -> list[Repeated]:
        """The lines whose events may have been accepted twice; those that follow one another as one."""
        found: list[Repeated] = []
        lines = {item.origin.line.number: item.origin.line for item in self.repeated}
        for number, line in sorted(lines.items()):
            if found and found[-1].last == number - 1:
                before = found.pop()
                found.append(Repeated(before.start, before.line, number))
            else:
                found.append(Repeated(line.offset, number, number))
        return found

    def only(self, lines: dict[int, Line]) -> None:
        """Forget what is to be said of other lines."""
        self.refused = [one for one in self.refused if one[0].offset in lines]
        self.rejected = [one for one in self.rejected if one[0].origin.line.offset in lines]


def _alike(lines: dict[int, Line], first: dict[int, float]) -> list[Stretch]:
    """The stretches of lines that follow one another and have the same moment."""
    found: list[Stretch] = []
    for offset in sorted(first):
        line = lines[offset]
        if found and found[-1].end == offset and first[found[-1].start] == first[offset]:
            before = found.pop()
            found.append(Stretch(before.start, line.end, before.lines + 1))
        else:
            found.append(Stretch(offset, line.end, 1))
    return found


def joined(lines: Iterable[Line]) -> list[Stretch]:
    """The stretches of lines in order: those that follow one another are one."""
    found: list[Stretch] = []
    for line in lines:
        if found and found[-1].end == line.offset:
            before = found.pop()
            found.append(Stretch(before.start, line.end, before.lines + 1))
        else:
            found.append(Stretch(line.offset, line.end, 1))
    return found
