"""Cerberus rules, checked against a document, with every problem at its place.

Rules are plain Cerberus, with ``meta: {about, examples}`` beside each key; the editor's JSON Schema and the reference
page are made from the same rules.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cerberus import Validator, errors  # type: ignore[import-untyped,unused-ignore]

from ..errors import Problem
from .document import Document, KeyPath

_CROWDED: Final = re.compile(r"[A-Za-z_][\w.-]*:(?=[^\s/])")

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
    """What is wrong with the object at ``path`` of a document, by ``rules``; in the order of the file.

    rules    Cerberus rules of the object's keys, each with ``meta: {about, examples}`` beside it or not
    """
    return sorted({problem for _, problem in faults(document, rules, path=path)})


def faults(document: Document, rules: Mapping[str, Any], *, path: KeyPath = ()) -> list[tuple[KeyPath, Problem]]:
    """The same, each with the path of the value that is wrong; in no particular order."""
    value: Any = document.value
    for step in path:
        value = value[step]
    if not isinstance(value, dict):
        message = f"this is {_kind(value)}, not an object"
        return [(path, Problem(document.span(path), "wrong-type", message, "Write 'key: value'."))]
    validator = Validator(_bare(rules), allow_unknown=False)
    if validator.validate(value, normalize=False):
        return []
    finder = _Finder(document, path, rules)
    return [found for error in validator._errors for found in finder.problems(error)]


def _bare(rules: Any) -> Any:
    """The rules without what is said about them, which is for people and may be anything."""
    if isinstance(rules, dict):
        return {key: _bare(rule) for key, rule in rules.items() if key != "meta" or "about" not in rule}
    return rules


@dataclass(frozen=True, slots=True)
class _Finder:
    """Cerberus' errors as problems, in a document whose object at ``top`` was checked."""

    document: Document
    top: KeyPath
    rules: Mapping[str, Any]

    def problems(self, error: Any) -> Iterator[tuple[KeyPath, Problem]]:
        """An error, or those inside it, each at its place."""
        if error.is_group_error and error.child_errors:
            for child in error.child_errors:
                yield from self.problems(child)
            return
        path = (*self.top, *error.document_path)
        yield path, self._problem(path, error)

    def _problem(self, path: KeyPath, error: Any) -> Problem:
        if error.code == errors.UNKNOWN_FIELD.code:
            return self._unknown(path, error.document_path)
        if error.code == errors.REQUIRED_FIELD.code:
            hint = f"Add a line '{path[-1]}:'."
            span = self.document.span(path[:-1], key=True)
            return Problem(span, "missing-key", f"{_name(path)} is missing here", hint)
        if error.code == errors.BAD_TYPE.code:
            return self._wrong_type(path, error)
        if error.code == errors.NOT_NULLABLE.code:
            span = self.document.span(path, key=True)
            return Problem(span, "empty", f"{_name(path)} says nothing", "Give it a value, or take it away.")
        if error.code in (errors.UNALLOWED_VALUE.code, errors.UNALLOWED_VALUES.code):
            allowed = [_written(value) for value in error.constraint]
            close = difflib.get_close_matches(str(error.value), allowed, 1)
            hint = f"Did you mean '{close[0]}'?" if close else f"It is one of: {', '.join(allowed)}."
            return Problem(self.document.span(path), "not-allowed", f"{_name(path)} cannot be this", hint)
        return self._breach(path, error)

    def _unknown(self, path: KeyPath, below: KeyPath) -> Problem:
        name, names = str(path[-1]), _siblings(below, self.rules)
        close = difflib.get_close_matches(name, names, 1, 0.6) or difflib.get_close_matches(name.lower(), names, 1, 0.5)
        elsewhere = _elsewhere(name, self.rules)
        if close:
            hint = f"Did you mean '{close[0]}'?"
        elif elsewhere is not None:
            hint = f"'{name}' belongs {elsewhere}."
        else:
            hint = f"The keys here are: {', '.join(sorted(names))}." if names else ""
        return Problem(self.document.span(path, key=True), "unknown-key", f"there is no key '{name}' here", hint)

    def _wrong_type(self, path: KeyPath, error: Any) -> Problem:
        wanted = error.constraint if isinstance(error.constraint, list | tuple) else [error.constraint]
        words = " or ".join(dict.fromkeys(WORDS.get(str(kind), str(kind)) for kind in wanted))
        message = f"{_name(path)} takes {words}, not {_kind(error.value)}"
        return Problem(self.document.span(path), "wrong-type", message, _remedy(set(wanted), error.value))

    def _breach(self, path: KeyPath, error: Any) -> Problem:
        """A rule of Cerberus that is about the value itself: its length, its size, its form."""
        code, words = _BREACHES.get(str(error.rule), ("not-allowed", "breaks the rule '{rule}: {limit}'"))
        if error.rule == "minlength" and error.constraint == 1:
            words = "is empty"
        said = words.format(limit=error.constraint, rule=str(error.rule or "rule").replace("_", " "))
        return Problem(self.document.span(path), code, f"{_name(path)} {said}")


