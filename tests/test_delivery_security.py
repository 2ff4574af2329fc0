"""What delivery must not do, whoever wants it to: leak, follow a link, believe a stranger's file, or get lost."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import random
import shlex
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

import mapper
from mapper.delivery import ledger
from mapper.delivery.inspection import decide, look
from mapper.delivery.journal import Journal
from mapper.delivery.metrics import write
from mapper.delivery.settings import resolve
from mapper.delivery.stretches import Kept, Repeated, Stretch
from mapper.delivery.transport import Connection
from mapper.destinations.destination import load_destination
from mapper.errors import DeliveryError

from .answering import NOW, PATIENCE, SETTINGS, Answering, lead, taken
from .command import MAPPER
from .conftest import SMALL
from .hostile import Script, raw

Compile = Callable[..., mapper.Program]
TOKEN = "EAAGsecretTOKEN123"
MARK = "PIIMARK"


def fresh(count: int, **changes: Any) -> str:
    """Records of a minute ago, as lines."""
    moment = int(time.time()) - 60
    return "".join(json.dumps(lead(number, at=moment, **changes)) + "\n" for number in range(count))


def forms(secret: str) -> list[bytes]:
    """A secret as it may hide: as it is, as percent escapes, as base64 at each of three places."""
    data = secret.encode()
    encoded = [base64.b64encode(b"x" * pad + data)[4 if pad else 0 : -4] for pad in range(3)]
    percent = "".join(f"%{byte:02X}" for byte in data).encode()
    return [data, urllib.parse.quote(secret).encode(), percent, *encoded]


def leaks(folder: Path, *secrets: str) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [
        f"{path.name}: {secret}"
        for path in files
        for secret in secrets
        if any(form in path.read_bytes() for form in forms(secret))
    ]


def test_nothing_of_a_killed_run_holds_a_token_or_a_person(answering: Callable[..., Answering], tmp_path: Path) -> None:
    """Killed at 20 moments: the journal, its log, its lock, the report, logs and the process itself are searched."""

    def slowly(events: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.03)
        return taken(events)

    server, chance, seen = answering(slowly), random.Random(5), 0
    (tmp_path / "m.yaml").write_text(SMALL)
    source = tmp_path / "source"
    source.mkdir()
    text = "".join(
        json.dumps(lead(n, at=int(time.time()) - 60, email=f"{MARK}{n}@example.com")) + "\n" for n in range(9000)
    )
    (source / "r.jsonl").write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    command = [
        *MAPPER, "send", "../m.yaml", "../source/r.jsonl", "--to", server.url, "--journal", "j",
        "--batch-size", "20", "--concurrency", "2", "--workers", "1", "--report", "r.json", "--metrics", "m.prom",
        "--log-format", "json",
    ]  # fmt: skip
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    for number in range(20):
        told = work / f"log{number}"
        with told.open("wb") as log:
            process = subprocess.Popen(command, cwd=work, env=environ, stdout=log, stderr=log, umask=0)
            deadline = time.monotonic() + (PATIENCE if number % 4 else 0.3)  # some are killed before they begin
            while not told.stat().st_size and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.4))
            if process.poll() is None:
                arguments = Path(f"/proc/{process.pid}/cmdline")
                if arguments.exists():
                    assert TOKEN.encode() not in arguments.read_bytes()
                process.kill()
            process.wait()
        assert leaks(work, TOKEN, MARK) == []
        assert {stat.S_IMODE(path.stat().st_mode) for path in work.glob("j*")} <= {0o600}
        seen += (work / "j-wal").exists()
    assert seen > 5, "the runs were killed while they wrote"
    assert server.requests


def test_files_of_ours_are_for_their_owner(answering: Callable[..., Answering], tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "r.jsonl").write_text(json.dumps(lead(1, at=int(time.time()) - 60)) + "\nbroken\n")
    before = set(tmp_path.iterdir())
    server = answering(taken)
    call = f"umask 000; {sys.executable} -m mapper send m.yaml r.jsonl --to {server.url} --journal j --report r.json"
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    done = subprocess.run(["sh", "-c", call], cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    made = set(tmp_path.iterdir()) - before
    assert {path.name for path in made} == {"j", "j.lock", "r.json", "m.dead.jsonl"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


@pytest.mark.parametrize("link", ["j", "j.lock", "j-journal", "j-wal", "j-shm"])
def test_no_link_leads_the_journal_elsewhere(link: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / link).symlink_to(victim)
    with pytest.raises(DeliveryError, match="is a link") as error:
        Journal(tmp_path / "j", mapping="m", target="t")
    assert (error.value.code, error.value.exit_code) == ("journal", 5)
    assert victim.read_text() == "precious"


def test_no_link_leads_a_report_elsewhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "report.json").symlink_to(victim)
    (tmp_path / f".report.json.{os.getpid()}").symlink_to(victim)
    write(tmp_path / "report.json", "{}", "report", 0o600)
    assert victim.read_text() == "precious"
    assert (tmp_path / "report.json").read_text() == "{}"
    assert not (tmp_path / "report.json").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write(tmp_path / "pipe", "{}", "report")
    assert os.read(reader, 10) == b"{}"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e\r\n::error::x`](" + ("\udcff" if sys.platform == "linux" else "")
"""What could steer a terminal, a log or a page of a build; on Linux with a byte that is no text, as names may have."""


def test_nothing_of_a_run_steers_a_terminal_or_begins_a_line_of_a_log(
    answering: Callable[..., Answering],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A file with a hostile name, a hostile destination: what is said, logged and written shows both, obeys neither."""

    def hostile(events: list[dict[str, Any]]) -> tuple[int, Any]:
        said = HOSTILE.replace("\udcff", "")
        if len(events) > 1 or events[0]["event_id"] == "id-1":
            error = {"message": said, "code": 100, "error_subcode": 2804050, "error_user_msg": said, "fbtrace_id": said}
            return 400, {"error": {**error, "error_user_title": said * 1000}}
        return 200, {"events_received": len(events), "messages": [said], "fbtrace_id": said}

    server, name = answering(hostile), f"{HOSTILE.replace('/', '')}.jsonl"
    (tmp_path / f"{name}.yaml").write_text(SMALL)
    (tmp_path / name).write_text(fresh(3) + "broken\n" + fresh(1, email=""))
    mapping = f"{name}.yaml"
    send = ["send", mapping, name, "--to", server.url, "--report", "r.json", "--metrics", "m.prom"]
    calls = [
        [*send, "--journal", "j"],
        [*send, "--no-journal", "--log-format", "json"],
        ["journal", "show", "j"],
        ["journal", "show", "j", "--format", "json"],
        ["dead-letters", "list", f"{name}.dead.jsonl"],
        ["dead-letters", "show", f"{name}.dead.jsonl", "--show-values"],
        ["dead-letters", "retry", mapping, f"{name}.dead.jsonl", "--plan", "--report", "p.json"],
        ["dead-letters", "retry", mapping, f"{name}.dead.jsonl", "--to", server.url],
    ]
    monkeypatch.chdir(tmp_path)
    for variable, value in (("META_PIXEL_ID", "123"), ("META_ACCESS_TOKEN", TOKEN)):
        monkeypatch.setenv(variable, value)
    command: Callable[[list[str]], int] = importlib.import_module("mapper.cli.main")._run
    said: dict[str, str] = {}
    for call in calls:
        code = command(call)
        said[" ".join(call[:2])] = text = "".join(capfd.readouterr())
        assert code in (0, 1), text
    logged = [json.loads(line) for line in said[f"send {mapping}"].splitlines()]
    assert [line["event"] for line in logged][::2] == ["started", "finished"]
    assert "owned" in said["journal show"] + said["dead-letters show"]
    written = [path.read_text() for path in (tmp_path / "r.json", tmp_path / "p.json", tmp_path / "m.prom")]
    for text in (*said.values(), *written):
        assert all(one.isprintable() or one in "\n\t" for one in text), ascii(text)
        assert not [line for line in text.splitlines() if line.startswith(("::", "\\n::"))]


