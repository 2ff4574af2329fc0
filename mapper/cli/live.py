"""What a run says while it goes on: a line on a terminal, structured logs, and a file of metrics."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..authoring.diagnostics import to_json
from ..delivery.metrics import prometheus, write
from ..delivery.report import Report, Tally
from ..errors import DeliveryError

_EVERY: Final = 5.0
"""Seconds between two versions of the file of metrics."""

_LEVELS: Final = {"waiting": "warning", "stopped": "error", "error": "error"}

Show = Callable[[Tally], None]


@contextmanager
def progress(*, quiet: bool, sends: bool = True) -> Iterator[Show | None]:
    """A line that tells how far the run is, on a terminal only.

    sends   whether it sends events, or only makes them
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    started = time.monotonic()
    with Console(stderr=True).status("Reading …") as status:

        def show(tally: Tally) -> None:
            status.update(as_line(tally, time.monotonic() - started, sends=sends))

        yield show


def as_line(tally: Tally, seconds: float, *, sends: bool = True) -> str:
    """``12,000 records read, 9,000 of 11,000 events sent, 5 refused, 1,200/s, 2,000 in flight, 0:12 left``"""
    records, events, sending = tally.records, tally.events, tally.sending
    made = f"{events.sent:,} of {events.made:,} events sent" if sends else f"{events.made:,} events made"
    parts = [f"{records.read:,} records read", made]
    if records.dead:
        parts.append(f"{records.dead:,} refused")
    if seconds > 1 and events.sent:
        parts.append(f"{events.sent / seconds:,.0f}/s")
    if tally.in_flight:
        parts.append(f"{tally.in_flight:,} in flight")
    if sending.retries:
        parts.append(f"{sending.retries:,} {'retry' if sending.retries == 1 else 'retries'}")
    if tally.size and tally.position and seconds > 1:
        left = int(seconds * (tally.size - tally.position) / tally.position)
        parts.append(f"{left // 60}:{left % 60:02} left")
    return ", ".join(parts)


def log(word: str, fields: Mapping[str, Any]) -> None:
    """One line of JSON on stderr: when, how serious, what, and its fields. Never a record's value, never a secret."""
    moment = datetime.now(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"time": moment, "level": _LEVELS.get(word, "info"), "event": word, **fields}
    try:
        os.write(sys.stderr.fileno(), to_json(said, indent=None).encode() + b"\n")
    except (OSError, ValueError, AttributeError):  # nobody listens: no reason to fail
        return


class Metrics:
    """A file of metrics, written anew every few seconds and at the end."""

    def __init__(self, path: Path, destination: str) -> None:
        self._path, self._destination = path, destination
        self._started = time.monotonic()
        self._written = 0.0

    def show(self, tally: Tally) -> None:
        moment = time.monotonic()
        if moment - self._written >= _EVERY:
            self._written = moment
            with suppress(DeliveryError):  # a disk that is full is said at the end; the run does not depend on it
                write(self._path, prometheus(tally, self._destination, moment - self._started), "metrics")

    def finish(self, report: Report) -> None:
        write(self._path, prometheus(report.tally, self._destination, report.seconds, report.exit_code), "metrics")
