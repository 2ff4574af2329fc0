"""The mapping language, said in mappings that hold their own tests, and properties of what is compiled."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.authoring.specs import run_tests
from mapper.compiler.projection import label

from .conftest import NOW, ROOT

SPECS = sorted((Path(__file__).parent / "specs" / "language").glob("*.yaml"))
PROGRAMS = [(mapper.load(path), mapper.load(path, full=True)) for path in (*SPECS, *(ROOT / "mappings").glob("*.yaml"))]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_mapping_does_what_its_tests_say(path: Path) -> None:
    failed = [
        (one.name, [d.message for d in one.differences]) for one in run_tests(mapper.load(path)) if not one.passed
    ]
    assert failed == []


WORDS = st.sampled_from(
    """
    kind id at email lines sku quantity order people name user props total a b c d z n t items zip first last step size
    guest customer consent ads type event topic data object context traits properties products line_items price
    """.split()  # noqa: SIM905
)
KINDS = st.sampled_from(
    ["order", "batch", "nested", "probe", "whole", "long", "paid", "track", "page", "orders/paid", "event"]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | KINDS
)
LEAVES |= st.text(max_size=8) | st.sampled_from(["a@b.example", "2026-03-01T11:00:00Z", "", "  ", "EUR", "12.5"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
RECORDS = st.dictionaries(WORDS, VALUES, max_size=8)


@settings(max_examples=300, deadline=None)
@given(RECORDS, KINDS)
def test_projected_and_whole_decoding_give_the_same(record: dict[str, Any], kind: str) -> None:
    record = {**record, "kind": kind}
    try:
        line = msgspec.json.encode(record)
    except UnicodeEncodeError:
        return
    for projected, whole in PROGRAMS:
        assert projected.map(line, NOW) == whole.map(line, NOW)


GLANCING = [(mapper.load(path), mapper.load(path)) for path in (*SPECS, *(ROOT / "mappings").glob("*.yaml"))]
for _glancing, _ in GLANCING:
    _glancing._ignores_most = True


def _is_text(record: dict[str, Any]) -> bool:
    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS, max_size=3), st.lists(st.binary(max_size=40), max_size=2), KINDS)
def test_a_glance_at_what_is_mostly_ignored_changes_nothing(
    records: list[dict[str, Any]], broken: list[bytes], kind: str
) -> None:
    lines = [msgspec.json.encode({**record, "kind": kind}) for record in records if _is_text(record)]
    lines += (
        broken + [line[:-1] for line in lines] + [b"[1]", b"{}", b'"text"', b'{"kind":"' + kind.encode() + b'\xff"}']
    )
    for glancing, plain in GLANCING:
        assert glancing._ignores_most
        assert list(glancing.map_lines(lines, NOW)) == [plain.map(line, NOW) for line in lines]


def test_some_mappings_can_be_told_at_a_glance_and_lines_turn_it_on_and_off() -> None:
    assert len([1 for program, _ in GLANCING if program._glance is not None]) > 5
    program = mapper.load(ROOT / "mappings" / "storefront.yaml")
    nothing = [b'{"kind":"nothing"}'] * 99
    assert {result.reason for result in program.map_lines(nothing, NOW)} == {"no-event"}
    assert program._ignores_most
    assert {result.reason for result in program.map_lines(nothing, NOW)} == {"no-event"}
    assert len(list(program.map_lines([b"broken"] * 99, NOW))) == 99
    assert not program._ignores_most


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | VALUES.map(lambda value: msgspec.json.encode(repr(value))))
def test_no_line_raises(line: bytes) -> None:
    for program, _ in PROGRAMS:
        result = program.map(line, NOW)
        assert not result.events or not result.ignored


def test_generated_code_reads_only_what_we_named() -> None:
    for program, _ in PROGRAMS:
        for transform in program.transforms:
            reads_only_what_we_named(transform.tree)
            assert any(isinstance(node, ast.Attribute | ast.Name) for node in ast.walk(transform.tree))


def reads_only_what_we_named(tree: ast.AST) -> None:
    """docs/decisions/0001: attributes are ``k`` and digits, names are ours, and there is no other way into Python."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr[0] == "k"
            assert node.attr[1:].isdigit()
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
        assert not isinstance(node, ast.Import | ast.ImportFrom | ast.Lambda | ast.Global | ast.Nonlocal)


