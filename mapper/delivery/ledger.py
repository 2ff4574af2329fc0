"""The journal's tables. Every row carries a seal, a hash of what was written, so that a damaged one is not believed.

A database that somebody else has made, with other tables or with triggers of its own, is no journal: it is refused.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

COLUMNS: Final = {
    "meta": {"key": "TEXT PRIMARY KEY", "value": "TEXT NOT NULL"},
    "files": {
        "id": "INTEGER PRIMARY KEY",
        "prefix_length": "INTEGER NOT NULL",
        "prefix": "TEXT NOT NULL",
        "settled": "INTEGER NOT NULL DEFAULT 0",
        "lines": "INTEGER NOT NULL DEFAULT 0",
        "checked": "TEXT NOT NULL DEFAULT ''",
        "name": "TEXT NOT NULL DEFAULT ''",
    },
    "ranges": {
        "file": "INTEGER NOT NULL",
        "start": "INTEGER NOT NULL",
        "end": "INTEGER NOT NULL",
        "lines": "INTEGER NOT NULL",
        "state": "TEXT NOT NULL",
        "sent": "REAL NOT NULL",
        "mark": "TEXT NOT NULL",
    },
    "kept": {
        "file": "INTEGER NOT NULL",
        "start": "INTEGER NOT NULL",
        "number": "INTEGER NOT NULL",
        "line": "INTEGER NOT NULL",
        "name": "TEXT NOT NULL",
        "key": "TEXT NOT NULL",
        "time": "INTEGER",
        "expires": "INTEGER",
        "encoded": "BLOB NOT NULL",
    },
    "repeated": {
        "file": "INTEGER NOT NULL",
        "start": "INTEGER NOT NULL",
        "line": "INTEGER NOT NULL",
        "last": "INTEGER NOT NULL",
        "at": "REAL NOT NULL",
    },
}
_TYPES: Final = {
    "TEXT": "typeof({0}) = 'text'",
    "BLOB": "typeof({0}) = 'blob'",
    "INTEGER": "typeof({0}) = 'integer' AND {0} BETWEEN -1 AND 9007199254740992",
    "REAL": "typeof({0}) = 'real' AND {0} BETWEEN 0 AND 9007199254740992",
}
"""What a value of a column is like. SQLite would keep any other just as well, and not everybody who writes is us."""

_SENSE: Final = {
    "files": "settled >= 0 AND lines >= 0",
    "ranges": "start >= 0 AND end >= start AND lines >= 0 AND state IN ('open', 'due', 'again', 'done')",
    "kept": "number >= 0 AND line >= 0",
    "repeated": "start >= 0 AND line >= 0 AND last >= line",
}
"""What the values of a row are to each other."""

_KEYS: Final = {"ranges": "file, start", "kept": "file, start, number", "repeated": "file, start"}
_PAGES: Final = 300
"""Pages of changes after which they are taken over into the tables: so the files of a journal stay below 2 MB."""
_APPLICATION: Final = 0x6D617070
"""Stands in the head of the database, so that ``file`` and we know it for a journal."""


def opened(path: Path) -> sqlite3.Connection:
    """The database of a journal, made if it is new.

    raises  sqlite3.Error, OSError; ValueError for a database that is no journal
    """
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with ExitStack() as unless_opened:
        unless_opened.callback(database.close)
        database.execute("PRAGMA trusted_schema = OFF")
        made = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if made and not _is_ours(database):
            raise ValueError("no journal")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA secure_delete = ON")
        database.execute(f"PRAGMA wal_autocheckpoint = {_PAGES}")
        if not made:
            database.executescript(f"BEGIN; PRAGMA application_id = {_APPLICATION}; {_made()} COMMIT;")
        seals(database)
        database.executescript("".join(map(_triggers, COLUMNS)))
        unless_opened.pop_all()
    return database


def reading(path: Path) -> sqlite3.Connection:
    """The same, only to look into it: nobody is kept from writing to it meanwhile.

    raises  sqlite3.Error; ValueError for a database that is no journal
    """
    try:
        return _reading(f"{path.resolve().as_uri()}?mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
    return _reading(f"{path.resolve().as_uri()}?mode=rw")  # a power cut left something half done: it is undone first


def _reading(address: str) -> sqlite3.Connection:
    database = sqlite3.connect(address, uri=True)
    with ExitStack() as unless_opened:
        unless_opened.callback(database.close)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return _empty()  # the run that began it died before anything stood in it
        if not _is_ours(database):
            raise ValueError("no journal")
        seals(database)
        unless_opened.pop_all()
    return database


def _empty() -> sqlite3.Connection:
    """A journal in which nothing stands, in memory."""
    database = sqlite3.connect(":memory:")
    database.executescript(_made())
    seals(database)
    return database


def _is_ours(database: sqlite3.Connection) -> bool:
    """Whether a database has just the tables of a journal, and nothing that acts by itself."""
    if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        return False
    found = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    return found == {_table(name).removesuffix(";") for name in COLUMNS}


def is_whole(database: sqlite3.Connection) -> bool:
    """Whether every row is as it was written: a disk that forgets a bit must not make us skip a record.

    The seal is no secret. So what somebody else has sealed must at least be what can be worked with.
    """
    if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        return False
    for table, columns in COLUMNS.items():
        sound = " AND ".join(f"({_sound(column, kind)})" for column, kind in columns.items())
        sense = _SENSE.get(table, "1")
        query = (
            f"SELECT count(*) FROM {table}"
            f" WHERE seal IS NOT sealed({', '.join(columns)}) OR ({sound} AND {sense}) IS NOT 1"
        )
        if database.execute(query).fetchone()[0]:
            return False
    return True


def _sound(column: str, kind: str) -> str:
    """A condition on a column that it holds what it is for."""
    word, *more = kind.split()
    sound = _TYPES[word].format(column)
    return sound if more else f"{column} IS NULL OR ({sound})"


def _table(name: str) -> str:
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS[name].items())
    key = f", PRIMARY KEY ({_KEYS[name]})" if name in _KEYS else ""
    return f"CREATE TABLE {name} ({columns}, seal TEXT NOT NULL DEFAULT ''{key});"


def _triggers(table: str) -> str:
    """Whatever is written to a row is sealed with it."""
    columns = ", ".join(COLUMNS[table])
    values = ", ".join(f"NEW.{column}" for column in COLUMNS[table])
    seal = f"UPDATE {table} SET seal = sealed({values}) WHERE rowid = NEW.rowid;"
    return (
        f"CREATE TEMP TRIGGER {table}_made AFTER INSERT ON {table} BEGIN {seal} END;"
        f"CREATE TEMP TRIGGER {table}_changed AFTER UPDATE OF {columns} ON {table} BEGIN {seal} END;"
    )


def _made() -> str:
    """The statements that make the tables, and give the journal a number of its own."""
    number = secrets.token_hex(8)
    numbered = f"INSERT INTO meta (key, value, seal) VALUES ('id', '{number}', '{_sealed(number, 'id', number)}');"
    return "".join(map(_table, COLUMNS)) + numbered


def seals(database: sqlite3.Connection) -> None:
    """Let a database seal its rows, and see whether they are sealed.

    With the journal's own number: where the files of two journals were mixed up, the rows of one are no rows of the
    other, although all of them are whole.
    """
    found = database.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    database.create_function("sealed", -1, partial(_sealed, found and found[0]), deterministic=True)


def _sealed(*values: Any) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()


INSERT: Final = {
    table: f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for table, columns in COLUMNS.items()
}
