"""What the sandbox has received: every request and every event, in order, in SQLite.

An event that is sent again, because its request was refused, is one event with several attempts; it is recognised by
what it holds. An event that was accepted and comes again is a new one, marked as a copy. A request and its events are
written in one transaction before the request is answered, so nothing that was confirmed is lost with the process.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from .facets import FACET_COLUMNS, Cube, Facet, facet_of
from .judging import Judged
from .merging import WINDOW, Copy, Merged, Newest, Source, merge
from .rates import Rates
from .records import EVENT_COLUMNS, REQUEST_COLUMNS, Arrival, Request, Stored
from .schema import connect

KEEP: Final = 100_000
_KEEP_REQUESTS: Final = 20_000
_SLACK: Final = 0.05
_AGE_CHECK: Final = 10.0
_COLUMNS: Final = ", ".join(f"e.{name}" for name in EVENT_COLUMNS)
_INSERT: Final = (
    f"INSERT INTO events ({', '.join(EVENT_COLUMNS)}, identity, digest) "
    f"VALUES ({', '.join('?' * (len(EVENT_COLUMNS) + 2))})"
)
_INSERT_REQUEST: Final = (
    f"INSERT INTO requests ({', '.join(REQUEST_COLUMNS)}) VALUES ({', '.join('?' * len(REQUEST_COLUMNS))})"
)


@dataclass(slots=True)
class _Row:
    """An event on its way into the store."""

    judged: Judged
    id: int
    position: int
    digest: bytes | None
    merged: str = ""
    twin: int = 0
    way: str = ""


class Store:
    """Requests and events. May be used from several threads.

    path   a file to remember in; memory if there is none
    keep   how many events are kept, the newest; None for all
    age    for how many seconds they are kept; None for ever
    """

    def __init__(self, path: str | Path | None = None, *, keep: int | None = KEEP, age: float | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.keep, self.age = keep, age
        self.cube = Cube()
        self.rates = Rates()
        self._newest = Newest()
        self.changes = 0
        self.db = connect(self.path)
        self.lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []
        self._checked = 0.0
        self._load()

    def _load(self) -> None:
        db = self.db
        self._events: int = db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
        self._requests: int = db.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0]
        self._count = db.execute("SELECT count(*) FROM events").fetchone()[0]
        self._pixels = db.execute("SELECT count(*) FROM persons").fetchone()[0] > 0
        self.pruned: Counter[str] = Counter(dict(db.execute("SELECT name, number FROM totals")))
        self.cube.load(db.execute(f"SELECT {FACET_COLUMNS}, count(*) FROM events GROUP BY {_places(8)}"))
        accepted = "verdict = 'accepted' AND identity IS NOT NULL"
        self._newest.load(db.execute(f"SELECT source, identity, id FROM events WHERE {accepted} ORDER BY id"))
        self._open: dict[bytes, list[int]] = {}
        rows = db.execute(
            "SELECT digest, id FROM events WHERE verdict != 'accepted' AND digest IS NOT NULL ORDER BY id"
        )
        for digest, number in rows:
            self._open.setdefault(digest, []).append(number)

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._events

    @property
    def last_request(self) -> int:
        """The number of the newest request."""
        return self._requests

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change, from whichever thread made it."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Give the file back."""
        with self.lock:
            self.db.close()

    # -- writing ---------------------------------------------------------------------------------------------------

    def add(self, arrival: Arrival, judged: Sequence[Judged] = ()) -> int:
        """Keep a request and its events; the number of the request."""
        with self.lock:
            self._requests += 1
            number: int = self._requests
            self.db.execute("BEGIN IMMEDIATE")
            is_kept = False
            try:
                self._write(number, arrival, judged)
                self._prune(arrival.at)
                self.db.execute("COMMIT")
                is_kept = True
            finally:
                if not is_kept:
                    self.db.execute("ROLLBACK")
                    self._load_again()
        self._changed()
        return number

    def answered(self, number: int, took: float) -> None:
        """Write down how many seconds a request took until its answer was ready."""
        with self.lock:
            self.db.execute("UPDATE requests SET took = ? WHERE id = ?", (took, number))

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.db.execute("BEGIN IMMEDIATE")
            for table in ("events", "bodies", "attempts", "persons", "requests", "totals"):
                self.db.execute(f"DELETE FROM {table}")
            self.db.execute("COMMIT")
            if self.path is not None:
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.cube.clear()
            self.rates.clear()
            self._newest.clear()
            self.pruned.clear()
            self._open.clear()
            self._count, self._pixels = 0, False
        self._changed()

    def _changed(self) -> None:
        self.changes += 1
        for listener in self._listeners:
            listener()

    def _load_again(self) -> None:
        self.cube.clear()
        self._load()

    def _write(self, number: int, arrival: Arrival, judged: Sequence[Judged]) -> None:
        verdicts = Counter(one.verdict for one in judged)
        counts = (verdicts["accepted"], verdicts["refused"], verdicts["held"])
        self.db.execute(_INSERT_REQUEST, (*astuple(arrival), number, *counts))
        rows: list[_Row] = []
        seen: Counter[bytes] = Counter()
        settled: list[tuple[bytes, int]] = []
        for position, one in enumerate(judged):
            digest = one.digest if self._open or one.verdict != "accepted" else b""
            known = self._open.get(digest, ())
            place = seen[digest] if known else 0
            if place < len(known):
                # The second of two equal events in a request is the second of the two that are stored.
                seen[digest] += 1
                self._again(known[place], one, number, position)
                if one.verdict == "accepted":
                    settled.append((digest, known[place]))
                continue
            self._events += 1
            rows.append(_Row(one, self._events, position, digest if one.verdict != "accepted" else None))
        for digest, event in settled:
            self._open[digest].remove(event)
        for row in rows:
            if row.digest is not None:
                self._open.setdefault(row.digest, []).append(row.id)
        self._merge(rows, arrival)
        self._insert(rows, number, arrival)

    def _insert(self, rows: Sequence[_Row], number: int, arrival: Arrival) -> None:
        self.db.executemany(_INSERT, [_values(row, number, arrival) for row in rows])
        self.db.executemany("INSERT INTO bodies VALUES (?, ?)", [(row.id, row.judged.body) for row in rows])
        if arrival.source == "pixel":
            persons = [(person, row.id) for row in rows for person in row.judged.persons]
            self.db.executemany("INSERT OR IGNORE INTO persons VALUES (?, ?)", persons)
            self._pixels = self._pixels or bool(persons)
        for facet, count in Counter(_facet(row, arrival) for row in rows).items():
            self.cube.add(facet, count)
        for row in rows:
            if row.judged.verdict == "accepted" and row.judged.identity is not None:
                self._newest.add(arrival.source, row.judged.identity, row.id)
        self.rates.add(arrival.at, Counter(row.judged.name for row in rows))
        self._count += len(rows)

    def _again(self, event: int, judged: Judged, request: int, position: int) -> None:
        """An event that was not accepted is sent once more."""
        old = self._facet(event)
        first = "INSERT OR IGNORE INTO attempts SELECT id, request, position, verdict FROM events WHERE id = ?"
        self.db.execute(first, (event,))
        self.db.execute("INSERT INTO attempts VALUES (?, ?, ?, ?)", (event, request, position, judged.verdict))
        self.db.execute("UPDATE events SET attempts = attempts + 1 WHERE id = ?", (event,))
        if judged.verdict != "held":
            found = judged.finding
            why = (found.rule, found.path, found.message, found.remedy) if found is not None else ("", "", "", "")
            self.db.execute(
                "UPDATE events SET verdict = ?, rule = ?, path = ?, message = ?, remedy = ? WHERE id = ?",
                (judged.verdict, *why, event),
            )
        if judged.verdict == "accepted" and judged.identity is not None:
            self._newest.add("server", judged.identity, event)
        self.cube.add(old, -1)
        self.cube.add(self._facet(event))

    def _facet(self, event: int) -> Facet:
        return facet_of(self.db.execute(f"SELECT {FACET_COLUMNS} FROM events WHERE id = ?", (event,)).fetchone())

    # -- copies ----------------------------------------------------------------------------------------------------

    def _merge(self, rows: Sequence[_Row], arrival: Arrival) -> None:
        """Find the copies of accepted events that are stored already."""
        accepted = [row for row in rows if row.judged.verdict == "accepted"]
        wanted = [row.judged.identity for row in accepted if row.judged.identity is not None]
        known = self._copies(wanted, arrival.at)
        for row in accepted:
            me = Copy(row.id, arrival.source, arrival.at)
            identity = row.judged.identity
            copies = known.setdefault(identity, []) if identity is not None else []
            other = next((one for one in reversed(copies) if one.source != me.source), None)
            decision = merge(other, me, "id") if other is not None else None
            if decision is None and self._pixels and me.source == "server":
                other = self._pixel_copy(row.judged.persons, arrival.at)
                decision = merge(other, me, "person") if other is not None else None
            if decision is not None and other is not None:
                self._join(row, other, decision)
            elif copies:
                row.merged, row.twin, row.way = "repeat", copies[-1].id, "id"
            copies.append(me)

    def _copies(self, identities: Sequence[int], at: float) -> dict[int | None, list[Copy]]:
        """The newest copy from either side, oldest first."""
        found: dict[int | None, list[Copy]] = {}
        numbers = self._newest.of(identities)
        for start in range(0, len(numbers), 1000):
            part = numbers[start : start + 1000]
            query = (
                "SELECT identity, id, source, at FROM events "
                f"WHERE id IN ({', '.join('?' * len(part))}) AND at >= ? ORDER BY id"
            )
            for identity, number, source, moment in self.db.execute(query, (*part, at - WINDOW)):
                found.setdefault(identity, []).append(Copy(number, source, moment))
        return found

    def _pixel_copy(self, persons: Sequence[int], at: float) -> Copy | None:
        query = (
            "SELECT e.id, e.source, e.at FROM persons p JOIN events e ON e.id = p.event "
            "WHERE p.person = ? AND e.at >= ? AND e.twin = 0 ORDER BY e.id DESC LIMIT 1"
        )
        for person in persons:
            row = self.db.execute(query, (person, at - WINDOW)).fetchone()
            if row is not None:
                return Copy(*row)
        return None

    def _join(self, row: _Row, other: Copy, decision: Merged) -> None:
        row.merged = "kept" if decision.kept == row.id else "dropped"
        row.twin, row.way = other.id, decision.way
        old = self._facet(other.id)
        self.db.execute(
            "UPDATE events SET merged = ?, twin = ?, way = ? WHERE id = ? AND twin = 0",
            ("kept" if decision.kept == other.id else "dropped", row.id, decision.way, other.id),
        )
        self.cube.add(old, -1)
        self.cube.add(self._facet(other.id))

    # -- forgetting ------------------------------------------------------------------------------------------------

    def _prune(self, now: float) -> None:
        if self.keep is not None and self._count > self.keep * (1 + _SLACK):
            query = "SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?"
            self._forget(self.db.execute(query, (self.keep,)).fetchone()[0])
        if self.age is not None and now - self._checked > _AGE_CHECK:
            self._checked = now
            last = self.db.execute("SELECT max(id) FROM events WHERE at < ?", (now - self.age,)).fetchone()[0]
            if last is not None:
                self._forget(last)
            self.db.execute("DELETE FROM requests WHERE at < ?", (now - self.age,))
        self.db.execute("DELETE FROM requests WHERE id <= ?", (self._requests - _KEEP_REQUESTS,))

    def _forget(self, last: int) -> None:
        """Forget all events up to a number; their counts stay."""
        facets = self.db.execute(
            f"SELECT {FACET_COLUMNS}, count(*) FROM events WHERE id <= ? GROUP BY {_places(8)}", (last,)
        ).fetchall()
        self.cube.unload(facets)
        for facet in facets:
            self.pruned["pixel" if facet[0] == "pixel" else facet[1]] += facet[-1]
        self.db.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?)", list(self.pruned.items()))
        self._count -= self.db.execute("DELETE FROM events WHERE id <= ?", (last,)).rowcount
        self.db.execute("DELETE FROM bodies WHERE id <= ?", (last,))
        for table in ("attempts", "persons"):
            self.db.execute(f"DELETE FROM {table} WHERE event <= ?", (last,))
        self._newest.forget(last)
        kept = ((digest, [number for number in known if number > last]) for digest, known in self._open.items())
        self._open = {digest: known for digest, known in kept if known}

    # -- reading in tests ------------------------------------------------------------------------------------------

    def events(
        self, name: str | None = None, *, verdict: str | None = "accepted", source: Source | None = "server"
    ) -> list[Stored]:
        """The events that are kept, oldest first.

        name     only these, by their name
        verdict  ``accepted``, ``refused``, ``held``; None for all
        source   ``server``, ``pixel``; None for both
        """
        wanted = [(column, value) for column, value in (("name", name), ("verdict", verdict), ("source", source))]
        given = [(column, value) for column, value in wanted if value is not None]
        where = " AND ".join(f"e.{column} = ?" for column, _ in given) or "1"
        query = f"SELECT {_COLUMNS}, b.body FROM events e JOIN bodies b ON b.id = e.id WHERE {where} ORDER BY e.id"
        with self.lock:
            return [Stored(*row) for row in self.db.execute(query, [value for _, value in given])]

    @property
    def requests(self) -> list[Request]:
        """The requests that are kept, oldest first."""
        with self.lock:
            return [
                Request(*row)
                for row in self.db.execute(f"SELECT {', '.join(REQUEST_COLUMNS)} FROM requests ORDER BY id")
            ]


def _values(row: _Row, number: int, arrival: Arrival) -> tuple[Any, ...]:
    one, found = row.judged, row.judged.finding
    why = (found.rule, found.path, found.message, found.remedy) if found is not None else ("", "", "", "")
    return (
        row.id,
        arrival.at,
        number,
        row.position,
        arrival.source,
        one.verdict,
        one.name,
        one.event_id,
        one.event_time,
        one.action_source,
        arrival.test_code,
        *why,
        one.warned,
        one.keys,
        row.merged,
        row.twin,
        row.way,
        1,
        one.identity,
        row.digest,
    )


def _facet(row: _Row, arrival: Arrival) -> Facet:
    one = row.judged
    rule = one.finding.rule if one.finding is not None else ""
    return Facet(arrival.source, one.verdict, one.name, row.merged, arrival.test_code, rule, one.keys, one.warned > 0)


def _places(count: int) -> str:
    return ", ".join(map(str, range(1, count + 1)))


__all__ = ["KEEP", "Store"]
