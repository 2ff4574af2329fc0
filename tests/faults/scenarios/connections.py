"""Who is at the other end: redirects, what a person must mend, and ways that lead nowhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from ..server import Behaviour, Exchange
from .scenario import Scenarios, always, from_request

SCENARIOS = Scenarios()
add = SCENARIOS.add

# -- redirects --------------------------------------------------------------------------------------------------------

for status in (301, 302, 303, 307, 308):
    add(
        f"redirect-{status}", "redirects",
        always(lambda e, status=status: e.answer(status, b"", f"Location: {e.server.url}/elsewhere\r\n")),
        exit=4, sent=0,
    )  # fmt: skip

# -- a person must act ------------------------------------------------------------------------------------------------

add(
    "token-expires",
    "a person",
    from_request(3, lambda e: e.error(400, 190)),
    exit=4,
    sent=100,
    options={"concurrency": 1},
    requests=3,
)
add(
    "token-expires-under-way", "a person",
    from_request(6, lambda e: (time.sleep(0.05), e.error(400, 190))[1]),
    exit=4, sent=50, options={"batch_size": 10}, requests=range(6, 10),
)  # fmt: skip
add("token-401", "a person", always(lambda e: e.error(401, 190)), exit=4, sent=0)
add("no-permission", "a person", always(lambda e: e.error(403, 200)), exit=4, sent=0)
add("no-such-pixel", "a person", always(lambda e: e.error(400, 100, error_subcode=33)), exit=4, sent=0)
add("version-gone", "a person", always(lambda e: e.error(400, 2635)), exit=4, sent=0)
add("not-the-api", "a person", always(lambda e: e.answer(404, b"nginx")), exit=4, sent=0)

# -- connections ------------------------------------------------------------------------------------------------------

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
for kind in ("unknown", "expired", "other-host"):
    add(f"certificate-{kind}", "connections", always(Exchange.accept), tls=kind, exit=4, sent=0, requests=0)
add("tls-1.1-only", "connections", always(Exchange.accept), tls="old", exit=3, sent=0, requests=0, options=brief)
add("no-tls-there", "connections", always(Exchange.accept), url="https", exit=3, sent=0, options=brief)


def _each_connection_once() -> Behaviour:
    """A connection is kept after an answer, and broken off as soon as it is used again."""
    used = Counter[int]()

    def behave(exchange: Exchange) -> None:
        used[exchange.connection.fileno()] += 1
        if used[exchange.connection.fileno()] > 1:
            del used[exchange.connection.fileno()]
            exchange.reset()
        else:
            exchange.accept()

    return behave


add("breaks-kept-connections", "connections", _each_connection_once)
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
