"""What the runs on a disk that fails send, how they are called, and what they leave behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mapper.delivery.retrying import open_letters

from ..answering import lead
from .disk import AT_ONCE, Disk, Runner
from .running import MAPPING
from .server import Exchange, Server

BATCH: Final = 10
RECORDS_FILE: Final = "records.jsonl"
POISON: Final = frozenset({"id-33", "id-302"})
"""Events that are refused."""

_EVERY: Final = 25
"""Each so manyth record is broken."""


def begin(runner: Runner, place: Path, disk: Path, count: int, *, is_retry: bool) -> None:
    """A mapping and so many records beside a new disk; for a retry they are dead letters on it."""
    disk.mkdir()
    now = int(time.time())
    records = (lead(number, at=now - 60, about="x" * (number % 7 * 40)) for number in range(count))
    lines = (json.dumps(one) if number % _EVERY else f"broken {number}" for number, one in enumerate(records))
    (place / RECORDS_FILE).write_text("".join(f"{line}\n" for line in lines))
    (place / "m.yaml").write_text(MAPPING)
    if not is_retry:
        return
    wrong = place / "wrong"
    wrong.mkdir()
    (wrong / "m.yaml").write_text(MAPPING.replace("{{ email }}", "{{ mail }}"))
    (wrong / RECORDS_FILE).symlink_to(place / RECORDS_FILE)
    server = Server(accepting)
    try:
        ended = runner.run(arguments("file", wrong, disk, server.url), Disk(disk))
    finally:
        server.close()
    assert ended.code == 1, ended.said
    (disk / "journal").unlink()


def arguments(kind: str, place: Path, disk: Path, url: str, *, is_again: bool = False) -> list[str | Path]:
    """The command that sends a ``file``, a ``pipe`` (which ``is_again`` there from its beginning), or a ``retry``."""
    if kind == "retry":
        return ["retry", place / "m.yaml", disk / "dead.jsonl", url, str(BATCH)]
    return [
        "send", place / "m.yaml", place / RECORDS_FILE if kind == "file" else "-", "--to", url,
        "--journal", disk / "journal", "--dead-letters", disk / "dead.jsonl",
        "--report", disk / "report.json", "--metrics", disk / "metrics.prom", "--log-format", "json",
        "--batch-size", str(BATCH), "--concurrency", str(AT_ONCE),
        *["--resume"] * (is_again and kind == "pipe" and (disk / "journal").exists()),
    ]  # fmt: skip


def accepting(exchange: Exchange) -> None:
    time.sleep(0.002)
    if any(event["event_id"] in POISON for event in exchange.events):
        exchange.error(400, 100, error_subcode=2804050)
    else:
        exchange.accept()


def expected(count: int) -> tuple[set[str], set[int]]:
    """The ids of the events that must be accepted, and the places of the records that cannot be mapped."""
    good = {f"id-{number}" for number in range(count) if number % _EVERY} - POISON
    return good, {number for number in range(count) if not number % _EVERY}


def refused(disk: Path) -> tuple[set[int], set[str]]:
    """What is in the dead letters: the places of records that could not be mapped, the ids of events that were refused.

    All of it must be letters, or what is left of one.
    """
    path = disk / "dead.jsonl"
    letters = [letter for _, letter in open_letters(path)] if path.exists() else []
    lines = {int(letter.text.removeprefix("broken ")) for letter in letters if letter.text}
    return lines, {json.loads(bytes(letter.sent))["event_id"] for letter in letters if letter.sent}


def torn(disk: Path) -> Iterator[str]:
    """Files that are put in their place in one step are whole, or not there."""
    report, metrics = disk / "report.json", disk / "metrics.prom"
    try:
        if report.exists():
            json.loads(report.read_bytes())
    except ValueError:
        yield "the report is torn"
    if metrics.exists() and not metrics.read_bytes().endswith(b"\n"):
        yield "the metrics are torn"
