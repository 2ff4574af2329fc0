"""One run: reads lines, maps them, and hands them on to be sent (``sending``).

The calling thread reads and maps; a few threads carry out the deliveries (``dispatch``), each with its own request on
its way. Only the calling thread counts and writes, so nothing is locked. It reads no further than a few batches ahead
of what is sent: memory stays flat, and a slow destination slows its source down.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ..errors import DeliveryError
from ..events.program import Program
from ..events.results import Result
from ..records.reading import Clock, blocks_mapped, lines_mapped, lines_of_block_mapped
from ..records.source import STDIN, Block, Input, Line
from ..records.streams import awaited
from ..records.workers import Workers
from .cutting import cut
from .dead_letters import DeadLetters
from .items import Item, Origin
from .job import Job
from .options import Options
from .sending import Sending
from .stretches import Progress

MAX_WAIT: Final = 1.0
"""Seconds after which events of a live input are sent although the batch is not full."""

_MOST_LINES: Final = 4_000
"""Lines after which a stretch ends even if few of them give events."""

_MOST_HELD: Final = 8_000_000
"""Bytes of records after which a stretch ends: they are kept until it is settled, should it come to a dead letter."""


class Run:
    """One run over some inputs.

    passed   what is known of a file to be settled, for a run without a journal of its own
    """

    def __init__(self, program: Program, options: Options, letters: DeadLetters, now: float | None) -> None:
        self.program = program
        self.options = options
        self.letters = letters
        self.now = now
        self.sending = Sending(program, options, letters, self.clock)
        self.passed: Progress | None = None
        self._tally = self.sending.tally
        self._job = Job(None, None)
        self._hash: Any = None
        self._before = 0

    def clock(self) -> float:
        return time.time() if self.now is None else self.now

    def check(self, given: Sequence[Input], *, is_test: bool) -> None:
        """Everything that can be known before the first byte is read."""
        self.letters.check()
        for one in given:
            # Samples are replayed as if recorded now, so they must not reach a real destination unmarked.
            if one.path is not None and self.program.replay(one.path) is not None and not is_test:
                hint = "Send it with --test-event-code, or to the sandbox: --to sandbox."
                raise DeliveryError("sample", f"{one.name} is a sample: nothing in it happened", 2, hint)
        if self.options.follow and any(one.path is None for one in given[:-1]):
            raise DeliveryError("follow", "only the last input can be followed", 2)

    def go(self, given: Sequence[Input]) -> None:
        """Everything, to the end of the input or of what can be sent."""
        if not self.options.follow and all(one.path is not None and one.path.suffix != ".gz" for one in given):
            self._tally.size = sum(one.path.stat().st_size for one in given if one.path is not None)
        self.sending.begin()
        self.sending.note("started", {"files": [one.name for one in given]})
        with Workers(self.program, self.options.workers, size=self._tally.size) as workers:
            with self.sending.trouble_ends_it():
                self._left_over()
                for one in given:
                    self._input(one, workers, is_last=one is given[-1])
            with self.sending.trouble_ends_it():
                self._dispatch()  # what had been read when something else went wrong
            self.sending.finish()
        self.sending.conclude()

    def _left_over(self) -> None:
        """Send first what an earlier run read through a pipe and did not bring to its end."""
        for left in self.sending.journal.left_over() if self.sending.journal is not None else ():
            self._job = Job(None, left.file, left.stretch.start, left.stretch.end, left.stretch.lines)
            self._job.mark = left.stretch.mark
            for kept in left.kept:
                self._job.kept[len(self._job.items)] = kept.number
                line = Line(STDIN, kept.line, left.stretch.start, b"")
                origin = Origin(line, kept.name, kept.key, kept.time, left.first_sent)
                self._job.items.append(Item(kept.encoded, kept.expires, origin))
                self._tally.events.made += 1
                self._tally.carried[kept.name, 0] += 1
            self._dispatch(again=True)
        self.sending.wait_for_all()  # only now is it known what of a pipe that comes again is settled

    def _input(self, one: Input, workers: Workers, *, is_last: bool) -> None:
        """One input; one that is followed again and again, whenever another file has taken its place."""
        follow = self.options.follow and is_last and one.path is not None
        if not follow:
            self._read(one, workers)
            self._dispatch()
            return
        while not (self.sending.is_ended or self._is_enough):
            stands = awaited(one.path, self._idle, partial(self._missing, one)) if one.path is not None else None
            if stands is None:
                return
            self._read(replace(one, follow=True, stands=stands), workers)
            self._dispatch()

    def _missing(self, one: Input) -> None:
        if not self._tally.position:  # else it is being rotated
            message = f"{one.name} is not there yet: waiting for it"
            self.sending.note("warning", {"code": "no-such-file", "message": message})

    def _read(self, one: Input, workers: Workers) -> None:
        known = self._known(one)
        self._job = Job(one.path if known is not None else None, known.file if known is not None else None)
        self._job.is_replay = one.path is not None and self.program.replay(one.path) is not None
        if one.path is None or one.follow or one.until is not None or self.options.limit is not None:
            done = known.is_done if known is not None else _never
            pairs = lines_mapped(self.program, one, self._clock_of(one), done, self._idle)
            self._read_lines(one, known, pairs)
        else:
            self._read_blocks(one, known, workers)
        if one.path is None and known is not None and self._job.end < known.settled and not self.sending.is_ended:
            raise _other_stream()
        self._before = self._tally.position

    def _read_blocks(self, one: Input, known: Progress | None, workers: Workers) -> None:
        """A file, many lines at once; one by one where an earlier run has been."""
        clock, since = self._clock_of(one), self.options.since
        touched = known.touches if known is not None else _untouched
        for block, mapped in blocks_mapped(self.program, one, workers, clock, since=since, is_touched=touched):
            if self.sending.is_ended:
                return
            if mapped is None:
                assert known is not None
                pairs = lines_of_block_mapped(self.program, block, clock, known.is_done)
                self._read_lines(one, known, pairs)
                continue
            self._tally.block(self.program, mapped)
            for job in cut(self._job, block, mapped, self._is_full):
                self._job = job
                if self._is_full() or self._is_due(one):
                    self._dispatch()
            self._tally.position = self._before + block.end
            self.sending.show()

    def _clock_of(self, one: Input) -> Clock:
        """The time for the records of an input; a sample has its own."""
        replay = self.program.replay(one.path) if one.path is not None else None
        return lambda: (self.clock(), 0) if replay is None else replay.clock(self.clock())

    def _read_lines(self, one: Input, known: Progress | None, pairs: Iterator[tuple[Line, Result | None]]) -> None:
        for line, result in pairs:
            if self.sending.is_ended:
                return
            if one.until is not None and line.offset >= one.until:
                break
            mark = self._marked(known, line) if one.path is None else ""
            if result is None and known is not None and known.is_done(line.offset):
                self._dispatch()
                self._job.start = self._job.end = line.end
                self._tally.settled_before += bool(line.data.strip() or line.fault)
                self._tally.passed += line.end - line.offset
                continue
            self._job.end, self._job.mark = line.end, mark
            self._tally.position = self._before + line.end
            if result is None:
                self._tally.records.blank += 1
                continue
            self._take(line, result, known.first_sent(line.offset) if known is not None else None)
            if self._is_full() or self._is_due(one):
                self._dispatch()
            if self._is_enough:
                break
            if self._tally.records.read % 256 == 0:
                self.sending.show()

    def _known(self, one: Input) -> Progress | None:
        """What the journal knows of an input; None if there is none to ask, or nothing to be told about this one."""
        if self.sending.journal is None or one.records is not None:
            return self.passed
        if one.path is not None:
            known = self.sending.journal.progress(one.path)
            if not self.sending.is_open(known.file):
                return known
            self.sending.wait_for_all()  # a copy of a file that is on its way is not sent again
            return self.sending.journal.progress(one.path)
        self._hash = hashlib.sha256()
        return self.sending.journal.stream(again=self.options.resume)

    def _marked(self, known: Progress | None, line: Line) -> str:
        """A hash of standard input up to the end of a line; where an earlier run stopped it must be the same."""
        if known is None:
            return ""
        self._hash.update(line.data + b"\n")
        mark: str = self._hash.hexdigest()
        if line.offset < known.settled <= line.end and known.mark != mark:
            raise _other_stream()
        return mark

    def _dispatch(self, *, again: bool = False) -> None:
        """Send what has been read, and begin the next stretch."""
        job, self._job = self._job, self._job.follows()
        if job.end != job.start or job.lines:
            self.sending.dispatch(job, again=again)

    def _take(self, line: Line, result: Result, first_sent: float | None) -> None:
        """Count a record; its events and refusals become part of the stretch that is being read."""
        job, since = self._job, self.options.since
        events = result.events
        if since is not None:
            events = [event for event in events if event.time is None or event.time >= since]
        self._tally.record(self.program, result, events)
        job.lines += 1
        job.held += len(line.data)
        job.since = job.since or time.monotonic()
        for event in events:
            origin = Origin(line, event.name, event.key, event.time, first_sent)
            job.items.append(Item(event.encoded, event.expires, origin))
            job.size += len(event.encoded) + 1
        if result.problems:
            job.refused.append((line, result.problems))

    def _is_full(self, job: Job | None = None) -> bool:
        job, most = job or self._job, self.program.destination.batch.max_bytes or 4_000_000
        is_long = job.lines >= _MOST_LINES or job.held >= _MOST_HELD
        return is_long or len(job.items) >= self.sending.size or job.size >= most

    def _is_due(self, one: Input | None = None) -> bool:
        """Whether what has been read has waited long enough; a plain file is read without pause, so it need not."""
        longest = self.options.max_wait
        if longest is None:
            if one is not None and one.path is not None and not one.follow:
                return False
            longest = MAX_WAIT
        return bool(self._job.lines) and time.monotonic() - self._job.since >= longest

    @property
    def _is_enough(self) -> bool:
        return self.options.limit is not None and self._tally.records.read >= self.options.limit

    def _idle(self) -> bool:
        """Nothing comes at the moment: send what is due, see what has come back."""
        if self._is_due():
            self._dispatch()
        self.sending.collect(0.0)  # also what waits for its dead letters: nothing else may come for a day
        return self.sending.is_ended


def _other_stream() -> DeliveryError:
    hint = "Leave --resume away if it is another input."
    message = "standard input is not what it was when it was sent: its beginning differs"
    return DeliveryError("journal-stream", message, 2, hint)


def _never(offset: int) -> bool:
    return False


def _untouched(block: Block) -> bool:
    return False
