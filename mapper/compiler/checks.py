"""What can be known to be wrong before any record is read.

Each check looks at what the compiler has learned and adds problems; none changes what is compiled, but for the
destination's rules: a rule that is sure to be kept, or sure not to apply, is not asked again for every event.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..destinations.destination import Destination, Rule
from ..destinations.rules import ABSENT
from ..documents.document import Document
from ..errors import Problem
from ..language.scope import MISSING
from ..language.values import Context
from .lowered import Expression, Expressions, variables
from .mapping import EventSpec, MappingSpec
from .parameters import Builder
from .parts import Requirement, names_field
from .projection import PathNode
from .trees import COPIED, Branch, Items, Leaf, Loop, ParameterSpec, Place

_WORDS = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "record", "now", "let"])
_IDENTIFYING = frozenset({"email", "phone", "name", "birth_date"})
"""Kinds of cleaning whose values alone can name a person; a country, say, may well be sent elsewhere too."""

_UNHASHED = "hashed-by-mistake"
"""The engine's check of parameters that are sent as they are."""

_LASTING = frozenset({"not_only", "one_of", "require"})
"""Kinds of rules that more parameters can never break: kept by what is sure to be there, they are kept."""


def name_of_let(name: str, place: Place, problems: list[Problem]) -> bool:
    """Whether a ``let:`` name can be used in expressions."""
    if name.isidentifier() and name.lower() not in _WORDS:
        return True
    hint = "Use letters, digits and '_', and no word of the expression language."
    problems.append(Problem(place.key_span(), "bad-name", f"'{name}' cannot be used as a name", hint))
    return False


def required(spec: EventSpec, destination: Destination, problems: list[Problem]) -> dict[str, Requirement]:
    """The parameters without which the event must not be sent, by path: the mapping's own and the destination's."""
    asked: dict[str, Requirement] = {}
    for path, place in spec.required:
        if destination.field(path) is None:
            close = destination.suggest(path)
            example = next((path for path in destination.fields if "." in path), destination.roles.name)
            hint = f"Did you mean '{close}'?" if close else f"Write it with dots: {example}."
            message = f"{destination.title} has no parameter '{path}'"
            problems.append(Problem(place.span(), "unknown-parameter", message, hint))
            continue
        for parent in _lists_above(path, destination):
            asked.setdefault(parent, Requirement(parent, place.span()))
        asked[path] = Requirement(path, place.span())
    span = spec.place.key_span()
    for name, known in (destination.root.children or {}).items():
        if known.required:
            asked.setdefault(name, Requirement(name, span, known.rule))
    literals, known_paths = foreseen(spec, destination)
    known_values = _known(literals, known_paths, destination)
    for rule in destination.rules:
        if rule.kind == "require" and rule.level == "error" and rule.decide(known_values) is True:
            for path in rule.faults(_nested(literals, destination)):
                asked.setdefault(path, Requirement(path, span, rule.id))
    return asked


def event(spec: EventSpec, builder: Builder, destination: Destination, problems: list[Problem]) -> tuple[Rule, ...]:
    """Check one event; returns the rules that only a finished event can tell."""
    _personal_data(builder, destination, problems)
    sure = {path: "x" for path in builder.required if path in builder.produced} | builder.literals
    sure |= {path: "x" for path in builder.complete if _above(path) in builder.produced}
    least = _nested(sure, destination)
    known = _known(builder.literals, builder.produced, destination)
    open_ended: list[Rule] = []
    for rule in destination.rules:
        if rule.engine or rule.kind in ("age", "fresh"):
            continue
        applies = rule.decide(known)
        if applies is None:
            _never_kept(rule, known, builder, spec, problems)
        if applies is False or rule in builder.asked:
            continue
        if rule.kind == "personal":
            _telling_keys(rule, builder, destination, problems)
        if applies and rule.kind == "require" and rule.level == "error":
            continue  # its parameters are required one by one: see ``required``
        if applies and not rule.satisfiable(builder.produced):
            message = rule.explain(rule.faults(least))
            problems.append(Problem(spec.place.key_span(), f"rule-{rule.id}", message, rule.remedy, rule.level))
            continue
        if applies and rule.kind in _LASTING and rule.holds(least):
            continue
        if (
            rule.paths
            and all(path in sure for path in rule.paths)
            and _is_settled(rule, builder, least, spec, problems)
        ):
            continue
        open_ended.append(rule)
    return tuple(open_ended)


