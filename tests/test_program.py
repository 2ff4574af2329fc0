"""A program used as other programs use it: lines from anywhere, clocks, several threads at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.errors import MapperError
from mapper.events.results import Result

from .answering import lead
from .conftest import NOW, ROOT
from .samples import RECORDED

SAMPLES = ROOT / "mappings" / "samples" / "storefront.jsonl"
LINES = [json.dumps(lead(number), ensure_ascii=False).encode() for number in range(99)]

FORMS: dict[str, Callable[[Path], Iterable[Any]]] = {
    "a generator": lambda path: (line for line in LINES),
    "text": lambda path: [line.decode() for line in LINES],
    "text with the ends of lines": lambda path: [f"{line.decode()}\r\n" for line in LINES],
    "bytes with the ends of lines": lambda path: [line + b"\n" for line in LINES],
    "bytearrays": lambda path: map(bytearray, LINES),
    "views of memory": lambda path: map(memoryview, LINES),
    "a file": lambda path: path.read_bytes().splitlines(keepends=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_may_come_in_any_form(form: str, tmp_path: Path, compiled: Callable[..., mapper.Program]) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\r\n".join(LINES))
    program = compiled()
    found = list(program.map_lines(FORMS[form](path), NOW))
    assert found == [program.map(line, NOW) for line in LINES]
    assert sum(len(result.events) for result in found) == len(LINES)


@pytest.mark.parametrize(
    "line", ["{}", b"{}", bytearray(b"{}"), memoryview(b"{}")], ids=lambda line: type(line).__name__
)
def test_one_line_is_no_iterable_of_lines(line: Any, compiled: Callable[..., mapper.Program]) -> None:
    with pytest.raises(TypeError, match="for one line there is map"):
        list(compiled().map_lines(line, NOW))


def test_the_clock_may_be_a_datetime(compiled: Callable[..., mapper.Program]) -> None:
    program = compiled()
    assert program.map(LINES[0], datetime.fromtimestamp(NOW, UTC)) == program.map(LINES[0], NOW)


@pytest.mark.parametrize("now", [datetime(2026, 3, 1), "2026-03-01", float("nan"), float("inf"), True])
def test_a_clock_that_is_none(now: Any, compiled: Callable[..., mapper.Program]) -> None:
    with pytest.raises(MapperError, match=r"^now "):
        compiled().map(LINES[0], now)


def test_threads_that_share_a_program_get_what_one_alone_gets() -> None:
    """The first lines of all threads come together, while what is compiled late is not compiled yet."""
    lines = SAMPLES.read_bytes().splitlines()[:600]
    moment = RECORDED.timestamp()
    alone = list(mapper.load(ROOT / "mappings" / "storefront.yaml").map_lines(lines, moment))
    shared = mapper.load(ROOT / "mappings" / "storefront.yaml")
    found: dict[int, list[Result]] = {}
    together = threading.Barrier(6)

    def work(number: int) -> None:
        together.wait(20)
        given = lines[number:] + lines[:number]
        results = list(shared.map_lines(given, moment)) if number % 2 else [shared.map(one, moment) for one in given]
        found[number] = results[len(lines) - number :] + results[: len(lines) - number]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == list(range(6))
    assert all(results == alone for results in found.values())
