"""What is written at once is what is built, byte for byte; whatever is not usual is left to the one that builds."""

from __future__ import annotations

import ast
import random
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

import mapper
from mapper.events.fusing import Rewriting
from mapper.events.results import Result
from mapper.events.writing import _Fragments, _Memos, compile_short_way
from mapper.language.values import Context

from .benchmarks.contenders import MAPPING
from .benchmarks.records import NOW as MEASURED
from .benchmarks.records import WORKLOADS, workload
from .conftest import NOW, ROOT
from .samples import RECORDED as RECORDED_AT
from .test_language import KINDS, RECORDS, SPECS, reads_only_what_we_named

RECORDED = RECORDED_AT.timestamp()
SHIPPED = sorted((ROOT / "mappings").glob("*.yaml"))
PROGRAMS = {path.stem: mapper.load(path) for path in (*SPECS, *SHIPPED)}


def both(program: mapper.Program, line: bytes, now: float) -> tuple[Result | None, Result]:
    """What the short way gives, or None; and what the long way gives."""
    short = program._short_way
    return (short(line, Context(now)) if short is not None else None), program.map(line, now)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nearly_every_sample_that_gives_an_event_goes_the_short_way(path: Path) -> None:
    program = mapper.load(path)
    lines = (ROOT / "mappings" / "samples" / f"{path.stem}.jsonl").read_bytes().splitlines()
    pairs = [both(program, line, RECORDED) for line in lines]
    for short, whole in pairs:
        assert short is None or short == whole
    taken = sum(short is not None for short, whole in pairs if whole.events)
    assert taken > 0.7 * sum(bool(whole.events) for _, whole in pairs)


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_is_measured_goes_the_short_way(name: str) -> None:
    program = mapper.load(MAPPING)
    for line in workload(name, 20 if name == "many-lines" else 200):
        short, whole = both(program, line, MEASURED)
        assert (short is None) == bool(whole.problems)
        assert short is None or short == whole


ODD: tuple[Any, ...] = (
    *(None, "", "  ", True, False, 0, 1, -1, 1.0, 2**53, 2**63, 2**64, 1e300, 0.1, [], {}, [1], ["a", None], {"a": 1}),
    *("\x00", '"', "\\", "é", "e\u0301", "\u2028", "@", "a@b.example", "%40", "+", "n/a", "x" * 300, "0" * 64),
)


def changed(make: random.Random, value: Any) -> Any:
    """A record with something odd at some places."""
    if make.random() < 0.06:
        return make.choice(ODD)
    if isinstance(value, dict):
        return {key: changed(make, inner) for key, inner in value.items() if make.random() > 0.03}
    if isinstance(value, list):
        return [changed(make, inner) for inner in value]
    return value


@pytest.mark.parametrize("path", [*SHIPPED, MAPPING], ids=lambda path: path.stem)
def test_records_that_are_odd_somewhere_give_the_same_either_way(path: Path) -> None:
    make = random.Random(path.stem)
    program = mapper.load(path)
    now: float
    if path == MAPPING:
        lines, now = workload("narrow", 200), MEASURED
    else:
        lines = (ROOT / "mappings" / "samples" / f"{path.stem}.jsonl").read_bytes().splitlines()[:600]
        now = RECORDED
    records = []
    for line in lines:
        try:
            records.append(msgspec.json.decode(line))
        except msgspec.DecodeError:
            continue
    taken = 0
    for record in records * 3:
        short, whole = both(program, msgspec.json.encode(changed(make, record)), now)
        if short is not None:
            taken += 1
            assert short == whole
    assert taken > len(records) // 4


@settings(max_examples=200, deadline=None)
@given(RECORDS, KINDS)
def test_any_record_of_any_mapping_gives_the_same_either_way(record: dict[str, Any], kind: str) -> None:
    try:
        line = msgspec.json.encode({**record, "kind": kind})
    except UnicodeEncodeError:
        return
    for program in PROGRAMS.values():
        short, whole = both(program, line, NOW)
        assert short is None or short == whole


def test_lines_of_an_input_go_the_short_way_once_there_are_many() -> None:
    program = mapper.load(MAPPING)
    lines = workload("narrow", 100)
    expected = [program.map(line, MEASURED) for line in lines]
    assert "_short_way" not in program.__dict__
    assert [result.events[0] for result in program.map_lines(lines, MEASURED)] == [one.events[0] for one in expected]
    assert "_short_way" in program.__dict__
    odd = [b"broken", lines[0], b"\xff", b"[]", lines[1][:-1]] * 40
    assert list(program.map_lines(odd, MEASURED)) == [program.map(line, MEASURED) for line in odd]


def test_what_a_record_costs_is_not_held_against_the_next_ones() -> None:
    program = mapper.load(MAPPING)
    short = program._short_way
    assert short is not None
    lines = workload("many-lines", 20)
    context = Context(MEASURED)
    for line in lines * 700:  # 2.8 million items in all
        context.reset()
        assert short(line, context) is not None


def test_some_mappings_can_only_be_built() -> None:
    none = {
        name for name, program in PROGRAMS.items() if compile_short_way(program.compiled, program.match_keys) is None
    }
    assert "loops" in none  # several events of one record
    assert not none & {path.stem for path in SHIPPED}


def test_what_is_remembered_is_bounded_and_tells_kinds_apart() -> None:
    asked: list[Any] = []

    def prepare(value: Any, context: Context) -> str | None:
        asked.append(value)
        return None if value is None else f"{type(value).__name__}"

    known = _Fragments(prepare, b',"a":')
    assert [known[value] for value in (1, True, 1.0, "1", None, "1", None)] == [
        *(b',"a":"int"', b',"a":"bool"', b',"a":"float"', b',"a":"str"', b"", b',"a":"str"', b""),
    ]
    assert asked == [1, True, 1.0, "1", None]
    for number in range(20_000):
        known[str(number)]
    assert len(known) <= 8192


def test_without_a_memo_nothing_is_remembered() -> None:
    lines = [line.replace(b"Lovelace", b"Onlyhere") for line in workload("narrow", 100)]
    program, plain = mapper.load(MAPPING), mapper.load(MAPPING, memo=False)
    made = [[one.events for one in each.map_lines(lines, MEASURED)] for each in (program, plain)]
    assert made[0] == made[1]
    assert _remembers(program, "Onlyhere")
    assert not _remembers(plain, "Onlyhere")


def _remembers(program: mapper.Program, text: str) -> bool:
    """Whether anything that the functions of a program hold is found by a text."""
    waiting: list[Any] = [program._short_way, *(transform.function for transform in program.transforms)]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            if text in one:
                return True
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif isinstance(one, FunctionType):
            waiting += [cell.cell_contents for cell in one.__closure__ or ()]
            waiting += [value for value in one.__globals__.values() if isinstance(value, dict | FunctionType)]
    return False


def test_writers_read_only_what_we_named() -> None:
    for program in PROGRAMS.values():
        for transform in program.transforms:
            if transform.items is None:
                body = Rewriting(transform, program.destination, _Memos()).body() or []
                reads_only_what_we_named(ast.Module(body, []))
