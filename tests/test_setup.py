"""The setup page: read, made into a mapping that compiles, and compared with one."""

from __future__ import annotations

import json
from pathlib import Path

import mapper
from mapper.authoring.drafts import Guess, skeleton, too_broad
from mapper.authoring.guessing import read_sample
from mapper.authoring.instructions import compare, read_setup
from mapper.destinations.destination import load_destination

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
    found = read_sample([json.dumps(record).encode()] * 20 + [b"broken"]).parameters(META)
    assert {path: (one.expression, one.confidence) for path, one in found.items()} == {
        "event_time": ("at", "high"),
        "event_source_url": ("page.url", "high"),
        "user_data.em": ("who.mail", "high"),
        "user_data.ln": ("who.surname", "high"),
        "custom_data.value": ("total", "high"),
    }


RECORDS = [
    {"event": "Trial Booked", "at": 1772366000, "user": {"firstName": "Zoe", "plan": "free"}, "n": 1},
    {"event": "trial booked", "at": 1772366001, "user": {"firstName": "Ada", "plan": "lead"}, "n": 2},
    {"event": "Trial Booked", "at": 1772366002, "user": {"firstName": "Bob", "plan": "free"}, "n": 3},
]


def test_names_of_records_are_those_of_the_destination() -> None:
    record = {
        "firstName": "Zoe",
        "clientIp": "203.0.113.7",
        "capacity": 30,
        "zip": 10115,
        "user_id": 42,
        "home": "fb.1",
    }
    seen = read_sample([json.dumps(record).encode()] * 3)
    assert {path: one.expression for path, one in seen.parameters(META).items()} == {
        "user_data.fn": "firstName",
        "user_data.client_ip_address": "clientIp",
        "user_data.zp": "zip",
        "user_data.external_id": "user_id",
    }
    visits = load_destination(str(ROOT / "tests" / "destinations" / "visits.yaml"))
    assert {path: one.expression for path, one in seen.parameters(visits).items()} == {"user_id": "user_id"}


ELSEWHERE = """\
Set up Bought event
Something was bought.
Event parameters
Conversion
Time
country
"""


def test_a_page_of_another_destination(tmp_path: Path) -> None:
    (tmp_path / "destinations").mkdir()
    place = tmp_path / "destinations" / "matches.yaml"
    place.write_bytes((ROOT / "tests" / "destinations" / "matches.yaml").read_bytes())
    (tmp_path / "page.txt").write_text(ELSEWHERE, encoding="utf-8")
    (tmp_path / "r.jsonl").write_text('{"kind": "bought", "happened_at": 1772366000, "country": "de"}\n')
    for named, made in (("matches", "a.yaml"), ("destinations/matches.yaml", "b.yaml")):
        done = run(
            *("init", "--from", "page.txt", "--destination", named, "--sample", "r.jsonl", "-o", made), cwd=tmp_path
        )
        assert b"Bought, as the page asks for it, can only make events that are refused [M1]" in done.stderr
        assert b"email is added, the least that will do" in done.stderr
        program = mapper.load(tmp_path / made)
        assert program.destination.name == "matches"
        record = {"kind": "bought", "happened_at": 1772366000, "email": "a@b.example", "country": "de"}
        (event,) = program.map(record, 1772366100).events
        assert event.parameters["happenedAt"] == 1772366000
    text = (tmp_path / "a.yaml").read_text("utf-8")
    assert "Made from a setup page" in text
    assert "website" not in text, "what events usually say is said by the destination"
    assert "pixel" not in text


def test_the_field_that_tells_the_events_apart_is_found() -> None:
    both = read_setup(PAGE.replace("WaitlistSignupStarted", "TrialBooked"), META).events
    seen = read_sample(json.dumps(record).encode() for record in RECORDS)
    assert seen.parameters(META)["user_data.fn"] == Guess("user.firstName", "high")
    assert seen.conditions(both) == {
        "ViewContent": Guess("event == 'view_content'", "none"),
        "TrialBooked": Guess("event == 'Trial Booked'", "high"),
    }
    assert seen.conditions(both[:1]) == {}
    assert read_sample([]).conditions(both) == {}


def test_a_mapping_from_a_sample_maps_the_sample(tmp_path: Path) -> None:
    page = read_setup(PAGE.replace("View content", "TrialBooked").partition("Set up Waitlist")[0], META)
    agent = {"agent": "Mozilla/5.0", "ip": "203.0.113.7", "url": "https://shop.example/"}
    lines = [json.dumps({**record, **agent}).encode() for record in RECORDS]
    seen = read_sample(lines)
    made = skeleton(page, META, seen.parameters(META), seen.conditions(page.events))
    (tmp_path / "made.yaml").write_text(made, encoding="utf-8")
    program = mapper.load(tmp_path / "made.yaml")
    events = [event.name for line in lines for event in program.map(line, now=1772366100).events]
    assert events == ["TrialBooked", "TrialBooked"]
    assert made.count("FILL IN") == 2  # the list of what to do, and whether it is a website


def test_an_id_that_the_page_does_not_ask_for_is_proposed(tmp_path: Path) -> None:
    made = skeleton(read_setup(PAGE, META), META)
    assert made.count('# event_id: "{{ id }}"') == 2
    path = tmp_path / "made.yaml"
    path.write_text(made, encoding="utf-8")
    assert [one.code for one in mapper.load(path).warnings] == ["rule-M15", "rule-M15"]
    path.write_text(made.replace("# event_id:", "event_id:"), encoding="utf-8")
    assert mapper.load(path).warnings == ()


def test_a_page_is_read_in_any_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        (tmp_path / "setup.txt").write_bytes(PAGE.encode(encoding))
        made = run("init", "--from", "setup.txt", cwd=tmp_path)
        assert (made.returncode, b"13 required parameters, 0 unknown lines" in made.stderr) == (0, True), encoding


def test_check_says_what_it_could_not_read_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "setup.txt").write_text(PAGE.replace("Surname", "Surnam"), encoding="utf-8")
    (tmp_path / "m.yaml").write_text(skeleton(read_setup(PAGE, META), META), encoding="utf-8")
    done = run("check", "m.yaml", "--setup", "setup.txt", "--format", "json", cwd=tmp_path)
    found = [one for one in json.loads(done.stdout) if one["code"] == "setup-unknown"]
    assert done.returncode == 1
    assert [(one["file"], one["line"], one["hint"]) for one in found] == [
        ("setup.txt", 22, "Is it 'Last name (user_data.ln)'?")
    ]


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
