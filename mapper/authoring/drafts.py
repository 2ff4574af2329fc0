"""A mapping to begin with: every event of a setup page, what it requires, and an expression to fill in for each."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ..destinations.destination import Destination
from ..destinations.rules import Rule
from .instructions import Setup, SetupEvent


def too_broad(destination: Destination, event: SetupEvent) -> Rule | None:
    """The rule by which an event of nothing but the required customer information is refused, or None."""
    people = {asked.path.partition(".")[2]: "x" for asked in event.required if asked.path.startswith("user_data.")}
    sent = {"event_name": event.name, "user_data": people}
    for rule in destination.rules:
        if rule.kind == "not_only" and rule.level == "error" and not rule.holds(sent):
            return rule
    return None


NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Guess:
    """An expression for a parameter or a condition, and how sure it is: ``high``, ``low`` or ``none``."""

    expression: str
    confidence: str


def skeleton(
    setup: Setup,
    destination: Destination,
    guesses: Mapping[str, Guess] | None = None,
    conditions: Mapping[str, Guess] | None = None,
) -> str:
    """The mapping's text.

    guesses     path of a parameter -> an expression for it
    conditions  name of an event -> an expression that says by which records it is made
    """
    return _Skeleton(setup, destination, guesses or {}, conditions or {}).text()


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
        lines.append(f"    when: {self._condition(event)}")
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
        role = self.destination.roles.id
        if self.identity is None or role is None or role in {asked.path for asked in event.required}:
            return
        yield f"{mark}The page asks for no {role}. If your pixel sends this event too, give both the same one (rule"
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


def snake(name: str) -> str:
    """``View content`` and ``ViewContent`` as ``view_content``."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100)
