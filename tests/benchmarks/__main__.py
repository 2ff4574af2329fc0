"""``python -m tests.benchmarks [WORKLOAD …]``"""

from __future__ import annotations

import statistics
import sys
import time

import orjson

from .contenders import CONTENDERS, Contender
from .records import WORKLOADS, workload

ROUNDS = 7


def measure(names: list[str]) -> None:
    """Measure each workload: contenders in turn, several rounds, medians and ratios."""
    contenders = {name: make() for name, make in CONTENDERS.items()}
    print(f"{'workload':16}" + "".join(f"{name:>32}" for name in contenders))
    for name in names:
        lines = workload(name, 200 if name == "many-lines" else 1500)
        agree(contenders, lines)
        times: dict[str, list[float]] = {contender: [] for contender in contenders}
        for _ in range(ROUNDS):
            for contender, run in contenders.items():
                started = time.perf_counter()
                run(lines)
                times[contender].append((time.perf_counter() - started) / len(lines) * 1e6)
        medians = {contender: statistics.median(measured) for contender, measured in times.items()}
        ours = medians["mapper"]
        row = "".join(f"{median:>19.1f} \N{MICRO SIGN}s ({median / ours:>6.2f})" for median in medians.values())
        print(f"{name:16}{row}")


def agree(contenders: dict[str, Contender], lines: list[bytes]) -> None:
    """Ours and the one by hand make the very same events; the others as many."""
    made = {name: run(lines) for name, run in contenders.items()}
    ours, by_hand = ([orjson.loads(event) for event in made[name]] for name in ("mapper", "by hand"))
    assert ours == by_hand, "the events differ"
    assert {len(events) for events in made.values()} == {len(ours)}, {
        name: len(events) for name, events in made.items()
    }


if __name__ == "__main__":
    measure(sys.argv[1:] or list(WORKLOADS))
