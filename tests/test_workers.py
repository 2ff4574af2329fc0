"""Several processes give what one gives; one that dies costs nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import mapper
from mapper.errors import DeliveryError
from mapper.events.program import Program
from mapper.records import source, workers
from mapper.records.blocks import Mapped, Task, perform
from mapper.records.source import BLOCK, Block, Input, blocks, lines
from mapper.records.workers import Workers

from .answering import PATIENCE, Answering, lead, taken
from .conftest import NOW, SMALL


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "m.yaml").write_text(SMALL)
    return mapper.load(tmp_path / "m.yaml")


def records(count: int) -> bytes:
    """Good ones, broken ones, ignored ones, and blank lines."""
    made = []
    for n in range(count):
        record = lead(n)
        if n % 11 == 3:
            record["email"] = "nobody"
        if n % 13 == 4:
            record["type"] = "other"
        made.append("{broken" if n % 17 == 5 else "" if n % 19 == 6 else json.dumps(record))
    return "\n".join(made).encode() + b"\n"


def tasks(data: bytes, size: int = 4000) -> Iterator[tuple[Block, Task]]:
    path = "r.jsonl"
    start, number = 0, 1
    while start < len(data):
        end = data.find(b"\n", start + size) + 1 or len(data)
        block = Block(path, number, start, data[start:end])
        yield block, Task(NOW, 0, block)
        number += data.count(b"\n", start, end)
        start = end


def exhaust(pool: Workers, data: bytes) -> None:
    for _ in pool.map(tasks(data)):
        for worker in pool._workers:
            worker.ready.wait()


def test_several_give_what_one_gives(program: Program) -> None:
    data = records(2000)
    alone = [perform(program, task) for _, task in tasks(data)]
    with Workers(program, 2, small=0) as pool:
        both = []
        for (block, answer), (expected, _) in zip(pool.map(tasks(data)), tasks(data), strict=True):
            assert block == expected
            both.append(answer)
            for worker in pool._workers:
                worker.ready.wait()
    encode = msgspec.msgpack.encode  # a tuple comes back as a list
    assert encode(both) == encode(alone)
    found = [one for one in both if isinstance(one, Mapped)]
    assert sum(one.read for one in found) == 2000 - sum(one.blank for one in found)
    assert {problem.code for one in found for odd in one.odd for problem in odd.problems} >= {"not-json", "bad-email"}


def test_events_one_by_one_know_where_their_lines_stand(program: Program) -> None:
    data = records(400)
    for block, _ in tasks(data):
        found = perform(program, Task(NOW, 0, block, rows=True, since=NOW - 3600))
        assert found.output == b""
        assert len(found.rows) == found.mapped
        filled = [line for line in block.data.split(b"\n") if line.strip()]
        for row in found.rows:
            line = block.data[row.start : row.end]
            assert line == filled[row.nth]
            assert block.data.count(b"\n", 0, row.start) == row.number
            assert block.data[row.end : row.after] == b"\n"
            assert json.loads(row.encoded)["event_id"] == json.loads(line)["id"]
            assert found.names[row.of] == ("Lead", "Lead")
    late = perform(program, Task(NOW, 0, block, rows=True, since=NOW + 1))
    assert (late.mapped, late.rows) == (0, [])
    assert late.ignored["since"] == found.mapped


def test_what_is_no_task_keeps_its_place(program: Program) -> None:
    data = records(2000)
    given = list(tasks(data))
    mixed = [(block, task if place % 3 else None) for place, (block, task) in enumerate(given)]
    with Workers(program, 2, small=0) as pool:
        for (block, answer), (expected, task) in zip(pool.map(mixed), mixed, strict=True):
            assert block == expected
            assert (answer is None) == (task is None)
            for worker in pool._workers:
                worker.ready.wait()


def test_one_that_dies_is_replaced(program: Program) -> None:
    data = records(2000)
    alone = [perform(program, task) for _, task in tasks(data)]
    expected = b"".join(one.output for one in alone if isinstance(one, Mapped))
    output = b""
    with Workers(program, 2, small=0) as pool:
        for count, (_, answer) in enumerate(pool.map(tasks(data))):
            assert isinstance(answer, Mapped)
            output += answer.output
            for worker in pool._workers:
                worker.ready.wait()
            if count in (3, 10, 11):
                pool._workers[count % 2]._process.send_signal(signal.SIGKILL)
    assert output == expected


SPEAKING = """\
import os
print(sorted(os.environ), file=open({mapping!r} + ".seen", "w"))
"""


def test_who_only_maps_is_not_given_what_is_secret(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"META_ACCESS_TOKEN": "EAAGsecretTOKEN123", "MAPPER_PROXY": "http://someone:s3cret@proxy.example"}
    for name, value in {**secret, "META_PIXEL_ID": "123"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(workers, "_START", SPEAKING)
    worker = workers._Worker(program)
    assert worker._process.wait(PATIENCE) == 0
    worker.end()
    seen = Path(f"{program.files[0]}.seen").read_text()
    assert "META_PIXEL_ID" in seen
    assert not [name for name in secret if name in seen]


DYING = """\
import os, sys
sys.path[:] = {path!r}
from mapper.events.program import load
from mapper.records.worker import write_frame
with os.fdopen(1, "wb") as taken:
    write_frame(taken, load({mapping!r}).fingerprint.encode())
