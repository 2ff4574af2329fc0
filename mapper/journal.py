"""What is settled, on disk: so that a run that was killed goes on where it was, and a finished one sends nothing again.

A journal belongs to one mapping and one destination. For each input file it holds which stretches of it are settled
(every event in them was accepted or rejected, every refused record is in the dead letters) and which were on their way.
Before a request is sent its stretch is written down as *open*; when it is settled, as *done*. A run that begins finds
done stretches and passes over them; the events of open ones are sent again, with the same bytes and the same ids.

It holds offsets, counts and hashes of files: no record, no event, no token. Mode 0600. Only what cannot be read a
second time (standard input, records that a program hands over) is kept in it as well, as the events that are sent:
cleaned, hashed where the destination wants it, and erased once they are settled.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, TypeVar

from . import ledger
from .delivery import Item
from .errors import DeliveryError

WINDOW: Final = 44 * 3600
"""Seconds for which the destination drops copies (48 hours for Meta), less some: later, copies could count twice."""

_PREFIX: Final = 65_536
_CHECKED: Final = 4_096
_FORMAT: Final = "2"
_STREAM: Final = -1
"""The length of prefix of what is no file: nothing tells one pipe from another."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes ``start`` to ``end`` of a file, with so many lines that are not blank.

    mark   for a pipe, a hash of everything before ``end``
    """

    start: int
    end: int
    lines: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that must not be lost although its record cannot be read again; the so manyth of its stretch."""

    number: int
    line: int
    name: str
    key: str
    time: int | None
    expires: int | None
    encoded: bytes

    @classmethod
    def of(cls, number: int, item: Item) -> Kept:
        origin = item.origin
        return cls(number, origin.line.number, origin.name, origin.key, origin.time, item.expires, item.encoded)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What an earlier run kept and did not settle."""

    file: int
    stretch: Stretch
    kept: tuple[Kept, ...]


@dataclass(slots=True)
class Progress:
    """What is known of one file: everything before ``settled`` is done, and so are the stretches in ``done``.

    mark   for a pipe, a hash of everything before ``settled``
    """

    file: int
    settled: int = 0
    lines: int = 0
    done: list[Stretch] = field(default_factory=list)
    open: list[Stretch] = field(default_factory=list)
    mark: str = ""

    def is_done(self, offset: int) -> bool:
        """Whether the line at an offset is settled."""
        return offset < self.settled or (bool(self.done) and any(one.start <= offset < one.end for one in self.done))

    def was_sent(self, offset: int) -> bool:
        """Whether the line at an offset was on its way when an earlier run ended."""
        return bool(self.open) and any(one.start <= offset < one.end for one in self.open)


Method = TypeVar("Method", bound=Callable[..., Any])


def _guarded(method: Method) -> Method:
    """A method whose trouble with the database is said as such."""

    @wraps(method)
    def called(self: Journal, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except sqlite3.Error as error:
            raise self._broken(error) from None

    return called  # type: ignore[return-value]


class Journal:
    """An open journal. One thread uses it; one process holds it."""

    def __init__(self, path: Path, *, mapping: str, target: str, clock: Callable[[], float] = time.time) -> None:
        """Open a journal, or begin one.

        mapping   the program's fingerprint
        target    where events go, without a secret
        raises    DeliveryError: exit code 2 if it belongs to another mapping or target, 5 if it cannot be used
        """
        self.path = path
        self._clock = clock
        self._lock = self._locked()
        try:
            self._db = self._opened()
            self._check_seals()
            self._belongs(mapping, target)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise self._broken(error) from None
        except DeliveryError:
            os.close(self._lock)
            raise

    @classmethod
    def reading(cls, path: Path, database: sqlite3.Connection) -> Journal:
        """A journal that is only looked into."""
        found = cls.__new__(cls)
        found.path, found._clock, found._db = path, time.time, database
        return found

    def _locked(self) -> int:
        """Take the lock that only one process can hold; it goes with the process, however that ends."""
        beside = self.path.with_name(f"{self.path.name}.lock")
        try:
            lock = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"the journal {self.path} cannot be opened: {error.strerror}"
            raise DeliveryError("journal", message, 5, "Name another with --journal.") from None
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on Windows; SQLite's own still hold for every change
            return lock
        except OSError:
            os.close(lock)
            raise DeliveryError("journal-in-use", f"another run holds the journal {self.path}", 5) from None
        return lock

    def _opened(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        return ledger.opened(self.path)

    def _check_seals(self) -> None:
        if not ledger.is_whole(self._db):
            hint = "Compare with the destination's own log what has arrived, and name another with --journal."
            raise DeliveryError("journal-damaged", f"the journal {self.path} is damaged", 5, hint)

    def _belongs(self, mapping: str, target: str) -> None:
        said = {"format": _FORMAT, "mapping": mapping, "target": target}
        known = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        if not known:
            self._db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", said.items())
            return
        if known.get("format") != _FORMAT:
            hint = "Name another with --journal."
            raise DeliveryError("journal", f"{self.path} is no journal of this version", 5, hint)
        if known["target"] != target:
            hint = "Name another with --journal."
            raise DeliveryError("journal-target", f"the journal {self.path} is for {known['target']}", 2, hint)
        if known["mapping"] != mapping:
            query = "SELECT count(*) FROM ranges JOIN files ON id = file WHERE state = 'open' AND prefix_length > ?"
            if self._db.execute(query, (_STREAM,)).fetchone()[0]:
                hint = "Finish with the mapping of that run, or name another journal with --journal."
                message = "the mapping has changed, and events of an earlier run are still on their way"
                raise DeliveryError("journal-mapping", message, 2, hint)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'mapping'", (mapping,))

    @_guarded
    def progress(self, path: Path) -> Progress:
        """What is settled of a file, known by its content: a renamed or grown file is the same file.

        raises  DeliveryError (exit code 2) if what was settled of it has changed since
        """
        found = self.known(path)
        if found is not None:
            return found
        start = _start(path, _PREFIX)
        values = (len(start), _digest(start))
        number = self._db.execute("INSERT INTO files (prefix_length, prefix) VALUES (?, ?)", values).lastrowid
        return Progress(number or 0)

    @_guarded
    def known(self, path: Path) -> Progress | None:
        """The same, or None for a file that the journal has not seen."""
        start = _start(path, _PREFIX)
        rows = self._db.execute("SELECT id, prefix_length, prefix, settled, lines, checked FROM files").fetchall()
        for number, length, prefix, end, lines, checked in rows:
            if 0 < length <= len(start) and _digest(start[:length]) == prefix:
                if checked and checked != self._check(path, end):
                    hint = "Is it another file of the same beginning? Name another journal with --journal."
                    message = f"{path} has changed where it was sent already"
                    raise DeliveryError("journal-file", message, 2, hint)
                return self._found(number, end, lines)
        return None

    @_guarded
    def stream(self, *, again: bool = False) -> Progress:
        """A new stream of records that cannot be read twice; or with ``again`` the last one, from its start."""
        if again:
            query = "SELECT id, settled, lines, checked FROM files WHERE prefix_length = ? ORDER BY id DESC LIMIT 1"
            row = self._db.execute(query, (_STREAM,)).fetchone()
            if row is None:
                message = f"the journal {self.path} knows no earlier standard input"
                raise DeliveryError("journal-stream", message, 2, "Leave --resume away.")
            return self._found(*row)
        values = (_STREAM, "")
        number = self._db.execute("INSERT INTO files (prefix_length, prefix) VALUES (?, ?)", values).lastrowid
        return Progress(number or 0)

    @_guarded
    def left_over(self) -> list[LeftOver]:
        """What earlier runs kept and did not settle; it is sent again as it is.

        raises  DeliveryError (exit code 4) if that was so long ago that copies could count twice
        """
        found: list[LeftOver] = []
        query = (
            "SELECT file, start, end, ranges.lines, mark, sent FROM ranges JOIN files ON id = file"
            " WHERE state = 'open' AND prefix_length = ? ORDER BY file, start"
        )
        for file, start, end, count, mark, sent in self._db.execute(query, (_STREAM,)).fetchall():
            self._refuse_late(count, sent)
            of = (
                "SELECT number, line, name, key, time, expires, encoded FROM kept"
                " WHERE file = ? AND start = ? ORDER BY number"
            )
            kept = tuple(Kept(*row) for row in self._db.execute(of, (file, start)).fetchall())
            found.append(LeftOver(file, Stretch(start, end, count, mark), kept))
        return found

    def _found(self, number: int, settled: int, lines: int, mark: str = "") -> Progress:
        found = Progress(number, settled, lines, mark=mark)
        query = "SELECT start, end, lines, state, sent FROM ranges WHERE file = ? ORDER BY start"
        for start, end, count, state, sent in self._db.execute(query, (number,)).fetchall():
            if state == "done":
                found.done.append(Stretch(start, end, count))
            else:
                self._refuse_late(count, sent)
                found.open.append(Stretch(start, end, count))
        return found

    def _refuse_late(self, count: int, sent: float) -> None:
        """What was on its way without an answer must not be sent again once the destination would count it twice."""
        ago = self._clock() - sent
        if ago > WINDOW:
            message = f"{count} records were on their way {int(ago) // 3600} hours ago, unanswered"
            hint = "Sending them again could count them twice. Decide, and name another journal with --journal."
            raise DeliveryError("journal-held", message, 4, hint)

    def _check(self, path: Path, settled: int) -> str:
        """A hash of the last bytes before ``settled``; "" for a packed file, whose offsets are those of its content."""
        with _input(path) as opened:
            if opened.read(2) == b"\x1f\x8b":
                return ""
            opened.seek(max(0, settled - _CHECKED))
            return _digest(opened.read(min(_CHECKED, settled)))

    def begin(self, file: int, stretch: Stretch, kept: Sequence[Kept] = ()) -> None:
        """A stretch is about to be sent: written down before the first byte of it leaves.

        It need not outlive a power cut, only the process: without it the stretch is sent again all the same. Unless it
        cannot be read again, and is ``kept``: then it is on disk before this returns.
        """
        with self._written("FULL" if kept else "NORMAL"):
            self._take_over(file, stretch)
            self._note(file, stretch, "open")
            rows = (
                (file, stretch.start, one.number, one.line, one.name, one.key, one.time, one.expires, one.encoded)
                for one in kept
            )
            self._db.executemany(ledger.INSERT["kept"], rows)

    def _note(self, file: int, stretch: Stretch, state: str) -> None:
        values = (file, stretch.start, stretch.end, stretch.lines, state, self._clock(), stretch.mark)
        self._db.execute(ledger.INSERT["ranges"], values)

    def _take_over(self, file: int, stretch: Stretch) -> None:
        """What an earlier run had open within a stretch now belongs to it; what reaches further keeps its rest."""
        query = "SELECT start, end, lines, sent FROM ranges WHERE file = ? AND state = 'open' AND start < ? AND end > ?"
        for start, end, lines, sent in self._db.execute(query, (file, stretch.end, stretch.start)).fetchall():
            self._db.execute("DELETE FROM ranges WHERE file = ? AND start = ?", (file, start))
            for first, last in ((start, stretch.start), (stretch.end, end)):
                if first < last:  # how many lines it has is only said, never relied on
                    rest = (file, first, last, round(lines * (last - first) / (end - start)), "open", sent, "")
                    self._db.execute(ledger.INSERT["ranges"], rest)

    def settle(
        self,
        file: int,
        stretches: Sequence[Stretch],
        path: Path | None = None,
        *,
        erased: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Stretches are settled, on disk before this returns. Those that join what is settled become part of it.

        erased   single events that are settled and were kept: the start of their stretch, and their place in it
        """
        with self._written("FULL"):
            query = "DELETE FROM kept WHERE file = ? AND start = ? AND number = ?"
            self._db.executemany(query, [(file, *row) for row in erased])
            for stretch in stretches:
                self._take_over(file, stretch)
                self._db.execute("DELETE FROM kept WHERE file = ? AND start = ?", (file, stretch.start))
                self._note(file, stretch, "done")
            self._join(file, path)

    @contextmanager
    def _written(self, synchronous: str) -> Iterator[None]:
        """All of what is done within, or nothing of it."""
        try:
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # so that what is settled later can still be written down
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._broken(error) from None
            raise

    def _join(self, file: int, path: Path | None) -> None:
        """Make what is settled without a gap one number, and tell the file by it."""
        query = "SELECT settled, lines, prefix_length FROM files WHERE id = ?"
        before, lines, length = self._db.execute(query, (file,)).fetchone()
        query = "SELECT end, lines, mark FROM ranges WHERE file = ? AND start = ? AND state = 'done'"
        settled, checked = before, ""
        while row := self._db.execute(query, (file, settled)).fetchone():
            self._db.execute("DELETE FROM ranges WHERE file = ? AND start = ?", (file, settled))
            settled, lines, checked = row[0], lines + row[1], row[2]
        if settled == before:
            return
        if path is not None:
            checked = self._check(path, settled)
            if checked and length < min(
                settled, _PREFIX
            ):  # it was short when it was first seen: now it is known better
                start = _start(path, min(settled, _PREFIX))
                values = (len(start), _digest(start), file)
                self._db.execute("UPDATE files SET prefix_length = ?, prefix = ? WHERE id = ?", values)
        self._db.execute(
            "UPDATE files SET settled = ?, lines = ?, checked = ? WHERE id = ?", (settled, lines, checked, file)
        )

    def _broken(self, error: sqlite3.Error) -> DeliveryError:
        hint = "Make room, or name another with --journal. What was settled stays settled."
        return DeliveryError("journal", f"the journal {self.path} cannot be used: {error}", 5, hint)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def settled(journal: Path, path: Path) -> Progress | None:
    """What a journal says is settled of a file, without taking hold of it; None if there is no such journal.

    raises  DeliveryError as ``Journal.progress``
    """
    if not journal.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return Journal.reading(journal, database).known(path)
    except sqlite3.Error as error:
        message = f"the journal {journal} cannot be read: {error}"
        raise DeliveryError("journal", message, 5) from None


def _start(path: Path, size: int) -> bytes:
    with _input(path) as file:
        return file.read(size)


@contextmanager
def _input(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:  # it was there when the run began
        message = f"{path} cannot be read any more: {error.strerror}"
        hint = "Put it back, and run it again. What was settled stays settled."
        raise DeliveryError("unreadable", message, 5, hint) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
