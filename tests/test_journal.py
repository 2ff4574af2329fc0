"""The journal: what is settled stays settled, whatever ends a run."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.delivery.journal import Journal, Stretch
from mapper.delivery.ledger import seals
from mapper.errors import DeliveryError

from .answering import SETTINGS, Answering, lead, sums_hold, taken
from .conftest import NOW, SMALL
from .faults.killing import killed
from .faults.points import every_point

Compile = Callable[..., mapper.Program]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(250)) + "\nnot json\n")
    return path


def accepted(server: Answering) -> Counter[str]:
    return Counter(event["event_id"] for events in server.requests for event in events)


def run(program: mapper.Program, source: Path, server: Answering, **more: Any) -> mapper.delivery.report.Report:  # type: ignore[name-defined]
    journal = source.with_name("journal")
    more = {"batch_size": 20, "now": NOW, "journal": journal, "dead_letters": source.with_name("dead.jsonl"), **more}
    report = mapper.send(program, source, to=server.url, settings=SETTINGS, **more)
    sums_hold(report)
    return report


def test_a_finished_run_sends_nothing_again(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    program, server = compiled(), answering(taken)
    first = run(program, records, server)
    assert (first.records.read, first.events.sent, first.records.dead) == (251, 250, 1)
    second = run(program, records, server)
    assert (second.records.read, second.events.made, second.settled_before) == (0, 0, 251)
    assert set(accepted(server).values()) == {1}
    assert len(records.with_name("dead.jsonl").read_text().splitlines()) == 1
    assert stat.S_IMODE(records.with_name("journal").stat().st_mode) == 0o600


def test_a_grown_and_renamed_file_is_the_same_file(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    program, server = compiled(), answering(taken)
    run(program, records, server)
    moved = records.rename(records.with_name("moved.jsonl"))
    with moved.open("a") as file:
        file.write("".join(json.dumps(lead(n)) + "\n" for n in range(250, 255)))
    report = run(program, moved, server)
    assert (report.records.read, report.events.sent, report.settled_before) == (5, 5, 251)
    assert len(accepted(server)) == 255
    assert set(accepted(server).values()) == {1}


def test_a_file_that_changed_where_it_was_sent_is_refused(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    path = tmp_path / "big.jsonl"
    lines = [json.dumps(lead(n)) + "\n" for n in range(900)]
    path.write_text("".join(lines))
    program, server = compiled(), answering(taken)
    run(program, path, server)
    path.write_text("".join(lines[:600] + [lines[-1]] * 300))
    report = run(program, path, server)
    assert report.exit_code == 2
    assert report.stopped is not None
    assert report.stopped.code == "journal-file"
    assert set(accepted(server).values()) == {1}


def packed(path: Path, text: str, level: int = 6) -> Path:
    path.write_bytes(gzip.compress(text.encode(), level))
    return path


def test_a_packed_file_is_known_by_what_is_in_it(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Packed anew, renamed, grown, unpacked: the same file, of which nothing is sent again."""
    program, server = compiled(), answering(taken)
    lines = [json.dumps(lead(n)) + "\n" for n in range(900)]
    path = packed(tmp_path / "day.jsonl.gz", "".join(lines[:600]), 9)
    assert run(program, path, server).events.sent == 600
    path.unlink()
    path = packed(tmp_path / "again.gz", "".join(lines[:600]), 1)
    assert run(program, path, server).settled_before == 600
    with path.open("ab") as file:
        file.write(gzip.compress("".join(lines[600:800]).encode()))
    assert run(program, path, server).events.sent == 200
    plain = tmp_path / "day.jsonl"
    plain.write_text("".join(lines))
    assert run(program, plain, server).events.sent == 100
    assert len(accepted(server)) == 900
    assert set(accepted(server).values()) == {1}