sys.stdin.buffer.read(8)
"""


def test_lines_that_kill_every_worker_end_the_run(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", DYING)
    data = records(500)
    with Workers(program, 2, small=0) as pool, pytest.raises(DeliveryError, match=r"died 3 times.*r\.jsonl:") as caught:
        exhaust(pool, data)
    assert caught.value.exit_code == 70


def test_a_mapping_that_changes_meanwhile_is_refused(program: Program) -> None:
    data = records(500)
    Path(program.files[0]).write_text(SMALL.replace("'lead'", "'leads'").replace("Lead", "Leader"))
    with Workers(program, 2, small=0) as pool, pytest.raises(DeliveryError, match="changed"):
        exhaust(pool, data)


def test_small_inputs_start_none(program: Program) -> None:
    with Workers(program, 8) as pool:
        list(pool.map(tasks(records(500))))
        assert pool._workers == []


def test_blocks_and_lines_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    long = b'{"a": "' + b"x" * (10 * 1024 * 1024) + b'"}'
    data = b"\xef\xbb\xbf{}\r\n\n \t\n" + b'{"b": 1}\n' * 200_000 + long + b"\n{}\n" + long
    path.write_bytes(data)
    one = Input("r.jsonl", path)
    seen = []
    for block in blocks(one):
        assert len(block.data) <= BLOCK + 100
        if block.fault:
            seen.append((block.number, block.offset, b"", block.fault))
            continue
        start = block.offset
        for number, line in enumerate(block.data.split(b"\n")[: block.data.count(b"\n") or 1], block.number):
            seen.append((number, start, line.removesuffix(b"\r").strip(), ""))
            start += len(line) + 1
    assert seen == [(line.number, line.offset, line.data.strip(), line.fault) for line in lines(one)]


def test_a_run_with_workers_is_the_same_run(
    program: Program, answering: Callable[..., Answering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "r.jsonl"
    source.write_bytes(records(9000))
    runs = []
    for count in (1, 2):
        monkeypatch.setattr(workers, "SMALL", 100_000)
        server = answering(taken)
        dead = tmp_path / f"dead{count}.jsonl"
        report = mapper.send(
            program,
            source,
            to=server.url,
            settings={"PIXEL_ID": "1", "ACCESS_TOKEN": "t"},
            dead_letters=dead,
            journal=tmp_path / f"journal{count}",
            now=NOW,
            workers=count,
        )
        sent = {event["event_id"] for events in server.requests for event in events}
        said = report.as_dict() | {"seconds": 0, "to": "", "dead_letters": None}
        runs.append((said, sent, sorted(dead.read_text().splitlines())))
    assert runs[0] == runs[1]
    assert runs[0][0]["records"]["dead"] > 1000


SEVERAL = (
    SMALL
    + """\
  Twin:
    when: type == 'lead'
    parameters:
      event_time: "{{ at }}"
      event_id: "{{ id }}-twin"
      action_source: other
      user_data: {em: "{{ email }}", external_id: "{{ id }}"}
"""
)


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize("text", [SMALL, SEVERAL], ids=["one event", "two events"])
def test_blocks_and_single_lines_make_the_same_requests(
    text: str, size: int, answering: Callable[..., Answering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading line by line is what a limit asks for; half of the file may have been sent before."""
    monkeypatch.setattr(source, "BLOCK", 2000)
    (tmp_path / "m.yaml").write_text(text)
    file = tmp_path / "r.jsonl"
    file.write_bytes(records(150))
    seen = []
    for limits in ((None,), (10**6,), (37, None), (37, 10**6)):
        server = answering(taken)
        said = []
        name = "-".join(map(str, limits))
        for limit in limits:
            report = mapper.send(
                mapper.load(tmp_path / "m.yaml"),
                file,
                to=server.url,
                settings={"PIXEL_ID": "1", "ACCESS_TOKEN": "t"},
                dead_letters=tmp_path / f"{name}.dead",
                journal=tmp_path / f"{name}.journal",
                now=NOW,
                batch_size=size,
                concurrency=1,
                limit=limit,
            )
            said.append(report.as_dict() | {"seconds": 0, "to": "", "dead_letters": None, "waited": {}})
        batches = [[event["event_id"] for event in events] for events in server.requests]
        seen.append((said, batches, (tmp_path / f"{name}.dead").read_bytes()))
    assert seen[0] == seen[1]
    assert seen[2] == seen[3]
    assert sum(map(len, seen[0][1])) == sum(map(len, seen[2][1])) == seen[0][0][0]["events"]["sent"]


def test_a_live_pipe_is_not_kept_waiting(program: Program, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mapper", "map", str(program.files[0]), "-", "--now", str(NOW), "--workers", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for n in range(3):
            process.stdin.write(json.dumps(lead(n)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["event_id"] == f"id-{n}"
        process.stdin.close()
        assert process.wait(10) == 0


def test_cores_are_those_that_may_be_used() -> None:
    assert 1 <= workers.cores() <= (os.cpu_count() or 1)


def test_a_frame_that_breaks_off_is_none() -> None:
    from mapper.records.worker import read_frame, write_frame

    stream = io.BytesIO()
    write_frame(stream, b"abc")
    assert read_frame(io.BytesIO(stream.getvalue())) == b"abc"
    assert read_frame(io.BytesIO(stream.getvalue()[:-1])) is None
    assert read_frame(io.BytesIO()) is None
