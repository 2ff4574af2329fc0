"""A destination that misbehaves as it is told, over raw sockets, and keeps a ledger of what really arrived.

The ledger is a witness of its own: it knows which events were stored, which of them were never confirmed clearly, and
whether the same id ever came with other bytes.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

Events = list[dict[str, Any]]
WEEK: Final = 7 * 86_400
"""Seconds for which an event is taken."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event at its moment: ``read``, or stored and confirmed (``clear``) or not (``unclear``)."""

    moment: float
    id: str
    how: str
    data: bytes = b""


@dataclass(slots=True)
class Ledger:
    """What arrived. ``stored`` counts by event id; ``unclear`` are those that were stored without a clear answer.

    ``seen`` are the ids of every request that was read, stored or not. ``history`` tells it all in its order.
    """

    seen: set[str] = field(default_factory=set)
    stored: Counter[str] = field(default_factory=Counter)
    unclear: Counter[str] = field(default_factory=Counter)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    conflicts: int = 0
    requests: int = 0
    times: list[float] = field(default_factory=list)
    elsewhere: int = 0
    written: int = 0
    refused: int = 0
    closed_from: float = 0.0
    closed_until: float = 0.0
    too_early: int = 0
    history: list[Arrival] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the means to answer it."""

    number: int
    events: Events
    connection: socket.socket
    server: Server

    def store(self, events: Events | None = None, *, clearly: bool) -> None:
        """Take events into the ledger; ``clearly`` says whether the sender will know."""
        ledger = self.server.ledger
        for event in self.events if events is None else events:
            key, data = str(event["event_id"]), json.dumps(event, sort_keys=True).encode()
            ledger.history.append(Arrival(self.server.moment(), key, "clear" if clearly else "unclear", data))
            ledger.stored[key] += 1
            ledger.unclear[key] += not clearly
            ledger.conflicts += ledger.bytes_of.setdefault(key, data) != data

    def answer(self, status: int, body: Any, headers: str = "", *, length: int | None = None) -> None:
        self.server.ledger.refused += status >= 400
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        size = len(data) if length is None else length
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n{headers}\r\n"
        self.raw(head.encode() + data)

    def raw(self, data: bytes) -> None:
        with suppress(OSError):
            self.connection.sendall(data)
            self.server.ledger.written += len(data)

    def received(self, count: int | None = None, **more: Any) -> dict[str, Any]:
        count = len(self.events) if count is None else count
        return {"events_received": count, "messages": [], "fbtrace_id": "A", **more}

    def accept(self) -> None:
        self.store(clearly=True)
        self.answer(200, self.received())

    def error(self, status: int, code: int, headers: str = "", **more: Any) -> None:
        error = {"message": "no", "type": "OAuthException", "code": code, "fbtrace_id": "A", **more}
        self.answer(status, {"error": error}, headers)

    def reset(self) -> None:
        """Close so that the other side sees an error."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def end(self) -> None:
        """Close as if all were well."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def hang(self) -> None:
        """Say nothing until the server ends."""
        self.server.is_over.wait(90)

    def closed_for(self, seconds: float, *, grace: float = 0.0) -> None:
        """Requests are too early for so many seconds; ``grace`` is for those that are on their way already."""
        self.server.ledger.closed_from = time.monotonic() + grace
        self.server.ledger.closed_until = time.monotonic() + seconds


Behaviour = Callable[[Exchange], None]


class Server:
    """Answers each request as its behaviour says; ``before`` is asked before a request is read at all.

    moment   a clock for the ledger's history, if it is to be another than the usual one
    """

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        before: Callable[[int, socket.socket], bool] = lambda number, connection: False,
        tls: ssl.SSLContext | None = None,
        keep: bool = True,
    ) -> None:
        self.behaviour, self.before, self.tls, self.keep = behaviour, before, tls, keep
        self.ledger = Ledger()
        self.moment: Callable[[], float] = time.monotonic
        self.is_over = threading.Event()
        self._lock = threading.Lock()
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.is_over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self.is_over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError, ssl.SSLError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._connections += 1
                number = self._connections
            if self.before(number, connection):
                return
            with connection:
                while (exchange := self._read(connection)) is not None:
                    self.behaviour(exchange)
                    if not self.keep:
                        return

    def _read(self, connection: socket.socket) -> Exchange | None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
            if not b"POST ".startswith(data[:5]):  # no HTTP at all
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"POST /v25.0/123/events?"):
            self.ledger.elsewhere += 1
        lines = head.lower().split(b"\r\n")
        [size] = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")]
        while len(body) < size:
            part = connection.recv(65536)
            if not part:
                return None
            body += part
        with self._lock:
            self.ledger.requests += 1
            moment = time.monotonic()
            self.ledger.times.append(moment)
            self.ledger.too_early += self.ledger.closed_from < moment < self.ledger.closed_until
            events = json.loads(body)["data"]
            ids = [str(event["event_id"]) for event in events]
            self.ledger.seen.update(ids)
            self.ledger.history += [Arrival(self.moment(), one, "read") for one in ids]
            return Exchange(self.ledger.requests, events, connection, self)
