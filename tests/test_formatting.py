"""The one layout: what changes, what stays, and that meaning does."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.authoring.formatting import format_text
from mapper.documents.document import load
from mapper.errors import MappingError

from .conftest import ROOT, SMALL
from .test_cli import run

SHIPPED = [*sorted((ROOT / "mappings").glob("*.yaml")), ROOT / "mapper" / "destinations" / "meta.yaml"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_files_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text, str(path)) == text


CASES = {
    "steps of two": ("events:\n      Lead:\n            when:   a\n", "events:\n  Lead:\n    when: a\n"),
    "lists": ("ignore:\n- when: a\n-   when: b\n", "ignore:\n  - when: a\n  - when: b\n"),
    "lists in lists": ("x-a:\n- - a\n  -   - b\n", "x-a:\n  - - a\n    - - b\n"),
    "the order of keys": (
        "events:\n  Lead:\n    parameters: {}\n    when: a\nversion: 1\n",
        "version: 1\n\nevents:\n  Lead:\n    when: a\n    parameters: {}\n",
    ),
    "a destination's keys stay where they are": (
        "rules: {}\nextends:   meta\nevents:\n    Lead: {label: Lead}\n",
        "rules: {}\nextends: meta\nevents:\n  Lead: {label: Lead}\n",
    ),
    "comments move with their key": (
        "# The events.\nevents: # b\n  # c\n  Lead:\n    # d\n    parameters: {} # e\n"
        "    # f\n    when: a\nversion: 1\n",
        "version: 1\n\n# The events.\nevents: # b\n  # c\n  Lead:\n    # f\n    when: a\n"
        "    # d\n    parameters: {} # e\n",
    ),
    "the line for editors stays above": (
        "# yaml-language-server: $schema=x\n# The events.\nevents: {}\nversion: 1\n",
        "# yaml-language-server: $schema=x\nversion: 1\n\n# The events.\nevents: {}\n",
    ),
    "what stands above a blank line stays": (
        "# A shop.\n\nevents: {}\nversion: 1\n",
        "# A shop.\n\nversion: 1\nevents: {}\n",
    ),
    "comments are indented like what follows": (
        "let:\n# one\n    a: 1\n       # two\n    b:\n        c: 1\n        # three\n    # four\n# five\n",
        "let:\n  # one\n  a: 1\n  # two\n  b:\n    c: 1\n    # three\n  # four\n# five\n",
    ),
    "comments in lists and brackets": (
        "x-a:\n- 1 # a\n# b\n- [1, # c\n   2] # d\n",
        "x-a:\n  - 1 # a\n  # b\n  - [1, # c\n     2] # d\n",
    ),
    "text stays as it is": ("let:\n  a: no\n  b: 01234\n  c: '12:30'\n  d: 2025-01-01\n  e: 1.50\n", None),
    "anchors": ("x-a: &a {b: 1}\nlet:\n  c: *a\n  d:\n    <<: *a\n    e: 2\n", None),
    "anchors stay above their aliases": ("let: {a: &a 1}\ntables: {b: *a}\n", None),
    "the author's own keys come before those that use them": (
        "version: 1\nlet: {b: 1}\nx-a: &a 1\ndefaults: {c: *a}\n",
        "version: 1\nx-a: &a 1\nlet: {b: 1}\ndefaults: {c: *a}\n",
    ),
    "long texts": ("let:\n  a: |\n    one\n      two # no comment\n\n  b: >-\n    three\n    four\n", None),
    "long texts that move": (
        "let:\n      a: |\n         one\n           two\n      b: |2-\n            three\n"
        "      c: |+\n        four\n\n\n",
        "let:\n  a: |\n    one\n      two\n  b: |2-\n        three\n  c: |+\n    four\n\n\n",
    ),
    "texts over lines": (
        "let:\n     a: 'one\n       two'\n     b: one\n      two\n     c: \"one\\\n\n            two\"\n",
        "let:\n  a: 'one\n    two'\n  b: one\n    two\n  c: \"one\\\n\n    two\"\n",
    ),
    "values below their keys": (
        "let:\n      a:\n            b:\n                  'one'\n            c:\n              - two\n",
        "let:\n  a:\n    b:\n      'one'\n    c:\n      - two\n",
    ),
    "blanks and blank lines": ("\n\nversion: 1   \n\n\n\n\nlet: {a: 1}\n\n", "version: 1\n\nlet: {a: 1}\n"),
    "line ends of Windows": ("version: 1\r\nlet:\r\n   a: |\r\n     b\r\n", "version: 1\nlet:\n  a: |\n    b\n"),
    "JSON": ('{\n\t"version": 1,\n\t"let": {"a": 1}}', '{\n\t"version": 1,\n\t"let": {"a": 1}}\n'),
    "nothing": ("", None),
    "keys that are marked as such": ("? a\n: b\n", None),
}


@pytest.mark.parametrize("name", CASES)
def test_layout(name: str) -> None:
    before, after = CASES[name]
    formatted = format_text(before, "m.yaml")
    assert formatted == (before if after is None else after)
    assert format_text(formatted, "m.yaml") == formatted


COMMENTS = st.sampled_from(["", "", "", "# a note\n", "#\n", "\n", "# a: b\n\n"])
TAILS = st.sampled_from(["", "", "  # tail", "   ", " #"])
SCALARS = st.sampled_from(
    [
        *("x", "1", "no", "01234", "'it''s'", '"{{ a }}"', "null", "", "1.50", "[a, b]", "{a: 1}", "[]"),
        *("[a, # c\n @  b]", "{a: 1, # c\n @  b: 2}", "|\n@  one # no\n\n@   two", ">-\n@  one\n@  two"),
        *("|2\n@     one", "|+\n@  one\n", "'one\n@  two'", "one\n@  two"),
    ]
)


@st.composite
def objects(draw: st.DrawFn, indent: str, depth: int, names: list[str]) -> str:
    """The lines of an object, with comments and steps as nobody should write them."""
    step = draw(st.sampled_from([" ", "  ", "    "]))
    text = ""
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        text += "".join(f"{indent}{line}\n" for line in draw(COMMENTS).splitlines())
        kind = draw(st.sampled_from(["object", "list", "value", "value"])) if depth else "value"
        if kind == "object":
            text += f"{indent}{name}:{draw(TAILS)}\n" + draw(objects(indent + step, depth - 1, INNER))
        elif kind == "list":
            below = indent + draw(st.sampled_from(["", " ", "  "]))
            items = draw(st.lists(st.sampled_from(["x", "- y", "k: 1\n@  l: 2", "  z"]), min_size=1, max_size=3))
            text += f"{indent}{name}:\n" + "".join(f"{below}- {item.replace('@', below)}\n" for item in items)
        else:
            text += f"{indent}{name}: {draw(SCALARS).replace('@', indent)}\n"
    return text + "".join(f"{indent}{line}\n" for line in draw(COMMENTS).splitlines())


INNER = ["a", "'b c'", "when", "for", "parameters"]
TOP = ["version", "let", "x-a", "ignore", "tables", "events", "mine"]


@settings(max_examples=150, deadline=None)
@given(objects("", 3, TOP))
def test_nothing_is_lost(text: str) -> None:
    before = load(text, "m.yaml").value
    formatted = format_text(text, "m.yaml")
    assert load(formatted, "m.yaml").value == before
    assert format_text(formatted, "m.yaml") == formatted
    assert sorted(formatted.split()) == sorted(text.split())
    assert not re.search(r"\n\n\n", formatted.replace("|+", "")) or "|+" in text


def test_a_large_file_is_formatted_fast() -> None:
    event = "    Lead{}:\n        parameters:\n            a: 1\n            b: 2\n        when: a\n"
    text = "events:\n" + "".join(event.format(i) for i in range(300))
    begun = time.process_time()
    assert "    when: a\n    parameters:\n      a: 1\n" in format_text(text, "m.yaml")
    assert time.process_time() - begun < 30


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-999, 999) | st.text("aß{}[]:#-'\"|>&*!%@` \n0.", max_size=12),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abc: #", min_size=1, max_size=5), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_meaning_stays_and_twice_is_once(value: object) -> None:
    text = json.dumps({"version": 1, "x-a": value}, indent=1, ensure_ascii=False)
    try:
        before = load(text, "m.yaml").value
    except MappingError:
        return
    formatted = format_text(text, "m.yaml")
    assert load(formatted, "m.yaml").value == before
    assert format_text(formatted, "m.yaml") == formatted


def test_the_program_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(SMALL.replace("  ", "    "))
    before = mapper.load(path).fingerprint
    path.write_text(format_text(path.read_text(), "m.yaml"))
    assert path.read_text() == SMALL
    assert mapper.load(path).fingerprint == before


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(SMALL.replace("  ", "    "))
    assert run("fmt", "--check", "m.yaml", cwd=tmp_path).returncode == 1
    assert b"-    Lead:\n" in run("fmt", "--diff", "m.yaml", cwd=tmp_path).stdout
    assert run("fmt", "m.yaml", cwd=tmp_path).returncode == 0
    assert path.read_text() == SMALL
    assert run("fmt", "--check", "m.yaml", cwd=tmp_path).returncode == 0


def test_editors_pipe_a_file_through(tmp_path: Path) -> None:
    odd = SMALL.replace("  ", "    ").encode()
    found = run("fmt", "-", cwd=tmp_path, stdin=odd)
    assert (found.returncode, found.stdout.decode(), found.stderr) == (0, SMALL, b"")
    assert run("fmt", "-", cwd=tmp_path, stdin=SMALL.encode()).stdout.decode() == SMALL
    checked = run("fmt", "--check", "-", cwd=tmp_path, stdin=odd)
    assert (checked.returncode, checked.stdout, checked.stderr) == (1, b"", b"would change standard input\n")
    wrong = run("fmt", "-", cwd=tmp_path, stdin=b"events: [")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert wrong.stderr.startswith(b"standard input:1:")
    assert run("fmt", "-", cwd=tmp_path, stdin=b"a: \xff").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_what_patch_takes(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(SMALL.replace("  ", "    "))
    plain = run("fmt", "--diff", "m.yaml", cwd=tmp_path).stdout
    assert plain.startswith(b"--- m.yaml\n+++ m.yaml (formatted)\n@@ -")
    coloured = run("fmt", "--diff", "m.yaml", cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="", TERM="xterm").stdout
    assert b"\x1b[31m-" in coloured
    assert b"\x1b[32m+" in coloured
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", coloured) == plain


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text(SMALL.replace("  ", "    "))
    real.chmod(0o600)
    link.symlink_to(real)
    assert run("fmt", "link.yaml", cwd=tmp_path).returncode == 0
    assert link.is_symlink()
    assert real.read_text() == SMALL
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]