STRANGERS = {
    "a trigger": "CREATE TRIGGER evil AFTER UPDATE ON files BEGIN DELETE FROM kept; END",
    "a view": "CREATE VIEW evil AS SELECT * FROM meta",
    "another table": "CREATE TABLE evil (a)",
    "an index": "CREATE INDEX evil ON ranges (sent)",
    "a table that is different": "ALTER TABLE files ADD COLUMN evil TEXT",
    "another application": "PRAGMA application_id = 7",
}


@pytest.mark.parametrize("statement", STRANGERS.values(), ids=STRANGERS)
def test_a_journal_that_somebody_else_has_made_is_refused(statement: str, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", mapping="m", target="t"):
        pass
    database = sqlite3.connect(tmp_path / "j")
    database.execute(statement)
    database.commit()
    database.close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(DeliveryError, match="no journal") as error:
        Journal(tmp_path / "j", mapping="m", target="t")
    assert error.value.exit_code == 5
    assert (tmp_path / "j").read_bytes() == before


ODD_VALUES = (None, "x", -2, 2**62, 1.5, b"\xff")


@pytest.mark.parametrize("table", ledger.COLUMNS)
def test_a_journal_whose_rows_make_no_sense_is_refused(
    table: str, compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Somebody who knows how rows are sealed writes what he likes into each column: refused, or as if it were ours."""
    program, path, journal = compiled(), tmp_path / "r.jsonl", tmp_path / "j"
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(4)))
    target = f"{answering(taken).url}/v25.0/123/events"
    with Journal(journal, mapping=program.fingerprint, target=target) as one:
        known, stream = one.progress(path), one.stream()
        one.begin(known.file, Stretch(0, 10, 1))
        one.settle(known.file, [Stretch(10, 20, 1)], path, repeated=[Repeated(10, 1, 1)])
        one.begin(stream.file, Stretch(0, 1, 1), [Kept(0, 1, "Lead", "Lead", 1, 2, b"{}")], is_sent=False)
    whole, refused = journal.read_bytes(), 0
    for column in ledger.COLUMNS[table]:
        for value in ODD_VALUES:
            journal.write_bytes(whole)
            with closing(sqlite3.connect(journal, isolation_level=None)) as database:
                ledger.seals(database)
                with suppress(sqlite3.IntegrityError):  # of its own accord the database refuses some
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (value,))
                database.execute(f"UPDATE {table} SET seal = sealed({', '.join(ledger.COLUMNS[table])})")
            try:
                look(journal)
                with Journal(journal, mapping=program.fingerprint, target=target) as one:
                    one.progress(path)
                    one.left_over()
                decide(journal, resend=True, everything=True)
            except DeliveryError as error:
                refused += 1
                assert error.exit_code in (2, 5)  # noqa: PT017 - it may be right as well
    assert refused > len(ledger.COLUMNS[table])


def test_a_journal_that_is_cut_or_swapped_sends_nothing_wrong(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Cut at every kilobyte, or without the log of changes: right, or refused, and never a record too few."""
    program, server = compiled(), answering(taken)
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(40)))
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "batch_size": 10}
    mapper.send(program, path, to=server.url, limit=20, journal=tmp_path / "journal", **more)
    whole = (tmp_path / "journal").read_bytes()
    for size in range(0, len(whole), 1024):
        copy = tmp_path / f"cut{size}"
        copy.write_bytes(whole[:size])
        server.requests.clear()
        try:
            report = mapper.send(program, path, to=server.url, journal=copy, **more)
        except DeliveryError as error:
            assert (error.exit_code, server.requests) == (5, [])  # noqa: PT017 - it may be right as well
            continue
        assert report.events.sent in (20, 40), "from where it was, or, where nothing was left of it, from the beginning"
        assert (report.events.sent == 40) is (size == 0)
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(lead(n + 100)) + "\n" for n in range(40)))
    server.requests.clear()
    assert mapper.send(program, other, to=server.url, journal=tmp_path / "journal", **more).events.sent == 40