def _never_kept(
    rule: Rule, known: Mapping[str, Any], builder: Builder, spec: EventSpec, problems: list[Problem]
) -> None:
    """A rule that the event breaks whenever a parameter of it is there, because another one never is."""
    open_conditions = [one for one in rule.when if one.path not in known]
    if rule.kind != "require" or not all(one.test == "present" for one in open_conditions):
        return
    lacking = [path for path in rule.paths if path not in builder.produced]
    if lacking:
        there = " and ".join(one.path for one in open_conditions)
        message = f"whenever {there} is there, {rule.explain(lacking)}"
        problems.append(Problem(spec.place.key_span(), f"rule-{rule.id}", message, rule.remedy, "warning"))


def _telling_keys(rule: Rule, builder: Builder, destination: Destination, problems: list[Problem]) -> None:
    """Parameters whose very names say that they hold personal data, where none may stand."""
    event = _nested(dict.fromkeys(builder.produced, "x"), destination)
    found = set(rule.faults(event))
    for parameter in builder.parameters:
        if parameter.path in found:
            found.discard(parameter.path)
            message = rule.explain([parameter.path])
            problems.append(Problem(parameter.place.span(), f"rule-{rule.id}", message, rule.remedy, rule.level))


def _is_settled(rule: Rule, builder: Builder, least: dict[str, Any], spec: EventSpec, problems: list[Problem]) -> bool:
    """Whether a rule need not be asked for each event, because all that it looks at is known or sure to be there."""
    if rule.kind in _LASTING:
        return rule.holds(least)
    if not all(path in builder.literals for path in rule.paths):
        return False
    if not rule.holds(least):
        span = spec.place.key_span()
        problems.append(Problem(span, f"rule-{rule.id}", rule.explain(rule.faults(least)), rule.remedy, rule.level))
    return True


def max_age(builder: Builder, destination: Destination) -> int | None:
    """How old the event may be, in seconds, if the mapping alone decides it; else None."""
    windows = destination.windows
    known = _known(builder.literals, builder.produced, destination)
    paths = {one.path for when, _ in windows.cases for one in when} | {
        one.path for new in windows.fresh for one in new.when
    }
    if not all(path in known for path in paths):
        return None
    event = _nested(builder.literals, destination)
    if any(all(one.holds(event) for one in new.when) for new in windows.fresh):
        return None
    return windows.of(event)


def foreseen(spec: EventSpec, destination: Destination) -> tuple[dict[str, Any], set[str]]:
    """What a mapping says literally of an event, as sent, and every path that it mentions, before it is compiled."""
    literals: dict[str, Any] = {}
    paths: set[str] = set()
    name = spec.part("event_name")
    if name is None:
        literals[destination.roles.name] = spec.key
    elif isinstance(name.value, str) and "{{" not in name.value:
        literals[destination.roles.name] = name.value
    paths.add(destination.roles.name)
    _foresee(spec.parameters, "", destination, literals, paths)
    return literals, paths


