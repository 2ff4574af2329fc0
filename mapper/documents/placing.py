"""Where things stand in a file: the line and column of an offset, and the offset of each character of a scalar."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..errors import Span

BREAKS: Final = "\n\r\x85\u2028\u2029"
"""The characters that end a line in YAML 1.1; CR and LF together end one."""

_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_ESCAPE: Final = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}"
    r"|\r\n|.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Lines:
    """A file's text cut into lines, without their ends, and the offset at which each begins."""

    file: str
    texts: list[str]
    starts: list[int]

    @classmethod
    def of(cls, text: str, file: str) -> Lines:
        texts, starts, at = [], [0], 0
        for found in _BREAK.finditer(text):
            texts.append(text[at : found.start()])
            at = found.end()
            starts.append(at)
        texts.append(text[at:])
        return cls(file, texts, starts)

    def over(self, text: str) -> Lines:
        """The same lines of a text that is as long, but says something else in places."""
        return Lines(
            self.file, [text[s : s + len(t)] for s, t in zip(self.starts, self.texts, strict=True)], self.starts
        )

    def index(self, at: int) -> int:
        """The line, from 0, in which an offset lies."""
        return max(bisect_right(self.starts, at) - 1, 0)

    def column(self, at: int) -> int:
        """The column, from 0, of an offset; the end of a line counts as its last place."""
        line = self.index(at)
        return min(at - self.starts[line], len(self.texts[line]))

    def span(self, start: int, end: int) -> Span:
        """From one offset to another, but never beyond the line of the first; at least one character wide."""
        line = self.index(start)
        column = self.column(start)
        stop = min(end - self.starts[line], len(self.texts[line]))
        return Span(self.file, line + 1, column + 1, max(stop, column + 1) + 1)


@lru_cache(maxsize=512)
def positions(text: str, start: int, end: int, style: str, value: str) -> Sequence[int]:
    """The offset in ``text`` of every character of ``value``, and of the end after the last.

    text, start, end    the file, and where in it the scalar stands, quotes or ``|`` included
    style               ``'``, ``"``, ``|``, ``>``, or "" for a plain scalar
    """
    if style in ("|", ">"):
        return _block(text, start, end, value)
    if style:
        start, end = start + 1, end - 1
    if len(value) == end - start and text.startswith(value, start):  # as nearly always: nothing folded or escaped
        return range(start, end + 1)
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
            if found and found.group()[1] in BREAKS:
                at = found.end()
                continue
            return at
        if here == character or (here in BREAKS and character in " \n"):
            return at
        if here not in " \t" + BREAKS:
            return at
        at += 1
    return at


def _width(text: str, at: int, style: str, character: str) -> int:
    if style == '"' and text.startswith("\\", at):
        found = _ESCAPE.match(text, at)
        return len(found.group()) if found else 1
    if style == "'" and character == "'" and text.startswith("''", at):
        return 2
    return 2 if text.startswith("\r\n", at) else 1


def _block(text: str, start: int, end: int, value: str) -> tuple[int, ...]:
    """A block scalar: its lines without their indentation; in a folded one, a line end may have become a blank."""
    body = _BREAK.search(text, start, end)
    if body is None:
        return (end,) * (len(value) + 1)
    indent = _indent(text[body.end() : end], value)
    at = _margin(text, body.end(), end, indent)
    places: list[int] = []
    for character in value:
        while at < end and text[at] in BREAKS and character not in " \n" + BREAKS:
            at = _margin(text, at + _width(text, at, "|", "\n"), end, indent)
        places.append(min(at, end))
        if at < end and text[at] in BREAKS:
            at = _margin(text, at + _width(text, at, "|", "\n"), end, indent)
        else:
            at += 1
    return (*places, min(at, end))


def _indent(body: str, value: str) -> int:
    """How far a block is indented, which is not to be read from the file alone: ``|2`` keeps blanks of the text."""
    written = next((line for line in _BREAK.split(body) if line.strip(" ")), "")
    meant = next((line for line in _BREAK.split(value) if line.strip(" ")), "")
    return max(len(written) - len(written.lstrip(" ")) - (len(meant) - len(meant.lstrip(" "))), 0)


def _margin(text: str, at: int, end: int, indent: int) -> int:
    """Step over the indentation of a line that begins at ``at``; a blank line may be shorter."""
    for _ in range(indent):
        if at < end and text[at] == " ":
            at += 1
    return at
