"""No mapping and no record can hang the program or eat the machine: each of these tries to, and is refused in time."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest

import mapper

from .conftest import NOW

LITERALS = f"[{','.join(map(str, range(1_500)))}]"
DOUBLED = {f"a{i}": f"{{{{ [a{i - 1}, a{i - 1}] }}}}" for i in range(1, 41)}
OBJECTS = {f"a{i}": f"{{{{ {{'a': a{i - 1}, 'b': a{i - 1}}} }}}}" for i in range(1, 41)}
RECORD = {
    "text": "x y" * 300_000,
    "numbers": list(range(5_000)),
    "objects": [{"k": "v" * 10}] * 5_000,
    "keys": {f"k{i}": i for i in range(5_000)},
    "ones": ["1"] * 10_000,
    "many": list(range(10_000)),
}

VALUES: dict[str, Any] = {
    "one text, ten thousand times": {"for": "x in many", "each": {"a": "{{ text }}"}},
    "a text that is named nine hundred times": f"{{{{ [{', '.join(['text'] * 900)}] }}}}",
    "a text of nine hundred texts": f"{{{{ {' ~ '.join(['text'] * 900)} }}}}",
    "a list joined by a text": "{{ many | join(text) }}",
    "keys joined by a text": "{{ {'a': keys} | flatten(text) }}",
    "a text for each member": "{{ ones | map('replace', '1', text) }}",
    "every member looked for in the list": "{{ many | select('in', many) }}",
    "every object looked for in the list": "{{ objects | selectattr('k', 'in', objects) }}",
    "loops in loops": {
        "for": f"a in {LITERALS}",
        "each": {"b": {"for": f"b in {LITERALS}", "each": {"c": "{{ a + b }}"}}},
    },
    "a pattern for each of many": {
        "for": f"a in {LITERALS}",
        "each": {"b": "{{ ('x' * 65536) | regex_replace('x', 'y') }}"},
    },
    "a text that grows and grows": "{{ ones | map('regex_replace', '1', '" + "1" * 90 + "')"
    " | map('regex_replace', '1', '" + "1" * 90 + "') | map('regex_replace', '1', '" + "1" * 90 + "') }}",
}
NAMED: dict[str, tuple[dict[str, str], str]] = {
    "lists of lists": ({"a0": "{{ [1] }}", **DOUBLED}, "{{ a40 }}"),
    "lists of lists as text": ({"a0": "{{ [1] }}", **DOUBLED}, "{{ a40 | tojson }}"),
    "lists of lists, compared": ({"a0": "{{ [1] }}", **DOUBLED}, "{{ a40 == [a39, a39] }}"),
    "lists of lists, flat": ({"a0": "{{ [1] }}", **DOUBLED}, "{{ a40 | flatten }}"),
    "objects of objects, flat": ({"a0": "{{ {'a': 1} }}", **OBJECTS}, "{{ a40 | flatten }}"),
    "objects of objects, merged": ({"a0": "{{ {'a': 1} }}", **OBJECTS}, "{{ a40 | merge(a40, deep=true) }}"),
}


def program(tmp_path: Path, event: dict[str, Any], lets: dict[str, str] | None = None) -> mapper.Program:
    parameters = {"event_time": NOW, "action_source": "other", "event_id": "x", "user_data": {"em": "a@b.example"}}
    event = {**event, "parameters": {**parameters, **event["parameters"]}}
    path = tmp_path / "m.yaml"
    path.write_text(json.dumps({"version": 1, "destination": "meta", "let": lets or {}, "events": {"Lead": event}}))
    return mapper.load(path)


def refused(mapping: mapper.Program) -> mapper.Result:
    """What a record gives, which is refused soon and without much memory."""
    line = json.dumps(RECORD).encode()
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    result = mapping.map(line, NOW)
    assert time.process_time() - begun < 10  # one or two in practice
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    assert {problem.code for problem in result.problems} == {"limit"}
    return result


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_one_value(value: Any, tmp_path: Path) -> None:
    assert not refused(program(tmp_path, {"parameters": {"custom_data": {"x": value}}})).events


@pytest.mark.parametrize(("lets", "value"), NAMED.values(), ids=NAMED.keys())
def test_names_of_names(lets: dict[str, str], value: str, tmp_path: Path) -> None:
    assert not refused(program(tmp_path, {"parameters": {"custom_data": {"x": value}}}, lets)).events


@pytest.mark.parametrize("value", ["{{ text }}", "{{ keys }}", {"for": "y in many", "each": {"a": "{{ y }}"}}], ids=str)
def test_an_event_for_each_of_many(value: Any, tmp_path: Path) -> None:
    found = refused(program(tmp_path, {"for": "x in many", "parameters": {"custom_data": {"x": value}}})).events
    assert sum(len(event.encoded) for event in found) < 60_000_000


def test_the_next_record_has_its_own_share(tmp_path: Path) -> None:
    mapping = program(tmp_path, {"parameters": {"custom_data": {"x": VALUES["a text of nine hundred texts"]}}})
    refused(mapping)
    assert mapping.map({"text": "short"}, NOW).events


def test_texts_that_are_written_out_do_not_grow(tmp_path: Path) -> None:
    lets = {"a0": "{{ 'xx' }}", **{f"a{i}": f"{{{{ a{i - 1} ~ a{i - 1} }}}}" for i in range(1, 31)}}
    with pytest.raises(mapper.MappingError) as error:
        program(tmp_path, {"parameters": {"custom_data": {"x": "{{ a30 }}"}}}, lets)
    assert "limit" in {problem.code for problem in error.value.problems}
