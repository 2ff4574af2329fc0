"""A disk that fails at a chosen operation, or runs full: the first write, the second, … each in turn.

The run must end as it says it does, without claiming that anything was sent that has not arrived. The next run, on a
disk that works again, must finish the work.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from .disk import AT_ONCE, NAME, SYNC, WRITE, Disk, Ended, Runner
from .sending import BATCH, RECORDS_FILE, accepting, arguments, begin, expected, refused, torn
from .server import Server

RECORDS: Final = 80
KINDS: Final = ("file", "pipe", "retry")
_NONE: Final = Disk(Path())
FAULTS: Final = {
    "writes": replace(_NONE, kinds=WRITE),
    "one-write": replace(_NONE, kinds=WRITE, once=True),
    "torn-writes": replace(_NONE, kinds=WRITE, torn=True),
    "one-torn-write": replace(_NONE, kinds=WRITE, torn=True, once=True),
    "syncs": replace(_NONE, kinds=SYNC),
    "one-sync": replace(_NONE, kinds=SYNC, once=True),
    "names": replace(_NONE, kinds=NAME, error=errno.ENOSPC),
    "one-name": replace(_NONE, kinds=NAME, once=True),
    "full": _NONE,
}
"""What fails from one operation on, or once; or the disk is full after so many bytes."""

_ROOMS: Final = (0, 1, 511, 512, 4095, 4096, 8191, 8192, 32_768, 33_000, *range(40_000, 500_000, 2_999))


def every_failure(
    runner: Runner, folder: Path, *, stride: int = 1, kinds: Sequence[str] = KINDS
) -> Iterator[tuple[str, int, list[str]]]:
    """Each fault at each operation, or only at each so manyth: its name, the operation or the room, what went wrong."""
    counted: dict[tuple[str, int], int] = {}
    for offset, (kind, name) in enumerate((kind, name) for kind in kinds for name in FAULTS):
        fault = FAULTS[name]
        if fault.kinds and (kind, fault.kinds) not in counted:
            counted[kind, fault.kinds] = _operations(runner, folder / "good", kind, fault.kinds)
        places = range(1, counted[kind, fault.kinds] + 1) if fault.kinds else _ROOMS
        for number in places[offset * 7 % stride :: stride]:
            place = folder / f"{kind}-{name}-{number}"
            is_reached, wrong = _failed(runner, place, kind, fault, number)
            shutil.rmtree(place)
            if not is_reached and not fault.kinds:  # there is room for everything
                break
            yield f"{kind} {name}", number, wrong


def _operations(runner: Runner, place: Path, kind: str, kinds: int) -> int:
    """How many operations of these kinds a run on a good disk has."""
    place.mkdir()
    disk, server = place / "disk", Server(accepting)
    try:
        begin(runner, place, disk, RECORDS, is_retry=kind == "retry")
        command = arguments(kind, place, disk, server.url)
        return runner.run(command, Disk(disk, kinds=kinds), stdin=place / RECORDS_FILE).operations
    finally:
        server.close()
        shutil.rmtree(place)


def _failed(runner: Runner, place: Path, kind: str, fault: Disk, number: int) -> tuple[bool, list[str]]:
    """A run on a disk that fails, and one that goes on: whether the fault came to pass, and what went wrong."""
    place.mkdir()
    disk, server = place / "disk", Server(accepting)
    begin(runner, place, disk, RECORDS, is_retry=kind == "retry")
    fault = replace(fault, folder=disk, **({"at": number} if fault.kinds else {"room": number}))
    try:
        first = runner.run(arguments(kind, place, disk, server.url), fault, stdin=place / RECORDS_FILE)
        if first.operations < number if fault.kinds else first.code == 1:
            return False, [] if first.code in (0, 1) else [f"a run on a good disk ended with {first.code}"]
        arrived = len(server.ledger.stored)
        again = arguments(kind, place, disk, server.url, is_again=True)
        second = runner.run(again, Disk(disk), stdin=place / RECORDS_FILE)
        return True, _judged(server, disk, first, second, arrived)
    finally:
        server.close()


def _judged(server: Server, disk: Path, first: Ended, second: Ended, arrived: int) -> list[str]:
    book, (good, broken) = server.ledger, expected(RECORDS)
    lines, rejected = refused(disk)
    twice = sum(book.stored.values()) - len(book.stored)
    checks = [
        (first.code in (1, 5), f"the run that failed ended with {first.code}: {first.said[-800:]}"),
        ("Traceback" not in first.said + second.said, f"a traceback: {first.said[-800:]}"),
        (first.code == 1 or "cannot be" in first.said, f"it did not say what is wrong: {first.said[-800:]}"),
        (first.count("sent") <= arrived, f"{first.count('sent')} events are called sent, {arrived} arrived"),
        (second.code in (0, 1), f"the second run ended with {second.code}: {second.said[-800:]}"),
        (set(book.stored) == good, f"{len(good - set(book.stored))} events were lost"),
        (not book.conflicts, f"{book.conflicts} events came again with other bytes"),
        (twice <= AT_ONCE * BATCH, f"{twice} events came twice"),
        (lines >= broken, f"{len(broken - lines)} broken lines are not in the dead letters"),
        (rejected >= {"id-33"}, "an event that was refused is not in the dead letters"),
        *[(False, said) for said in torn(disk)],
    ]
    return [said for holds, said in checks if not holds]
