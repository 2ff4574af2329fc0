"""The JSON Schema for editors: it takes every shipped mapping, and agrees with the checks on what is wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mapper.authoring.diagnostics import to_json
from mapper.authoring.editor import json_schema
from mapper.authoring.specs import check_tests
from mapper.compiler.mapping import RULES
from mapper.destinations.destination import load_destination
from mapper.documents import document, schema

from .conftest import ROOT, SMALL

SCHEMA = json_schema(load_destination("meta"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["events"]["properties"]["Lead"]["description"]
    assert SCHEMA["definitions"]["parameters"]["properties"]["user_data"]["description"]
    person = SCHEMA["definitions"]["user_data"]["properties"]
    assert person["em"]["description"].startswith("Email.")
    assert "Never hashed." in person["client_ip_address"]["description"]


SPECS = Path(__file__).parent / "specs"
WHOLE = [*sorted((ROOT / "mappings").glob("*.yaml")), *sorted((SPECS / "language").glob("*.yaml"))]
SEEN_BY_BOTH = {
    "unknown-key", "missing-key", "wrong-type", "not-allowed", "empty",
    "unknown-parameter", "unknown-option", "request-parameter", "event-name-parameter", "bad-literal", "bad-option",
}  # fmt: skip
"""What a schema can see. Expressions, rules between parameters and what is never used it cannot."""


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_whole_mappings_are_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document.read(path).value)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "mappings").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_mappings_name_their_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert found is not None
    written = json.loads((path.parent / found[1]).read_text(encoding="utf-8"))
    if os.environ.get("MAPPER_WRITE_DOCS"):
        (path.parent / found[1]).write_text(to_json(SCHEMA) + "\n", encoding="utf-8")
        written = SCHEMA
    assert written == json.loads(json.dumps(SCHEMA)), "run the tests with MAPPER_WRITE_DOCS=1"


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["title"]) for case in document.read(SPECS / name).value["cases"]]


@pytest.mark.parametrize("case", cases("schema/files.yaml"))
def test_both_agree_on_keys_and_kinds(case: dict[str, Any]) -> None:
    read = document.load(case["text"], "m.yaml")
    assert bool(schema.check(read, RULES)) == bool(list(VALIDATOR.iter_errors(read.value)))


@pytest.mark.parametrize("case", cases("compile/problems.yaml"))
def test_both_agree_on_what_a_schema_can_see(case: dict[str, Any]) -> None:
    codes = {problem.split()[1] for problem in case["problems"]}
    read = document.load(case["mapping"], "m.yaml")
    if "destination" not in read.value:  # a file that is included needs none
        return
    assert bool(codes & SEEN_BY_BOTH) == bool(list(VALIDATOR.iter_errors(read.value)))


VALUES = {
    "action_source": ["website", "{{ source }}", {"value": "app", "if": "mobile"}, None],
    "user_data.em": ["a@b.example", ["{{ a }}", "{{ b }}"], {"for": "x in emails", "each": "{{ x }}"}],
    "app_data.extinfo": [["a2", "{{ package }}"], {"version": "a2"}, "{{ device.extinfo }}"],
    "custom_data.contents": [{"id": "{{ sku }}"}, [{"id": "a"}], "{{ lines }}"],
    "custom_data.anything_of_mine": [1, "x", [1], {"a": {"b": 1}}],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in VALUES.items() for value in values])
def test_every_way_to_say_a_value(path: str, value: Any) -> None:
    for key in reversed(path.split(".")):
        value = {key: value}
    mapping = {"version": 1, "destination": "meta", "events": {"Lead": {"parameters": value}}}
    assert [error.message for error in VALIDATOR.iter_errors(mapping)] == []


EXPECTED = [
    ({"event_name": "Purchase", "user_data": {"em": "a@b.example", "ln": None}}, True),
    ({"event_name": "MyOwn", "custom_data": {"contents": [{"id": "a"}], "mine": 1}}, True),
    ({"user_data": None}, True),
    ({"event_nam": "Purchase"}, False),
    ({"user_data": {"emm": "a@b.example"}}, False),
    ("Purchase", False),
]
REASONS = [
    ("missing", True), ({"code": "missing", "parameter": "user_data.em"}, True),
    ({"cod": "missing"}, False), ({"code": 1}, False), (1, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "item", "good"),
    [*(("events", *one) for one in EXPECTED), *((key, *one) for key in ("problems", "warnings") for one in REASONS)],
)
def test_both_agree_on_what_a_test_may_expect(key: str, item: Any, good: bool, compiled: Callable[..., Any]) -> None:
    test = {"name": "x", "now": "2026-03-01T12:00:00Z", "record": {}, key: [item]}
    program = compiled(SMALL + f"tests: {json.dumps([test])}\n")
    assert (not [one for one in check_tests(program) if one.level == "error"]) == good
    assert (not list(VALIDATOR.iter_errors(document.read(Path(program.files[0])).value))) == good


WRONG = {
    "a key at the top": SMALL + "evnts: {}\n",
    "a key of an event": SMALL.replace("when:", "whn:"),
    "the version": SMALL.replace("version: 1", "version: 2"),
    "a list for text": SMALL.replace("destination: meta", "destination: [meta]"),
    "text for a list": SMALL.replace("[user_data.em]", "user_data.em"),
    "ignore without when": SMALL + "ignore:\n  - {}\n",
    "a level of a rule": SMALL + "rules: {M15: fatal}\n",
    "a sample without its time": SMALL + "samples:\n  - file: a.jsonl\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_both_refuse_what_is_wrong(name: str) -> None:
    read = document.load(WRONG[name], "m.yaml")
    assert schema.check(read, RULES)
    assert list(VALIDATOR.iter_errors(read.value))
