"""A destination's setup page, as text: what it asks for, and whether a mapping answers it.

A marketer copies the page (Meta has one in Events Manager) from a browser. It says, event by event and in the
destination's own wording, which parameters are required. Nothing in it is skipped silently: a line in a list of
parameters that is no known parameter is reported with its number and the nearest known wording.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from ..compiler.trees import Place
from ..destinations.destination import Destination
from ..destinations.pasted import lines_of
from ..errors import Problem, Span
from ..events.program import Program

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u2060\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BULLET: Final = re.compile(r"^(?:[\s•·*▪◦‣●○■□☐☑✓✔>#–—-]+|\[[ xX✓]?\](?=\s)|[0-9]{1,2}[.)](?=\s))+")
_HASHING: Final = r"(?:do not hash|don't hash|hash(?:ed|ing)?(?: (?:required|recommended))?|required|recommended)"
_NOTE: Final = re.compile(rf"\s*[–—-]\s*{_HASHING}\s*$|\s*\({_HASHING}\)\s*$", re.I)
_EVENT: Final = re.compile(
    r"^set[ -]?up (?:the |your )?(?P<name>.+?)(?: (?:custom|standard))?(?P<event> event)?:?$", re.I
)
_BUTTON: Final = re.compile(r"^(?:learn more|(?:see|show|view) (?:all|more|less|details)|copy|edit)\.?$", re.I)
"""What a browser copies along with the text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A parameter that the page requires: its path, the page's wording, and the line of the text."""

    path: str
    label: str
    line: int


