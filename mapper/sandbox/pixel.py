"""``GET /tr``: where the browser's copy of an event arrives, as Meta's pixel sends it.

It is there so that deduplication can be seen: the pixel's event is taken as it is, and answered with an image of one
transparent dot, whatever it holds, as Meta does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from . import bodies, replies
from .judging import Judge
from .masking import plain
from .records import Arrival
from .store import Store

_DOT: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,10})?\Z")
_MEMBER: Final = re.compile(r"(cd|ud)\[([A-Za-z0-9_]{1,64})\]\Z")
_MAX: Final = 64 * 1024
_HEADERS: Final = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"}


class Pixel:
    """Takes the browser's events of one pixel."""

    def __init__(self, judge: Judge, store: Store, pixel_id: str, clock: Callable[[], float]) -> None:
        self._judge, self._store, self._pixel_id, self._clock = judge, store, pixel_id, clock

    async def tr(self, request: Request) -> Response:
        """One event: from the query, or from a form."""
        pairs = list(request.query_params.items())
        if request.method == "POST":
            try:
                body = await bodies.read(request, _MAX)
                pairs += parse_qsl(body.decode(), max_num_fields=200)
            except (bodies.BodyError, ValueError):
                pairs = []
        now = self._clock()
        event = _event(dict(pairs), request.headers, now)
        agent = plain(request.headers.get("user-agent", ""), 80)
        arrival = Arrival(at=now, source="pixel", form="pixel", trace=replies.trace_id(), agent=agent)
        if event["event_name"] and dict(pairs).get("id") == self._pixel_id:
            self._store.add(arrival, [self._judge.unjudged(event)])
        return Response(_DOT, media_type="image/gif", headers=_HEADERS)


def _event(said: Mapping[str, str], headers: Mapping[str, str], now: float) -> dict[str, Any]:
    """A pixel's parameters under the names that the Conversions API has for them."""
    user: dict[str, Any] = {"client_user_agent": headers.get("user-agent", "")}
    custom: dict[str, Any] = {}
    for name, value in said.items():
        found = _MEMBER.match(name)
        if found is not None:
            (user if found[1] == "ud" else custom)[found[2]] = _typed(value) if found[1] == "cd" else value
    user |= {name: said[name] for name in ("fbp", "fbc") if said.get(name)}
    stamp = said.get("ts", "")
    event: dict[str, Any] = {
        "event_name": said.get("ev", "")[:200],
        "event_time": int(stamp) // 1000 if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else int(now),
        "action_source": "website",
        "user_data": user,
    }
    named = {"event_id": "eid", "event_source_url": "dl", "referrer_url": "rl"}
    event |= {name: said[short] for name, short in named.items() if said.get(short)}
    return event | ({"custom_data": custom} if custom else {})


def _typed(value: str) -> Any:
    if _NUMBER.match(value):
        return float(value) if "." in value else int(value)
    return value
