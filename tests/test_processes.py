"""What happens to processes: little memory, workers that are killed, readers that go away."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .answering import Answering, lead, taken, until
from .command import MAPPER
from .conftest import SMALL

SECRETS = {"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": "sentinel-of-a-token"}


def records(folder: Path, count: int, size: int = 0) -> None:
    """A mapping, and so many records with so many bytes that are of no use."""
    (folder / "m.yaml").write_text(SMALL)
    with (folder / "r.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps(lead(number, at=int(time.time()) - 60, pad="x" * size)) + "\n")


def ids(server: Answering) -> list[str]:
    return [event["event_id"] for events in server.requests for event in events]


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which ``mapper`` is the command."""
    line = line.replace("mapper ", f"{shlex.join(MAPPER)} ")
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env={**os.environ, **SECRETS},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    if not Path("/proc/self/stat").exists():
        return [int(pid) for pid, parent in map(str.split, listed.splitlines()) if int(parent) == process]
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(path.parent.name))
    return found


def test_little_memory_and_workers(answering: Callable[..., Answering], tmp_path: Path) -> None:
    """A run with workers finishes, or says what it lacks and goes on later."""
    server = answering(taken)
    records(tmp_path, 100, 500_000)
    call = f"mapper send m.yaml r.jsonl --to {server.url} --journal j --workers 2 -q"
    limited = shell(f"ulimit -v {256 * 1024}; {call}", tmp_path)
    assert limited.returncode in (0, 3, 5), limited.stderr
    assert ("there is not enough memory" in limited.stderr) is (limited.returncode == 3)
    assert "Traceback" not in limited.stderr
    again = shell(call, tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(set(ids(server))) == 100
    assert len(ids(server)) - 100 <= 4 * 17, "only what was on its way: four stretches of 8 MB"


def test_workers_that_are_killed_cost_nothing(answering: Callable[..., Answering], tmp_path: Path) -> None:
    """As the kernel does it when memory runs out: each event still comes once, and the run ends as if nothing was."""

    def slowly(events: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.01)
        return taken(events)

    server = answering(slowly)
    records(tmp_path, 60_000)
    call = [*MAPPER, "send", "m.yaml", "r.jsonl", "--to", server.url, "--workers", "2", "--batch-size", "200", "-q"]
    process = subprocess.Popen(call, cwd=tmp_path, env={**os.environ, **SECRETS}, stderr=subprocess.PIPE)
    killed = 0
    while killed < 2:
        until(lambda: bool(children(process.pid)) or process.poll() is not None)
        assert process.poll() is None, "it was over before anybody was killed"
        before = len(server.requests)
        for worker in children(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
            killed += 1
        until(lambda before=before: len(server.requests) > before + 5 or process.poll() is not None)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, b"")
    assert sorted(ids(server)) == sorted(f"id-{number}" for number in range(60_000))


@pytest.mark.parametrize("ending", ["2>&1 | head -1", "<&- >&- 2>&-", "2> /dev/full"])
def test_whoever_reads_may_go_away(answering: Callable[..., Answering], tmp_path: Path, ending: str) -> None:
    """What is said finds no reader, or never had one: everything is delivered and written down all the same."""
    server = answering(taken)
    records(tmp_path, 300)
    call = f"mapper send m.yaml r.jsonl --to {server.url} --journal j --batch-size 50 --log-format json"
    ended = shell(f"{call} {ending}; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 0, ended.stderr
    assert sorted(ids(server)) == sorted(f"id-{number}" for number in range(300))
    assert re.search(r"300 records settled", shell("mapper journal show j", tmp_path).stdout)
