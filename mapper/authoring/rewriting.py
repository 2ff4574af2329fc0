"""Files of tests rewritten so that they expect what came out (``mapper test --update``).

Only the characters of an expectation change: comments, quotes and layout around it stay. What is not on one line is
left for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..compiler.trees import Place
from ..documents import document
from ..documents.placing import Lines
from ..errors import MappingError
from .comparing import Difference


def updated(differences: Iterable[Difference]) -> dict[str, tuple[str, int]]:
    """The new texts: file -> (its new text, how many expectations changed)."""
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    found = [(one.place.span(), one.place, one.actual) for one in differences if one.place is not None]
    for span, place, actual in sorted(found, key=lambda one: one[0], reverse=True):  # the last first: places stay
        source = place.document
        text = texts.get(span.file, source.text)
        line = Lines.of(source.text, span.file).starts[span.line - 1]
        start, end = line + span.column - 1, line + span.end - 1
        if _reads(text[start:end]) == (True, place.value):
            said = _said(place, text[line:start], actual)
            if said.startswith("\n"):  # what stands behind it on the line, a comment, stays there
                begun, behind, rest = text[:start].rstrip(" "), *text[end:].partition("\n")[::2]
                texts[span.file] = f"{begun}{behind}{said}\n{rest}"
            else:
                texts[span.file] = text[:start] + said + text[end:]
            counts[span.file] = counts.get(span.file, 0) + 1
    return {file: (text, counts[file]) for file, text in texts.items()}


def _said(place: Place, before: str, actual: Any) -> str:
    """What came out as YAML; events below their key where there is room, anything else on the line where it stands."""
    key = place.key_span().column - 1
    if place.value == [] and isinstance(actual, list) and not before[:key].strip(" -"):
        return "".join(_events(actual, " " * (key + 2)))
    return _spelled(actual)


def _events(events: Iterable[Mapping[str, Any]], indent: str) -> Iterator[str]:
    for event in events:
        for number, line in enumerate(_lines(event, "")):
            yield f"\n{indent}{'  ' if number else '- '}{line}"


def _lines(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield f"{indent}{_spelled(key)}:"
            yield from _lines(inner, f"{indent}  ")
        else:
            yield f"{indent}{_spelled(key)}: {_spelled(inner)}"


def _spelled(value: Any) -> str:
    """A value as YAML, wherever it may stand."""
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_spelled(key)}: {_spelled(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str) and _reads(f"{{a: {value}}}") == (True, {"a": value}):
        return value
    return msgspec.json.encode(value).decode()


def _reads(text: str) -> tuple[bool, Any]:
    """Whether a text is YAML, and what it says."""
    try:
        return True, document.load(f"x: {text}", "").value["x"]
    except MappingError:
        return False, None
