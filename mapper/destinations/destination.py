"""A destination: everything that is only true of one platform, read from a file.

The engine knows no platform. What a parameter is called, how it is cleaned and hashed, which rules hold, how a
request is made and what an answer means stands in ``destinations/NAME.yaml``, in the format of ``declaration``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from ..errors import Level, MappingError, Problem, Span
from . import declared
from .answers import Answer, Answers, Meaning
from .assembly import Assembly, nearest
from .declared import OUTSIDE, Declared
from .fields import Field, Roles, StandardEvent, Twin, free
from .hints import Hints, read_hints
from .request import Batch, Prepared, Request, Setting
from .rules import ABSENT, Rule
from .windows import Windows
from .wiring import read_answers, read_batch, read_request, read_settings

__all__ = [
    "ABSENT",
    "Answer",
    "Answers",
    "Batch",
    "Destination",
    "Field",
    "Meaning",
    "Prepared",
    "Request",
    "Roles",
    "Rule",
    "Setting",
    "StandardEvent",
    "Twin",
    "Windows",
    "bundled_destinations",
    "load_destination",
]

RuleLevel = Literal["error", "warning", "off"]

_TWO_DAYS: Final = 2 * 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """A platform that takes events.

    settings     by the name that the address template uses
    root         the event itself, an object; ``fields`` has every parameter by dotted path, parents first
    envelope     parameters of the request's body that are no part of an event
    rules        in the order of the file; several may share an id; rules that are off are left out
    severities   rule id -> level, also of rules that are off
    checks       the engine's checks (``types``, ``not-hashed``, …) -> the id of the rule that stands for each
    limited      parameters that are merged over an event for which consent is limited, as sent
    twin         the copy of an event that a page sends itself
    hints        what helps those who begin a mapping
    fingerprint  a hash of what the file means for what is sent
    """

    name: str
    title: str
    about: str
    file: str
    settings: Mapping[str, Setting]
    request: Request
    batch: Batch
    answers: Answers
    root: Field
    fields: Mapping[str, Field]
    envelope: Mapping[str, Field]
    standard_events: Mapping[str, StandardEvent]
    rules: tuple[Rule, ...]
    severities: Mapping[str, RuleLevel]
    checks: Mapping[str, str]
    windows: Windows
    roles: Roles
    limited: Mapping[str, Any]
    twin: Twin | None
    hints: Hints
    fingerprint: str
    _labels: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def envelope_key(self) -> str:
        """The key of the request's body that holds the list of events."""
        return self.request.envelope_key

    @property
    def margin(self) -> int:
        """Seconds that a sender keeps back from age limits."""
        return self.windows.margin

    @property
    def memory(self) -> int:
        """Seconds after which a copy of an event may count twice. A twelfth is kept back: clocks differ, requests wait.

        A destination that says nothing of copies is taken to drop them for two days.
        """
        return (self.twin.window if self.twin is not None else _TWO_DAYS) * 11 // 12

    @property
    def future(self) -> int:
        """Seconds that an event's time may be ahead of the clock; within them it is sent as now."""
        return self.windows.future

    def max_age(self, event: Mapping[str, Any]) -> int | None:
        """The age in seconds up to which the destination takes this event, as documented; None for no limit."""
        return self.windows.of(event)

    def expires(self, event: Mapping[str, Any]) -> int | None:
        """The last second (Unix) at which the destination takes this event; the margin is not taken off."""
        time = event.get(self.roles.time) if self.roles.time is not None else None
        return self.windows.end(event, time)

    def answer(self, status: int, body: bytes, sent: int, headers: Mapping[str, str] | None = None) -> Answer:
        """What an answer to a request of ``sent`` events means; see ``Answers.answer``."""
        return self.answers.answer(status, body, sent, headers)

    def field(self, path: str) -> Field | None:
        """The parameter at a dotted path; a free key of an object that takes them is one too."""
        found = self.fields.get(path)
        if found is not None:
            return found
        above, _, name = path.rpartition(".")
        parent = self.fields.get(above)
        return free(parent, name) if parent is not None and parent.additional and name else None

    def above(self, path: str) -> list[Field]:
        """The objects that a parameter stands in, outermost first; a name may have a dot of its own."""
        steps = path.split(".")
        heads = (".".join(steps[:count]) for count in range(1, len(steps)))
        return [self.fields[head] for head in heads if head in self.fields]

    def suggest(self, path: str) -> str:
        """The known parameter that looks most like ``path``, or ""."""
        return nearest(path, self.fields)

    def event_named(self, text: str) -> str:
        """The name of the standard event that a page shows as ``text`` (``View content``), or ""."""
        return self._labels.get(_folded(text), "")

    def with_levels(self, levels: Mapping[str, RuleLevel]) -> Destination:
        """The same destination with other levels for some rules, by id; ``off`` takes a rule away.

        raises  KeyError for an id that no rule has
        """
        for name in levels:
            self.severities[name]
        kept = (
            replace(rule, level=level) if (level := levels.get(rule.id)) in ("error", "warning") else rule
            for rule in self.rules
            if levels.get(rule.id) != "off"
        )
        digest = sha256(json.dumps([self.fingerprint, dict(levels)], sort_keys=True).encode()).hexdigest()
        severities = MappingProxyType({**self.severities, **levels})
        return replace(self, rules=tuple(kept), severities=severities, fingerprint=digest)

    def without_memo(self) -> Destination:
        """The same destination; cleaning its parameters remembers nothing."""
        fields = {path: known.forgetful() for path, known in self.fields.items()}
        return replace(self, root=self.root.forgetful(), fields=MappingProxyType(fields))

    def level(self, rule: str) -> Level | None:
        """How serious a rule is, by id; None if it is off. An unknown id is an error."""
        level = self.severities.get(rule, "error")
        return None if level == "off" else level


