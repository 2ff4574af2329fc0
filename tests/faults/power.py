"""The power goes, again and again, while a run writes to a disk that keeps what was synced, and a part of the rest.

Each run comes to its end, and a log is kept of what it does to its disk. Then a moment of it is chosen at which the
power is cut: nothing after that has happened, neither on the disk nor at the destination, whose ledger notes how long
the log was when an event arrived. On an image of the disk (``image``) the next run goes on; and so again, until one is
left to its end. Then every event must have been accepted, and nothing twice but what had no clear answer, what was on
its way, and the last stretches that were settled; and every refused record must be in the dead letters.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import image
from .disk import AT_ONCE, Disk, Ended, Runner
from .scenarios import chaos
from .sending import BATCH, POISON, RECORDS_FILE, accepting, arguments, begin, expected, refused, torn
from .server import Arrival, Exchange, Ledger, Server

RECORDS: Final = 400
AHEAD: Final = 4
"""Stretches that are settled and may not have reached the disk yet: docs/delivery.md."""

KINDS: Final = ("file", "pipe", "pipe-that-is-gone", "retry", "sender", "file-at-most-once")
"""What is sent: a file; a pipe that begins anew each time; one that is gone with the first power cut; dead letters;
what a program hands over, which is gone as well; a file of which nothing may come twice, but be held."""

_HELD: Final = 4

Behaviour = Callable[[Exchange], None]


@dataclass(slots=True)
class Story:
    """What has happened in the runs so far, how often the power was cut, and what is wrong with it all in the end.

    safe   the records of which a sender has said that they are safe
    """

    kind: str
    arrivals: list[Arrival] = field(default_factory=list)
    safe: set[int] = field(default_factory=set)
    cuts: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def twice(self) -> int:
        """How many events came twice."""
        stored = [one.id for one in self.arrivals if one.how != "read"]
        return len(stored) - len(set(stored))


def power_cuts(
    runner: Runner,
    folder: Path,
    cuts: int,
    *,
    seed: int = 1,
    kinds: Sequence[str] = KINDS,
    is_calm: bool = False,
    mutant: str = "",
) -> Iterator[Story]:
    """Story after story, each to its end, until the power was cut so many times.

    is_calm   the destination does not misbehave, which takes much less time
    mutant    one of ``disk.MUTANTS``
    """
    chance, done = random.Random(seed), 0
    for number in range(10**6):
        if done >= cuts:
            return
        place, story = folder / f"power-{number}", Story(kinds[number % len(kinds)])
        place.mkdir()
        clear = is_calm or story.kind == "file-at-most-once"  # to which an unclear answer would be the end
        server = Server(accepting if clear else _misbehaving(chance))
        try:
            wanted = min(cuts - done, chance.randint(1, 3))
            story.wrong += _told(runner, place, story, server, chance, wanted, mutant)
        finally:
            server.close()
        done += story.cuts
        yield story
        shutil.rmtree(place)


def _told(
    runner: Runner, place: Path, story: Story, server: Server, chance: random.Random, cuts: int, mutant: str
) -> list[str]:
    disk = place / "disk-0"
    begin(runner, place, disk, RECORDS, is_retry=story.kind == "retry")
    while story.cuts < cuts:
        disk, wrong = _until_the_power_goes(runner, place, disk, story, server, chance, mutant)
        if wrong:
            return wrong
    ended = _run(runner, place, disk, None, story, server, mutant)
    story.arrivals += server.ledger.history
    story.safe |= ended.safe(0)
    return _judged(story, disk, ended)


def _until_the_power_goes(
    runner: Runner, place: Path, disk: Path, story: Story, server: Server, chance: random.Random, mutant: str
) -> tuple[Path, list[str]]:
    """A run of which only a part has happened: the disk as it is then, and what is wrong with it."""
    log, before = place / f"log-{story.cuts}", image.Disk(disk)
    log.touch()
    server.ledger, server.moment = Ledger(), lambda: log.stat().st_size
    ended = _run(runner, place, disk, log, story, server, mutant)
    if ended.code not in (0, 1) and (ended.code, story.kind) != (_HELD, "file-at-most-once"):
        return disk, [f"after {story.cuts} cuts a run ended with {ended.code}: {ended.said[-400:]}"]
    entries = image.read(log)
    happened = _happened(entries, server.ledger.history, chance)
    before.play(happened)
    story.arrivals += [one for one in server.ledger.history if one.moment <= happened[-1].end]
    story.safe |= ended.safe(happened[-1].end)
    story.cuts += 1
    after = place / f"disk-{story.cuts}"
    after.mkdir()
    for name, data in before.image(chance, chance.choice(image.LOSSES), hashed="journal").items():
        (after / name).write_bytes(data)
    return after, list(torn(after))


def _happened(entries: list[image.Entry], history: list[Arrival], chance: random.Random) -> list[image.Entry]:
    """What the disk has seen when the power goes: at any moment, or just when an event arrives."""
    if history and chance.random() < 0.5:
        moment = chance.choice(history).moment
        return [one for one in entries if one.end <= moment] or entries[:1]
    return entries[: chance.randint(1, len(entries))]


def _run(runner: Runner, place: Path, disk: Path, log: Path | None, story: Story, server: Server, mutant: str) -> Ended:
    if log is None:
        server.ledger, server.moment = Ledger(), time.monotonic
    is_gone = story.kind in ("pipe-that-is-gone", "sender") and story.cuts
    if story.kind == "sender":
        command: list[str | Path] = ["sender", place / "m.yaml", disk, server.url, str(BATCH), str(log or "")]
    else:
        command = arguments(story.kind.partition("-")[0], place, disk, server.url, is_again=story.kind == "pipe")
        command += ["--on-unclear", "hold"] * (story.kind == "file-at-most-once")
    stdin = None if is_gone else place / RECORDS_FILE
    return runner.run(command, Disk(disk, log, delay=1000), stdin=stdin, mutant=mutant)


def _misbehaving(chance: random.Random) -> Behaviour:
    misbehaving = chaos(chance.randrange(10**6))()

    def behave(exchange: Exchange) -> None:
        is_poisoned = any(event["event_id"] in POISON for event in exchange.events)
        if exchange.number % 8 or is_poisoned:
            accepting(exchange)
        else:
            misbehaving(exchange)

    return behave


def _judged(story: Story, disk: Path, ended: Ended) -> list[str]:
    stored = {one.id for one in story.arrivals if one.how != "read"}
    unclear = sum(one.how == "unclear" for one in story.arrivals)
    seen = {one.id for one in story.arrivals}
    contents: dict[str, set[bytes]] = {}
    for one in story.arrivals:
        if one.how != "read":
            contents.setdefault(one.id, set()).add(one.data)
    good, broken = expected(RECORDS)
    if story.kind == "pipe-that-is-gone":  # what was sent was read, and so was all before it
        good = seen - POISON
        last = max((int(one[3:]) for one in seen), default=0)
        broken = {n for n in broken if n < last}
    elif story.kind == "sender":
        good, broken = good & {f"id-{n}" for n in story.safe}, broken & story.safe
    lines, rejected = refused(disk)
    twice, most = story.twice, story.cuts * (AT_ONCE + AHEAD) * BATCH + unclear
    held, codes = 0, {0, 1}
    if story.kind == "file-at-most-once":
        held, most = ended.count("held"), 0
    if held:  # of stretches that wait for a decision nothing is in the dead letters yet
        codes, broken, seen = {_HELD}, set(), set()
    checks = [
        (ended.code in codes, f"the last run ended with {ended.code}: {ended.said[-400:]}"),
        (len(good - stored) <= held, f"{len(good - stored)} events were lost, {held} are held"),
        (stored <= {f"id-{n}" for n in range(RECORDS)}, "events came that nobody had sent"),
        (all(len(one) == 1 for one in contents.values()), "events came again with other bytes"),
        (twice <= most, f"{twice} events came twice, at most {most} may"),
        (lines >= broken, f"{len(broken - lines)} broken lines are not in the dead letters"),
        (rejected >= POISON & seen, "an event that was refused is not in the dead letters"),
        *[(False, said) for said in torn(disk)],
    ]
    return [said for holds, said in checks if not holds]
