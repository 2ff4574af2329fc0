"""What the page reads and does: its state as a stream, events and requests in stretches, faults, forgetting.

Only the page of the same origin can read or change anything here: see ``guard``.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from . import details, faults, queries
from .bell import Bell
from .endpoint import Endpoint
from .faults import Fault, FaultError
from .judging import MATCH_KEYS
from .replies import JSON
from .store import Store

FIRST: Final = 100
"""Events that the page is given when it is opened: a stretch of its list."""
_MAX_NUMBER: Final = 1 << 62
_encode = msgspec.json.Encoder().encode


class Api:
    """Answers the page."""

    def __init__(self, store: Store, endpoint: Endpoint, bell: Bell, clock: Callable[[], float]) -> None:
        self._store, self._endpoint, self._bell, self._clock = store, endpoint, bell, clock
        self._run = secrets.token_hex(8)  # tells a page that it talks to another run than before
        destination = endpoint.destination
        fields = ((key, destination.field(f"user_data.{key}")) for key in MATCH_KEYS)
        self._labels = {key: field.label for key, field in fields if field is not None}
        self._titles = {rule.id: rule.title for rule in destination.rules}

    def routes(self) -> list[Route]:
        return [
            Route("/api/stream", self.stream),
            Route("/api/state", self.state),
            Route("/api/first.js", self.first),
            Route("/api/events", self.events),
            Route("/api/events/{number:int}", self.event),
            Route("/api/requests", self.requests),
            Route("/api/requests/{number:int}", self.request),
            Route("/api/faults", self.inject, methods=["POST"]),
            Route("/api/faults/{place:int}", self.mend, methods=["DELETE"]),
            Route("/api/faults", self.mend_all, methods=["DELETE"]),
            Route("/api/clear", self.clear, methods=["POST"]),
        ]

    async def stream(self, request: Request) -> Response:
        """The state, again and again as it changes, as server-sent events."""

        async def messages() -> AsyncIterator[bytes]:
            async for _ in self._bell.rings():
                state = await anyio.to_thread.run_sync(self._state)
                yield b"data: " + _encode(state) + b"\n\n"

        return StreamingResponse(messages(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def state(self, request: Request) -> Response:
        return _json(await anyio.to_thread.run_sync(self._state))

    async def first(self, request: Request) -> Response:
        """The state and the newest events as a module of the page, so that they are there when it is drawn first."""
        state = await anyio.to_thread.run_sync(self._state)
        events = await self._ask(queries.events, queries.Filter(), 0, FIRST)
        said = {"state": state, "limit": FIRST, "events": events}
        return Response(b"export default " + _encode(said) + b";\n", media_type="text/javascript; charset=utf-8")

    def _state(self) -> dict[str, Any]:
        store, endpoint = self._store, self._endpoint
        now = self._clock()
        plan, options = endpoint.plan, endpoint.options
        with store.lock:
            cube, rates = store.cube, store.rates.of(now)
            counted: dict[str, Any] = {
                "counts": cube.verdicts(),
                "names": [one | {"rate": rates[one["name"]]} for one in cube.names()],
                "rules": cube.rules(),
                "codes": cube.test_codes(),
                "pruned": dict(store.pruned),
                "last": store.last,
                "requests": store.last_request,
                "plot": queries.arrivals(store, now),
            }
        return counted | {
            "now": now,
            "destination": endpoint.destination.title,
            "pixel": options.pixel_id,
            "strict": options.strict,
            "remembers": store.path.name if store.path is not None else "",
            "faults": [str(fault) for fault in plan.faults],
            "kinds": dict(faults.KINDS),
            "expired": plan.expired,
            "keys": MATCH_KEYS,
            "labels": self._labels,
            "titles": self._titles,
            "changes": store.changes,
            "run": self._run,
        }

    async def events(self, request: Request) -> Response:
        """A stretch of the events that fit."""
        asked = request.query_params
        chosen = queries.Filter(
            verdict=asked.get("verdict", ""),
            name=asked.get("name", ""),
            test_code=asked.get("code", ""),
            rule=asked.get("rule", ""),
            search=asked.get("q", "")[:200],
            request=_number(asked.get("request")),
            upto=_number(asked.get("upto")),
        )
        return _json(await self._ask(queries.events, chosen, _number(asked.get("offset")), _number(asked.get("limit"))))

    async def event(self, request: Request) -> Response:
        """One event, explained."""
        found = await anyio.to_thread.run_sync(self._event, request.path_params["number"])
        return _json(found) if found is not None else _json({"error": "forgotten"}, 404)

    def _event(self, number: int) -> dict[str, Any] | None:
        one = queries.event(self._store, min(number, _MAX_NUMBER))
        if one is None:
            return None
        twin = queries.event(self._store, one.twin) if one.twin else None
        row = {name: value for name, value in asdict(one).items() if name != "body"}
        return row | {
            **details.explained(one, self._endpoint.judge),
            "tries": queries.attempts(self._store, one),
            "copy": {"id": twin.id, "source": twin.source, "at": twin.at, "merged": twin.merged} if twin else None,
        }

    async def requests(self, request: Request) -> Response:
        asked = request.query_params
        return _json(await self._ask(queries.requests, _number(asked.get("offset")), _number(asked.get("limit"))))

    async def request(self, request: Request) -> Response:
        """One request."""
        number = min(request.path_params["number"], _MAX_NUMBER)
        found = await anyio.to_thread.run_sync(queries.request, self._store, number)
        return _json(found) if found is not None else _json({"error": "forgotten"}, 404)

    async def inject(self, request: Request) -> Response:
        """Set a fault; the body is its text."""
        text = (await request.body())[:200].decode("utf-8", "replace")
        try:
            self._endpoint.plan.add(Fault.parse(text))
        except FaultError as error:
            return _json({"error": str(error)}, 400)
        self._bell.ring()
        return _json({})

    async def mend(self, request: Request) -> Response:
        """Take a fault away."""
        self._endpoint.plan.remove(request.path_params["place"])
        self._bell.ring()
        return _json({})

    async def mend_all(self, request: Request) -> Response:
        """Take all faults away; the token is valid again."""
        self._endpoint.plan.clear()
        self._bell.ring()
        return _json({})

    async def clear(self, request: Request) -> Response:
        """Forget all events."""
        await anyio.to_thread.run_sync(self._store.clear)
        return _json({})

    async def _ask(self, query: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        return await anyio.to_thread.run_sync(partial(query, self._store, *arguments))


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type=JSON)


def _number(text: str | None) -> int:
    """A number of a query: 0 for none and for what is no number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0
