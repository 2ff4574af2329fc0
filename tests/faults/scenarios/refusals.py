"""A clear refusal that passes, and being told to wait: nothing was stored, so nothing may come twice."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

from ..server import Behaviour, Exchange
from .scenario import Scenarios, always, once

SCENARIOS = Scenarios()
add, scenario = SCENARIOS.add, SCENARIOS.once

# -- a clear refusal that passes --------------------------------------------------------------------------------------

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


@scenario("http503-retry-after-date", "told to wait", requests=4, count=100, options={"concurrency": 1})
def _closed_until(exchange: Exchange) -> None:
    _until_a_date(exchange, 503)


@scenario("http429-retry-after-date", "told to wait", requests=4, count=100, options={"concurrency": 1})
def _throttled_until(exchange: Exchange) -> None:
    _until_a_date(exchange, 429)


def _until_a_date(exchange: Exchange, status: int) -> None:
    moment = time.time()
    exchange.closed_for(0.9)
    date, until = formatdate(moment, usegmt=True), formatdate(moment + 2, usegmt=True)
    exchange.answer(status, b"", f"Date: {date}\r\nRetry-After: {until}\r\n")


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
