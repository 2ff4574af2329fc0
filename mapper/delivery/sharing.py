"""What the deliveries of a run share: when the next request may go out, and what the destination has shown so far.

A limit that one of them meets holds back all of them, as does the rate that the user allows; and there is one budget of
repeated requests for the run. Nothing here looks at a clock or waits: whoever does is told for how long.
"""

from __future__ import annotations

import threading
from typing import Final

from ..destinations.answers import Answer

_FREE_RETRIES: Final = 200
_RETRIES_IN: Final = 5
_SILENT: Final = 3
"""Requests in a row without a clear answer, after which a run that sends nothing twice ends for now."""
_BUSY: Final = 90.0
"""Percent of a limit of the destination from which on we hold back before it has to tell us."""


class Shared:
    """May be used from any thread. Moments are seconds of a clock that never goes back.

    rate   events a second at most; None for as fast as it goes
    """

    def __init__(self, rate: float | None = None) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._requests = self._retries = self._unclear = 0
        self._is_proven = False

    def pause(self, count: int, moment: float) -> float:
        """Seconds until so many events may be sent. None left: they are taken to be sent now."""
        with self._lock:
            pause = self._not_before - moment
            if pause <= 0 and self._rate is not None:
                self._not_before = moment + count / self._rate
            return max(0.0, pause)

    def hold(self, seconds: float, moment: float) -> None:
        """Nobody sends before so many seconds are over."""
        with self._lock:
            self._not_before = max(self._not_before, moment + seconds)

    def answered(self, answer: Answer, count: int, moment: float, *, again: bool) -> None:
        """A request of so many events got an answer; ``again``: it was sent before."""
        with self._lock:
            self._requests += 1
            self._retries += again
            self._unclear = self._unclear + 1 if answer.unclear else 0
            is_taken = answer.meaning == "accepted" and len(answer.verdicts) < count
            self._is_proven = self._is_proven or is_taken
        if answer.meaning == "accepted" and answer.usage >= _BUSY:
            self.hold(min(answer.usage - _BUSY + 5.0, 60.0), moment)

    def is_proven(self) -> bool:
        """Whether the destination has accepted anything: then a refusal is an event's own fault."""
        return self._is_proven

    def is_silent(self) -> bool:
        """Whether the destination has given no clear answer for a while."""
        return self._unclear >= _SILENT

    def may_retry(self) -> bool:
        """Requests sent again beyond these only add to the destination's trouble."""
        with self._lock:
            return self._retries < _FREE_RETRIES + self._requests // _RETRIES_IN