def _foresee(
    spec: ParameterSpec, path: str, destination: Destination, literals: dict[str, Any], paths: set[str]
) -> None:
    known = destination.field(path) if path else destination.root
    if known is None:
        return
    paths.add(path)
    if isinstance(spec, Branch) and not known.is_leaf:
        if COPIED in spec.children:
            paths.update(inner for inner in destination.fields if inner.startswith(f"{path}."))
        for key, child in spec.children.items():
            if not path and key == destination.roles.name:
                continue  # said at the wrong place: see the compiler
            _foresee(child, f"{path}.{key}" if path else key, destination, literals, paths)
    elif isinstance(spec, Loop):
        _foresee(spec.each, path, destination, {}, paths)
    elif isinstance(spec, Items):
        values = [member.value for member in spec.members if isinstance(member, Leaf) and not _computed(member.value)]
        if known.is_leaf and values and len(values) == len(spec.members):
            prepared = known.preparer({})(values, Context(0.0))
            if prepared is not None:
                literals[path] = prepared
        for member in spec.members:
            _foresee(member, path, destination, {}, paths)
    elif isinstance(spec, Leaf):
        text = _computed(spec.value)
        if text and not known.is_leaf:
            paths.update(inner for inner in destination.fields if inner.startswith(f"{path}."))
        elif not text and known.is_leaf:
            prepared = known.preparer(spec.options)(spec.value, Context(0.0))
            if prepared is not None:
                literals[path] = prepared


