"""What the page asks of the store: a stretch of the events, one of them, the requests, arrivals over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from .masking import mapping_of
from .records import EVENT_COLUMNS, REQUEST_COLUMNS, Request, Stored
from .store import Store

MOST_ROWS: Final = 500
_MOST_WRONG: Final = 20
_WRONG: Final = ("id", "name", "event_id", "path", "rule", "message")
SPANS: Final = (
    60,
    120,
    300,
    900,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    86_400,
    3 * 86_400,
    7 * 86_400,
    30 * 86_400,
)
BARS: Final = 60
_ROW: Final = (
    "id",
    "at",
    "name",
    "event_id",
    "verdict",
    "source",
    "rule",
    "path",
    "merged",
    "warned",
    "test_code",
    "action_source",
    "attempts",
    "keys",
    "request",
)
_decode: Final = msgspec.json.Decoder().decode
_SPECIAL: Final[Mapping[str, str]] = {
    "accepted": "verdict = 'accepted' AND source = 'server'",
    "refused": "verdict = 'refused'",
    "held": "verdict = 'held'",
    "pixel": "source = 'pixel'",
    "merged": "merged IN ('kept', 'dropped')",
    "repeat": "merged = 'repeat'",
    "warned": "warned > 0 AND verdict = 'accepted'",
}
"""What a page may ask for as a verdict."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events: every part that is not empty must fit.

    search   a text in the event's name or id, or in the path or rule for which it was refused
    request  the number of a request that brought the event
    upto     only events up to this number, so that a list stands still while others arrive
    """

    verdict: str = ""
    name: str = ""
    test_code: str = ""
    rule: str = ""
    search: str = ""
    request: int = 0
    upto: int = 0

    def where(self) -> tuple[str, list[Any]]:
        """A condition in SQL and its values."""
        parts: list[str] = []
        values: list[Any] = []
        if self.verdict in _SPECIAL:
            parts.append(_SPECIAL[self.verdict])
        for column in ("name", "test_code", "rule"):
            if value := getattr(self, column):
                parts.append(f"{column} = ?")
                values.append(value)
        if self.search:
            parts.append(" || ' ' || ".join(("name", "event_id", "path", "rule")) + " LIKE ? ESCAPE '\\'")
            values.append("%" + "".join("\\" + c if c in "\\%_" else c for c in self.search) + "%")
        if self.request:
            parts.append("(request = ? OR id IN (SELECT event FROM attempts WHERE request = ?))")
            values += [self.request, self.request]
        if self.upto:
            parts.append("id <= ?")
            values.append(self.upto)
        return " AND ".join(parts) or "1", values


def events(store: Store, chosen: Filter, offset: int, limit: int) -> dict[str, Any]:
    """A stretch of the events, newest first, and how many there are in all."""
    where, values = chosen.where()
    columns = ", ".join(_ROW)
    body = "(SELECT body FROM bodies b WHERE b.id = events.id)"
    query = f"SELECT {columns}, {body} FROM events WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?"
    with store.lock:
        total = store.db.execute(f"SELECT count(*) FROM events WHERE {where}", values).fetchone()[0]
        rows = store.db.execute(query, [*values, min(limit, MOST_ROWS), offset]).fetchall()
    return {"total": total, "rows": [_row(row) for row in rows]}


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    """An event in a list: its row, and what it was worth."""
    *columns, body = row
    custom = mapping_of(_decode(body), "custom_data") if body and b'"value"' in body else {}
    value, currency = custom.get("value"), custom.get("currency")
    return dict(zip(_ROW, columns, strict=True)) | {
        "value": value if type(value) in (int, float) else None,
        "currency": currency if isinstance(currency, str) else "",
    }


def event(store: Store, number: int) -> Stored | None:
    """One event."""
    columns = ", ".join(f"e.{name}" for name in EVENT_COLUMNS)
    query = f"SELECT {columns}, b.body FROM events e JOIN bodies b ON b.id = e.id WHERE e.id = ?"
    with store.lock:
        row = store.db.execute(query, (number,)).fetchone()
    return Stored(*row) if row is not None else None


def attempts(store: Store, one: Stored) -> list[dict[str, Any]]:
    """The requests that brought an event, oldest first, with what became of it there."""
    query = (
        "SELECT a.request, a.position, a.verdict, coalesce(r.at, 0) FROM attempts a "
        "LEFT JOIN requests r ON r.id = a.request WHERE a.event = ? ORDER BY a.request LIMIT 100"
    )
    with store.lock:
        rows = store.db.execute(query, (one.id,)).fetchall()
    rows = rows or [(one.request, one.position, one.verdict, one.at)]
    return [dict(zip(("request", "position", "verdict", "at"), row, strict=True)) for row in rows]


def requests(store: Store, offset: int, limit: int) -> dict[str, Any]:
    """A stretch of the requests, newest first."""
    columns = ", ".join(REQUEST_COLUMNS)
    with store.lock:
        total = store.db.execute("SELECT count(*) FROM requests").fetchone()[0]
        rows = store.db.execute(
            f"SELECT {columns} FROM requests ORDER BY id DESC LIMIT ? OFFSET ?", (min(limit, MOST_ROWS), offset)
        ).fetchall()
    return {"total": total, "rows": [asdict(Request(*row)) for row in rows]}


def request(store: Store, number: int) -> dict[str, Any] | None:
    """One request, and the first of its events that were refused for a fault of their own."""
    columns = ", ".join(REQUEST_COLUMNS)
    with store.lock:
        row = store.db.execute(f"SELECT {columns} FROM requests WHERE id = ?", (number,)).fetchone()
        where, values = Filter(verdict="refused", request=number).where()
        query = f"SELECT {', '.join(_WRONG)} FROM events WHERE {where} ORDER BY id LIMIT {_MOST_WRONG}"
        wrong = store.db.execute(query, values).fetchall()
    if row is None:
        return None
    return asdict(Request(*row)) | {"wrong": [dict(zip(_WRONG, one, strict=True)) for one in wrong]}


def arrivals(store: Store, now: float) -> dict[str, Any]:
    """Events over time by verdict, in bars of equal width, as many spans back as there is something to show.

    returns  ``until`` and ``width`` in seconds, and bars of accepted, refused and held events, oldest first
    """
    with store.lock:
        first = store.db.execute("SELECT min(at) FROM requests").fetchone()[0]
        age = now - first if first is not None else 0
        span = next((one for one in SPANS if one >= age), SPANS[-1])
        width = span / BARS
        until = (now // width + 1) * width
        query = (
            "SELECT CAST((? - at) / ? AS INTEGER), sum(accepted), sum(refused), sum(held) FROM requests "
            "WHERE at > ? GROUP BY 1"
        )
        rows = store.db.execute(query, (until, width, until - span)).fetchall()
    bars = [[0, 0, 0] for _ in range(BARS)]
    for place, *counts in rows:
        if 0 <= place < BARS:
            bars[BARS - 1 - place] = counts
    return {"until": until, "width": width, "bars": bars}
