"""What a program holds in its hand for a record that it handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ..destinations.answers import Answer
from ..events.results import Result


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a record's events.

    accepted   how many the destination took
    rejected   the destination's answer for each that it refused
    pending    how many were neither; with a journal the next sender sends them
    """

    accepted: int = 0
    rejected: tuple[Answer, ...] = ()
    pending: int = 0


class Receipt:
    """A record that was handed over.

    result   what mapping it gave: its events, and why others could not be made
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self._open = len(result.events)
        self._accepted = 0
        self._rejected: list[Answer] = []
        self._future: Future[Fate] = Future()
        self._settle_if_over()

    @property
    def is_settled(self) -> bool:
        """Whether it is known what became of its events."""
        return self._future.done()

    def wait(self, seconds: float | None = None) -> Fate:
        """Wait until that is known.

        raises  TimeoutError
        """
        return self._future.result(seconds)

    def __await__(self) -> Generator[Any, None, Fate]:
        waiting = asyncio.wrap_future(self._future)
        return asyncio.shield(waiting).__await__()  # one that gives up waiting takes the fate from nobody else

    def take(self, answer: Answer | None) -> None:
        """One of its events was accepted (None) or rejected."""
        self._open -= 1
        if answer is None:
            self._accepted += 1
        else:
            self._rejected.append(answer)
        self._settle_if_over()

    def close(self) -> None:
        """What is not settled by now is pending."""
        if not self._future.done():
            self._future.set_result(Fate(self._accepted, tuple(self._rejected), self._open))

    def _settle_if_over(self) -> None:
        if not self._open:
            self.close()
