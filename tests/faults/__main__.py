"""Every fault, against the real sender: ``python -m tests.faults [NAME …]``; see ``--help``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import disk
from .failing import every_failure
from .killing import killed
from .points import every_point
from .power import power_cuts
from .running import run
from .scenarios import SCENARIOS, Scenario
from .simulation import story


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="What a misbehaving destination does.")
    parser.add_argument("names", nargs="*", help="only these scenarios, or groups")
    parser.add_argument("--at-once", type=int, default=8, help="how many at once")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="instead, kill runs until so many have died")
    parser.add_argument("--by", default="SIGKILL", help="kill them with this signal: SIGKILL, SIGTERM, SIGINT")
    parser.add_argument("--points", action="store_true", help="instead, end a run at each of its steps in turn")
    parser.add_argument("--disk", action="store_true", help="instead, let the disk fail at each operation, or run full")
    parser.add_argument("--power-cuts", type=int, default=0, metavar="N", help="instead, cut the power so many times")
    parser.add_argument(
        "--stories", type=int, default=0, metavar="N", help="instead, so many runs in a time of their own"
    )
    parser.add_argument("--seed", type=int, default=1, help="which kills, power cuts or stories")
    chosen = parser.parse_args()
    if chosen.kills:
        return _killed(chosen.kills, chosen.seed, signal.Signals[chosen.by])
    if chosen.power_cuts:
        return _without_power(chosen.power_cuts, chosen.seed)
    if chosen.disk:
        return _on_a_failing_disk()
    if chosen.stories:
        return _told(chosen.stories, chosen.seed)
    if chosen.points:
        return _at_every_point()
    wanted = [one for one in SCENARIOS if not chosen.names or {one.name, one.group} & set(chosen.names)]

    def timed(scenario: Scenario) -> tuple[list[str], float]:
        started = time.monotonic()
        return run(scenario), time.monotonic() - started

    started, failed = time.monotonic(), 0
    with ThreadPoolExecutor(chosen.at_once) as pool:
        for scenario, (wrong, seconds) in zip(wanted, pool.map(timed, wanted), strict=True):
            failed += bool(wrong)
            print(
                f"{'FAILED' if wrong else 'ok    '}  {scenario.group:<20} {scenario.name:<28} {seconds:5.1f} s",
                flush=True,
            )
            for one in wrong:
                print(f"        {one}")
    print(f"{len(wanted) - failed} of {len(wanted)} as they must be, in {time.monotonic() - started:.0f} s")
    return 1 if failed or not wanted else 0


def _killed(kills: int, seed: int, by: int) -> int:
    started, failed = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        for dead, wrong in killed(Path(folder), kills, seed, by=by):
            failed += bool(wrong)
            print(f"{'FAILED' if wrong else 'ok    '}  {dead} runs have died", flush=True)
            for one in wrong:
                print(f"        {one}")
    print(f"{kills} deaths in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _told(stories: int, first: int) -> int:
    started, failed = time.monotonic(), 0
    for seed in range(first, first + stories):
        wrong = story(seed)
        failed += bool(wrong)
        for one in wrong:
            print(f"FAILED  seed {seed}: {one}", flush=True)
    print(f"{stories - failed} of {stories} as they must be, in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _at_every_point() -> int:
    started, count, failed = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, at, wrong in every_point(Path(folder)):
            count, failed = count + 1, failed + bool(wrong)
            for one in wrong:
                print(f"FAILED  {kind} at step {at}: {one}", flush=True)
    print(f"{count - failed} of {count} as they must be, in {time.monotonic() - started:.0f} s")
    return 1 if failed or not count else 0


def _without_power(cuts: int, seed: int) -> int:
    started, failed, twice = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder, disk.running(Path(folder)) as runner:
        for story in power_cuts(runner, Path(folder), cuts, seed=seed):
            failed, twice = failed + bool(story.wrong), twice + story.twice
            words = f"{story.kind:<18} {story.cuts} cuts, {story.twice} events twice"
            print(f"{'FAILED' if story.wrong else 'ok    '}  {words}", flush=True)
            for one in story.wrong:
                print(f"        {one}")
    print(f"{cuts} power cuts in {time.monotonic() - started:.0f} s, {twice / cuts:.0f} events twice for each")
    return 1 if failed else 0


def _on_a_failing_disk() -> int:
    started, failed, counts = time.monotonic(), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder, disk.running(Path(folder)) as runner:
        for name, at, wrong in every_failure(runner, Path(folder)):
            counts[name] += 1
            failed += bool(wrong)
            for one in wrong:
                print(f"FAILED  {name} at {at}: {one}", flush=True)
    for name, count in counts.items():
        print(f"{name:<24} {count:>4}")
    print(f"{counts.total() - failed} of {counts.total()} as they must be, in {time.monotonic() - started:.0f} s")
    return 1 if failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
