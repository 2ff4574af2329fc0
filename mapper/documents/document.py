"""YAML files as plain values that know their place.

Stricter than YAML 1.1, so that what is written is what is meant: only ``true`` and ``false`` are booleans, numbers are
plain decimals, ``no``, ``01234``, ``12:30`` and ``2025-01-01`` are text, keys are text, a repeated key is an error, and
anchors work within bounds. JSON is YAML, so generated files are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from ..errors import MappingError, Problem, Span
from .placing import Lines, positions
from .syntax_errors import FLATTER, Complaint, Fault, crowded, explain, unquoted_braces

Step = str | int
KeyPath = tuple[Step, ...]

MAX_BYTES: Final = 1_048_576
MAX_NODES: Final = 100_000
"""How many values a file may have once its aliases are written out: a "billion laughs" stops here."""
MAX_DEPTH: Final = 50
MAX_FAULTS: Final = 20
"""How many faults of one kind are reported at once."""
MAX_ROUNDS: Final = 100

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]+)?\Z")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_UNPRINTABLE: Final = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_PROPERTIES: Final = re.compile(r"(?:[&!][\w!:/.%-]*(?:[ \t\n\r\x85\u2028\u2029]+|#[^\n\r\x85\u2028\u2029]*)*)*")
_SPLIT: Final = "Split it into several files: see 'include'."
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a value stands, as offsets in the text, and how it is written: ``'``, ``"``, ``|``, ``>`` or "" (plain) for
    a text, ``[`` for an object or a list in brackets, ``:`` for one without; ``key`` for a key."""

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
    written  every value and key, once, as it stands in the text
    """

    file: str
    text: str
    value: Any
    lines: list[str]
    written: list[Extent] = field(default_factory=list, repr=False)
    _values: dict[KeyPath, Extent] = field(default_factory=dict, repr=False)
    _keys: dict[KeyPath, Extent] = field(default_factory=dict, repr=False)
    _lines: Lines = field(default_factory=lambda: Lines.of("", ""), repr=False)

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
        return extent.start <= self._lines.starts[span.line - 1] + span.column - 1 <= extent.end

    def _span(self, start: int, end: int) -> Span:
        return self._lines.span(start, end)


def read(path: str | Path) -> Document:
    """Read a YAML file.

    raises  MappingError with everything that is wrong with it
    """
    file = str(path)
    nowhere = Span(file, 1, 1, 2)
    try:
        with Path(path).open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MappingError([Problem(nowhere, "no-such-file", "there is no such file", "Check its name.")]) from None
    except OSError as error:
        raise MappingError([Problem(nowhere, "unreadable", f"the file cannot be read: {error.strerror}")]) from None
    return load(decoded(data, file), file)


def decoded(data: bytes, file: str) -> str:
    """The text of a file.

    raises  MappingError if it is too large, or no UTF-8
    """
    if len(data) > MAX_BYTES:
        raise MappingError([Problem(Span(file, 1, 1, 2), "too-large", "the file is larger than 1 MiB", _SPLIT)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = Lines.of(error.object[: error.start].decode("utf-8-sig"), file)
        place = before.starts[-1] + len(before.texts[-1])
        hint = "Save the file as UTF-8."
        problem = Problem(before.span(place, place + 1), "not-utf-8", "this byte is not UTF-8", hint)
        raise MappingError([problem]) from None


def load(text: str, file: str) -> Document:
    """Read YAML text.

    file    its name, for messages
    raises  MappingError with everything that is wrong with it
    """
    text = text.removeprefix("\ufeff")
    lines = Lines.of(text, file)
    document = Document(file, text, None, lines.texts, _lines=lines)
    problems = list(_unreadable(document)) or _compose(document)
    if problems:
        raise MappingError(problems)
    return document


def _compose(document: Document) -> list[Problem]:
    """Give the document its value, and say what is wrong with it. Where a fault ends is often plain: then reading
    goes on behind it, so that several are reported at once."""
    text, lines = document.text, document._lines
    problems: list[Problem] = []
    found: dict[Problem, None] = {}
    for _ in range(MAX_ROUNDS):
        problems = []
        fault = None
        try:
            _Composer(document, text, problems).compose()
        except yaml.MarkedYAMLError as error:
            fault = explain(Complaint.of(error), text, lines)
        except _StopError as error:
            fault = error.fault
        if fault is not None and fault.problem is not None:
            found[fault.problem] = None
        mended = fault.mended(text) if fault is not None else None
        if mended is None or mended == text or len(found) >= MAX_FAULTS:
            break
        text, lines = mended, document._lines.over(mended)
    return [*problems, *found]


def _unreadable(document: Document) -> Iterator[Problem]:
    """What keeps the parser from even beginning."""
    if len(document.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        yield Problem(document._span(0, 1), "too-large", "the file is larger than 1 MiB", _SPLIT)
        return
    for found in islice(_UNPRINTABLE.finditer(document.text), MAX_FAULTS):
        message = f"the character U+{ord(found.group()):04X} cannot stand in a file"
        hint = 'Take it away, or write it as an escape in double quotes: "\\x00".'
        yield Problem(document._span(found.start(), found.end()), "bad-character", message, hint)


class _StopError(Exception):
    """Nothing more can be learned from this file, or not before this fault is mended."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault


