"""What is settled, on disk: so that a run that was killed goes on where it was, and a finished one sends nothing again.

A journal belongs to one mapping and one destination. For each input file it holds which stretches of it are settled
(every event in them was accepted or rejected, every refused record is in the dead letters) and which were on their way.
Before a request is sent its stretch is written down as *open*; when it is settled, as *done*. A run that begins finds
done stretches and passes over them; the events of open ones are sent again, with the same bytes and the same ids. What
was refused for sure, by a limit or for its token, is not open any more: it cannot have arrived. What is kept and has
not been sent is *due*; what somebody decided to send again although it may have arrived is *again*.

It holds offsets, counts and hashes of files: no record, no event, no token. Mode 0600. Only what cannot be read a
second time (standard input, records that a program hands over) is kept in it as well, as the events that are sent:
cleaned, hashed where the destination wants it, and erased once they are settled.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from ..errors import DeliveryError
from ..showing import visible
from . import ledger
from .items import DECIDED, WINDOW
from .locking import Locked, broken
from .recognising import START, Files, digest
from .stretches import Kept, LeftOver, Progress, Repeated, Stretch
from .syncing import Syncer

_FORMAT: Final = "4"
_AHEAD: Final = 4
"""Stretches that are settled and have not reached the disk yet: so many come twice after a power cut."""

_STREAM: Final = -1
"""The length of prefix of what is no file: nothing tells one pipe from another."""


Method = TypeVar("Method", bound=Callable[..., Any])


def _guarded(method: Method) -> Method:
    """A method whose trouble with the database is said as such."""

    @wraps(method)
    def called(self: Journal, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except sqlite3.Error as error:
            raise broken(self.path, error) from None

    return called  # type: ignore[return-value]


class Journal:
    """An open journal. One thread uses it; one process holds it."""

    def __init__(
        self, path: Path, *, mapping: str, target: str, window: int = WINDOW, clock: Callable[[], float] = time.time
    ) -> None:
        """Open a journal, or begin one.

        mapping   the program's fingerprint
        target    where events go, without a secret
        window    seconds for which copies are dropped there; noted for those who look into the journal. With 0 nothing
                  is to be sent again that may have arrived: that it is on its way has to outlive a power cut then
        raises    DeliveryError: exit code 2 if it belongs to another mapping or target, 5 if it cannot be used
        """
        self.path = path
        self._clock = clock
        self._never_again = window == 0
        self._locked = Locked(path)
        self._db = self._locked.database
        self._syncer = Syncer(self._locked.log)
        self._files = Files()
        self._synchronous = ""
        self._stands: dict[int, tuple[int, int, int]] = {}
        """Where each file of this run stood when it was known: its device, its number there, its last change."""
        self._mixed = set[int]()
        """Files of which more may be open than the stretches of this run."""
        with ExitStack() as unless_opened:
            unless_opened.callback(self._locked.close)
            try:
                self._belongs(mapping, target, window)
                query = "SELECT DISTINCT file FROM ranges WHERE state <> 'done'"
                self._mixed |= {file for (file,) in self._db.execute(query)}
            except sqlite3.Error as error:
                raise broken(path, error) from None
            unless_opened.pop_all()

    @classmethod
    def reading(cls, path: Path, database: sqlite3.Connection, files: Files) -> Journal:
        """A journal that is only looked into."""
        found = cls.__new__(cls)
        found.path, found._clock, found._db, found._files, found._stands = path, time.time, database, files, {}
        return found

    def _belongs(self, mapping: str, target: str, window: int) -> None:
        said = {"format": _FORMAT, "mapping": mapping, "target": target, "window": str(window)}
        known = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        if "format" not in known:
            with self._written("FULL"):
                self._db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", said.items())
            return
        if known.get("format") != _FORMAT:
            hint = "Name another with --journal."
            raise DeliveryError("journal", f"{self.path} is no journal of this version", 5, hint)
        if known.get("target") != target:
            hint = "Name another with --journal."
            raise DeliveryError("journal-target", f"the journal {self.path} is for {known.get('target')}", 2, hint)
        if known.get("mapping") != mapping:
            query = "SELECT count(*) FROM ranges JOIN files ON id = file WHERE state = 'open' AND prefix_length > ?"
            if self._db.execute(query, (_STREAM,)).fetchone()[0]:
                message = "the mapping has changed, and events of an earlier run may have arrived"
                hint = (
                    "Finish with the mapping of that run, or decide: `mapper journal show "
                    f"{self.path}` says what they are, `mapper journal resend` and `drop` decide."
                )
                raise DeliveryError("journal-mapping", message, 2, hint)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'mapping'", (mapping,))
        if known.get("window") != said["window"]:
            self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('window', ?)", (said["window"],))

    @_guarded
    def progress(self, path: Path) -> Progress:
        """What is settled of a file, known by its content: a renamed or grown file is the same file.

        raises  DeliveryError (exit code 2) if what was settled of it has changed since
        """
        stands = _stands(path)
        found = self.known(path)
        if found is None:
            start = self._files.start(path)
            values = (len(start), digest(start), visible(path.name))
            query = "INSERT INTO files (prefix_length, prefix, name) VALUES (?, ?, ?)"
            found = Progress(self._db.execute(query, values).lastrowid or 0)
        if stands is not None:
            self._stands[found.file] = stands
        return found

    @_guarded
    def known(self, path: Path) -> Progress | None:
        """The same, or None for a file that the journal has not seen."""
        start = self._files.start(path)
        query = "SELECT id, prefix_length, prefix, settled, lines, checked, name FROM files"
        rows = self._db.execute(query).fetchall()
        for number, length, prefix, end, lines, checked, _ in rows:
            if 0 < length <= len(start) and digest(start[:length]) == prefix:
                if checked and checked != self._files.before(path, end):
                    hint = "Is it another file of the same beginning? Name another journal with --journal."
                    message = f"{path} has changed where it was sent already"
                    raise DeliveryError("journal-file", message, 2, hint)
                return self._found(number, end, lines)
        for *_, end, _, checked, name in rows:
            if name == visible(path.name) and checked and checked == self._files.before(path, end):
                hint = "Put it back as it was; or name another journal with --journal, to send all of it again."
                raise DeliveryError("journal-file", f"the beginning of {path} has changed since it was sent", 2, hint)
        return None

    @_guarded
    def stream(self, *, again: bool = False) -> Progress:
        """A new stream of records that cannot be read twice; or with ``again`` the last one, from its start.

        If the run that began the journal died before it had read anything, that is a new one as well.
        """
        if again:
            query = "SELECT id, settled, lines, checked FROM files WHERE prefix_length = ? ORDER BY id DESC LIMIT 1"
            row = self._db.execute(query, (_STREAM,)).fetchone()
            if row is not None:
                return self._found(*row)
            if not self._locked.was_there or self._db.execute("SELECT count(*) FROM files").fetchone()[0]:
                message = f"the journal {self.path} knows no earlier standard input"
                raise DeliveryError("journal-stream", message, 2, "Leave --resume away.")
        values = (_STREAM, "")
        number = self._db.execute("INSERT INTO files (prefix_length, prefix) VALUES (?, ?)", values).lastrowid
        return Progress(number or 0)

    @_guarded
    def left_over(self) -> list[LeftOver]:
        """What earlier runs kept and did not settle; it is sent as it is."""
        found: list[LeftOver] = []
        query = (
            "SELECT file, start, end, ranges.lines, mark, sent, state FROM ranges JOIN files ON id = file"
            " WHERE state <> 'done' AND prefix_length = ? ORDER BY file, start"
        )
        for file, start, end, count, mark, sent, state in self._db.execute(query, (_STREAM,)).fetchall():
            of = (
                "SELECT number, line, name, key, time, expires, encoded FROM kept"
                " WHERE file = ? AND start = ? ORDER BY number"
            )
            kept = tuple(Kept(*row) for row in self._db.execute(of, (file, start)).fetchall())
            found.append(LeftOver(file, Stretch(start, end, count, mark), kept, self._when(state, sent)))
        return found

    def _when(self, state: str, sent: float) -> float | None:
        """Since when something may have arrived; with what somebody decided to send again it begins anew."""
        return None if state == "due" else DECIDED if state == "again" else sent

    def _found(self, number: int, settled: int, lines: int, mark: str = "") -> Progress:
        found = Progress(number, settled, lines, mark=mark)
        query = "SELECT start, end, lines, state, sent FROM ranges WHERE file = ? ORDER BY start"
        for start, end, count, state, sent in self._db.execute(query, (number,)).fetchall():
            first = self._when(state, sent)
            if state == "done":
                found.done.append(Stretch(start, end, count))
            elif first is not None:
                found.open.append((Stretch(start, end, count), first))
        return found

    def begin(self, file: int, stretch: Stretch, kept: Sequence[Kept] = (), *, is_sent: bool = True) -> int:
        """A stretch is about to be sent: written down before the first byte of it leaves.

        It need not outlive a power cut, only the process: without it the stretch is sent again all the same. Unless it
        cannot be read again, and is ``kept``, or must not be sent again: then nobody may forget or send it before
        ``wait_until_safe`` has returned.

        is_sent   whether it is on its way now; else it is kept until it is: see ``sending``
        returns   what ``wait_until_safe`` takes; 0 if there is nothing to wait for
        """
        if not kept and file not in self._mixed:  # one statement is a transaction of its own
            try:
                self._synchronise("NORMAL")
                self._note(file, stretch, "open" if is_sent else "due")
            except sqlite3.Error as error:
                raise broken(self.path, error) from None
            return self._syncer.ask() if self._never_again else 0
        with self._written("NORMAL"):
            first = self._take_over(file, stretch)
            self._note(file, stretch, "open" if is_sent else "due", first)
            rows = (
                (file, stretch.start, one.number, one.line, one.name, one.key, one.time, one.expires, one.encoded)
                for one in kept
            )
            self._db.executemany(ledger.INSERT["kept"], rows)
        return self._syncer.ask() if kept or self._never_again else 0

    def wait_until_safe(self, number: int) -> None:
        """Wait until what was begun is on disk. Any thread may: those that wait at the same time wait for one write.

        raises  DeliveryError (exit code 5) if the disk does not take it
        """
        try:
            self._syncer.wait(number)
        except OSError as error:
            raise broken(self.path, error) from None

    def sending(self, file: int, starts: Sequence[int]) -> None:
        """Stretches that are kept are on their way from now on; on disk as for ``begin``."""
        now = self._clock()
        query = (
            "UPDATE ranges SET sent = CASE state WHEN 'open' THEN sent ELSE ? END, state = 'open'"
            " WHERE file = ? AND start = ? AND state <> 'done'"
        )
        with self._written("NORMAL"):
            self._db.executemany(query, [(now, file, start) for start in starts])
        if self._never_again:
            self.wait_until_safe(self._syncer.ask())

    def returned(self, file: int, starts: Sequence[int]) -> None:
        """Stretches that are kept came back without having arrived."""
        with self._written("NORMAL"):
            query = "UPDATE ranges SET state = 'due' WHERE file = ? AND start = ? AND state <> 'done'"
            self._db.executemany(query, [(file, start) for start in starts])

    def _note(self, file: int, stretch: Stretch, state: str, first: float | None = None) -> None:
        sent = self._clock() if first is None else first
        values = (file, stretch.start, stretch.end, stretch.lines, state, sent, stretch.mark)
        self._db.execute(ledger.INSERT["ranges"], values)

    def _take_over(self, file: int, stretch: Stretch) -> float | None:
        """What an earlier run had open within a stretch now belongs to it; what reaches further keeps its rest.

        returns  when the first of that was sent
        """
        if file not in self._mixed:
            return None
        query = (
            "SELECT start, end, lines, state, sent FROM ranges"
            " WHERE file = ? AND state <> 'done' AND start < ? AND end > ?"
        )
        earliest: float | None = None
        for start, end, lines, state, sent in self._db.execute(query, (file, stretch.end, stretch.start)).fetchall():
            self._db.execute("DELETE FROM ranges WHERE file = ? AND start = ?", (file, start))
            if state == "open":
                earliest = sent if earliest is None else min(earliest, sent)
            for first, last in ((start, stretch.start), (stretch.end, end)):
                if first < last:  # how many lines it has is only said, never relied on
                    rest = (file, first, last, round(lines * (last - first) / (end - start)), state, sent, "")
                    self._db.execute(ledger.INSERT["ranges"], rest)
        return earliest

    def settle(
        self,
        file: int,
        stretches: Sequence[Stretch],
        path: Path | None = None,
        *,
        erased: Sequence[tuple[int, int]] = (),
        of: Stretch | None = None,
        unclear: Sequence[tuple[Stretch, float]] = (),
        repeated: Sequence[Repeated] = (),
    ) -> None:
        """Stretches are settled. Those that join what is settled become part of it.

        That outlives the process at once, and a power cut a moment later: the disk is written to beside other work,
        which is never more than a few stretches ahead of it.

        erased    single events that are settled and were kept: the start of their stretch, and their place in it
        of        the stretch of a file to which they belong, if not all of it is settled: what is ``unclear`` of it,
                  since a moment, may have arrived; the rest has not, and is as if it had never been sent
        repeated  what may have been accepted twice
        """
        with self._written("NORMAL"):
            if of is not None:
                self._mixed.add(file)
                self._take_over(file, of)
                for stretch, first in unclear:
                    if first == DECIDED:
                        self._note(file, stretch, "again")
                    else:
                        self._note(file, stretch, "open", first)
            if repeated:
                rows = [(file, one.start, one.line, one.last, self._clock()) for one in repeated]
                self._db.executemany(ledger.INSERT["repeated"], rows)
            if erased:
                query = "DELETE FROM kept WHERE file = ? AND start = ? AND number = ?"
                self._db.executemany(query, [(file, *row) for row in erased])
            for stretch in stretches:
                self._take_over(file, stretch)
                if path is None:
                    self._db.execute("DELETE FROM kept WHERE file = ? AND start = ?", (file, stretch.start))
                self._note(file, stretch, "done")
            self._join(file, path)
        self.wait_until_safe(self._syncer.ask() - _AHEAD)

    def _synchronise(self, synchronous: str) -> None:
        """Whether what is written next is on disk once it is written (FULL), or outlives only the process (NORMAL)."""
        if synchronous != self._synchronous:
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous

    @contextmanager
    def _written(self, synchronous: str) -> Iterator[None]:
        """All of what is done within, or nothing of it."""
        is_done = False
        try:
            self._synchronise(synchronous)
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
            is_done = True
        except sqlite3.Error as error:
            raise broken(self.path, error) from None
        finally:
            if not is_done:
                with suppress(sqlite3.Error):  # so that what is settled later can still be written down
                    self._db.execute("ROLLBACK")

    def _join(self, file: int, path: Path | None) -> None:
        """Make what is settled without a gap one number, and tell the file by it.

        Of a file that was rotated or emptied meanwhile the stretches stay as they are: what has taken its place must
        not be taken for it.
        """
        query = "SELECT settled, lines, prefix_length, prefix, checked FROM files WHERE id = ?"
        before, lines, length, prefix, was = self._db.execute(query, (file,)).fetchone()
        query = "SELECT end, lines, mark FROM ranges WHERE file = ? AND start = ? AND state = 'done'"
        settled, checked, joined = before, "", list[tuple[int, int]]()
        while row := self._db.execute(query, (file, settled)).fetchone():
            joined.append((file, settled))
            settled, lines, checked = row[0], lines + row[1], row[2]
        if settled == before:
            return
        if path is not None:
            if _stands(path) is None:
                return
            checked = self._files.before(path, settled)
            # A file that was short when it was first seen is known better now.
            start = self._files.start(path, min(settled, START)) if length < min(settled, START) else b""
            if not self._is_what_was_read(file, path, (length, prefix), (before, was)):
                return
            if start:
                values = (len(start), digest(start), file)
                self._db.execute("UPDATE files SET prefix_length = ?, prefix = ? WHERE id = ?", values)
        self._db.executemany("DELETE FROM ranges WHERE file = ? AND start = ?", joined)
        self._db.execute(
            "UPDATE files SET settled = ?, lines = ?, checked = ? WHERE id = ?", (settled, lines, checked, file)
        )

    def _is_what_was_read(self, file: int, path: Path, start: tuple[int, str], last: tuple[int, str]) -> bool:
        """Whether a name still leads to the file that is being read, and it has not been emptied meanwhile.

        start, last   the length and hash of its beginning, and the place and hash of what was last settled
        """
        known, stands = self._stands.get(file), _stands(path)
        if known is None or stands == known:
            return True
        if stands is None or stands[:2] != known[:2]:
            return False
        if digest(self._files.start(path, start[0])) != start[1]:
            return False
        if last[1] and self._files.before(path, last[0]) != last[1]:
            return False
        self._stands[file] = stands
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._syncer.close()
        self._locked.close()
        self._files.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _stands(path: Path) -> tuple[int, int, int] | None:
    """Where a file stands: its device, its number there, its last change; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns
