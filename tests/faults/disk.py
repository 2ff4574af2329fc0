"""The command on a disk that fails as it is told: ``disk.c`` stands between it and the C library.

One process has everything loaded and forks a child for each run; the child names its disk, and is the command from then
on. Linux only, and it takes a C compiler: the shim is compiled when it is needed.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ..answering import SETTINGS

WRITE: Final = 1
SYNC: Final = 2
NAME: Final = 4
"""Kinds of operations: writes and cuts; syncs; files made, renamed and removed."""

AT_ONCE: Final = 3
"""Requests on their way at once."""

MUTANTS: Final = ("asynchronous", "letters-unsynced", "kept-unsynced", "names-unsynced", "reports-unsynced")
"""Ways of being wrong that only a power cut can show: see ``_mutated``."""

_SOURCE: Final = Path(__file__).with_name("disk.c")


@dataclass(frozen=True, slots=True)
class Disk:
    """What is wrong with the disk of a run: everything below ``folder``.

    log      a file to which every change and every sync is written: see ``image``
    kinds    which operations are counted and fail
    at       the first that fails, from 1; 0: none does
    error    what it fails with
    once     whether later ones work again
    torn     whether the first half of the write that would fail arrives; then the next one fails
    room     bytes by which the files may grow before the disk is full; -1: it has room for everything
    delay    microseconds that each sync takes longer
    """

    folder: Path
    log: Path | None = None
    kinds: int = 0
    at: int = 0
    error: int = errno.EIO
    once: bool = False
    torn: bool = False
    room: int = -1
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit code, operations of the disk, what it said, and its report as the log tells it."""

    code: int
    operations: int
    said: str

    def safe(self, moment: float) -> set[int]:
        """Which records a ``sender`` had called safe when the log was no longer than that."""
        told = [json.loads(line) for line in self.said.splitlines() if line.startswith('{"event": "safe"')]
        return {number for one in told if one["at"] <= moment for number in one["records"]}

    def count(self, fate: str) -> int:
        """How many events the run says were ``sent``, or are ``held``; 0 if it came to no report."""
        for line in self.said.splitlines():
            if line.startswith("{") and (told := json.loads(line)).get("event") == "finished":
                return int(told["events"][fate])
        return 0


class Runner:
    """Runs commands, each in a child of its own that is forked from a process which has everything loaded."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder

    def run(self, arguments: list[str | Path], disk: Disk, *, stdin: Path | None = None, mutant: str = "") -> Ended:
        """Run a command to its end.

        stdin    a file that comes to it through a pipe
        mutant   one of MUTANTS: what is wrong with the client
        """
        to, of = self._process.stdin, self._process.stdout
        assert to is not None
        assert of is not None
        said = self._folder / "said"
        names = {"folder": str(disk.folder), "log": str(disk.log or "")}
        order = {
            "arguments": [str(one) for one in arguments],
            "disk": {**asdict(disk), **names},
            "stdin": str(stdin or os.devnull),
            "said": str(said),
            "mutant": mutant,
        }
        to.write(json.dumps(order) + "\n")
        to.flush()
        answer = json.loads(of.readline())
        return Ended(answer["code"], answer["operations"], said.read_text())


@contextmanager
def running(folder: Path) -> Iterator[Runner]:
    """A runner that is up.

    folder   for the shim and what the commands say
    raises   RuntimeError if the shim does not stand between SQLite and the disk
    """
    shim = folder / "disk.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, _SOURCE, "-ldl", "-lpthread"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(shim), **{f"META_{key}": value for key, value in SETTINGS.items()}}
    with subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        runner = Runner(process, folder)
        try:
            _see_that_it_stands_between(runner, folder / "seen")
            yield runner
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _see_that_it_stands_between(runner: Runner, folder: Path) -> None:
    """SQLite may be a part of Python, or have its own ways to the disk: then nothing here would mean anything."""
    folder.mkdir()
    disk = Disk(folder, kinds=WRITE | SYNC)
    found = {kind: runner.run(["sqlite", folder / str(kind)], replace(disk, kinds=kind)) for kind in (WRITE, SYNC)}
    broken = runner.run(["sqlite", folder / "broken"], replace(disk, at=2))
    if any(one.operations < 3 for one in found.values()) or "disk I/O error" not in broken.said:
        raise RuntimeError("the shim does not stand between SQLite and the disk")


# -- within the child --------------------------------------------------------------------------------------------------


def _child(order: dict[str, Any], out: int) -> None:
    from mapper.cli.main import main

    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    feeder = subprocess.Popen(["cat", order["stdin"]], stdout=subprocess.PIPE)
    assert feeder.stdout is not None
    os.dup2(feeder.stdout.fileno(), 0)
    feeder.stdout.close()
    _mutated(order["mutant"])
    shim, disk = ctypes.CDLL(None), order["disk"]
    shim.disk_ops.restype = ctypes.c_long
    arms = {"folder": ctypes.c_char_p, "log": ctypes.c_char_p, "kinds": ctypes.c_int, "at": ctypes.c_long}
    arms |= {"error": ctypes.c_int, "once": ctypes.c_int, "torn": ctypes.c_int}
    arms |= {"room": ctypes.c_long, "delay": ctypes.c_long}
    shim.disk_arm.argtypes = list(arms.values())
    values = [disk[name] for name in arms]
    if shim.disk_arm(*(value.encode() if isinstance(value, str) else value for value in values)):
        raise OSError("the log cannot be written")
    code: Any = 70
    try:
        ours = {"sqlite": _sqlite, "retry": _retry, "sender": _hand_over}.get(order["arguments"][0])
        if ours is not None:
            ours(*order["arguments"][1:])
        sys.argv = ["mapper", *order["arguments"]]
        main()
    except SystemExit as end:
        code = end.code
    os.write(out, json.dumps({"code": code, "operations": shim.disk_ops()}).encode())
    feeder.kill()


def _sqlite(path: str) -> None:
    """A few rows in a database, for the runner's own sake."""
    import sqlite3

    try:
        with sqlite3.connect(path, isolation_level=None) as database:
            database.execute("PRAGMA journal_mode = WAL")
            for _ in range(3):
                database.executescript("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)")
    except sqlite3.Error as error:
        print(error)
    sys.stdout.flush()
    raise SystemExit(0)


def _retry(mapping: str, letters: str, url: str, batch: str) -> None:
    """``mapper dead-letters retry`` with smaller batches than the command has."""
    import mapper

    try:
        report = mapper.retry(mapper.load(mapping), letters, to=url, batch_size=int(batch), concurrency=AT_ONCE)
    except mapper.DeliveryError as error:
        print(error, flush=True)
        raise SystemExit(error.exit_code) from None
    print(json.dumps({"event": "finished", **report.as_dict()}), flush=True)
    raise SystemExit(report.exit_code)


def _hand_over(mapping: str, disk: str, url: str, batch: str, log: str) -> None:
    """A program whose threads hand records over to a ``Sender``; it says how long the log was when each was safe."""
    import mapper

    records = enumerate(sys.stdin.buffer.read().splitlines())
    report = None

    def hand_over() -> None:
        while some := list(islice(records, 3)):
            sender.send_all([line for _, line in some])
            at = os.stat(log).st_size if log else 0
            told = json.dumps({"event": "safe", "at": at, "records": [number for number, _ in some]})
            os.write(1, f"{told}\n".encode())

    place = Path(disk)
    with mapper.Sender(
        mapper.load(mapping), to=url, journal=place / "journal", dead_letters=place / "dead.jsonl",
        batch_size=int(batch), concurrency=AT_ONCE, max_wait=0.05,
    ) as sender:  # fmt: skip
        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(hand_over) for _ in range(3)]:
                done.result()
        sender.flush(60.0)
        report = sender.close()
    raise SystemExit(report.exit_code)


def _mutated(mutant: str) -> None:
    """Make the client wrong in a known way; for good, as this process ends with its run.

    asynchronous      nothing of the journal is brought to the disk
    letters-unsynced  dead letters are taken for safe although nobody has brought them there
    kept-unsynced     what came through a pipe is sent before it is there
    names-unsynced    a file of dead letters is brought there, but not its name
    reports-unsynced  a report is put in its place before it is there
    """
    from mapper.delivery import dead_letters, journal, metrics, syncing

    if mutant == "asynchronous":
        genuine = journal.Journal._synchronise
        syncing._sync = lambda descriptor: None
        journal.Journal._synchronise = lambda self, how: genuine(self, "OFF")  # type: ignore[method-assign]
    elif mutant == "letters-unsynced":
        dead_letters.DeadLetters.ask = lambda self: 0  # type: ignore[method-assign]
    elif mutant == "kept-unsynced":
        journal.Journal.wait_until_safe = lambda self, number: None  # type: ignore[method-assign]
    elif mutant == "names-unsynced":
        dead_letters.sync_names = lambda folder: None  # type: ignore[attr-defined]
    elif mutant == "reports-unsynced":
        metrics.os = SimpleNamespace(**{**vars(os), "fsync": lambda descriptor: None})  # type: ignore[attr-defined]


def main() -> None:
    """Fork a child for each order on standard input, and say on standard output how it ended."""
    import mapper
    from mapper.cli import dead_letters, send  # noqa: F401 - loaded once, for all children
    from mapper.delivery import pipeline, retrying  # noqa: F401

    assert mapper.load
    for line in sys.stdin:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            _child(json.loads(line), writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        print(text.decode() or json.dumps({"code": -9, "operations": 0}), flush=True)


if __name__ == "__main__":
    main()
