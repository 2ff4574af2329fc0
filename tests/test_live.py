"""Inputs that somebody is still writing, and runs that are told how far and how fast to go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.cli.clock import moment
from mapper.delivery.dispatch import Switch
from mapper.delivery.inspection import look
from mapper.delivery.journal import Journal
from mapper.errors import DeliveryError

from .answering import PATIENCE, SETTINGS, Answering, invalid, lead, sums_hold, taken, until
from .conftest import NOW, SMALL

Compile = Callable[..., mapper.Program]


def ids(server: Answering) -> Counter[str]:
    return Counter(event["event_id"] for events in server.requests for event in events)


def line(number: int, **changes: Any) -> str:
    return json.dumps(lead(number, at=int(time.time()) - 60, **changes)) + "\n"


@contextmanager
def sending(folder: Path, server: Answering, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``mapper send`` to a server of the test's, as a process that reads from a pipe."""
    (folder / "m.yaml").write_text(SMALL)
    environ = {**os.environ, **{f"META_{name}": value for name, value in SETTINGS.items()}}
    command = [sys.executable, "-m", "mapper", "send", "m.yaml", *arguments, "--to", server.url]
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                pipe.close()


def test_a_live_pipe_is_sent_before_a_batch_is_full(tmp_path: Path, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    with sending(tmp_path, server, "-") as process:
        assert process.stdin is not None
        process.stdin.write(line(1) + line(2)[:40])
        process.stdin.flush()
        until(lambda: len(ids(server)) == 1)
        process.stdin.write(line(2)[40:])
        process.stdin.flush()
        until(lambda: len(ids(server)) == 2)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_signal_ends_a_run_that_waits_for_its_pipe(tmp_path: Path, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    counts = tmp_path / "counts.prom"
    files = ("--report", "r.json", "--metrics", str(counts))
    with sending(tmp_path, server, "-", "--max-wait", "600", *files) as process:
        assert process.stdin is not None
        process.stdin.write(line(1))
        process.stdin.flush()
        until(lambda: counts.exists() and 'fate="mapped"} 1' in counts.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["events"]["made"], report["events"]["pending"]) == (1, 1)


def test_on_a_terminal_a_signal_is_answered_beside_the_progress(
    tmp_path: Path, answering: Callable[..., Answering]
) -> None:
    import pty

    asked = threading.Event()

    def slowly(events: list[dict[str, Any]]) -> tuple[int, Any]:
        asked.wait(PATIENCE)
        return taken(events)

    (tmp_path / "m.yaml").write_text(SMALL)
    environ = {**os.environ, **{f"META_{name}": value for name, value in SETTINGS.items()}}
    environ |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "20", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "mapper", "send", "m.yaml", "-", "--to", answering(slowly).url, "--max-wait", "0"]
    here, there = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdin=subprocess.PIPE, stderr=there) as process:
        os.close(there)
        assert process.stdin is not None
        process.stdin.write(line(1).encode())
        process.stdin.flush()
        seen = bytearray()
        for awaited in (b"1 in flight", b"Stopping: requests"):
            while awaited not in seen:
                seen += os.read(here, 4096)
            if awaited == b"1 in flight":
                process.send_signal(signal.SIGINT)
        asked.set()
        with suppress(OSError):  # which is how a terminal says that nobody writes to it any more
            while data := os.read(here, 4096):
                seen += data
        assert process.wait(PATIENCE) == 130
    os.close(here)
    said = seen.decode()
    assert "1 record read, 0 of 1 events sent, 1 in flight" in said
    assert "Stopped: the run was interrupted" in said
    assert "Without a journal the next run sends everything again." not in said, "nothing is pending"


