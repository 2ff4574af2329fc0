"""Writes down what a stretch of an input came to: its dead letters first, and once they are safe, the journal.

On a disk that takes its time a stretch waits for that, while others are read and sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from ..events.program import Program
from .dead_letters import DeadLetters
from .job import Job, joined
from .journal import Journal


class Settling:
    """What a run settles. One thread uses it."""

    def __init__(
        self, program: Program, letters: DeadLetters, journal: Journal | None, clock: Callable[[], float]
    ) -> None:
        self._program, self._letters, self._journal, self._clock = program, letters, journal, clock
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many stretches wait for their dead letters to be safe."""
        return len(self._waiting)

    def settle(self, job: Job) -> None:
        """A stretch is at its end. With a journal, what of it is not settled is left to the next run.

        raises  DeliveryError (exit code 5)
        """
        journal, file = self._journal, job.file
        if journal is None or file is None:
            self._write(job)
            return
        if job.pending:
            written = self._some(job, journal, file)
        else:
            written = partial(journal.settle, file, [job.stretch], job.path, repeated=job.maybe_twice())
        self._write(job)
        self._waiting.append((self._letters.ask(), written))
        self.go_on()

    def _some(self, job: Job, journal: Journal, file: int) -> Callable[[], None]:
        """Some events of a stretch are pending: what must not be sent again is what is settled in the journal.

        Of a file that are lines that gave events, all of which are settled; of a pipe it is single events. What is
        pending although it cannot have arrived, because of a token say, is as if it had never been sent.
        """
        repeated = job.maybe_twice()
        if job.path is None:
            erased = [(job.start, place) for place in job.settled_places()]

            def written() -> None:
                journal.settle(file, (), erased=erased, repeated=repeated)
                if not job.unclear:
                    journal.returned(file, [job.start])

            return written
        settled, unclear = job.settled_lines(), job.unclear_lines(self._clock())
        job.only(settled)
        done = joined(settled.values())
        return partial(journal.settle, file, done, job.path, of=job.stretch, unclear=unclear, repeated=repeated)

    def go_on(self, *, wait: bool = False) -> None:
        """Settle the stretches whose dead letters are safe; ``wait``: all of them, however long that takes.

        raises  DeliveryError (exit code 5)
        """
        while self._waiting:
            number, written = self._waiting[0]
            if wait:
                self._letters.wait(number)
            elif not self._letters.is_safe(number):
                return
            self._waiting.popleft()
            written()

    def make_room(self) -> None:
        """Wait until the oldest stretch can be settled, and settle it, with those that can be by then.

        raises  DeliveryError (exit code 5)
        """
        if self._waiting:
            self._letters.wait(self._waiting[0][0])
            self.go_on()

    def _write(self, job: Job) -> None:
        self.refused(job)
        for item, answer in job.rejected:
            self._letters.event(item, answer)
        self._letters.flush()

    def refused(self, job: Job, *, safely: bool = False) -> None:
        """Keep the records that were refused.

        safely  they are on disk before this returns: those of a pipe, which cannot be read again, before it is sent
        """
        for line, problems in job.refused:
            if self._letters.path is None:
                break
            events = {problem.event for problem in problems if problem.event}
            expires = None if job.is_replay or not events else self._program.expires(line.data, events)
            self._letters.record(line, problems, expires)
        job.refused = []
        self._letters.flush()
        if safely:
            self._letters.wait(self._letters.ask())
