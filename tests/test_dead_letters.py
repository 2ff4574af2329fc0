"""Dead letters: what they hold, how they are looked into, and how they are sent again."""

from __future__ import annotations

import importlib
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.delivery.dead_letters import DeadLetters, bytes_of, read_letter
from mapper.delivery.retrying import open_letters, retry
from mapper.errors import DeliveryError

from .answering import SETTINGS, Answering, invalid, lead, sums_hold, taken
from .command import run
from .conftest import NOW, SMALL

Compile = Callable[..., mapper.Program]
FIXED = SMALL.replace("{{ email }}", "{{ coalesce(email, backup) }}")
WEEK = 7 * 86_400


def ids(server: Answering) -> Counter[str]:
    return Counter(event["event_id"] for events in server.requests for event in events)


def letters_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> Path:
    """The letters of a run: three without an e-mail address, two of which have another; one that is no JSON."""
    source, letters = tmp_path / "records.jsonl", tmp_path / "m.dead.jsonl"
    records = [lead(n) for n in range(5)]
    records += [
        lead(5, email=None, backup="a@example.com"),
        lead(6, email=None, backup="b@example.com", at=int(NOW) - 50),
    ]
    records += [lead(7, email=None)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records) + "not json\n")
    report = mapper.send(
        compiled(), source, to=answering(taken).url, settings=SETTINGS, now=NOW, dead_letters=letters
    )  # fmt: skip
    assert (report.events.sent, report.dead_letters_written) == (5, 4)
    return letters


