"""A run that dies, or whose disk fails, at a chosen step: the first, the second, … each in turn.

A step is a statement to the journal, a request (before it is sent, and after its answer) or a line to the dead letters.
One process has everything loaded and forks a child for each run; the child counts its own steps.

    die      the process ends at step n as if it were killed
    disk     the journal's or the dead letters' step n fails as on a broken disk, and so does every later one
    hiccup   step n fails, and later ones do not
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from mapper.delivery import ledger

from ..answering import SETTINGS, lead
from .running import MAPPING
from .server import Exchange, Server

RECORDS, BATCH = 60, 20
POISON: Final = "id-33"
DIED: Final = 137
KINDS: Final = ("die", "disk", "hiccup")


class Steps:
    """Counts, and fails at the chosen one."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count = kind, at, 0

    def step(self, *, is_disk: bool) -> bool:
        """Whether this step of a disk fails."""
        self.count += 1
        is_now = self.count == self.at
        if self.kind == "die" and is_now:
            os._exit(DIED)
        return is_disk and (is_now if self.kind == "hiccup" else self.kind == "disk" and self.count >= self.at > 0)


def failing(steps: Steps) -> None:
    """Let the steps of this process be counted; for good, as it is a child that ends with its run."""
    from mapper.delivery import dead_letters, transport

    class Database(sqlite3.Connection):
        def execute(self, *arguments: Any) -> Any:
            self._step()
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            self._step()
            return super().executemany(*arguments)

        def executescript(self, *arguments: Any) -> Any:
            self._step()
            return super().executescript(*arguments)

        def _step(self) -> None:
            if steps.step(is_disk=True):
                raise sqlite3.OperationalError("disk I/O error")

    genuine, send, opened = sqlite3.connect, transport.Connection.send, dead_letters.DeadLetters._opened

    class Letters(io.BytesIO):
        """A file that is written to when it is flushed, as one that is buffered is."""

        def __init__(self, file: BinaryIO) -> None:
            super().__init__()
            self.file = file

        def flush(self) -> None:
            if not self.getvalue():
                return
            if steps.step(is_disk=True):
                raise OSError(5, "Input/output error")
            self.file.write(self.getvalue())
            self.file.flush()
            self.truncate(0)
            self.seek(0)

        def fileno(self) -> int:
            return self.file.fileno()

        def close(self) -> None:
            self.flush()
            self.file.close()

    def connect(*arguments: Any, **named: Any) -> Any:
        return genuine(*arguments, **named, factory=Database)

    def counted(self: Any, events: Any) -> Any:
        steps.step(is_disk=False)
        answer = send(self, events)
        steps.step(is_disk=False)
        return answer

    sqlite3.connect = connect  # type: ignore[assignment]
    transport.Connection.send = counted  # type: ignore[method-assign]
    dead_letters.DeadLetters._opened = lambda self: Letters(opened(self))  # type: ignore[method-assign,assignment,return-value]


def every_point(folder: Path, *, stride: int = 1) -> Iterator[tuple[str, int, list[str]]]:
    """Each kind of end at each step, or only at each so manyth: the kind, the step, and what went wrong.

    Ends where a run has no such step.
    """
    (folder / "m.yaml").write_text(MAPPING)
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder / "m.yaml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        for offset, kind in enumerate(KINDS):
            at = offset + 1 - stride
            is_reached = True
            while is_reached:
                at += stride
                place = folder / f"{kind}-{at}"
                place.mkdir()
                is_reached, wrong = _point(place, kind, at, runner.stdin, runner.stdout)
                if is_reached:
                    yield kind, at, wrong
        runner.stdin.close()


