"""Records of an input and what they give, in their order: many at once where nobody waits for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..events.program import Program
from ..events.results import Refusal, Result
from .blocks import Mapped, Task
from .source import BLOCK, FAULTS, Block, Input, Line, blocks, lines, lines_of
from .streams import Idle
from .workers import Workers

__all__ = ["Clock", "blocks_mapped", "lines_mapped", "lines_of_block_mapped"]

_AT_ONCE: Final = 256
"""Lines of a file that are mapped together; of a pipe or an iterable each is mapped as it comes."""

Clock = Callable[[], tuple[float, int]]
"""Gives the time in Unix seconds, and the seconds to add to the times of events: a sample has its own."""

_UNKNOWN: Final = Result()
"""Stands where a result belongs that is not there yet."""


def blocks_mapped(
    program: Program,
    one: Input,
    workers: Workers,
    clock: Clock,
    *,
    since: float | None,
    is_touched: Callable[[Block], bool],
) -> Iterator[tuple[Block, Mapped | None]]:
    """Every block of a file with what became of it; None if an earlier run has touched it, so that each line counts."""

    def tasks() -> Iterator[tuple[Block, Task | None]]:
        for block in blocks(one):
            yield block, None if is_touched(block) else Task(*clock(), block, rows=True, since=since)

    return workers.map(tasks())


def lines_of_block_mapped(
    program: Program, block: Block, clock: Clock, is_done: Callable[[int], bool]
) -> Iterator[tuple[Line, Result | None]]:
    """The lines of one block, as ``lines_mapped`` gives them."""
    return _mapped(program, lines_of(block), clock, is_done, _AT_ONCE)


def lines_mapped(
    program: Program, one: Input, clock: Clock, is_done: Callable[[int], bool], idle: Idle
) -> Iterator[tuple[Line, Result | None]]:
    """Every line of an input with its result, or with None if it is blank or done already.

    is_done   whether the line at an offset need not be mapped
    idle      called while nothing comes of an input that somebody is still writing
    raises    what ``lines`` raises
    """
    is_live = one.path is None or one.follow
    return _mapped(program, lines(one, idle if is_live else None), clock, is_done, 1 if is_live else _AT_ONCE)


def _mapped(
    program: Program, given: Iterable[Line], clock: Clock, is_done: Callable[[int], bool], most: int
) -> Iterator[tuple[Line, Result | None]]:
    batch: list[tuple[Line, Result | None]] = []
    wanted: list[bytes] = []
    size = 0
    for line in given:
        result: Result | None = None
        if not is_done(line.offset):
            if line.fault:
                result = Result(problems=(Refusal(line.fault, FAULTS[line.fault]),))
            elif line.data and not line.data.isspace():
                result = _UNKNOWN
                wanted.append(line.data)
        batch.append((line, result))
        size += len(line.data)
        if len(batch) >= most or size >= BLOCK:
            yield from _filled(program, batch, wanted, clock)
            batch, wanted, size = [], [], 0
    yield from _filled(program, batch, wanted, clock)


def _filled(
    program: Program, batch: list[tuple[Line, Result | None]], wanted: list[bytes], clock: Clock
) -> Iterator[tuple[Line, Result | None]]:
    now, shift = clock()
    results = iter(program.map_lines(wanted, now, shift=shift))
    for line, result in batch:
        yield line, next(results) if result is _UNKNOWN else result
