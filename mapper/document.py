"""YAML files as plain values that know their place.

Stricter than YAML 1.1, so that what is written is what is meant: only ``true`` and ``false`` are booleans, numbers are
plain decimals, ``no``, ``01234``, ``12:30`` and ``2025-01-01`` are text, keys are text, a repeated key is an error, and
anchors work within bounds. JSON is YAML, so generated files are read too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from .errors import MappingError, Problem, Span
from .placing import positions
from .syntax_errors import explain, unquoted_braces

Step = str | int
KeyPath = tuple[Step, ...]

MAX_BYTES: Final = 1_048_576
MAX_NODES: Final = 100_000
"""How many values a file may have once its aliases are written out: a "billion laughs" stops here."""
MAX_DEPTH: Final = 50

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]+)?\Z")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a value stands: offsets of characters in the text, and for a scalar how it is written (``'``, ``|`` …)."""

    start: int
    end: int
    style: str = ""


@dataclass(slots=True)
class Document:
    """A file that was read.

    file     its name, as messages call it
    text     the whole file
    value    objects as dicts with text keys, lists, text, numbers, booleans, None
    lines    the lines of the text, without their ends
    """

    file: str
    text: str
    value: Any
    lines: list[str]
    _values: dict[KeyPath, _Extent] = field(default_factory=dict, repr=False)
    _keys: dict[KeyPath, _Extent] = field(default_factory=dict, repr=False)
    _starts: list[int] = field(default_factory=list, repr=False)

    def span(self, path: KeyPath, *, key: bool = False) -> Span:
        """Where the value at ``path`` stands, or with ``key`` the key that leads to it (a list item has none)."""
        extent = self._keys.get(path) if key else None
        if extent is None:
            extent = self._values[path]
        return self._span(extent.start, extent.end)

    def locate(self, path: KeyPath, start: int, end: int) -> Span:
        """Where characters ``start`` to ``end`` of the text at ``path`` stand, however that text is written."""
        extent = self._values[path]
        value: Any = self.value
        for step in path:
            value = value[step]
        places = positions(self.text, extent.start, extent.end, extent.style, str(value))
        first = places[min(start, len(places) - 1)]
        last = places[min(end, len(places) - 1)] if end > start else first + 1
        return self._span(first, last)

    def holds(self, path: KeyPath, span: Span) -> bool:
        """Whether a place lies within the value at ``path``."""
        extent = self._values[path]
        return extent.start <= self._starts[span.line - 1] + span.column - 1 <= extent.end

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self._starts, start) - 1
        begin = self._starts[line]
        limit = begin + len(self.lines[line])
        stop = min(end, limit)
        return Span(self.file, line + 1, start - begin + 1, max(stop, start + 1) - begin + 1)


def read(path: str | Path) -> Document:
    """Read a YAML file.

    raises  MappingError with everything that is wrong with it
    """
    file = str(path)
    nowhere = Span(file, 1, 1, 2)
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise MappingError(
                [Problem(nowhere, "too-large", "the file is larger than 1 MiB", "Split it: see 'include'.")]
            )
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise MappingError([Problem(nowhere, "no-such-file", "there is no such file", "Check its name.")]) from None
    except OSError as error:
        raise MappingError([Problem(nowhere, "unreadable", f"the file cannot be read: {error.strerror}")]) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        hint = "Save the file as UTF-8."
        span = Span(file, line, column, column + 1)
        raise MappingError([Problem(span, "not-utf-8", "this byte is not UTF-8", hint)]) from None
    return load(text, file)


def load(text: str, file: str) -> Document:
    """Read YAML text.

    file    its name, for messages
    raises  MappingError with everything that is wrong with it
    """
    text = text.removeprefix("\ufeff")
    document = Document(file, text, None, _lines(text))
    position = 0
    for line in document.lines:
        document._starts.append(position)
        position += len(line) + _ending(text, position + len(line))
    problems = list(_unprintable(document))
    if len(text) > MAX_BYTES:
        problems.append(Problem(document._span(0, 1), "too-large", "the file is larger than 1 MiB"))
    if not problems:
        composer = _Composer(document, problems)
        try:
            document.value = composer.compose()
        except yaml.MarkedYAMLError as error:
            problems.append(explain(error, document.lines, file))
        except _StopError:
            pass
    if problems:
        raise MappingError(problems)
    return document


def _lines(text: str) -> list[str]:
    """The lines as YAML counts them; never empty."""
    return re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)


def _ending(text: str, at: int) -> int:
    return 2 if text.startswith("\r\n", at) else 1


def _unprintable(document: Document) -> Iterator[Problem]:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", document.text)
    if found:
        message = f"the character U+{ord(found.group()):04X} cannot stand in a file"
        hint = 'Take it away, or write it as an escape in double quotes: "\\x00".'
        yield Problem(document._span(found.start(), found.end()), "bad-character", message, hint)


class _StopError(Exception):
    """Enough problems: nothing more can be learned."""


@dataclass(slots=True)
class _Node:
    """A composed value: a scalar's value, or (key, extent, node) of an object, or (None, None, node) of a list."""

    extent: _Extent
    value: Any = None
    members: list[tuple[str | None, _Extent | None, _Node]] | None = None
    is_list: bool = False
    merges: list[_Node] = field(default_factory=list)


