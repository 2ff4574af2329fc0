"""Locks a journal's files: one process at a time, readable by their owner alone, and whole."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from ..errors import DeliveryError
from . import ledger

_ANOTHER = "Name another with --journal."
_START = b"SQLite format 3\0"


class Locked:
    """A journal's database, and the lock that goes with the process that holds it, however that ends."""

    def __init__(self, path: Path) -> None:
        """Open a journal's database, or begin one.

        raises  DeliveryError (exit code 5)
        """
        self.path = path
        self._refuse_what_is_none()
        self._lock = self._locked()
        self.was_there = path.exists()
        self._log: int | None = None
        with ExitStack() as unless_opened:
            unless_opened.callback(os.close, self._lock)
            self.database = self._opened()
            unless_opened.pop_all()

    def _refuse_what_is_none(self) -> None:
        """Leave a file as it is that was named by mistake: SQLite takes one of a single byte for an empty database.

        Unless it was being changed when the power was cut, which may leave anything: SQLite undoes or finishes that.
        """
        if any(self._beside(part).exists() for part in ("-journal", "-wal")):
            return
        try:
            if self.path.is_symlink() or not self.path.is_file():
                return
            with self.path.open("rb") as file:
                start = file.read(len(_START))
        except OSError:
            return  # what is wrong with it is said when it is opened
        if start and start != _START:
            raise self._no_journal()

    def _no_journal(self) -> DeliveryError:
        return DeliveryError("journal", f"{self.path} is no journal, or not of this version", 5, _ANOTHER)

    def _locked(self) -> int:
        lock = self._private(self._beside(".lock"))
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on Windows; SQLite's own still hold for every change
            return lock
        except OSError as error:
            os.close(lock)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                hint = f"Wait for it to end; `mapper journal show {self.path}` says how far it is."
                raise DeliveryError("journal-in-use", f"another run holds the journal {self.path}", 5, hint) from None
            message = f"the journal {self.path} cannot be locked: {error.strerror}"
            raise DeliveryError(
                "journal", message, 5, "Name another with --journal, on a disk of this machine."
            ) from None
        return lock

    def _beside(self, part: str) -> Path:
        return self.path.with_name(f"{self.path.name}{part}")

    def _private(self, path: Path) -> int:
        """A file that only its owner may read, made if it is not there. Nobody leads us elsewhere with a link."""
        try:
            found = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise self._unopened("it is a link" if path.is_symlink() else error.strerror or "") from None
        with suppress(OSError, AttributeError):  # another's file, or a system without modes
            os.fchmod(found, 0o600)
        return found

    def _unopened(self, why: str) -> DeliveryError:
        return DeliveryError("journal", f"the journal {self.path} cannot be opened: {why}", 5, _ANOTHER)

    def _opened(self) -> sqlite3.Connection:
        os.close(self._private(self.path))
        for part in ("-journal", "-wal", "-shm"):
            if self._beside(part).is_symlink():
                raise self._unopened(f"{self.path.name}{part} is a link")
        try:
            database = ledger.opened(self.path)
            whole = ledger.is_whole(database)
        except ValueError:
            raise self._no_journal() from None
        except sqlite3.Error as error:
            raise broken(self.path, error) from None
        if not whole:
            database.close()
            hint = "Compare with the destination's own log what has arrived, and name another with --journal."
            raise DeliveryError("journal-damaged", f"the journal {self.path} is damaged", 5, hint)
        return database

    def log(self) -> int:
        """The file that changes are written to first, open to bring it to the disk.

        raises  OSError
        """
        if self._log is None:
            self._log = os.open(self._beside("-wal"), os.O_RDWR)
        return self._log

    def close(self) -> None:
        """Let go of the files."""
        if self._log is not None:
            os.close(self._log)
        self.database.close()
        with suppress(ImportError):
            import fcntl

            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file open as well
        os.close(self._lock)

    def __enter__(self) -> Locked:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def broken(path: Path, error: sqlite3.Error | OSError) -> DeliveryError:
    """A trouble of the database, or of the disk below it, as it is said."""
    said = error.strerror if isinstance(error, OSError) else error
    hint = "Make room, or name another with --journal. What was settled stays settled."
    return DeliveryError("journal", f"the journal {path} cannot be used: {said}", 5, hint)
