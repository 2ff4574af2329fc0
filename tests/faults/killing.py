"""``kill -9`` at random moments of runs against a destination that misbehaves, until so many have died.

After each death the journal must be whole; once a run comes to its end every event was accepted, every refused record
is in the dead letters, and nothing came twice but what was on its way at a death or had no clear answer, and that with
the same bytes. A run that is asked to end (SIGTERM, SIGINT) must end soon, say so, and leave nothing on its way.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mapper.delivery import ledger

from ..answering import SETTINGS, lead
from .running import MAPPING
from .scenarios import chaos
from .server import Exchange, Server

BATCH, AT_ONCE, RECORDS = 25, 3, 3000
POISON = frozenset({"id-77", "id-1501"})

RUNNER = f"""
import sys, mapper
from mapper.cli.send import signals
from mapper.delivery.dispatch import Switch
mapping, source, url, journal, dead = sys.argv[1:]
switch = Switch()
with signals(switch):
    report = mapper.send(mapper.load(mapping), source, to=url, settings={SETTINGS!r}, journal=journal,
                         dead_letters=dead, batch_size={BATCH}, concurrency={AT_ONCE}, switch=switch)
sys.exit(report.exit_code)
"""


def killed(folder: Path, kills: int, seed: int = 1, by: int = signal.SIGKILL) -> Iterator[tuple[int, list[str]]]:
    """Round after round, each to its end: how many have died so far, and what went wrong in this round."""
    chance, dead = random.Random(seed), 0
    while dead < kills:
        place = folder / str(dead)
        place.mkdir()
        died, wrong = _round(place, chance, kills - dead, by)
        dead += died
        yield dead, wrong
        shutil.rmtree(place)


def _round(place: Path, chance: random.Random, most: int, by: int) -> tuple[int, list[str]]:
    """One file of records, sent by runs that are killed until one of them comes to its end."""
    misbehaving = chaos(chance.randrange(10**6))()

    def behave(exchange: Exchange) -> None:
        time.sleep(0.02)
        if any(event["event_id"] in POISON for event in exchange.events):
            exchange.error(400, 100, error_subcode=2804050)
        elif exchange.number % 5:
            exchange.accept()
        else:
            misbehaving(exchange)

    server, now = Server(behave), int(time.time())
    (place / "m.yaml").write_text(MAPPING)
    lines = (json.dumps(lead(n, at=now - 60)) if n % 50 else "broken" for n in range(RECORDS))
    (place / "r.jsonl").write_text("".join(f"{line}\n" for line in lines))
    files = [place / "m.yaml", place / "r.jsonl", server.url, place / "journal", place / "dead.jsonl"]
    died, wrong = 0, list[str]()
    try:
        while True:
            process = subprocess.Popen([sys.executable, "-c", RUNNER, *map(str, files)])
            patience = chance.uniform(0.0, 1.2) + died / 25 if died < most else 300.0
            try:
                code = process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(by)
                asked = time.monotonic()
                code = process.wait()
                died += 1
                wrong += _unreadable(place, died)
                if by != signal.SIGKILL and code not in (0, 1, 128 + by, -by):  # -by: before the handler was in place
                    wrong.append(f"a run that was asked to end ended with {code}")
                if time.monotonic() - asked > 20:
                    wrong.append(f"a run that was asked to end took {time.monotonic() - asked:.0f} s")
                if code in (0, 1):
                    break
        wrong += _judged(place, server, died if by == signal.SIGKILL else 0, code)
    finally:
        server.close()
    return died, wrong


def _unreadable(place: Path, died: int) -> list[str]:
    """Look into a copy of the journal, as the dead run left it."""
    copy = place / "copy"
    copy.mkdir()
    for path in place.glob("journal*"):
        shutil.copy(path, copy)
    try:
        if not (copy / "journal").exists() or not (copy / "journal").stat().st_size:
            return []
        with ledger.opened(copy / "journal") as database:
            whole = ledger.is_whole(database)
        database.close()
        return [] if whole else [f"the journal was damaged after death {died}"]
    finally:
        shutil.rmtree(copy)


def _judged(place: Path, server: Server, died: int, code: int) -> list[str]:
    book = server.ledger
    good = {f"id-{n}" for n in range(RECORDS) if n % 50} - POISON
    twice = sum(book.stored.values()) - len(book.stored)
    most = died * AT_ONCE * BATCH + sum(book.unclear.values())
    letters = []
    for line in (place / "dead.jsonl").read_text().splitlines():
        if line.endswith("}"):  # a death may have cut one off, which the next run writes whole
            letters.append(json.loads(line))
    broken = {letter["line"] - 1 for letter in letters if letter.get("text") == "broken"}
    rejected = {letter["sent"]["event_id"] for letter in letters if "sent" in letter}
    checks = [
        (code in (0, 1), f"the last run ended with {code}"),
        (set(book.stored) == good, f"{len(good - set(book.stored))} events were lost"),
        (not book.conflicts, f"{book.conflicts} events came again with other bytes"),
        (twice <= most, f"{twice} events came twice, at most {most} may"),
        (broken == set(range(0, RECORDS, 50)), "not every broken line is in the dead letters"),
        (rejected == POISON, f"{len(rejected)} events were rejected, not {len(POISON)}"),
        ((place / "journal").stat().st_size < 200_000, "the journal has grown too large"),
    ]
    return [said for holds, said in checks if not holds]
