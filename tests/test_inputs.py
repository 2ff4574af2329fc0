"""Bad inputs by name: what each is told, word for word, and how the command ends."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.documents import document

from .answering import NOW, lead
from .conftest import SMALL

SPECS = Path(__file__).parent / "specs" / "inputs"
COMMANDS: list[dict[str, Any]] = document.read(SPECS / "commands.yaml").value["cases"]
LINES: list[dict[str, Any]] = document.read(SPECS / "lines.yaml").value["cases"]
RECORD = {**lead(1), "at": 1}
WRITTEN = {"SMALL": SMALL, "RECORD": json.dumps(RECORD) + "\n"}

_run: Callable[[list[str]], int] = importlib.import_module("mapper.cli.main")._run


def test_there_are_a_hundred_and_more() -> None:
    titles = [case["title"] for case in COMMANDS + LINES]
    assert len(titles) == len(set(titles)) > 200


@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: str(case["title"]))
def test_commands(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("META_")]:
        monkeypatch.delenv(name)
    for name, value in case.get("environ", {}).items():
        monkeypatch.setenv(name, value)
    for name, content in case.get("files", {}).items():
        if isinstance(content, str):
            Path(name).write_text(WRITTEN.get(content, content))
        elif "hex" in content:
            Path(name).write_bytes(bytes.fromhex(content["hex"]))
        else:
            Path(name).mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    code = _run([str(argument) for argument in case["call"]])
    out, err = capfd.readouterr()
    said = (out + err).splitlines()
    assert [line for line in case["says"] if line not in said] == []
    assert code == case["exit"]
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in before} == before, "a file of the user's was changed"
    for secret in case.get("environ", {}).get("META_ACCESS_TOKEN", "").split():
        assert secret not in out + err


@pytest.mark.parametrize("case", LINES, ids=lambda case: str(case["title"]))
def test_lines(case: dict[str, Any], compiled: Callable[..., mapper.Program]) -> None:
    if "change" in case:
        line = json.dumps({**lead(1), **case["change"]}).encode()
    elif "repeat" in case:
        line = case["repeat"]["text"].encode() * case["repeat"]["times"]
    else:
        line = bytes.fromhex(case["hex"]) if "hex" in case else case["line"].encode()
    program = compiled()
    good = json.dumps(lead(7)).encode()
    first, second, third = program.map_lines([good, line, good], NOW)
    assert (len(first.events), len(third.events)) == (1, 1), "the lines beside it are as they were"
    assert not second.events
    assert f"{second.problems[0].code}: {second.problems[0].message}" == case["refused"]
