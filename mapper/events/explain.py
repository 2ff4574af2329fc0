"""Why a record became an event or did not: each condition, each parameter, each step, as the compiled mapping did it.

    explanation = explain(program, record)
    explanation.events[0].when.answer                  # False: this event is not meant for the record
    explanation.events[1].items[0].parameters[2]       # path, expression, what was read, each step, the outcome

What became of the record is what ``Program.map`` says; the steps beside it are computed again, one by one. A value is
kept only in ``value``, ``sent`` and the like, which are shown to those who ask for values; all words are without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..compiler.mapping import EventSpec
from ..compiler.parts import long_form, single
from ..compiler.shaping import shaper
from ..compiler.trees import COPIED, Branch, Items, Leaf, Loop, ParameterSpec, Place, as_leaf
from ..destinations.cleaning import CODES
from ..destinations.destination import Field
from ..errors import RecordError, Span
from ..language.values import is_empty
from .making import whole
from .program import Program
from .results import Result
from .stepping import Decision, Held, Step, Stepper, View, kind

SENT, EMPTY, SKIPPED, DROPPED, FAILED, LITERAL = "sent", "empty", "skipped", "dropped", "failed", "literal"


@dataclass(frozen=True, slots=True)
class ParameterTrace:
    """One declared value, from the record to what is sent.

    path       as in the event, with the positions of list items: ``custom_data.contents[0].id``
    text       what the mapping says
    reads      what the paths that it reads hold
    steps      what its expressions gave, filter by filter
    got        the value of the whole, in words
    cleaned    what is done to it after that, in words: cleaning, checks, hash
    outcome    ``sent``, ``literal`` (sent, the same for every record), ``empty``, ``skipped`` (its ``if`` is false),
               ``dropped`` (unusable) or ``failed`` (the expression)
    reason     why, if it is not sent
    """

    path: str
    known: Field
    span: Span
    text: str
    required: bool
    outcome: str
    reason: str = ""
    condition: Decision | None = None
    reads: tuple[Held, ...] = ()
    steps: tuple[Step, ...] = ()
    got: str = ""
    cleaned: str = ""
    value: Any = None
    sent: Any = None


@dataclass(frozen=True, slots=True)
class ItemTrace:
    """One event in the making: of the record, or with an event-level ``for`` of one item."""

    number: int | None
    condition: Decision | None
    parameters: tuple[ParameterTrace, ...]


@dataclass(frozen=True, slots=True)
class EventTrace:
    """One event of the mapping.

    when    its condition, or None if it has none; if it is false there are no items
    loop    what its ``for`` gave, or None
    items   each event that it tries to make
    """

    key: str
    span: Span
    when: Decision | None
    loop: Step | None
    items: tuple[ItemTrace, ...]


@dataclass(frozen=True, slots=True)
class LetTrace:
    """One computed name."""

    name: str
    span: Span
    text: str
    reads: tuple[Held, ...]
    got: str
    value: Any
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a record, and why.

    result   what ``Program.map`` says
    ignore   the ``ignore:`` rules, up to the one that matched
    consent  what the ``consent:`` expression gave, or None if there is none
    """

    result: Result
    ignore: tuple[Decision, ...] = ()
    consent: Step | None = None
    lets: tuple[LetTrace, ...] = ()
    events: tuple[EventTrace, ...] = field(default=())


def explain(
    program: Program, record: dict[str, Any] | bytes | str, now: float, *, shift: int = 0, event: str = ""
) -> Explanation:
    """Explain what a mapping does with a record.

    record  a dict, or one line of JSON
    now     the clock, Unix seconds; ``shift`` as in ``Program.map``
    event   only this one (a name under ``events:``), and that even if its ``when`` is false
    """
    result = program.map(record, now, shift=shift)
    if any(not problem.event and problem.span is None for problem in result.problems):
        return Explanation(result)
    plain = record if isinstance(record, dict) else whole(record)
    if plain is None:
        return Explanation(result)
    return _Explainer(program, Stepper(program.spec, plain, now, shift), event).explanation(result)


