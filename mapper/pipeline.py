"""The one place that acts: reads lines, maps them, sends batches, writes dead letters, and counts.

The calling thread reads and maps; a few threads drive the deliveries (``delivery.deliver``), each with its own request
on its way. Only the calling thread counts and writes, so nothing is locked. It reads no further than a few batches
ahead of what is sent: memory stays flat, and a slow destination slows its source down.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .answers import Answer
from .dead_letters import DeadLetters
from .delivery import Item, Outcome, Policy, Send, deliver
from .errors import DeliveryError
from .journal import Journal, Stretch
from .program import Program
from .reading import mapped
from .report import Reason, Report, Stopped, Tally, by_event, refused, warned
from .results import Refusal, Result
from .settings import resolve
from .source import Input, Line, Source, inputs
from .transport import Connection
from .workers import Workers

CONCURRENCY: Final = 4
_MOST_LINES: Final = 4_000
"""Lines after which a stretch ends even if few of them give events."""

Progress = Callable[[Tally], None]


def _never(offset: int) -> bool:
    return False


@dataclass(slots=True)
class Switch:
    """Ends a run early: whoever calls ``stop`` says with which exit code. May be called from a signal handler."""

    exit_code: int = 0
    _event: threading.Event = field(default_factory=threading.Event)

    def stop(self, exit_code: int) -> None:
        self.exit_code = self.exit_code or exit_code
        self._event.set()

    def is_off(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until the run is stopped; whether it was."""
        return self._event.wait(seconds)


def send(
    program: Program,
    source: Source,
    *,
    to: str = "",
    settings: Mapping[str, str] | None = None,
    test_event_code: str | None = None,
    dry_run: bool = False,
    dead_letters: str | Path | None = None,
    batch_size: int | None = None,
    concurrency: int = CONCURRENCY,
    now: float | None = None,
    on_progress: Progress | None = None,
    switch: Switch | None = None,
    journal: str | Path | None = None,
    workers: int = 1,
) -> Report:
    """Map records and deliver their events.

    source           a file, a glob, ``-``, a list of these, or an iterable of records (dicts, or lines of JSON)
    to               ``https://host`` in place of the destination's own; else the mapping's destination
    settings         settings by name or variable, over those of the environment
    test_event_code  routes the events to the destination's test tool
    dry_run          do everything but send
    dead_letters     a file for what is refused, with the records as they were: mode 0600
    batch_size       events a request, at most what the destination takes
    concurrency      requests on their way at once
    now              the clock, in Unix seconds, for tests and repeated runs
    on_progress      called now and then with the counts so far
    switch           ends the run early
    journal          a file that keeps what is settled: a run that was killed goes on where it was, and a finished one
                     sends nothing again. For files only; what comes from elsewhere cannot be read twice
    workers          processes that map files once they have turned out to be large
    raises           DeliveryError if nothing can be sent at all; what ends a run midway is in the report
    """
    run = _Run(program, test_event_code is not None or bool(to), now, on_progress, switch or Switch())
    given = inputs(source)
    run.check_samples(given)
    run.size = max(1, min(batch_size or program.destination.batch.max_events, program.destination.batch.max_events))
    run.workers = workers
    letters = DeadLetters(Path(dead_letters) if dead_letters else None)
    letters.check()
    base = to if to.startswith(("http://", "https://")) else None
    if dry_run:
        run.go(given, None, concurrency, letters)
        return run.report(to or program.destination.name, dry_run, letters, given)
    found = resolve(program.destination, settings)
    prepared = program.destination.request.prepare(found, test_code=test_event_code, base=base)
    connection = Connection(program.destination, prepared, connections=concurrency)
    try:
        if journal is None:
            run.go(given, connection, concurrency, letters)
        else:
            with Journal(Path(journal), mapping=program.fingerprint, target=prepared.url) as run.journal:
                run.go(given, connection, concurrency, letters)
    finally:
        connection.close()
    return run.report(to or program.destination.name, dry_run, letters, given)


@dataclass(slots=True)
class _Job:
    """A stretch of an input on its way: it is settled when all its events are, and only then are its refusals kept."""

    path: Path | None
    file: int
    start: int
    end: int
    lines: int = 0
    size: int = 0
    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Line, Sequence[Refusal]]] = field(default_factory=list)
    rejected: list[tuple[Item, Answer]] = field(default_factory=list)
    parts: int = 0
    is_clean: bool = True

    def follows(self) -> _Job:
        """The stretch after this one."""
        return _Job(self.path, self.file, self.end, self.end)


