"""What is explained is what the compiled mapping did, and says no value unless asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.cli.story import as_dict, told
from mapper.events.explain import LITERAL, SENT, Explanation, ItemTrace, ParameterTrace, explain
from mapper.events.stepping import held, kind

from .conftest import NOW, ROOT, SMALL
from .test_cli import run

Compile = Callable[..., mapper.Program]
SECRET = "jane.sentinel@example.com"

WIDE = """\
version: 1
destination: meta
tables: {names: {a: Alpha}}
let:
  buyer: "{{ coalesce(customer, guest) }}"
  total: "{{ cents / 100 }}"
ignore:
  - when: type is startswith('internal.')
defaults:
  event_time: "{{ at }}"
  action_source: website
  event_source_url: https://shop.example/
  user_data:
    em: ["{{ buyer.email }}", "{{ other }}"]
    zp: "{{ zip }}"
    country: "{{ country }}"
    client_user_agent: "{{ agent }}"
    client_ip_address: "{{ ip }}"
events:
  Purchase:
    when: (type == 'paid' or type == 'captured') and not test
    parameters:
      event_id: "o-{{ id | upper }}"
      custom_data:
        currency: "{{ currency | trim | upper }}"
        value: "{{ total }}"
        content_name: {value: "{{ code | lookup('names') }}", if: code}
        contents:
          for: line in lines
          if: line.quantity > 0
          each: {id: "{{ line.sku }}", quantity: "{{ line.quantity }}"}
  Search:
    for: term in terms
    if: term
    parameters:
      event_id: "{{ id }}-{{ term }}"
      custom_data: {search_string: "{{ term }}"}