def test_a_folder_in_which_nobody_can_write_sends_nothing(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    server = answering(taken)
    (tmp_path / "r.jsonl").write_text(fresh(3))
    with pytest.raises(DeliveryError) as error:
        mapper.send(
            compiled(), tmp_path / "r.jsonl", to=server.url, settings=SETTINGS, journal=tmp_path / "r.jsonl" / "j"
        )
    assert (error.value.code, error.value.exit_code) == ("journal", 5)
    assert not server.requests


def test_a_run_that_is_stopped_and_continued_goes_on(answering: Callable[..., Answering], tmp_path: Path) -> None:
    """SIGSTOP, SIGCONT: nothing is lost, and nothing comes twice but what was on its way."""

    def slowly(events: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.02)
        return taken(events)

    server = answering(slowly)
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "r.jsonl").write_text(
        "".join(json.dumps(lead(n, at=int(time.time()) - 60)) + "\n" for n in range(2000))
    )
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    command = [*MAPPER, "send", "m.yaml", "r.jsonl", "--to", server.url, "--batch-size", "10", "-q"]
    process = subprocess.Popen([*command, "--timeout", "1"], cwd=tmp_path, env=environ)
    while len(server.requests) < 20:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    assert process.wait(120) == 0
    ids = [event["event_id"] for events in server.requests for event in events]
    assert len(set(ids)) == 2000
    assert len(ids) - 2000 <= 4 * 10


