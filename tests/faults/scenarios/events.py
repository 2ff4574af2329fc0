"""Events that are wrong or too old, which must cost themselves alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..server import WEEK, Behaviour, Exchange
from .scenario import Scenarios, always, once

SCENARIOS = Scenarios()
add = SCENARIOS.add

# -- wrong events -----------------------------------------------------------------------------------------------------


def poison(wrong: Sequence[int]) -> Callable[[], Behaviour]:
    ids = {f"id-{number}" for number in wrong}

    def behave(exchange: Exchange) -> None:
        if any(event["event_id"] in ids for event in exchange.events):
            exchange.error(400, 100, error_subcode=2804050)
        else:
            exchange.accept()

    return lambda: behave


thousand: dict[str, Any] = {"count": 1000, "options": {"batch_size": 1000}, "exit": 1}
for wrong in (
    [0], [499], [999], [499, 500], [3, 4, 5, 6, 7], [0, 250, 500, 750, 999],
    list(range(0, 1000, 50)), list(range(485, 515)),
):  # fmt: skip
    label = "-".join(map(str, wrong)) if len(wrong) < 6 else f"{len(wrong)}-{'spread' if wrong[0] == 0 else 'together'}"
    add(f"wrong-{label}", "wrong events", poison(wrong), sent=1000 - len(wrong), rejected=wrong, **thousand)
add("all-wrong", "wrong events", poison(range(1000)), sent=0, **{**thousand, "exit": 4})

# -- ages and clocks ---------------------------------------------------------------------------------------------------

MARGIN = 300
"""Seconds before the limit within which an event is not sent any more."""

add(
    "too-old-by-a-day", "age", always(Exchange.accept), ages={7: WEEK + 86_400}, unmapped=[7],
    sent=199, exit=1, requests=4,
)  # fmt: skip
add(
    "too-old-while-it-waits", "age", lambda: once(lambda e: e.answer(429, b"", "Retry-After: 7\r\n")),
    ages={11: WEEK - MARGIN - 5}, sent=199, rejected=[11], exit=1,
)  # fmt: skip


def judging(skew: int, ahead: int) -> Callable[[], Behaviour]:
    """Refuses a request whole for one event older than a week, or so many seconds ahead, by a clock of its own.

    skew   seconds by which that clock is ahead of ours
    """

    def behave(exchange: Exchange) -> None:
        now = time.time() + skew
        moments = [event["event_time"] for event in exchange.events]
        if min(moments) < now - WEEK:
            exchange.error(400, 100, error_subcode=2804003)
        elif max(moments) > now + ahead:
            exchange.error(400, 100, error_subcode=2804004)
        else:
            exchange.accept()

    return lambda: behave


AROUND = [WEEK + seconds for seconds in range(-570, 601, 60)] + [-seconds for seconds in range(-30, 601, 60)]
"""Ages in seconds: around the limit, and around now."""
around: dict[str, Any] = {
    "ages": {number * 9: age for number, age in enumerate(AROUND)},
    "unmapped": [n * 9 for n, age in enumerate(AROUND) if age > WEEK - MARGIN or age < -60],
    "count": 400,
    "exit": 1,
}
around["sent"] = 400 - len(around["unmapped"])
for skew in (120, 0, -120):
    add(f"clock-{skew:+}-s", "clock", judging(skew, 180), requests=8, refused=0.0, **around)
fresh = list(range(0, 100, 10))
add(
    "clock--120-s-and-no-patience", "clock", judging(-120, 60), count=100, exit=1, sent=90,
    ages={number: 200 if number % 10 else 5 for number in range(100)}, rejected=fresh,
)  # fmt: skip
