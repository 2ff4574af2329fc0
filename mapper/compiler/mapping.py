"""Mapping files as declared: the keys they may have, and what they say, with the place of every word.

``RULES`` is the one declaration of the file format: Cerberus checks files with it, and the JSON Schema for editors
and the reference page are made from it. ``read_mapping`` turns checked files into specs; nothing here knows what a
destination says, and no expression is parsed yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..destinations.declared import is_declaration
from ..documents import schema
from ..documents.document import Document, KeyPath
from ..documents.document import read as read_document
from ..errors import MappingError, Problem
from .trees import Branch, ParameterSpec, Place, merged, read_parameter

EXPRESSION = ["string", "boolean", "integer", "float"]

EVENT_RULES: dict[str, Any] = {
    "event_name": {
        "type": ["string"],
        "nullable": False,
        "meta": {"about": "The name to send, if it is not the event's own key: text or an expression."},
    },
    "when": {
        "type": EXPRESSION,
        "meta": {
            "about": "A bare expression: the event is made of records for which it is true.",
            "examples": ["type == 'order.paid'"],
        },
    },
    "for": {
        "type": "string",
        "meta": {"about": "One event per item of a list.", "examples": ["line in order.lines"]},
    },
    "if": {"type": EXPRESSION, "meta": {"about": "With `for`: only items for which this is true."}},
    "required": {
        "type": "list",
        "schema": {"type": "string"},
        "meta": {
            "about": "Parameters without which this event must not be sent, on top of the destination's own.",
            "examples": [["event_id", "user_data.em"]],
        },
    },
    "parameters": {"type": "dict", "meta": {"about": "What the event says: parameter names and values."}},
    "defaults": {
        "type": "boolean",
        "meta": {"about": "`false`: this event takes none of the shared defaults."},
    },
}

TABLE_RULES: dict[str, Any] = {
    "file": {"type": "string", "meta": {"about": "A CSV or JSON file beside the mapping."}},
    "key": {"type": "string", "meta": {"about": "CSV: the column that is looked up (else the first)."}},
    "value": {"type": "string", "meta": {"about": "CSV: the column that is returned (else the second)."}},
    "values": {"type": "dict", "meta": {"about": "The table itself, inline."}},
    "ignore_case": {"type": "boolean", "meta": {"about": "`true`: upper and lower case are the same key."}},
    "default": {"nullable": True, "meta": {"about": "What a miss gives; without it a miss is empty."}},
}

RULES: dict[str, Any] = {
    "version": {"type": "integer", "allowed": [1], "meta": {"about": "The version of the mapping language."}},
    "destination": {
        "type": "string",
        "meta": {"about": "Where events go: `meta`, or the path of a destination file of your own."},
    },
    "include": {
        "type": ["string", "list"],
        "meta": {"about": "Other mapping files, relative to this one: their events, tables, names and defaults."},
    },
    "samples": {
        "type": "list",
        "schema": {
            "type": "dict",
            "schema": {
                "file": {"type": "string", "required": True, "meta": {"about": "A file of records."}},
                "recorded": {
                    "type": "string",
                    "required": True,
                    "meta": {"about": "When it was recorded (ISO 8601 with an offset)."},
                },
            },
        },
        "meta": {"about": "Sample records: replayed as if they had been recorded just now."},
    },
    "tables": {
        "type": "dict",
        "valuesrules": {"type": "dict"},
        "meta": {"about": "Look-up tables, inline or from a CSV or JSON file beside the mapping."},
    },
    "let": {
        "type": "dict",
        "meta": {"about": "Names computed once per record, in order, for use in the expressions below."},
    },
    "defaults": {"type": "dict", "meta": {"about": "Parameters every event shares; an event's own win."}},
    "consent": {
        "type": "string",
        "meta": {"about": "An expression that decides per record: 'send', 'limited' or 'drop'."},
    },
    "rules": {
        "type": "dict",
        "valuesrules": {"type": "string", "allowed": ["error", "warning", "off"]},
        "meta": {
            "about": "How serious a rule of the destination is: error, warning or off.",
            "examples": [{"M15": "error"}],
        },
    },
    "ignore": {
        "type": "list",
        "schema": {"type": "dict", "schema": {"when": {"type": EXPRESSION, "required": True}}},
        "meta": {"about": "Records that are meant to produce nothing: counted, never an error."},
    },
    "events": {
        "type": "dict",
        "valuesrules": {"type": "dict", "nullable": True, "schema": EVENT_RULES},
        "meta": {"about": "The events, by name."},
    },
    "tests": {
        "type": "list",
        "schema": {"type": "dict"},
        "meta": {"about": "Records and the events they must give."},
    },
}


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event as declared; ``parameters`` already holds the defaults that it shares."""

    key: str
    place: Place
    parameters: Branch
    required: tuple[tuple[str, Place], ...]

    def part(self, key: str) -> Place | None:
        """The place of ``when``, ``for``, ``if`` or ``event_name``, or None if the event says nothing of it."""
        return self.place.child(key) if isinstance(self.place.value, dict) and key in self.place.value else None


