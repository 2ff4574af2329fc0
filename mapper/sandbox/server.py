"""Runs the endpoint: in a thread beside a run (``running``), or standing (``serve``)."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from ..destination import Destination, load_destination
from ..errors import DeliveryError
from .app import LOOPBACK, create_app
from .store import Store

PIXEL_ID = "1234567890"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is up.

    url        where it answers: ``http://127.0.0.1:8123``
    settings   the settings to send to it with
    store      what it has received
    """

    url: str
    settings: Mapping[str, str]
    store: Store


@contextmanager
def running(destination: Destination | None = None, *, port: int = 0, store: Store | None = None) -> Iterator[Sandbox]:
    """A sandbox on a free port of loopback, in a thread, for as long as the block lasts."""
    destination = destination or load_destination("meta")
    store = store or Store()
    token = secrets.token_urlsafe(24)
    app = create_app(destination, store, pixel_id=PIXEL_ID, token=token)
    bound = _bound("127.0.0.1", port)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="sandbox", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 15
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise DeliveryError("sandbox", "the sandbox does not start", 70)
            time.sleep(0.005)
        settings = {"PIXEL_ID": PIXEL_ID, "ACCESS_TOKEN": token}
        yield Sandbox(f"http://127.0.0.1:{bound.getsockname()[1]}", settings, store)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()


def serve(destination: Destination, *, host: str, port: int, token: str, pixel_id: str = PIXEL_ID) -> None:
    """Run a sandbox until it is interrupted.

    raises  DeliveryError (exit code 2) if the port is taken
    """
    hosts = LOOPBACK if host in LOOPBACK else (*LOOPBACK, host)
    app = create_app(destination, Store(), pixel_id=pixel_id, token=token, hosts=hosts)
    bound = _bound(host, port)
    uvicorn.Server(_config(app)).run(sockets=[bound])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        hint = "Choose another with --port."
        raise DeliveryError("port", f"port {port} of {host} cannot be used: {error.strerror}", 2, hint) from None
    bound.listen(128)
    return bound


def _config(app: Starlette) -> uvicorn.Config:
    # No access log: an address may hold a token. No lifespan: there is nothing to start.
    return uvicorn.Config(
        app, access_log=False, log_config=None, lifespan="off", server_header=False, timeout_keep_alive=30
    )
