"""Limits, and everything at once."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..server import Behaviour, Exchange
from .refusals import SHORT
from .scenario import Scenarios

SCENARIOS = Scenarios()
add = SCENARIOS.add

# -- limits ------------------------------------------------------------------------------------------------------------


def limited(count: int, seconds: float, refuse: Callable[[Exchange, float], None], *, tells: bool = False) -> Behaviour:
    """Takes so many requests in so many seconds. ``tells``: says before how much of that is used.

    refuse   is given how long it takes until the next one is taken
    """
    lock, taken = threading.Lock(), deque[float]()

    def behave(exchange: Exchange) -> None:
        with lock:
            moment = time.monotonic()
            while taken and moment - taken[0] >= seconds:
                taken.popleft()
            is_free = len(taken) < count
            if is_free:
                taken.append(moment)
            used, rest = len(taken) * 100 // count, seconds - (moment - taken[0])
        if not is_free:
            refuse(exchange, rest)
        elif tells:
            exchange.store(clearly=True)
            exchange.answer(200, exchange.received(), f'X-App-Usage: {{"call_count": {used}, "total_time": 1}}\r\n')
        else:
            exchange.accept()

    return behave


def _by_header(exchange: Exchange, rest: float) -> None:
    exchange.answer(429, b"", "Retry-After: 1\r\n")


def _by_usage(exchange: Exchange, rest: float) -> None:
    usage = f'{{"1": [{{"call_count": 100, "estimated_time_to_regain_access": {max(rest, 0.2) / 60:.4f}}}]}}'
    exchange.error(400, 80004, f"X-Business-Use-Case-Usage: {usage}\r\n")


for name, refuse in {"http": _by_header, "meta": _by_usage}.items():
    add(
        f"five-requests-a-second-{name}", "limits", lambda refuse=refuse: limited(5, 1.0, refuse),
        count=500, options={"batch_size": 25}, refused=0.5,
    )  # fmt: skip
    add(
        f"five-requests-a-second-{name}-for-long", "limits", lambda refuse=refuse: limited(5, 1.0, refuse),
        count=1000, options={"batch_size": 10}, refused=0.5, seconds=19 * 1.25, is_slow=True,
    )  # fmt: skip
add(
    "usage-is-heeded", "limits", lambda: limited(40, 10.0, _by_usage, tells=True),
    count=1600, options={"batch_size": 10}, refused=0.05, seconds=100.0, is_slow=True,
)  # fmt: skip

# -- mixtures ----------------------------------------------------------------------------------------------------------


def _stored(then: Callable[[Exchange], Any]) -> Callable[[Exchange], None]:
    def fault(exchange: Exchange) -> None:
        exchange.store(clearly=False)
        then(exchange)

    return fault


def _slowly(exchange: Exchange) -> None:
    exchange.store(clearly=True)
    time.sleep(0.2)
    exchange.answer(200, exchange.received())


def _in_chunks(exchange: Exchange) -> None:
    exchange.store(clearly=True)
    body = b'{"events_received": %d, "messages": []}' % len(exchange.events)
    exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in (body[:7], body[7:]):
        exchange.raw(b"%x\r\n%s\r\n" % (len(part), part))
    exchange.raw(b"0\r\n\r\n")


TROUBLES: tuple[Callable[[Exchange], None], ...] = (
    _slowly, _in_chunks, Exchange.reset, Exchange.end,
    lambda e: e.error(500, 2), lambda e: e.error(500, 1, is_transient=True), lambda e: e.error(400, 21009),
    lambda e: e.error(200, 2), lambda e: e.answer(502, b"<html>"), lambda e: e.answer(503, b"", "Retry-After: 1\r\n"),
    lambda e: e.error(400, 80004, SHORT), lambda e: e.answer(200, b"<html>Sign in"),
    lambda e: (e.raw(b"\x00\x01 hello\r\n\r\n"), e.end())[1],
    _stored(Exchange.reset), _stored(Exchange.end), _stored(lambda e: e.error(500, 1)),
    _stored(lambda e: e.answer(504, b"<html>")), _stored(lambda e: e.answer(200, b"")),
    _stored(lambda e: e.raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    _stored(lambda e: (e.answer(200, b'{"events_received"', length=70), e.end())),
    _stored(lambda e: e.answer(200, gzip.compress(b"{}")[:9], "Content-Encoding: gzip\r\n")),
)  # fmt: skip
"""Each of these passes; half of the requests meet none."""


def chaos(seed: int) -> Callable[[], Behaviour]:
    def make() -> Behaviour:
        chance, lock = random.Random(seed), threading.Lock()

        def behave(exchange: Exchange) -> None:
            with lock:
                fault = chance.choice(TROUBLES) if chance.random() < 0.5 else Exchange.accept
            fault(exchange)

        return behave

    return make


for seed in range(1, 21):
    add(
        f"chaos-{seed}", "mixtures", chaos(seed), twice=None, count=400, options={"batch_size": 20},
        is_slow=seed > 3, seconds=90,
    )  # fmt: skip
