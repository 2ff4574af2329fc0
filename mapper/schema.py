"""Cerberus rules, checked against a document, with every problem at its place.

Rules are plain Cerberus, with ``meta: {about, examples}`` beside each key; the editor's JSON Schema and the reference
page are made from the same rules.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cerberus import Validator, errors  # type: ignore[import-untyped,unused-ignore]

from .document import Document, KeyPath
from .errors import Problem

WORDS: Final = {
    "string": "text",
    "dict": "an object",
    "list": "a list",
    "integer": "a whole number",
    "float": "a number",
    "number": "a number",
    "boolean": "true or false",
}


def check(document: Document, rules: Mapping[str, Any], *, path: KeyPath = ()) -> list[Problem]:
    """What is wrong with the object at ``path`` of a document, by ``rules``; in the order of the file."""
    value: Any = document.value
    for step in path:
        value = value[step]
    if not isinstance(value, dict):
        return [
            Problem(document.span(path), "wrong-type", f"this is {_kind(value)}, not an object", "Write 'key: value'.")
        ]
    validator = Validator(_bare(rules), allow_unknown=False)
    if validator.validate(value, normalize=False):
        return []
    found: list[Problem] = []
    for error in validator._errors:
        found += _problems(error, document, path, rules)
    return sorted(set(found))


def _bare(rules: Any) -> Any:
    """The rules without what is said about them, which is for people and may be anything."""
    if isinstance(rules, dict):
        return {key: _bare(rule) for key, rule in rules.items() if key != "meta" or "about" not in rule}
    return rules


def _problems(error: Any, document: Document, top: KeyPath, rules: Any) -> Iterator[Problem]:
    if error.is_group_error and error.child_errors:
        for child in error.child_errors:
            yield from _problems(child, document, top, rules)
        return
    path = (*top, *error.document_path)
    name = str(path[-1]) if path else "the file"
    if error.code == errors.UNKNOWN_FIELD.code:
        names = _siblings(error.document_path, rules)
        yield _unknown(document, path, name, names)
    elif error.code == errors.REQUIRED_FIELD.code:
        parent = path[:-1]
        hint = f"Add a line '{name}:'."
        yield Problem(document.span(parent, key=True), "missing-key", f"'{name}' is missing here", hint)
    elif error.code == errors.BAD_TYPE.code:
        wanted = error.constraint if isinstance(error.constraint, list | tuple) else [error.constraint]
        words = " or ".join(dict.fromkeys(WORDS.get(str(kind), str(kind)) for kind in wanted))
        message = f"'{name}' takes {words}, not {_kind(error.value)}"
        hint = "Put quotes around it to make it text." if "string" in wanted and not _gathers(error.value) else ""
        yield Problem(document.span(path), "wrong-type", message, hint)
    elif error.code == errors.NOT_NULLABLE.code:
        yield Problem(
            document.span(path, key=True), "empty", f"'{name}' says nothing", "Give it a value, or take it away."
        )
    elif error.code in (errors.UNALLOWED_VALUE.code, errors.UNALLOWED_VALUES.code):
        allowed = [str(value) for value in error.constraint]
        close = difflib.get_close_matches(str(error.value), allowed, 1)
        hint = f"Did you mean '{close[0]}'?" if close else f"It is one of: {', '.join(allowed)}."
        yield Problem(document.span(path), "not-allowed", f"'{name}' cannot be this", hint)
    else:
        rule = str(error.rule or "rule").replace("_", " ")
        message = f"'{name}' breaks the rule '{rule}: {error.constraint}'"
        yield Problem(document.span(path), "not-allowed", message)


def _unknown(document: Document, path: KeyPath, name: str, names: list[str]) -> Problem:
    close = difflib.get_close_matches(name, names, 1, 0.6) or difflib.get_close_matches(name.lower(), names, 1, 0.5)
    hint = f"Did you mean '{close[0]}'?" if close else ""
    if not close and names:
        hint = f"The keys here are: {', '.join(sorted(names))}."
    return Problem(document.span(path, key=True), "unknown-key", f"there is no key '{name}' here", hint)


def _siblings(path: tuple[Any, ...], rules: Any) -> list[str]:
    """The keys that could stand where an unknown one stands."""
    here: Any = rules
    for step in path[:-1]:
        if isinstance(step, str):  # the items of a list have the rules that the list says
            here = _below(here.get(step)) if isinstance(here, dict) else {}
    return [str(key) for key in here] if isinstance(here, dict) else []


def _below(rule: Any) -> Any:
    """The rules inside a value: of its keys, of the values behind free keys, or of the items of a list."""
    if not isinstance(rule, dict):
        return {}
    if "valuesrules" in rule:
        return _Any(rule["valuesrules"])
    inner = rule.get("schema", {})
    if isinstance(inner, dict) and inner.get("type") == "dict" and "schema" in inner and rule.get("type") == "list":
        return inner["schema"]
    return inner


class _Any(dict[Any, Any]):
    """Rules that hold behind any key."""

    def __init__(self, rule: Any) -> None:
        super().__init__()
        self.rule = rule

    def __contains__(self, key: object) -> bool:
        return True

    def get(self, key: Any, default: Any = None) -> Any:
        return self.rule


def _gathers(value: Any) -> bool:
    return isinstance(value, dict | list)


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    return WORDS[
        {bool: "boolean", int: "integer", float: "float", str: "string", list: "list"}.get(type(value), "dict")
    ]


CODES: Final = {
    "unknown-key": "A key that does not belong where it stands, often a misspelt one.",
    "missing-key": "A key that must be there is not.",
    "wrong-type": "A value of the wrong kind: text where a list belongs, say.",
    "empty": "A key without a value.",
    "not-allowed": "A value outside the closed list of those that are possible.",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a file may have: where it stands, what it takes, and what it means."""

    path: str
    takes: str
    about: str
    examples: tuple[Any, ...] = ()


def describe(rules: Mapping[str, Any], above: str = "") -> list[Key]:
    """Every key that rules allow, with what is said about it; keys inside a list's items follow their list."""
    found: list[Key] = []
    for name, rule in rules.items():
        path = f"{above}{name}"
        said = rule.get("meta", {})
        kinds = rule.get("type", "any")
        listed = kinds if isinstance(kinds, list) else [kinds]
        takes = " or ".join(dict.fromkeys(WORDS.get(kind, "anything") for kind in listed))
        if "allowed" in rule:
            takes = ", ".join(f"`{value}`" for value in rule["allowed"])
        found.append(Key(path, takes, said.get("about", ""), tuple(said.get("examples", ()))))
        inner = rule.get("schema", {})
        if rule.get("type") == "list" and inner.get("type") == "dict" and "schema" in inner:
            found += describe(inner["schema"], f"{path}[].")
    return found
