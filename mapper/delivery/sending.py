"""The half of a run that sends: what has been read goes out in batches, what comes back is counted and settled.

All of it happens in the thread that reads; a few more carry out the deliveries (``dispatch``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any

from ..destinations.answers import Answer
from ..errors import DeliveryError
from ..events.program import Program
from .dead_letters import DeadLetters
from .dispatch import GRACE, Dispatcher, Notify, Switch
from .items import INTERRUPTED, PENDING_PERSON, Outcome
from .job import Job
from .journal import Journal
from .options import Options, window
from .report import Tally
from .settling import Settling
from .stretches import Kept

OnProgress = Callable[[Tally], None]


class Sending:
    """What is on its way, and what has become of the rest.

    size         events a request
    journal      what keeps in mind what is settled; None if nothing does
    dispatcher   what carries the deliveries out; None in a dry run
    """

    def __init__(self, program: Program, options: Options, letters: DeadLetters, clock: Callable[[], float]) -> None:
        self.tally = Tally()
        self.switch = Switch()
        self.on_progress: OnProgress | None = None
        self.on_note: Notify = lambda word, fields: None
        self.journal: Journal | None = None
        self.dispatcher: Dispatcher | None = None
        most = program.destination.batch.max_events
        self.size = max(1, min(options.batch_size or most, most))
        self._program, self._options, self._letters, self._clock = program, options, letters, clock
        self._settling = Settling(program, letters, None, clock)
        self._running: dict[Future[Outcome], Job] = {}
        self._shown = 0.0
        self._failed: BaseException | None = None

    def heed(self, on_progress: OnProgress | None, on_note: Notify | None, switch: Switch | None) -> None:
        """Whom it tells of what happens, and what may end it early."""
        self.on_progress, self.on_note = on_progress, on_note or self.on_note
        self.switch = switch or self.switch

    def made_dispatcher(self, exchange: Callable[[Sequence[bytes]], Answer]) -> Dispatcher:
        return Dispatcher(
            exchange,
            clock=self._clock,
            margin=self._program.destination.margin,
            window=window(self._program.destination.memory, self._options.on_unclear),
            concurrency=self._options.concurrency,
            switch=self.switch,
            rate=self._options.rate,
            patience=self._options.patience,
            notify=self.note,
            rendering=self._program.destination.request.rendering,
        )

    def begin(self) -> None:
        """Now it is known which journal there is."""
        self._settling = Settling(self._program, self._letters, self.journal, self._clock)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is to be read or sent."""
        is_halted = self.dispatcher is not None and self.dispatcher.is_halted
        return is_halted or self.switch.is_off() or self._failed is not None

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self._running)

    def is_open(self, file: int) -> bool:
        """Whether something of a file, by its number in the journal, may be on its way or is not written down."""
        return self._settling.waiting > 0 or any(job.file == file for job in self._running.values())

    @contextmanager
    def trouble_ends_it(self) -> Iterator[None]:
        """An input that cannot be read ends the reading; a disk that cannot be written to the sending as well."""
        try:
            yield
        except DeliveryError as error:
            self.stop(error.code, error.message, error.hint, error.exit_code)
            if error.exit_code == 5 and self.dispatcher is not None:
                self.dispatcher.halt()

    def dispatch(self, job: Job, *, again: bool = False) -> None:
        """Send a stretch that has been read: written down as on its way before the first byte leaves.

        First there must be room, so that no more comes twice after a kill than so many requests hold. While there is
        none, nothing more is read.

        again   it stands in the journal already
        """
        while len(self._running) + self._settling.waiting >= self._options.concurrency and not self.is_ended:
            if self._settling.waiting:
                self._settling.make_room()
            else:
                self.collect(0.2)
        is_ended = self.dispatcher is None or self.is_ended
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

    def collect(self, seconds: float) -> None:
        """Count the deliveries that are done; waits for one, but not for more than so many seconds."""
        self._settling.go_on()
        done, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            job, outcome = self._running.pop(future), future.result()
            self._count(outcome)
            job.parts -= 1
            job.take(outcome)
            if not job.parts:
                with self.trouble_ends_it():  # what is on its way still comes in
                    self._settling.settle(job)
        self.show()

    def _count(self, outcome: Outcome) -> None:
        sizes = len(outcome.accepted), len(outcome.rejected), len(outcome.pending)
        self.tally.in_flight -= sum(sizes)
        self.tally.outcome(outcome)
        names = ("sent", "rejected", "pending")
        self.note("batch", {**dict(zip(names, sizes, strict=True)), "requests": outcome.requests})
        if outcome.stop is not None and outcome.stop.answer.reason != INTERRUPTED:
            assert self.dispatcher is not None
            self.dispatcher.halt()
            answer = outcome.stop.answer
            self.stop(answer.reason or "stopped", answer.said, answer.remedy, outcome.stop.exit_code)

    # -- the end ---------------------------------------------------------------------------------------------------

    def wait_for_all(self) -> None:
        """Until what is on its way is settled, or the run is to end."""
        while self._running and not self.is_ended:
            self.collect(0.2)
        self._settling.go_on(wait=True)

    def finish(self) -> None:
        """Settle all that is on its way; once the run is to stop, for only so long as a request may take."""
        self._wait()
        with self.trouble_ends_it():
            self._settling.go_on(wait=True)
            self._letters.flush()

    def conclude(self) -> None:
        """Say how it ended.

        raises  what a function of the caller's raised
        """
        if self._failed is not None:
            raise self._failed
        self.tally.finish()
        if self.tally.events.held:
            self._held()
        if self.switch.is_off():
            self.tally.stop("interrupted", "the run was interrupted", "Run it again.", self.switch.exit_code)

    def _wait(self) -> None:
        patience = None
        while self._running:
            if patience is None and self.switch.is_off():
                patience = time.monotonic() + GRACE
            if patience is not None and time.monotonic() > patience:
                self._running.clear()  # in the journal it stays open: the next run sends it again
                return
            self.collect(0.2)

    def _held(self) -> None:
        """What may have arrived too long ago is a person's decision; nothing else has to wait for it."""
        count = self.tally.events.held
        events = "1 event" if count == 1 else f"{count:,} events"
        message = f"{events} may have arrived in an earlier run, so long ago that copies could count twice"
        if self._options.on_unclear == "hold":
            message = f"{events} may have arrived, and none of these is sent again without you"
        journal = self.journal.path if self.journal is not None else "the journal"
        hint = f"Decide: `mapper journal show {journal}` says what they are, `mapper journal resend` and `drop` decide."
        self.stop("held", message, hint, PENDING_PERSON)

    # -- telling ---------------------------------------------------------------------------------------------------

    def stop(self, code: str, message: str, hint: str, exit_code: int) -> None:
        self.tally.stop(code, message, hint, exit_code)
        self.note("stopped", {"code": code, "message": message, "exit_code": exit_code})

    def show(self) -> None:
        moment = time.monotonic()
        if self.on_progress is not None and moment - self._shown > 0.1:
            self._shown = moment
            self._tell(self.on_progress, self.tally)

    def note(self, word: str, fields: Mapping[str, Any]) -> None:
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
