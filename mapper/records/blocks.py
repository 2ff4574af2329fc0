"""Many lines at once: what is given to a worker, and what it gives back.

A block is some whole lines of one input. What became of it is put together where it is mapped: the bytes of all
events, the counts, and apart from them only the lines of which there is something to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from ..events.program import Program
from ..events.results import Dropped, Event, Refusal, Result
from .source import FAULTS, Block, Line

__all__ = ["Mapped", "Odd", "Row", "Task", "perform"]


class Task(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A block to map; ``now`` and ``shift`` are those of ``Program.map``.

    rows    whether events are wanted one by one, and not as lines of JSON
    since   events that happened before this moment (Unix seconds) are left out
    """

    now: float
    shift: int
    block: Block
    rows: bool = False
    since: float | None = None


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One event, and where its line stands.

    of       the place of its name and of the mapping's name for it in ``Mapped.names``
    nth      how many lines of the block before its own are not blank
    number   how many lines there are before it
    start    where its line begins in the block; ``end``: where it ends; ``after``: where the next one begins
    """

    encoded: bytes
    expires: int | None
    time: int | None
    of: int
    nth: int
    number: int
    start: int
    end: int
    after: int


class Odd(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A line with refusals or warnings: its number in its file, its place in its block, and those."""

    number: int
    start: int
    end: int
    problems: Sequence[Refusal]
    warnings: Sequence[Dropped]

    def line(self, block: Block) -> Line:
        """The line itself."""
        return Line(block.file, self.number, block.offset + self.start, block.data[self.start : self.end], block.fault)


class Mapped(msgspec.Struct, gc=False, array_like=True):
    """What became of a block: records read = mapped + dead + those ignored.

    output     all events as JSON lines, in the order of the records; or else they are in ``rows``
    ignored    records that gave no event on purpose, by reason
    carried    how many events of each name carry which parameters about the person: see ``MatchKeys``
    limited    how many events are sent with limited data use
    names      the names of events, as the destination sees them and as the mapping calls them
    """

    output: bytes
    read: int
    blank: int
    mapped: int
    dead: int
    ignored: dict[str, int]
    carried: list[tuple[str, int, int]]
    limited: int
    odd: list[Odd]
    rows: list[Row]
    names: list[tuple[str, str]]


def perform(program: Program, task: Task) -> Mapped:
    """Map what a task holds."""
    block = task.block
    if block.fault:
        refusal = Refusal(block.fault, FAULTS[block.fault])
        return Mapped(b"", 1, 0, 0, 1, {}, [], 0, [Odd(block.number, 0, 0, (refusal,), ())], [], [])
    lines = block.data.split(b"\n")
    filled = [line for line in lines if line and not line.isspace()]
    taking = _Taking(task)
    results = program.map_lines(filled, task.now, shift=task.shift)
    start = blank = 0
    last = len(block.data)
    for place, line in enumerate(lines):
        if line and not line.isspace():
            taking.take(next(results), line, place, start)
        elif start < last:
            blank += 1
        start += len(line) + 1
    return taking.taken(len(filled), blank)


class _Taking:
    """Puts together what the lines of a block give."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._output: list[bytes] = []
        self._ignored: Counter[str] = Counter()
        self._carried: dict[tuple[str, int], int] = {}
        self._odd: list[Odd] = []
        self._rows: list[Row] = []
        self._names: dict[tuple[str, str], int] = {}
        self._mapped = self._dead = self._limited = self._nth = 0

    def take(self, result: Result, line: bytes, place: int, start: int) -> None:
        """What a line gives, which stands at a place of the block."""
        events = result.events
        if self._task.since is not None:
            events = [one for one in events if one.time is None or one.time >= self._task.since]
        if events:
            self._mapped += 1
            carried = self._carried
            for event in events:
                of = event.name, event.carries
                carried[of] = carried.get(of, 0) + 1
                if event.limited:
                    self._limited += 1
                if self._task.rows:
                    self._rows.append(self._row(event, line, place, start))
                else:
                    self._output.append(event.encoded)
        elif result.problems:
            self._dead += 1
        else:
            self._ignored[result.reason or "since"] += 1
        if result.problems or result.warnings:
            end = start + len(line.removesuffix(b"\r"))
            self._odd.append(Odd(self._task.block.number + place, start, end, result.problems, result.warnings))
        self._nth += 1

    def _row(self, event: Event, line: bytes, place: int, start: int) -> Row:
        name = event.name, event.key
        of = self._names.get(name)
        if of is None:
            of = self._names[name] = len(self._names)
        after = start + len(line)
        end = after - (line[-1:] == b"\r")
        after = min(after + 1, len(self._task.block.data))
        return Row(event.encoded, event.expires, event.time, of, self._nth, place, start, end, after)

    def taken(self, read: int, blank: int) -> Mapped:
        """All of it."""
        output = b"\n".join([*self._output, b""])
        carried = [(*of, count) for of, count in self._carried.items()]
        counts = self._mapped, self._dead, dict(self._ignored), carried, self._limited
        return Mapped(output, read, blank, *counts, self._odd, self._rows, list(self._names))