def _point(place: Path, kind: str, at: int, to: TextIO, of: TextIO) -> tuple[bool, list[str]]:
    """One run that fails at a step, and another that goes on: whether there was such a step, and what went wrong."""

    def behave(exchange: Exchange) -> None:
        if any(event["event_id"] == POISON for event in exchange.events):
            exchange.error(400, 100, error_subcode=2804050)
        else:
            exchange.accept()

    now, server = int(time.time()), Server(behave)
    lines = (json.dumps(lead(n, at=now - 60)) if n % 10 else "broken" for n in range(RECORDS))
    (place / "r.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def run(kind: str, at: int) -> dict[str, Any]:
        to.write(json.dumps({"place": str(place), "url": server.url, "kind": kind, "at": at}) + "\n")
        to.flush()
        said: dict[str, Any] = json.loads(of.readline())
        return said

    try:
        first = run(kind, at)
        if first["count"] < at and first["exit"] != DIED:
            return False, []
        arrived = set(server.ledger.stored)
        wrong = _unreadable(place) + [f"{first['error']}"] * bool(first["error"])
        allowed = {"die": {DIED}, "disk": {1, 5}, "hiccup": {1, 5}}[kind]
        if first["exit"] not in allowed:
            wrong.append(f"the run that failed ended with {first['exit']}")
        if kind != "die" and first["sent"] > len(arrived):
            wrong.append(f"{first['sent']} events are called sent, {len(arrived)} arrived")
        second = run("none", 0)
        return True, wrong + _judged(place, server, first, second)
    finally:
        server.close()


def _unreadable(place: Path) -> list[str]:
    journal = place / "journal"
    if not journal.exists() or not journal.stat().st_size:
        return []
    with ledger.opened(journal) as database:
        whole = ledger.is_whole(database)
    database.close()
    return [] if whole else ["the journal was damaged"]


def _judged(place: Path, server: Server, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    book = server.ledger
    good = {f"id-{n}" for n in range(RECORDS) if n % 10} - {POISON}
    twice = sum(book.stored.values()) - len(book.stored)
    text = (place / "dead.jsonl").read_text().splitlines()
    letters = [json.loads(line) for line in text if line.endswith("}")]
    broken = {letter["line"] - 1 for letter in letters if letter.get("text") == "broken"}
    checks = [
        (second["exit"] == 1 or (first["exit"] == 1 and second["exit"] == 0), f"the second run ended with {second}"),
        (set(book.stored) == good, f"{len(good - set(book.stored))} events were lost"),
        (not book.conflicts, f"{book.conflicts} events came again with other bytes"),
        (twice <= 2 * BATCH, f"{twice} events came twice"),
        (broken == set(range(0, RECORDS, 10)), "not every broken line is in the dead letters"),
        (
            POISON in {letter["sent"]["event_id"] for letter in letters if "sent" in letter},
            "the wrong event is missing",
        ),
    ]
    return [said for holds, said in checks if not holds]


def _child(program: Any, order: dict[str, Any], out: int) -> None:
    import mapper

    steps, place = Steps(order["kind"], order["at"]), Path(order["place"])
    failing(steps)
    said: dict[str, Any] = {"exit": 5, "sent": 0, "error": ""}
    try:
        report = mapper.send(
            program,
            place / "r.jsonl",
            to=order["url"],
            settings=SETTINGS,
            journal=place / "journal",
            dead_letters=place / "dead.jsonl",
            batch_size=BATCH,
            concurrency=2,
        )
        said |= {"exit": report.exit_code, "sent": report.events.sent}
    except mapper.DeliveryError as error:
        said["exit"] = error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever else comes out of it is a fault of ours
        said["error"] = f"{type(error).__name__}: {error}"
    os.write(out, json.dumps({**said, "count": steps.count}).encode())


def main() -> None:
    """Fork a child for each order on standard input, and say on standard output how it ended."""
    import mapper

    program = mapper.load(sys.argv[1])
    for line in sys.stdin:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            _child(program, json.loads(line), writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        print(text.decode() or json.dumps({"exit": DIED, "sent": 0, "error": "", "count": 0}), flush=True)


if __name__ == "__main__":
    main()
