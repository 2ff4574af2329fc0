"""What depends on who listens: a terminal, a pipe, or nobody; and what a person at a keyboard is told."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

import mapper
from mapper.authoring.diagnostics import excerpt
from mapper.cli.live import Pace, as_line, log
from mapper.cli.main import HABITS, VERBS, group
from mapper.cli.summary import summary
from mapper.delivery.report import Events, Records, Tally
from mapper.errors import MappingError, Problem

from .answering import SETTINGS, lead
from .conftest import NOW, ROOT, SMALL
from .test_cli import run

NOWHERE = click.Context(group)
LEAD = {"type": "lead", "at": NOW - 60, "id": "a", "email": "a@b.example", "url": "https://a.example/", "agent": "M"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "wrong.yaml").write_text(SMALL.replace("em:", "emm:"))
    (tmp_path / "r.jsonl").write_text(json.dumps(LEAD) + "\n")
    return tmp_path


def at_a_keyboard(*arguments: str, cwd: Path, typed: bytes = b"", **environ: str) -> tuple[int, str]:
    """The exit code and what a terminal shows, with ``typed`` on its keyboard once the command has said something."""
    ours, theirs = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mapper", *arguments], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**clean, "TERM": "xterm", **environ},
    )  # fmt: skip
    os.close(theirs)
    shown, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(ours, 4096)
        except OSError:  # nobody is at the other end any more
            break
        if typed:
            os.write(ours, typed)
            typed = b""
    os.close(ours)
    return process.wait(10), shown.decode()


@pytest.mark.parametrize("verb", ["map", "send"])
def test_whoever_names_no_records_is_told_to(verb: str, folder: Path) -> None:
    code, shown = at_a_keyboard(verb, "m.yaml", cwd=folder)
    assert code == 2
    assert "No records: name a file, or pipe them in." in shown


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["map", "m.yaml", "-", "--now", str(NOW)], "records"),
        (["explain", "m.yaml", "-", "--now", str(NOW)], "records"),
        (["check", "m.yaml", "--sample", "-", "--now", str(NOW)], "records"),
        (["payload", "check", "-"], "a request body"),
        (["init", "--from", "-"], "the setup page's text"),
    ],
)
def test_what_is_read_from_the_keyboard_is_announced(arguments: list[str], what: str, folder: Path) -> None:
    code, shown = at_a_keyboard(*arguments, cwd=folder, typed=json.dumps(LEAD).encode() + b"\n\x04")
    assert f"Reading {what}" in shown.splitlines()[0]
    assert "Ctrl-D" in shown.splitlines()[0]
    assert code in (0, 1, 2)
    assert "internal error" not in shown


COLOURS = [
    ({}, False, True),
    ({"NO_COLOR": "1"}, False, False),
    ({"TERM": "dumb"}, False, False),
    ({"FORCE_COLOR": "1"}, True, True),
    ({"FORCE_COLOR": "0"}, False, True),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, False),
]


@pytest.mark.parametrize(("environ", "in_a_pipe", "on_a_terminal"), COLOURS)
def test_colour(environ: dict[str, str], in_a_pipe: bool, on_a_terminal: bool, folder: Path) -> None:
    piped = run("check", "wrong.yaml", cwd=folder, **{"NO_COLOR": "", "TERM": "xterm", **environ})
    assert (b"\x1b[" in piped.stdout) == in_a_pipe
    errors = run("map", "wrong.yaml", "r.jsonl", cwd=folder, **{"NO_COLOR": "", "TERM": "xterm", **environ})
    assert (b"\x1b[" in errors.stderr) == in_a_pipe
    _, shown = at_a_keyboard("check", "wrong.yaml", cwd=folder, **environ)
    assert ("\x1b[" in shown) == on_a_terminal


GROUPS = {name: command for name in VERBS if isinstance(command := group.get_command(NOWHERE, name), click.Group)}
INNER = [(name, inner) for name, command in GROUPS.items() for inner in command.commands]


@pytest.mark.parametrize("verbs", INNER, ids=" ".join)
def test_help_of_inner_verbs_begins_with_examples_too(verbs: tuple[str, str], folder: Path) -> None:
    lines = run(*verbs, "--help", cwd=folder).stdout.decode().splitlines()
    assert lines[2].strip() == "Examples:"
    assert " ".join(("mapper", *verbs)) in lines[3]
    listed = run(verbs[0], "--help", cwd=folder).stdout.decode().partition("Commands:")[2]
    assert "Examples" not in listed
    assert re.search(rf"^  {verbs[1]} +[A-Z][a-z]", listed, re.M), listed


def test_completion(folder: Path) -> None:
    def offered(words: str) -> list[str]:
        asked = {"_MAPPER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return [line.partition(",")[2] for line in run(cwd=folder, **asked).stdout.decode().splitlines()]

    assert offered("mapper ch") == ["check"]
    assert offered("mapper check --format s") == ["sarif"]
    assert offered("mapper dead-letters ") == ["list", "retry", "show"]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("chek", "Did you mean 'check'?"), ("lint", "Did you mean 'check'?"), ("run", "Did you mean 'send'?"),
        ("format", "Did you mean 'fmt'?"), ("help", "Did you mean '--help'?"), ("qqq", "There are: init, check, "),
    ],
)  # fmt: skip
def test_verbs_of_other_tools_and_typos(typed: str, hint: str, folder: Path) -> None:
    found = run(typed, "m.yaml", cwd=folder)
    assert found.returncode == 2
    assert hint in found.stderr.decode()


def test_habits_lead_to_verbs_that_there_are() -> None:
    assert {name for name in HABITS.values() if not name.startswith("--")} <= VERBS.keys()
    assert not HABITS.keys() & VERBS.keys()


def test_a_terminal_that_knows_ascii_only_has_bars_and_lines_all_the_same(folder: Path) -> None:
    arguments = ("check", "m.yaml", "--sample", "r.jsonl", "--now", str(NOW))
    latin = run(*arguments, cwd=folder, PYTHONIOENCODING="latin-1", PYTHONUTF8="0").stdout.decode("ascii")
    assert "100%  ##########" in latin
    assert "-" * 30 in latin
    assert "\\u" not in latin
    assert "100%  ██████████" in run(*arguments, cwd=folder, PYTHONIOENCODING="utf-8").stdout.decode()


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_carets_stay_below_their_words_in_a_narrow_terminal(columns: int, folder: Path) -> None:
    long = f"events: {{Lead: {{when: \"{'a == 1 or ' * 20} b | uper == 'B'\"}}}}"
    (folder / "long.yaml").write_text(f"version: 1\ndestination: meta\n{long}\n")
    [problem, *_] = (one for one in _problems(folder / "long.yaml") if one.code == "unknown-filter")
    text, carets = excerpt(problem.span, width=columns)
    assert max(len(text), len(carets)) <= columns
    assert text[carets.index("^") : carets.rindex("^") + 1] == "uper"


def _problems(path: Path) -> Sequence[Problem]:
    with pytest.raises(MappingError) as raised:
        mapper.load(path)
    return raised.value.problems


def test_lines_that_break_at_different_places_are_one_reason(folder: Path) -> None:
    (folder / "broken.jsonl").write_text("".join(f"{' ' * n}{{bad\n" for n in range(30)))
    for arguments in (
        ["map", "m.yaml", "broken.jsonl", "--dead-letters", "b.dead"],
        ["dead-letters", "list", "b.dead"],
    ):
        found = run(*arguments, cwd=folder)
        assert "       30  the line is not valid JSON [not-json]" in (found.stderr + found.stdout).decode().splitlines()


def test_progress_says_what_is_refused() -> None:
    tally = Tally()
    tally.records, tally.events = Records(read=12_000, mapped=11_995, dead=5), Events(made=11_995, sent=9_000)
    assert as_line(tally, 0.5, sends=False) == "12,000 records read, 11,995 events made, 5 refused"
    assert as_line(tally, 0.5) == "12,000 records read, 9,000 of 11,995 events sent, 5 refused"


def test_progress_says_how_fast_it_goes_and_how_long_it_takes() -> None:
    tally = Tally(size=1_000, position=600, passed=200, in_flight=30)
    tally.records, tally.events = Records(read=100, mapped=100), Events(made=100, sent=50)
    tally.sending.retries = 2
    said = "100 records read, 50 of 100 events sent, 5/s, 30 in flight, 2 retries"
    assert (
        as_line(tally, 10.0, rate=5.0) == f"{said}, 0:30 left"
    )  # a quarter is done: half of what was read in this run
    assert as_line(tally, 3600.0, rate=5.0) == f"{said}, 3:00:00 left"
    tally.size = 0
    assert as_line(tally, 10.0, rate=5.0) == said, "nobody knows how long a pipe is"


def test_the_rate_is_that_of_late() -> None:
    pace = Pace()
    assert pace.measured(0.0, 0) is None
    assert pace.measured(2.0, 200) == 100
    for moment in range(3, 30):
        last = pace.measured(float(moment), 200)
    assert last == 0


def test_what_is_pending_is_said_as_it_is(compiled: Callable[..., mapper.Program]) -> None:
    more: dict[str, Any] = {"to": "http://127.0.0.1:9", "settings": SETTINGS, "now": NOW, "patience": 0}
    report = mapper.send(compiled(), [lead(1), lead(2)], **more)
    said = summary(report, colour=False)
    assert "Stopped: 127.0.0.1:9 refuses connections: nobody listens there [not-sent]\n  help: The run waits" in said
    assert "2 events are pending: not accepted, and not refused. Run it again.\n" in said
    without = summary(report, colour=False, is_journalled=False)
    assert "not refused. Without a journal the next run sends everything again.\n" in without
    report.tally.in_flight = 1
    assert "refused. 1 of them was still on their way, and may have arrived. Run it again.\n" in summary(
        report, colour=False
    )
    dry = summary(mapper.send(compiled(), [lead(1)], dry_run=True, now=NOW), colour=False)
    assert "pending:" not in dry
    assert dry.endswith("A dry run: nothing was sent.")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_summary_fits_the_terminal(columns: int, tmp_path: Path) -> None:
    program = mapper.load(ROOT / "mappings" / "storefront.yaml")
    letters = tmp_path / "letters"
    more: dict[str, Any] = {"dry_run": True, "to": "https://test.example", "dead_letters": letters}
    report = mapper.send(program, ROOT / "mappings/samples/storefront.jsonl", **more)
    said = summary(report, colour=False, width=columns, mapping="mappings/storefront.yaml")
    lines = [line for line in said.splitlines() if "mapper " not in line and not line.startswith("   ")]
    assert [line for line in lines if len(line) > columns and str(letters) not in line] == []
    for command in ("mapper dead-letters list", "mapper dead-letters retry", "mapper explain"):
        assert sum(command in line for line in said.splitlines()) == 1, "commands stay whole, to be copied"


@pytest.mark.parametrize(
    ("word", "level"), [("warning", "warning"), ("waiting", "warning"), ("stopped", "error"), ("batch", "info")]
)
def test_a_log_says_how_serious_it_is(word: str, level: str, capfd: pytest.CaptureFixture[str]) -> None:
    log(word, {"message": "x"})
    assert json.loads(capfd.readouterr().err)["level"] == level
