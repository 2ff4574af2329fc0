"""Carries out deliveries: a few threads, each with its own request on its way, and a clock by which they wait."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ..destinations.answers import Answer
from ..destinations.rendering import Rendering
from .delivery import Policy, Send, Turn, deliver
from .items import INTERRUPTED, PATIENCE, PENDING_PERSON, WINDOW, Item, Outcome
from .sharing import Shared

CONCURRENCY: Final = 4
GRACE: Final = 10.0
"""Seconds that requests on their way have to come to their end once a run is to stop."""

Exchange = Callable[[Sequence[bytes]], Answer]
"""Sends encoded events in one request and says what came of it."""

Notify = Callable[[str, Mapping[str, Any]], None]
"""Told what happens: a word, and its fields. Called from any thread."""


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


def _whole(items: list[Item]) -> list[list[Item]]:
    return [items]


def _grouped(rendering: Rendering, items: list[Item]) -> list[list[Item]]:
    return [[items[place] for place in places] for places in rendering.groups([item.encoded for item in items])]


class Dispatcher:
    """Delivers batches, several at once. The threads do not outlive the process: what hangs does not hold it up.

    clock      the time in Unix seconds
    margin     seconds kept back before an event's age limit
    window     seconds for which the destination drops copies; 0 if nothing that may have arrived is to be sent again
    rate       events a second at most; None for as fast as it goes
    patience   seconds of waiting for one batch before the run gives up for now
    notify     told when a batch has to wait
    rendering  what is done to events on their way into a request: it says which of them can share one
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        clock: Callable[[], float] = time.time,
        margin: int = 60,
        window: int = WINDOW,
        concurrency: int = CONCURRENCY,
        switch: Switch | None = None,
        rate: float | None = None,
        patience: float = PATIENCE,
        notify: Notify = lambda word, fields: None,
        rendering: Rendering | None = None,
    ) -> None:
        self._exchange = exchange
        self._notify = notify
        self._switch = switch or Switch()
        self._shared = Shared(rate)
        self._is_halted = False
        self._policy = Policy(
            clock,
            lambda longest: random.uniform(0, longest),
            patience=patience,
            margin=margin,
            window=window,
            proven=self._shared.is_proven,
            is_silent=self._shared.is_silent,
            may_retry=self._shared.may_retry,
            groups=_whole if rendering is None else partial(_grouped, rendering),
        )
        self._tasks: queue.SimpleQueue[tuple[Sequence[Item], Future[Outcome]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(concurrency)]

    def submit(self, items: Sequence[Item]) -> Future[Outcome]:
        """Deliver a batch; the future never raises for what the destination says."""
        future: Future[Outcome] = Future()
        for thread in self._threads:
            if thread.ident is None:  # threads are started as they are needed
                thread.start()
                break
        self._tasks.put((items, future))
        return future

    def halt(self) -> None:
        """Send nothing more; what is on its way still comes in."""
        self._is_halted = True

    @property
    def is_halted(self) -> bool:
        return self._is_halted or self._switch.is_off()

    def close(self) -> None:
        """End the threads once they have nothing more to do. Waits a second at most for what is still on its way."""
        self.halt()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + 1.0
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            items, future = task
            try:
                outcome = self._driven(items)
                if outcome.stop is not None and outcome.stop.exit_code == PENDING_PERSON:
                    self.halt()  # before the next request, not only once somebody has looked at this one
                future.set_result(outcome)
            except BaseException as error:  # noqa: BLE001 - the thread ends here; a caller's own clock may raise anything
                future.set_exception(error)

    def _driven(self, items: Sequence[Item]) -> Outcome:
        steps = deliver(items, self._policy)
        answer: Answer | None = None
        tries = 0
        try:
            while True:
                step = next(steps) if answer is None else steps.send(answer)
                answer = None
                if isinstance(step, Turn):
                    answer = None if self._is_free(step.count) else Answer("stop", INTERRUPTED)
                    continue
                if isinstance(step, Send):
                    answer = self._sent(step.items, again=tries > 0)
                    tries = 0
                    continue
                tries += 1
                self._notify("waiting", {"seconds": round(step.seconds, 1), "reason": step.reason})
                if step.everyone:
                    self.hold(step.seconds)
                if self._switch.wait(step.seconds):
                    continue
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome

    def _sent(self, items: Sequence[Item], *, again: bool) -> Answer:
        answer = self._exchange([item.encoded for item in items])
        self._shared.answered(answer, len(items), time.monotonic(), again=again)
        return answer

    def _is_free(self, count: int) -> bool:
        """Wait until these events may be sent; False if the run is to end before."""
        while not self.is_halted:
            pause = self._shared.pause(count, time.monotonic())
            if not pause:
                return True
            self._switch.wait(min(pause, 1.0))
        return False

    def hold(self, seconds: float) -> None:
        """Nobody sends before so many seconds are over."""
        self._shared.hold(seconds, time.monotonic())
