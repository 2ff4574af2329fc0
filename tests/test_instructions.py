"""The setup page however a browser copies it, and mappings made from whatever it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.authoring.drafts import Guess, skeleton, too_broad
from mapper.authoring.instructions import Setup, compare, read_setup
from mapper.compiler.mapping import RULES
from mapper.destinations.destination import load_destination
from mapper.documents import document, schema

META = load_destination("meta")

PAGE = """\
Send events
When you have a token, choose the events.
Resources
Event parameters
Custom data parameters
Build a payload
{
"event_time": 1760000000,
"action_source": "website"
}
Set up View content event
Somebody looks at a page. What the page shows can be used in ads.
Event parameters
Event time
Event name
Event source URL
Action source
Customer information parameters
Client user agent \u2013 do not hash
Set up Lead event
Somebody asks to be called back.
Event parameters
Event time
Event name
Event source URL
Action source
Event ID
Customer information parameters
Surname
Client user agent \u2013 do not hash
Email address
First name
Client IP address \u2013 do not hash
Set up TrialBooked event
Ask your partner when to send it.
Event parameters
Event time
Event name
Event source URL
Action source
Customer information parameters
Email address
Event transaction time
The "event_time" parameter is the time at which the event took place; older events are refused.
Test your events
Use a code to see whether events arrive.
"""
SITE = ["event_time", "event_name", "event_source_url", "action_source"]
PEOPLE = ["ln", "client_user_agent", "em", "fn", "client_ip_address"]
ASKED = {
    "ViewContent": [*SITE, "user_data.client_user_agent"],
    "Lead": [*SITE, "event_id", *(f"user_data.{name}" for name in PEOPLE)],
    "TrialBooked": [*SITE, "user_data.em"],
}


def asked(setup: Setup) -> dict[str, list[str]]:
    return {event.name: [one.path for one in event.required] for event in setup.events}


LINE_WISE = {
    "line ends of Windows": lambda page: page.replace("\n", "\r\n"),
    "blank lines": lambda page: page.replace("\n", "\n\n"),
    "blanks before": lambda page: re.sub(r"^", "   ", page, flags=re.M),
    "tabs before": lambda page: re.sub(r"^", "\t", page, flags=re.M),
    "blanks that do not break": lambda page: page.replace(" ", "\u00a0"),
    "two blanks for one": lambda page: page.replace(" ", "  "),
    "marks that nobody sees": lambda page: "\ufeff" + page.replace(" ", "\u200b "),
    "bullets": lambda page: re.sub(r"^", "\u2022 ", page, flags=re.M),
    "asterisks": lambda page: re.sub(r"^", "* ", page, flags=re.M),
    "ticks": lambda page: re.sub(r"^", "\u2713 ", page, flags=re.M),
    "boxes": lambda page: re.sub(r"^", "[ ] ", page, flags=re.M),
    "quoted mail": lambda page: re.sub(r"^", "> ", page, flags=re.M),
    "headings of Markdown": lambda page: re.sub(r"^(Set up.*)", r"## \1", page, flags=re.M),
    "bold headings": lambda page: re.sub(r"^(Set up.*)", r"**\1**", page, flags=re.M),
    "numbered headings": lambda page: re.sub(r"^(Set up)", r"1. \1", page, flags=re.M),
    "colons behind headings": lambda page: re.sub(r"^(\w+(?: information)? parameters)$", r"\1:", page, flags=re.M),
    "counts behind headings": lambda page: re.sub(r"^(\w+(?: information)? parameters)$", r"\1 (4)", page, flags=re.M),
    "hyphens": lambda page: page.replace("\u2013", "-"),
    "long dashes": lambda page: page.replace("\u2013", "\u2014"),
    "a typographic apostrophe": lambda page: page.replace("do not", "don\u2019t"),
    "hashing required": lambda page: re.sub(r"^(Surname|Email address)$", r"\1 - hashing required", page, flags=re.M),
    "American words": lambda page: page.replace("Surname", "Last name").replace("Email address", "Email"),
    "names of the API": lambda page: page.replace("Surname", "ln").replace("Event source URL", "event_source_url"),
    "two on a line": lambda page: page.replace("Event time\nEvent name\n", "Event time, Event name\n"),
    "a tab between": lambda page: page.replace("Event time\nEvent name\n", "Event time\tEvent name\n"),
    "set-up": lambda page: page.replace("Set up ", "Set-up "),
    "set up the": lambda page: page.replace("Set up ", "SET UP THE "),
    "a custom event": lambda page: page.replace("TrialBooked event", "TrialBooked custom event"),
    "a name in quotes": lambda page: page.replace("TrialBooked event", "\u201cTrialBooked\u201d event"),
    "links": lambda page: page.replace("Event time\n", "Event time\nLearn more\n"),
    "an explanation below a parameter": lambda page: page.replace(
        "Surname\n", "Surname\nThe name that a family shares, cleaned and hashed as the reference says.\n"
    ),
    "HTML": lambda page: "<html><body>" + re.sub(r"^(.*)$", r"<div class='x'>\1</div>", page, flags=re.M),
    "HTML with entities and marks inside": lambda page: re.sub(
        r"^(.*)$", r"<li><span>\1</span></li>", page.replace(" ", "&nbsp;").replace("\u2013", "&ndash;"), flags=re.M
    ),
    "HTML on few lines": lambda page: (
        "<style>p {}</style><!-- Set up X event --><p>" + page.replace("\n", "</p><p>") + "</p>"
    ),
    "an event that comes twice": lambda page: page + "Set up Lead event\nEvent parameters\nEvent time\n",
}


@pytest.mark.parametrize("change", LINE_WISE.values(), ids=LINE_WISE.keys())
def test_however_it_was_copied(change: Callable[[str], str]) -> None:
    setup = read_setup(change(PAGE), META)
    assert asked(setup) == ASKED
    assert setup.unknown == ()


def test_events_in_another_order() -> None:
    head, *events = PAGE.partition("Event transaction time")[0].split("Set up ")
    setup = read_setup("Set up ".join([head, *reversed(events)]), META)
    assert asked(setup) == dict(reversed(ASKED.items()))


def test_everything_the_destination_knows_by_a_label_is_understood() -> None:
    for path, field in META.fields.items():
        for label in field.labels:
            setup = read_setup(f"Set up X event\nEvent parameters\n{label}\n", META)
            assert asked(setup) == {"X": [path]}, label


def test_a_heading_without_parameters_is_no_event() -> None:
    assert read_setup("Set up the Conversions API\nIt is easy.\nSet up your pixel\n", META).events == ()
    assert read_setup("Set up Lead event.\n", META).events == ()
    assert read_setup("", META) == Setup((), ())


def test_what_stands_behind_the_lists_is_no_parameter() -> None:
    text = PAGE + "Resources\nEvent parameters\nUser data parameters\nBuild a payload\nSee how it looks.\n"
    assert read_setup(text, META).unknown == ()
    assert asked(read_setup(text, META)) == ASKED


def test_what_is_unknown_is_said_with_its_line() -> None:
    setup = read_setup(PAGE.replace("Email address\nFirst name", "Email adress\nXyzzy quux"), META)
    assert [(one.line, one.text, one.nearest) for one in setup.unknown] == [
        (31, "Email adress", "Email (user_data.em)"),
        (32, "Xyzzy quux", ""),
    ]


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (["Client user agent"], True),
        (["City", "Country", "Gender", "Client user agent"], True),
        (["Client user agent", "Client IP address"], False),
        (["First name", "Surname"], False),
        (["First name", "Gender"], True),
        (["Email"], False),
    ],
)
def test_too_broad(names: list[str], refused: bool) -> None:
    setup = read_setup("Set up Lead event\nCustomer information parameters\n" + "\n".join(names), META)
    assert (too_broad(META, setup.events[0]) is not None) is refused


NAMES = [
    *("Sign-up: step 1", "yes", "null", "12", 'a "b" c', "it's", "a # b", "{{ x }}", "a\\b", "&anchor", "!tag", "%x"),
    *("@x", "[a]", "x" * 49, "Ünïcödé 😀", "<<", "event", "~", "a: b", "1.5", "`a`", "?", "a, b"),
]


@pytest.mark.parametrize("name", NAMES)
def test_an_event_of_any_name_gives_a_mapping(name: str, tmp_path: Path) -> None:
    setup = read_setup(PAGE.replace("TrialBooked", name), META)
    path = tmp_path / "made.yaml"
    path.write_text(skeleton(setup, META), encoding="utf-8")
    program = mapper.load(path)
    assert [transform.key for transform in program.transforms] == ["ViewContent", "Lead", name]
    assert compare(setup, program) == []


def test_a_mapping_says_what_the_destination_requires_anyway(tmp_path: Path) -> None:
    setup = read_setup("Set up Lead event\nCustomer information parameters\nEmail\nMileage unit\nVisit time\n", META)
    path = tmp_path / "made.yaml"
    path.write_text(skeleton(setup, META), encoding="utf-8")
    given = {one.path for one in mapper.load(path).transforms[0].parameters}
    assert given >= {"event_time", "action_source", "event_source_url", "user_data.client_user_agent"}
    assert given >= {"user_data.em", "custom_data.mileage.unit", "attribution_data.visit_time"}


def test_a_guess_of_any_path_is_a_text_in_the_file() -> None:
    guesses = {"user_data.em": Guess("record['a \"b\" \\\\ {{']", "high")}
    made = document.load(skeleton(read_setup(PAGE, META), META, guesses), "made.yaml").value
    assert made["events"]["TrialBooked"]["parameters"]["user_data"]["em"] == "{{ record['a \"b\" \\\\ {{'] }}"


PIECES = st.sampled_from([*PAGE.splitlines(), "Set up x event", "Email", "- : {", "# a", "'", "\u2028", "\t"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(max_size=20), max_size=25).map("\n".join))
def test_any_text_is_read_and_makes_a_file(text: str) -> None:
    setup = read_setup(text, META)
    made = skeleton(setup, META)
    if setup.events:
        assert schema.check(document.load(made, "made.yaml"), RULES) == []
    for one in setup.unknown:
        assert 1 <= one.line <= len(text.splitlines())