def bundled_destinations() -> tuple[str, ...]:
    """The names of the destinations that come with the package."""
    return declared.bundled()


def load_destination(name_or_path: str | Path, *, near: Path | None = None, span: Span | None = None) -> Destination:
    """Read a destination.

    name_or_path  ``meta``, or the path of a destination file
    near          the mapping file (or its folder): relative paths start there, and ``destinations/NAME.yaml``
                  beside it wins over the bundled file of that name. Files outside that folder are not read.
    span          where the name stands, for problems
    raises        MappingError with every problem of the file
    """
    here = span or Span(str(name_or_path), 1, 1, 2)
    path = declared.locate(str(name_or_path), near)
    if path is None:
        message = f"there is no destination '{name_or_path}'"
        hint = f"Bundled destinations: {', '.join(declared.bundled())}. A path is relative to the mapping file."
        raise MappingError([Problem(here, "unknown-destination", message, hint)])
    root = declared.folder_of(near)
    if not declared.is_within(root, path):
        raise MappingError([Problem(here, "outside", "the destination is outside the mapping's folder", OUTSIDE)])
    if path.parent == declared.BUNDLED:
        return _bundled(path)
    return _assembled(declared.read(path, root))


@lru_cache(maxsize=8)
def _bundled(path: Path) -> Destination:
    return _assembled(declared.read(path))


def _assembled(said: Declared) -> Destination:
    parts = Assembly(said)
    parts.read_fields()
    settings = read_settings(parts)
    windows = parts.read_windows()
    events = parts.read_events()
    rules = parts.read_rules(windows, events)
    value = said.value
    meaning = {key: one for key, one in value.items() if key != "hints"}
    severities = {name: one.get("level", "error") for name, one in (value.get("rules") or {}).items()}
    destination = Destination(
        name=value.get("destination", Path(said.file).stem),
        title=value.get("title", value.get("destination", "")),
        about=value.get("about", ""),
        file=said.file,
        settings=MappingProxyType(settings),
        request=read_request(parts, settings),
        batch=read_batch(parts),
        answers=read_answers(parts),
        root=parts.root,
        fields=MappingProxyType(parts.fields),
        envelope=MappingProxyType(parts.read_envelope()),
        standard_events=MappingProxyType(events),
        rules=tuple(rule for rule in rules if severities[rule.id] != "off"),
        severities=MappingProxyType(severities),
        checks=MappingProxyType({rule.kind: rule.id for rule in rules if rule.engine and rule.kind != "fields"}),
        windows=windows,
        roles=parts.read_roles(),
        limited=MappingProxyType(parts.read_limited()),
        twin=parts.read_twin(),
        hints=read_hints(parts),
        fingerprint=sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest(),
        _labels=MappingProxyType(dict(_labels(events))),
    )
    problems = parts.problems or list(_foreign(said, destination))
    if problems:
        raise MappingError(problems)
    return destination


def _foreign(said: Declared, destination: Destination) -> Iterator[Problem]:
    """A file must not send another destination's secrets elsewhere, nor read variables that are not its own.

    Mapping and destination files may come from a stranger: the environment is not theirs to choose from.
    """
    if said.is_bundled:
        return
    own = destination.name.upper().replace("-", "_") + "_"
    owners = {
        setting.env: other for other in map(load_destination, declared.bundled()) for setting in other.settings.values()
    }
    hint = f"A destination reads variables that begin with its name: {own}…"
    taken: dict[str, list[str]] = {}
    for name, setting in destination.settings.items():
        owner = owners.get(setting.env)
        if owner is None and not setting.env.startswith(own):
            message = f"{setting.env} is not a variable of destination '{destination.name}'"
            yield said.problem(("settings", name, "env"), "foreign-setting", message, hint)
        elif owner is not None and owner.request.host != destination.request.host:
            taken.setdefault(owner.request.host, []).append(setting.env)
    for host, names in taken.items():
        message = f"{', '.join(names)} may be sent to {host} only"
        yield said.problem(("request", "url"), "foreign-setting", message, hint)


def _labels(events: Mapping[str, StandardEvent]) -> Iterator[tuple[str, str]]:
    for name, event in events.items():
        yield from ((_folded(text), name) for text in (name, *event.labels))


def _folded(text: str) -> str:
    return "".join(text.casefold().split())