@dataclass(frozen=True, slots=True)
class SampleSpec:
    """A file of sample records and the moment (Unix seconds) at which it was recorded."""

    file: Path
    recorded: float


@dataclass(frozen=True, slots=True)
class MappingSpec:
    """A mapping file and all that it includes, as declared."""

    document: Document
    documents: tuple[Document, ...]
    destination: Place | None
    tables: Mapping[str, Place]
    lets: tuple[tuple[str, Place], ...]
    consent: Place | None
    rules: Mapping[str, Place]
    ignore: tuple[Place, ...]
    events: tuple[EventSpec, ...]
    tests: tuple[Place, ...]
    samples: tuple[SampleSpec, ...]
    problems: tuple[Problem, ...] = ()
    """What is wrong with it, if the rest can be looked at nevertheless: it is left out here."""


def read_mapping(document: Document) -> MappingSpec:
    """Read a mapping and its includes.

    raises  MappingError with every problem of every file that can be found without the destination, if they leave
            nothing that could be looked at further
    """
    reader = _Reader(Path(document.file).parent)
    reader.read(document, ())
    if reader.problems:
        raise MappingError([*reader.problems, *reader.passed])
    return reader.spec(document)


class _Reader:
    """Collects the sections of a mapping and its includes, included files first, so that a file's own words win."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.passed: list[Problem] = []
        self.documents: list[Document] = []
        self.sections: dict[str, dict[str, Place]] = {k: {} for k in ("tables", "let", "rules", "events")}
        self.defaults: dict[str, ParameterSpec] = {}
        self.destination: Place | None = None
        self.consent: Place | None = None
        self.ignore: list[Place] = []
        self.tests: list[Place] = []
        self.samples: list[SampleSpec] = []

    def read(self, document: Document, above: tuple[Path, ...]) -> None:
        if not isinstance(document.value, dict):
            span = document.span(())
            hint = "Start with 'version: 1', 'destination: meta' and 'events:'."
            self.problems.append(Problem(span, "wrong-type", "a mapping file is an object of keys", hint))
            return
        if is_declaration(document.value):
            hint = "A mapping names it: 'destination: NAME'. To see whether it can be used: mapper check FILE."
            message = "this is a destination file, not a mapping"
            self.problems.append(Problem(document.span(()), "no-mapping", message, hint))
            return
        document, found, is_usable = _usable(document)
        self.documents.append(document)
        (self.passed if is_usable else self.problems).extend(found)
        if not is_usable:
            return
        top = Place(document, ())
        path = Path(document.file).resolve()
        if "include" in document.value:
            self._include(top.child("include"), (*above, path))
        for name, section in self.sections.items():
            if name in document.value:
                for key, place in top.child(name).children():
                    self._declare(name, section, key, place)
        self._take(top, document)

    def _take(self, top: Place, document: Document) -> None:
        """The sections that are no tables of names."""
        if "destination" in document.value:
            self.destination = top.child("destination")
        if "consent" in document.value:
            self.consent = top.child("consent")
        if document.value.get("defaults"):
            place = top.child("defaults")
            shared = Branch(place, self.defaults) if self.defaults else None
            self.defaults = dict(merged(shared, read_parameter(place)).children)
        for name, places in (("ignore", self.ignore), ("tests", self.tests)):
            places += [top.child(name, i) for i in range(len(document.value.get(name) or ()))]
        for i in range(len(document.value.get("samples") or ())):
            self._sample(top.child("samples", i))

    def _declare(self, name: str, section: dict[str, Place], key: str, place: Place) -> None:
        other = section.get(key)
        if other is not None and other.document is not place.document and name in ("tables", "events"):
            message = f"{name[:-1]} '{key}' is declared twice: also at {other.key_span()}"
            self.problems.append(Problem(place.key_span(), "declared-twice", message, "Rename one of the two."))
        section.pop(key, None)
        section[key] = place

    def _include(self, place: Place, above: tuple[Path, ...]) -> None:
        names = [place] if isinstance(place.value, str) else [place.child(i) for i in range(len(place.value))]
        for name in names:
            if not isinstance(name.value, str):
                self.problems.append(name.problem("wrong-type", "include names a file", "Write its path as text."))
                continue
            path = inside(self.root, Path(name.document.file).parent / name.value)
            if path is None:
                hint = f"Files that a mapping names stay below its own folder, {self.root or '.'}."
                self.problems.append(name.problem("outside", "include leaves the mapping's folder", hint))
            elif path.resolve() in above:
                hint = "Take one of these includes away."
                self.problems.append(name.problem("include-cycle", _drawn(above, path.resolve()), hint))
            else:
                self._read_include(name, path, above)

    def _read_include(self, name: Place, path: Path, above: tuple[Path, ...]) -> None:
        if not path.is_file():
            self.problems.append(name.problem("no-such-file", f"there is no file {name.value!r} beside the mapping"))
            return
        try:
            document = read_document(path)
        except MappingError as error:
            self.problems += error.problems
            return
        self.read(document, above)

    def _sample(self, place: Place) -> None:
        text = place.value["recorded"]
        try:
            recorded = datetime.fromisoformat(text)
        except ValueError:
            recorded = datetime.min
        if recorded.tzinfo is None:
            message = "'recorded' is a time in ISO 8601 with an offset, such as 2026-03-01T12:00:00Z"
            self.problems.append(place.child("recorded").problem("bad-time", message))
            return
        file = Path(place.document.file).parent / place.value["file"]
        if "\0" in place.value["file"]:
            self.problems.append(place.child("file").problem("no-such-file", "no file can have such a name"))
            return
        self.samples.append(SampleSpec(file, recorded.timestamp()))

    def spec(self, document: Document) -> MappingSpec:
        events = tuple(self._event(key, place) for key, place in self.sections["events"].items())
        return MappingSpec(
            document=document,
            documents=tuple(self.documents),
            destination=self.destination,
            tables=self.sections["tables"],
            lets=tuple(self.sections["let"].items()),
            consent=self.consent,
            rules=self.sections["rules"],
            ignore=tuple(place.child("when") for place in self.ignore),
            events=events,
            tests=tuple(self.tests),
            samples=tuple(self.samples),
            problems=tuple(self.passed),
        )

    def _event(self, key: str, place: Place) -> EventSpec:
        value = place.value or {}
        own: ParameterSpec = Branch(place, {})
        if value.get("parameters"):
            own = read_parameter(place.child("parameters"))
        shared = Branch(place, self.defaults if value.get("defaults", True) else {})
        required = value.get("required") or ()
        places = tuple((name, place.child("required", i)) for i, name in enumerate(required))
        return EventSpec(key, place, merged(shared, own), places)


def inside(root: Path, path: Path) -> Path | None:
    """``path`` if it lies below ``root`` once every link and ``..`` is followed, else None."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError):  # a loop of links, a folder that may not be entered, or no name that a file can have
        return None
    return path if path.resolve().is_relative_to(root.resolve()) else None


