"""``python -m tests.fuzz [PAIRS] [SEED]``: expressions and records at random, a million pairs unless told.
``python -m tests.fuzz lines|answers [SECONDS] [SEED]``: lines, or answers, as an attacker would make them.

Each expression is compiled for projected and for full decoding and run on twenty records both ways: nothing but
problems and record errors may come of it, the same ones from both, and every value must be the same.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .evaluation import Compiled, Refused
from .grammar import ASKED, CALLS, KEYS, LITERALS, OPERATORS, PATHS, SHAPES, TEXTS
from .hostile import exchanges, lines, meanings
from .test_expression import agree, assert_closed

RECORDS = 20
_SERVERS = 16


def expression(make: random.Random, depth: int) -> str:
    """An expression of at most so many levels."""
    if depth == 0 or make.random() < 0.2:
        return make.choice(PATHS) if make.random() < 0.7 else make.choice(LITERALS)
    shape = make.choice(SHAPES)
    words = {"operator": make.choice(OPERATORS), "call": make.choice(CALLS), "test": make.choice(ASKED)}
    return shape.format(*(expression(make, depth - 1) for _ in range(shape.count("{}"))), **words)


def value(make: random.Random, depth: int) -> Any:
    """A value as JSON has them."""
    kind = make.randrange(8 if depth else 6)
    if kind >= 6:
        size = make.randrange(4)
        if kind == 6:
            return [value(make, depth - 1) for _ in range(size)]
        return {make.choice(KEYS): value(make, depth - 1) for _ in range(size)}
    whole = make.choice([0, 1, -1, 7, 2**31, -(2**53), 2**63 - 1, make.randrange(10**12)])
    real = make.choice([0.0, -0.5, 1e-9, 1e15, make.uniform(-1e6, 1e6)])
    return [None, True, False, make.choice(TEXTS), whole, real][kind]


def record(make: random.Random) -> dict[str, Any]:
    """A record that has some of the keys that expressions read."""
    return {key: value(make, 3) for key in KEYS if make.random() < 0.6}


def pairs(count: int, seed: int) -> tuple[int, int]:
    """Try so many pairs; returns how many expressions compiled and how many were refused."""
    make = random.Random(seed)
    tried = compiled = refused = 0
    while tried < count:
        source = expression(make, make.randrange(1, 5))
        try:
            projected = Compiled(source, bare=True, tables={"t": {"x": 1}})
            full = Compiled(source, bare=True, tables={"t": {"x": 1}}, full=True)
        except Refused:
            refused += 1
            tried += 1
            continue
        compiled += 1
        assert_closed(projected.tree)
        for _ in range(RECORDS):
            given = record(make)
            try:
                agree(projected, full, given)
            except BaseException:
                print(f"expression: {source}\nrecord: {given!r}", file=sys.stderr)
                raise
        tried += RECORDS
    return compiled, refused


def at_once(seconds: float, seed: int) -> Counter[str]:
    """Exchanges with several hostile servers, most of which keep one waiting."""
    with ThreadPoolExecutor(_SERVERS) as pool:
        found = pool.map(lambda number: exchanges(seconds, _SERVERS * seed + number), range(_SERVERS))
        return sum(found, Counter[str]())


def hostile(what: str, seconds: float, seed: int) -> None:
    """Lines or answers for so many seconds; prints what came of them."""
    with TemporaryDirectory() as folder:
        trials: dict[str, list[Callable[[], Counter[str]]]] = {
            "lines": [lambda: lines(Path(folder), seconds, seed)],
            "answers": [lambda: meanings(seconds / 2, seed), lambda: at_once(seconds / 2, seed)],
        }
        for trial in trials[what]:
            found = trial()
            said = ", ".join(f"{count:,} {name}" for name, count in found.most_common())
            print(f"{found.total():,} {what}, seed {seed}: {said}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"at most {peak:.0f} MB")


if __name__ == "__main__":
    chosen, *numbers = sys.argv[1:] if sys.argv[1:2] in (["lines"], ["answers"]) else ["", *sys.argv[1:]]
    seed = int(numbers[1]) if len(numbers) > 1 else 1
    if chosen:
        hostile(chosen, float(numbers[0]) if numbers else 60, seed)
        sys.exit()
    wanted = int(numbers[0]) if numbers else 1_000_000
    started = time.perf_counter()
    ran, not_compiled = pairs(wanted, seed)
    took = time.perf_counter() - started
    print(f"{wanted:,} pairs, seed {seed}: {ran:,} expressions ran, {not_compiled:,} were refused, {took:.0f} s")
