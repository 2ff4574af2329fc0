"""The sandbox as an ASGI application: the endpoint, the pixel, the page and what the page reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..destinations.destination import Destination
from . import page, replies
from .api import Api
from .bell import Bell
from .endpoint import Endpoint, Options
from .faults import Fault, Plan
from .guard import LOOPBACK, Guard
from .pixel import Pixel
from .store import Store

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]

_EVENTS = tuple(f"{version}/{{pixel}}/events{end}" for version in ("/{version}", "") for end in ("", "/"))
"""The version may be left out, and a stroke may follow, as with every path of the Graph API."""


def create_app(
    destination: Destination,
    store: Store,
    options: Options,
    *,
    faults: Iterable[Fault] = (),
    seed: int = 0,
    clock: Callable[[], float] = time.time,
    hosts: Collection[str] = LOOPBACK,
) -> Starlette:
    """The sandbox as an ASGI application.

    destination   whose rules hold
    store         takes what arrives
    options       the pixel, its token, and how strict to be
    faults, seed  faults from the start, and what decides when they strike
    clock         the time in Unix seconds
    hosts         the names under which it answers
    """
    plan = Plan(faults, seed=seed)
    endpoint = Endpoint(destination, store, options, plan, clock)
    bell = Bell()
    store.listen(bell.ring)
    pixel = Pixel(endpoint.judge, store, options.pixel_id, clock)
    routes = [
        *page.routes(),
        *Api(store, endpoint, bell, clock).routes(),
        *(Route(path, endpoint.events, methods=_METHODS) for path in _EVENTS),
        Route("/tr", pixel.tr, methods=["GET", "POST"]),
        Route("/{path:path}", _nowhere, methods=_METHODS),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts)])
    app.state.plan, app.state.bell = plan, bell
    return app


async def _nowhere(request: Request) -> Response:
    return replies.error(404, 2500, "Unknown path components", replies.trace_id()).response()
