"""What the sandbox has received, in memory and bounded: the newest requests and events, and counts of all."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One request: when it came (Unix seconds), how it was answered, how many events it held, and what was wrong."""

    number: int
    at: float
    status: int
    events: int
    findings: tuple[Any, ...] = ()
    test_code: str = ""


@dataclass(slots=True)
class Store:
    """Takes requests from any thread. ``limit`` is how many events are kept."""

    limit: int = 10_000
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    by_name: Counter[str] = field(default_factory=Counter)
    requests: deque[Received] = field(default_factory=lambda: deque(maxlen=1000))
    _events: deque[dict[str, Any]] = field(default_factory=deque)
    _seen: dict[tuple[str, str], None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        """The newest accepted events, oldest first, as they were sent."""
        with self._lock:
            return list(self._events)

    def add(
        self, at: float, status: int, events: list[Any], findings: tuple[Any, ...] = (), test_code: str = ""
    ) -> Received:
        """Keep a request and, if it was accepted, its events."""
        with self._lock:
            self._count += 1
            request = Received(self._count, at, status, len(events), findings, test_code)
            self.requests.append(request)
            if status != 200:
                self.refused += len(events)
                return request
            for event in events:
                self._accept(event)
            return request

    def _accept(self, event: dict[str, Any]) -> None:
        self.accepted += 1
        name, identity = event["event_name"], event.get("event_id")
        self.by_name[name] += 1
        if identity is not None:
            key = (name, str(identity))
            self.duplicates += key in self._seen
            self._seen[key] = None
            if len(self._seen) > 20 * self.limit:
                self._seen.pop(next(iter(self._seen)))
        self._events.append(event)
        while len(self._events) > self.limit:
            self._events.popleft()
