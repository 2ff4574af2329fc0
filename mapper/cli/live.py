"""What a run says while it goes on: a line on a terminal, structured logs, and a file of metrics."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..authoring.diagnostics import to_json
from ..delivery.dispatch import GRACE, Switch
from ..delivery.metrics import prometheus, write
from ..delivery.report import Report, Tally
from ..errors import DeliveryError

STOPPING: Final = f"Stopping: requests on their way have {GRACE:.0f} seconds. Once more ends at once."

_EVERY: Final = 5.0
"""Seconds between two versions of the file of metrics."""

_LATELY: Final = 10.0
"""Seconds over which the rate is measured."""

_LEVELS: Final = {"waiting": "warning", "warning": "warning", "stopped": "error", "error": "error"}

Show = Callable[[Tally], None]


@contextmanager
def progress(*, quiet: bool, sends: bool = True, switch: Switch | None = None) -> Iterator[Show | None]:
    """A line that tells how far the run is, on a terminal only.

    sends    whether it sends events, or only makes them
    switch   what ends the run: then that is told as well
    """
    if quiet or not is_live():
        yield None
        return
    from rich.console import Console

    started = time.monotonic()
    console, pace, is_narrow = Console(stderr=True), Pace(), False
    with console.status("Reading …") as status:

        def show(tally: Tally) -> None:
            nonlocal is_narrow
            moment = time.monotonic()
            rate = pace.measured(moment, tally.events.sent)
            counts, flow = as_line(tally, moment - started, sends=sends, rate=rate), ""
            if is_narrow or len(counts) + 2 > console.width:  # broken at one place, and from then on always
                is_narrow = True
                counts, flow = _parts(tally, moment - started, sends=sends, rate=rate)
            ending = STOPPING if switch is not None and switch.is_off() else ""
            status.update("\n".join(filter(None, (counts, flow, ending))))

        yield show


def is_live() -> bool:
    """Whether somebody sees how far it is."""
    is_dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return sys.stderr is not None and sys.stderr.isatty() and not is_dumb


class Pace:
    """Events a second of late: a run that goes on for days says what it does now."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def measured(self, moment: float, sent: int) -> float | None:
        """Sent so many by a moment: how many a second in the last ones; None at first."""
        seen = self._seen
        seen.append((moment, sent))
        while len(seen) > 2 and seen[1][0] < moment - _LATELY:
            seen.popleft()
        passed = moment - seen[0][0]
        return (sent - seen[0][1]) / passed if passed > 1 else None


def as_line(tally: Tally, seconds: float, *, sends: bool = True, rate: float | None = None) -> str:
    """``12,000 records read, 9,000 of 11,000 events sent, 5 refused, 1,200/s, 2,000 in flight, 0:12 left``"""
    return ", ".join(filter(None, _parts(tally, seconds, sends=sends, rate=rate)))


def _parts(tally: Tally, seconds: float, *, sends: bool, rate: float | None) -> tuple[str, str]:
    """What has become of the records, and how it goes on."""
    records, events, sending = tally.records, tally.events, tally.sending
    made = f"{events.sent:,} of {events.made:,} events sent" if sends else f"{events.made:,} events made"
    parts = [f"{records.read:,} {'record' if records.read == 1 else 'records'} read", made]
    if records.dead:
        parts.append(f"{records.dead:,} refused")
    flow = []
    if rate is not None and events.sent:
        flow.append(f"{rate:,.0f}/s")
    if tally.in_flight:
        flow.append(f"{tally.in_flight:,} in flight")
    if sending.retries:
        flow.append(f"{sending.retries:,} {'retry' if sending.retries == 1 else 'retries'}")
    if seconds > 1 and (left := _left(tally, seconds, sends=sends)) is not None:
        flow.append(f"{left} left")
    return ", ".join(parts), ", ".join(flow)


def _left(tally: Tally, seconds: float, *, sends: bool) -> str | None:
    """``1:02:03``, if it goes on as it has; None if nobody knows how much there is.

    What was read is not done before its events are; what an earlier run had settled took no time.
    """
    begun, size = tally.position - tally.passed, tally.size - tally.passed
    share = begun / size if tally.size and size > 0 else 0.0
    if sends and tally.events.made:
        share *= (tally.events.sent + tally.events.rejected) / tally.events.made
    if share <= 0:
        return None
    left = int(seconds * (1 - share) / share)
    hours = f"{left // 3600}:{left // 60 % 60:02}" if left >= 3600 else f"{left // 60}"
    return f"{hours}:{left % 60:02}"


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
