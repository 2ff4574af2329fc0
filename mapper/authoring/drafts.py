"""A mapping to begin with: every event of a setup page, what it requires, and an expression to fill in for each."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..destinations.destination import Destination
from ..destinations.hints import snake
from ..destinations.rules import Rule
from .instructions import Setup, SetupEvent

NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Guess:
    """An expression for a parameter or a condition, and how sure it is: ``high``, ``low`` or ``none``."""

    expression: str
    confidence: str


def too_broad(destination: Destination, event: SetupEvent) -> Rule | None:
    """The rule by which an event of nothing but what the page requires is always refused, or None."""
    sent: dict[str, Any] = {}
    for path in (*destination.hints.usual, *(asked.path for asked in event.required)):
        if destination.fields[path].is_leaf:
            _put(sent, path, destination.hints.usual.get(path, "x"))
    _put(sent, destination.roles.name, event.name)
    for rule in destination.rules:
        if rule.kind in ("not_only", "one_of") and rule.level == "error" and not rule.holds(sent):
            return rule
    return None


def added(rule: Rule) -> tuple[str, ...]:
    """Parameters with which an event keeps a rule that it breaks for being too little."""
    return rule.add or (rule.groups[0] if rule.kind == "one_of" else ())


def _put(event: dict[str, Any], path: str, value: Any) -> None:
    *above, name = path.split(".")
    for step in above:
        event = event.setdefault(step, {})
    event[name] = value


def skeleton(
    setup: Setup,
    destination: Destination,
    guesses: Mapping[str, Guess] | None = None,
    conditions: Mapping[str, Guess] | None = None,
    named: str = "",
) -> str:
    """The mapping's text.

    guesses     path of a parameter -> an expression for it
    conditions  name of an event -> an expression that says by which records it is made
    named       how the mapping names the destination: its path, if it is not found by its name
    """
    return _Skeleton(setup, destination, guesses or {}, conditions or {}).text(named or destination.name)


def _always(destination: Destination) -> Iterator[str]:
    """Parameters that events cannot do without, whatever the page says: all events, and those of the usual kind."""
    usual = destination.hints.usual
    yield from usual
    for path, field in destination.fields.items():
        if field.is_leaf and field.required and all(one.required and not one.many for one in destination.above(path)):
            yield path
    for rule in destination.rules:
        if rule.kind == "require" and rule.level == "error" and rule.decide(usual):
            yield from rule.paths


class _Skeleton:
    def __init__(
        self,
        setup: Setup,
        destination: Destination,
        guesses: Mapping[str, Guess],
        conditions: Mapping[str, Guess],
    ) -> None:
        self.setup, self.destination, self.guesses, self.conditions = setup, destination, guesses, conditions
        asked_for = next((rule for rule in destination.rules if rule.paths == (destination.roles.id,)), None)
        self.identity = asked_for if asked_for is not None and asked_for.kind == "require" else None
        paths = [{asked.path for asked in event.required} for event in setup.events]
        shared = set.intersection(*paths) if paths else set()
        shared |= set(_always(destination))
        self.shared = [path for path in destination.fields if path in shared and path != destination.roles.name]

    def text(self, destination: str) -> str:
        lines = [
            f"# Made from {self.destination.hints.page}. What to do next:",
            "#   1. Replace every expression that is marked FILL IN by the field of your records that holds it.",
            "#   2. Say under 'when' by which records each event is made.",
            "#   3. mapper check THIS-FILE, and mapper check THIS-FILE --sample RECORDS",
            "version: 1",
            f"destination: {destination if re.fullmatch('[A-Za-z0-9_./-]+', destination) else json.dumps(destination)}",
        ]
        if self.shared:
            lines += ["", "defaults:                          # what all events share", *self._tree(self.shared, 2)]
        lines += ["", "events:"]
        for event in self.setup.events:
            lines += self._event(event)
        return "\n".join(lines) + "\n"

    def _event(self, event: SetupEvent) -> list[str]:
        lines = ["", *(f"  # {line}" for line in _wrapped(event.about)), f"  {_key(event.name)}:"]
        lines.append(f"    when: {self._condition(event)}")
        if event.required:
            lines += ["    required:", *(f"      - {asked.path}" for asked in event.required)]
        own = [asked.path for asked in event.required if asked.path not in self.shared]
        own = [path for path in own if path != self.destination.roles.name]
        rule = too_broad(self.destination, event)
        if own or rule is not None:
            lines.append("    parameters:")
            if rule is not None:
                more = added(rule)
                told = f"The page asks for too little: an event of no more than that is refused (rule {rule.id}). "
                least = " and ".join(self.destination.fields[path].label for path in more)
                told += f"{least} is the least to add. " if least else ""
                lines += [f"      # {line}" for line in _wrapped(told + rule.remedy)]
                own += more
            lines += self._tree(own, 6)
        return [*lines, *self._about_identity(event, "      # " if own else "    # ")]

    def _condition(self, event: SetupEvent) -> str:
        guess = self.conditions.get(event.name)
        if guess is None:
            return f"type == '{snake(event.name)}'          # FILL IN: by which records it is made"
        if guess.confidence == NONE:
            return f"{guess.expression}          # FILL IN: by which records it is made; no sample had this event"
        return f"{guess.expression}          # from the sample, confidence {guess.confidence}"

    def _about_identity(self, event: SetupEvent, mark: str) -> Iterator[str]:
        """The id that a page does not ask for and that keeps an event from being counted twice, as a comment."""
        role, twin = self.destination.roles.id, self.destination.twin
        if self.identity is None or twin is None or role is None or role in {asked.path for asked in event.required}:
            return
        yield f"{mark}The page asks for no {role}. If your {twin.by} sends this event too, give both the same one (rule"
        yield f"{mark}{self.identity.id}); otherwise the event counts twice:"
        if len(mark) < 8:
            yield f"{mark}parameters:"
            mark += "  "
        guess = self.guesses.get(role)
        yield f'{mark}{role}: "{{{{ {guess.expression if guess else "id"} }}}}"'

    def _tree(self, paths: Iterable[str], indent: int) -> list[str]:
        """Parameters as nested keys; those without an object above them come first."""
        lines: list[str] = []
        written: list[str] = []
        for path in sorted(paths, key=lambda path: path.split(".")[:-1]):
            above = [one.path for one in self.destination.above(path)]
            shared = next((i for i, pair in enumerate(zip(written, above, strict=False)) if pair[0] != pair[1]), None)
            shared = min(len(written), len(above)) if shared is None else shared
            for depth in range(shared, len(above)):
                lines.append(f"{' ' * (indent + 2 * depth)}{self._name(above[depth])}:")
            lines.append(f"{' ' * (indent + 2 * len(above))}{self._name(path)}: {self._value(path)}")
            written = above
        return lines

    def _name(self, path: str) -> str:
        return _key(self.destination.fields[path].name)

    def _value(self, path: str) -> str:
        field = self.destination.fields[path]
        if path in self.destination.hints.usual:
            value = self.destination.hints.usual[path]
            usual = _key(value) if isinstance(value, str) else json.dumps(value)
            return f"{usual:<19} # FILL IN, if it is not a {usual}"
        guess = self.guesses.get(path)
        if guess is not None:
            expression = json.dumps(f"{{{{ {guess.expression} }}}}", ensure_ascii=False)
            return f"{expression}   # {field.label}: from the sample, confidence {guess.confidence}"
        called = self.destination.hints.called(path) or snake(field.name)
        return f'"{{{{ {called} }}}}"   # FILL IN: {field.label}' + (", not hashed" if field.never_hash else "")


def _key(name: str) -> str:
    """An event's name as a key: in quotes unless it is a plain word."""
    return name if re.fullmatch(r"[A-Za-z_][\w-]*", name) else json.dumps(name, ensure_ascii=False)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100)
