"""Runs the sandbox: in a thread beside a run or a test (``running``), or standing (``serve``)."""

from __future__ import annotations

import asyncio
import gc
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..destinations.destination import Destination, load_destination
from ..errors import DeliveryError
from .app import create_app
from .discovery import Standing, announced, find
from .endpoint import CUT, Options
from .faults import Fault, Plan
from .guard import LOOPBACK
from .records import Stored
from .store import Store

PIXEL_ID: Final = "1234567890"
_START: Final = 15.0
_SILENCE: Final = 30.0
"""Seconds within which the head of a first request has to arrive."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is up.

    url        where it answers: ``http://127.0.0.1:8123``; its page is there, too
    settings   the settings to send to it with
    store      what it has received
    plan       the faults that are set
    """

    url: str
    settings: Mapping[str, str] = field(repr=False)
    store: Store
    plan: Plan
    is_standing: ClassVar[bool] = False

    @property
    def pixel_id(self) -> str:
        return self.settings["PIXEL_ID"]

    @property
    def token(self) -> str:
        return self.settings["ACCESS_TOKEN"]

    @property
    def environ(self) -> dict[str, str]:
        """The settings as variables of the environment: ``META_PIXEL_ID``, ``META_ACCESS_TOKEN``."""
        return {f"META_{name}": value for name, value in self.settings.items()}

    def events(self, name: str | None = None, *, verdict: str | None = "accepted") -> list[Stored]:
        """The events that it has, oldest first: the accepted ones, or those with another verdict, or all (None)."""
        return self.store.events(name, verdict=verdict)

    def refused(self, name: str | None = None) -> list[Stored]:
        """The events that were refused for a fault of their own."""
        return self.store.events(name, verdict="refused")

    def inject(self, *faults: str | Fault) -> None:
        """Set faults, such as ``"throttle-80004:seconds=2,times=1"``."""
        for fault in faults:
            self.plan.add(Fault.parse(fault) if isinstance(fault, str) else fault)

    def clear(self) -> None:
        """Forget all events and faults."""
        self.plan.clear()
        self.store.clear()


@contextmanager
def running(
    destination: Destination | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    store: Store | None = None,
    pixel_id: str = PIXEL_ID,
    token: str = "",
    faults: Iterable[str | Fault] = (),
    seed: int = 0,
    clock: Callable[[], float] = time.time,
    **options: Any,
) -> Iterator[Sandbox]:
    """A sandbox on a free port of loopback, in a thread, for as long as the block lasts.

    clock     the time in Unix seconds
    options   more of ``Options``: ``strict``, ``app_secret``, ``production``, ``terse``
    raises    DeliveryError if the port is taken
    """
    token = token or secrets.token_urlsafe(24)
    kept = store or Store()
    chosen = Options(pixel_id=pixel_id, token=token, **options)
    found = [Fault.parse(one) if isinstance(one, str) else one for one in faults]
    rules = destination or load_destination("meta")
    app = create_app(rules, kept, chosen, faults=found, seed=seed, clock=clock, hosts=_names(host, ()))
    bound = _bound(host, port)
    server = _Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="sandbox", daemon=True)
    thread.start()
    try:
        _await(server, thread)
        url = _url(host, bound.getsockname()[1])
        yield Sandbox(url, {"PIXEL_ID": pixel_id, "ACCESS_TOKEN": token}, kept, app.state.plan)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
        if store is None:
            kept.close()


@contextmanager
def available(destination: Destination) -> Iterator[Sandbox | Standing]:
    """The sandbox that stands on this machine, or one for as long as the block lasts."""
    standing = find(destination.name)
    if standing is not None:
        yield standing
        return
    with running(destination) as sandbox:
        yield sandbox


def serve(
    destination: Destination,
    *,
    host: str,
    port: int,
    token: str,
    pixel_id: str = PIXEL_ID,
    store: Store | None = None,
    faults: Iterable[Fault] = (),
    seed: int = 0,
    allow_hosts: Collection[str] = (),
    on_start: Callable[[str], None] | None = None,
    announce: bool = True,
    **options: Any,
) -> None:
    """Run a sandbox until it is interrupted.

    allow_hosts  further names under which it answers
    on_start     called with its address once it listens
    announce     whether others of this user may find it, token included
    options      more of ``Options``
    raises       DeliveryError (exit code 2) if the port is taken
    """
    chosen = Options(pixel_id=pixel_id, token=token, **options)
    kept = store or Store()
    app = create_app(destination, kept, chosen, faults=faults, seed=seed, hosts=_names(host, allow_hosts))
    try:
        bound = _bound(host, port)
        url = _url(host, bound.getsockname()[1])
        if on_start is not None:
            on_start(url)
        settings = {"PIXEL_ID": pixel_id, "ACCESS_TOKEN": token}
        gc.freeze()  # what is there now stays, and need not be looked through again while events are judged
        with announced(Standing(url, destination.name, settings)) if announce else nullcontext():
            _Server(_config(app)).run(sockets=[bound])
    finally:
        kept.close()


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    return host in LOOPBACK or host.startswith("127.")


def _names(host: str, more: Collection[str]) -> tuple[str, ...]:
    return (*LOOPBACK, host, *more)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _await(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise DeliveryError("sandbox", "the sandbox does not start", 70)
        time.sleep(0.002)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small packets at once: otherwise every answer is 40 ms late.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        hint = "Choose another with --port."
        raise DeliveryError("port", f"port {port} of {host} cannot be used: {error.strerror}", 2, hint) from None
    bound.listen(128)
    return bound


class _Server(uvicorn.Server):
    """A server whose open pages do not keep it from ending, and whose end leaves time to tidy up."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at a signal, without raising it again: that would end the process before its file is taken away."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        bell = getattr(self.config.app.state, "bell", None)  # type: ignore[union-attr]
        if bell is not None:
            bell.close()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """HTTP whose connections can be broken on purpose, are closed if nothing comes, and log no address.

    An address may hold a token. The server's own switch for this is a logger's, and others may turn it back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            silence.cancel()
            scope[CUT] = transport.abort
            await inner(scope, receive, send)

        self.app = app
        silence = self.loop.call_later(_SILENCE, transport.abort)


def _config(app: Starlette) -> uvicorn.Config:
    # No lifespan: there is nothing to start.
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        access_log=False,
        log_config=None,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