def test_a_letter_says_why_and_until_when(path: Path) -> None:
    first, second, _, broken = letters_of(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (first["line"], first["record"]["id"]) == (6, "id-5")
    assert first["reasons"][0]["code"] == "missing"
    assert first["reasons"][0]["event"] == "Lead"
    assert first["reasons"][0]["parameter"] == "user_data.em"
    assert (first["expires"], second["expires"]) == (int(NOW) - 60 + WEEK, int(NOW) - 50 + WEEK)
    assert (broken["text"], "expires" in broken) == ("not json", False)


def test_a_letter_of_the_destination_holds_its_answer(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    def picky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        bad = any(event["event_id"] == "id-1" for event in events)
        return (400, {"error": {**invalid()["error"], "fbtrace_id": "AbC"}}) if bad else taken(events)

    letters = tmp_path / "dead.jsonl"
    mapper.send(
        compiled(),
        [lead(n) for n in range(4)],
        to=answering(picky).url,
        settings=SETTINGS,
        now=NOW,
        dead_letters=letters,
    )
    [letter] = letters_of(letters)
    assert letter["answer"] == {"status": 400, "code": "100/2804050", "trace_id": "AbC"}
    assert letter["expires"] == int(NOW) - 60 + WEEK
    assert letter["sent"]["event_id"] == letter["record"]["id"] == "id-1"


def test_what_is_mended_is_sent_once(
    path: Path, compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    server, program = answering(taken), compiled(FIXED)
    more: dict[str, Any] = {"to": server.url, "settings": SETTINGS, "now": NOW}
    plan = retry(program, path, plan=True, now=NOW)
    assert (plan.events.made, plan.records.dead, plan.requests) == (2, 2, 0)
    assert not server.requests
    first = retry(program, path, **more)
    sums_hold(first)
    assert (first.events.sent, first.records.dead, first.exit_code) == (2, 2, 1)
    assert set(ids(server)) == {"id-5", "id-6"}
    again = letters_of(path)[4:]
    assert [(letter["line"], letter.get("record", {}).get("id")) for letter in again] == [(8, "id-7"), (9, None)]
    assert [letter.line for _, letter in open_letters(path)] == [8, 9]
    second = retry(program, path, **more)
    assert (second.events.made, second.records.dead, second.settled_before) == (0, 2, 4)
    assert set(ids(server).values()) == {1}


def test_only_the_events_that_were_refused_are_made(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    two = SMALL + SMALL.partition("events:\n")[2].replace("  Lead:", "  Contact:").replace(
        "em: ", 'ph: "{{ phone }}"\n        em: '
    )
    two = two.replace("required: [user_data.em]", "required: [user_data.ph]").replace(
        "  Lead:\n    when: type == 'lead'\n    required: [user_data.ph]", "  Lead:\n    when: type == 'lead'"
    )
    letters = tmp_path / "dead.jsonl"
    server = answering(taken)
    more: dict[str, Any] = {"to": server.url, "settings": SETTINGS, "now": NOW}
    report = mapper.send(compiled(two), [lead(1)], dead_letters=letters, **more)
    assert (report.events.sent, report.dead_letters_written) == (1, 1)
    report = retry(compiled(two.replace("{{ phone }}", "+1 202 555 0123")), letters, **more)
    assert report.by_event == {"Contact": 1}


def test_what_is_too_old_by_now_is_not_sent(path: Path, compiled: Compile, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    report = retry(compiled(FIXED), path, to=server.url, settings=SETTINGS, now=NOW + WEEK)
    assert (report.events.made, {reason.code for reason in report.refused}) == (0, {"too-old", "missing", "not-json"})
    assert not server.requests


def test_a_trial_notes_nothing(path: Path, compiled: Compile, answering: Callable[..., Answering]) -> None:
    before = path.read_bytes()
    report = retry(compiled(FIXED), path, to=answering(taken).url, settings=SETTINGS, now=NOW, trial=True)
    assert report.events.sent == 2
    assert path.read_bytes() == before
    assert len(list(open_letters(path))) == 4


def test_a_file_that_holds_no_letters(tmp_path: Path, compiled: Compile) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text(json.dumps(lead(1)) + "\n")
    with pytest.raises(DeliveryError) as error:
        retry(compiled(), path)
    assert error.value.message == f"{path}:1 is no dead letter"
    with pytest.raises(DeliveryError) as error:
        DeadLetters(path).check()
    assert error.value.message == f"{path} holds something else than dead letters"
    assert path.read_text() == json.dumps(lead(1)) + "\n"


TORN = [
    b'{"file":"records.jsonl","line":7,"off',
    b'{"fi',
    b"\0" * 700 + b'": [{"code": "missing"}], "record": {"id": "na\xc3',
    b"\0" * 512,
]


@pytest.mark.parametrize("torn", TORN, ids=["begun", "hardly-begun", "zeros-and-an-end", "zeros"])
@pytest.mark.parametrize("is_first", [False, True])
def test_what_a_run_that_died_left_of_a_letter_is_passed_over(
    torn: bytes, is_first: bool, path: Path, compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """The next letter stands on a line of its own, and nobody takes the pieces for anything."""
    whole = path.read_bytes()
    path.write_bytes(torn if is_first else whole + torn)
    source, server = tmp_path / "records.jsonl", answering(taken)
    more: dict[str, Any] = {"to": server.url, "settings": SETTINGS, "now": NOW}
    assert mapper.send(compiled(), source, dead_letters=path, **more).dead_letters_written == 4
    places: list[int] = []
    found = [letter.line for _, letter in open_letters(path, lambda line: places.append(line.number))]
    assert found == ([6, 7, 8, 9] if is_first else [6, 7, 8, 9] * 2)
    assert places == [1 if is_first else 5]
    shown = run("dead-letters", "list", path, cwd=tmp_path)
    assert f"Left out: line {places[0]} is what a run that died left of a letter" in shown.stderr.decode()
    report = retry(compiled(FIXED), path, **more)
    assert (report.ignored, report.events.sent) == ({"torn": 1}, 2 if is_first else 4)
    assert [letter.line for _, letter in open_letters(path)][:2] == [8, 9]


@pytest.mark.parametrize("text", [b"\x1f\x8b\x08\0\0\0\0\0", b"SQLite format 3\0\x10\0\1\1", b'{"type": "lead"}'])
def test_no_other_file_is_taken_for_torn_letters(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(text)
    with pytest.raises(DeliveryError, match="holds something else than dead letters"):
        DeadLetters(tmp_path / "file").check()


LETTER: dict[str, Any] = {"file": "f", "line": 1, "offset": 0, "reasons": [{"code": "x"}], "record": {"type": "lead"}}


@pytest.mark.parametrize(
    "change",
    [
        {"reasons": [{"message": "without a code"}]},
        {"reasons": "x"},
        {"expires": 10**18},
        {"expires": -(10**18)},
        {"line": -1},
        {"offset": 2**63},
        {"record": None, "bytes": "zz"},
        {"answer": 5},
    ],
    ids=str,
)
def test_a_letter_that_somebody_has_tampered_with_is_none(change: dict[str, Any]) -> None:
    assert read_letter(json.dumps(LETTER).encode()) is not None
    letter = {name: value for name, value in {**LETTER, **change}.items() if value is not None}
    assert read_letter(json.dumps(letter).encode()) is None


def test_a_letter_may_hold_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    changes: list[dict[str, Any]] = [{"reasons": []}, {"record": [1]}, {"record": {}}, {"answer": {"a": {"b": [1]}}}]
    Path("d.jsonl").write_text("".join(json.dumps({**LETTER, **change}) + "\n" for change in changes))
    Path("m.yaml").write_text(SMALL)
    command: Callable[[list[str]], int] = importlib.import_module("mapper.cli.main")._run
    for call in (["list", "d.jsonl"], ["show", "d.jsonl", "--show-values"], ["retry", "m.yaml", "d.jsonl", "--plan"]):
        assert command(["dead-letters", *call]) in (0, 1), capfd.readouterr()


def test_a_record_that_was_not_kept(compiled: Compile, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    letter = {"file": "standard input", "line": 3, "offset": 0, "reasons": [{"code": "invalid", "event": "Lead"}]}
    path.write_text(json.dumps(letter) + "\n")
    report = retry(compiled(), path, plan=True, now=NOW)
    assert {reason.code for reason in report.refused} == {"no-record"}


@pytest.mark.parametrize("record", [b'{"a": 1}', b"{broken", b"\xff\xfe", "naïve".encode()])
def test_a_record_comes_back_as_it_was(record: bytes, tmp_path: Path) -> None:
    from mapper.events.results import Refusal
    from mapper.records.source import Line

    with DeadLetters(tmp_path / "dead.jsonl") as letters:
        letters.record(Line("f.jsonl", 1, 0, record), [Refusal("not-json", "no")])
    letter = read_letter((tmp_path / "dead.jsonl").read_bytes())
    assert letter is not None
    assert bytes_of(letter) == record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of the command over records of today."""
    moment = int(time.time())
    records = [lead(1, at=moment), lead(2, at=moment, email=None), lead(3, at=moment - 8 * 86_400)]
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    done = run("send", "m.yaml", "r.jsonl", "--to", "sandbox", cwd=tmp_path, XDG_RUNTIME_DIR=os.fspath(tmp_path))
    assert done.returncode == 1, done.stderr
    assert b"mapper dead-letters retry m.yaml m.dead.jsonl" in done.stderr
    return tmp_path


def test_the_command_lists_shows_and_plans(folder: Path) -> None:
    listed = run("dead-letters", "list", "m.dead.jsonl", cwd=folder).stdout.decode()
    assert "2 open letters in m.dead.jsonl" in listed
    assert "1 too old by now" in listed
    assert "can be sent for 6 d 23 h" in listed
    found = json.loads(run("dead-letters", "list", "m.dead.jsonl", "--format", "json", cwd=folder).stdout)
    assert found["letters"] == 2
    assert {reason["code"] for reason in found["reasons"]} == {"missing", "too-old"}
    shown = run("dead-letters", "show", "m.dead.jsonl", "--code", "too-old", cwd=folder).stdout.decode()
    assert "from r.jsonl:3" in shown
    assert "r.jsonl:2" not in shown
    assert "example.com" not in shown
    assert b"example.com" in run("dead-letters", "show", "m.dead.jsonl", "--show-values", cwd=folder).stdout
    none = run("dead-letters", "show", "m.dead.jsonl", "--event", "Purchase", cwd=folder)
    assert (none.returncode, none.stdout) == (0, b"")
    (folder / "m.yaml").write_text(FIXED.replace("backup", "'mended@example.com'"))
    plan = run("dead-letters", "retry", "m.yaml", "m.dead.jsonl", "--plan", "--report", "plan.json", cwd=folder)
    planned = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert (planned["records"]["read"], planned["events"]["made"], planned["dry_run"]) == (2, 1, True)
    assert b"Of 2 open letters 1 can be sent now, as 1 events; 1 would be refused again." in plan.stdout
    assert run("dead-letters", "show", "gone.jsonl", cwd=folder).returncode == 2