class _Explainer:
    def __init__(self, program: Program, stepper: Stepper, only: str) -> None:
        self.program, self.stepper, self.only = program, stepper, only
        self.spec, self.destination = program.spec, program.destination

    def explanation(self, result: Result) -> Explanation:
        view = self.stepper.top
        rules = []
        for place in self.spec.ignore:
            rules.append(self.stepper.decision(place, view))
            if rules[-1].answer:
                break
        consent = self._bare(self.spec.consent, view) if self.spec.consent is not None else None
        gated = result.reason in ("rule", "consent") and not self.only
        events = () if gated else tuple(map(self._event, self._wanted()))
        return Explanation(result, tuple(rules), consent, tuple(self._lets(view)), events)

    def _wanted(self) -> Iterator[EventSpec]:
        return (spec for spec in self.spec.events if self.only in ("", spec.key))

    def _lets(self, view: View) -> Iterator[LetTrace]:
        for let in self.stepper.expressions.lets.values():
            value = view.values[let.variable]
            failed = f"{value.message} [{value.code}]" if isinstance(value, RecordError) else ""
            got, value = ("", None) if failed else (kind(value), value)
            text, reads = str(let.place.value), self.stepper.reads(let.expression, view)
            yield LetTrace(let.name, let.place.span(), text, reads, got, value, failed)

    def _bare(self, place: Place, view: View) -> Step:
        found = self.stepper.expressions.bare(place, view.scope)
        try:
            value = self.stepper.compute(found, view) if found is not None else None
        except RecordError as error:
            return Step(str(place.value), "", failed=f"{error.message} [{error.code}]")
        return Step(str(place.value), kind(value), value)

    def _event(self, spec: EventSpec) -> EventTrace:
        view, span = self.stepper.top, spec.place.key_span()
        place = spec.part("when")
        when = self.stepper.decision(place, view) if place is not None else None
        if when is not None and not when.answer and not self.only:
            return EventTrace(spec.key, span, when, None, ())
        required = {one.parameter for t in self.program.transforms if t.key == spec.key for one in t.requirements}
        making = _Making(self, spec, required)
        loop = spec.part("for")
        if loop is None:
            return EventTrace(spec.key, span, when, None, (making.item(None, view, None),))
        step, views = self.items(loop, view)
        condition = spec.part("if")
        items = tuple(making.item(number, inner, condition) for number, inner in enumerate(views, 1))
        return EventTrace(spec.key, span, when, step, items)

    def items(self, place: Place, view: View) -> tuple[Step, list[View]]:
        """What a ``for:`` goes over, and how each item sees the record."""
        opened = self.stepper.expressions.loop(place, view.scope)
        if opened is None:
            return Step(str(place.value), ""), []
        found, variable, scope = opened
        try:
            items = self.stepper.compute(found, view)
        except RecordError as error:
            return Step(str(place.value), "", failed=f"{error.message} [{error.code}]"), []
        path = found.paths[0] if len(found.paths) == 1 else None
        return Step(str(place.value), kind(items), items), [view.item(scope, variable, one, path) for one in items]


