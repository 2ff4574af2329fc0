"""The command as people call it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mapper.cli.main import VERBS

from .conftest import NOW, SMALL
from .test_send import lead


def run(*arguments: str | Path, cwd: Path, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Call the command in a folder, with an environment of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("META_") and key != "FORCE_COLOR"}
    return subprocess.run(
        [sys.executable, "-m", "mapper", *map(str, arguments)],
        cwd=cwd, input=stdin, capture_output=True, env={**clean, **environ}, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "good.jsonl").write_text("".join(json.dumps(lead(n, at=int(time.time()) - 9)) + "\n" for n in range(5)))
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_examples(verb: str, tmp_path: Path) -> None:
    found = run(verb, "--help", cwd=tmp_path)
    assert found.returncode == 0
    lines = found.stdout.decode().splitlines()
    assert lines[2].strip() == "Examples:"
    assert lines[3].strip().startswith(f"mapper {verb}")


def test_help_is_quick(tmp_path: Path) -> None:
    before = os.times()
    for _ in range(3):
        assert run("--help", cwd=tmp_path).returncode == 0
    after = os.times()
    seconds = (after.children_user - before.children_user + after.children_system - before.children_system) / 3
    assert seconds < 0.4, f"{seconds:.2f} s of CPU"


def test_a_misspelt_verb(tmp_path: Path) -> None:
    found = run("chek", cwd=tmp_path)
    assert found.returncode == 2
    assert b"Did you mean 'check'?" in found.stderr


def test_check_points_at_the_word(folder: Path) -> None:
    (folder / "bad.yaml").write_text(SMALL.replace("em:", "emial:").replace("{{ id }}", "{{ id | uper }}"))
    found = run("check", "bad.yaml", cwd=folder)
    assert found.returncode == 1
    said = found.stdout.decode()
    assert "bad.yaml:9:26: there is no filter 'uper'" in said
    assert "^^^^" in said
    assert "Did you mean 'upper'?" in said
    assert "no parameter 'emial' in 'user_data'" in said
    as_json = run("check", "bad.yaml", "--format", "json", cwd=folder)
    assert {problem["code"] for problem in json.loads(as_json.stdout)} >= {"unknown-filter", "unknown-parameter"}
    assert b"::error file=bad.yaml,line=9" in run("check", "bad.yaml", "--format", "github", cwd=folder).stdout
    assert json.loads(run("check", "bad.yaml", "--format", "sarif", cwd=folder).stdout)["version"] == "2.1.0"


def test_map_writes_events_and_nothing_else(folder: Path) -> None:
    lines = (folder / "good.jsonl").read_bytes() + b'{"type": "lead"}\n{"type": "other"}\nnot json\n\n'
    found = run("map", "m.yaml", "-", cwd=folder, stdin=lines)
    assert found.returncode == 1
    events = [json.loads(line) for line in found.stdout.splitlines()]
    assert [event["event_id"] for event in events] == [f"id-{n}" for n in range(5)]
    assert b"8 records read = 5 mapped + 1 ignored + 2 dead" in found.stderr


def test_map_is_the_same_every_time(folder: Path) -> None:
    (folder / "old.jsonl").write_text(json.dumps(lead(1)))
    first, second = (run("map", "m.yaml", "old.jsonl", "--now", str(NOW), cwd=folder).stdout for _ in range(2))
    assert first == second != b""


def test_head_ends_it_quietly(folder: Path) -> None:
    many = (folder / "good.jsonl").read_bytes() * 2000
    (folder / "many.jsonl").write_bytes(many)
    command = f"{sys.executable} -m mapper map m.yaml many.jsonl | head -1"
    found = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, timeout=60, check=False)
    assert len(found.stdout.splitlines()) == 1
    assert found.stderr == b""


def test_send_to_the_sandbox_and_report(folder: Path) -> None:
    found = run("send", "m.yaml", "good.jsonl", "--to", "sandbox", "--report", "out.json", cwd=folder)
    assert found.returncode == 0
    assert found.stdout == b""
    said = found.stderr.decode()
    assert "5 records read = 5 mapped + 0 ignored + 0 dead" in " ".join(said.split())
    assert "5 events made = 5 sent + 0 rejected + 0 pending" in " ".join(said.split())
    assert "\x1b[" not in said
    report = json.loads((folder / "out.json").read_text())
    assert report["records"] == {"read": 5, "mapped": 5, "ignored": 0, "dead": 0, "blank": 0}
    assert report["events"] | {"maybe_twice": 0} == {
        "made": 5, "sent": 5, "rejected": 0, "pending": 0, "maybe_twice": 0,
    }  # fmt: skip
    assert not (folder / "m.dead.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["send", "m.yaml", "good.jsonl"], "META_PIXEL_ID is not set"),
        (["send", "nowhere.yaml", "good.jsonl"], "there is no such file"),
        (["send", "m.yaml", "nowhere.jsonl", "--to", "sandbox"], "there is no file nowhere.jsonl"),
        (["send", "m.yaml", "*.nothing", "--to", "sandbox"], "no file matches"),
        (["send", "m.yaml", ".", "--to", "sandbox"], "is a directory"),
        (["send", "m.yaml", "good.jsonl", "--to", "ga4"], "cannot be sent to 'ga4'"),
        (["send", "m.yaml", "good.jsonl", "--to", "http://shop.example"], "must begin with https://"),
        (["send", "m.yaml", "good.jsonl", "--to", "sandbox", "--report", "no/such/r.json"], "no folder"),
        (["send", "m.yaml", "good.jsonl", "--to", "sandbox", "--dead-letters", "no/such/d.jsonl"], "no folder"),
        (["send", "m.yaml", "good.jsonl", "--batch-size", "0"], "--batch-size"),
        (["map", "m.yaml", "array.json"], "one JSON array"),
        (["map", "m.yaml", "sheet.xlsx"], "a zip archive or a spreadsheet"),
        (["map", "m.yaml", "utf16.jsonl"], "UTF-16"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_sent(arguments: list[str], said: str, folder: Path) -> None:
    (folder / "array.json").write_text("[\n{}\n]\n")
    (folder / "sheet.xlsx").write_bytes(b"PK\x03\x04rest")
    (folder / "utf16.jsonl").write_text("{}", encoding="utf-16")
    settings = {} if "META" in said else {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "abc"}
    found = run(*arguments, cwd=folder, **settings)
    assert found.returncode == 2
    assert said in found.stderr.decode()
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_everything_recorded(number: int, code: int, folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mapper", "send", "m.yaml", "-", "--to", "sandbox", "--report", "out.json"],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    line = (folder / "good.jsonl").read_bytes().splitlines()[0] + b"\n"
    process.stdin.write(line * 3000)
    process.stdin.flush()
    time.sleep(1.5)
    process.send_signal(number)
    process.stdin.write(line)
    process.stdin.close()
    process.wait(20)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == code
    report: dict[str, Any] = json.loads((folder / "out.json").read_text())
    events = report["events"]
    assert events["made"] == events["sent"] + events["rejected"] + events["pending"]


def test_the_tests_of_a_mapping_say_what_differs(folder: Path) -> None:
    tests = """
tests:
  - name: a lead
    now: 2026-03-01T12:00:00Z
    record: {type: lead, at: 1772366340,
             id: a, email: A@Example.com, url: https://a.example/, agent: M, ip: 203.0.113.7}
    events: [{event_id: b, user_data: {em: a@example.com}}]
"""
    (folder / "t.yaml").write_text(SMALL + tests)
    found = run("test", "t.yaml", cwd=folder)
    assert found.returncode == 1
    assert b'event_id: expected "b", got "a"' in found.stdout
    (folder / "t.yaml").write_text((SMALL + tests).replace("event_id: b", "event_id: a"))
    assert run("test", "t.yaml", cwd=folder).stdout == b"1 passed\n"
    assert run("test", "t.yaml", "-k", "nothing", cwd=folder).returncode == 1
