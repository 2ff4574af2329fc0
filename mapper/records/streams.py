"""Inputs that somebody is still writing: a pipe, or a file that grows.

Reading from them waits, and whoever waits may have better things to do: send what has been read, or end. So while
nothing comes, ``idle`` is called about ten times a second; it says whether to end.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

_PAUSE: Final = 0.1

Idle = Callable[[], bool]
"""Called while nothing comes; returns whether to end the reading."""


class Waiting(io.RawIOBase):
    """A file descriptor that is read as far as it goes. ``was_cut``: the reading was ended, not the input."""

    def __init__(self, descriptor: int, idle: Idle) -> None:
        self._descriptor = descriptor
        self._idle = idle
        self.was_cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._comes():
            if self._idle():
                self.was_cut = True
                return 0
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        return os.read(self._descriptor, size)

    def _comes(self) -> bool:
        """Whether there is something to read, or the end, within a moment."""
        try:
            import select

            return bool(select.select([self._descriptor], [], [], _PAUSE)[0])
        except (OSError, ValueError):  # not a pipe, or a system that cannot tell
            return True


class Pipe:
    """A pipe that has a name, such as what a shell writes for ``<(zcat orders.gz)``: opened when it is read, once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    @property
    def stream(self) -> BinaryIO:
        """The pipe, open for reading.

        raises  OSError
        """
        if self._stream is None:
            self._stream = self._path.open("rb")
        return self._stream


class Growing(Waiting):
    """A file that grows. It ends when another file has taken its place, or when it has been emptied."""

    def __init__(self, path: Path, idle: Idle) -> None:
        self._file = path.open("rb", buffering=0)
        super().__init__(self._file.fileno(), idle)
        self._path = path
        self._position = 0

    def close(self) -> None:
        self._file.close()
        super().close()

    def _read(self, size: int) -> bytes:
        data = super()._read(size)
        self._position += len(data)
        return data

    def _comes(self) -> bool:
        mine = os.fstat(self._descriptor)
        if mine.st_size != self._position:  # it has grown, or was emptied
            return True
        time.sleep(_PAUSE)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:  # between two files, while it is rotated
            return False
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)
