"""``python -m tests.benchmarks [WORKLOAD …] [commands] [--records N] [--segment FOLDER]``: everything unless told.

FOLDER holds what ``npm install @segment/actions-core liquidjs`` put there; with it, Segment's mapping-kit takes part. N
is how many records the long runs of whole commands take.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import orjson

import mapper

from . import whole
from .contenders import CONTENDERS, MAPPING, Contender
from .records import NOW, WORKLOADS, workload

ROUNDS = 9
SEGMENT = Path(__file__).parent / "segment.cjs"
KIT = "Segment's mapping-kit"
SKIP = msgspec.json.Decoder(msgspec.Raw).decode


def measure(names: list[str], segment: str) -> None:
    """Measure each workload: contenders in turn, several rounds, medians and ratios."""
    contenders = {name: make() for name, make in CONTENDERS.items()}
    shown = [*contenders, *([KIT] if segment else [])]
    print("microseconds a record, from a line to the bytes of an event (and how many times ours)")
    print(f"{'workload':16}" + "".join(f"{name:>32}" for name in shown))
    for name in names:
        lines = workload(name, 200 if name == "many-lines" else 1500)
        count = agree(contenders, lines)
        times: dict[str, list[float]] = {contender: [] for contender in shown}
        for _ in range(ROUNDS):
            for contender, run in contenders.items():
                started = time.perf_counter()
                run(lines)
                times[contender].append((time.perf_counter() - started) / len(lines) * 1e6)
            if segment:
                times[KIT].append(mapping_kit(segment, lines, count))
        medians = {contender: statistics.median(measured) for contender, measured in times.items()}
        ours = medians["mapper"]
        row = "".join(f"{median:>19.1f} \N{MICRO SIGN}s ({median / ours:>6.2f})" for median in medians.values())
        print(f"{name:16}{row}")
        print(f"{'':16}  alone: {alone(lines)}", flush=True)


def alone(lines: list[bytes]) -> str:
    """What the parts take that nobody can leave out, each for itself: the floor under every way of doing it."""
    program = mapper.load(MAPPING)
    decode = program.compiled.projection.decoder.decode
    events = [event.parameters for line in lines for event in program.map(line, NOW).events]
    encode = msgspec.json.Encoder().encode
    share = len(events) / len(lines)
    text = b"person.1234@example.com"
    parts = {
        "seeing that it is JSON": took(SKIP, lines) / len(lines),
        "decoding what is read": took(decode, lines) / len(lines),
        "three hashes": took(lambda text: sha256(text).hexdigest(), [text] * 3000) / 1000 * share,
        "encoding": took(encode, events) / len(lines),
        "decoding all of it": took(orjson.loads, lines) / len(lines),
    }
    return ", ".join(f"{part} {seconds * 1e6:.1f}" for part, seconds in parts.items())


def took(does: Callable[[Any], object], given: list[Any]) -> float:
    """Seconds in which something is done to each of a list, the least of several rounds. Nothing is kept."""

    def once() -> float:
        started = time.perf_counter()
        deque(map(does, given), maxlen=0)
        return time.perf_counter() - started

    return min(once() for _ in range(15))


def agree(contenders: dict[str, Contender], lines: list[bytes]) -> int:
    """Ours and the one by hand make the very same events, the others as many; returns how many."""
    made = {name: run(lines) for name, run in contenders.items()}
    ours, by_hand = ([orjson.loads(event) for event in made[name]] for name in ("mapper", "by hand"))
    assert ours == by_hand, "the events differ"
    counts = {name: len(events) for name, events in made.items()}
    assert set(counts.values()) == {len(ours)}, counts
    return len(ours)


def mapping_kit(folder: str, lines: list[bytes], count: int) -> float:
    """Microseconds a record of Segment's mapping-kit, after it has warmed up."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(lines))
        file.flush()
        command = ["node", str(SEGMENT), folder, file.name, "3"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {int(made) for made in said[::2]} == {count}, "the count of events differs"
    return min(map(float, said[1::2]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[[], *WORKLOADS, "commands"], metavar="WORKLOAD|commands")
    parser.add_argument("--segment", default="", metavar="FOLDER")
    parser.add_argument("--records", type=int, default=300_000, metavar="N")
    given = parser.parse_args()
    wanted = given.what or [*WORKLOADS, "commands"]
    if workloads := [name for name in wanted if name != "commands"]:
        measure(workloads, given.segment)
    if "commands" in wanted:
        whole.main(given.records)
