"""Every rule of the Meta destination, as its specs tell it: for events as sent, and for what a mapping knows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from mapper.destinations.destination import load_destination
from mapper.destinations.rules import ABSENT, condition, getter, one_of, require
from mapper.destinations.validation import validate
from mapper.documents import document

from .sandbox_requests import HASH, good_event

SPECS = Path(__file__).parent / "specs" / "rules"
NOW = 1_760_433_512
WORDS = {
    "$hash": HASH,
    "$HASH": HASH.upper(),
    "$nothing": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "$long": "x" * 257,
}
EVENT = good_event(NOW)


def specs(part: str) -> list[Any]:
    found = []
    for path in sorted(SPECS.glob("*.yaml")):
        value = document.read(path).value
        found += [pytest.param(path.stem, case, id=f"{path.stem}: {case['title']}") for case in value.get(part, [])]
    return found


def spelled(value: Any) -> Any:
    """The words of a spec (`$hash`, `$now-60`) as what they stand for."""
    if isinstance(value, dict):
        return {key: spelled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spelled(inner) for inner in value]
    if isinstance(value, str) and value.startswith("$now"):
        return NOW + int(value[4:] or 0)
    for word, meaning in WORDS.items():
        if isinstance(value, str) and value.startswith(word):
            return meaning + value[len(word) :]
    return value


def put(event: dict[str, Any], path: str, value: Any) -> None:
    *above, name = path.split(".") if "@" not in path else [path]
    for step in above:
        event = event.setdefault(step, {})
    event[name] = value


def take(event: dict[str, Any], path: str) -> None:
    *above, name = path.split(".")
    for step in above:
        event = event[step]
    del event[name]


def built(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """The event of a case."""
    event = copy.deepcopy(EVENT)
    base = document.read(SPECS / f"{name}.yaml").value.get("event") or {}
    for path, value in spelled(base).items():
        if value is None:
            take(event, path)
        else:
            put(event, path, value)
    for path in case.get("without", []):
        take(event, path)
    for path, value in spelled(case.get("with", {})).items():
        put(event, path, value)
    if "age" in case:
        event["event_time"] = NOW - case["age"]
    return event


@pytest.mark.parametrize(("name", "case"), specs("cases"))
def test_an_event_is_judged(name: str, case: dict[str, Any]) -> None:
    event = built(name, case)
    destination = load_destination("meta").with_levels(case.get("levels", {}))
    findings = validate(destination, event, NOW, strict=case.get("strict", False))
    assert sorted(f"{one.level} {one.path} {one.rule}" for one in findings) == sorted(case.get("findings", []))
    for one in findings:
        assert one.message
        assert one.remedy
        assert HASH not in str(one)
        assert "jane" not in str(one).lower()


@pytest.mark.parametrize(("name", "case"), specs("compile"))
def test_a_mapping_is_judged_before_any_record(name: str, case: dict[str, Any]) -> None:
    """``decide``: does the rule apply; ``broken``: can no event of these parameters keep a part that may apply."""
    parts = [rule for rule in load_destination("meta").rules if rule.id == name and not rule.engine]
    decided = [rule.decide(case["known"]) for rule in parts]
    if "decide" in case:
        assert set(decided) == {case["decide"]}
    if "paths" in case:
        may = [rule for rule, applies in zip(parts, decided, strict=True) if applies is not False]
        broken = [rule for rule in may if not rule.satisfiable(set(case["paths"]))]
        assert bool(broken) == case.get("broken", False)


def test_every_rule_of_the_reference_has_specs_of_acceptance_and_refusal() -> None:
    elsewhere = {"M18", "M19"}  # a request's own rules: see the tests of payloads
    for rule in load_destination("meta").severities.keys() - elsewhere:
        cases = document.read(SPECS / f"{rule}.yaml").value["cases"]
        said = [finding.split()[-1] for case in cases for finding in case.get("findings", [])]
        assert rule in said, f"{rule} refuses nothing in its specs"
        assert any(rule not in str(case.get("findings", [])) for case in cases), f"{rule} accepts nothing"


def test_a_parameter_that_is_never_produced_decides_a_condition() -> None:
    assert condition("custom_data.value", "present").of(ABSENT) is False
    assert condition("custom_data.value", "absent").of(ABSENT) is True
    assert condition("action_source", "website").of(ABSENT) is False
    assert condition("action_source", {"not": "website"}).of(ABSENT) is True
    assert condition("action_source", ["app", "website"]).of("app") is True
    assert condition("data_processing_options", "LDU").of(["LDU"]) is True
    assert repr(ABSENT) == "ABSENT"


@pytest.mark.parametrize("event", [{}, {"a": 1}, {"a": None}, {"a": {"b": []}}, {"a": {"b": {}}}, {"a": []}])
def test_what_is_not_there_is_missing_whatever_stands_in_its_place(event: dict[str, Any]) -> None:
    assert require(["a.b.c"])(event, None) == ("a.b.c",)
    assert getter("a.b.c")(event) is None
    assert one_of([["a.b.c"], ["x", "y"]])(event, None) == ("a.b.c or x with y",)


def test_below_a_list_every_item_is_asked() -> None:
    event = {"a": {"items": [{"id": 1}, {"id": ""}, {}, 5, {"id": 0}]}}
    assert require(["a.items.id"])(event, None) == ("a.items[1].id", "a.items[2].id", "a.items[3].id")


def test_rules_of_time_hold_as_long_as_nobody_knows_the_time() -> None:
    age = next(rule for rule in load_destination("meta").rules if rule.kind == "age")
    assert age.holds({"event_time": 1})
    assert not age.holds({"event_time": 1}, NOW)
    assert age.explain(["event_time"]).startswith("event_time is older")
