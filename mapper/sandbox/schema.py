"""The tables of the store, and how a file is opened.

The version of the schema stands in ``user_version``, and ``application_id`` says that the file is ours: a file of
another kind is refused, not changed.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from ..errors import DeliveryError

APPLICATION: Final = 0x4D415053
VERSION: Final = 1
WRONG_USE: Final = 2

SCHEMA: Final = """
CREATE TABLE requests (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, source TEXT NOT NULL, version TEXT NOT NULL, form TEXT NOT NULL,
  status INTEGER NOT NULL, code INTEGER NOT NULL, subcode INTEGER NOT NULL, message TEXT NOT NULL,
  trace TEXT NOT NULL, fault TEXT NOT NULL, test_code TEXT NOT NULL, agent TEXT NOT NULL, bytes INTEGER NOT NULL,
  took REAL NOT NULL, events INTEGER NOT NULL, accepted INTEGER NOT NULL, refused INTEGER NOT NULL,
  held INTEGER NOT NULL) STRICT;
CREATE INDEX requests_at ON requests (at);
CREATE TABLE events (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, request INTEGER NOT NULL, position INTEGER NOT NULL,
  source TEXT NOT NULL, verdict TEXT NOT NULL, name TEXT NOT NULL, event_id TEXT NOT NULL, event_time INTEGER,
  action_source TEXT NOT NULL, test_code TEXT NOT NULL, rule TEXT NOT NULL, path TEXT NOT NULL,
  message TEXT NOT NULL, remedy TEXT NOT NULL, warned INTEGER NOT NULL, keys INTEGER NOT NULL,
  merged TEXT NOT NULL, twin INTEGER NOT NULL, way TEXT NOT NULL, attempts INTEGER NOT NULL,
  identity INTEGER, digest BLOB) STRICT;
CREATE INDEX events_request ON events (request);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE attempts (
  event INTEGER NOT NULL, request INTEGER NOT NULL, position INTEGER NOT NULL, verdict TEXT NOT NULL,
  PRIMARY KEY (event, request, position)) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_request ON attempts (request);
CREATE TABLE persons (person INTEGER NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (person, event))
  STRICT, WITHOUT ROWID;
CREATE INDEX persons_event ON persons (event);
CREATE TABLE totals (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
"""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a store: a file, made if there is none, or memory.

    raises  DeliveryError (exit code 2) if the file is not a sandbox's or cannot be used
    """
    try:
        connection = sqlite3.connect(_named(path), isolation_level=None, check_same_thread=False, timeout=10)
        _prepare(connection, path)
    except sqlite3.Error as error:
        message = f"the sandbox's store {path} cannot be used: {_why(error)}"
        raise DeliveryError("store", message, WRONG_USE, "Name another file, or none.") from None
    return connection


def _named(path: Path | None) -> str:
    if path is None:
        return ":memory:"
    try:
        # Made here, so that it is nobody else's to read from its first byte on.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except OSError as error:
        message = f"the sandbox's store {path} cannot be used: {error.strerror}"
        raise DeliveryError("store", message, WRONG_USE, "Name another file, or none.") from None
    return str(path)


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA secure_delete = ON")
    is_new = _check(connection)
    if path is not None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # outlives the process; a power failure may cost the newest
    if is_new:
        marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN; {SCHEMA} {marks} COMMIT;")


def _check(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty; a file that is neither empty nor ours is refused before anything is written to it."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    kinds = {kind for (kind,) in connection.execute("SELECT type FROM sqlite_schema")}
    if (application, version) == (APPLICATION, VERSION) and kinds == {"table", "index"}:
        return False
    if application or version or kinds:
        raise sqlite3.DatabaseError("it is not a store of this version of the sandbox")
    return True


def _why(error: sqlite3.Error) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
