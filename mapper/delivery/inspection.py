"""What a journal says, for those who do not send; and the decision that only a person can take.

It is looked into without taking hold of it, also while a run goes on.
"""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import DeliveryError
from . import ledger
from .items import WINDOW
from .journal import Journal
from .locking import Locked, broken
from .recognising import Files
from .stretches import Progress

State = Literal["held", "open", "due", "again"]

STATES: dict[State, str] = {
    "held": "may have arrived, and a copy could count twice: nothing is sent before you decide",
    "open": "may have arrived: sent again by the next run, under the same ids",
    "due": "kept, and not sent yet: sent by the next run",
    "again": "may have arrived, and you decided: sent again by the next run",
}
"""What is pending, and what will be done with it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A stretch that is not settled: so many records, from one offset to another.

    since   the moment of its first attempt, Unix seconds
    """

    state: State
    start: int
    end: int
    records: int
    since: float


@dataclass(frozen=True, slots=True)
class Twice:
    """Records, from a line to a line, some of which may have been accepted twice: when the second copy was."""

    start: int
    first_line: int
    last_line: int
    at: float


@dataclass(frozen=True, slots=True)
class Source:
    """An input that a journal knows.

    name      the file's name when it was first seen, or "" for what can be read only once: a pipe, records in memory
    settled   the offset before which everything is settled, with so many records
    kept      events that are kept because nobody can read them again
    """

    name: str
    settled: int
    records: int
    kept: int
    pending: tuple[Pending, ...]
    twice: tuple[Twice, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in a journal: where its events go, and its inputs, the oldest first."""

    target: str
    sources: list[Source] = field(default_factory=list)

    def count(self, *states: State) -> int:
        """How many records are in one of these states."""
        return sum(one.records for source in self.sources for one in source.pending if one.state in states)


def look(journal: Path, *, clock: Callable[[], float] = time.time) -> Contents:
    """What a journal says.

    raises  DeliveryError: exit code 2 if there is none, 5 if it cannot be read
    """
    _there(journal)
    with _reading(journal) as database:
        target = dict(database.execute("SELECT key, value FROM meta")).get("target", "")
        earliest = _earliest(database, clock())
        query = "SELECT id, prefix_length, name, settled, lines FROM files ORDER BY id"
        found = [_source(database, earliest, *row) for row in database.execute(query).fetchall()]
        return Contents(target, [one for one in found if one.name or one.records or one.pending or one.twice])


def decide(journal: Path, *, resend: bool, everything: bool = False, clock: Callable[[], float] = time.time) -> int:
    """Decide about what may have arrived so long ago that the next run would hold it; returns how many records.

    resend      send it again; else it is taken as settled
    everything  decide also about what the next run would send again by itself
    raises      DeliveryError: exit code 2 if there is no such journal, 5 if it cannot be used, or a run holds it
    """
    _there(journal)
    with Locked(journal) as locked:
        try:
            earliest = math.inf if everything else _earliest(locked.database, clock())
            query = "SELECT file, start, lines FROM ranges WHERE state = 'open' AND sent <= ?"
            found = locked.database.execute(query, (earliest,)).fetchall()
            locked.database.execute("BEGIN IMMEDIATE")
            for file, start, _ in found:
                if not resend:
                    locked.database.execute("DELETE FROM kept WHERE file = ? AND start = ?", (file, start))
                query = "UPDATE ranges SET state = ? WHERE file = ? AND start = ?"
                locked.database.execute(query, ("again" if resend else "done", file, start))
            locked.database.execute("COMMIT")
        except sqlite3.Error as error:
            raise broken(journal, error) from None
    return sum(lines for _, _, lines in found)


def settled(journal: Path, path: Path) -> Progress | None:
    """What a journal says is settled of a file; None if there is no such journal.

    raises  DeliveryError as ``Journal.progress``
    """
    if not journal.is_file():
        return None
    with _reading(journal) as database, closing(Files()) as files:
        return Journal.reading(journal, database, files).known(path)


def _there(journal: Path) -> None:
    if not journal.is_file():
        raise DeliveryError("no-such-file", f"there is no journal {journal}", 2)


@contextmanager
def _reading(journal: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(ledger.reading(journal)) as database:
            if not ledger.is_whole(database):
                raise DeliveryError("journal-damaged", f"the journal {journal} is damaged", 5)
            yield database
    except sqlite3.Error as error:
        raise DeliveryError("journal", f"the journal {journal} cannot be read: {error}", 5) from None
    except ValueError:
        raise DeliveryError("journal", f"{journal} is no journal, or not of this version", 5) from None


def _earliest(database: sqlite3.Connection, now: float) -> float:
    """The moment before which what may have arrived is held, by what the last run noted."""
    found = database.execute("SELECT value FROM meta WHERE key = 'window'").fetchone()
    window = int(found[0]) if found is not None and re.fullmatch("-?[0-9]{1,15}", found[0]) else WINDOW
    return now - window if window else math.inf


def _source(
    database: sqlite3.Connection, earliest: float, number: int, prefix: int, name: str, settled: int, lines: int
) -> Source:
    query = "SELECT state, start, end, lines, sent FROM ranges WHERE file = ? ORDER BY start"
    pending: list[Pending] = []
    for state, start, end, count, sent in database.execute(query, (number,)).fetchall():
        if state == "done":
            lines += count
            continue
        is_held = state == "open" and sent < earliest
        pending.append(Pending("held" if is_held else state, start, end, count, sent))
    query = "SELECT start, line, last, at FROM repeated WHERE file = ? ORDER BY start"
    twice = [Twice(*row) for row in database.execute(query, (number,)).fetchall()]
    kept = database.execute("SELECT count(*) FROM kept WHERE file = ?", (number,)).fetchone()[0]
    return Source(name if prefix >= 0 else "", settled, lines, kept, tuple(pending), tuple(twice))
