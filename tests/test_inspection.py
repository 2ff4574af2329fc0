"""What may have arrived: when it is sent again, when it is held, and how somebody decides about it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.delivery.inspection import decide, look
from mapper.delivery.journal import Journal
from mapper.delivery.stretches import Stretch
from mapper.errors import DeliveryError

from .answering import PATIENCE, SETTINGS, Answering, lead, taken
from .command import run as command
from .conftest import NOW, SMALL

Compile = Callable[..., mapper.Program]
HOUR = 3600.0


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(60)))
    return path


def send(program: mapper.Program, source: Path, server: Answering, **more: Any) -> mapper.Report:
    named = {"batch_size": 10, "concurrency": 1, "now": NOW, "journal": source.with_name("journal"), **more}
    return mapper.send(program, source, to=server.url, settings=SETTINGS, **named)


def times(server: Answering) -> Counter[str]:
    return Counter(event["event_id"] for events in server.requests for event in events)


class Silent:
    """Takes events; from the second request on it takes them, too, but its answers make no sense."""

    def __init__(self) -> None:
        self.is_silent, self.count = True, 0

    def __call__(self, events: list[dict[str, Any]]) -> tuple[int, Any]:
        self.count += 1
        return (200, b"<html>") if self.is_silent and self.count > 1 else taken(events)


@pytest.fixture
def unclear(compiled: Compile, answering: Callable[..., Answering], records: Path) -> tuple[Answering, Silent]:
    """A run that ended with ten events of which nobody knows whether they arrived."""
    silent = Silent()
    server = answering(silent)
    report = send(compiled(), records, server, patience=0.0)
    assert (report.exit_code, report.events.sent, report.events.pending) == (3, 10, report.events.made - 10)
    silent.is_silent = False
    return server, silent


def test_what_may_have_arrived_lately_is_sent_again_and_told(
    compiled: Compile, unclear: tuple[Answering, Silent], records: Path
) -> None:
    server, _ = unclear
    standing = look(records.with_name("journal"), clock=lambda: NOW)
    assert standing.target == f"{server.url}/v25.0/123/events"
    assert [(one.state, one.records, one.since) for one in standing.sources[0].pending] == [("open", 10, NOW)]
    report = send(compiled(), records, server, now=NOW + 40 * HOUR)
    assert (report.events.sent, report.events.maybe_twice, report.exit_code) == (50, 10, 0)
    assert [one.id for one in report.repeated] == [f"id-{n}" for n in range(10, 20)]
    assert [one.line for one in report.repeated] == list(range(11, 21))
    assert report.as_dict()["repeated"][0] == {
        "file": str(records), "line": 11, "event": "Lead", "id": "id-10", "time": int(NOW) - 60,
    }  # fmt: skip
    [source] = look(records.with_name("journal")).sources
    assert (source.name, source.records, source.pending) == ("records.jsonl", 60, ())
    assert [(one.first_line, one.last_line) for one in source.twice] == [(11, 20)]
    assert {id: count for id, count in times(server).items() if count > 1} == {f"id-{n}": 2 for n in range(10, 20)}


def test_what_may_have_arrived_long_ago_is_held_and_nothing_else(
    compiled: Compile, unclear: tuple[Answering, Silent], records: Path
) -> None:
    server, _ = unclear
    report = send(compiled(), records, server, now=NOW + 45 * HOUR)
    assert report.stopped is not None
    assert (report.stopped.code, report.exit_code) == ("held", 4)
    assert (report.events.sent, report.events.held, report.events.pending) == (40, 10, 10)
    assert set(times(server).values()) == {1}
    again = send(compiled(), records, server, now=NOW + 46 * HOUR)
    assert (again.events.made, again.events.held, again.exit_code) == (10, 10, 4)
    assert look(records.with_name("journal"), clock=lambda: NOW + 46 * HOUR).count("held") == 10


def test_the_first_attempt_counts_however_often_it_was_tried(
    compiled: Compile, unclear: tuple[Answering, Silent], records: Path
) -> None:
    server, silent = unclear
    silent.is_silent = True
    assert send(compiled(), records, server, now=NOW + 40 * HOUR, patience=0.0).exit_code == 3
    silent.is_silent = False
    report = send(compiled(), records, server, now=NOW + 50 * HOUR)
    assert (report.events.held, report.exit_code) == (10, 4)


@pytest.mark.parametrize("resend", [True, False])
def test_somebody_decides(resend: bool, compiled: Compile, unclear: tuple[Answering, Silent], records: Path) -> None:
    server, _ = unclear
    journal, late = records.with_name("journal"), NOW + 45 * HOUR
    assert send(compiled(), records, server, now=late).exit_code == 4
    assert decide(journal, resend=resend, clock=lambda: late) == 10
    report = send(compiled(), records, server, now=late)
    assert (report.exit_code, report.events.sent, report.events.maybe_twice) == (0, 10 * resend, 10 * resend)
    assert look(journal).count("held", "open", "due", "again") == 0
    assert send(compiled(), records, server, now=late).settled_before == 60
    assert sum(times(server).values()) == 60 + 10 * resend


def test_what_was_refused_for_sure_is_not_held(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    """A token that expires on Friday evening: on Monday everything goes on, and nothing counts as sent twice."""
    expired = [True]

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        return (401, {"error": {"code": 190}}) if expired[0] else taken(events)

    server = answering(answer)
    assert send(compiled(), records, server).exit_code == 4
    assert look(records.with_name("journal")).count("held", "open") == 0
    expired[0] = False
    server.requests.clear()
    report = send(compiled(SMALL.replace("website", "email")), records, server, now=NOW + 60 * HOUR)
    assert (report.exit_code, report.events.sent, report.events.maybe_twice) == (0, 60, 0)
    assert set(times(server).values()) == {1}


def test_a_changed_mapping_is_asked_about(compiled: Compile, unclear: tuple[Answering, Silent], records: Path) -> None:
    server, _ = unclear
    changed = compiled(SMALL.replace('ip }}"', 'ip }}"\n        fn: "{{ first }}"'))
    with pytest.raises(DeliveryError) as error:
        send(changed, records, server)
    assert (error.value.code, error.value.exit_code) == ("journal-mapping", 2)
    assert decide(records.with_name("journal"), resend=True, everything=True) == 10
    report = send(changed, records, server)
    assert (report.exit_code, report.events.sent, report.events.maybe_twice) == (0, 50, 10)


def test_a_sender_holds_what_it_cannot_send_in_time(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    silent = Silent()
    silent.count, now = 1, [NOW]
    server, journal = answering(silent), tmp_path / "journal"
    more: dict[str, Any] = {"settings": SETTINGS, "journal": journal, "clock": lambda: now[0], "max_wait": 0.0}
    with mapper.Sender(compiled(), to=server.url, **more) as one:
        receipt = one.send(lead(1))
        one.flush(1.0)
        one.close(0.1)
    assert receipt.wait(1) == mapper.Fate(pending=1)
    silent.is_silent = False
    now[0] += 45 * HOUR
    with mapper.Sender(compiled(), to=server.url, **more) as two:
        assert two.send(lead(2)).wait(20) == mapper.Fate(1)
        assert two.flush(10)
        assert (two.report().events.held, two.report().events.sent) == (1, 1)
    assert decide(journal, resend=True, clock=lambda: now[0]) == 1
    with mapper.Sender(compiled(), to=server.url, **more) as three:
        assert three.flush(20)
        assert (three.report().events.sent, three.report().events.maybe_twice) == (1, 1)


def unclear_at(*numbers: int) -> Callable[[list[dict[str, Any]]], tuple[int, Any]]:
    """Takes every request; the answers to those of these numbers make no sense."""
    count = itertools.count(1)
    return lambda events: (200, b"<html>") if next(count) in numbers else taken(events)


def test_who_wants_nothing_twice_decides_about_each_lost_answer(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    server, program = answering(unclear_at(2, 7)), compiled()
    journal, hold = records.with_name("journal"), {"on_unclear": "hold"}
    report = send(program, records, server, **hold)
    assert report.stopped is not None
    assert (report.stopped.code, report.exit_code) == ("held", 4)
    assert (report.events.sent, report.events.held, report.events.pending) == (50, 10, 10)
    assert [(one.line, one.event, one.id) for one in report.held] == [(n + 1, "Lead", f"id-{n}") for n in range(10, 20)]
    assert report.as_dict()["held"][0]["time"] == int(NOW) - 60
    again = send(program, records, server, now=NOW + 60, **hold)
    assert (again.events.made, again.events.held, again.exit_code) == (10, 10, 4)
    assert look(journal, clock=lambda: NOW).count("held") == 10
    assert set(times(server).values()) == {1}
    assert decide(journal, resend=True, clock=lambda: NOW + 60) == 10
    assert look(journal).count("again") == 10
    report = send(program, records, server, now=NOW + 60, **hold)  # whose answer is lost as well
    assert (report.events.held, report.exit_code) == (10, 4)
    assert decide(journal, resend=True, clock=lambda: NOW + 60) == 10
    report = send(program, records, server, now=NOW + 60, **hold)
    assert (report.events.sent, report.events.maybe_twice, report.exit_code) == (10, 10, 0)
    assert times(server).total() == 80


def test_what_was_decided_stays_decided_if_the_run_does_not_come_to_it(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    down = [False]
    once = unclear_at(1)
    server = answering(lambda events: (401, {"error": {"code": 190}}) if down[0] else once(events))
    program, journal, hold = compiled(), records.with_name("journal"), {"on_unclear": "hold"}
    assert send(program, records, server, limit=10, **hold).events.held == 10
    assert decide(journal, resend=True, clock=lambda: NOW) == 10
    down[0] = True
    assert send(program, records, server, **hold).exit_code == 4
    down[0] = False
    report = send(program, records, server, **hold)
    assert (report.events.sent, report.events.maybe_twice, report.exit_code) == (60, 10, 0)


def test_a_destination_that_gives_no_clear_answer_ends_a_run_that_sends_nothing_twice(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    server, program = answering(unclear_at(1, 2, 3)), compiled()
    report = send(program, records, server, on_unclear="hold")
    assert (report.exit_code, report.events.sent, report.requests) == (3, 0, 3)
    report = send(program, records, server, on_unclear="hold")
    assert (report.exit_code, report.events.sent, report.events.held) == (4, 30, 30)
    assert set(times(server).values()) == {1}
    report = send(program, records, server)  # who changes his mind
    assert (report.exit_code, report.events.sent, report.events.maybe_twice) == (0, 30, 30)


def test_nothing_is_held_that_nobody_keeps_in_mind(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    with pytest.raises(DeliveryError) as error:
        send(compiled(), records, answering(taken), journal=None, on_unclear="hold")
    assert (error.value.code, error.value.exit_code) == ("journal-hold", 2)


def test_a_sender_can_be_told_to_send_nothing_twice(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    server, program = answering(unclear_at(1)), compiled()
    more: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 0.0, "on_unclear": "hold"}
    with mapper.Sender(program, to=server.url, journal=tmp_path / "journal", **more) as one:
        assert one.send(lead(1)).wait(PATIENCE) == mapper.Fate(pending=1)
        assert one.send(lead(2)).wait(PATIENCE) == mapper.Fate(1)
        assert one.report().events.held == 1
    with mapper.Sender(program, to=server.url, journal=tmp_path / "journal", **more) as two:
        assert two.flush(PATIENCE)
        assert two.report().events.held == 1
    assert times(server) == Counter({"id-1": 1, "id-2": 1})


def test_the_command_says_what_is_pending_and_decides(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n" * 9)
    with Journal(tmp_path / "j", mapping="m", target="https://graph.example/events", clock=lambda: NOW) as one:
        file = one.progress(path).file
        one.begin(file, Stretch(0, 6, 2))
        one.settle(file, [Stretch(6, 12, 2)], path)
    shown = command("journal", "show", "j", cwd=tmp_path)
    said = " ".join(shown.stdout.decode().split())
    assert shown.returncode == 4
    assert "j: events for https://graph.example/events r.jsonl 2 records settled 2 records may" in said
    assert "2 records may have arrived, and a copy could count twice" in said
    assert "bytes 0 to 6, first sent 2026-03-01 12:00 UTC" in said
    assert command("journal", "drop", "j", cwd=tmp_path).stdout == b"2 records will not be sent again.\n"
    shown = command("journal", "show", "j", "--format", "json", cwd=tmp_path)
    assert shown.returncode == 0
    assert [one["records"] for one in json.loads(shown.stdout)["sources"]] == [4]
    assert b"nothing to decide" in command("journal", "resend", "j", cwd=tmp_path).stdout
    gone = command("journal", "show", "gone", cwd=tmp_path)
    assert (gone.returncode, gone.stderr) == (2, b"mapper: there is no journal gone\n")
    assert not (tmp_path / "gone").exists()


DIES = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode = DELETE")
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN")
for number in range(2000):
    database.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (f"more-{number}", "x" * 100))
os._exit(0)
"""


