"""Wakes the open pages when something has changed, from whichever thread it changed in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Final

PACE: Final = 0.2
"""Seconds between two messages to a page at least: changes in between go out together."""

IDLE: Final = 15.0
"""Seconds after which a page hears something even if nothing has changed."""


class Bell:
    """Rings for everyone who listens. ``ring`` and ``close`` may be called from any thread."""

    def __init__(self) -> None:
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def ring(self) -> None:
        """Something has changed."""
        with self._lock:
            for loop, event in self._listeners:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Send everyone home."""
        self._closed = True
        self.ring()

    async def rings(self) -> AsyncIterator[None]:
        """Once at the start, then after changes, until the bell is closed."""
        event = asyncio.Event()
        listener = (asyncio.get_running_loop(), event)
        with self._lock:
            self._listeners.add(listener)
        try:
            while not self._closed:
                yield
                try:
                    async with asyncio.timeout(IDLE):
                        await event.wait()
                    if not self._closed:
                        await asyncio.sleep(PACE)
                except TimeoutError:
                    pass
                event.clear()
        finally:
            with self._lock:
                self._listeners.discard(listener)
