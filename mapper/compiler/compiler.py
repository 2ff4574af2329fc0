"""A mapping as declared and its destination to Python functions, one for each event.

    def Purchase(r, ctx):
        n0 = r.k3                            # objects on the way, once
        if type(n0) is not S1: n0 = ES1
        if not (r.k0 == 'order.paid'): return None
        m = None                             # requirements that came out empty
        d1 = {'event_name': 'Purchase', 'action_source': 'website'}
        v = p_0(r.k1, ctx)                   # cleaned, checked, hashed
        if v is not None: d1['event_id'] = v
        else: m = miss(m, 0)
        …
        return d1 if m is None else m

The function is a syntax tree whose nodes stand where their YAML stands: tracebacks show the mapping's own lines.
Nothing an author wrote becomes a name or an attribute in it (docs/decisions/0001).
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..destinations.destination import Destination, load_destination
from ..destinations.fields import Field
from ..errors import MappingError, Problem, RecordError
from ..language import walking
from ..language.expression import RUNTIME
from ..language.scope import MISSING, Access, Scope, runtime_tables
from ..language.values import MAX_TEXT, Context
from . import checks, nodes
from .assembling import Assembler, Draft, Transform
from .lowered import Expression, Expressions
from .mapping import EventSpec, MappingSpec
from .parameters import Builder
from .projection import PathNode, Projection
from .shaping import lacks
from .tables import read_tables
from .trees import Leaf, Place

SEND, IGNORED, DROPPED, LIMITED = range(4)
"""What a gate says of a record: go on; an ``ignore:`` rule matched; consent withheld; consent limited."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Everything a program runs on."""

    spec: MappingSpec
    destination: Destination
    projection: Projection
    gate: Callable[[Any, Any], int] | None
    transforms: tuple[Transform, ...]
    lets: tuple[tuple[str, Place], ...]
    warnings: tuple[Problem, ...]
    trees: tuple[ast.FunctionDef, ...]

    def fingerprint(self) -> str:
        """A hash of what the mapping means."""
        digest = sha256(self.destination.fingerprint.encode())
        for tree in self.trees:
            digest.update(ast.dump(tree).encode())
        return digest.hexdigest()


def compile_mapping(spec: MappingSpec, *, full: bool = False, lenient: bool = False, memo: bool = True) -> Compiled:
    """Compile a mapping.

    full     decode every record whole, which gives the same events, only slower
    lenient  an event comes out with what it has, even if something required is empty
    memo     remember the hashes of what comes again and again
    raises   MappingError with everything that is wrong
    """
    problems = list(spec.problems)
    destination = _destination(spec, problems)
    compiler = Compiler(spec, destination if memo else destination.without_memo(), problems)
    if lenient:
        compiler.functions["miss"] = _passed_over
    compiled = compiler.compile(full)
    problems = sorted(set(problems))
    if any(problem.level == "error" for problem in problems):
        raise MappingError(problems)
    return compiled


def _destination(spec: MappingSpec, problems: list[Problem]) -> Destination:
    """The destination that the mapping names, with the mapping's own levels of its rules."""
    if spec.destination is None:
        span = spec.document.span(())
        hint = "Add a line: 'destination: meta'."
        raise MappingError([Problem(span, "missing-key", "the mapping names no destination", hint)])
    said = spec.destination
    destination = load_destination(said.value, near=Path(said.document.file), span=said.span())
    levels: dict[str, Any] = {}
    for rule, place in spec.rules.items():
        if rule in destination.severities:
            levels[rule] = place.value
            continue
        close = difflib.get_close_matches(rule.upper(), destination.severities, 1, 0.4)
        hint = f"Did you mean {close[0]}?" if close else ""
        problems.append(Problem(place.key_span(), "unknown-rule", f"{destination.title} has no rule '{rule}'", hint))
    return destination.with_levels(levels) if levels else destination


