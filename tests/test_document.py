"""YAML read strictly: values, problems and places; any text is a document or says what is wrong with it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapper.documents import document
from mapper.documents.document import Document, KeyPath
from mapper.documents.syntax_errors import CODES
from mapper.errors import MappingError, Problem, Span

SPECS = Path(__file__).parent / "specs" / "documents"


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["title"]) for case in document.read(SPECS / f"{name}.yaml").value["cases"]]


def problems(text: str) -> list[Problem]:
    with pytest.raises(MappingError) as refused:
        document.load(text, "m.yaml")
    return refused.value.problems


def said(span: Span) -> str:
    return f"{span.line}:{span.column}-{span.end}"


def steps(path: str) -> KeyPath:
    return tuple(int(step) if step.isdigit() else step for step in path.split("."))


def value_at(found: Document, path: KeyPath) -> Any:
    value = found.value
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("case", cases("values"))
def test_values(case: dict[str, Any]) -> None:
    found = document.load(case["text"], "m.yaml").value
    assert found == case["value"]
    assert repr(found) == repr(case["value"])


@pytest.mark.parametrize("case", cases("values"))
def test_values_without_the_c_library(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if "\\ud83d" in case["text"] or "\t" in case["text"] or "\\/" in case["text"]:
        return  # the parser in Python is stricter than JSON here
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert document.load(case["text"], "m.yaml").value == case["value"]


@pytest.mark.parametrize("case", cases("problems"))
def test_problems(case: dict[str, Any]) -> None:
    found = problems(case["text"])
    assert [f"{said(problem.span)} {problem.code}" for problem in found] == case["problems"]
    assert {problem.code for problem in found} <= CODES.keys()
    told = " ".join(f"{problem.message} {problem.hint}" for problem in found)
    for words in case.get("says", []):
        assert words in told


@pytest.mark.parametrize("case", cases("places"))
def test_places(case: dict[str, Any]) -> None:
    found = document.load(case["text"], "m.yaml")
    for path, place in case.get("values", {}).items():
        assert said(found.span(steps(path))) == place
    for path, place in case.get("keys", {}).items():
        assert said(found.span(steps(path), key=True)) == place
    for one in case.get("words", []):
        path = steps(one["path"])
        start = value_at(found, path).index(one["word"])
        assert said(found.locate(path, start, start + len(one["word"]))) == one["at"]


def test_every_code_has_a_spec() -> None:
    shown = {problem.split()[1] for case in cases("problems") for problem in case.values[0]["problems"]}
    elsewhere = {"no-such-file", "unreadable", "not-utf-8", "too-large", "too-deep", "too-many-values"}
    assert CODES.keys() - elsewhere == shown


def test_a_place_lies_within_a_value() -> None:
    found = document.load("a:\n  b: one\nc: two\n", "m.yaml")
    assert found.holds(("a",), found.span(("a", "b")))
    assert not found.holds(("a",), found.span(("c",)))


BOMBS = {
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merge keys": "a0: &a0 {k: 1}\n"
    + "".join(f"a{i + 1}: &a{i + 1}\n  <<: [{','.join([f'*a{i}'] * 10)}]\n" for i in range(8)),
    "many values": "[" + "1," * 100_001 + "]",
    "aliases that nest": "a0: &a0 [1]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(60)),
    "brackets": "[" * 200_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "question marks": "? " * 100_000,
    "closed brackets": "[" * 60 + "]" * 60,
    "a megabyte": "a: " + "x" * document.MAX_BYTES,
    "half a million letters of two bytes": "a: " + "é" * (document.MAX_BYTES // 2),
    "quotes": '"' * 99_999,
    "expressions without quotes": "".join(f"k{i}: {{{{ x }}}}\n" for i in range(10_000)),
    "at signs": "".join(f"k{i}: @x\n" for i in range(10_000)),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_end_soon(text: str) -> None:
    begun = time.process_time()
    found = problems(text)
    assert time.process_time() - begun < 15  # one in practice: this is against an explosion, not a slow machine
    assert len(found) <= 2 * document.MAX_FAULTS
    assert {problem.code for problem in found} <= {
        *("too-many-values", "too-deep", "too-large", "bad-key", "unquoted-expression", "bad-start"),
        *("unclosed-quote", "after-quote", "syntax"),
    }


def test_a_bomb_is_found_at_the_alias_that_is_too_much() -> None:
    [found] = problems(BOMBS["a billion laughs"])
    assert (found.code, found.span.line) == ("too-many-values", 5)
    [found] = problems(BOMBS["aliases that nest"])
    assert (found.code, found.span.line, found.span.column) == ("too-deep", 50, 12)


def test_merge_keys_that_hide_what_they_merge_do_not_pile_up() -> None:
    chain = "a0: &a0 {k: 1}\n" + "".join(
        f"a{i + 1}: {{<<: {{q: {{<<: &a{i + 1} {{<<: *a{i}}}}}, p: 1}}, q: 1}}\n" for i in range(200)
    )
    assert document.load(chain, "m.yaml").value["a200"] == {"p": 1, "q": 1}


def test_fifty_levels_are_enough() -> None:
    value: Any = document.load("[" * 50 + "]" * 50, "m.yaml").value
    for _ in range(50):
        assert isinstance(value, list)
        value = value[0] if value else None
    assert value is None


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"a: 1\n\xc3\xa9: \xff", "not-utf-8", "2:4-5"),
        ("a: é".encode("utf-16"), "not-utf-8", "1:1-2"),
        ("a: é".encode("latin-1"), "not-utf-8", "1:4-5"),
        (b"a: \x00", "bad-character", "1:4-5"),
        (b"x" * (document.MAX_BYTES + 1), "too-large", "1:1-2"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, code: str, place: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(data)
    with pytest.raises(MappingError) as refused:
        document.read(path)
    [problem] = refused.value.problems
    assert (problem.code, said(problem.span), problem.span.file) == (code, place, str(path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.yaml", "no-such-file"), (tmp_path, "unreadable")):
        with pytest.raises(MappingError) as refused:
            document.read(path)
        assert [problem.code for problem in refused.value.problems] == [code]


def test_files_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes('\ufeff{"a": "é"}'.encode())
    found = document.read(path)
    assert found.value == {"a": "é"}
    assert said(found.span(("a",))) == "1:7-10"


PIECES = [
    *("a", "b: ", "key: ", "- ", "\n", "\n  ", "\n    ", " ", "'", '"', "{{", "}}", "{", "}", "[", "]", ",", ": "),
    *(":", "#", " # c", "|\n", "|2\n", ">-\n", "&x ", "*x", "<<: ", "!", "!!str ", "%", "@", "`", "\t", "\r\n"),
    *("\u2028", "\x85", "\\", "\\n", "\\ud83d\\ude00", "\\x", "? ", "---\n", "...\n", "null", "true", "12", "1.5"),
    *("é", "😀", "\ufeff", "~", "=", "\u00a0", "''", "\\\n"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60)


def walk(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield from walk(inner, (*path, step))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_any_text_is_a_document_or_says_what_is_wrong(text: str) -> None:
    lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text.removeprefix("\ufeff"))

    def inside(span: Span) -> str:
        line = lines[span.line - 1]
        assert 1 <= span.column <= len(line) + 1
        assert span.column < span.end <= len(line) + 2
        return line[span.column - 1 : span.end - 1]

    try:
        found = document.load(text, "m.yaml")
    except MappingError as error:
        for problem in error.problems:
            inside(problem.span)
        assert error.problems, "a refusal without a reason"  # noqa: PT017
        return
    for path, value in walk(found.value):
        inside(found.span(path))
        inside(found.span(path, key=True))
        for i, character in enumerate(value if isinstance(value, str) else ""):
            written = inside(found.locate(path, i, i + 1))
            assert written.startswith((character, "\\")) or character in " \n\x85\u2028\u2029"


def large() -> str:
    """A mapping of 200 events with 20 parameters each."""
    names = "".join(f'        p{i}: "{{{{ order.part_{i} | lower }}}}"\n' for i in range(20))
    event = (
        "  E{}:\n    when: type == 'e{}'\n    required: [custom_data.p1]\n    parameters:\n      custom_data:\n" + "{}"
    )
    return "version: 1\nevents:\n" + "".join(event.format(i, i, names) for i in range(200))


def test_a_large_file_is_read_fast() -> None:
    text = large()
    begun = time.process_time()
    found = document.load(text, "m.yaml")
    for path, value in walk(found.value):
        if isinstance(value, str):
            found.locate(path, 3, 5)
    assert time.process_time() - begun < 10
