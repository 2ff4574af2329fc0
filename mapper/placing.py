"""Where each character of a YAML scalar's text stands in the file, for every way to write a scalar."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r\n|.)", re.DOTALL)
_BREAKS: Final = "\n\r\x85\u2028\u2029"


@lru_cache(maxsize=512)
def positions(text: str, start: int, end: int, style: str, value: str) -> tuple[int, ...]:
    """The offset in ``text`` of every character of ``value``, and of the end after the last.

    text, start, end    the file, and where in it the scalar stands, quotes or ``|`` included
    style               ``'``, ``"``, ``|``, ``>``, or "" for a plain scalar
    """
    if style in ("|", ">"):
        return _block(text, start, end, value)
    if style:
        start, end = start + 1, end - 1
    places: list[int] = []
    at = start
    for character in value:
        at = _next(text, at, end, style, character)
        places.append(min(at, max(end - 1, start)))
        at += _width(text, at, style, character)
    return (*places, min(at, end))


def _next(text: str, at: int, end: int, style: str, character: str) -> int:
    """Skip what stands in the file but not in the text: folded lines, their indentation, escaped line ends."""
    while at < end:
        here = text[at]
        if style == '"' and here == "\\":
            found = _ESCAPE.match(text, at)
            if found and found.group()[1] in _BREAKS:
                at = found.end()
                continue
            return at
        if here == character:
            return at
        if here in _BREAKS and character in " \n":
            return at
        if here not in " \t" + _BREAKS:
            return at
        at += 1
    return at


def _width(text: str, at: int, style: str, character: str) -> int:
    if style == '"' and text.startswith("\\", at):
        found = _ESCAPE.match(text, at)
        return len(found.group()) if found else 1
    if style == "'" and character == "'" and text.startswith("''", at):
        return 2
    return 1


def _block(text: str, start: int, end: int, value: str) -> tuple[int, ...]:
    """A block scalar: its lines without their indentation; in a folded one, a line end may have become a blank."""
    body = min((text.find(mark, start) for mark in _BREAKS if text.find(mark, start) >= 0), default=end) + 1
    lines = text[body:end].splitlines()
    indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    explicit = re.match(r"[|>][+-]?([1-9])", text[start:])
    indent = min(indents, default=0) if not explicit else min(indents, default=int(explicit[1]))
    places: list[int] = []
    at = body + indent if text[body : body + indent].strip(" ") == "" else body
    for character in value:
        if at < end and text[at] == character and character not in _BREAKS:
            places.append(at)
            at += 1
            continue
        while at < end and text[at] not in _BREAKS and text[at] != character:
            at += 1
        places.append(min(at, end))
        at += 1
        skipped = 0
        while at < end and skipped < indent and text[at] == " ":
            at, skipped = at + 1, skipped + 1
    return (*places, min(at, end))
