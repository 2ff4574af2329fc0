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
from types import CodeType, FunctionType
from typing import Any

from ..destinations.destination import Destination, Rule, load_destination
from ..destinations.fields import Field
from ..errors import MappingError, Problem, RecordError
from ..language import walking
from ..language.expression import RUNTIME
from ..language.scope import MISSING, Access, Scope, runtime_tables
from ..language.values import MAX_TEXT, Context
from . import checks, nodes
from .lowered import Expression, Expressions, variables
from .mapping import EventSpec, MappingSpec
from .parameters import Builder
from .parts import Parameter, Requirement
from .projection import Path as RecordPath
from .projection import PathNode, Projection, Resolver
from .shaping import lacks
from .shortcuts import Shortcuts
from .tables import read_tables
from .trees import Leaf, Place

SEND, IGNORED, DROPPED, LIMITED = range(4)
"""What a gate says of a record: go on; an ``ignore:`` rule matched; consent withheld; consent limited."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One compiled event.

    key           the mapping's name for it
    function      ``(record, context[, item])`` -> the event | the indexes of requirements that came out empty | None
    items         ``(record, context)`` -> the items of an event-level loop; None if the event has no loop
    name          the event's name as sent, or "" if an expression gives it
    rules         the destination's rules that only the finished event can tell
    suspicions    rules about personal data in plain places: asked only of events that hold a sign of it
    max_age       seconds that the event may be old, if that is known; else the destination is asked
    tree          the function's syntax tree, for the fingerprint and for those who want to read it
    """

    key: str
    place: Place
    function: Callable[..., Any]
    items: Callable[[Any, Any], Sequence[Any]] | None
    name: str
    requirements: tuple[Requirement, ...]
    parameters: tuple[Parameter, ...]
    rules: tuple[Rule, ...]
    suspicions: tuple[Rule, ...]
    max_age: int | None
    tree: ast.FunctionDef

    def paths_below(self, parameter: str) -> tuple[RecordPath, ...]:
        """The record's paths that are read for what lies in an object."""
        inside = (one.paths for one in self.parameters if one.path.startswith(f"{parameter}."))
        return tuple(dict.fromkeys(path for paths in inside for path in paths))


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


@dataclass(slots=True)
class _Draft:
    """One event between building and assembling."""

    spec: EventSpec
    name: str
    head: list[ast.stmt]
    item_head: list[ast.stmt]
    items: Expression | None
    variable: str
    body: list[ast.stmt]
    builder: Builder
    rules: tuple[Rule, ...] = ()


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

    def trees_of(self, gate: list[ast.stmt], drafts: Sequence[_Draft]) -> Iterator[ast.AST]:
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

    def _event(self, spec: EventSpec) -> _Draft | None:
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
        return _Draft(spec, name, head, item_head, items, variable, body, builder, rules)

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


class Assembler:
    """Fits lowered trees to the projection and makes functions of them."""

    def __init__(self, expressions: Expressions, projection: Projection, functions: dict[str, Any], file: str) -> None:
        self.expressions = expressions
        self.projection = projection
        self.functions = functions
        self.file = file
        self.trees: list[ast.FunctionDef] = []

    def transform(self, draft: _Draft) -> Transform:
        line = draft.spec.place.span().line
        arguments = ["r", "ctx"]
        items = None
        sections = [draft.head, draft.item_head, draft.body]
        if draft.items is not None:
            given: list[ast.stmt] = [nodes.give(draft.items.node)]
            items = self.function("items", arguments, [draft.head, given], line)
            arguments = [*arguments, draft.variable]
            sections = sections[1:]
        function = self.function("event", arguments, sections, line)
        builder = draft.builder
        return Transform(
            key=draft.spec.key,
            place=draft.spec.place,
            function=function,
            items=items,
            name=draft.name,
            requirements=tuple(builder.requirements),
            parameters=tuple(builder.parameters),
            rules=tuple(rule for rule in draft.rules if rule.kind != "personal" or builder.open),
            suspicions=tuple(rule for rule in draft.rules if rule.kind == "personal" and not builder.open),
            max_age=checks.max_age(builder, builder.destination),
            tree=self.trees[-1],
        )

    def function(
        self, name: str, arguments: Sequence[str], sections: Sequence[Sequence[ast.stmt]], line: int
    ) -> Callable[..., Any]:
        """A function of sections: before each stand the names and the objects that are first needed there."""
        resolver, quicker = Resolver(self.projection), Shortcuts(self.functions)
        body: list[ast.stmt] = []
        ready: set[str] = set()
        for section in sections:
            lets = [nodes.assign(variable, nodes.copied(tree)) for variable, tree in self._lets(section, ready)]
            resolved = [quicker.visit(resolver.visit(statement)) for statement in (*lets, *section)]
            body += resolver.hoisted + resolved
            resolver.hoisted = []
        tree = nodes.function(name, arguments, body or [ast.Pass()])
        tree.lineno = tree.end_lineno = line
        tree.col_offset = tree.end_col_offset = 0
        walking.settle(tree)
        self.trees.append(tree)
        code = compile(ast.Module([tree], []), self.file, "exec", dont_inherit=True, optimize=0)
        inner = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
        self.functions.update(self.projection.namespace)
        self.functions["__builtins__"] = {}
        return FunctionType(inner, self.functions, name)

    def _lets(self, section: Sequence[ast.stmt], ready: set[str]) -> list[tuple[str, ast.expr]]:
        """The names a section needs and has not got yet, with all that they need, in the order of the mapping."""
        lets = self.expressions.lets
        wanted = variables(section) & lets.keys()
        waiting = list(wanted)
        while waiting:
            more = variables([lets[waiting.pop()].expression.node]) & lets.keys() - wanted
            wanted |= more
            waiting += more
        found = [(variable, let.expression.node) for variable, let in lets.items() if variable in wanted - ready]
        ready |= wanted
        return found


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
