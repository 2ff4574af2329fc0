"""What the mapping lets through, the rules let through: no event is made that validation refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.destinations.destination import load_destination
from mapper.destinations.fields import Field
from mapper.destinations.payload import sample_event
from mapper.destinations.validation import validate

META = load_destination("meta")
NOW = 1_760_433_512
SOURCES = META.fields["action_source"].allowed
NAMES = [*META.standard_events, "AppendAttribution", "LeadSubmitted", "TrialBooked", "purchase", "x" * 51]
APP = {
    "advertiser_tracking_enabled": 1,
    "application_tracking_enabled": 0,
    "extinfo": ["a2", "", "", "", "14", *[""] * 11],
}
ATTRIBUTION = {
    "attribution_data": {"ad_id": "1", "touchpoint_ts": NOW - 9000, "attribution_share": 0.3, "attribution_value": 4},
    "original_event_data": {"event_name": "Purchase", "event_time": NOW - 3000},
}
ODD = [
    None, "", [], {}, 0, -1, 1.5, True, False, "x", "null", "a" * 64, "A" * 64, [None], [1, 2], [[]], {"a": None},
    "2020-01-01", 1_760_433_512_000, "usd", "jane@example.com", ["i2"], [""] * 16, ["a2", *[""] * 15],
    ["w2", *["1"] * 15], ["a2"] * 17, [{}], [{"id": "x"}], [{"quantity": 1}], [{"id": "x", "quantity": "two"}],
    "website", "LDU", ["LDU"],
    ["AMO"], 10**30, "10.0.0.1", "whatsapp", "hotel", float("inf"),
]  # fmt: skip


def each(field: Field, indent: int, *above: str) -> Iterator[str]:
    """A line for every parameter, with an expression of its own."""
    for name, child in (field.children or {}).items():
        if child.path == "event_name":
            continue
        if child.kind == "object" and not child.many:
            yield f"{' ' * indent}{json.dumps(name)}:"
            yield from each(child, indent + 2, *above, name)
        else:
            place = "".join(f"['{step}']" for step in (*above, name))
            yield f'{" " * indent}{json.dumps(name)}: "{{{{ r{place} }}}}"'


def whole() -> Iterator[str]:
    """A line for every parameter at the top, objects as they come."""
    for name in META.root.children or {}:
        if name != "event_name":
            yield f'      {name}: "{{{{ r.{name} }}}}"'


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[mapper.Program]:
    folder: Path = tmp_path_factory.mktemp("agreement")
    found = []
    for number, lines in enumerate((each(META.root, 6), whole())):
        head = 'version: 1\ndestination: meta\nevents:\n  E:\n    event_name: "{{ r.event_name }}"\n    parameters:\n'
        path = folder / f"{number}.yaml"
        path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        found.append(mapper.load(path))
    return found


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*above, key)
        if isinstance(inner, dict | list):
            yield from places(inner, *above, key)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """An example of an event with a few things wrong."""
    source = draw(st.sampled_from(SOURCES))
    event = copy.deepcopy(sample_event(META, draw(st.sampled_from(NAMES)), {"action_source": source}, now=NOW))
    event["user_data"].update(db="19900101", em="jane@example.com")
    event |= copy.deepcopy(draw(st.sampled_from([{}, {"app_data": APP}, ATTRIBUTION])))
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from(list(places(event))))
        at: Any = event
        for step in above:
            at = at[step]
        if isinstance(at, dict) and draw(st.booleans()):
            del at[last]
        else:
            at[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not event:
            break
    return event


@settings(max_examples=400, deadline=None)
@given(records())
def test_no_event_is_made_that_is_refused(programs: list[mapper.Program], record: dict[str, Any]) -> None:
    for program in programs:
        for event in program.map({"r": record}, now=NOW).events:
            refused = [one for one in validate(META, event.parameters, NOW) if one.level == "error"]
            assert refused == []


PLACES = ["w2", *[""] * 3, "14", *[""] * 11]


@pytest.mark.parametrize(
    ("changes", "sent", "codes"),
    [
        ({"app_data": {**APP, "extinfo": ["a2", *[""] * 15]}}, None, ["incomplete"]),
        ({"app_data": {**APP, "extinfo": ["", *[""] * 3, "14"]}}, None, ["incomplete"]),
        ({"app_data": {**APP, "extinfo": PLACES}}, None, ["not-one-of", "incomplete"]),
        ({"app_data": {**APP, "extinfo": [""] * 16}}, None, []),
        ({"app_data": APP}, APP["extinfo"], []),
    ],
)
def test_a_list_by_places_is_whole_or_not_there(
    changes: dict[str, Any], sent: Any, codes: list[str], programs: list[mapper.Program]
) -> None:
    record = {**sample_event(META, "Lead", {"action_source": "email"}, now=NOW), **changes}
    for program in programs:
        result = program.map({"r": record}, now=NOW)
        assert result.events[0].parameters["app_data"].get("extinfo") == sent
        assert [one.code for one in result.warnings] == codes


def test_an_item_without_its_id_is_left_out(programs: list[mapper.Program]) -> None:
    items = [{"id": "a", "quantity": 1}, {"quantity": 2}, {"id": "", "quantity": 3}, {"id": "b", "quantity": 4}]
    record = {**sample_event(META, "Lead", now=NOW), "custom_data": {"contents": items}}
    for program in programs:
        result = program.map({"r": record}, now=NOW)
        assert result.events[0].parameters["custom_data"]["contents"] == [items[0], items[3]]
        assert [(one.code, one.parameter) for one in result.warnings] == [("incomplete", "custom_data.contents.id")] * 2


@pytest.mark.parametrize("places", ["[a2]", "{version: a2}", "{os_version: '{{ os }}'}"])
def test_a_place_that_nothing_fills_is_found_at_once(places: str, tmp_path: Path) -> None:
    path = tmp_path / "app.yaml"
    path.write_text(
        "version: 1\ndestination: meta\nevents:\n  Lead:\n    parameters:\n      event_time: '{{ at }}'\n"
        "      action_source: email\n      event_id: '{{ id }}'\n      user_data: {em: '{{ email }}'}\n"
        f"      app_data: {{extinfo: {places}}}\n",
        encoding="utf-8",
    )
    with pytest.raises(mapper.MappingError) as caught:
        mapper.load(path)
    assert [one.code for one in caught.value.problems] == ["missing-parameter"]
