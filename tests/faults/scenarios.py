"""The faults by name, each with what must come of it. Every scenario also has to keep the laws of ``running.judge``."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from .server import Behaviour, Exchange

ALL = -1
"""As many as there are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault.

    make       a behaviour of the server, made anew for each run
    exit       how the run ends
    sent       events that are accepted in the end
    requests   how many requests it takes; None if that depends on chance
    twice      how many events are stored twice: a number, or ``ALL`` for all of them
    options    of ``mapper.send``
    is_slow    whether it takes longer than a few seconds, so that the daily tests leave it out
    """

    name: str
    group: str
    make: Callable[[], Behaviour]
    exit: int = 0
    sent: int = ALL
    rejected: Sequence[int] = ()
    requests: int | None = None
    twice: int | None = 0
    count: int = 200
    options: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    before: Callable[[int, socket.socket], bool] | None = None
    tls: bool = False
    keep: bool = True
    is_slow: bool = False
    seconds: float = 30.0
    old: Sequence[int] = ()
    aging: Sequence[int] = ()


SCENARIOS: list[Scenario] = []


def scenario(name: str, group: str, **more: Any) -> Callable[[Callable[[Exchange], None]], Callable[[Exchange], None]]:
    """A fault that strikes each batch the first time it comes; afterwards the batch is accepted."""

    def add(fault: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        SCENARIOS.append(Scenario(name, group, lambda: once(fault), **more))
        return fault

    return add


def once(fault: Callable[[Exchange], None], times: int = 1) -> Behaviour:
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def behave(exchange: Exchange) -> None:
        key = exchange.events[0]["event_id"]
        with lock:
            seen[key] += 1
        if seen[key] <= times:
            fault(exchange)
        else:
            exchange.accept()

    return behave


def always(fault: Callable[[Exchange], None]) -> Callable[[], Behaviour]:
    return lambda: fault


def add(name: str, group: str, make: Callable[[], Behaviour], **more: Any) -> None:
    SCENARIOS.append(Scenario(name, group, make, **more))


# -- a clear refusal that passes: nothing was stored, nothing may come twice -----------------------------------------

clear: dict[str, Any] = {"group": "passing refusals", "requests": 8}
SHORT = 'X-Business-Use-Case-Usage: {"1": [{"call_count": 100, "estimated_time_to_regain_access": 0.01}]}\r\n'
for name, fault in {
    "http500": lambda e: e.error(500, 2),
    "http502-html": lambda e: e.answer(502, b"<html>Bad gateway"),
    "meta-transient": lambda e: e.error(500, 1, is_transient=True),
    "meta-transient-400": lambda e: e.error(400, 2, is_transient=True),
    "meta-minimal": lambda e: e.answer(500, {"error": {"message": "x", "type": "y", "code": 2, "fbtrace_id": "A"}}),
    "meta-localised": lambda e: e.error(500, 2, message="Dienst vorübergehend nicht verfügbar"),
    "meta-21009-in-400": lambda e: e.error(400, 21009),
    "meta-error-in-200": lambda e: e.error(200, 2),
    "meta-throttle-short": lambda e: e.error(400, 80004, SHORT),
}.items():
    add(name, make=(lambda fault=fault: once(fault)), **clear)


@scenario("http503-retry-after", "told to wait", requests=4, count=100, options={"concurrency": 1})
def _retry_after(exchange: Exchange) -> None:
    exchange.closed_for(0.9)
    exchange.error(503, 2, "Retry-After: 1\r\n")


@scenario("http429-retry-after", "told to wait", requests=4, count=100, options={"concurrency": 1})
def _throttled(exchange: Exchange) -> None:
    exchange.closed_for(0.9)
    exchange.answer(429, b"", "Retry-After: 1\r\n")


@scenario("http429-retry-after-date", "told to wait", requests=4, count=100, options={"concurrency": 1})
def _date(exchange: Exchange) -> None:
    moment = time.time()
    exchange.closed_for(0.9)
    exchange.answer(
        429, b"", f"Date: {formatdate(moment, usegmt=True)}\r\nRetry-After: {formatdate(moment + 2, usegmt=True)}\r\n"
    )


def _first_only(status: int) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        time.sleep(0.1)
        if exchange.number == 1:
            exchange.closed_for(1.9, grace=0.3)
            exchange.answer(status, b"", "Retry-After: 2\r\n")
        else:
            exchange.accept()

    return behave


ten: dict[str, Any] = {"count": 400, "options": {"batch_size": 10}}
add("everyone-waits", "told to wait", lambda: _first_only(429), **ten)
add("everyone-waits-for-an-outage", "told to wait", lambda: _first_only(503), **ten)


for name, header in {
    "http429-no-header": "",
    "http429-bad-header": "Retry-After: soon\r\n",
    "http429-negative-header": "Retry-After: -5\r\n",
}.items():
    add(
        name, "told to wait", lambda header=header: once(lambda e: e.answer(429, b"", header)),
        requests=2, count=50, is_slow=True, seconds=100,
    )  # fmt: skip
add(
    "meta-throttle-one-minute", "told to wait",
    lambda: once(lambda e: (e.closed_for(59), e.error(400, 4, SHORT.replace("0.01", "1")))[1]),
    requests=2, count=50, is_slow=True, seconds=100,
)  # fmt: skip
add("http429-a-day", "told to wait", always(lambda e: e.answer(429, b"", "Retry-After: 86400\r\n")), exit=3, sent=0)
add("meta-policy-block", "told to wait", always(lambda e: e.error(400, 368)), exit=3, sent=0)
add(
    "usage-nearly-used-up", "told to wait",
    always(lambda e: (e.store(clearly=True), e.answer(200, e.received(), 'X-App-Usage: {"call_count": 91}\r\n'))[1]),
    requests=4, is_slow=True, seconds=60,
)  # fmt: skip

# -- stored, but without a clear answer: sent again, each event once more and not more often -------------------------


def stored(then: Callable[[Exchange], None]) -> Callable[[], Behaviour]:
    def fault(exchange: Exchange) -> None:
        exchange.store(clearly=False)
        then(exchange)

    return lambda: once(fault)


for name, then in {
    "http500-after": lambda e: e.error(500, 1),
    "http504-after": lambda e: e.answer(504, b"<html>"),
    "reset-after": lambda e: e.reset(),
    "end-after": lambda e: e.end(),
    "reset-in-answer": lambda e: (e.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), e.reset())[1],
    "truncated": lambda e: (e.answer(200, b'{"events_rec', length=90), e.end())[1],
    "bad-chunks": lambda e: (e.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), e.end())[1],
    "not-json": lambda e: e.answer(200, b"thank you"),
    "half-json": lambda e: e.answer(200, b'{"events_received": 50'),
    "empty": lambda e: e.answer(200, b""),
    "no-content": lambda e: e.raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "json-list": lambda e: e.answer(200, [50]),
    "wrong-fields": lambda e: e.answer(200, {"events_received": "50", "messages": 3}),
    "latin1": lambda e: e.answer(200, '{"a": "é", "events_received": 50}'.encode("latin-1")),
    "bad-gzip": lambda e: e.answer(200, gzip.compress(b"{}")[:9], "Content-Encoding: gzip\r\n"),
    "long-header": lambda e: (e.raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"), e.end())[1],
}.items():
    add(name, "unclear, stored", stored(then), twice=ALL, requests=8)

# -- not stored, and without an answer -------------------------------------------------------------------------------

for name, fault in {
    "reset-before": lambda e: e.reset(),
    "end-before": lambda e: e.end(),
    "garbage": lambda e: (e.raw(b"\x00\x01 hello\r\n\r\n"), e.end())[1],
    "not-json-not-stored": lambda e: e.answer(200, b"<html>Sign in to the network"),
}.items():
    add(name, "unclear, not stored", (lambda fault=fault: once(fault)), requests=8)


def _refuse_connections(number: int, connection: socket.socket) -> bool:
    """The first four connections end before anything is read."""
    if number > 4:
        return False
    connection.close()
    return True


def _read_nothing(number: int, connection: socket.socket) -> bool:
    if number > 4:
        return False
    time.sleep(4)
    connection.close()
    return True


add("ends-unread", "unclear, not stored", always(Exchange.accept), before=_refuse_connections, requests=4)
add(
    "reads-nothing", "unclear, not stored", always(Exchange.accept), before=_read_nothing, requests=4,
    options={"timeout": 1.0},
)  # fmt: skip
add("hangs", "unclear, stored", stored(Exchange.hang), twice=ALL, requests=8, options={"timeout": 1.0})
add("hangs-before", "unclear, not stored", lambda: once(Exchange.hang), requests=8, options={"timeout": 1.0})
add("closes-idle-connections", "connections", always(Exchange.accept), keep=False, requests=4)

# -- lies ------------------------------------------------------------------------------------------------------------


@scenario("under-count", "lies", twice=100, requests=8)
def _under(exchange: Exchange) -> None:
    half = exchange.events[: len(exchange.events) // 2]
    exchange.store(half, clearly=False)
    exchange.answer(200, exchange.received(len(half)))


@scenario("under-count-none", "lies", requests=8)
def _none(exchange: Exchange) -> None:
    exchange.answer(200, exchange.received(0))


@scenario("over-count", "lies", requests=8, twice=ALL)
def _over(exchange: Exchange) -> None:
    exchange.store(clearly=False)
    exchange.answer(200, exchange.received(999_999))


add(
    "messages", "lies",
    always(lambda e: (e.store(clearly=True), e.answer(200, {**e.received(), "messages": ["look here"]}))[1]),
    requests=4,
)  # fmt: skip
add("under-count-that-stays", "lies", always(lambda e: e.answer(200, e.received(0))), exit=4, sent=0)

# -- slow and big ----------------------------------------------------------------------------------------------------

add(
    "slow-answer", "slow",
    always(lambda e: (e.store(clearly=True), time.sleep(0.5), e.answer(200, e.received()))[2]),
    requests=4,
)  # fmt: skip


def _drip(exchange: Exchange) -> None:
    exchange.store(clearly=False)
    exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(120):
        if exchange.server.is_over.wait(0.1):
            return
        exchange.raw(b" ")


add("drips-for-ever", "slow", lambda: once(_drip), twice=ALL, requests=8, options={"timeout": 1.0})


def _drip_headers(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(60):
        if exchange.server.is_over.wait(0.1):
            return
        exchange.raw(f"X-{number}: 1\r\n".encode())


def _drip_headers_for_ever(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not exchange.server.is_over.wait(0.1):
        exchange.raw(b"a")


def _drip_interim_answers(exchange: Exchange) -> None:
    while not exchange.server.is_over.wait(0.1):
        exchange.raw(b"HTTP/1.1 102 Processing\r\n\r\n")


for name, fault in {
    "drips-headers": _drip_headers,
    "drips-a-header-for-ever": _drip_headers_for_ever,
    "says-wait-for-ever": _drip_interim_answers,
}.items():
    add(name, "slow", (lambda fault=fault: once(fault)), requests=8, options={"timeout": 1.0}, seconds=20)
add(
    "huge-answer", "big",
    stored(lambda e: (e.answer(200, b" " * 60_000_000 + b"{}"), e.end())[1]),
    twice=ALL, requests=8,
)  # fmt: skip
add(
    "gzip-bomb", "big",
    stored(lambda e: e.answer(200, gzip.compress(b" " * 100_000_000), "Content-Encoding: gzip\r\n")),
    twice=ALL, requests=8,
)  # fmt: skip

# -- redirects: never followed ---------------------------------------------------------------------------------------

for status in (301, 302, 303, 307, 308):
    add(
        f"redirect-{status}", "redirects",
        always(lambda e, status=status: e.answer(status, b"", f"Location: {e.server.url}/elsewhere\r\n")),
        exit=4, sent=0,
    )  # fmt: skip

# -- a person must act -----------------------------------------------------------------------------------------------


def from_request(first: int, fault: Callable[[Exchange], None], last: int = 10**9) -> Callable[[], Behaviour]:
    def behave(exchange: Exchange) -> None:
        if first <= exchange.number <= last:
            fault(exchange)
        else:
            exchange.accept()

    return lambda: behave


one_by_one = {"concurrency": 1}
add(
    "token-expires",
    "a person",
    from_request(3, lambda e: e.error(400, 190)),
    exit=4,
    sent=100,
    options=one_by_one,
    requests=3,
)
add("token-401", "a person", always(lambda e: e.error(401, 190)), exit=4, sent=0)
add("no-permission", "a person", always(lambda e: e.error(403, 200)), exit=4, sent=0)
add("no-such-pixel", "a person", always(lambda e: e.error(400, 100, error_subcode=33)), exit=4, sent=0)
add("version-gone", "a person", always(lambda e: e.error(400, 2635)), exit=4, sent=0)
add("not-the-api", "a person", always(lambda e: e.answer(404, b"nginx")), exit=4, sent=0)

# -- connections -----------------------------------------------------------------------------------------------------

brief = {"patience": 1.0}
add(
    "no-such-host",
    "connections",
    always(Exchange.accept),
    url="https://nonexistent.invalid",
    exit=3,
    sent=0,
    options=brief,
)
add("nobody-listens", "connections", always(Exchange.accept), url="http://127.0.0.1:9", exit=3, sent=0, options=brief)
add("unknown-certificate", "connections", always(Exchange.accept), tls=True, exit=4, sent=0)
add("no-tls-there", "connections", always(Exchange.accept), url="https", exit=3, sent=0, options=brief)
add("always-down", "connections", always(lambda e: e.error(503, 2)), exit=3, sent=0, options=brief)
add("always-silent", "connections", always(Exchange.hang), exit=3, sent=0, options={"timeout": 0.5, "patience": 1.0})


def _down_at_first(seconds: float) -> Callable[[], Behaviour]:
    def make() -> Behaviour:
        started = time.monotonic()

        def behave(exchange: Exchange) -> None:
            if time.monotonic() - started < seconds:
                exchange.error(503, 2)
            else:
                exchange.accept()

        return behave

    return make


add("down-for-three-seconds", "connections", _down_at_first(3))
add("down-for-ten-seconds", "connections", _down_at_first(10), is_slow=True, seconds=60)

# -- wrong events ----------------------------------------------------------------------------------------------------


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
add("too-old-by-a-day", "age", always(Exchange.accept), old=[7], sent=199, exit=1, requests=4)
add(
    "too-old-while-it-waits", "age", lambda: once(lambda e: e.answer(429, b"", "Retry-After: 4\r\n")),
    aging=[11], sent=199, rejected=[11], exit=1,
)  # fmt: skip

# -- limits and mixtures ---------------------------------------------------------------------------------------------


def _limited(a_second: int) -> Behaviour:
    lock, taken = threading.Lock(), [0.0] * a_second

    def behave(exchange: Exchange) -> None:
        with lock:
            moment = time.monotonic()
            is_free = moment - taken[0] >= 1.0
            if is_free:
                taken.append(moment)
                taken.pop(0)
        if is_free:
            exchange.accept()
        else:
            exchange.answer(429, b"", "Retry-After: 1\r\n")

    return behave


add("five-requests-a-second", "limits", lambda: _limited(5), count=500, options={"batch_size": 25})

CHAOS: list[Callable[[Exchange], None]] = [
    *[Exchange.accept] * 12, Exchange.reset, Exchange.end,
    lambda e: e.error(500, 2), lambda e: e.answer(502, b"<html>"), lambda e: e.error(400, 80004, SHORT),
    lambda e: (e.store(clearly=False), e.reset())[1],
    lambda e: (e.store(clearly=False), e.error(500, 1))[1],
    lambda e: (e.store(clearly=False), e.answer(200, b""))[1],
    lambda e: (e.store(clearly=False), e.answer(200, b'{"events_received"', length=70), e.end())[2],
]  # fmt: skip


def chaos(seed: int) -> Callable[[], Behaviour]:
    def make() -> Behaviour:
        chance, lock = random.Random(seed), threading.Lock()

        def behave(exchange: Exchange) -> None:
            with lock:
                fault = chance.choice(CHAOS)
            fault(exchange)

        return behave

    return make


for seed in range(1, 21):
    add(
        f"chaos-{seed}", "mixtures", chaos(seed), twice=None, count=400, options={"batch_size": 20},
        is_slow=seed > 3, seconds=90,
    )  # fmt: skip

__all__ = ["ALL", "SCENARIOS", "Scenario", "json"]
