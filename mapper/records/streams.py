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

PAUSE: Final = 0.1
"""Seconds between two looks."""

_QUIET: Final = 10
"""Pauses in which nothing came to a file that was rotated, before the one in its place is read."""

_KNOWN_BY: Final = 4_096
"""Bytes by which is told whether what was read of a file still stands there."""

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

            return bool(select.select([self._descriptor], [], [], PAUSE)[0])
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
    """A file that grows. It ends when another file has taken its place, or when it was written anew.

    Whoever rotates a file renames it first, and tells the writer afterwards: for a moment both of them are there, and
    records still go to the old one. So it is left only when the new one has something and this has been quiet.
    """

    def __init__(self, path: Path, idle: Idle, stands: tuple[int, int] | None = None) -> None:
        """``stands``: the device and number of the file that is meant; another one is at its end at once."""
        self._file = path.open("rb", buffering=0)
        super().__init__(self._file.fileno(), idle)
        self._path = path
        self._position = 0
        self._last = b""
        self._changed_at = 0
        self._quiet = 0
        mine = os.fstat(self._descriptor)
        self._is_over = stands is not None and stands != (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _read(self, size: int) -> bytes:
        if self._is_over:
            return b""
        data = super()._read(size)
        self._position += len(data)
        self._last = (self._last + data)[-_KNOWN_BY:]
        self._quiet = 0
        return data

    def _comes(self) -> bool:
        mine = os.fstat(self._descriptor)
        self._is_over = self._is_over or mine.st_size < self._position or self._is_another(mine)
        if self._is_over or mine.st_size > self._position:
            return True
        time.sleep(PAUSE)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:  # between two files, while it is rotated
            return False
        if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino) or not there.st_size:
            return False
        self._quiet += 1
        self._is_over = self._quiet >= _QUIET
        return self._is_over

    def _is_another(self, mine: os.stat_result) -> bool:
        """Whether it was emptied and has grown again since we looked: what was read of it does not stand there."""
        if mine.st_mtime_ns == self._changed_at:
            return False
        self._changed_at = mine.st_mtime_ns
        self._file.seek(self._position - len(self._last))
        there = self._file.read(len(self._last))
        self._file.seek(self._position)
        return there != self._last


def awaited(path: Path, idle: Idle, missing: Callable[[], None]) -> tuple[int, int] | None:
    """Wait until a file that is to be followed is there and has something.

    idle      as everywhere: called while nothing comes, and ends it
    missing   called once if there is no such file
    returns   its device and its number there; None if it was ended
    """
    is_told = False
    while True:
        try:
            there = path.stat()
        except FileNotFoundError:
            if not is_told:
                is_told = True
                missing()
        else:
            if there.st_size:
                return there.st_dev, there.st_ino
        if idle():
            return None
        time.sleep(PAUSE)
