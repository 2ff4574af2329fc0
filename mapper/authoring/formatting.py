"""One layout for mapping and destination files. Comments and meaning stay, and doing it twice changes nothing more.

The layout: two blanks for each step, list items below their key, one blank behind a colon, never two blank lines, no
blanks at the ends of lines, and the keys of a mapping and of an event in one order: what is shared, the events, what
is ignored, the tests.

Lines are moved, never written anew: quotes, long texts and the shape of brackets are the author's. So nothing can get
lost that a YAML library does not keep, and what is in doubt (see ``_same``) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from ..compiler.mapping import EVENT_RULES, RULES
from ..destinations.declared import is_declaration
from ..documents.document import Document, KeyPath, load
from ..documents.placing import Lines
from ..errors import MappingError, Problem, Span

_LAST: Final = ("events", "ignore", "tests")
_TOP: Final = (*(key for key in RULES if key not in _LAST), *_LAST)
_EVENT: Final = tuple(EVENT_RULES)
_STEP: Final = 2
_DASH: Final = re.compile(r"-(?:[ \t]+|$)")
_COLON: Final = re.compile(r"[ \t]*:([ \t]*)")
_MERGE: Final = re.compile(r"<<(?=[ \t]*:)")
_HEADER: Final = re.compile(r"[|>](?:[+-]?([1-9])|)")
_FOREIGN: Final = re.compile("[\r\x85\u2028\u2029]|^(?:%|--- |[ ]*(?:- +)*[?](?:[ \t]|$))", re.M)
"""Line ends of other systems within texts, directives, and keys that are marked as such: rare, and left alone."""


def format_text(text: str, file: str) -> str:
    """The text of a mapping or destination file in the one layout.

    raises  MappingError if the file cannot be read, or could not be formatted without changing what it means
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    document = load(text, file)
    if _FOREIGN.search(text) or not isinstance(document.value, dict | list):
        formatted = text
    else:
        formatted = _Layout(document).text()
    if _same(formatted, document):
        ordered = _ordered(formatted, file)
        return ordered if _same(ordered, document) else formatted
    hint = "It stays as it is. Texts or brackets over several lines in unusual places can be the reason."
    problem = Problem(Span(file, 1, 1, 2), "not-formatted", "this file cannot be formatted safely", hint)
    raise MappingError([problem])


def _same(text: str, document: Document) -> bool:
    """Whether a text means what a document means."""
    try:
        value = load(text, document.file).value
    except MappingError:
        return False
    return _meaning(value) == _meaning(document.value)