class Compiler:
    """Lowers what a mapping declares."""

    def __init__(self, spec: MappingSpec, destination: Destination, problems: list[Problem]) -> None:
        self.spec = spec
        self.destination = destination
        self.problems = problems
        self.root = PathNode()
        tables = read_tables(spec.tables, Path(spec.document.file).parent, problems)
        self.expressions = Expressions(self.root, tables, spec.documents, problems)
        self.functions: dict[str, Any] = {
            "miss": _miss,
            "noted": _noted,
            "lacks": lacks,
            "type": type,
            "int": int,
            "float": float,
            "str": str,
            "len": len,
            "isspace": str.isspace,
            "strip": str.strip,
            "append": list.append,
            **RUNTIME,
            **runtime_tables(tables),
        }
        self._prepared: dict[Any, str] = {}

    def compile(self, full: bool) -> Compiled:
        for name, place in self.spec.lets:
            if checks.name_of_let(name, place, self.problems):
                self.expressions.declare(name, place)
        gate = self.gate()
        drafts = [draft for draft in map(self._event, self.spec.events) if draft is not None]
        for draft in drafts:
            checks.plain_texts(draft.builder, self.root, self.destination, self.problems)
        checks.whole_mapping(self.spec, self.destination, self.expressions, self.trees_of(gate, drafts), self.problems)
        if any(problem.level == "error" for problem in self.problems):
            raise MappingError(sorted(set(self.problems)))
        lets = [let.expression.node for let in self.expressions.lets.values()]
        accesses = walking.within([*self.trees_of(gate, drafts), *lets], Access)
        projection = Projection(self.root, accesses, full=full)
        assembler = Assembler(self.expressions, projection, self.functions, self.spec.document.file)
        transforms = tuple(assembler.transform(draft) for draft in drafts)
        gate_function = (
            assembler.function("gate", ("r", "ctx"), [gate], self.spec.document.span(()).line) if gate else None
        )
        return Compiled(
            self.spec,
            self.destination,
            projection,
            gate_function,
            transforms,
            self.spec.lets,
            tuple(sorted(set(self.problems))),
            tuple(assembler.trees),
        )

    def trees_of(self, gate: list[ast.stmt], drafts: Sequence[Draft]) -> Iterator[ast.AST]:
        yield from gate
        for draft in drafts:
            yield from draft.head
            yield from draft.item_head
            yield from draft.body
            if draft.items is not None:
                yield draft.items.node

    def gate(self) -> list[ast.stmt]:
        """What is asked of every record before any event: is it to be ignored, and does consent allow it?"""
        statements: list[ast.stmt] = []
        for place in self.spec.ignore:
            condition = self.expressions.condition(place, self.expressions.top)
            if condition is not None:
                statements.append(nodes.when(condition.node, [nodes.give(nodes.constant(IGNORED))]))
        if self.spec.consent is not None:
            consent = self.expressions.bare(self.spec.consent, self.expressions.top)
            if consent is not None:
                consent.whole()
                statements.append(nodes.give(nodes.call("consent", consent.node)))
        elif statements:
            statements.append(nodes.give(nodes.constant(SEND)))
        self.functions["consent"] = _consent
        return statements

    def _event(self, spec: EventSpec) -> Draft | None:
        before = len(self.problems)
        scope = self.expressions.top
        head = self._refusing(spec.part("when"), scope)
        items, variable = None, ""
        item_head: list[ast.stmt] = []
        loop = spec.part("for")
        if loop is not None:
            opened = self.expressions.loop(loop, scope)
            if opened is None:
                return None
            items, variable, scope = opened
            item_head = self._refusing(spec.part("if"), scope)
        elif (condition := spec.part("if")) is not None:
            hint = "Write 'when:' for a condition on the record; 'if:' belongs to 'for:'."
            self.problems.append(Problem(condition.key_span(), "if-without-for", "'if' without 'for'", hint))
        builder = Builder(
            self.destination,
            spec.parameters,
            self.expressions,
            checks.required(spec, self.destination, self.problems),
            self._name_of,
        )
        name, first = self._name(spec, builder, scope)
        role = self.destination.roles.name
        body = builder.event(scope, role, first)
        if items is not None:
            nodes.weigh(items.node, body)
        if nodes.written(body) > MAX_TEXT:
            message = f"the texts that are written out in one event are longer than {MAX_TEXT:,} characters"
            self.problems.append(Problem(spec.place.key_span(), "limit", message, "Make several events of it."))
        rules = checks.event(spec, builder, self.destination, self.problems)
        if len([p for p in self.problems[before:] if p.level == "error"]):
            return None
        return Draft(spec, name, head, item_head, items, variable, body, builder, rules)

    def _refusing(self, place: Place | None, scope: Scope) -> list[ast.stmt]:
        """``if not condition: return None``"""
        if place is None:
            return []
        condition = self.expressions.condition(place, scope)
        if condition is None:
            return []
        checks.condition(place, condition, self.problems)
        return [nodes.when(nodes.negated(condition.node), [nodes.give(nodes.NONE)])]

    def _name(self, spec: EventSpec, builder: Builder, scope: Scope) -> tuple[str, Any]:
        """The event's name, if it is known now, and the part that gives it."""
        role = self.destination.roles.name
        known = self.destination.fields[role]
        place = spec.part("event_name")
        if role in spec.parameters.children:
            declared = spec.parameters.children[role].place
            hint = "Write 'event_name:' beside 'when:' and 'parameters:', or name the event itself so."
            self.problems.append(
                Problem(declared.key_span(), "event-name-parameter", f"'{role}' is no parameter", hint)
            )
        before = len(builder.problems)
        part = builder.leaf(Leaf(place), known, scope) if place else builder.named(spec.key, spec.place, known)
        if part is None and len(builder.problems) > before:  # it is there, if wrong: nothing is missing
            builder.produced.add(role)
        name = part.constant if part is not None and part.constant is not MISSING else ""
        return str(name), part

    def prepared(self, known: Field, leaf: Leaf, expression: Expression) -> ast.expr:
        """A parameter's value as it is sent, from that of its expression."""
        prepare = nodes.name(self._name_of(known.preparer(leaf.options)))
        return ast.Call(prepare, [expression.node, nodes.name("ctx")], [])

    def _name_of(self, prepare: Any) -> str:
        """The name under which generated code finds a preparer."""
        if prepare not in self._prepared:
            self._prepared[prepare] = f"p_{len(self._prepared)}"
            self.functions[self._prepared[prepare]] = prepare
        return self._prepared[prepare]


def _miss(missing: list[int] | None, index: int) -> list[int]:
    """Note a requirement that came out empty."""
    if missing is None:
        return [index]
    if index not in missing:
        missing.append(index)
    return missing


def _passed_over(missing: list[int] | None, index: int) -> None:
    """Note no requirement, so that the event comes out without it."""


def _noted(context: Context, code: str, path: str) -> None:
    """Note that an event breaks a rule that is only a warning."""
    context.warn(code, path)


def _consent(answer: Any) -> int:
    """What a ``consent:`` expression's answer means; anything but the three words stops the record."""
    words: Mapping[Any, int] = {"send": SEND, "limited": LIMITED, "drop": DROPPED}
    if isinstance(answer, str) and answer in words:
        return words[answer]
    raise RecordError("bad-consent", "consent must come out as 'send', 'limited' or 'drop'")