def test_a_request_that_hangs_does_not_hold_up_the_end(tmp_path: Path, answering: Callable[..., Answering]) -> None:
    def hangs(events: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(60)
        return taken(events)

    server = answering(hangs)
    with sending(tmp_path, server, "-", "--max-wait", "0", "--journal", "journal", "--report", "r.json") as process:
        assert process.stdin is not None
        process.stdin.write(line(1))
        process.stdin.flush()
        until(lambda: bool(server.requests))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    assert json.loads((tmp_path / "r.json").read_text())["events"]["pending"] == 1


def test_a_file_is_followed_through_growth_rotation_and_emptying(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile
) -> None:
    server, switch, path = answering(taken), Switch(), tmp_path / "live.jsonl"
    path.write_text(line(1) + line(2)[:30])
    found: list[mapper.Report] = []
    program = compiled()

    def run() -> None:
        found.append(
            mapper.send(
                program, path, to=server.url, settings=SETTINGS, follow=True, max_wait=0.1, switch=switch,
                journal=tmp_path / "journal",
            )
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: len(ids(server)) == 1)
    with path.open("a") as file:
        file.write(line(2)[30:])
    until(lambda: len(ids(server)) == 2)
    path.rename(tmp_path / "live.1.jsonl")
    with (tmp_path / "live.1.jsonl").open("a") as file:
        file.write(line(3))
    path.write_text(line(4))
    until(lambda: len(ids(server)) == 4)
    path.write_text("")  # emptied in its place, as some log rotators do
    time.sleep(0.5)
    path.write_text(line(55) + line(6) + line(7)[:20])
    until(lambda: {"id-6"} <= set(ids(server)))
    switch.stop(143)
    thread.join(PATIENCE)
    [report] = found
    sums_hold(report)
    assert report.exit_code == 143
    assert set(ids(server).values()) == {1}
    assert "id-7" not in ids(server)
    with path.open("a") as file:
        file.write(line(7)[20:])
    again = mapper.send(program, path, to=server.url, settings=SETTINGS, journal=tmp_path / "journal")
    assert again.events.sent == 1
    assert ids(server)["id-7"] == 1


@contextmanager
def following(program: mapper.Program, path: Path, server: Answering, **options: Any) -> Iterator[list[mapper.Report]]:
    """A run that follows a file until the block ends; then its report."""
    found: list[mapper.Report] = []
    switch = Switch()
    more: dict[str, Any] = {"follow": True, "max_wait": 0.05, "journal": path.with_name("journal"), **options}

    def run() -> None:
        found.append(mapper.send(program, path, to=server.url, settings=SETTINGS, switch=switch, **more))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        switch.stop(143)
        thread.join(PATIENCE)


def test_a_file_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile
) -> None:
    server, path = answering(taken), tmp_path / "live.jsonl"
    with following(compiled(), path, server) as found:
        time.sleep(0.3)
        path.write_text("")
        time.sleep(0.2)
        path.write_text(line(1))
        until(lambda: ids(server)["id-1"] == 1)
    assert found[0].exit_code == 143


def test_what_was_accepted_is_settled_though_nothing_more_comes(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile
) -> None:
    """A run that waits for days may be killed any moment: nothing of what was accepted long ago comes again."""
    server, path = answering(taken), tmp_path / "live.jsonl"
    path.write_text(line(1) + "no record\n")
    with following(compiled(), path, server, dead_letters=tmp_path / "letters"):
        until(lambda: bool(ids(server)))
        until(lambda: look(tmp_path / "journal").sources[0].settled == path.stat().st_size)
    assert ids(server)["id-1"] == 1


def test_what_is_written_to_the_old_file_after_the_rotation_is_sent(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile
) -> None:
    """As logrotate does: it makes the new file, and only then tells the writer."""
    server, path, old = answering(taken), tmp_path / "live.jsonl", tmp_path / "live.jsonl.1"
    path.write_text(line(1))
    with following(compiled(), path, server):
        until(lambda: len(ids(server)) == 1)
        path.rename(old)
        path.write_text("")
        time.sleep(0.4)
        with old.open("a") as file:
            file.write(line(2))
        path.write_text(line(3))
        with old.open("a") as file:
            file.write(line(4))
        until(lambda: len(ids(server)) == 4)
    assert set(ids(server).values()) == {1}


def test_a_file_that_is_emptied_and_written_anew_between_two_looks_is_another(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile
) -> None:
    server, path = answering(taken), tmp_path / "live.jsonl"
    path.write_text(line(11) + line(12))
    with following(compiled(), path, server):
        until(lambda: len(ids(server)) == 2)
        time.sleep(0.05)  # no shorter than what a file system tells one moment from another by
        path.write_text(line(13) + line(14))  # as long as before
        until(lambda: len(ids(server)) == 4)
        time.sleep(0.05)
        path.write_text(line(15) + line(16) + line(17))  # longer
        until(lambda: len(ids(server)) == 7)
    assert set(ids(server).values()) == {1}