def test_a_packed_file_that_changed_where_it_was_sent_is_refused(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    program, server = compiled(), answering(taken)
    lines = [json.dumps(lead(n)) + "\n" for n in range(900)]
    path = packed(tmp_path / "day.jsonl.gz", "".join(lines))
    run(program, path, server)
    packed(path, "".join(lines[:600] + [lines[-1]] * 300))
    report = run(program, path, server)
    assert report.stopped is not None
    assert (report.exit_code, report.stopped.code) == (2, "journal-file")
    assert set(accepted(server).values()) == {1}


def test_a_packed_file_is_sent_on_from_where_a_run_stopped(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Also one that breaks off, once the whole of it is there."""
    program, server = compiled(), answering(taken)
    text = "".join(json.dumps(lead(n)) + "\n" for n in range(3000))
    path = packed(tmp_path / "day.jsonl.gz", text)
    assert run(program, path, server, limit=700).events.sent == 700
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    broken = run(program, path, server)
    assert broken.stopped is not None
    assert broken.stopped.code == "broken-input"
    path.write_bytes(whole)
    report = run(program, path, server)
    assert (report.exit_code, report.settled_before + report.events.sent) == (0, 3000)
    assert len(accepted(server)) == 3000
    assert set(accepted(server).values()) == {1}


def test_what_was_pending_is_sent_by_the_next_run(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    calls: list[int] = []

    def expiring(events: list[dict[str, Any]]) -> tuple[int, Any]:
        calls.append(1)
        if len(calls) > 4:
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        return taken(events)

    program, first, second = compiled(), answering(expiring), answering(taken)
    stopped = run(program, records, first, concurrency=1)
    assert (stopped.exit_code, stopped.events.sent) == (4, 80)
    # the address is the journal's target, so the second server takes the first one's place
    database = sqlite3.connect(records.with_name("journal"))
    seals(database)
    database.execute("UPDATE meta SET value = replace(value, ?, ?)", (first.url, second.url))
    database.execute("UPDATE meta SET seal = sealed(key, value)")
    database.commit()
    database.close()
    finished = run(program, records, second)
    assert finished.events.pending == 0
    ids = accepted(second) + Counter(e["event_id"] for events in first.requests[:4] for e in events)
    assert len(ids) == 250
    assert set(ids.values()) == {1}
    assert len(records.with_name("dead.jsonl").read_text().splitlines()) == 1


def test_another_mapping_and_another_target(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    program, server, other = compiled(), answering(taken), answering(taken)
    run(program, records, server)
    with pytest.raises(DeliveryError) as error:
        run(program, records, other)
    assert (error.value.code, error.value.exit_code) == ("journal-target", 2)
    changed = compiled(SMALL.replace('ip }}"', 'ip }}"\n        fn: "{{ first }}"'))
    assert run(changed, records, server).settled_before == 251
    with Journal(
        records.with_name("journal"), mapping=changed.fingerprint, target=f"{server.url}/v25.0/123/events"
    ) as one:
        one.begin(1, Stretch(10**6, 10**6 + 10, 1))
    with pytest.raises(DeliveryError) as error:
        run(program, records, server)
    assert (error.value.code, error.value.exit_code) == ("journal-mapping", 2)


def test_two_runs_on_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", mapping="m", target="t"), pytest.raises(DeliveryError) as error:
        Journal(tmp_path / "journal", mapping="m", target="t")
    assert (error.value.code, error.value.exit_code) == ("journal-in-use", 5)
    with Journal(tmp_path / "journal", mapping="m", target="t"):
        pass


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("this is a letter to my aunt, and no database at all" * 20)
    with pytest.raises(DeliveryError) as error:
        Journal(tmp_path / "journal", mapping="m", target="t")
    assert error.value.exit_code == 5


def test_stretches_join_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n" * 30)
    with Journal(tmp_path / "journal", mapping="m", target="t") as one:
        file = one.progress(path).file
        stretches = [Stretch(n * 9, n * 9 + 9, 3) for n in range(10)]
        random.Random(5).shuffle(stretches)
        for stretch in stretches:
            one.begin(file, stretch)
            one.settle(file, [stretch], path)
        known = one.progress(path)
    assert (known.settled, known.lines, known.done, known.open) == (90, 30, [], [])


def test_killed_again_and_again_nothing_is_lost(tmp_path: Path) -> None:
    """kill -9 at random moments; ``python -m tests.faults --kills 300`` goes on for longer."""
    assert [wrong for _, wrong in killed(tmp_path, 12) if wrong] == []


def test_a_run_that_is_asked_to_end_leaves_nothing_on_its_way(tmp_path: Path) -> None:
    assert [wrong for _, wrong in killed(tmp_path, 6, by=signal.SIGTERM) if wrong] == []


def test_a_run_may_end_or_lose_its_disk_at_any_step(tmp_path: Path) -> None:
    """``python -m tests.faults --points`` tries every step, not only some."""
    found = list(every_point(tmp_path, stride=5))
    assert len(found) > 40
    assert [one for one in found if one[2]] == []


@pytest.mark.parametrize("is_pipe", [False, True])
def test_what_was_accepted_of_a_batch_that_is_pending_is_not_sent_again(
    compiled: Compile,
    answering: Callable[..., Answering],
    records: Path,
    is_pipe: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event is wrong, and the token ends while it is looked for: half of the batch is accepted, half is not."""
    count, arrived = [0], Counter[str]()

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        count[0] += 1
        ids = [event["event_id"] for event in events]
        if count[0] == 4:
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        if "id-10" in ids:
            return 400, {"error": {"message": "no", "type": "OAuthException", "code": 100, "error_subcode": 2804050}}
        arrived.update(ids)
        return taken(events)

    program, server = compiled(), answering(answer)
    more: dict[str, Any] = {"batch_size": 100, "concurrency": 1}
    more |= {"settings": SETTINGS, "journal": records.with_name("journal"), "now": NOW, "dead_letters": None}
    pipe = subprocess.Popen(["cat", records], stdout=subprocess.PIPE, text=True)
    monkeypatch.setattr("sys.stdin", pipe.stdout)
    first = mapper.send(program, "-" if is_pipe else records, to=server.url, **more)
    pipe.kill()
    pipe.communicate()
    assert (first.exit_code, first.events.sent) == (4, 50)
    nothing = subprocess.Popen(["true"], stdout=subprocess.PIPE, text=True)
    monkeypatch.setattr("sys.stdin", nothing.stdout)
    second = mapper.send(program, "-" if is_pipe else records, to=server.url, **more)
    nothing.communicate()
    assert (second.events.rejected, second.events.pending) == (1, 0)
    assert second.events.sent == (first.events.made if is_pipe else 250) - 51
    assert len(arrived) == first.events.made - 1 if is_pipe else 249
    assert set(arrived.values()) == {1}


def test_a_journal_is_not_for_records_in_memory(compiled: Compile, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="not for records in memory"):
        mapper.send(compiled(), [lead(1)], settings=SETTINGS, journal=tmp_path / "journal")


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_rotated_meanwhile_is_read_to_its_end_and_never_taken_for_another(
    compiled: Compile, answering: Callable[..., Answering], records: Path, is_replaced: bool
) -> None:
    moved = records.with_name("elsewhere.jsonl")
    other = "".join(json.dumps(lead(n)) + "\n" for n in range(1000, 1200))

    rotating = threading.Lock()  # several requests are answered at once

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        with rotating:
            if not moved.exists():
                records.rename(moved)
                if is_replaced:
                    records.write_text(other)
        return taken(events)

    program, server = compiled(), answering(answer)
    report = run(program, records, server)
    assert (report.exit_code, report.events.sent, report.events.pending) == (1, 250, 0)
    journal = records.with_name("journal")
    again = run(program, moved, server, journal=journal)
    assert (again.events.sent, again.settled_before) == (0, 251)
    if is_replaced:
        assert run(program, records, server, journal=journal).events.sent == 200
    assert set(accepted(server).values()) == {1}
    assert len(accepted(server)) == 250 + 200 * is_replaced


def test_a_file_whose_beginning_has_changed_is_refused_and_another_under_its_name_is_not(
    compiled: Compile, answering: Callable[..., Answering], records: Path
) -> None:
    program, server = compiled(), answering(taken)
    run(program, records, server)
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join([lines[0].replace("id-", "ID-"), *lines[1:]]))
    report = run(program, records, server)
    assert report.stopped is not None
    assert (report.stopped.code, report.exit_code, report.requests) == ("journal-file", 2, 0)
    records.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(1000, 1200)))
    assert run(program, records, server).events.sent == 200


