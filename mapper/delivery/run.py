"""One run: reads lines, maps them, sends batches, writes dead letters, and counts.

The calling thread reads and maps; a few threads carry out the deliveries (``dispatch``), each with its own request on
its way. Only the calling thread counts and writes, so nothing is locked. It reads no further than a few batches ahead
of what is sent: memory stays flat, and a slow destination slows its source down.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ..destinations.answers import Answer
from ..errors import DeliveryError
from ..events.program import Program
from ..events.results import Result
from ..records.reading import Clock, blocks_mapped, lines_mapped, lines_of_block_mapped
from ..records.source import STDIN, Block, Input, Line
from ..records.streams import awaited
from ..records.workers import Workers
from .cutting import cut
from .dead_letters import DeadLetters
from .dispatch import GRACE, Dispatcher, Notify, Switch
from .items import INTERRUPTED, PENDING_PERSON, Item, Origin, Outcome
from .job import Job
from .journal import Journal
from .options import Options, window
from .report import Tally
from .settling import Settling
from .stretches import Kept, Progress

MAX_WAIT: Final = 1.0
"""Seconds after which events of a live input are sent although the batch is not full."""

_MOST_LINES: Final = 4_000
"""Lines after which a stretch ends even if few of them give events."""

_MOST_HELD: Final = 8_000_000
"""Bytes of records after which a stretch ends: they are kept until it is settled, should it come to a dead letter."""

OnProgress = Callable[[Tally], None]


class Run:
    """One run over some inputs.

    passed   what is known of a file to be settled, for a run without a journal of its own
    """

    def __init__(self, program: Program, options: Options, letters: DeadLetters, now: float | None) -> None:
        self.program = program
        self.options = options
        self.letters = letters
        self.now = now
        self.tally = Tally()
        self.switch = Switch()
        self.on_progress: OnProgress | None = None
        self.on_note: Notify = lambda word, fields: None
        self.journal: Journal | None = None
        self.passed: Progress | None = None
        self.dispatcher: Dispatcher | None = None
        most = program.destination.batch.max_events
        self.size = max(1, min(options.batch_size or most, most))
        self._job = Job(None, None)
        self._settling = Settling(program, letters, None, self.clock)
        self._running: dict[Future[Outcome], Job] = {}
        self._shown = 0.0
        self._hash: Any = None
        self._before = 0
        self._failed: BaseException | None = None

    def clock(self) -> float:
        return time.time() if self.now is None else self.now

    def made_dispatcher(self, exchange: Callable[[Sequence[bytes]], Answer]) -> Dispatcher:
        return Dispatcher(
            exchange,
            clock=self.clock,
            margin=self.program.destination.margin,
            window=window(self.program.destination.memory, self.options.on_unclear),
            concurrency=self.options.concurrency,
            switch=self.switch,
            rate=self.options.rate,
            patience=self.options.patience,
            notify=self._note,
            rendering=self.program.destination.request.rendering,
        )

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
            self.tally.size = sum(one.path.stat().st_size for one in given if one.path is not None)
        self._settling = Settling(self.program, self.letters, self.journal, self.clock)
        self._note("started", {"files": [one.name for one in given]})
        with Workers(self.program, self.options.workers, size=self.tally.size) as workers:
            with self._trouble_ends_it():
                self._left_over()
                for one in given:
                    self._input(one, workers, is_last=one is given[-1])
            with self._trouble_ends_it():
                self._dispatch()  # what had been read when something else went wrong
            self._finish()
            with self._trouble_ends_it():
                self._settling.go_on(wait=True)
                self.letters.flush()
        if self._failed is not None:
            raise self._failed
        self.tally.finish()
        if self.tally.events.held:
            self._held()
        if self.switch.is_off():
            self.tally.stop("interrupted", "the run was interrupted", "Run it again.", self.switch.exit_code)

    @contextmanager
    def _trouble_ends_it(self) -> Iterator[None]:
        """An input that cannot be read ends the reading; a disk that cannot be written to the sending as well."""
        try:
            yield
        except DeliveryError as error:
            self._stop(error.code, error.message, error.hint, error.exit_code)
            if error.exit_code == 5 and self.dispatcher is not None:
                self.dispatcher.halt()

    def _finish(self) -> None:
        """Wait for what is on its way; once the run is to stop, only so long as a request may take."""
        patience = None
        while self._running:
            if patience is None and self.switch.is_off():
                patience = time.monotonic() + GRACE
            if patience is not None and time.monotonic() > patience:
                self._running.clear()  # in the journal it stays open: the next run sends it again
                return
            self._collect(0.2)

    def _held(self) -> None:
        """What may have arrived too long ago is a person's decision; nothing else has to wait for it."""
        count = self.tally.events.held
        events = "1 event" if count == 1 else f"{count:,} events"
        message = f"{events} may have arrived in an earlier run, so long ago that copies could count twice"
        if self.options.on_unclear == "hold":
            message = f"{events} may have arrived, and none of these is sent again without you"
        journal = self.journal.path if self.journal is not None else "the journal"
        hint = f"Decide: `mapper journal show {journal}` says what they are, `mapper journal resend` and `drop` decide."
        self._stop("held", message, hint, PENDING_PERSON)

    @property
    def _is_ended(self) -> bool:
        is_halted = self.dispatcher is not None and self.dispatcher.is_halted
        return is_halted or self.switch.is_off() or self._failed is not None

    # -- reading ---------------------------------------------------------------------------------------------------

    def _left_over(self) -> None:
        """Send first what an earlier run read through a pipe and did not bring to its end."""
        for left in self.journal.left_over() if self.journal is not None else ():
            self._job = Job(None, left.file, left.stretch.start, left.stretch.end, left.stretch.lines)
            self._job.mark = left.stretch.mark
            for kept in left.kept:
                self._job.kept[len(self._job.items)] = kept.number
                line = Line(STDIN, kept.line, left.stretch.start, b"")
                origin = Origin(line, kept.name, kept.key, kept.time, left.first_sent)
                self._job.items.append(Item(kept.encoded, kept.expires, origin))
                self.tally.events.made += 1
                self.tally.carried[kept.name, 0] += 1
            self._dispatch(again=True)
        while self._running and not self._is_ended:
            self._collect(0.2)
        self._settling.go_on(wait=True)  # only now is it known what of a pipe that comes again is settled

    def _input(self, one: Input, workers: Workers, *, is_last: bool) -> None:
        """One input; one that is followed again and again, whenever another file has taken its place."""
        follow = self.options.follow and is_last and one.path is not None
        if not follow:
            self._read(one, workers)
            self._dispatch()
            return
        while not (self._is_ended or self._is_enough):
            stands = awaited(one.path, self._idle, partial(self._missing, one)) if one.path is not None else None
            if stands is None:
                return
            self._read(replace(one, follow=True, stands=stands), workers)
            self._dispatch()

    def _missing(self, one: Input) -> None:
        if not self.tally.position:  # else it is being rotated
            message = f"{one.name} is not there yet: waiting for it"
            self.on_note("warning", {"code": "no-such-file", "message": message})

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
        if one.path is None and known is not None and self._job.end < known.settled and not self._is_ended:
            raise _other_stream()
        self._before = self.tally.position

    def _read_blocks(self, one: Input, known: Progress | None, workers: Workers) -> None:
        """A file, many lines at once; one by one where an earlier run has been."""
        clock, since = self._clock_of(one), self.options.since
        touched = known.touches if known is not None else _untouched
        for block, mapped in blocks_mapped(self.program, one, workers, clock, since=since, is_touched=touched):
            if self._is_ended:
                return
            if mapped is None:
                assert known is not None
                pairs = lines_of_block_mapped(self.program, block, clock, known.is_done)
                self._read_lines(one, known, pairs)
                continue
            self.tally.block(self.program, mapped)
            for job in cut(self._job, block, mapped, self._is_full):
                self._job = job
                if self._is_full() or self._is_due(one):
                    self._dispatch()
            self.tally.position = self._before + block.end
            self._show()

    def _clock_of(self, one: Input) -> Clock:
        """The time for the records of an input; a sample has its own."""
        replay = self.program.replay(one.path) if one.path is not None else None
        return lambda: (self.clock(), 0) if replay is None else replay.clock(self.clock())

    def _read_lines(self, one: Input, known: Progress | None, pairs: Iterator[tuple[Line, Result | None]]) -> None:
        for line, result in pairs:
            if self._is_ended:
                return
            if one.until is not None and line.offset >= one.until:
                break
            mark = self._marked(known, line) if one.path is None else ""
            if result is None and known is not None and known.is_done(line.offset):
                self._dispatch()
                self._job.start = self._job.end = line.end
                self.tally.settled_before += bool(line.data.strip() or line.fault)
                continue
            self._job.end, self._job.mark = line.end, mark
            self.tally.position = self._before + line.end
            if result is None:
                self.tally.records.blank += 1
                continue
            self._take(line, result, known.first_sent(line.offset) if known is not None else None)
            if self._is_full() or self._is_due(one):
                self._dispatch()
            if self._is_enough:
                break
            if self.tally.records.read % 256 == 0:
                self._show()

    def _known(self, one: Input) -> Progress | None:
        """What the journal knows of an input; None if there is none to ask, or nothing to be told about this one."""
        if self.journal is None or one.records is not None:
            return self.passed
        if one.path is not None:
            known = self.journal.progress(one.path)
            if not any(job.file == known.file for job in self._running.values()) and not self._settling.waiting:
                return known
            while self._running and not self._is_ended:  # named twice: what is on its way is not sent again
                self._collect(0.2)
            self._settling.go_on(wait=True)
            return self.journal.progress(one.path)
        self._hash = hashlib.sha256()
        return self.journal.stream(again=self.options.resume)

    def _marked(self, known: Progress | None, line: Line) -> str:
        """A hash of standard input up to the end of a line; where an earlier run stopped it must be the same."""
        if known is None:
            return ""
        self._hash.update(line.data + b"\n")
        mark: str = self._hash.hexdigest()
        if line.offset < known.settled <= line.end and known.mark != mark:
            raise _other_stream()
        return mark

    def _take(self, line: Line, result: Result, first_sent: float | None) -> None:
        """Count a record; its events and refusals become part of the stretch that is being read."""
        job, since = self._job, self.options.since
        events = result.events
        if since is not None:
            events = [event for event in events if event.time is None or event.time >= since]
        self.tally.record(self.program, result, events)
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
        return is_long or len(job.items) >= self.size or job.size >= most

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
        return self.options.limit is not None and self.tally.records.read >= self.options.limit

    def _idle(self) -> bool:
        """Nothing comes at the moment: send what is due, see what has come back."""
        if self._is_due():
            self._dispatch()
        if self._running:
            self._collect(0.0)
        self._show()
        return self._is_ended

    # -- sending ---------------------------------------------------------------------------------------------------

    def _dispatch(self, *, again: bool = False) -> None:
        """Send what has been read: written down as on its way before the first byte leaves.

        First there must be room, so that no more comes twice after a kill than so many requests hold. While there is
        none, nothing more is read.
        """
        job, self._job = self._job, self._job.follows()
        if job.end == job.start and not job.lines:
            return
        while len(self._running) + self._settling.waiting >= self.options.concurrency and not self._is_ended:
            if self._settling.waiting:
                self._settling.go_on(wait=True)
            else:
                self._collect(0.2)
        is_ended = self.dispatcher is None or self._is_ended
        is_journalled = self.journal is not None and job.file is not None
        if is_ended and is_journalled and job.path is not None:
            return  # the next run begins here
        if not job.items or (is_ended and not is_journalled):
            self._settling.settle(job)
            return
        if not again:
            self._begin(job, is_sent=not is_ended)
        elif self.journal is not None and job.file is not None and not is_ended:
            self.journal.sending(job.file, [job.start])
        if is_ended or self.dispatcher is None:
            return
        for start in range(0, len(job.items), self.size):
            job.parts += 1
            items = job.items[start : start + self.size]
            self.tally.in_flight += len(items)
            self._running[self.dispatcher.submit(items)] = job

    def _begin(self, job: Job, *, is_sent: bool) -> None:
        """Write down that a stretch is on its way; of a pipe its events as well, for nobody can read them again."""
        if self.journal is None or job.file is None:
            return
        kept: list[Kept] = []
        if job.path is None:
            self._settling.refused(job, safely=True)
            kept = [Kept.of(place, item) for place, item in enumerate(job.items)]
            job.kept = {place: place for place in range(len(kept))}
        self.journal.wait_until_safe(self.journal.begin(job.file, job.stretch, kept, is_sent=is_sent))

    def _collect(self, seconds: float) -> None:
        """Count the deliveries that are done; waits for one, but not for more than so many seconds."""
        self._settling.go_on()
        done, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            job, outcome = self._running.pop(future), future.result()
            self._count(outcome)
            job.parts -= 1
            job.take(outcome)
            if not job.parts:
                with self._trouble_ends_it():  # what is on its way still comes in
                    self._settling.settle(job)
        self._show()

    def _count(self, outcome: Outcome) -> None:
        sizes = len(outcome.accepted), len(outcome.rejected), len(outcome.pending)
        self.tally.in_flight -= sum(sizes)
        self.tally.outcome(outcome)
        names = ("sent", "rejected", "pending")
        self._note("batch", {**dict(zip(names, sizes, strict=True)), "requests": outcome.requests})
        if outcome.stop is not None and outcome.stop.answer.reason != INTERRUPTED:
            assert self.dispatcher is not None
            self.dispatcher.halt()
            answer = outcome.stop.answer
            said = f"{answer.message} [{answer.code}]" if answer.message else answer.code
            self._stop(answer.reason or "stopped", said, answer.remedy, outcome.stop.exit_code)

    def _stop(self, code: str, message: str, hint: str, exit_code: int) -> None:
        self.tally.stop(code, message, hint, exit_code)
        self._note("stopped", {"code": code, "message": message, "exit_code": exit_code})

    def _show(self) -> None:
        moment = time.monotonic()
        if self.on_progress is not None and moment - self._shown > 0.1:
            self._shown = moment
            self._tell(self.on_progress, self.tally)

    def _note(self, word: str, fields: Mapping[str, Any]) -> None:
        self._tell(self.on_note, word, fields)

    def _tell(self, told: Callable[..., None], *what: Any) -> None:
        """Tell a function of the caller's; from any thread. One that raises ends the run, as soon as what is on its way
        has come in and is written down: else it would be sent a second time."""
        if self._failed is not None:
            return
        try:
            told(*what)
        except BaseException as error:  # noqa: BLE001 - raised once everything is written down
            self._failed = error
            if self.dispatcher is not None:
                self.dispatcher.halt()


def _other_stream() -> DeliveryError:
    hint = "Leave --resume away if it is another input."
    message = "standard input is not what it was when it was sent: its beginning differs"
    return DeliveryError("journal-stream", message, 2, hint)


def _never(offset: int) -> bool:
    return False


def _untouched(block: Block) -> bool:
    return False