@pytest.mark.parametrize("is_emptied", [False, True])
def test_a_rotation_while_a_request_is_on_its_way_leaves_the_journal_right(
    tmp_path: Path, answering: Callable[..., Answering], compiled: Compile, is_emptied: bool
) -> None:
    path, old = tmp_path / "live.jsonl", tmp_path / "live.jsonl.1"

    def rotated(events: list[dict[str, Any]]) -> tuple[int, Any]:
        if not old.exists():
            old.write_bytes(path.read_bytes()) if is_emptied else path.rename(old)
            path.write_text(line(20))
        return taken(events)

    server, program = answering(rotated), compiled()
    path.write_text("".join(map(line, range(1, 6))))
    with following(program, path, server):
        until(lambda: "id-20" in ids(server))
    with path.open("a") as file:
        file.write(line(21))
    more: dict[str, Any] = {"to": server.url, "settings": SETTINGS, "journal": tmp_path / "journal"}
    report = mapper.send(program, [old, path], **more)
    assert (report.events.sent, report.settled_before) == (1, 6)
    assert set(ids(server).values()) == {1}
    assert len(ids(server)) == 7


def test_the_rate_is_kept(compiled: Compile, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    started = time.monotonic()
    records = [lead(n) for n in range(60)]
    mapper.send(compiled(), records, to=server.url, settings=SETTINGS, now=NOW, batch_size=10, rate=50)
    assert time.monotonic() - started >= 0.95


def test_a_limit_ends_the_reading_and_the_next_run_goes_on(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    path, server = tmp_path / "r.jsonl", answering(taken)
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(25)))
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "journal": tmp_path / "journal"}
    first = mapper.send(compiled(), path, to=server.url, limit=10, **more)
    assert (first.records.read, first.exit_code) == (10, 0)
    second = mapper.send(compiled(), path, to=server.url, limit=10, **more)
    assert (second.records.read, second.settled_before) == (10, 10)
    third = mapper.send(compiled(), path, to=server.url, **more)
    assert third.records.read == 5
    assert set(ids(server).values()) == {1}
    assert len(ids(server)) == 25


def test_what_happened_too_early_is_left_out(compiled: Compile, answering: Callable[..., Answering]) -> None:
    records = [lead(n, at=int(NOW) - 3600 * n) for n in range(6)]
    server = answering(taken)
    report = mapper.send(compiled(), records, to=server.url, settings=SETTINGS, now=NOW, since=NOW - 2.5 * 3600)
    sums_hold(report)
    assert (report.events.sent, report.ignored) == (3, {"since": 3})
    assert report.sending.oldest == int(NOW) - 7200


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", NOW - 5400),
        ("36h", NOW - 129_600),
        ("5d", NOW - 432_000),
        ("2026-02-28", 1_772_236_800),
        ("2026-02-28T12:00:00", 1_772_280_000),
        ("2026-02-28T12:00:00Z", 1_772_280_000),
        ("2026-02-28T12:00:00+01:00", 1_772_276_400),
    ],
)
def test_a_moment_as_people_write_it(text: str, seconds: float) -> None:
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize("text", ["yesterday", "5", "h", "-5h", "2026-13-01", "٣h", "99999999999h"])
def test_a_moment_that_is_none(text: str) -> None:
    with pytest.raises(DeliveryError) as error:
        moment(text, NOW)
    assert error.value.exit_code == 2


# -- a pipe with a journal -------------------------------------------------------------------------------------------


def test_what_a_killed_run_had_read_from_its_pipe_is_sent_by_the_next(
    tmp_path: Path, answering: Callable[..., Answering]
) -> None:
    doors = threading.Event()

    def slow(events: list[dict[str, Any]]) -> tuple[int, Any]:
        if any(event["event_id"] == "id-7" for event in events):
            doors.wait(PATIENCE)
        return taken(events)

    server = answering(slow)
    common = ("-", "--journal", "journal", "--batch-size", "5", "--max-wait", "0.2", "--report", "r.json")
    text = "".join(line(n) for n in range(5)) + "not json\n" + "".join(line(n) for n in range(5, 9))
    with sending(tmp_path, server, *common) as process:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.flush()
        until(lambda: len(ids(server)) == 9)
        until(lambda: sum(source.records for source in look(tmp_path / "journal").sources) >= 5)
        process.kill()
        process.wait()
    doors.set()
    letters = (tmp_path / "m.dead.jsonl").read_text().splitlines()
    assert [json.loads(one)["text"] for one in letters] == ["not json"]
    before = {event["event_id"]: event for events in server.requests for event in events}
    with sending(tmp_path, server, *common, "--resume") as process:
        process.communicate(text + line(9), timeout=PATIENCE)
        assert process.returncode == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["events"]["maybe_twice"] == 4
    assert report["settled_before"] == 10
    assert report["records"]["read"] == 1
    counts = ids(server)
    assert {counts[f"id-{n}"] for n in range(5)} == {1}
    assert {counts[f"id-{n}"] for n in range(5, 9)} == {2}
    assert counts["id-9"] == 1
    assert all(event == before[event["event_id"]] for event in server.requests[-2])
    assert b"@example.com" not in (tmp_path / "journal").read_bytes()
    with sending(tmp_path, server, *common, "--resume") as process:
        process.communicate(line(77) * 12, timeout=PATIENCE)
        assert process.returncode == 2
    assert "id-77" not in ids(server)


