"""Cerberus rules checked against files: every problem at its place, in plain words."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.compiler.mapping import RULES
from mapper.documents import document, schema
from mapper.errors import Problem

SPECS = Path(__file__).parent / "specs" / "schema"


def found(text: str, rules: dict[str, Any], path: document.KeyPath = ()) -> list[Problem]:
    return schema.check(document.load(text, "m.yaml"), rules, path=path)


def lines(problems: list[Problem]) -> list[str]:
    return [f"{p.span.line}:{p.span.column}-{p.span.end} {p.code}" for p in problems]


@pytest.mark.parametrize("case", document.read(SPECS / "files.yaml").value["cases"], ids=lambda case: case["title"])
def test_mapping_files(case: dict[str, Any]) -> None:
    problems = found(case["text"], RULES)
    assert lines(problems) == case["problems"]
    assert {problem.code for problem in problems} <= schema.CODES.keys()
    told = " ".join(f"{problem.message}. {problem.hint}" for problem in problems)
    for words in case.get("says", []):
        assert words in told


LIMITS: dict[str, Any] = {
    "pair": {"type": "list", "minlength": 2, "maxlength": 2},
    "name": {"type": "string", "minlength": 1, "regex": "[a-z]+"},
    "age": {"type": "integer", "min": 1, "max": 9},
    "either": {"excludes": "pair"},
    "both": {"dependencies": ["name"]},
    "kinds": {"type": "list", "allowed": ["website", "app"]},
}


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("pair: [1]", "1:7-10 too-short", "'pair' takes at least 2 of them"),
        ("pair: [1, 2, 3]", "1:7-16 too-long", "'pair' takes at most 2 of them"),
        ("age: 0", "1:6-7 too-small", "'age' is at least 1"),
        ("age: 10", "1:6-8 too-large", "'age' is at most 9"),
        ("name: A1", "1:7-9 not-allowed", "does not have the form '[a-z]+'"),
        ("either: 1\npair: [1, 2]", "1:9-10 not-allowed", "cannot stand beside"),
        ("both: 1", "1:7-8 missing-key", "needs"),
        ("kinds: [website, ap]", "1:8-21 not-allowed", "'kinds' cannot be this"),
    ],
)
def test_limits(text: str, expected: str, words: str) -> None:
    [problem] = found(text, LIMITS)
    assert lines([problem]) == [expected]
    assert words in problem.message


def test_a_part_of_a_file_can_be_checked() -> None:
    text = "a:\n  b:\n    - age: 1\n      nmae: x\n"
    [problem] = found(text, LIMITS, ("a", "b", 0))
    assert lines([problem]) == ["4:7-11 unknown-key"]
    assert problem.hint == "Did you mean 'name'?"
    [problem] = found(text, LIMITS, ("a", "b"))
    assert lines([problem]) == ["3:5-13 wrong-type"]


def test_what_is_said_about_keys_is_no_rule() -> None:
    rules = {"a": {"type": "string", "meta": {"about": "A name.", "examples": ["x"]}}}
    assert found("a: x", rules) == []
    assert lines(found("a: 1", rules)) == ["1:4-5 wrong-type"]
    [key] = schema.describe(rules)
    assert (key.path, key.takes, key.about, key.examples) == ("a", "text", "A name.", ("x",))


def test_keys_of_the_items_of_a_list_are_described_behind_it() -> None:
    described = {key.path: key.takes for key in schema.describe(RULES)}
    assert described["samples"] == "a list"
    assert described["samples[].file"] == "text"
    assert described["version"] == "`1`"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.sampled_from(["x", "meta", "error", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["when", "events", "for", "file", "values", "wehn", "X"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*RULES, "evnets"]), VALUES, max_size=4))
def test_any_file_gives_problems_inside_it(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    read = document.load(text, "m.json")
    for problem in schema.check(read, RULES):
        assert problem.span.line == 1
        assert problem.span.column <= len(text)
        assert problem.message
        assert problem.code in schema.CODES


def test_a_large_file_is_checked_fast() -> None:
    parameters = "".join(f'        p{i}: "{{{{ order.part_{i} }}}}"\n' for i in range(20))
    text = "version: 1\nevents:\n" + "".join(
        f"  E{i}:\n    when: type == 'e'\n    required: [x]\n    parameters:\n      custom_data:\n{parameters}"
        for i in range(200)
    )
    good = document.load(text, "m.yaml")
    bad = document.load(text.replace("when:", "wehn:").replace("[x]", "x"), "m.yaml")
    begun = time.process_time()
    assert schema.check(good, RULES) == []
    assert time.process_time() - begun < 5
    assert len(schema.check(bad, RULES)) == 400
    assert time.process_time() - begun < 15