class _Run:
    def __init__(
        self, program: Program, is_test: bool, now: float | None, progress: Progress | None, switch: Switch
    ) -> None:
        self.program = program
        self.is_test = is_test
        self.now = now
        self.progress = progress
        self.switch = switch
        self.tally = Tally()
        self.size = 1
        self.workers = 1
        self.started = time.monotonic()
        self._pause = 0.0
        self._proven = False
        self._halted = False
        self.journal: Journal | None = None
        self._job = _Job(None, 0, 0, 0)
        self._running: dict[Future[Outcome], _Job] = {}
        self._shown = 0.0

    def clock(self) -> float:
        return time.time() if self.now is None else self.now

    def check_samples(self, given: Sequence[Input]) -> None:
        """Samples are replayed as if recorded now, so they must not reach a real destination unmarked."""
        for one in given:
            if one.path is not None and self.program.replay(one.path) is not None and not self.is_test:
                hint = "Send it with --test-event-code, or to the sandbox: --to sandbox."
                raise DeliveryError("sample", f"{one.name} is a sample: nothing in it happened", 2, hint)

    def go(self, given: Sequence[Input], connection: Connection | None, concurrency: int, letters: DeadLetters) -> None:
        """Everything, to the end of the input or of what can be sent."""
        with (
            letters,
            ThreadPoolExecutor(max_workers=concurrency) as pool,
            Workers(self.program, self.workers) as workers,
        ):
            try:
                for one in given:
                    self._read(one, connection, concurrency, pool, workers, letters)
                    self._dispatch(connection, pool, letters)
            except DeliveryError as error:
                self._stop(error.code, error.message, error.hint, error.exit_code)
                self._halted = self._halted or error.exit_code == 5
                self._dispatch(connection, pool, letters)
            while self._running:
                self._collect(letters)
        events = self.tally.events
        events.pending = events.made - events.sent - events.rejected
        if self.switch.is_off() and self.tally.stopped is None:
            self._stop("interrupted", "the run was interrupted", "Run it again.", self.switch.exit_code)

    def _read(
        self,
        one: Input,
        connection: Connection | None,
        concurrency: int,
        pool: ThreadPoolExecutor,
        workers: Workers,
        letters: DeadLetters,
    ) -> None:
        known = self.journal.progress(one.path) if self.journal is not None and one.path is not None else None
        self._job = _Job(one.path if known is not None else None, known.file if known is not None else 0, 0, 0)
        is_done = known.is_done if known is not None else _never
        for line, result in mapped(self.program, one, workers, self.clock, is_done):
            if self._halted or self.switch.is_off():
                return
            if result is None and is_done(line.offset):
                self._dispatch(connection, pool, letters)
                self._job.start = self._job.end = line.end
                self.tally.settled_before += bool(line.data.strip() or line.fault)
                continue
            self._job.end = line.end
            if result is None:
                self.tally.records.blank += 1
                continue
            self._take(line, result, known is not None and known.was_sent(line.offset))
            if self._is_full():
                self._dispatch(connection, pool, letters)
                while len(self._running) > concurrency + 1:
                    self._collect(letters)
            if self.progress is not None and self.tally.records.read % 256 == 0:
                self._show()

    def _is_full(self) -> bool:
        job, most = self._job, self.program.destination.batch.max_bytes or 4_000_000
        return len(job.items) >= self.size or job.size >= most or job.lines >= _MOST_LINES

    def _take(self, line: Line, result: Result, was_sent: bool) -> None:
        """Count a record; its events and refusals become part of the stretch that is being read."""
        tally, job = self.tally, self._job
        tally.records.read += 1
        job.lines += 1
        if result.events:
            tally.records.mapped += 1
        elif result.problems:
            tally.records.dead += 1
        else:
            tally.records.ignored += 1
            tally.ignored[result.reason] += 1
        for event in result.events:
            tally.events.made += 1
            tally.carried[event.name, event.carries] += 1
            tally.events.limited += event.limited
            job.items.append(Item(event.encoded, event.expires, (line, event.key, was_sent)))
            job.size += len(event.encoded) + 1
        for problem in result.problems:
            tally.refused[refused(problem)] += 1
        if result.problems:
            job.refused.append((line, result.problems))
        for warning in result.warnings:
            tally.warnings[warned(self.program, warning)] += 1

    def _dispatch(self, connection: Connection | None, pool: ThreadPoolExecutor, letters: DeadLetters) -> None:
        """Send what has been read: written down as on its way before the first byte leaves."""
        job, self._job = self._job, self._job.follows()
        if job.end == job.start and not job.lines:
            return
        if connection is not None and (self._halted or self.switch.is_off()):
            job.is_clean = False
        if not job.items or connection is None or not job.is_clean:
            self._settle(job, letters)
            return
        if self.journal is not None and job.path is not None:
            self.journal.begin(job.file, Stretch(job.start, job.end, job.lines))
        for start in range(0, len(job.items), self.size):
            job.parts += 1
            self._running[pool.submit(self._drive, job.items[start : start + self.size], connection)] = job

    def _settle(self, job: _Job, letters: DeadLetters) -> None:
        """A stretch is at its end. With a journal, what is not settled is left to the next run, its refusals too."""
        is_journalled = self.journal is not None and job.path is not None
        if is_journalled and not job.is_clean:
            return
        for line, problems in job.refused:
            letters.record(line, problems)
        for item, answer in job.rejected:
            line, key, _ = item.origin
            letters.event(line, key, answer.reason or answer.code, answer.message, item.encoded)
        if self.journal is not None and job.path is not None:
            letters.flush()
            self.journal.settle(job.path, job.file, Stretch(job.start, job.end, job.lines))

    def _drive(self, batch: list[Item], connection: Connection) -> Outcome:
        """Carry out a delivery: runs in a thread of the pool."""
        policy = Policy(
            self.clock,
            lambda longest: random.uniform(0, longest),
            margin=self.program.destination.margin,
            proven=lambda: self._proven,
        )
        steps = deliver(batch, policy)
        answer: Answer | None = None
        try:
            while True:
                step = next(steps) if answer is None else steps.send(answer)
                answer = None
                if isinstance(step, Send):
                    while not self.switch.is_off() and (pause := self._pause - time.monotonic()) > 0:
                        self.switch.wait(pause)
                    if self.switch.is_off() or self._halted:
                        answer = Answer("stop", "interrupted")
                        continue
                    answer = connection.send([item.encoded for item in step.items])
                    self._proven = self._proven or answer.meaning == "accepted"
                    continue
                if step.everyone:
                    self._pause = max(self._pause, time.monotonic() + step.seconds)
                if self.switch.wait(step.seconds):
                    continue
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome

    def _collect(self, letters: DeadLetters) -> None:
        """Count the deliveries that are done; waits for one at least."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            job = self._running.pop(future)
            outcome = future.result()
            self._count(outcome, job)
            job.parts -= 1
            job.rejected += outcome.rejected
            job.is_clean = job.is_clean and not outcome.pending
            if not job.parts:
                try:
                    self._settle(job, letters)
                except DeliveryError as error:  # a full disk: what is on its way still comes in, nothing more is sent
                    self._halted = True
                    self._stop(error.code, error.message, error.hint, error.exit_code)
        if self.progress is not None:
            self._show()

    def _count(self, outcome: Outcome, job: _Job) -> None:
        tally = self.tally
        tally.events.sent += len(outcome.accepted)
        tally.events.rejected += len(outcome.rejected)
        tally.events.maybe_twice += max(outcome.maybe_twice, sum(item.origin[2] for item in outcome.accepted))
        tally.requests += outcome.requests
        tally.retries += outcome.retries
        tally.messages |= outcome.messages
        for item, answer in outcome.rejected:
            code = answer.reason or answer.code
            tally.rejected[Reason(code, item.origin[1], message=answer.message or answer.code)] += 1
        if outcome.stop is not None and outcome.stop.answer.reason != "interrupted":
            self._halted = True
            answer = outcome.stop.answer
            said = f"{answer.message} [{answer.code}]" if answer.message else answer.code
            self._stop(answer.reason or "stopped", said, answer.remedy, outcome.stop.exit_code)

    def _stop(self, code: str, message: str, hint: str, exit_code: int) -> None:
        if self.tally.stopped is None:
            self.tally.stopped = Stopped(code, message, hint, exit_code)

    def _show(self) -> None:
        moment = time.monotonic()
        if self.progress is not None and moment - self._shown > 0.1:
            self._shown = moment
            self.progress(self.tally)

    def report(self, to: str, dry_run: bool, letters: DeadLetters, given: Sequence[Input]) -> Report:
        tally = self.tally
        return Report(
            destination=self.program.destination.name,
            to=to,
            dry_run=dry_run,
            records=tally.records,
            events=tally.events,
            by_event=by_event(tally.carried),
            match_keys=self.program.match_keys.counts(tally.carried),
            ignored=dict(tally.ignored),
            refused=dict(tally.refused),
            rejected=dict(tally.rejected),
            warnings=dict(tally.warnings),
            messages=tuple(sorted(tally.messages)),
            requests=tally.requests,
            retries=tally.retries,
            settled_before=tally.settled_before,
            seconds=time.monotonic() - self.started,
            stopped=tally.stopped,
            dead_letters=str(letters.path or ""),
            dead_letters_written=letters.written,
            files=tuple(one.name for one in given),
        )


__all__ = ["Progress", "Switch", "send"]