def test_a_journal_with_a_change_that_was_half_done_can_be_looked_into(tmp_path: Path) -> None:
    """As a power cut leaves it: the change has to be undone first, which takes more than reading."""
    path = tmp_path / "journal"
    with Journal(path, mapping="m", target="t"):
        pass
    before = path.read_bytes()
    subprocess.run([sys.executable, "-c", DIES, path], check=True)
    assert path.with_name("journal-journal").stat().st_size
    assert path.read_bytes() != before
    assert look(path).target == "t"
    assert command("journal", "show", path, cwd=tmp_path).stdout.startswith(f"{path}: events for t\n".encode())


BEGINS = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN")
database.execute("CREATE TABLE t (x)")
for number in range(2000):
    database.execute("INSERT INTO t VALUES (?)", ("x" * 100,))
os._exit(0)
"""


def test_a_journal_whose_making_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    """Its first page may be anything then: it is no file that somebody has named by mistake."""
    path = tmp_path / "journal"
    subprocess.run([sys.executable, "-c", BEGINS, path], check=True)
    path.write_bytes(b"\x8f" * 512 + path.read_bytes()[512:])
    with Journal(path, mapping="m", target="t") as one:
        assert one.left_over() == []


def test_a_journal_in_which_nothing_stands_yet(tmp_path: Path) -> None:
    (tmp_path / "journal").touch()
    found = command("journal", "show", "journal", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (
        0,
        b"journal: nothing stands in it yet\n\nNothing is on its way, and nothing waits for a decision.\n",
    )
    (tmp_path / "journal").write_text("a letter to my aunt " * 50)
    found = command("journal", "show", "journal", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (5, b"")
