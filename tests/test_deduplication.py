"""What the page must send, so that the destination keeps one of two copies."""

from __future__ import annotations

from pathlib import Path

import pytest

import mapper
from mapper.authoring.deduplication import explained, page_copies
from mapper.destinations.destination import load_destination
from mapper.errors import MappingError

from .command import run

EVENTS = """\
version: 1
destination: meta
defaults:
  event_time: "{{ at }}"
  action_source: website
  event_source_url: "{{ url }}"
  user_data: {em: "{{ email }}", client_user_agent: "{{ agent }}"}
events:
  Lead:
    when: type == 'lead'
    parameters: {event_id: "{{ order.messageId }}"}
  Trial:
    when: type == 'trial'
    parameters: {event_id: "{{ coalesce(trial.id, id) }}"}
  Contact:
    when: type == 'contact'
    parameters: {event_id: "{{ stable_id(id, 'Contact') }}"}
  Search:
    when: type == 'search'
    parameters: {custom_data: {search_string: "{{ query }}"}}
  Donate:
    when: type == 'donate'
    parameters: {event_id: "{{ id }}", action_source: phone_call}
"""


def test_each_event_says_what_its_copy_needs(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(EVENTS)
    found = {copy.event: copy for copy in page_copies(mapper.load(path))}
    assert {name: copy.kind for name, copy in found.items()} == {
        "Lead": "same",
        "Trial": "same",
        "Contact": "derived",
        "Search": "missing",
        "Donate": "unseen",
    }
    assert found["Lead"].call == "fbq('track', 'Lead', {…}, {eventID: ORDER_MESSAGE_ID});"
    assert found["Trial"].call == "fbq('trackCustom', 'Trial', {…}, {eventID: THE_SAME_ID});"
    assert found["Trial"].fields == ("trial.id", "id")
    assert str(found["Lead"].span).endswith("m.yaml:11:28")
    said = "\n".join(explained(mapper.load(path)))
    assert "within 48 hours" in said
    assert "counts twice" in said


def test_a_destination_may_know_no_copies(tmp_path: Path) -> None:
    folder = tmp_path / "destinations"
    folder.mkdir()
    (folder / "own.yaml").write_text("destination: own\ntitle: Our own\nextends: meta\ntwin: null\n")
    path = tmp_path / "m.yaml"
    path.write_text(EVENTS.replace("destination: meta", "destination: own"))
    assert list(explained(mapper.load(path))) == ["Our own says nothing of copies that a page sends."]
    (folder / "own.yaml").write_text(
        "destination: own\nextends: meta\ntwin: {standard: 'track()', custom: '{name}{id}', window: 1 day}\n"
    )
    with pytest.raises(MappingError) as error:
        mapper.load(path)
    assert {problem.code for problem in error.value.problems} == {"bad-twin"}


def test_check_shows_it(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(EVENTS)
    done = run("check", "m.yaml", "--pixel", cwd=tmp_path)
    assert done.returncode == 0
    assert b"eventID: ORDER_MESSAGE_ID" in done.stdout
    assert run("check", "m.yaml", "--pixel", "--format", "json", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("change", "hours"),
    [("", 44), ("twin: {window: 24 hours, standard: '{name} {id}', custom: '{name} {id}'}", 22), ("twin: null", 44)],
    ids=["as for Meta", "a day", "nothing is said"],
)
def test_a_sender_repeats_nothing_beyond_what_the_destination_remembers(
    tmp_path: Path, change: str, hours: int
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"destination: own\nextends: meta\n{change}\n")
    assert load_destination(str(path)).memory == hours * 3600