def test_a_copy_of_a_file_that_is_on_its_way_is_not_sent(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    def slowly(events: list[dict[str, Any]]) -> tuple[int, Any]:
        time.sleep(0.2)
        return taken(events)

    path, server = tmp_path / "r.jsonl", answering(slowly)
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(10)))
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "journal": tmp_path / "journal"}
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(path.read_bytes())
    report = mapper.send(compiled(), [path, copy], to=server.url, **more)
    assert (report.events.sent, report.events.maybe_twice, report.settled_before) == (10, 0, 10)
    assert set(accepted(server).values()) == {1}


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_file_that_is_named_twice_is_sent_once(
    has_journal: bool, compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    path, link, server = tmp_path / "r.jsonl", tmp_path / "link.jsonl", answering(taken)
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(10)))
    link.symlink_to(path)
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "journal": tmp_path / "journal" if has_journal else None}
    report = mapper.send(compiled(), [path, str(tmp_path / "*.jsonl"), link], to=server.url, **more)
    assert (report.records.read, report.events.sent, report.files) == (10, 10, (str(path),))
    assert set(accepted(server).values()) == {1}


def test_a_damaged_journal_is_right_or_refused(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """One byte of it is changed, anywhere: then nothing is skipped, and nothing is sent twice without being said."""
    program, server = compiled(), answering(taken)
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(lead(n)) + "\n" for n in range(60)))
    more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "batch_size": 10}
    mapper.send(program, path, to=server.url, limit=40, journal=tmp_path / "journal", **more)
    whole = (tmp_path / "journal").read_bytes()
    chance, refused = random.Random(3), 0
    for number in range(150):
        place = chance.randrange(len(whole))
        damaged = whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :]
        copy = tmp_path / f"copy{number}"
        copy.write_bytes(damaged)
        server.requests.clear()
        try:
            report = mapper.send(program, path, to=server.url, journal=copy, **more)
        except DeliveryError:
            refused += 1
            assert not server.requests
            continue
        if report.stopped is not None:
            refused += 1
            continue
        assert set(accepted(server)) == {f"id-{n}" for n in range(40, 60)}, f"byte {place}"
    assert 0 < refused < 150


