"""From a destination file as declared to its live parts; every problem with its place, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ..errors import Level, Problem
from . import cleaning, rules
from .declared import Declared, Steps
from .fields import Field, Roles, StandardEvent, Twin
from .rules import Rule
from .windows import Fresh, Windows, seconds

_PARTS: Final = ("require", "one_of", "not_only", "values", "spelling", "order", "age", "fresh", "personal")


class Assembly:
    """Builds the parts of one destination; ``problems`` collects what is wrong with its file."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.value = declared.value
        self.problems: list[Problem] = []
        self.sources: Mapping[str, str] = self.value.get("sources") or {}
        self.fields: dict[str, Field] = {}
        self.root = Field(path="", name="", kind="object")
        self.later: list[tuple[Steps, Mapping[str, Any]]] = []

    def refuse(self, steps: Steps, code: str, message: str, hint: str = "") -> None:
        """Note a problem at a place."""
        self.problems.append(self.declared.problem(steps, code, message, hint))

    def has(self, steps: Steps, said: Mapping[str, Any], *keys: str) -> bool:
        """Whether an entry has its keys, now that everything it extends is under it."""
        missing = [key for key in keys if key not in said]
        for key in missing:
            self.refuse(steps, "missing-key", f"'{key}' is missing here")
        return not missing

    # -- parameters ------------------------------------------------------------------------------------------------

    def read_fields(self) -> None:
        """Read ``fields``; afterwards ``root`` and ``fields`` are complete."""
        declared = self.value.get("fields") or {}
        if not declared:
            self.refuse(("fields",), "missing-key", "a destination declares its parameters under 'fields'")
        top = {"source": "", "section": "", "rule": ""}
        children = {name: self.field(("fields", name), name, "", one, top) for name, one in declared.items()}
        self.root = Field(path="", name="", kind="object", label="an event", children=children)
        self.fields = {one.path: one for child in children.values() for one in child.walk()}
        for steps, when in self.later:
            self.conditions(steps, when)
        for one in self.fields.values():
            if one.companion is not None and one.companion not in self.fields:
                steps = self.steps(one.path)
                self.unknown((*steps, "companion"), one.companion)

    def read_envelope(self) -> dict[str, Field]:
        """The parameters of a request that are no part of an event."""
        top = {"source": "", "section": "", "rule": ""}
        declared = self.value.get("envelope") or {}
        return {name: self.field(("envelope", name), name, "", one, top) for name, one in declared.items()}

    def field(self, steps: Steps, name: str, above: str, declared: Any, inherited: Mapping[str, str]) -> Field:
        """One parameter and all below it; source, section and rule go down to what says nothing of its own."""
        said: Mapping[str, Any] = declared or {}
        path = f"{above}.{name}" if above else name
        own = {key: said.get(key, inherited[key]) for key in ("source", "section", "rule")}
        if "source" in said:
            own["source"] = self.source((*steps, "source"), said["source"])
        self.rule((*steps, "rule"), own["rule"])
        inner = said.get("fields")
        kind = said.get("kind", "object" if inner else "text")
        below = {**own, "rule": ""}
        children = {
            key: self.field((*steps, "fields", key), key, path, one, below) for key, one in (inner or {}).items()
        }
        if inner and kind != "object":
            self.refuse((*steps, "kind"), "wrong-kind", "only an object has 'fields'", "Write 'kind: object'.")
        return Field(
            path=path,
            name=name,
            kind=kind,
            **own,
            **_named(name, said),
            **_limits(said),
            hash="sha256" if said.get("hash") == "sha256" else "",
            never_hash=said.get("hash") == "never",
            children=children if kind == "object" else None,
            positions=self.positions(path, own["rule"], said.get("positions") or ()),
            recommended=self.recommended(steps, said.get("recommended", False)),
            cleaned="clean" in said,
            **self.placed(steps, kind, above, said),
            cleaning=self.cleaning(steps, kind, said),
        )

    def placed(self, steps: Steps, kind: str, above: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Where a parameter stands in a request, if not where a mapping puts it."""
        beside, into, wrap = said.get("in") == "request", said.get("into", ""), said.get("wrap") or {}
        if beside and above:
            hint = "Take it out of its object."
            self.refuse((*steps, "in"), "misplaced", "only a parameter at the top can stand beside the events", hint)
        if bool(into) != ("$value" in str(wrap)) or (into and (beside or kind in ("object", "list"))):
            hint = "Write for example: into: user.ids, wrap: {type: email, value: $value}."
            message = "a value that goes into a list has both, 'into' and a 'wrap' with $value"
            self.refuse((*steps, "into" if into else "wrap"), "misplaced", message, hint)
        if "unit" in said and kind != "time":
            self.refuse((*steps, "unit"), "wrong-kind", "only a time has a unit", "Write 'kind: time'.")
        return {"beside": beside, "into": into, "wrap": wrap, "unit": said.get("unit", "s")}

    def rule(self, steps: Steps, name: str) -> None:
        """Refuse a rule that is not declared."""
        if name and name not in (self.value.get("rules") or {}):
            self.refuse(steps, "unknown-rule", f"there is no rule '{name}'", "Declare it under 'rules'.")

    def recommended(self, steps: Steps, said: bool | Mapping[str, Any]) -> tuple[rules.Condition, ...] | None:
        """The conditions under which a parameter should be there; none at all if it says `true`."""
        if isinstance(said, bool):
            return () if said else None
        self.later.append(((*steps, "recommended"), said))
        return rules.conditions(said)

    def positions(self, path: str, rule: str, declared: Iterable[Mapping[str, Any]]) -> tuple[Field, ...]:
        return tuple(
            Field(
                path=f"{path}.{one['name']}",
                name=one["name"],
                label=one["name"],
                about=one.get("about", ""),
                required=one.get("required", False),
                allowed=tuple(one.get("allowed", ())),
                rule=rule,
                cleaning=cleaning.declare("text", {"allowed": one.get("allowed", ())}),
            )
            for one in declared
        )

    def cleaning(self, steps: Steps, kind: str, said: Mapping[str, Any]) -> Any:
        if kind in ("object", "list"):
            return None
        try:
            return cleaning.declare(kind, said)
        except ValueError as error:
            self.refuse((*steps, "clean"), "unknown-cleaning", str(error))
            return None

    def source(self, steps: Steps, text: str) -> str:
        """The address of a page, from itself or its short name."""
        if text in self.sources:
            return self.sources[text]
        if not text.startswith("https://"):
            hint = "Write an address, or a name that stands under 'sources'."
            self.refuse(steps, "unknown-source", f"there is no source '{text}'", hint)
        return text

    def steps(self, path: str) -> Steps:
        """Where a parameter is declared."""
        steps: tuple[str | int, ...] = ("fields",)
        at = self.root
        while path:
            name = next(n for n in (at.children or {}) if path == n or path.startswith(n + "."))
            steps = (*steps, name) if at is self.root else (*steps, "fields", name)
            at, path = (at.children or {})[name], path[len(name) + 1 :]
        return steps

    def known(self, steps: Steps, path: str) -> None:
        """Refuse a path that is no parameter."""
        parent = self.fields.get(path.rpartition(".")[0])
        if path not in self.fields and not (parent is not None and parent.additional):
            self.unknown(steps, path)

    def unknown(self, steps: Steps, path: str) -> None:
        hint = f"Did you mean '{near}'?" if (near := nearest(path, self.fields)) else ""
        self.refuse(steps, "unknown-parameter", f"there is no parameter '{path}'", hint)

    # -- the rest of the file ----------------------------------------------------------------------------------------

    def read_roles(self) -> Roles:
        """Which parameters are an event's name, id and time."""
        declared = self.value.get("roles") or {}
        for role, path in declared.items():
            if path is not None:
                self.known(("roles", role), path)
        if not declared.get("name"):
            self.refuse(("roles",), "missing-key", "'roles' says which parameter is the event's 'name'")
        return Roles(declared.get("name", ""), declared.get("id"), declared.get("time"))

    def read_limited(self) -> dict[str, Any]:
        """What is added to an event whose consent is limited."""
        declared = self.value.get("limited") or {}
        for name in declared:
            self.known(("limited", name), name)
        return dict(declared)

    def read_twin(self) -> Twin | None:
        """The copy of an event that a page sends itself; None if the destination knows no such thing."""
        said = self.value.get("twin")
        if not said or not self.has(("twin",), said, "window", "standard", "custom"):
            return None
        for key in ("standard", "custom"):
            if "{name}" not in said[key] or "{id}" not in said[key]:
                hint = "Write the call with {name} and {id} where the event's name and id belong."
                self.refuse(("twin", key), "bad-twin", f"'{key}' does not say where the name and the id belong", hint)
        conditions = self.conditions(("twin", "when"), said.get("when"))
        window = self.seconds(("twin", "window"), said["window"])
        return Twin(window, conditions, said["standard"], said["custom"], said.get("by", "page"))

    def read_events(self) -> dict[str, StandardEvent]:
        """The standard events, by name."""
        found: dict[str, StandardEvent] = {}
        for name, one in (self.value.get("events") or {}).items():
            said = one or {}
            for key in ("parameters", "required"):
                for i, path in enumerate(said.get(key, ())):
                    self.known(("events", name, key, i), path)
            source = self.source(("events", name, "source"), said["source"]) if "source" in said else ""
            label = said.get("label", name)
            parameters, required = tuple(said.get("parameters", ())), tuple(said.get("required", ()))
            labels = (label, *said.get("also", ()))
            found[name] = StandardEvent(name, label, labels, said.get("about", ""), parameters, required, source)
        return found

    def read_windows(self) -> Windows:
        """How old events may be."""
        said = self.value.get("windows") or {}
        cases = tuple(
            (
                self.conditions(("windows", "max_age_when", i, "when"), one["when"]),
                self.seconds(("windows", "max_age_when", i, "max_age"), one["max_age"]),
            )
            for i, one in enumerate(said.get("max_age_when", ()))
        )
        fresh = tuple(
            Fresh(rules.conditions(part.get("when")), rules.getter(part["fresh"]), seconds(part["within"]) or 0)
            for one in (self.value.get("rules") or {}).values()
            for part in one.get("parts", ())
            if "fresh" in part and "within" in part
        )
        limits = {key: self.seconds(("windows", key), said[key]) for key in said if key != "max_age_when"}
        return Windows(limits.get("max_age"), cases, fresh, limits.get("max_future", 60), limits.get("margin", 60))

    def seconds(self, steps: Steps, text: str) -> int:
        """A duration, in seconds."""
        found = seconds(text)
        if found is None:
            self.refuse(steps, "bad-duration", "this is no duration", "Write 60 s, 48 hours or 7 days.")
        return found or 0

    def conditions(self, steps: Steps, when: Mapping[str, Any] | None) -> tuple[rules.Condition, ...]:
        for path, expected in (when or {}).items():
            self.known((*steps, path), path)
            if isinstance(expected, dict) and set(expected) != {"not"}:
                hint = "Write a value, a list of values, 'present', 'absent' or {not: …}."
                self.refuse((*steps, path), "bad-condition", "this is no condition", hint)
                return ()
        return rules.conditions(when)

    def read_rules(self, windows: Windows, events: Iterable[str]) -> tuple[Rule, ...]:
        found: list[Rule] = []
        for name, one in (self.value.get("rules") or {}).items():
            steps = ("rules", name)
            if "title" not in one:
                self.refuse(steps, "missing-key", f"rule '{name}' has no 'title'")
            about = {
                "id": name,
                "title": one.get("title", ""),
                "source": self.source((*steps, "source"), one["source"]) if "source" in one else "",
            }
            level: Level = one.get("level", "error")
            parts = one.get("parts", ())
            if not parts:
                kind = one.get("check", "fields")
                found.append(Rule(**about, level=level, kind=kind, remedy=one.get("remedy", "")))
            for i, part in enumerate(parts):
                rule = self.part((*steps, "parts", i), part, about, level, windows, tuple(events))
                found += [rule] if rule is not None else []
        return tuple(found)

    def part(
        self,
        steps: Steps,
        part: Mapping[str, Any],
        about: Mapping[str, str],
        level: Level,
        windows: Windows,
        events: tuple[str, ...],
    ) -> Rule | None:
        kinds = [kind for kind in _PARTS if kind in part]
        if len(kinds) != 1:
            message = "a part of a rule demands one thing" if kinds else "a part of a rule demands something"
            self.refuse(steps, "bad-rule", message, f"Give it one of: {', '.join(_PARTS)}.")
            return None
        kind = kinds[0]
        groups = tuple(tuple(group) for group in part.get("one_of", part.get("sets", ())))
        paths = _paths(kind, part)
        for path in paths:
            self.known((*steps, kind), path)
        for path in part.get("add", ()):
            self.known((*steps, "add"), path)
        return Rule(
            **about,
            level=part.get("level", level),
            kind=kind,
            message=part.get("message", "{path} breaks the rule"),
            remedy=part.get("remedy", ""),
            when=self.conditions((*steps, "when"), part.get("when")),
            paths=paths,
            groups=groups,
            add=tuple(part.get("add", ())),
            find=self.find(steps, kind, part, windows, events),
        )

    def find(
        self, steps: Steps, kind: str, part: Mapping[str, Any], windows: Windows, events: tuple[str, ...]
    ) -> rules.Faults:
        said = part[kind]
        makers: Mapping[str, Callable[[], rules.Faults]] = {
            "require": lambda: rules.require(said),
            "one_of": lambda: rules.one_of(said),
            "not_only": lambda: rules.not_only(said, part.get("sets", ())),
            "values": lambda: rules.values(said),
            "spelling": lambda: rules.spelling(said, events),
            "order": lambda: rules.order(said[0], said[1]),
            "age": lambda: rules.age(said, windows.of, windows.future, windows.always),
            "fresh": lambda: rules.fresh(said, self.seconds((*steps, "within"), part.get("within", ""))),
            "personal": lambda: rules.personal(said, part.get("urls", ()), part.get("keys", ())),
        }
        return makers[kind]()


def nearest(path: str, known: Iterable[str]) -> str:
    """The known path that looks most like ``path``, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(path, list(known), 1, 0.6)), "")


def _named(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    label = said.get("label", name)
    return {
        "label": label,
        "labels": (label, *said.get("also", ())),
        "about": said.get("about", ""),
        "example": said.get("example"),
        "many": said.get("many", False),
        "required": said.get("required", False),
        "additional": said.get("additional", False),
        "companion": said.get("companion"),
        "options": frozenset(said.get("options", ())),
    }


def _limits(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "allowed": tuple(said.get("allowed", ())),
        "min": said.get("min"),
        "max": said.get("max"),
        "max_length": said.get("max_length"),
        "keep_empty": said.get("keep_empty", False),
    }


def _paths(kind: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters that a part of a rule speaks of."""
    said = part[kind]
    if kind == "one_of":
        return tuple(dict.fromkeys(path for group in said for path in group))
    if kind == "personal":
        return (*said, *part.get("urls", ()))
    return (said,) if isinstance(said, str) else tuple(said)
