"""The endpoint: one path, Meta's rules, Meta's replies.

It answers on loopback names only, so that no page of another site can reach it through a name of its own, and it never
logs an address, which may hold a token.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..destination import Destination
from ..validation import validate
from . import replies
from .replies import Reply
from .store import Store

MAX_BODY: Final = 32 * 1024 * 1024
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]", "::1")
_VERSION: Final = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def create_app(
    destination: Destination,
    store: Store,
    *,
    pixel_id: str,
    token: str,
    clock: Callable[[], float] = time.time,
    hosts: tuple[str, ...] = LOOPBACK,
) -> Starlette:
    """The endpoint as an ASGI application.

    destination   whose rules hold
    store         takes what arrives
    pixel_id      the only pixel there is
    token         the only token that may send to it
    clock         the time in Unix seconds
    hosts         the names under which it answers
    """
    endpoint = _Endpoint(destination, store, pixel_id, token, clock)
    routes = [
        Route("/{version}/{pixel}/events", endpoint.events, methods=["POST", "GET", "PUT", "DELETE", "PATCH"]),
        Route("/{path:path}", endpoint.nowhere, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))])


class _Endpoint:
    def __init__(
        self, destination: Destination, store: Store, pixel_id: str, token: str, clock: Callable[[], float]
    ) -> None:
        self.destination, self.store = destination, store
        self.pixel_id, self.token, self.clock = pixel_id, token, clock

    async def events(self, request: Request) -> Response:
        trace = replies.trace_id()
        if request.method != "POST":
            return _sent(replies.error(400, 100, f"Unsupported {request.method.lower()} request.", trace))
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _sent(replies.error(413, 1, "Request entity too large", trace))
        return _sent(self.answer(request, body, trace))

    async def nowhere(self, request: Request) -> Response:
        message = "Unknown path components"
        return _sent(replies.error(404, 2500, message, replies.trace_id()))

    def answer(self, request: Request, raw: bytes, trace: str) -> Reply:
        """One request, from its path to its events, refused at the first thing that Meta refuses."""
        if _VERSION.fullmatch(request.path_params["version"]) is None:
            return replies.error(400, 2500, "Unknown path components", trace)
        try:
            body = _decoded(request.headers.get("content-type", ""), raw)
        except (ValueError, RecursionError):
            return replies.error(400, 100, "The body is not valid JSON", trace)
        denied = self._denied(request, body, trace)
        if denied is not None:
            return denied
        data = body.get("data")
        if isinstance(data, str):
            try:
                data = _decode(data)
            except (ValueError, RecursionError):
                data = None
        if not isinstance(data, list) or not data:
            return replies.error(400, 100, "(#100) The parameter data is required", trace)
        most = self.destination.batch.max_events
        if len(data) > most:
            return replies.error(400, 100, f"(#100) data has more than {most} events", trace)
        return self._judged(data, str(body.get("test_event_code") or ""), trace)

    def _denied(self, request: Request, body: dict[str, Any], trace: str) -> Reply | None:
        header = request.headers.get("authorization", "")
        token = request.query_params.get("access_token") or body.get("access_token") or header.removeprefix("Bearer ")
        if not token:
            return replies.error(400, 104, "An access token is required to request this resource.", trace)
        if not hmac.compare_digest(str(token).encode(), self.token.encode()):
            return replies.error(401, 190, "Invalid OAuth access token.", trace)
        if request.path_params["pixel"] != self.pixel_id:
            message = "Unsupported post request. The object does not exist, or the token may not use it."
            return replies.error(400, 100, message, trace, kind="GraphMethodException", error_subcode=33)
        return None

    def _judged(self, data: list[Any], test_code: str, trace: str) -> Reply:
        now = self.clock()
        messages: list[str] = []
        for index, event in enumerate(data):
            for finding in validate(self.destination, event, now):
                if finding.level == "error":
                    found = (index, finding.path, finding.rule, finding.message)
                    self.store.add(now, 400, data, (found,), test_code)
                    return replies.refused(*found, trace)
        self.store.add(now, 200, data, test_code=test_code)
        return replies.received(len(data), messages, trace)


async def _body(request: Request) -> bytes | None:
    """The body, or None if it is larger than any request of 1,000 events."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            return None
    return bytes(data)


def _decoded(content_type: str, raw: bytes) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        from urllib.parse import parse_qsl

        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    body = _decode(raw)
    if not isinstance(body, dict):
        raise ValueError("a body is one object")
    return body


def _sent(reply: Reply) -> Response:
    return Response(_encode(reply.body), reply.status, media_type="application/json; charset=UTF-8")
