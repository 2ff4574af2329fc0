"""What blocks of a file give, cut into stretches that fill a batch each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ..events.results import Refusal
from ..records.blocks import Mapped
from ..records.source import Block, Line
from .items import Item, Origin
from .job import Job


def cut(job: Job, block: Block, mapped: Mapped, is_full: Callable[[Job], bool]) -> Iterator[Job]:
    """The stretch that is being read goes on with a block: each that is full, and at last the one that is not.

    A stretch ends behind a record: never between two events of one.
    """
    refused = deque((odd.line(block), odd.problems) for odd in mapped.odd if odd.problems)
    names = mapped.names
    counted = 0
    line: Line | None = None
    nth = -1
    for row in mapped.rows:
        if row.nth != nth:
            if line is not None:
                job.end = line.end
            if job.items and is_full(job):
                counted += _closed(job, nth + 1 - counted, refused)
                yield job
                job = job.follows()
            nth = row.nth
            start, end = block.offset + row.start, block.offset + row.after
            line = Line(block.file, block.number + row.number, start, block.data[row.start : row.end], "", end)
            job.held += len(line.data)
        assert line is not None
        job.items.append(Item(row.encoded, row.expires, Origin(line, *names[row.of], row.time)))
        job.size += len(row.encoded) + 1
    job.end = block.end
    _closed(job, mapped.read - counted, refused)
    yield job


def _closed(job: Job, lines: int, refused: deque[tuple[Line, Sequence[Refusal]]]) -> int:
    """Count the lines of a stretch, and give it the refusals that lie in it."""
    job.lines += lines
    job.since = job.since or time.monotonic()
    while refused and refused[0][0].offset < job.end:
        job.held += len(refused[0][0].data)
        job.refused.append(refused.popleft())
    return lines
