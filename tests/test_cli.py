"""The command as people call it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mapper.cli.main import VERBS

from .answering import Answering, lead, taken, until
from .command import run
from .conftest import NOW, SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "good.jsonl").write_text("".join(json.dumps(lead(n, at=int(time.time()) - 9)) + "\n" for n in range(5)))
    return tmp_path


def test_a_run_that_is_quiet_says_why_it_stopped_and_nothing_else(
    folder: Path, answering: Callable[..., Answering]
) -> None:
    said = "what the other side says"
    refusing = answering(lambda events: (401, {"error": {"message": said, "type": "OAuthException", "code": 190}}))
    environ = {"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": "x" * 40}
    call = ("send", "m.yaml", "good.jsonl", "--quiet", "--to")
    stopped = run(*call, refusing.url, cwd=folder, **environ)
    assert (stopped.returncode, stopped.stdout) == (4, b"")
    lines = stopped.stderr.decode().splitlines()
    assert lines[0] == "mapper: stopped: token; pending events: 5"
    assert lines[1].startswith("  help: The access token is not valid any more")
    assert len(lines) == 2
    well = run(*call, answering(taken).url, cwd=folder, **environ)
    assert (well.returncode, well.stdout, well.stderr) == (0, b"", b"")


@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_examples(verb: str, tmp_path: Path) -> None:
    found = run(verb, "--help", cwd=tmp_path)
    assert found.returncode == 0
    lines = found.stdout.decode().splitlines()
    assert lines[2].strip() == "Examples:"
    assert lines[3].strip().startswith(f"mapper {verb}")


def test_help_is_quick(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        before = os.times()
        assert run("--help", cwd=tmp_path).returncode == 0
        after = os.times()
        spent = after.children_user - before.children_user + after.children_system - before.children_system
        seconds.append(spent)
    assert min(seconds) < 0.15, f"{min(seconds):.2f} s of CPU"


def test_help_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    heavy = ["httpx", "rich", "starlette", "re2", "phonenumbers", "ruamel", "jinja2", "cerberus", "yaml", "msgspec"]
    code = f"""
import sys
from mapper.cli.main import _run
assert _run(["--help"]) == 0
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"


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


