"""``mapper.Sender`` for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Unpack

from ..events.program import Program
from .dispatch import GRACE
from .options import SenderOptions
from .receipts import Receipt
from .report import Report
from .sender import Sender
from .settings import Settings

_AT_ONCE: Final = 1000
"""Records that are handed on together at most."""

Handed = tuple[dict[str, Any] | bytes | str, asyncio.Future[Receipt]]
"""A record, and who waits for its receipt."""


class AsyncSender:
    """A ``Sender`` for asyncio: the same promises, and no call blocks the loop.

    It belongs to one event loop. Calls of ``send`` that wait at the same time wait for one write to the disk. One that
    is cancelled may have handed its record over.

    async with mapper.AsyncSender(program, journal="events.journal") as sender:
        receipt = await sender.send(record)   # the record is safe
        fate = await receipt                  # and this became of its events
    """

    def __init__(self, program: Program, **options: Unpack[SenderOptions]) -> None:
        """The arguments are those of ``Sender``."""
        options["settings"] = Settings(options.get("settings"))
        self._sender = Sender(program, **options)
        self._handed = deque[Handed]()
        self._carrier: asyncio.Task[None] | None = None

    async def send(self, record: dict[str, Any] | bytes | str) -> Receipt:
        """As ``Sender.send``."""
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._handed.append((record, receipt))
        if self._carrier is None or self._carrier.done():
            self._carrier = asyncio.create_task(self._carry())
        return await receipt

    async def _carry(self) -> None:
        """Hand on what has come while the disk was busy, until nothing more comes."""
        while self._handed:
            handed = [self._handed.popleft() for _ in range(min(_AT_ONCE, len(self._handed)))]
            sending = self.send_all([record for record, _ in handed])
            [found] = await asyncio.gather(sending, return_exceptions=True)  # whoever waits is told, whatever it is
            for place, (_, waiting) in enumerate(handed):
                if waiting.done():  # or cancelled
                    continue
                if isinstance(found, BaseException):
                    waiting.set_exception(found)
                else:
                    waiting.set_result(found[place])

    async def send_all(self, records: Sequence[dict[str, Any] | bytes | str]) -> list[Receipt]:
        """As ``Sender.send_all``."""
        return await asyncio.to_thread(self._sender.send_all, records)

    async def flush(self, seconds: float | None = None) -> bool:
        """As ``Sender.flush``."""
        return await asyncio.to_thread(self._sender.flush, seconds)

    def report(self) -> Report:
        """As ``Sender.report``."""
        return self._sender.report()

    async def close(self, seconds: float = GRACE) -> Report:
        """As ``Sender.close``."""
        return await asyncio.to_thread(self._sender.close, seconds)

    async def __aenter__(self) -> AsyncSender:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
