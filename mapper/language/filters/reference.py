"""The reference page of filters, functions and tests, made of their declarations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .registry import FILTERS, FUNCTIONS, TESTS, Fails, Filter

_INTRODUCTION = """\
# Filters, functions and tests

This page is made from the code that it describes; each example is run by the project's tests.

A filter changes a value: `{{ email | lower }}`. A function makes one: `{{ coalesce(email, guest.email) }}`.
A test asks about one, in a condition: `when: type startswith 'order.'`.

**An empty value passes through a filter untouched**, unless the filter says that it takes empty values.
Empty is what is absent, null, blank text, a list without members, an object without keys; `0` and `false`
are values. A filter that cannot do its work stops the event with a reason. No filter changes the record.
"""


def reference() -> str:
    """``docs/filters.md``, as Markdown."""
    sections = [
        _INTRODUCTION,
        _section("Filters", "Written after a value and a bar: `value | name(arguments)`.", FILTERS),
        _section("Functions", "Written with their arguments in brackets: `name(arguments)`.", FUNCTIONS),
        _section(
            "Tests",
            "Written after a value and `is`, or `is not`. They see empty values too, and answer true or false.",
            TESTS,
        ),
    ]
    return "\n".join(sections)


def _section(title: str, about: str, declared: Mapping[str, Filter]) -> str:
    entries = [_entry(spec) for _, spec in sorted(declared.items())]
    return "\n".join([f"## {title}\n", f"{about}\n", *entries])


def _entry(spec: Filter) -> str:
    lines = [f"### `{spec.usage.removeprefix('Usage: ').removesuffix('.')}`", "", spec.doc, ""]
    if spec.takes_empty and spec.name in FILTERS and FILTERS[spec.name] is spec:
        lines += ["It takes empty values.", ""]
    if spec.literal:
        named = ", ".join(f"`{p.name}`" for p in spec.parameters if p.name in spec.literal)
        lines += [f"Written out in the mapping, because it is checked beforehand: {named}.", ""]
    if spec.examples:
        lines += ["| Expression | Result |", "| --- | --- |"]
        lines += [f"| {_code(expression)} | {_result(result)} |" for expression, result in spec.examples]
        lines.append("")
    return "\n".join(lines)


def _result(result: Any) -> str:
    if isinstance(result, Fails):
        return f"error: {result.code}"
    return "empty" if result is None else _code(json.dumps(result, ensure_ascii=False))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
