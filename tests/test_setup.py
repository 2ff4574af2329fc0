"""The setup page: read, made into a mapping that compiles, and compared with one."""

from __future__ import annotations

import json
from pathlib import Path

import mapper
from mapper.destination import load_destination
from mapper.guessing import guess
from mapper.instructions import compare, read_setup, skeleton, too_broad

from .conftest import ROOT
from .test_cli import run

META = load_destination("meta")

PAGE = """\
Send events through the API
Make a POST request
{ "data": [] }
Include selected events and parameters in your payload
Set up View content event
A visit to a page you care about.
Event parameters
Event time
Event name
Event source URL
Action source
Customer information parameters
Client user agent \u2013 do not hash
Set up WaitlistSignupStarted event
Check with your partner to determine when this event should be sent.
Event parameters
\u2022 Event time
\u2022 Event name
\u2022 Event source URL
\u2022 Action source
Customer information parameters
\u2022 Surname
\u2022 Client user agent - do not hash
\u2022 Email address
\u2022 Postcode
Event transaction time
The "event_time" parameter is the time at which the event happened, and may be earlier.
"""


def test_events_and_parameters_are_understood() -> None:
    setup = read_setup(PAGE, META)
    assert [(event.name, event.display) for event in setup.events] == [
        ("ViewContent", "View content"),
        ("WaitlistSignupStarted", "WaitlistSignupStarted"),
    ]
    assert setup.events[0].about == "A visit to a page you care about."
    assert [asked.path for asked in setup.events[1].required][-4:] == [
        "user_data.ln",
        "user_data.client_user_agent",
        "user_data.em",
        "user_data.zp",
    ]
    assert setup.count == 13
    assert setup.unknown == ()


def test_american_wording_and_other_layouts() -> None:
    text = PAGE.replace("Surname", "Last name").replace("Postcode", "ZIP code").replace("Email address", "Email")
    text = text.replace("\n", "\r\n").replace("Set up", "  Set up")
    assert read_setup(text, META).count == 13


def test_a_line_that_is_not_known_is_reported() -> None:
    setup = read_setup(PAGE.replace("\u2022 Surname", "\u2022 Surnam"), META)
    assert [(one.line, one.text, one.nearest) for one in setup.unknown] == [(22, "Surnam", "Last name (user_data.ln)")]
    assert setup.count == 12


def test_too_little_is_said() -> None:
    first, second = read_setup(PAGE, META).events
    rule = too_broad(META, first)
    assert rule is not None
    assert rule.id == "M09"
    assert too_broad(META, second) is None


def test_the_skeleton_compiles_and_answers_the_page(tmp_path: Path) -> None:
    setup = read_setup(PAGE, META)
    path = tmp_path / "made.yaml"
    path.write_text(skeleton(setup, META), encoding="utf-8")
    program = mapper.load(path)
    assert compare(setup, program) == []
    required = {event.key: [path for path, _ in event.required] for event in program.spec.events}
    assert required == {event.name: [asked.path for asked in event.required] for event in setup.events}


def test_what_differs_from_the_page_is_said(tmp_path: Path) -> None:
    text = skeleton(read_setup(PAGE, META), META)
    path = tmp_path / "made.yaml"
    path.write_text(
        text.replace("  ViewContent:", "  viewcontent:").replace("      - user_data.zp\n", ""), encoding="utf-8"
    )
    found = compare(read_setup(PAGE, META), mapper.load(path))
    assert [(one.code, one.level) for one in found] == [
        ("setup-event", "error"),
        ("setup-parameter", "error"),
        ("setup-extra", "warning"),
    ]
    assert found[0].hint.startswith("Is it 'viewcontent'?")
    assert "Postcode (user_data.zp, line 25)" in found[1].message


def test_expressions_are_proposed_from_records() -> None:
    record = {
        "at": 1772366000,
        "who": {"mail": " Ada@Example.org ", "surname": "Lovelace"},
        "total": 3,
        "page": {"url": "https://a.example/"},
    }
    found = guess([json.dumps(record).encode()] * 20 + [b"broken"])
    assert {path: (one.expression, one.confidence) for path, one in found.items()} == {
        "event_time": ("at", "high"),
        "event_source_url": ("page.url", "high"),
        "user_data.em": ("who.mail", "high"),
        "user_data.ln": ("who.surname", "high"),
        "custom_data.value": ("total", "high"),
    }


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "setup.txt").write_text(PAGE, encoding="utf-8")
    (tmp_path / "r.jsonl").write_text('{"email": "a@b.example", "time": 1772366000}\n')
    made = run("init", "--from", "setup.txt", "--sample", "r.jsonl", "-o", "m.yaml", cwd=tmp_path)
    assert made.returncode == 0
    assert b"2 events, 13 required parameters, 0 unknown lines" in made.stderr
    assert b"View content, as the page asks for it" in made.stderr
    assert "from the sample, confidence" in (tmp_path / "m.yaml").read_text(encoding="utf-8")
    assert run("check", "m.yaml", "--setup", "setup.txt", cwd=tmp_path).returncode == 0
    again = run("init", "--from", "setup.txt", "-o", "m.yaml", cwd=tmp_path)
    assert again.returncode == 2
    assert b"is there already" in again.stderr
    shipped = run("check", ROOT / "mappings" / "waitlist.yaml", "--setup", "setup.txt", cwd=tmp_path)
    assert shipped.returncode == 1
    assert b"the page requires Postcode" in shipped.stdout
