"""Records of an input and what they give, in their order: many at once where nobody waits for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .blocks import MappedLines, Task
from .program import Program
from .results import Refusal, Result
from .source import FAULTS, Input, Line, lines
from .streams import Idle
from .workers import Workers

__all__ = ["mapped"]

_AT_ONCE: Final = 256
"""Lines of a file that are mapped together; of a pipe or an iterable each is mapped as it comes."""

Batch = list[tuple[Line, Result | None]]
_UNKNOWN: Final = Result()
"""Stands where a result belongs that is not there yet."""


def mapped(
    program: Program,
    one: Input,
    workers: Workers,
    clock: Callable[[], float],
    is_done: Callable[[int], bool] = lambda offset: False,
    idle: Idle | None = None,
) -> Iterator[tuple[Line, Result | None]]:
    """Every line of an input with its result, or with None if it is blank or done already.

    clock     the time in Unix seconds; a sample has its own
    is_done   whether the line at an offset need not be mapped
    idle      called while nothing comes of an input that somebody is still writing
    raises    what ``lines`` and ``Workers.map`` raise
    """
    is_live = one.path is None or one.follow
    tasks = _tasks(program, one, clock, is_done, idle if is_live else None)
    if is_live:
        for batch, task in tasks:
            yield from _filled(batch, [program.map(line, task.now, shift=task.shift) for line in task.lines])
        return
    for batch, answer in workers.map(tasks):
        assert isinstance(answer, MappedLines)
        yield from _filled(batch, answer.results)


def _tasks(
    program: Program, one: Input, clock: Callable[[], float], is_done: Callable[[int], bool], idle: Idle | None
) -> Iterator[tuple[Batch, Task]]:
    replay = program.replay(one.path) if one.path is not None else None
    most = _AT_ONCE if one.path is not None and not one.follow else 1
    batch: Batch = []
    wanted: list[bytes] = []

    def task() -> Task:
        now, shift = clock(), 0
        if replay is not None:
            now, shift = replay.clock(now)
        return Task(now, shift, lines=wanted)

    for line in lines(one, idle):
        if is_done(line.offset):
            batch.append((line, None))
        elif line.fault:
            batch.append((line, Result(problems=(Refusal(line.fault, FAULTS[line.fault]),))))
        elif not line.data or line.data.isspace():
            batch.append((line, None))
        else:
            batch.append((line, _UNKNOWN))
            wanted.append(line.data)
        if len(batch) >= most:
            yield batch, task()
            batch, wanted = [], []
    if batch:
        yield batch, task()


def _filled(batch: Batch, results: list[Result]) -> Iterator[tuple[Line, Result | None]]:
    there = iter(results)
    for line, result in batch:
        yield line, next(there) if result is _UNKNOWN else result