Resend = Callable[..., set[str] | None]

DIES = """
import os, sys
from pathlib import Path
import mapper
from mapper.delivery.journal import Journal, Stretch
source, target, settled = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
one = Journal(source.with_suffix(".journal"), mapping=mapper.load(sys.argv[4]).fingerprint, target=target)
file, ends = one.progress(source).file, [0]
for line in source.open("rb"):
    ends.append(ends[-1] + len(line))
one._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
for first in range(0, settled, 10):
    stretch = Stretch(ends[first], ends[first + 10], 10)
    one.begin(file, stretch)
    one.settle(file, [stretch], source)
os._exit(0)
"""


@pytest.fixture
def left_behind(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> Resend:
    """Two journals as runs leave them that die: with their changes in a log beside them. The first has settled 20 of 60
    records, the other 40 of as many that are others.

    Gives what sends the first file once its journal has been spoilt: the ids that arrive, or None if it is refused.
    """
    program, server = compiled(), answering(taken)
    target = f"{server.url}/v25.0/123/events"
    for name, settled in (("a", 20), ("b", 40)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(lead(n, id=f"{name}-{n}")) + "\n" for n in range(60)))
        arguments = [sys.executable, "-c", DIES, path, target, str(settled), tmp_path / "m.yaml"]
        subprocess.run(arguments, check=True)
    count = [0]

    def send(**files: bytes) -> set[str] | None:
        count[0] += 1
        folder = tmp_path / str(count[0])
        folder.mkdir()
        for name, data in files.items():
            (folder / name.replace("_", "-")).write_bytes(data)
        server.requests.clear()
        more: dict[str, Any] = {"settings": SETTINGS, "now": NOW, "batch_size": 10, "journal": folder / "journal"}
        try:
            report = mapper.send(program, tmp_path / "a.jsonl", to=server.url, **more)
        except DeliveryError as error:
            assert (error.exit_code, server.requests) == (5, [])  # noqa: PT017 - it may be right as well
            return None
        assert report.exit_code == 0
        return set(accepted(server))

    return send