_BREACHES: Final = {
    "minlength": ("too-short", "takes at least {limit} of them"),
    "maxlength": ("too-long", "takes at most {limit} of them"),
    "min": ("too-small", "is at least {limit}"),
    "max": ("too-large", "is at most {limit}"),
    "regex": ("not-allowed", "does not have the form '{limit}'"),
    "empty": ("empty", "says nothing"),
    "keysrules": ("not-allowed", "has a key that cannot be one"),
    "excludes": ("not-allowed", "cannot stand beside {limit}"),
    "dependencies": ("missing-key", "needs {limit} beside it"),
}
"""Cerberus' rule -> the code, and what the value should have been."""


def _name(path: KeyPath) -> str:
    """A value as a message calls it: by its key, or by its place in a list."""
    if not path:
        return "the file"
    if isinstance(path[-1], str):
        return f"'{path[-1]}'"
    above = [step for step in path[:-1] if isinstance(step, str)]
    return f"item {path[-1] + 1} of '{above[-1]}'" if above else f"item {path[-1] + 1}"


def _remedy(wanted: set[Any], value: Any) -> str:
    """What to do about a value of the wrong kind."""
    is_text = isinstance(value, str)
    if is_text and wanted & {"dict", "list"} and _CROWDED.match(value):
        return "A blank is missing after the colon."
    if is_text and "boolean" in wanted:
        return "Write true or false, in small letters and without quotes."
    if is_text and wanted & {"integer", "float", "number"}:
        return "Write a plain number without quotes."
    if isinstance(value, dict) and "list" in wanted:
        return "Begin each item with '- '."
    if wanted == {"list"} and not isinstance(value, dict | list) and value is not None:
        return "Put brackets around it: [ … ]."
    if "string" in wanted and not isinstance(value, dict | list) and value is not None:
        return "Put quotes around it to make it text."
    if wanted == {"dict"}:
        return "Write 'key: value', below it and indented."
    return ""


def _elsewhere(name: str, rules: Mapping[str, Any]) -> str | None:
    """Where a key belongs that is no key here, if the rules know a place or two."""
    found = list(dict.fromkeys(above for above, key in _all_keys(rules) if key == name))
    if "" in found:
        return "at the top of the file, without indentation"
    return f"below {' or '.join(map(repr, found))}" if 0 < len(found) <= 2 else None


def _all_keys(rules: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, rule in rules.items():
        yield above, key
        inner = _below(rule)
        inner = _below(inner.rule) if isinstance(inner, _Any) else inner
        if isinstance(inner, dict) and all(isinstance(below, dict) for below in inner.values()):
            yield from _all_keys(inner, key)


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


def _written(value: Any) -> str:
    """A value that is allowed, as it stands in a file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    "too-short": "A list, or a text, with less than it must have.",
    "too-long": "A list, or a text, with more than it may have.",
    "too-small": "A number below the least that is allowed.",
    "too-large": "A number above the most that is allowed.",
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
            takes = ", ".join(f"`{_written(value)}`" for value in rule["allowed"])
        found.append(Key(path, takes, said.get("about", ""), tuple(said.get("examples", ()))))
        inner = rule.get("schema", {})
        if rule.get("type") == "list" and inner.get("type") == "dict" and "schema" in inner:
            found += describe(inner["schema"], f"{path}[].")
    return found