"""
WHOLE = {
    "type": "paid", "at": NOW - 60, "id": "abc", "cents": 1999, "currency": " eur", "code": "a", "agent": "M",
    "ip": "203.0.113.7", "zip": "10115", "country": "DE", "other": None,
    "customer": {"email": SECRET}, "terms": ["shoes", ""],
    "lines": [{"sku": "S1", "quantity": 2}, {"sku": "S2", "quantity": 0}, {"sku": "S3", "quantity": 1}],
}  # fmt: skip


def traced(explanation: Explanation, event: str = "") -> dict[str, ParameterTrace]:
    """The parameters of the first event in the making, by path."""
    found = next(one for one in explanation.events if event in ("", one.key))
    return {one.path: one for one in found.items[0].parameters}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of an event, by path. A list of plain values is one leaf."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{path}[{index}]")
    else:
        yield path, value


def assembled(item: ItemTrace) -> dict[str, Any]:
    """The leaves that the traces of one event come to, with positions that close up where an item gave nothing."""
    found: dict[str, Any] = {}
    numbers: dict[str, dict[str, int]] = {}
    for one in item.parameters:
        if one.outcome not in (SENT, LITERAL) or one.path == "event_name":
            continue
        head, bracket, rest = one.path.partition("[")
        number, _, below = rest.partition("]")
        if bracket and below:
            seen = numbers.setdefault(head, {})
            found[f"{head}[{seen.setdefault(number, len(seen))}]{below}"] = one.sent
        elif bracket:
            found.setdefault(head, []).extend(one.sent if isinstance(one.sent, list) else [one.sent])
        else:
            found[one.path] = one.sent
    return found


@pytest.mark.parametrize("name", ["storefront", "waitlist"])
def test_the_steps_come_to_what_the_compiled_mapping_makes(name: str) -> None:
    program = mapper.load(ROOT / "mappings" / f"{name}.yaml")
    path = ROOT / "mappings" / "samples" / f"{name}.jsonl"
    replay = program.replay(path)
    assert replay is not None
    seen = 0
    for line in path.read_bytes().splitlines()[::29]:
        result = program.map(line, replay.recorded)
        if any(not problem.event for problem in result.problems) or not line.strip():
            continue
        explanation = explain(program, line, replay.recorded)
        assert explanation.result == result
        tried = {event.key for event in explanation.events if event.items}
        assert {event.key for event in result.events} | {problem.event for problem in result.problems} <= tried
        for event in result.events:
            trace = next(one for one in explanation.events if one.key == event.key)
            made = dict(flat(event.parameters))
            made.pop("event_name")
            assert assembled(trace.items[0]) == made
            seen += 1
    assert seen > 20


def test_every_kind_of_parameter(compiled: Compile) -> None:
    program = compiled(WIDE)
    explanation = explain(program, WHOLE, NOW)
    assert explanation.result.problems == ()
    for key, count in (("Purchase", 1), ("Search", 1)):
        events = [one for one in explanation.result.events if one.key == key]
        assert len(events) == count
        trace = next(one for one in explanation.events if one.key == key)
        made = dict(flat(events[0].parameters))
        made.pop("event_name")
        assert assembled(trace.items[0]) == made
    purchase = traced(explanation, "Purchase")
    assert [step.text for step in purchase["custom_data.currency"].steps] == ["| trim", "| upper"]
    assert purchase["custom_data.currency"].steps[1].value == "EUR"
    assert [step.value for step in purchase["event_id"].steps] == ["ABC"]
    assert purchase["custom_data.contents[1]"].outcome == "skipped"
    assert purchase["custom_data.contents[2].id"].reads[0].value == "S3"
    assert purchase["user_data.em[1]"].reason == "the record has no other"
    assert purchase["user_data.zp"].cleaned == "cleaned as postal code, by user_data.country, hashed (SHA-256)"
    search = next(one for one in explanation.events if one.key == "Search")
    assert search.loop is not None
    assert search.loop.about == "a list of 2"
    assert [item.condition.answer for item in search.items if item.condition] == [True, False]


def test_which_part_of_a_condition_decided(compiled: Compile) -> None:
    program = compiled(WIDE)
    decided = explain(program, {"type": "captured", "test": True}, NOW).events[0].when
    assert decided is not None
    assert [part.answer for part in decided.parts] == [True, False]
    assert [part.answer for part in decided.parts[0].parts] == [False, True]
    decided = explain(program, {"type": "other"}, NOW).events[0].when
    assert decided is not None
    assert [part.answer for part in decided.parts] == [False, None]
    assert [part.text for part in decided.parts[0].parts] == ["type == 'paid'", "type == 'captured'"]


def test_an_ignored_record_says_by_which_rule(compiled: Compile) -> None:
    explanation = explain(compiled(WIDE), {"type": "internal.ping"}, NOW)
    assert explanation.result.reason == "rule"
    assert [rule.answer for rule in explanation.ignore] == [True]
    assert explanation.events == ()


def test_an_event_asked_for_by_name_is_explained_even_if_it_is_not_made(compiled: Compile) -> None:
    explanation = explain(compiled(WIDE), {**WHOLE, "type": "internal.ping"}, NOW, event="Purchase")
    assert [event.key for event in explanation.events] == ["Purchase"]
    assert traced(explanation)["event_id"].outcome == SENT


@pytest.mark.parametrize(
    ("change", "path", "outcome", "reason"),
    [
        ({"cents": "many"}, "custom_data.value", "failed", "[wrong-type]"),
        ({"currency": "euros"}, "custom_data.currency", "dropped", "[bad-currency]"),
        ({"currency": None}, "custom_data.currency", "empty", "the record has no currency"),
        ({"code": None}, "custom_data.content_name", "skipped", "its 'if' is false"),
        ({"code": "zzz"}, "custom_data.content_name", "empty", "it came out empty"),
        ({"lines": []}, "custom_data.contents", "empty", "there is nothing to go over"),
        ({"lines": [{"sku": "a", "quantity": "x"}]}, "custom_data.contents[0]", "failed", "[wrong-type]"),
        ({"customer": {}, "guest": {}}, "user_data.em[0]", "empty", "none of customer.email, guest.email"),
    ],
)
def test_why_a_parameter_is_not_sent(
    change: dict[str, Any], path: str, outcome: str, reason: str, compiled: Compile
) -> None:
    found = traced(explain(compiled(WIDE), {**WHOLE, **change}, NOW), "Purchase")[path]
    assert found.outcome == outcome
    assert reason in found.reason


def test_what_is_no_record_is_not_explained(compiled: Compile) -> None:
    program = compiled()
    for line in (b"nonsense", b"[1]", b"\xff"):
        explanation = explain(program, line, NOW)
        assert explanation.events == ()
        assert len(explanation.result.problems) == 1


@pytest.mark.parametrize("colour", [False, True])
def test_no_value_is_told_unless_asked(colour: bool, compiled: Compile) -> None:
    program = compiled(WIDE)
    for record in (
        WHOLE,
        {**WHOLE, "currency": SECRET, "cents": SECRET, "type": SECRET, "lines": SECRET, "at": SECRET},
    ):
        explanation = explain(program, record, NOW, event="Purchase")
        text = "\n".join(told(explanation, values=False, colour=colour))
        assert SECRET not in text
        assert "sentinel" not in json.dumps(as_dict(explanation, values=False))
    shown = "\n".join(told(explain(program, WHOLE, NOW), values=True, colour=colour))
    assert SECRET in shown


def test_every_outcome_is_told_the_same_with_and_without_colour(compiled: Compile) -> None:
    program = compiled(WIDE)
    for change in ({}, {"currency": "euros"}, {"cents": "x"}, {"type": "x"}, {"type": "internal."}, {"lines": []}):
        explanation = explain(program, {**WHOLE, **change}, NOW)
        plain = "\n".join(told(explanation, values=True, colour=False))
        assert "\x1b" not in plain
        assert re.sub("\x1b\\[[0-9;]*m", "", "\n".join(told(explanation, values=True, colour=True))) == plain


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        (" ", "blank text"),
        ("a", "text, 1 character"),
        (True, "true or false"),
        (1, "a whole number"),
        (1.5, "a number"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        ({}, "an empty object"),
        ({"a": 1}, "an object with 1 key"),
    ],
)
def test_kinds(value: Any, words: str) -> None:
    assert kind(value) == words


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"a": {"b": "xy"}}, "text, 2 characters"),
        ({"a": {}}, "empty: a has no 'b'"),
        ({}, "empty: the record has no 'a'"),
        ({"a": None}, "empty: a is null"),
        ({"a": "text"}, "empty: a is text, 4 characters"),
        ({"a": {"b": None}}, "empty: it is null"),
        ({"a": {"b": ""}}, "empty: blank text"),
        ({"a": [{"b": 1}, {"b": 2}]}, "a whole number, in 2 of 2 items"),
        ({"a": [{"b": 1}, {}]}, "a whole number, in 1 of 2 items"),
        ({"a": [{}, {}]}, "empty in all of 2 items"),
        ({"a": []}, "empty in all of 0 items"),
    ],
)
def test_what_a_path_holds(record: Any, words: str) -> None:
    assert held(record, ("a", "b"), "a.b").about == words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(WIDE)
    (tmp_path / "r.jsonl").write_text('{"type": "x"}\n' + json.dumps(WHOLE) + "\n")
    (tmp_path / "one.json").write_text(json.dumps(WHOLE, indent=2))
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def test_the_command(folder: Path) -> None:
    found = run("explain", "m.yaml", "r.jsonl", "--line", "2", "--now", str(NOW), cwd=folder)
    assert found.returncode == 0
    text = found.stdout.decode()
    assert text.startswith("r.jsonl:2\n")
    assert "The record is mapped: Purchase, Search." in text
    assert "{{ currency | trim | upper }}" in text
    assert SECRET not in text
    named = run("explain", "m.yaml", "--record", "r.jsonl", "--line", "2", "--now", str(NOW), cwd=folder)
    assert named.stdout == found.stdout
    whole = run("explain", "m.yaml", "one.json", "--now", str(NOW), "--show-values", cwd=folder).stdout.decode()
    assert SECRET in whole
    one = run("explain", "m.yaml", "one.json", "--parameter", "custom_data.currency", "--now", str(NOW), cwd=folder)
    assert "user_data" not in one.stdout.decode()
    assert "custom_data.currency" in one.stdout.decode()
    as_json = run("explain", "m.yaml", "-", "--format", "json", cwd=folder, stdin=b'{"type": "x"}')
    assert json.loads(as_json.stdout)["outcome"] == "ignored"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["r.jsonl", "--line", "9"], "r.jsonl has no line 9"),
        (["r.jsonl", "--event", "Purchas"], "the mapping has no event 'Purchas'"),
        (["nowhere.jsonl"], "there is no file nowhere.jsonl"),
        ([], "Missing argument 'RECORD'"),
        (["r.jsonl", "--record", "r.jsonl"], "Name the record once"),
    ],
)
def test_the_command_refuses(arguments: list[str], message: str, folder: Path) -> None:
    found = run("explain", "m.yaml", *arguments, cwd=folder)
    assert found.returncode == 2
    assert message in found.stderr.decode()


def test_a_dead_letter_is_opened(folder: Path) -> None:
    bad = json.dumps({**WHOLE, "currency": "euros"}, separators=(",", ":"))
    (folder / "in.jsonl").write_text(f'{bad}\nnot json\n{{"type": "x"}}\n')
    now = str(NOW)
    needs = '    required: [custom_data.currency]\n    parameters:\n      event_id: "o-'
    (folder / "m.yaml").write_text(WIDE.replace('    parameters:\n      event_id: "o-', needs))
    assert run("map", "m.yaml", "in.jsonl", "--now", now, "--dead-letters", "dead.jsonl", cwd=folder).returncode == 1
    found = run("explain", "m.yaml", "dead.jsonl", "--now", now, "--event", "Purchase", cwd=folder)
    assert found.stdout.decode().startswith("in.jsonl:1\n")
    assert "could not be used: it is no currency" in found.stdout.decode()
    assert "dead.jsonl:1 is a dead letter" in found.stderr.decode()
    second = run("explain", "m.yaml", "dead.jsonl", "--line", "2", "--now", now, cwd=folder).stdout.decode()
    assert second.startswith("in.jsonl:2\n")
    assert "The record is dead: the line is not valid JSON" in second