def shell(command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``mapper`` is the command."""
    line = command.replace("mapper ", f"{sys.executable} -m mapper ")
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, capture_output=True, timeout=60, check=False, env={**os.environ, **environ}
    )


@pytest.mark.parametrize("verb", ["map m.yaml many.jsonl", "explain m.yaml many.jsonl", "schema", "test t.yaml -v"])
def test_head_ends_it_quietly(verb: str, folder: Path) -> None:
    (folder / "many.jsonl").write_bytes((folder / "good.jsonl").read_bytes() * 2000)
    tests = "".join(f"  - {{name: {'x' * 60}{n}, record: {{}}, events: []}}\n" for n in range(1500))
    (folder / "t.yaml").write_text(f"{SMALL}tests:\n{tests}")
    found = shell(f"mapper {verb} | head -1; echo ${{PIPESTATUS[0]}}", folder)
    *shown, status = found.stdout.decode().splitlines()
    assert len(shown) == 1
    assert found.stderr == b""
    assert status in ("141", "0")  # 0 if all of it went into the pipe before head was done


def test_a_full_disk_is_said_and_no_bug(folder: Path) -> None:
    found = shell("mapper map -q m.yaml good.jsonl > /dev/full", folder)
    assert found.returncode == 5
    assert found.stderr == b"mapper: standard output: No space left on device\n"


def test_a_report_that_cannot_be_written_is_said_with_its_name(folder: Path) -> None:
    found = shell("mapper send -q m.yaml good.jsonl --dry-run --report /dev/full", folder)
    assert found.returncode == 5
    assert found.stderr.decode() == (
        "mapper: the report cannot be written to /dev/full: No space left on device\n"
        "  help: Make room, or name another file.\n"
    )


def test_closed_streams(folder: Path) -> None:
    found = shell("mapper map m.yaml good.jsonl >&-", folder)
    assert found.returncode == 2
    assert b"standard output is closed" in found.stderr
    assert shell("mapper send m.yaml good.jsonl --dry-run 2>&-", folder).returncode == 0
    found = shell("mapper map m.yaml good.jsonl 2>&-", folder)
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 5


def test_a_terminal_without_unicode(folder: Path) -> None:
    (folder / "bad.yaml").write_text(SMALL.replace("em:", "é日:"), encoding="utf-8")
    found = run("check", "bad.yaml", cwd=folder, PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert found.returncode == 1
    assert b"no parameter '\xe9\\u65e5' in 'user_data'" in found.stdout


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e"


def test_nothing_that_is_shown_steers_the_terminal(folder: Path) -> None:
    """Escapes in file names, keys of records, keys of mappings and arguments are shown, not obeyed."""
    line = json.dumps({"type": "lead", HOSTILE: 1, f"email{HOSTILE}": "x"}) + "\n"
    (folder / f"{HOSTILE}.jsonl").write_text(line)
    (folder / "evil.yaml").write_text(SMALL.replace("  Lead:", '  "Lead\\e]0;owned\\a":').replace("em:", '"e\\x9bm":'))
    (folder / "odd.yaml").write_text(SMALL.replace("{{ email }}", r"{{ record['a\\x9b2J'] }}").replace("em:", "em:"))
    (folder / "body.json").write_text(json.dumps({"data": [{HOSTILE: 1, "user_data": {HOSTILE: HOSTILE}}]}))
    for arguments in (
        ["check", "evil.yaml"],
        ["check", "m.yaml", "--sample", f"{HOSTILE}.jsonl"],
        ["check", "m.yaml", "--sample", f"{HOSTILE}.jsonl", "--format", "json"],
        ["check", "m.yaml", "--sample", f"{HOSTILE}.jsonl", "--format", "html"],
        ["map", "odd.yaml", f"{HOSTILE}.jsonl"],
        ["map", "m.yaml", f"{HOSTILE}nowhere.jsonl"],
        ["send", "m.yaml", f"{HOSTILE}.jsonl", "--dry-run"],
        ["explain", "m.yaml", f"{HOSTILE}.jsonl", "--show-values"],
        ["test", "m.yaml", "-k", HOSTILE],
        ["payload", "check", "body.json"],
        ["payload", "check", "body.json", "--format", "json"],
    ):
        found = run(*arguments, cwd=folder)
        for text in (found.stdout.decode(), found.stderr.decode()):
            assert "Traceback" not in text
            assert all(ch.isprintable() or ch in "\n\t" for ch in text), (arguments, ascii(text))


def test_a_mistake_of_ours_is_said_without_a_value(folder: Path) -> None:
    code = """
import sys
from mapper.cli import main
import mapper.cli.map as verb
def broken(*arguments):
    raise KeyError("jane@example.com")
verb.load = broken
sys.argv[1:] = ["map", "m.yaml", "good.jsonl"]
main()
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 70
    assert "internal error: KeyError" in found.stderr
    assert "Please report it" in found.stderr
    assert "in broken" in found.stderr
    assert "jane" not in found.stderr
    assert found.stdout == ""


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
    assert report["events"] | {"maybe_twice": 0, "limited": 0} == {
        "made": 5, "sent": 5, "rejected": 0, "pending": 0, "held": 0, "maybe_twice": 0, "limited": 0,
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
        [sys.executable, "-m", "mapper", "send", "m.yaml", "-", "--to", "sandbox", "--report", "out.json",
         "--metrics", "m.prom"],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    line = (folder / "good.jsonl").read_bytes().splitlines()[0] + b"\n"
    process.stdin.write(line * 3000)
    process.stdin.flush()
    until((folder / "m.prom").exists)  # it reads
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
    assert b'event_id\n        expected  "b"\n        got       "a"\n' in found.stdout
    (folder / "t.yaml").write_text((SMALL + tests).replace("event_id: b", "event_id: a"))
    assert run("test", "t.yaml", cwd=folder).stdout == b"1 passed\n"
    assert run("test", "t.yaml", "-k", "nothing", cwd=folder).returncode == 1


def test_a_second_run_goes_on_where_the_first_ended(folder: Path) -> None:
    sent: list[int] = []

    def counting(events: list[dict[str, Any]]) -> tuple[int, Any]:
        sent.append(len(events))
        return taken(events)

    server = Answering(counting)
    settings = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "abc"}
    arguments = ["send", "m.yaml", "good.jsonl", "--to", server.url, "--journal", "j", "--report", "out.json"]
    try:
        assert run(*arguments, cwd=folder, **settings).returncode == 0
        assert run(*arguments, cwd=folder, **settings).returncode == 0
        assert json.loads((folder / "out.json").read_text())["settled_before"] == 5
        assert run(*arguments, "--no-journal", cwd=folder, **settings).returncode == 0
    finally:
        server.close()
    assert sent == [5, 5]