def _meaning(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


@dataclass(frozen=True, slots=True)
class _Level:
    """A list or an object whose members begin in one column, before and after."""

    kind: Literal["list", "object"]
    column: int
    new: int


@dataclass(frozen=True, slots=True)
class _Text:
    """A value that goes on for some lines: the last of them, and how it is written."""

    first: int
    last: int
    style: str
    start: int


class _Layout:
    """Moves every line of a file to its new column."""

    def __init__(self, document: Document) -> None:
        self.source = document.text
        self.lines = Lines.of(document.text, document.file)
        self.keys = {one.start: one.end for one in document.written if one.style == "key"}
        self.open: set[int] = set()
        self.long = self._long(document)
        self.levels: list[_Level] = []
        self.waiting: list[str] = []
        self.out: list[str] = []

    def text(self) -> str:
        line = 0
        while line < len(self.lines.texts):
            here = self.lines.texts[line]
            if not here.strip() or here.lstrip().startswith("#"):
                self.waiting.append(here.rstrip())
            else:
                line = self._content(line)
            line += 1
        while self.waiting and not self.waiting[-1]:
            self.waiting.pop()
        self._comments(-1, 0, self.levels)
        return "\n".join(self.out) + "\n"

    def _long(self, document: Document) -> dict[int, _Text]:
        """By the line in which they begin, the values that go on behind it; of several, the longest."""
        found: dict[int, _Text] = {}
        for one in document.written:
            if one.style in (":", "key"):
                continue
            first = self.lines.index(one.start)
            last = self.lines.index(max(one.end - 1, one.start))
            if one.style in ("|", ">"):
                last = self._block_end(first, last, one.start)
            if one.style in ("'", '"'):
                self.open.update(range(first, last))
            if last > first and (first not in found or last > found[first].last):
                found[first] = _Text(first, last, one.style, one.start)
        return found

    def _block_end(self, first: int, last: int, start: int) -> int:
        """The last line of a block, without the blank lines behind it unless the block keeps them."""
        header = self.lines.texts[first][start - self.lines.starts[first] :].partition("#")[0]
        while "+" not in header and last > first and not self.lines.texts[last].strip():
            last -= 1
        return last

    def _content(self, line: int) -> int:
        """Write a line and what belongs to it; the number of the last line that was written."""
        here = self.lines.texts[line]
        rest = here.lstrip(" ")
        column = first = len(here) - len(rest)
        dashes = ""
        before = list(self.levels)
        new: int | None = None
        while found := _DASH.match(rest):
            level = self._level("list", column)
            new = level.new if new is None else new
            dashes += "- "
            column, rest = column + found.end(), rest[found.end() :]
        if (key := self._key(line, column, rest)) is not None:
            level = self._level("object", column)
            new = level.new if new is None else new
            rest = key
        elif new is None:
            new = self._below(column)
        self._comments(first, new, before)
        self.out.append(self._ended(" " * new + dashes + rest, line))
        text = self.long.get(line)
        if text is None:
            return line
        self._rest(text)
        return text.last

    def _ended(self, words: str, line: int) -> str:
        """A line without blanks at its end, unless a text in quotes goes on behind them."""
        return words if line in self.open else words.rstrip()

    def _key(self, line: int, column: int, rest: str) -> str | None:
        """A line that begins with a key, with one blank behind its colon; None if it begins with none."""
        start = self.lines.starts[line] + column
        end = self.keys.get(start)
        merge = _MERGE.match(rest)
        if end is None and merge is None:
            return None
        width = end - start if end is not None else 2
        colon = _COLON.match(rest, width)
        if colon is None:
            return None
        value = rest[colon.end() :]
        blanks = colon[1] if value.startswith("#") else " "
        return f"{rest[:width]}:{blanks}{value}" if value else f"{rest[:width]}:"

    def _level(self, kind: Literal["list", "object"], column: int) -> _Level:
        """The list or object whose member begins in a column; those that are over are left."""
        while self.levels and self._is_over(self.levels[-1], kind, column):
            self.levels.pop()
        above = self.levels[-1] if self.levels else None
        if above is not None and above.column == column and above.kind == kind:
            return above
        self.levels.append(_Level(kind, column, above.new + _STEP if above is not None else 0))
        return self.levels[-1]

    def _is_over(self, level: _Level, kind: str, column: int) -> bool:
        return level.column > column or (level.column == column and level.kind == "list" and kind == "object")

    def _below(self, column: int) -> int:
        """The new column of a value on a line of its own."""
        while self.levels and self.levels[-1].column >= column:
            self.levels.pop()
        return self.levels[-1].new + _STEP if self.levels else 0

    def _rest(self, text: _Text) -> None:
        """The lines of a value behind its first."""
        base = self.levels[-1] if self.levels else _Level("object", 0, 0)
        lines = self.lines.texts[text.first + 1 : text.last + 1]
        if text.style in ("|", ">"):
            self._block(text, base, lines)
            return
        for number, line in enumerate(lines, text.first + 1):
            words = line.lstrip(" ")
            moved = len(line) - len(words) + base.new - base.column
            indent = max(moved, base.new) if text.style == "[" else base.new + _STEP
            self.out.append(self._ended(" " * indent + words, number) if words else "")

    def _block(self, text: _Text, base: _Level, lines: Sequence[str]) -> None:
        """A text behind ``|`` or ``>``: what it is indented by is not part of it, blanks beyond are."""
        header = _HEADER.match(self.source, text.start)
        if header is not None and header[1]:
            old, new = base.column + int(header[1]), base.new + int(header[1])
        else:
            written = next((line for line in lines if line.strip()), "")
            old, new = len(written) - len(written.lstrip(" ")), base.new + _STEP
        for line in lines:
            self.out.append(" " * new + line[old:] if len(line) > old > 0 else "")

    def _comments(self, column: int, new: int, levels: Sequence[_Level]) -> None:
        """Write the comments that wait for the next line, which begins in a column: with it, or with what is above."""
        for comment in self.waiting:
            words = comment.lstrip()
            here = len(comment) - len(words)
            above = [level for level in levels if column < level.column <= here]
            place = max(above, key=lambda level: level.column).new if above else new
            if words or (self.out and self.out[-1]):
                self.out.append(" " * place + words if words else "")
        self.waiting.clear()


def _ordered(text: str, file: str) -> str:
    """The text with the keys of each event, and then of the file, in their order; a destination's stay in theirs."""
    document = load(text, file)
    if is_declaration(document.value):
        return text
    events = document.value.get("events") if isinstance(document.value, dict) else None
    paths: list[KeyPath] = [("events", event) for event in events] if isinstance(events, dict) else []
    text = _moved(text, [_sorted(document, path, _EVENT) for path in paths])
    return _moved(text, [_sorted(load(text, file), (), _TOP)])


@dataclass(frozen=True, slots=True, order=True)
class _Move:
    """Lines that take the place of those from ``start`` to ``end``."""

    start: int
    end: int
    lines: list[str]


def _moved(text: str, moves: Iterable[_Move | None]) -> str:
    found = sorted((move for move in moves if move is not None), reverse=True)
    if not found:
        return text
    lines = text.removesuffix("\n").split("\n")
    for move in found:
        lines[move.start : move.end] = move.lines
    return "\n".join(lines) + "\n"


def _sorted(document: Document, path: KeyPath, order: Sequence[str]) -> _Move | None:
    """One object's lines with its keys in their order; each takes along the comments right above it."""
    value: Any = document.value
    for step in path:
        value = value[step]
    if not isinstance(value, dict):
        return None
    lines = document.text.removesuffix("\n").split("\n")
    places = {key: document.span((*path, key), key=True) for key in value}
    first, last = _extent(document, path, lines)
    column = min((place.column for place in places.values()), default=1)
    keys = [key for key, place in places.items() if place.column == column and first <= place.line - 1 < last]
    starts = [_start(lines, places[key].line - 1, first) for key in keys]
    if len(keys) < len(places) or starts != sorted(set(starts)):
        return None
    wanted = sorted(range(len(keys)), key=lambda i: _rank(keys[i], order))
    if wanted == list(range(len(keys))):
        return None
    parts = [lines[start:end] for start, end in zip(starts, [*starts[1:], last], strict=True)]
    apart = [not path and len(parts[0]) > 1, *(not lines[start - 1] for start in starts[1:])]
    return _Move(starts[0], last, _joined([parts[i] for i in wanted], [apart[i] for i in wanted]))


def _extent(document: Document, path: KeyPath, lines: Sequence[str]) -> tuple[int, int]:
    """The lines of an object, from 0: from its first to the one behind its last, comments above the next left out."""
    if not path:
        return 0, len(lines)
    place = document.span(path, key=True)
    first = last = place.line
    while last < len(lines) and (not lines[last].strip() or _indent(lines[last]) >= place.column):
        last += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return first, last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _start(lines: Sequence[str], line: int, first: int) -> int:
    """Where a key begins: with the comments right above it, but not with the line that tells editors the schema."""
    start, indent = line, _indent(lines[line])
    while start > first and lines[start - 1].lstrip().startswith("#") and _indent(lines[start - 1]) == indent:
        if "yaml-language-server" in lines[start - 1]:
            break
        start -= 1
    return start


def _rank(key: str, order: Sequence[str]) -> float:
    """Known keys in their order; the author's own (``x-``), which hold anchors, before those that may use them."""
    if key in order:
        return order.index(key)
    return order.index("include") + 0.5 if key.startswith("x-") and "include" in order else len(order)


def _joined(parts: Iterable[Sequence[str]], apart: Sequence[bool]) -> list[str]:
    """Parts that were moved, one below the other, with a blank line before those that had one."""
    lines: list[str] = []
    for part, blank in zip(parts, apart, strict=True):
        words = list(part)
        while words and not words[-1]:
            words.pop()
        lines += [""] * (blank and bool(lines)) + words
    return lines
