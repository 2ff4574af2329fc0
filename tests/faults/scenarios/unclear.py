"""No clear answer: what may have been stored is sent again, each event once more and not more often."""

from __future__ import annotations

import gzip
import random
import socket
import threading
import time
from collections.abc import Callable

from ..server import Exchange
from .scenario import ALL, Scenarios, always, once, stored

SCENARIOS = Scenarios()
add, scenario = SCENARIOS.add, SCENARIOS.once

# -- stored -----------------------------------------------------------------------------------------------------------

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

# -- not stored -------------------------------------------------------------------------------------------------------

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


def _read_slowly(number: int, connection: socket.socket) -> bool:
    """The first request is read a byte at a time."""
    if number > 1:
        return False
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    until = time.monotonic() + 8
    while time.monotonic() < until and connection.recv(1):
        time.sleep(0.05)
    connection.close()
    return True


add(
    "reads-slowly", "unclear, not stored", always(Exchange.accept), before=_read_slowly, requests=1,
    options={"timeout": 1.0, "batch_size": 1000}, count=1000, changes={"url": "https://shop.example/?" + "x" * 3_000},
)  # fmt: skip
add("hangs", "unclear, stored", stored(Exchange.hang), twice=ALL, requests=8, options={"timeout": 1.0})
add("hangs-before", "unclear, not stored", lambda: once(Exchange.hang), requests=8, options={"timeout": 1.0})
add("closes-idle-connections", "connections", always(Exchange.accept), keep=False, requests=4)

# -- lies -------------------------------------------------------------------------------------------------------------


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

# -- slow and big -----------------------------------------------------------------------------------------------------

add(
    "slow-answer", "slow",
    always(lambda e: (e.store(clearly=True), time.sleep(0.5), e.answer(200, e.received()))[2]),
    requests=4,
)  # fmt: skip


def _latency() -> Callable[[Exchange], None]:
    chance, lock = random.Random(1), threading.Lock()

    def behave(exchange: Exchange) -> None:
        with lock:
            seconds = chance.uniform(0.01, 0.3)
        time.sleep(seconds)
        exchange.accept()

    return behave


add("latency", "slow", _latency, count=1000, options={"batch_size": 25}, requests=40)


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
    for number in range(40):
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