def test_what_was_kept_is_erased_once_it_is_settled(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.write(write, "".join(json.dumps(lead(n)) + "\n" for n in range(3)).encode())
    os.close(write)
    program, journal = compiled(), tmp_path / "journal"
    with os.fdopen(read) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        report = mapper.send(
            program, "-", to=answering(taken).url, settings=SETTINGS, now=NOW, journal=journal
        )  # fmt: skip
    assert report.events.sent == 3
    assert b"event_id" not in journal.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if b"event_id" in path.read_bytes()] == ["m.yaml"]


def test_resuming_needs_an_earlier_pipe(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", mapping="m", target="t") as one, pytest.raises(DeliveryError) as error:
        one.stream(again=True)
    assert (error.value.code, error.value.exit_code) == ("journal-stream", 2)


def test_a_run_that_died_before_it_had_read_anything_may_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "journal").touch()
    with Journal(tmp_path / "journal", mapping="m", target="t") as one:
        assert one.stream(again=True).settled == 0
    (tmp_path / "r.jsonl").write_text(line(1))
    with Journal(tmp_path / "another", mapping="m", target="t") as one:
        one.progress(tmp_path / "r.jsonl")
    with Journal(tmp_path / "another", mapping="m", target="t") as one, pytest.raises(DeliveryError):
        one.stream(again=True)  # it knows files, and no pipe: it is another one


def test_a_pipe_that_comes_again_waits_until_what_was_left_of_it_is_settled(
    tmp_path: Path, compiled: Compile, answering: Callable[..., Answering], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch with a dead letter is settled once that is on the disk; so long it must not be read once more."""
    is_down = [True]

    def picky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        if is_down[0]:
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        return (400, invalid()) if any(event["event_id"] == "id-1" for event in events) else taken(events)

    def on_a_slow_disk(descriptor: int) -> None:
        time.sleep(0.2)

    server, program, text = answering(picky), compiled(), "".join(line(n) for n in range(3))
    monkeypatch.setattr("mapper.delivery.syncing._sync", on_a_slow_disk)
    more: dict[str, Any] = {"settings": SETTINGS, "journal": tmp_path / "journal", "dead_letters": tmp_path / "dead"}
    for resume in (False, True):
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pipe:
            assert pipe.stdin is not None
            pipe.stdin.write(text)
            pipe.stdin.close()
            monkeypatch.setattr("sys.stdin", pipe.stdout)
            report = mapper.send(program, "-", to=server.url, resume=resume, batch_size=4, **more)
        sums_hold(report)
        if not resume:
            assert report.exit_code == 4
            is_down[0] = False
            server.requests.clear()
    assert (report.events.sent, report.events.rejected, report.settled_before) == (2, 1, 3)
    assert len((tmp_path / "dead").read_text().splitlines()) == 1


# -- what a run says while it goes on ----------------------------------------------------------------------------------


def test_json_logs_and_metrics(tmp_path: Path, answering: Callable[..., Answering]) -> None:
    def picky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        return (400, invalid(None)) if any(e["event_id"] == "id-3" for e in events) else taken(events)

    server = answering(picky)
    with sending(tmp_path, server, "-", "--log-format", "json", "--metrics", "m.prom") as process:
        _, said = process.communicate("".join(line(n) for n in range(8)) + "not json\n", timeout=PATIENCE)
        assert process.returncode == 1
    notes = [json.loads(one) for one in said.splitlines()]
    assert [note["event"] for note in notes] == ["started", "batch", "finished"]
    assert notes[1]["rejected"] == 1
    assert notes[2]["halvings"] >= 1
    assert {one["meaning"] for one in notes[2]["answers"]} == {"accepted", "refused"}
    metrics = (tmp_path / "m.prom").read_text()
    assert 'mapper_events_total{destination="meta",fate="sent"} 7\n' in metrics
    assert 'mapper_refused_total{destination="meta",code="not-json",event="",parameter=""} 1\n' in metrics
    assert 'mapper_exit_code{destination="meta"} 1\n' in metrics
    for one in metrics.splitlines():
        assert one.startswith("# ") or one.rpartition(" ")[2].replace(".", "").isdigit()
    with sending(tmp_path, server, "gone.jsonl", "--log-format", "json") as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2
    assert json.loads(said)["code"] == "no-such-file"
