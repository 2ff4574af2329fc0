"""Sees to it that what was written reaches the disk: beside other work, for that may take milliseconds."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

_NOT_FOR_FOLDERS: Final = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


class Syncer:
    """Brings one file to the disk whenever it is asked to, in a thread of its own."""

    def __init__(self, descriptor: Callable[[], int]) -> None:
        """``descriptor`` gives the open file; it is called in the thread, and may raise OSError."""
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._asked = self._done = 0
        self._error: OSError | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def ask(self) -> int:
        """All that has been written by now is to reach the disk: a number that ``is_done`` and ``wait`` take."""
        with self._changed:
            self._asked += 1
            if self._thread is None:
                thread = threading.Thread(target=self._work, daemon=True)
                thread.start()  # which fails if there is no memory for it: then there is nobody to wait for
                self._thread = thread
            self._changed.notify_all()
            return self._asked

    def is_done(self, number: int) -> bool:
        """Whether it has.

        raises  OSError if the disk does not take it
        """
        with self._changed:
            if self._error is not None and self._done < number:
                raise self._error
            return self._done >= number

    def wait(self, number: int) -> None:
        """Wait until it has; raises as ``is_done``."""
        while not self.is_done(number):
            with self._changed:
                if self._done < number and self._error is None:
                    self._changed.wait(1.0)

    def close(self) -> None:
        """End, once all has reached the disk that was asked for."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._done >= self._asked and not self._is_closed:
                    self._changed.wait()
                if self._done >= self._asked:
                    return
                asked = self._asked
            try:
                _sync(self._descriptor())
            except (OSError, MemoryError) as error:
                with self._changed:
                    self._error = (
                        error if isinstance(error, OSError) else OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
                    )
                    self._changed.notify_all()
                return
            with self._changed:
                self._done = asked
                self._changed.notify_all()


def _sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_names(folder: Path) -> None:
    """See to it that the names in a folder reach the disk: without its name a new file is lost with all that is in it.

    raises  OSError if the disk does not take them; not for a system that keeps names in another way
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders; and this one may be closed to readers
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(descriptor)
