"""The one layout: what changes, what stays, and that meaning does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.document import load
from mapper.errors import MappingError
from mapper.formatting import format_text

from .conftest import ROOT, SMALL
from .test_cli import run

MAPPINGS = sorted((ROOT / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_the_shipped_mappings_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text, str(path)) == text


CASES = {
    "steps of two": ("events:\n      Lead:\n            when:   a\n", "events:\n  Lead:\n    when: a\n"),
    "lists": ("ignore:\n- when: a\n- when: b\n", "ignore:\n  - when: a\n  - when: b\n"),
    "the order of keys": (
        "events:\n  Lead:\n    parameters: {}\n    when: a\nversion: 1\n",
        "version: 1\nevents:\n  Lead:\n    when: a\n    parameters: {}\n",
    ),
    "comments keep their place": ("# a\nevents: # b\n  # c\n  Lead: {} # d\nversion: 1\n", None),
    "text stays as it is": ("let:\n  a: no\n  b: 01234\n  c: '12:30'\n  d: 2025-01-01\n  e: 1.50\n", None),
    "anchors": ("x-a: &a {b: 1}\nlet:\n  c: *a\n  d:\n    <<: *a\n    e: 2\n", None),
    "long texts": ("let:\n  a: |\n    one\n    two\n  b: >-\n    three\n    four\n", None),
    "blanks and blank lines": ("version: 1   \n\n\n\n\nlet: {a: 1}\n\n", "version: 1\n\nlet: {a: 1}\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_layout(name: str) -> None:
    before, after = CASES[name]
    assert format_text(before, "m.yaml") == (before if after is None else after)


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
    import json

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