@dataclass(slots=True)
class _Node:
    """A composed value: a scalar's value, or (key, extent, node) of an object, or (None, None, node) of a list.

    size, height    how many values and keys it holds once its aliases are written out, and how deep
    """

    extent: Extent
    value: Any = None
    members: list[_Member] | None = None
    is_list: bool = False
    size: int = 1
    height: int = 0

    def hold(self, inner: _Node) -> None:
        """Count a value below this one."""
        self.size += inner.size
        self.height = max(self.height, inner.height + 1)


_Member = tuple[Any, Any, _Node]


class _Composer:
    """Builds values from the parser's events, so that bounds hold before anything large is built."""

    def __init__(self, document: Document, text: str, problems: list[Problem]) -> None:
        self.document = document
        self.text = text
        self.problems = problems
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.anchors: dict[str, _Node | None] = {}
        self.written: list[Extent] = []
        self.size = 0

    def compose(self) -> None:
        root = self._root()
        if self.problems:
            raise _StopError
        self.document.written = self.written
        self.document.value = self._plain(root, ())

    def _root(self) -> _Node:
        root: _Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._stop(event, "several-documents", "a file holds one document", "Take the '---' away.")
                root = self._node(next(self.events), 0)
        if root is not None and isinstance(root.value, str) and not root.extent.style:
            self.problems += crowded(self.document._lines, root.extent.start)
        return root if root is not None else _Node(Extent(0, 0))

    def _node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if depth > MAX_DEPTH:
            self._stop(event, "too-deep", f"values are nested more than {MAX_DEPTH} deep", FLATTER)
        self._count(event, 1)
        start = event.start_mark.index
        if event.tag is not None:
            hint = "Write the value as it is; in quotes it is text."
            self._problem(event, "tag", "tags (words that begin with '!') are not part of a mapping file", hint)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
            start = min(_PROPERTIES.match(self.text, start).end(), event.end_mark.index)  # type: ignore[union-attr]
        extent = Extent(start, event.end_mark.index, _style(event))
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
        self.written.append(node.extent)
        return node

    def _alias(self, event: Any, depth: int) -> _Node:
        if event.anchor not in self.anchors:
            hint = f"Write '&{event.anchor}' before the value that is meant; for plain text use quotes."
            self._stop(event, "unknown-anchor", f"nothing above is called '{event.anchor}'", hint)
        node = self.anchors[event.anchor]
        if node is None:
            hint = "An alias repeats a value that is complete: take it out of that value."
            self._stop(event, "anchor-cycle", f"'*{event.anchor}' stands inside itself", hint)
        self._count(event, node.size)
        if depth + node.height > MAX_DEPTH:
            message = f"with this alias written out, values are nested more than {MAX_DEPTH} deep"
            self._stop(event, "too-deep", message, FLATTER)
        return node

    def _items(self, node: _Node, depth: int) -> None:
        assert node.members is not None
        event: Any
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                node.extent = Extent(node.extent.start, _end(event), node.extent.style)
                return
            inner = self._node(event, depth + 1)
            node.hold(inner)
            node.members.append((None, None, inner))

    def _entries(self, node: _Node, start: Any, depth: int) -> None:
        own: dict[str, _Member] = {}
        merged: dict[str, _Member] = {}
        sources: list[_Node] = []
        seen: dict[str, Extent] = {}
        event: Any
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                node.extent = Extent(node.extent.start, _end(event), node.extent.style)
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._bad_key(event, start)
            self._count(event, 1)
            extent = self._key(event, seen)
            inner = self._node(next(self.events), depth + 1)
            node.size += 1
            if event.value == "<<" and not event.style:
                sources += self._sources(inner, event)
                node.size += inner.size
            else:
                node.hold(inner)
                own[event.value] = (event.value, extent, inner)
        for source in sources:  # the first one named wins, and an object's own members over all
            node.height = max(node.height, source.height)
            for member in source.members or ():
                merged.setdefault(str(member[0]), member)
        node.members = [*(member for key, member in merged.items() if key not in own), *own.values()]

    def _key(self, event: Any, seen: dict[str, Extent]) -> Extent:
        """The place of a key, which must be some text, and not be there yet."""
        extent = Extent(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1), "key")
        self.written.append(extent)
        key = event.value
        if event.tag is not None or event.anchor is not None:
            self._problem(event, "bad-key", "a key is plain text, without '&' or '!'", "Put quotes around it.")
        elif not key.strip():
            self._problem(event, "empty-key", "a key is missing before ':'", "Write its name before the colon.")
        elif key in seen:
            line = self.document._lines.index(seen[key].start) + 1
            message = f"'{key}' is said twice; first in line {line}"
            hint = "Keep one of the two: the other would be lost."
            self._problem(event, "repeated-key", message, "Write: <<: [*one, *two]." if key == "<<" else hint)
        seen.setdefault(key, extent)
        return extent

    def _bad_key(self, event: Any, start: Any) -> None:
        at = start.start_mark.index
        if self.text.startswith("{{", at):
            raise _StopError(unquoted_braces(self.text, at, self.document._lines))
        self._stop(event, "bad-key", "a key is text, not an object or a list", "Put quotes around it.")

    def _sources(self, node: _Node, event: Any) -> list[_Node]:
        """The objects that ``<<`` merges in."""
        sources = [inner for _, _, inner in node.members or ()] if node.is_list else [node]
        if any(source.members is None or source.is_list for source in sources):
            self._problem(event, "bad-merge", "'<<' takes an object, or a list of objects", "Write: <<: *name")
            return []
        return sources

    def _plain(self, node: _Node, path: KeyPath) -> Any:
        """The value, with the place of every value below it; aliases are written out."""
        self.document._values[path] = node.extent
        if node.members is None:
            return node.value
        if node.is_list:
            return [self._plain(inner, (*path, i)) for i, (_, _, inner) in enumerate(node.members)]
        value: dict[str, Any] = {}
        for key, extent, inner in node.members:
            below = (*path, key)
            self.document._keys[below] = extent
            value[key] = self._plain(inner, below)
        return value

    def _count(self, event: Any, size: int) -> None:
        self.size += size
        if self.size > MAX_NODES:
            message = f"the file has more than {MAX_NODES:,} values once its aliases are written out"
            self._stop(event, "too-many-values", message, _SPLIT)

    def _problem(self, event: Any, code: str, message: str, hint: str = "") -> None:
        span = self.document._span(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
        self.problems.append(Problem(span, code, message, hint))

    def _stop(self, event: Any, code: str, message: str, hint: str = "") -> NoReturn:
        self._problem(event, code, message, hint)
        raise _StopError


def _style(event: Any) -> str:
    if isinstance(event, yaml.ScalarEvent):
        return event.style or ""
    return "[" if event.flow_style else ":"


def _end(event: Any) -> int:
    return int(event.end_mark.index)


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
