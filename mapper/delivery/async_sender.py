"""``mapper.Sender`` for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Unpack

from ..events.program import Program
from .dispatch import GRACE
from .options import SenderOptions
from .receipts import Receipt
from .report import Report
from .sender import Sender


class AsyncSender:
    """A ``Sender`` for asyncio: the same promises, and no call blocks the loop.

    async with mapper.AsyncSender(program, journal="events.journal") as sender:
        receipt = await sender.send(record)   # the record is safe
        fate = await receipt                  # and this became of its events
    """

    def __init__(self, program: Program, **options: Unpack[SenderOptions]) -> None:
        """The arguments are those of ``Sender``."""
        self._sender = Sender(program, **options)

    async def send(self, record: dict[str, Any] | bytes | str) -> Receipt:
        """As ``Sender.send``."""
        return await asyncio.to_thread(self._sender.send, record)

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
