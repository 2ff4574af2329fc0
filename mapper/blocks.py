"""Many lines at once: what is given to a worker, and what it gives back.

A block is some whole lines of one input. What became of it is put together where it is mapped: the bytes of all
events, the counts, and apart from them only the lines of which there is something to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from .program import Program
from .results import Dropped, Refusal, Result
from .source import FAULTS, Block, Line

__all__ = ["Mapped", "MappedLines", "Odd", "Task", "perform"]


class Task(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A block to map or, if there is none, lines; the other arguments are those of ``Program.map``."""

    now: float
    shift: int
    block: Block | None = None
    lines: Sequence[bytes] = ()


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

    output     all events as JSON lines, in the order of the records
    ignored    records that gave no event on purpose, by reason
    carried    how many events of each name carry which parameters about the person: see ``MatchKeys``
    limited    how many events are sent with limited data use
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


class MappedLines(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One result a line."""

    results: list[Result]


def perform(program: Program, task: Task) -> Mapped | MappedLines:
    """Map what a task holds."""
    if task.block is None:
        return MappedLines(list(program.map_lines(task.lines, task.now, shift=task.shift)))
    return _mapped(program, task.block, task)


def _mapped(program: Program, block: Block, task: Task) -> Mapped:
    if block.fault:
        refusal = Refusal(block.fault, FAULTS[block.fault])
        return Mapped(b"", 1, 0, 0, 1, {}, [], 0, [Odd(block.number, 0, 0, (refusal,), ())])
    lines = block.data.split(b"\n")
    filled = [line for line in lines if line and not line.isspace()]
    results = program.map_lines(filled, task.now, shift=task.shift)
    output: list[bytes] = []
    ignored: Counter[str] = Counter()
    carried: Counter[tuple[str, int]] = Counter()
    odd: list[Odd] = []
    blank = mapped = dead = limited = start = 0
    for number, line in enumerate(lines, block.number):
        if line and not line.isspace():
            result = next(results)
            if result.events:
                mapped += 1
                for event in result.events:
                    output.append(event.encoded)
                    carried[event.name, event.carries] += 1
                    limited += event.limited
            elif result.problems:
                dead += 1
            else:
                ignored[result.reason] += 1
            if result.problems or result.warnings:
                end = start + len(line.removesuffix(b"\r"))
                odd.append(Odd(number, start, end, result.problems, result.warnings))
        elif start < len(block.data):
            blank += 1
        start += len(line) + 1
    output.append(b"")
    counts = [(*of, count) for of, count in carried.items()]
    return Mapped(b"\n".join(output), len(filled), blank, mapped, dead, ignored, counts, limited, odd)
