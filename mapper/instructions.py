"""Events Manager's setup page, as text: what it asks for, a mapping to begin with, and whether a mapping answers it.

A marketer copies the page from a browser. It says, event by event and in Meta's own wording, which parameters are
required. Nothing in it is skipped silently: a line in a list of parameters that is no known parameter is reported with
its number and the nearest known wording.
"""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from .destination import Destination
from .errors import Problem
from .program import Program
from .rules import Rule
from .trees import Place

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u2060\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BULLET: Final = re.compile(r"^(?:[\s•·*▪◦‣●○■□☐☑✓✔>#–—-]+|\[[ xX✓]?\](?=\s)|[0-9]{1,2}[.)](?=\s))+")
_HASHING: Final = r"(?:do not hash|don't hash|hash(?:ed|ing)?(?: (?:required|recommended))?|required|recommended)"
_NOTE: Final = re.compile(rf"\s*[–—-]\s*{_HASHING}\s*$|\s*\({_HASHING}\)\s*$", re.I)
_EVENT: Final = re.compile(
    r"^set[ -]?up (?:the |your )?(?P<name>.+?)(?: (?:custom|standard))?(?P<event> event)?:?$", re.I
)
_SECTION: Final = re.compile(
    r"^(?:event|customer information|custom data|custom|standard|user data|server event|app data) parameters"
    r"(?: ?\(?[0-9]+\)?)?:?$",
    re.I,
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
    """Read a setup page's text, in Meta's wording as the destination file declares it."""
    return _Reader(destination, text).read()


class _Reader:
    """Reads line by line: a heading begins an event, its description follows, then lists of parameters, then prose."""

    def __init__(self, destination: Destination, text: str) -> None:
        self.destination = destination
        self.lines = [_INVISIBLE.sub("", line).replace("’", "'") for line in text.splitlines()]
        fields = reversed(list(destination.fields.items()))
        self.labels = {_folded(field.name): path for path, field in fields}
        for path, field in reversed(list(destination.fields.items())):
            self.labels.update((_folded(label), path) for label in field.labels)
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
        if _SECTION.match(words):
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
            self.unknown.append(Unknown(number, words, self._label(close[0]) if close else ""))

    def _is_event(self, number: int, found: re.Match[str]) -> bool:
        """A heading such as "Set up View content event", not a sentence that begins with the same words."""
        if found["name"].endswith(".") or len(found["name"]) > 80:
            return False
        following = [_cleaned(line) for line in self.lines[number : number + 6]]
        return bool(found["event"]) or any(map(_SECTION.match, following))

    def _asked(self, number: int) -> tuple[Asked, ...]:
        """The parameters that a line names: one, or several with commas or tabs between; none if one is unknown."""
        line = self.lines[number - 1] if number <= len(self.lines) else ""
        for separator in (None, r"\t+", r"[,;|\t]"):
            parts = [_cleaned(part) for part in (re.split(separator, line) if separator else [line])]
            paths = [(self._path(part), part) for part in parts if part]
            known = [Asked(path, part, number) for path, part in paths if path is not None]
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
        event = self.events.pop(known) if known is not None else SetupEvent(name, display, "", (), number)
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


def too_broad(destination: Destination, event: SetupEvent) -> Rule | None:
    """The rule by which an event of nothing but the required customer information is refused, or None."""
    people = {asked.path.partition(".")[2]: "x" for asked in event.required if asked.path.startswith("user_data.")}
    sent = {"event_name": event.name, "user_data": people}
    for rule in destination.rules:
        if rule.kind == "not_only" and rule.level == "error" and not rule.holds(sent):
            return rule
    return None


@dataclass(frozen=True, slots=True)
class Guess:
    """An expression for a parameter, and how sure it is: ``high`` or ``low``."""

    expression: str
    confidence: str


def skeleton(setup: Setup, destination: Destination, guesses: Mapping[str, Guess] | None = None) -> str:
    """A mapping to begin with: every event of the page, what it requires, and an expression to fill in for each."""
    return _Skeleton(setup, destination, guesses or {}).text()


_WEBSITE: Final = ("action_source", "event_source_url", "user_data.client_user_agent")
"""What an event of a website cannot do without, whatever the page says."""

_SHAPES: Final = {
    "event_time": "{{ time }}",
    "event_source_url": "{{ page_url }}",
    "event_id": "{{ id }}",
    "user_data.em": "{{ email }}",
    "user_data.ph": "{{ phone }}",
    "user_data.fn": "{{ first_name }}",
    "user_data.ln": "{{ last_name }}",
    "user_data.client_user_agent": "{{ user_agent }}",
    "user_data.client_ip_address": "{{ ip_address }}",
}


class _Skeleton:
    def __init__(self, setup: Setup, destination: Destination, guesses: Mapping[str, Guess]) -> None:
        self.setup, self.destination, self.guesses = setup, destination, guesses
        paths = [{asked.path for asked in event.required} for event in setup.events]
        shared = set.intersection(*paths) if paths else set()
        always = {path for path, field in destination.fields.items() if field.required and path in _SHAPES}
        shared |= always.union(path for path in _WEBSITE if path in destination.fields)
        self.shared = [path for path in destination.fields if path in shared and path != destination.roles.name]

    def text(self) -> str:
        lines = [
            "# Made from Events Manager's setup page. What to do next:",
            "#   1. Replace every expression that is marked FILL IN by the field of your records that holds it.",
            "#   2. Say under 'when' by which records each event is made.",
            "#   3. mapper check THIS-FILE, and mapper check THIS-FILE --sample RECORDS",
            "version: 1",
            f"destination: {self.destination.name}",
        ]
        if self.shared:
            lines += ["", "defaults:                          # what all events share", *self._tree(self.shared, 2)]
        lines += ["", "events:"]
        for event in self.setup.events:
            lines += self._event(event)
        return "\n".join(lines) + "\n"

    def _event(self, event: SetupEvent) -> list[str]:
        lines = ["", *(f"  # {line}" for line in _wrapped(event.about)), f"  {_key(event.name)}:"]
        lines.append(f"    when: type == '{_plain(event.name)}'          # FILL IN: by which records it is made")
        if event.required:
            lines += ["    required:", *(f"      - {asked.path}" for asked in event.required)]
        own = [asked.path for asked in event.required if asked.path not in self.shared]
        own = [path for path in own if path != self.destination.roles.name]
        rule = too_broad(self.destination, event)
        extra = "user_data.client_ip_address"
        if own or rule is not None:
            lines.append("    parameters:")
            if rule is not None and extra in self.destination.fields:
                lines += [
                    "      # The page asks for nothing that tells who it was: an event with no more than that is",
                    f"      # refused (rule {rule.id}). The cheapest remedy is the visitor's IP address;",
                    "      # an e-mail address, external_id, fbp or fbc will do as well.",
                ]
                own.append(extra)
            lines += self._tree(own, 6)
        return lines

    def _tree(self, paths: Iterable[str], indent: int) -> list[str]:
        """Parameters as nested keys; those without an object above them come first."""
        lines: list[str] = []
        written: list[str] = []
        for path in sorted(paths, key=lambda path: path.split(".")[:-1]):
            above = self._above(path)
            shared = next((i for i, pair in enumerate(zip(written, above, strict=False)) if pair[0] != pair[1]), None)
            shared = min(len(written), len(above)) if shared is None else shared
            for depth in range(shared, len(above)):
                lines.append(f"{' ' * (indent + 2 * depth)}{self._name(above[depth])}:")
            lines.append(f"{' ' * (indent + 2 * len(above))}{self._name(path)}: {self._value(path)}")
            written = above
        return lines

    def _above(self, path: str) -> list[str]:
        """The objects that a parameter stands in, outermost first; a name may have a dot of its own."""
        steps = path.split(".")
        heads = [".".join(steps[:count]) for count in range(1, len(steps))]
        return [head for head in heads if head in self.destination.fields]

    def _name(self, path: str) -> str:
        return _key(self.destination.fields[path].name)

    def _value(self, path: str) -> str:
        field = self.destination.fields[path]
        if path == "action_source":
            return "website             # FILL IN, if it is not a website"
        guess = self.guesses.get(path)
        if guess is not None:
            expression = json.dumps(f"{{{{ {guess.expression} }}}}", ensure_ascii=False)
            return f"{expression}   # {field.label}: from the sample, confidence {guess.confidence}"
        shape = _SHAPES.get(path, f"{{{{ {field.name} }}}}")
        return f'"{shape}"   # FILL IN: {field.label}' + (", not hashed" if field.never_hash else "")


def _key(name: str) -> str:
    """An event's name as a key: in quotes unless it is a plain word."""
    return name if re.fullmatch(r"[A-Za-z_][\w-]*", name) else json.dumps(name, ensure_ascii=False)


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100)


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
