"""A real HTTP server on loopback that answers as it is told, and what whole runs against it need."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mapper.delivery.report import Report

NOW = 1_772_366_400.0
"""2026-03-01T12:00:00Z, the clock of most tests."""

SETTINGS = {"PIXEL_ID": "123", "ACCESS_TOKEN": "sentinel-of-a-token"}

PATIENCE = 30.0
"""Seconds that something may take on a machine that has much else to do."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for what a test is about, not for a time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def taken(events: list[dict[str, Any]]) -> tuple[int, Any]:
    return 200, {"events_received": len(events), "messages": [], "fbtrace_id": "A"}


def invalid(subcode: int | None = 2804050) -> dict[str, Any]:
    return {"error": {"message": "Invalid parameter", "type": "OAuthException", "code": 100, "error_subcode": subcode}}


def lead(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "type": "lead",
        "at": int(NOW) - 60,
        "id": f"id-{number}",
        "email": f"person{number}@example.com",
        "url": "https://shop.example/",
        "agent": "Mozilla/5.0",
        "ip": "203.0.113.7",
    }
    return {**record, **changes}


def sums_hold(report: Report) -> None:
    records, events = report.records, report.events
    assert records.read == records.mapped + records.ignored + records.dead
    assert events.made == events.sent + events.rejected + events.pending


class Listening:
    """A socket on loopback; ``_serve`` is called for each connection, in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Answering:
    """A real HTTP server that answers as it is told: a list of (status, body) or a function of the events."""

    def __init__(self, answer: Callable[[Any], tuple[int, Any]], *, whole: bool = False) -> None:
        """``whole``: the function is given the whole body, and not the events that it holds under ``data``."""
        self.requests: list[Any] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = body if whole else body["data"]
                outer.requests.append(asked)
                outer.paths.append(self.path)
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, said = answer(asked)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
