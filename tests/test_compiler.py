"""What a mapping is told before any record is read, and that compiling stays quick."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.documents import document

SPECS = Path(__file__).parent / "specs" / "compile"
CASES: list[dict[str, Any]] = [
    one for path in sorted(SPECS.glob("*.yaml")) for one in document.read(path).value["cases"]
]


def problems_of(path: Path) -> list[mapper.Problem]:
    try:
        return list(mapper.load(path).warnings)
    except mapper.MappingError as error:
        return error.problems


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_every_problem_has_its_place(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(case["mapping"], encoding="utf-8")
    found = problems_of(path)
    assert [f"{one.span.line}:{one.span.column} {one.code}" for one in found] == case["problems"]
    for one in found:
        assert one.message
        assert one.span.file == str(path)


def test_a_large_mapping_compiles_quickly(tmp_path: Path) -> None:
    parameters = "".join(f'        p{i}: "{{{{ order.part_{i} | lower }}}}"\n' for i in range(16))
    event = (
        "  E{0}:\n    when: type == 'e{0}'\n    parameters:\n      event_time: 1772366000\n      event_id: x\n"
        '      action_source: other\n      user_data: {{em: "{{{{ email }}}}"}}\n      custom_data:\n'
    )
    text = "version: 1\ndestination: meta\nevents:\n" + "".join(event.format(i) + parameters for i in range(200))
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    program = mapper.load(path)
    assert time.process_time() - started < 40  # two in practice: this is against an explosion, not a slow machine
    assert len(program.transforms) == 200


WORDS = st.sampled_from(
    """
    version destination events let tables defaults ignore consent when for if each required parameters user_data
    custom_data em contents Lead value a meta event_time
    """.split()  # noqa: SIM905
)
TEXTS = st.sampled_from(
    [
        "{{ a }}",
        "{{ a | lower }}",
        "{{ a.b[0] }}",
        "item in a",
        "a == 1",
        "{{",
        "x",
        "",
        "meta",
        "other",
        "{{ a",
        "a and",
    ]
)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=16,
)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(WORDS, VALUES, max_size=6), st.dictionaries(WORDS, VALUES, max_size=4))
def test_no_mapping_raises_anything_but_its_problems(top: dict[str, Any], parameters: dict[str, Any]) -> None:
    import json

    from mapper.compiler.compiler import compile_mapping
    from mapper.compiler.mapping import read_mapping

    base = {"version": 1, "destination": "meta", "events": {"Lead": {"parameters": parameters}}}
    for value in (top, {**base, **{k: v for k, v in top.items() if k not in ("events", "destination")}}):
        try:
            compiled = compile_mapping(read_mapping(document.load(json.dumps(value), "m.yaml")))
        except mapper.MappingError:
            continue
        from mapper.events.program import Program

        Program(compiled).map({"a": [{"b": 1}]}, 1772366400)


def test_a_name_that_is_too_long_is_told_once_as_a_key_and_beside_one(tmp_path: Path) -> None:
    long = "TheNameOfAnEventThatHasMoreThanFiftyCharactersIsTooLong"
    parameters = "{event_time: '{{ at }}', event_id: x, action_source: other, user_data: {em: '{{ e }}'}}"
    (tmp_path / "m.yaml").write_text(
        f"version: 1\ndestination: meta\nevents:\n  {long}:\n    parameters: {parameters}\n"
        f"  Other:\n    event_name: {long}\n    parameters: {parameters}\n"
    )
    with pytest.raises(mapper.MappingError) as caught:
        mapper.load(tmp_path / "m.yaml")
    assert [(one.code, one.span.line, one.span.column) for one in caught.value.problems] == [
        ("bad-literal", 4, 3),
        ("bad-literal", 7, 17),
    ]