class _Composer:
    """Builds values from the parser's events, so that bounds hold before anything large is built."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems
        self.events: Iterator[Any] = yaml.parse(document.text, Loader=_LOADER)
        self.anchors: dict[str, _Node | None] = {}
        self.count = 0

    def _root(self) -> _Node | None:
        root: _Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._stopped(event, "several-documents", "a file holds one document", "Take the '---' away.")
                root = self._node(next(self.events), 0)
        return root

    def compose(self) -> Any:
        root = self._root()
        if root is None:
            self.document.value = None
            self.document._values[()] = _Extent(0, 0)
            return None
        value = self._plain(root, (), 0)
        if self.problems:
            raise _StopError
        return value

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._stopped(event, "too-deep", f"values are nested more than {MAX_DEPTH} deep")
        self._count(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None and event.tag != "!":
            hint = "Write the value as it is; in quotes it is text."
            self._problem(event, "tag", "tags (words that begin with '!') are not part of a mapping file", hint)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        extent = _Extent(event.start_mark.index, event.end_mark.index, getattr(event, "style", None) or "")
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(extent, _scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = _Node(extent, members=[], is_list=True)
            self._items(node, depth)
        else:
            node = _Node(extent, members=[])
            self._entries(node, event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> _Node:
        if event.anchor not in self.anchors:
            hint = f"Write '&{event.anchor}' before the value that is meant."
            raise self._stopped(event, "unknown-anchor", f"nothing above is called '{event.anchor}'", hint)
        node = self.anchors[event.anchor]
        if node is None:
            raise self._stopped(event, "anchor-cycle", f"'*{event.anchor}' stands inside itself")
        return node

    def _items(self, node: _Node, depth: int) -> None:
        assert node.members is not None
        event: Any
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                node.extent = _Extent(node.extent.start, event.end_mark.index)
                return
            node.members.append((None, None, self._node(event, depth + 1)))

    def _entries(self, node: _Node, start: Any, depth: int) -> None:
        assert node.members is not None
        seen: dict[str, _Extent] = {}
        event: Any
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                node.extent = _Extent(node.extent.start, event.end_mark.index)
                return
            if not isinstance(event, yaml.ScalarEvent):
                self._bad_key(event, start)
            self._count(event)
            extent = _Extent(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
            key = event.value
            inner = self._node(next(self.events), depth + 1)
            if key == "<<" and not event.style:
                self._merge(node, inner, event)
                continue
            if not key.strip():
                self._problem(event, "empty-key", "a key is missing before ':'", "Write its name before the colon.")
            elif key in seen:
                line = self.document._span(seen[key].start, seen[key].end).line
                message = f"'{key}' is said twice; first in line {line}"
                self._problem(event, "repeated-key", message, "Keep one of the two: the other would be lost.")
            seen[key] = extent
            node.members.append((key, extent, inner))

    def _bad_key(self, event: Any, start: Any) -> None:
        text = self.document.text
        if text.startswith("{{", start.start_mark.index):
            self.problems.append(unquoted_braces(self.document._span(start.start_mark.index, len(text))))
            raise _StopError
        raise self._stopped(event, "bad-key", "a key is text, not an object or a list", "Put quotes around it.")

    def _merge(self, node: _Node, other: _Node, event: Any) -> None:
        sources = [inner for _, _, inner in other.members or ()] if other.is_list else [other]
        if any(source.members is None or source.is_list for source in sources):
            self._problem(event, "bad-merge", "'<<' takes an object, or a list of objects", "Write: <<: *name")
            return
        node.merges += sources

    def _plain(self, node: _Node, path: KeyPath, depth: int) -> Any:
        """The value, with the place of every value below it; aliases are written out, within bounds."""
        self.count += 1
        if self.count > 2 * MAX_NODES or depth > 2 * MAX_DEPTH:
            self._too_many(node.extent.start)
        self.document._values[path] = node.extent
        if node.members is None:
            return node.value
        if node.is_list:
            return [self._plain(inner, (*path, i), depth + 1) for i, (_, _, inner) in enumerate(node.members)]
        value: dict[str, Any] = {}
        for key, extent, inner in self._merged(node, 0):
            value[key] = self._plain(inner, (*path, key), depth + 1)
            self.document._keys[(*path, key)] = extent
        return value

    def _merged(self, node: _Node, depth: int) -> list[tuple[str, _Extent, _Node]]:
        """An object's members with those it merges in: its own win, then the first named."""
        own = [(key, extent, inner) for key, extent, inner in node.members or () if key is not None and extent]
        if not node.merges:
            return own
        if depth > MAX_DEPTH:
            self._too_many(node.extent.start)
        names = {key for key, _, _ in own}
        merged: list[tuple[str, _Extent, _Node]] = []
        for source in node.merges:
            for key, extent, inner in self._merged(source, depth + 1):
                self.count += 1
                if key not in names:
                    names.add(key)
                    merged.append((key, extent, inner))
        return merged + own

    def _count(self, event: Any) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            self._too_many(event.start_mark.index)

    def _too_many(self, start: int) -> None:
        message = f"the file has more than {MAX_NODES:,} values once its aliases are written out"
        self.problems.append(Problem(self.document._span(start, start + 1), "too-many-values", message))
        raise _StopError

    def _problem(self, event: Any, code: str, message: str, hint: str = "") -> None:
        span = self.document._span(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
        self.problems.append(Problem(span, code, message, hint))

    def _stopped(self, event: Any, code: str, message: str, hint: str = "") -> _StopError:
        self._problem(event, code, message, hint)
        return _StopError()


def _scalar(event: Any) -> Any:
    """A scalar's value: text, unless it is written plainly and is a number or one of the few words."""
    text: str = event.value
    if event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    found = _NUMBER.match(text)
    if found is None:
        return text
    return float(text) if found[1] else int(text)