def _drawn(above: tuple[Path, ...], again: Path) -> str:
    names = [path.name for path in above[above.index(again) :]] + [again.name]
    return "files include each other: " + " -> ".join(names)


def _usable(document: Document) -> tuple[Document, list[Problem], bool]:
    """A document without what is wrong in it, the problems, and whether what is left is worth a look: if so, what else
    is wrong is reported as well, and nothing that is only missing because it was left out."""
    found = [one for one in schema.faults(document, RULES) if not _is_extension(one[1], document)]
    value = document.value
    is_usable = isinstance(value, dict)
    for path, problem in found:
        is_unknown = problem.code == "unknown-key"
        if path[:1] == ("events",) and len(path) > 1:
            event = document.value["events"][path[1]]
            value = _without(value, path if is_unknown and "parameters" in event else path[:2])
        elif path[:1] in (("tests",), ("samples",)):
            value = _without(value, path[:1])
        elif len(path) == 1 and is_unknown and not isinstance(document.value[path[0]], dict | list):
            value = _without(value, path)
        else:
            is_usable = False
    return replace(document, value=value) if found else document, [problem for _, problem in found], is_usable


def _without(value: Any, path: KeyPath) -> Any:
    """A value without what stands at a path."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: part for key, part in value.items() if key != path[0]}
    return {**value, path[0]: _without(value[path[0]], path[1:])}


def _is_extension(problem: Problem, document: Document) -> bool:
    """Top-level keys that start with ``x-`` are the author's own, a place for anchors."""
    if problem.code != "unknown-key":
        return False
    line = document.lines[problem.span.line - 1]
    return problem.span.column == 1 and line.startswith("x-")