def _computed(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _known(literals: Mapping[str, Any], produced: Iterable[str], destination: Destination) -> dict[str, Any]:
    """What rules may decide by: literal values, and which parameters are never there."""
    absent = dict.fromkeys(destination.fields.keys() - set(produced), ABSENT)
    return {**absent, **literals}


def _nested(flat: Mapping[str, Any], destination: Destination) -> dict[str, Any]:
    """Parameters by dotted path as the event they would make; a list becomes a list of one."""
    event: dict[str, Any] = {}
    for path in sorted(flat):
        target: Any = event
        *parents, last = path.split(".")
        for depth, key in enumerate(parents):
            known = destination.fields.get(".".join(parents[: depth + 1]))
            many = known is not None and known.many
            inner = target.get(key)
            if not isinstance(inner, list if many else dict):
                inner = [{}] if many else {}
                target[key] = inner
            target = inner[0] if isinstance(inner, list) else inner
        known = destination.fields.get(path)
        value = flat[path]
        if value == "x" and known is not None and not known.is_leaf:
            value = [{}] if known.many else {}
        target.setdefault(last, value)
    return event


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _lists_above(path: str, destination: Destination) -> list[str]:
    keys = path.split(".")
    above = [".".join(keys[:depth]) for depth in range(1, len(keys))]
    return [parent for parent in above if (known := destination.fields.get(parent)) is not None and known.many]


def condition(place: Place, expression: Expression, problems: list[Problem]) -> None:
    """A condition that is the same for every record."""
    if expression.constant is MISSING or expression.constant:
        return
    hint = "Take the event away, or write the condition that you mean."
    problems.append(
        Problem(place.span(), "unreachable", "this is never true, so the event is never made", hint, "warning")
    )


def _personal_data(builder: Builder, destination: Destination, problems: list[Problem]) -> None:
    """Hashing what the destination hashes anyway, and personal data in places that are not hashed at all."""
    personal: dict[tuple[str, ...], tuple[str, bool]] = {}
    passed_on = builder.expressions.passed_on
    for parameter, source in zip(builder.parameters, builder.sources, strict=True):
        if parameter.known.hash and parameter.known.cleaning.step in _IDENTIFYING:
            personal.update({path: (parameter.path, whole) for path, whole in passed_on(source).items()})
    for parameter, source in zip(builder.parameters, builder.sources, strict=True):
        if parameter.literal:
            continue
        if parameter.known.hash and parameter.digest == "last" and not parameter.options.get("prehashed"):
            message = f"{destination.title}'s {parameter.path} is hashed by mapper: the hash of a hash matches nobody"
            hint = "Take '| sha256' away; write the plain value."
            problems.append(parameter.place.problem("hashed-twice", message, hint))
        rule = destination.checks.get(_UNHASHED)
        if parameter.known.never_hash and parameter.digest == "last" and rule is not None:
            level = destination.level(rule)
            message = f"{parameter.path} is compared as it is: {destination.title} can do nothing with its hash"
            hint = "Take the hash away; write the plain value."
            if level is not None:
                problems.append(Problem(parameter.place.span(), f"rule-{rule}", message, hint, level))
        if not parameter.known.hash and not parameter.digest and not personal.keys().isdisjoint(parameter.paths):
            shared = ((*personal[path], whole) for path, whole in passed_on(source).items() if path in personal)
            found = sorted({hashed for hashed, one, other in shared if one or other})  # else two parts of one text
            if found:
                message = f"{parameter.path} is sent as it is, and this is the plain value of {found[0]}"
                hint = f"Leave it out: personal data goes where it is hashed only, such as {found[0]}."
                problems.append(parameter.place.problem("personal-data", message, hint))


def plain_texts(builder: Builder, root: PathNode, destination: Destination, problems: list[Problem]) -> None:
    """Texts that were meant as fields: ``order.id`` as an id, or where the mapping reads other fields of ``order``."""
    for parameter in builder.parameters:
        value = parameter.place.value
        if not parameter.literal or not isinstance(value, str) or not names_field(value):
            continue
        is_id = parameter.path == destination.roles.id
        if is_id or value.strip().partition(".")[0] in root.find().children:
            message = f"{parameter.path} is the text {value.strip()[:60]!r}, the same for every record"
            if is_id:
                message += f", so {destination.title} takes all such events for one"
            hint = f'For the field of the record write "{{{{ {value.strip()[:60]} }}}}".'
            problems.append(Problem(parameter.place.span(), "plain-text", message, hint, "warning"))


def whole_mapping(
    spec: MappingSpec,
    destination: Destination,
    expressions: Expressions,
    trees: Iterable[ast.AST],
    problems: list[Problem],
) -> None:
    """Checks that need all events at once."""
    secrets = _Secrets(destination, problems)
    for document in spec.documents:
        secrets.look(document, (), document.value)
    if spec.problems:
        return  # what is left out may be what was asked for
    if not spec.events:
        hint = "Add 'events:' with at least one event."
        problems.append(Problem(spec.document.span(()), "no-events", "the mapping declares no event", hint))
    if any(problem.level == "error" for problem in problems):
        return  # what cannot be read may be what uses it: 'lokup' of a table, say
    used = variables(trees)
    for let in expressions.lets.values():
        used |= variables([let.expression.node]) if let.variable in used or let.variable in expressions.used else set()
    for let in expressions.lets.values():
        if let.variable not in used and let.variable not in expressions.used:
            message = f"nothing uses '{let.name}'"
            problems.append(Problem(let.place.key_span(), "unused-let", message, "Take it away, or use it.", "warning"))
    for index, (name, place) in enumerate(spec.tables.items()):
        if f"d_{index}" not in used:
            hint = f"Take it away, or look it up: key | lookup('{name}')."
            problems.append(Problem(place.key_span(), "unused-table", f"nothing uses table '{name}'", hint, "warning"))


_CREDENTIAL = r"access_token=[^&\s{]{8,}|(?:Bearer|Basic)\s+[A-Za-z0-9._~+/-]{16,}=*"
"""What gives access anywhere: in the query of an address, and in a header."""


class _Secrets:
    """Finds access tokens in files that many people read. The message does not repeat them."""

    def __init__(self, destination: Destination, problems: list[Problem]) -> None:
        secret = [setting for setting in destination.settings.values() if setting.secret]
        begins = [rf"(?<![A-Za-z0-9]){re.escape(one.begins)}[A-Za-z0-9]{{20,}}" for one in secret if one.begins]
        self._search = re.compile("|".join([*begins, _CREDENTIAL])).search
        token = destination.request.token
        known = destination.settings[token.setting] if token is not None else next(iter(secret), None)
        self._variable = f" ({known.env})" if known is not None else ""
        self._problems = problems

    def look(self, document: Document, path: tuple[str | int, ...], value: Any) -> None:
        """Look through a value of a document and all that is in it."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.look(document, (*path, key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.look(document, (*path, index), inner)
        elif isinstance(value, str) and len(value) >= 20 and self._search(value):
            message = "this looks like an access token; a mapping file is no place for it"
            hint = f"Put it into the environment{self._variable}, and make a new one: this one has been seen."
            self._problems.append(Problem(document.span(path), "secret-in-file", message, hint))