@dataclass(frozen=True, slots=True)
class SetupEvent:
    """An event that the page describes: its name as sent, as displayed, what it is, and what it requires."""

    name: str
    display: str
    about: str
    required: tuple[Asked, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line in a list of parameters that is no known parameter, with the nearest that is."""

    line: int
    text: str
    nearest: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What a setup page asks for."""

    events: tuple[SetupEvent, ...]
    unknown: tuple[Unknown, ...]

    @property
    def count(self) -> int:
        """How many required parameters there are, over all events."""
        return sum(len(event.required) for event in self.events)


def read_setup(text: str, destination: Destination) -> Setup:
    """Read a setup page's text, in the wording that the destination file declares."""
    return _Reader(destination, text).read()


class _Reader:
    """Reads line by line: a heading begins an event, its description follows, then lists of parameters, then prose."""

    def __init__(self, destination: Destination, text: str) -> None:
        self.destination = destination
        lines = lines_of(text)
        self.lines = [_INVISIBLE.sub("", line).replace("’", "'") for _, line in lines]
        self.numbers = [number for number, _ in lines]
        fields = reversed(list(destination.fields.items()))
        self.labels = {_folded(field.name): path for path, field in fields}
        for path, field in reversed(list(destination.fields.items())):
            self.labels.update((_folded(label), path) for label in field.labels)
        sections = "|".join(map(re.escape, destination.hints.sections))
        self.is_section = re.compile(rf"^(?:{sections}) parameters(?: ?\(?[0-9]+\)?)?:?$", re.I).match
        self.events: list[SetupEvent] = []
        self.unknown: list[Unknown] = []
        self.event: SetupEvent | None = None
        self.state: Literal["about", "list", "prose"] = "prose"

    def read(self) -> Setup:
        for number, line in enumerate(self.lines, 1):
            words = _cleaned(line)
            if not words or _BUTTON.match(words):
                continue
            found = _EVENT.match(words)
            if found and self._is_event(number, found):
                self.event, self.state = self._begun(number, found["name"]), "about"
            elif self.event is not None:
                self._line(self.event, number, words)
        return Setup(tuple(self.events), tuple(self.unknown))

    def _line(self, event: SetupEvent, number: int, words: str) -> None:
        """A line below an event's heading."""
        asked = self._asked(number)
        if self.is_section(words):
            if self.state != "prose" or self._asked(self._next(number)):
                self.state = "list"
        elif self.state == "about":
            self.event = self._changed(event, about=f"{event.about} {words}".strip())
        elif asked:
            self.event, self.state = self._changed(event, asked=asked), "list"
        elif self.state == "list" and self._is_prose(number):
            self.state = "prose"
        elif self.state == "list":
            close = difflib.get_close_matches(_folded(_NOTE.sub("", words)), self.labels, 1, 0.6)
            self.unknown.append(Unknown(self.numbers[number - 1], words, self._label(close[0]) if close else ""))

    def _is_event(self, number: int, found: re.Match[str]) -> bool:
        """A heading such as "Set up View content event", not a sentence that begins with the same words."""
        if found["name"].endswith(".") or len(found["name"]) > 80:
            return False
        following = [_cleaned(line) for line in self.lines[number : number + 6]]
        return bool(found["event"]) or any(map(self.is_section, following))

    def _asked(self, number: int) -> tuple[Asked, ...]:
        """The parameters that a line names: one, or several with commas or tabs between; none if one is unknown."""
        line = self.lines[number - 1] if number <= len(self.lines) else ""
        for separator in (None, r"\t+", r"[,;|\t]"):
            parts = [_cleaned(part) for part in (re.split(separator, line) if separator else [line])]
            paths = [(self._path(part), part) for part in parts if part]
            known = [Asked(path, part, self.numbers[number - 1]) for path, part in paths if path is not None]
            if known and len(known) == len(paths):
                return tuple(known)
        return ()

    def _next(self, number: int) -> int:
        """The next line that says something."""
        rest = (other for other in range(number + 1, len(self.lines) + 1) if _cleaned(self.lines[other - 1]))
        return next(rest, len(self.lines) + 1)

    def _begun(self, number: int, display: str) -> SetupEvent:
        if re.fullmatch("[\"'“].+[\"'”]", display):
            display = display[1:-1]
        name = self.destination.event_named(display) or display
        known = next((index for index, event in enumerate(self.events) if event.name == name), None)
        line = self.numbers[number - 1]
        event = self.events.pop(known) if known is not None else SetupEvent(name, display, "", (), line)
        self.events.append(event)
        return event

    def _changed(self, event: SetupEvent, about: str | None = None, asked: Iterable[Asked] = ()) -> SetupEvent:
        known = {one.path for one in event.required}
        required = (*event.required, *(one for one in asked if one.path not in known))
        self.events[-1] = replace(event, about=event.about if about is None else about, required=required)
        return self.events[-1]

    def _path(self, words: str) -> str | None:
        return self.labels.get(_folded(words)) or self.labels.get(_folded(_NOTE.sub("", words)))

    def _is_prose(self, number: int) -> bool:
        """Whether the page goes on with something else: a sentence, or a heading that a sentence follows."""
        after = self._next(number)
        following = _cleaned(self.lines[after - 1]) if after <= len(self.lines) else ""
        here = _cleaned(self.lines[number - 1])
        return _is_sentence(here) or (_is_sentence(following) and not _EVENT.match(following))

    def _label(self, folded: str) -> str:
        path = self.labels[folded]
        return f"{self.destination.fields[path].label} ({path})"


def _cleaned(line: str) -> str:
    """A line without bullets, numbers, marks of Markdown and superfluous blanks."""
    words = " ".join(_BULLET.sub("", line).split())
    return words.removesuffix("**").removesuffix("__").rstrip()


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def _is_sentence(line: str) -> bool:
    return len(line) > 60 or (line.endswith(".") and len(line.split()) > 4)


def unread(setup: Setup, file: str) -> list[Problem]:
    """The lines of a page, by its file's name, that are no known parameter: nobody can say whether they are mapped."""
    return [
        Problem(
            Span(file, one.line, 1, 1 + len(one.text)),
            "setup-unknown",
            f"'{one.text[:60]}' is no parameter that is known",
            f"Is it '{one.nearest}'?" if one.nearest else "Compare it with the page, or with the list of parameters.",
        )
        for one in setup.unknown
    ]


def compare(setup: Setup, program: Program) -> list[Problem]:
    """How a mapping differs from the page: events and parameters that are missing, extra, or named otherwise."""
    problems: list[Problem] = []
    by_name: dict[str, list[int]] = {}
    specs = program.spec.events
    for index, transform in enumerate(program.transforms):
        by_name.setdefault(transform.name or transform.key, []).append(index)
    top = Place(program.spec.document, ())
    for event in setup.events:
        if event.name not in by_name:
            close = difflib.get_close_matches(event.name.lower(), {name.lower(): name for name in by_name}, 1, 0.7)
            original = {name.lower(): name for name in by_name}
            hint = f"Is it '{original[close[0]]}'? Upper and lower case matter." if close else "Add it under 'events'."
            message = f"the page asks for {event.name} (line {event.line}), and no event has this name"
            problems.append(Problem(top.child("events").key_span(), "setup-event", message, hint))
            continue
        for index in by_name[event.name]:
            problems += _compared(event, program, index)
    asked = {event.name for event in setup.events}
    for name, indexes in by_name.items():
        if name not in asked:
            message = f"the page does not ask for {name}"
            span = specs[indexes[0]].place.key_span()
            problems.append(Problem(span, "setup-extra", message, "That is fine, if you mean it.", "warning"))
    return problems


def _compared(event: SetupEvent, program: Program, index: int) -> list[Problem]:
    transform, spec = program.transforms[index], program.spec.events[index]
    required = {requirement.parameter for requirement in transform.requirements} | {path for path, _ in spec.required}
    literal = {one.path for one in transform.parameters if one.literal} | {program.destination.roles.name}
    given = {one.path for one in transform.parameters}
    problems: list[Problem] = []
    for asked in event.required:
        if asked.path in required or asked.path in literal:
            continue
        hint = f"Add '{asked.path}' to 'required'" + ("." if asked.path in given else ", and an expression for it.")
        message = f"the page requires {asked.label} ({asked.path}, line {asked.line}) for {event.name}"
        problems.append(Problem(spec.place.key_span(), "setup-parameter", message, hint))
    listed = {asked.path for asked in event.required}
    for path, place in spec.required:
        if path not in listed:
            message = f"the page does not require {path} for {event.name}"
            hint = "That is stricter than the page; fine, if you mean it."
            problems.append(Problem(place.span(), "setup-extra", message, hint, "warning"))
    return problems
