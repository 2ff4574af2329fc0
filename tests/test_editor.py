"""The JSON Schema for editors: it takes every shipped mapping, and agrees with the checks on what is wrong."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from mapper import document, schema
from mapper.destination import load_destination
from mapper.editor import json_schema
from mapper.mapping import RULES

from .conftest import ROOT, SMALL

SCHEMA = json_schema(load_destination("meta"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    lead = SCHEMA["properties"]["events"]["properties"]["Lead"]["properties"]
    person = lead["parameters"]["properties"]["user_data"]["anyOf"][0]["properties"]
    assert person["em"]["description"].startswith("Email.")
    assert "Never hashed." in person["client_ip_address"]["description"]


@pytest.mark.parametrize("path", sorted((ROOT / "mappings").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_mappings_are_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document.read(path).value)] == []


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
