"""Problems as they are shown: the line, the carets, the summary, and nothing that could steer a terminal."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.authoring.diagnostics import MAX_WIDTH, as_github, as_json, as_sarif, excerpt, render, summary
from mapper.documents import document
from mapper.errors import Problem, Span
from mapper.showing import visible

SPECS = Path(__file__).parent / "specs" / "diagnostics"
CASES = [case for path in sorted(SPECS.glob("*.yaml")) for case in document.read(path).value["cases"]]


def written(text: str, folder: Path, name: str = "m.yaml") -> str:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)


def problem(file: str, line: int, column: int, end: int, level: Any = "error", hint: str = "") -> Problem:
    return Problem(Span(file, line, column, end), "a-code", "a message", hint, level)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_excerpts(case: dict[str, Any], tmp_path: Path) -> None:
    file = written(case["text"], tmp_path)
    assert excerpt(Span(file, case.get("line", 1), *case["columns"])) == case["shown"].rstrip("\n").split("\n")


def test_a_problem_whole(tmp_path: Path) -> None:
    file = written("version: 1\nemial: x\n", tmp_path)
    found = render([problem(file, 2, 1, 6, hint="Did you mean 'email'?"), problem(file, 1, 10, 11, "warning")])
    assert found.replace(file, "m.yaml") == (
        "m.yaml:2:1: a message [a-code]\n"
        "    2 | emial: x\n"
        "      | ^^^^^\n"
        "   help: Did you mean 'email'?\n"
        "\n"
        "m.yaml:1:10: warning: a message [a-code]\n"
        "    1 | version: 1\n"
        "      |          ^\n"
        "\n"
        "1 error, 1 warning"
    )


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ("", ""),
        ("e", "1 error"),
        ("w", "1 warning"),
        ("eew", "2 errors, 1 warning"),
        ("eww", "1 error, 2 warnings"),
    ],
)
def test_summaries(levels: str, said: str) -> None:
    names = {"e": "error", "w": "warning"}
    assert summary([problem("m", 1, 1, 2, names[level]) for level in levels]) == said


def test_colour_changes_nothing_but_colour(tmp_path: Path) -> None:
    file = written("a: 1\n", tmp_path)
    found = [problem(file, 1, 1, 2, hint="help"), problem(file, 1, 4, 5, "warning")]
    coloured = render(found, colour=True)
    assert "\x1b[1;31m" in coloured
    assert "\x1b[1;33m" in coloured
    plain = coloured
    for code in ("1;31", "1;33", "1", "2", "36", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == render(found)


def test_a_file_that_is_gone_costs_only_the_excerpt(tmp_path: Path) -> None:
    assert render([problem(str(tmp_path / "gone.yaml"), 3, 1, 2)]).startswith(f"{tmp_path}/gone.yaml:3:1: a message")
    assert excerpt(Span(written("a\n", tmp_path), 9, 1, 2)) == []


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    assert excerpt(Span(written("old\n", tmp_path), 1, 1, 2))[0].endswith("old")
    assert excerpt(Span(written("newer\n", tmp_path), 1, 1, 2))[0].endswith("newer")


HOSTILE = "\x1b]52;c;aGk=\x07\x9b31m\u202eevil\u2066\r\x08\x00\u200b\ufeff\u2028\n::error::owned"


def test_nothing_steers_a_terminal(tmp_path: Path) -> None:
    file = written(f"key: {HOSTILE}\n", tmp_path)
    span = Span(file, 1, 1, 4)
    found = [Problem(span, "a-code", f"no key '{HOSTILE}'", HOSTILE), Problem(Span(HOSTILE, 1, 1, 2), "x", "y")]
    for text in (render(found), as_json(found), as_sarif(found, "1"), as_github(found)):
        for line in text.split("\n"):
            assert all(ch.isprintable() or ch == "\t" for ch in line), ascii(line)
    assert "no key '\\x1b]52;c;aGk=\\x07\\x9b31m\\u202eevil" in render(found)
    assert json.loads(as_json(found))[0]["hint"] == HOSTILE


def test_a_workflow_command_cannot_be_ended_from_inside() -> None:
    found = as_github([Problem(Span("a,b:c%\n::warning::.yaml", 1, 2, 3), "a-code", "50%\nnext", "help")])
    assert found == (
        "::error file=a%2Cb%3Ac%25%0A%3A%3Awarning%3A%3A.yaml,line=1,col=2,endColumn=3,title=a-code::50%25%0Anext. help"
    )


def test_json_and_sarif_say_all() -> None:
    found = [problem("m.yaml", 1, 2, 4, "warning", "help")]
    assert json.loads(as_json(found)) == [
        {
            "file": "m.yaml", "line": 1, "column": 2, "end_column": 4, "level": "warning",
            "code": "a-code", "message": "a message", "hint": "help",
        }
    ]  # fmt: skip
    assert json.loads(as_json([])) == []
    run = json.loads(as_sarif(found, "1.2"))["runs"][0]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"]["rules"] == [{"id": "a-code"}]
    assert run["results"][0]["message"]["text"] == "a message. help"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 1, "startColumn": 2, "endColumn": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("mappings/shop.yaml", "mappings/shop.yaml"),
        ("a b/50%#1?.yaml", "a%20b/50%25%231%3F.yaml"),
        ("c:d.yaml", "c%3Ad.yaml"),
        ("/srv/maps/größe.yaml", "file:///srv/maps/gr%C3%B6%C3%9Fe.yaml"),
        ("not-utf-8-\udcff.yaml", "not-utf-8-%FF.yaml"),
    ],
)
def test_a_file_is_a_uri_in_sarif(file: str, uri: str) -> None:
    (result,) = json.loads(as_sarif([problem(file, 1, 2, 4)], "1"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


@given(
    st.text(st.characters(exclude_characters="\n\r\x85\u2028\u2029"), max_size=300),
    st.integers(1, 320),
    st.integers(1, 40),
)
@settings(max_examples=200, deadline=None)
def test_carets_stand_within_the_line(tmp_path_factory: pytest.TempPathFactory, text: str, at: int, wide: int) -> None:
    file = written(text, tmp_path_factory.mktemp("d", numbered=True))
    shown = excerpt(Span(file, 1, at, at + wide))
    assert len(shown) == 2
    line, carets = shown[0][8:], shown[1][8:]
    assert set(carets) <= {" ", "^"}
    assert "^" in carets
    assert columns(line) <= MAX_WIDTH + 2
    if at + wide <= len(text):
        assert columns(line + " " * 12) >= len(carets)


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.category(ch) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(ch) in "WF" else 1
        for ch in text
    )


def test_visible_leaves_ordinary_text_alone() -> None:
    for text in ("Zoë Müller", "日本語", "👩‍👩‍👧", "e\u0301", "a\tb", ""):
        assert visible(text) == text


def test_a_reader_can_find_the_place_again(tmp_path: Path) -> None:
    """The place is spelled as editors and grep do."""
    file = written("a: 1\nb: 2\n", tmp_path)
    place = render([problem(file, 2, 4, 5)]).split(": ")[0]
    assert place == f"{file}:2:4"
    found = subprocess.run(["grep", "-n", "2", file], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("2:")