def test_little_memory_is_enough_for_long_lines(answering: Callable[..., Answering], tmp_path: Path) -> None:
    """A line of 300 MB among others costs itself, and neither memory nor the others."""
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    good = json.dumps(lead(1, at=int(time.time()) - 60)).encode()
    with (tmp_path / "r.jsonl").open("wb") as file:
        file.write(good + b"\n")
        for _ in range(300):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + good.replace(b"id-1", b"id-2") + b"\n")
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    command = [*MAPPER, "send", "m.yaml", "r.jsonl", "--to", server.url, "--workers", "1"]
    code, said, peak = measured(command, tmp_path, environ)
    assert code == 1, said
    assert "the line is longer than 10 MiB" in said
    assert sorted(event["event_id"] for events in server.requests for event in events) == ["id-1", "id-2"]
    assert peak < 150_000_000


MEASURED = """\
import os, subprocess, sys
with open("said", "wb") as said:
    process = subprocess.Popen(sys.argv[1:], stdout=said, stderr=said)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
"""Stands between the tests and what is measured: the memory of whoever starts a process counts as the process's own."""


def measured(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[int, str, int]:
    """How a command ended, what it said, and the most bytes of memory that it had."""
    between = [sys.executable, "-c", MEASURED, *command]
    found = subprocess.run(between, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    code, peak = map(int, found.stdout.split())
    return code, (folder / "said").read_text(), peak


def long_records(folder: Path, count: int, size: int) -> None:
    """Records of so many bytes each, of which all but the first few are of no use."""
    with (folder / "r.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps(lead(number, at=int(time.time()) - 60, pad="x" * size)) + "\n")


@pytest.mark.parametrize("value", ["[]", '{"a":1}'])
def test_a_line_of_nothing_but_values_takes_neither_memory_nor_time(
    value: str, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """A line of 10 MB in the field that the mapping reads would be millions of objects."""
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    crowd = f"[{','.join([value] * (9_900_000 // (len(value) + 1)))}]"
    line = fresh(1, email="@@").replace('"@@"', crowd)
    (tmp_path / "r.jsonl").write_text(line + fresh(1) + line)
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    command = [sys.executable, "-m", "mapper", "send", "m.yaml", "r.jsonl", "--to", server.url, "--workers", "1"]
    started = time.monotonic()
    code, said, peak = measured(command, tmp_path, environ)
    assert code == 1, said
    assert "the line holds more than 200,000 values" in said
    assert sum(map(len, server.requests)) == 1
    assert peak < 150_000_000
    assert time.monotonic() - started < PATIENCE
    assert len((tmp_path / "m.dead.jsonl").read_bytes()) > 2 * len(crowd)


@pytest.mark.parametrize("way", ["file", "limit", "pipe"])
def test_memory_does_not_grow_with_the_length_of_records(
    answering: Callable[..., Answering], tmp_path: Path, way: str
) -> None:
    """400 records of 500 kB would fill a batch or two: what is kept of them until they are settled is bounded."""
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    long_records(tmp_path, 400, 500_000)
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    call = [*MAPPER, "send", "m.yaml", "--to", server.url, "--workers", "1"]
    more = {"file": "r.jsonl", "limit": "r.jsonl --limit 400", "pipe": "- < r.jsonl"}[way]
    code, said, peak = measured(["sh", "-c", f"exec {shlex.join(call)} {more}"], tmp_path, environ)
    assert code == 0, said
    assert sum(map(len, server.requests)) == 400
    assert peak < 150_000_000


@pytest.mark.parametrize("megabytes", [180, 200, 220, 256])
def test_a_run_without_enough_memory_says_so_and_goes_on_later(
    answering: Callable[..., Answering], tmp_path: Path, megabytes: int
) -> None:
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    long_records(tmp_path, 100, 500_000)
    environ = {**os.environ, "META_PIXEL_ID": "123", "META_ACCESS_TOKEN": TOKEN}
    call = [*MAPPER, "send", "m.yaml", "r.jsonl", "--to", server.url, "--journal", "j"]
    limited = ["sh", "-c", f"ulimit -v {megabytes * 1024}; exec {shlex.join([*call, '--workers', '1'])}"]
    code, said, _ = measured(limited, tmp_path, environ)
    assert code in (0, 3, 5), said  # 5: SQLite has none for the journal
    assert ("there is not enough memory" in said) is (code == 3)
    code, said, _ = measured(call, tmp_path, environ)
    assert code == 0, said
    ids = [event["event_id"] for events in server.requests for event in events]
    assert len(set(ids)) == 100
    assert len(ids) - 100 <= 4 * 17, "only what was on its way: four stretches of 8 MB"


def test_the_command_leaves_no_image_of_its_memory() -> None:
    code = (
        "import importlib, resource; m = importlib.import_module('mapper.cli.main'); m._run = lambda arguments: 0\n"
        "try:\n    m.main()\nexcept SystemExit:\n    print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"0\n"


def test_a_sender_leaves_nothing_behind(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> None:
    """No thread, no handler of signals, no logging, no open file."""
    server, program = answering(taken), compiled()
    threads, handlers = set(threading.enumerate()), [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    loggers = list(logging.getLogger().handlers)
    named: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "dead_letters": tmp_path / "d.jsonl"}
    with mapper.Sender(program, to=server.url, journal=tmp_path / "journal", **named) as one:
        assert one.send(lead(1)).wait(20).accepted == 1
        one.send(b"broken")
    ours = [thread for thread in set(threading.enumerate()) - threads if "process_request" not in thread.name]
    assert ours == []
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert logging.getLogger().handlers == loggers
    with Journal(tmp_path / "journal", mapping=program.fingerprint, target=f"{server.url}/v25.0/123/events"):
        pass


def seen_by_a_debugger(error: BaseException) -> str:
    """The variables of all our frames that an exception and what led to it passed through, as a report would have it:
    of those of ours, for what a caller holds in its own hands is its own business."""
    found: list[str] = []
    one: BaseException | None = error
    while one is not None:
        trace = one.__traceback__
        while trace is not None:
            frame, trace = trace.tb_frame, trace.tb_next
            if "tests" not in Path(frame.f_code.co_filename).parts:
                found += [f"{frame.f_code.co_name} {name} = {value!r}" for name, value in frame.f_locals.items()]
        one = one.__cause__ or one.__context__
    return "\n".join(found)


PASSWORD = "s3cret-of-the-proxy"
PROXY = f"http://someone:{PASSWORD}@"

BROKEN: dict[str, dict[str, Any]] = {
    "a setting that cannot be used": {"settings": {"PIXEL_ID": "x", "ACCESS_TOKEN": TOKEN}},
    "a token that cannot be used": {"settings": {"PIXEL_ID": "1", "ACCESS_TOKEN": f"{TOKEN} x"}},
    "an address that is readable": {"to": "http://192.0.2.7"},
    "an address that is none": {"to": "https://[::"},
    "a journal in no folder": {"journal": "nowhere/j"},
    "a proxy that is none": {"proxy": f"{PROXY}[::"},
    "a proxy with a path": {"proxy": f"{PROXY}proxy.example/path"},
    "a proxy for what it could read": {"proxy": f"{PROXY}proxy.example", "to": "http://127.0.0.1:9"},
    "authorities that are not there": {"ca_file": "nowhere", "proxy": f"{PROXY}proxy.example"},
}


WAYS: dict[str, tuple[Callable[..., Any], list[str], set[str]]] = {
    "send": (mapper.send, ["dead.jsonl"], set()),
    "retry": (mapper.retry, ["dead.jsonl"], {"journal"}),
    "sender": (mapper.Sender, [], {"proxy", "ca_file"}),
    "environment": (mapper.send, ["dead.jsonl"], set()),
}
"""What is called, with what, and which options it does not have."""


@pytest.mark.parametrize(("way", "without"), [(name, one[2]) for name, one in WAYS.items()], ids=WAYS)
def test_no_secret_is_in_the_frames_of_an_exception(
    way: str, without: set[str], compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those that report exceptions with all variables would show them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dead.jsonl").write_text("")
    program, (call, given, _) = compiled(), WAYS[way]
    for what, broken in BROKEN.items():
        if not without.isdisjoint(broken):
            continue
        named: dict[str, Any] = {"settings": {"PIXEL_ID": "123", "ACCESS_TOKEN": TOKEN}, **broken}
        if way == "environment":
            for name, value in named.pop("settings").items():
                monkeypatch.setenv(f"META_{name}", value)
        with pytest.raises(DeliveryError) as error:
            call(program, *given, **named)
        shown = seen_by_a_debugger(error.value) + repr(error.value) + error.value.hint
        assert TOKEN not in shown, what
        assert PASSWORD not in shown, what


def said_back(status: int, *headers: str, body: str = "{}") -> bytes:
    """An answer as bytes."""
    head = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", body]).encode()


MOVED = said_back(307, f"Location: https://elsewhere.example/v25.0/123/events?access_token={TOKEN}")
CUT = MOVED.index(TOKEN.encode()) + 9
QUOTED = json.dumps({"error": {"message": f"Malformed access token {TOKEN}", "code": 190, "fbtrace_id": TOKEN}})
LOUD: dict[str, tuple[str, Script]] = {
    "it is accepted": ("http-200", [said_back(200, body='{"events_received": 1}')]),
    "a redirect repeats the address": ("http-307", [MOVED]),
    "a redirect comes in two pieces": ("http-307", [MOVED[:CUT], 0.05, MOVED[CUT:]]),
    "the token is quoted": ("190", [said_back(401, body=QUOTED)]),
    "a page quotes it": ("http-502", [said_back(502, body=f"<html>{TOKEN}</html>")]),
    "it never answers": ("no-answer", [2.0]),
    "nobody listens": ("not-sent", []),
    "it speaks no TLS": ("not-sent", [b"HTTP/1.1 400 X\r\n\r\n"]),
}


# What a client of the caller's own logs of an answer's headers is not ours to keep quiet.
TRIED = [(name, True) for name in LOUD] + [(name, False) for name in LOUD if "redirect" not in name]


@pytest.mark.parametrize(("name", "is_own"), TRIED)
def test_no_answer_brings_the_token_into_a_log(name: str, is_own: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Everybody logs everything: also the HTTP client, which writes down the headers of answers."""
    code, script = LOUD[name]
    for logger in ("", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger)
    destination = load_destination("meta")
    settings = resolve(destination, {"PIXEL_ID": "123", "ACCESS_TOKEN": TOKEN})
    with raw(lambda: (script, "close")) as server, httpx.Client(timeout=0.5, verify=False) as client:
        url = server.url.replace("http:", "https:") if script[:1] == [b"HTTP/1.1 400 X\r\n\r\n"] else server.url
        if not script:
            server.close()
        prepared = destination.request.prepare(settings, base=url, token_in=None if is_own else "header")
        connection = Connection(destination, prepared, deadline=0.5, client=None if is_own else client)
        answer = connection.send([b'{"event_name": "Lead"}'])
        connection.close()
    assert answer.code == code
    assert caplog.records
    for text in (caplog.text, repr(answer), repr(connection), repr(vars(connection))):
        assert TOKEN not in text


@pytest.mark.parametrize("word", ["started", "batch", "waiting", "stopped", "progress"])
def test_a_function_that_breaks_loses_nothing_and_sends_nothing_twice(
    word: str, compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Somebody's function that is told of what happens raises: what was on its way is written down, then it is told."""
    asked: list[int] = []

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        asked.append(len(events))
        if len(asked) == 1 and word == "waiting":
            return 503, {"error": {"message": "later", "type": "OAuthException", "code": 2, "is_transient": True}}
        if len(asked) > 2 and word == "stopped":
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        time.sleep(0.15)
        return taken(events)

    raised: list[str] = []

    def breaks(said: str) -> None:
        if said == word:
            raised.append(said)
            raise ZeroDivisionError

    path, server, program = tmp_path / "r.jsonl", answering(answer), compiled()
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(60)))
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "batch_size": 10, "journal": tmp_path / "journal"}
    with pytest.raises(ZeroDivisionError):
        mapper.send(
            program,
            path,
            to=server.url,
            on_note=lambda said, fields: breaks(said),
            on_progress=lambda tally: breaks("progress"),
            **more,
        )
    assert raised == [word], "told once, and not again"
    again = {"waiting": 1, "stopped": len(asked) - 2}.get(word, 0)
    expected = {f"id-{n}" for n in range(60)}
    word, asked[:] = "", [0, 0]
    report = mapper.send(program, path, to=server.url, **more)
    found = [event["event_id"] for events in server.requests for event in events]
    assert (report.exit_code, set(found), len(found)) == (0, expected, 60 + 10 * again)


def test_a_clock_that_breaks_stops_a_sender(compiled: Compile, answering: Callable[..., Answering]) -> None:
    calls: list[float] = []

    def clock() -> float:
        calls.append(NOW)
        if len(calls) > 1:
            raise ZeroDivisionError
        return NOW

    with mapper.Sender(compiled(), to=answering(taken).url, settings=SETTINGS, clock=clock, max_wait=0.0) as one:
        receipt = one.send(lead(1))
    assert receipt.wait(1) == mapper.Fate(pending=1)
    report = one.report()
    assert report.stopped is not None
    assert (report.stopped.code, report.stopped.exit_code) == ("internal", 70)


def test_a_client_that_breaks_stops_a_sender_and_loses_nothing(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """The caller's own client raises what no HTTP client raises: everything stays pending, and the sender says so."""
    server, client = answering(taken), httpx.Client()
    named: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 0.0, "journal": tmp_path / "j"}
    with mapper.Sender(compiled(), to=server.url, client=client, **named) as one:
        client.close()
        receipt = one.send(lead(1))
        for _ in range(200):
            if one.report().stopped is not None:
                break
            time.sleep(0.02)
        with pytest.raises(DeliveryError) as error:
            one.send(lead(2))
        assert error.value.code == "client"
    assert receipt.wait(1) == mapper.Fate(pending=1)
    with mapper.Sender(compiled(), to=server.url, **named) as two:
        assert two.flush(20)
    assert [event["event_id"] for events in server.requests for event in events] == ["id-1"]