class _Making:
    """Traces the parameters of one event."""

    def __init__(self, explainer: _Explainer, spec: EventSpec, required: set[str]) -> None:
        self.explainer, self.spec, self.required = explainer, spec, required
        self.stepper, self.destination = explainer.stepper, explainer.destination

    def item(self, number: int | None, view: View, condition: Place | None) -> ItemTrace:
        decided = self.stepper.decision(condition, view) if condition is not None else None
        if decided is not None and not decided.answer:
            return ItemTrace(number, decided, ())
        return ItemTrace(number, decided, tuple(self._parameters(view)))

    def _parameters(self, view: View) -> Iterator[ParameterTrace]:
        place, role = self.spec.part("event_name"), self.destination.roles.name
        if place is not None:
            yield self._leaf(Leaf(place), self.destination.fields[role], role, view)
        yield from self._object(self.spec.parameters, self.destination.root, "", view)

    def _object(self, spec: Branch, into: Field, path: str, view: View) -> Iterator[ParameterTrace]:
        for key, child in spec.children.items():
            if key == COPIED and isinstance(child, Leaf):
                yield self._leaf(child, single(into), path, view)
                continue
            known = (into.children or {}).get(key)
            if known is None:
                known = self.destination.field(f"{into.path}.{key}" if into.path else key)
            if known is not None and (path or key != self.destination.roles.name):
                yield from self._parameter(child, known, f"{path}.{key}" if path else key, view)

    def _parameter(self, spec: ParameterSpec, known: Field, path: str, view: View) -> Iterator[ParameterTrace]:
        if isinstance(spec, Leaf):
            yield self._leaf(spec, known, path, view)
        elif isinstance(spec, Branch):
            long = long_form(spec, known)
            if long is not None:
                yield self._leaf(long, known, path, view)
            elif known.kind == "list":
                places = {position.name: position for position in known.positions}
                for key, child in spec.children.items():
                    yield from self._parameter(child, places[key], f"{path}.{key}", view)
            else:
                listed = "[0]" if known.many and known.kind != "any" else ""
                yield from self._object(spec, known, path + listed, view)
        elif isinstance(spec, Items):
            members = known.positions if known.kind == "list" else (single(known),) * len(spec.members)
            for index, (member, inner) in enumerate(zip(spec.members, members, strict=False)):
                yield from self._parameter(member, inner, f"{path}[{index}]", view)
        else:
            yield from self._loop(spec, known, path, view)

    def _loop(self, spec: Loop, known: Field, path: str, view: View) -> Iterator[ParameterTrace]:
        place = spec.place.child("for")
        step, views = self.explainer.items(place, view)
        if step.failed or not views:
            outcome, reason = (FAILED, step.failed) if step.failed else (EMPTY, "there is nothing to go over")
            required = known.path in self.required
            yield ParameterTrace(path, known, place.span(), step.text, required, outcome, reason, got=step.about)
        condition = spec.place.child("if") if "if" in spec.place.value else None
        for index, inner in enumerate(views):
            decided = self.stepper.decision(condition, inner) if condition is not None else None
            if condition is not None and decided is not None and not decided.answer:
                reason = decided.failed or "its 'if' is false"
                outcome, span = FAILED if decided.failed else SKIPPED, condition.span()
                yield ParameterTrace(f"{path}[{index}]", known, span, decided.text, False, outcome, reason, decided)
            else:
                yield from self._parameter(spec.each, single(known), f"{path}[{index}]", inner)

    # One value

    def _leaf(self, spec: Leaf, known: Field, path: str, view: View) -> ParameterTrace:
        place, expressions = spec.place, self.stepper.expressions
        said: dict[str, Any] = {
            "path": path,
            "known": known,
            "span": place.span(),
            "text": place.value if isinstance(place.value, str) else msgspec.json.encode(place.value).decode(),
            "required": known.path in self.required,
            "cleaned": described(known, spec.options),
            "steps": (),
        }
        if spec.condition is not None:
            said["condition"] = decided = self.stepper.decision(spec.condition, view)
            if not decided.answer:
                reason = decided.failed or "its 'if' is false"
                return ParameterTrace(**said, outcome=FAILED if decided.failed else SKIPPED, reason=reason)
        found = expressions.value(place, view.scope)
        if found is None:
            return ParameterTrace(**said, outcome=FAILED)
        said["reads"] = self.stepper.reads(found, view)
        if isinstance(place.value, str):
            said["steps"] = tuple(self.stepper.steps(place, view))
        try:
            value = self.stepper.compute(found, view)
            companion = self._companion(known, view)
        except RecordError as error:
            return ParameterTrace(**said, outcome=FAILED, reason=f"{error.message} [{error.code}]")
        return self._prepared(said, value, companion, spec)

    def _prepared(self, said: Mapping[str, Any], value: Any, companion: Any, spec: Leaf) -> ParameterTrace:
        known: Field = said["known"]
        context = self.stepper.context()
        if known.is_leaf:
            arguments = (value, context) if known.companion is None else (value, context, companion)
            sent = known.preparer(spec.options)(*arguments)
        else:
            sent = shaper(known)(value, context)
        said = {**said, "got": kind(value), "value": value, "sent": sent}
        literal = not said["reads"] and not said["steps"]
        if context.warnings and sent is None:
            code = context.warnings[0][0]
            return ParameterTrace(**said, outcome=DROPPED, reason=f"{CODES.get(code, code)} [{code}]")
        if sent is None:
            return ParameterTrace(**said, outcome=EMPTY, reason=self._emptiness(said["reads"], value))
        return ParameterTrace(**said, outcome=LITERAL if literal else SENT)

    def _emptiness(self, reads: tuple[Held, ...], value: Any) -> str:
        lacking = [one.path for one in reads if one.empty]
        if not is_empty(value):
            return "nothing is left of it"
        if not lacking:
            return "it came out empty"
        return (
            f"the record has no {lacking[0]}" if len(lacking) == 1 else f"the record has none of {', '.join(lacking)}"
        )

    def _companion(self, known: Field, view: View) -> Any:
        """The value that cleaning looks at beside this one (a postal code is read by its country)."""
        spec: ParameterSpec | None = self.spec.parameters
        for key in (known.companion or "").split("."):
            spec = spec.children.get(key) if isinstance(spec, Branch) else None
        if isinstance(spec, Branch):
            spec = as_leaf(spec)
        found = self.stepper.expressions.value(spec.place, view.scope) if isinstance(spec, Leaf) else None
        return self.stepper.compute(found, view) if found is not None else None


def described(known: Field, options: Mapping[str, Any]) -> str:
    """What is done to a value after its expression, in words: ``cleaned as email, hashed (SHA-256)``."""
    words: list[str] = []
    step = getattr(known.cleaning, "step", "")
    if step:
        words.append(f"cleaned as {step.replace('_', ' ')}")
    if known.companion is not None:
        words.append(f"by {known.companion}")
    if known.allowed:
        words.append(f"one of {', '.join(map(str, known.allowed))}")
    if known.hash and options.get("hash") is not False:
        words.append("hashed (SHA-256)" if not options.get("prehashed") else "taken as hashed already")
    elif known.never_hash:
        words.append("never hashed")
    return ", ".join(words)