def test_the_same_record_and_clock_give_the_same_bytes() -> None:
    program = mapper.load(ROOT / "mappings" / "storefront.yaml")
    line = (ROOT / "mappings" / "samples" / "storefront.jsonl").read_bytes().splitlines()[5]
    first = [event.encoded for event in program.map(line, NOW).events]
    assert first == [event.encoded for event in program.map(line, NOW).events]
    assert first == [event.encoded for event in program.map(msgspec.json.decode(line), NOW).events]


def test_a_failure_points_into_the_mapping_and_shows_its_line(tmp_path: Path) -> None:
    import traceback

    from mapper.errors import RecordError
    from mapper.language.values import Context

    path = tmp_path / "m.yaml"
    text = (Path(__file__).parent / "specs" / "language" / "shapes.yaml").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    program = mapper.load(path)
    record = {"kind": "long", "at": 1772366000123, "one": "a@b.example"}
    problem = program.map(record, NOW).problems[0]
    assert problem.span is not None
    line = text.splitlines()[problem.span.line - 1]
    assert line[problem.span.column - 1 : problem.span.end - 1].endswith("to_time(zone='Europe/Berlin')")
    assert problem.parameter == "event_time"
    data = program.compiled.projection.decoder.decode(msgspec.json.encode(record))
    try:
        program.transforms[1].function(data, Context(NOW))
    except RecordError:
        shown = traceback.format_exc()
    assert f'File "{path}", line {problem.span.line}' in shown
    assert "to_time(zone='Europe/Berlin')" in shown


def test_an_included_file_keeps_its_own_places(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text('let:\n  total: "{{ cents / parts }}"\n')
    (tmp_path / "m.yaml").write_text(
        "version: 1\ndestination: meta\ninclude: [shared.yaml]\nevents:\n  Lead:\n    parameters:\n"
        "      event_time: 1772366000\n      action_source: other\n      event_id: x\n"
        '      user_data: {em: a@b.example}\n      custom_data: {score: "{{ total }}"}\n'
    )
    program = mapper.load(tmp_path / "m.yaml")
    problem = program.map({"cents": 1, "parts": 0}, NOW).problems[0]
    assert (problem.code, str(problem.span)) == ("division-by-zero", f"{tmp_path / 'shared.yaml'}:2:14")


def test_an_object_that_comes_out_empty_says_why(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "version: 1\ndestination: meta\nevents:\n  Lead:\n    required: [event_id]\n    parameters:\n"
        '      event_time: 1772366000\n      action_source: other\n      event_id: "{{ id }}"\n'
        '      user_data: {em: "{{ mail }}", ph: "{{ phone }}"}\n'
    )
    program = mapper.load(tmp_path / "m.yaml")
    said = [
        [f"{one.parameter}: {one.message}" for one in program.map({"id": "x", **record}, NOW).problems]
        for record in ({}, {"mail": "nobody"}, {"mail": "nobody", "phone": "call me"})
    ]
    assert said == [
        ["user_data: user_data is required and empty: the record has none of mail, phone"],
        ["user_data: user_data is required, and what there is could not be used: "
         "user_data.em (it is not an e-mail address)"],
        ["user_data: user_data is required, and what there is could not be used: "
         "user_data.em (it is not an e-mail address), user_data.ph (it is not a phone number)"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("order", "lines"), "order.lines"),
        (("Order ID",), "record['Order ID']"),
        (("order", "first line", "sku"), "order['first line'].sku"),
    ],
)
def test_paths_are_said_as_an_author_writes_them(path: tuple[str, ...], said: str) -> None:
    assert label(path) == said


def test_what_an_object_lacks_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "version: 1\ndestination: meta\nevents:\n  Lead:\n    required: [event_id, user_data.em]\n    parameters:\n"
        '      event_time: 1772366000\n      action_source: other\n      event_id: "{{ id }}"\n'
        '      user_data: {em: "{{ mail }}"}\n'
    )
    problems = mapper.load(tmp_path / "m.yaml").map({}, NOW).problems
    assert [one.parameter for one in problems] == ["event_id", "user_data.em"]


@pytest.mark.parametrize("record", [None, 5, [1], (1,), object(), bytearray(b"{"), memoryview(b" ")])
def test_what_is_no_record_is_said_never_raised(record: Any) -> None:
    [problem] = mapper.load(ROOT / "mappings" / "storefront.yaml").map(record, NOW).problems
    assert problem.code == ("not-json" if isinstance(record, bytearray | memoryview) else "not-an-object")