NEW = {f"a-{n}" for n in range(20, 60)}


def test_a_log_of_changes_that_is_damaged_or_cut_off_costs_no_record(left_behind: Resend, tmp_path: Path) -> None:
    """What it does not tell any more is sent again; nothing is passed over that was not settled."""
    journal, log = (tmp_path / "a.journal").read_bytes(), (tmp_path / "a.journal-wal").read_bytes()
    assert left_behind(journal=journal, journal_wal=log) == NEW
    assert left_behind(journal=journal) == {f"a-{n}" for n in range(60)}
    for size in range(0, len(log), 3 * 512):
        found = left_behind(journal=journal, journal_wal=log[:size])
        assert found is not None
        assert found >= NEW
    chance = random.Random(5)
    for _ in range(30):
        place, both = chance.randrange(len(journal) + len(log)), bytearray(journal + log)
        both[place] ^= 1 << chance.randrange(8)
        found = left_behind(journal=both[: len(journal)], journal_wal=both[len(journal) :])
        assert found is None or found >= NEW, f"byte {place}"


def test_the_files_of_two_journals_are_not_taken_for_one(left_behind: Resend, tmp_path: Path) -> None:
    """All rows are whole; but what the other had settled is not what this one had."""
    files = {path.name: path.read_bytes() for path in tmp_path.glob("?.journal*")}
    assert left_behind(journal=files["a.journal"], journal_wal=files["b.journal-wal"]) is None
    assert left_behind(journal=files["b.journal"], journal_wal=files["a.journal-wal"]) is None
    assert left_behind(journal=files["b.journal"], journal_wal=files["b.journal-wal"]) == {f"a-{n}" for n in range(60)}


def test_a_journal_where_no_lock_can_be_had_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(DeliveryError) as error:
        Journal(tmp_path / "journal", mapping="m", target="t")
    assert (error.value.code, error.value.exit_code) == ("journal", 5)
    assert error.value.message == f"the journal {tmp_path}/journal cannot be locked: No locks available"


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(answering: Callable[..., Answering], tmp_path: Path) -> None:
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(lead(n)) + "\n" for n in range(4000)))
    code = f"""
import resource, signal, sys, mapper
if sys.argv[2] != "0":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
report = mapper.send(mapper.load("m.yaml"), "r.jsonl", to=sys.argv[1], settings={SETTINGS!r}, now={NOW},
                     journal="journal", batch_size=20, concurrency=2)
print(report.stopped.message if report.stopped else "")
sys.exit(report.exit_code)
"""
    seen = []
    for size in ("40000", "60000", "0"):
        done = subprocess.run(
            [sys.executable, "-c", code, server.url, size], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        seen.append(done.returncode)
        assert "Traceback" not in done.stderr or "DeliveryError" in done.stderr, done.stderr
    assert seen[-1] == 0
    assert seen[0] in (1, 5)
    counts = accepted(server)
    assert len(counts) == 4000
    assert sum(counts.values()) - 4000 <= 2 * 2 * 20 * 2
