"""Computes the expressions of a mapping for one record, part by part, for those who explain what came out.

The same parser, the same lowering and the same functions as a compiled mapping; only the record is decoded whole, and
every part is a function of its own, so that each can be asked what it gave.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from types import CodeType, FunctionType
from typing import Any

from ..compiler import nodes
from ..compiler.lowered import Expression, Expressions, variables
from ..compiler.mapping import MappingSpec
from ..compiler.projection import Path, PathNode, Projection, Resolver, label
from ..compiler.tables import read_tables
from ..compiler.trees import Place
from ..errors import Problem, RecordError, Span
from ..language import effort, expression
from ..language.scope import Scope, runtime_tables
from ..language.values import Context, is_empty


@dataclass(frozen=True, slots=True)
class Held:
    """What a path of the record holds: its kind and size in words, and the value for those who ask for values."""

    path: str
    about: str
    empty: bool
    value: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an expression: its text in the mapping, what it gave, or why it failed."""

    text: str
    about: str
    value: Any = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition and its parts. ``answer`` is None for a part that was not asked, because others had decided."""

    text: str
    span: Span
    answer: bool | None
    reads: tuple[Held, ...] = ()
    parts: tuple[Decision, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """Where an expression stands for one record: the names it can use, their values, and the items of loops above it.

    A value may be the ``RecordError`` that computing it raised: it is raised again where the name is used.
    """

    scope: Scope
    values: Mapping[str, Any]
    items: tuple[tuple[Path, Any], ...] = ()

    def item(self, scope: Scope, variable: str, value: Any, path: Path | None) -> View:
        """The same, inside a loop."""
        items = self.items if path is None else ((path, value), *self.items)
        return replace(self, scope=scope, values={**self.values, variable: value}, items=items)


class Stepper:
    """Computes expressions for one record, decoded whole."""

    def __init__(self, spec: MappingSpec, record: Any, now: float, shift: int = 0) -> None:
        self.record = record
        self.now, self.shift = now, shift
        self.problems: list[Problem] = []
        tables = read_tables(spec.tables, FilePath(spec.document.file).parent, self.problems)
        self.expressions = Expressions(PathNode(), tables, spec.documents, self.problems)
        self._projection = Projection(PathNode(), (), full=True)
        self._names = {**expression.RUNTIME, **runtime_tables(tables), **self._projection.namespace}
        self._names |= {"type": type, "__builtins__": {}}
        values: dict[str, Any] = {}
        for name, place in spec.lets:
            self.expressions.declare(name, place)
            let = next(reversed(self.expressions.lets.values()))
            values[let.variable] = self._kept(let.expression, values)
        self.top = View(self.expressions.top, values)

    def context(self) -> Context:
        """A clock, and a list of warnings that is still empty."""
        return Context(self.now, self.shift)

    def compute(self, found: Expression, view: View) -> Any:
        """The value of an expression.

        raises  RecordError as the compiled mapping does
        """
        effort.renew()
        return self._compute(found.node, view.values)

    def _compute(self, tree: ast.expr, values: Mapping[str, Any]) -> Any:
        names = sorted(variables([tree]) & values.keys())
        for name in names:
            if isinstance(values[name], RecordError):
                raise values[name]
        resolver = Resolver(self._projection)
        body = [nodes.give(resolver.visit(nodes.copied(tree)))]
        function = nodes.function("part", ["r", "ctx", *names], [*resolver.hoisted, *body])
        module = ast.fix_missing_locations(ast.Module([function], []))
        code = compile(module, "<part>", "exec", dont_inherit=True, optimize=0)
        inner = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
        return FunctionType(inner, self._names)(self.record, self.context(), *(values[name] for name in names))

    def _kept(self, found: Expression, values: Mapping[str, Any]) -> Any:
        try:
            return self._compute(found.node, values)
        except RecordError as error:
            return error

    def reads(self, found: Expression | None, view: View) -> tuple[Held, ...]:
        """What the paths that an expression reads hold; inside a loop, those of its item."""
        return tuple(self._held(path, view) for path in (found.paths if found is not None else ()) if path)

    def _held(self, path: Path, view: View) -> Held:
        for above, item in view.items:
            if path[: len(above)] == above and len(path) > len(above):
                return held(item, path[len(above) :], label(path))
        return held(self.record, path, label(path))

    # Steps

    def steps(self, place: Place, view: View) -> Iterator[Step]:
        """What the expressions of a text give, filter by filter; nothing for one that only names a path."""
        text = expression.parse_text(place.value, place.locate, self.problems)
        for part in text.parts if text is not None else ():
            if isinstance(part, expression.Expression):
                yield from self._chain(part, place, view)

    def _chain(self, whole: expression.Expression, place: Place, view: View) -> Iterator[Step]:
        for written, part in whole.chain():
            if not part.is_path:
                step = self._step(written, place, view, part)
                yield step
                if step.failed:
                    return

    def _step(self, written: str, place: Place, view: View, parsed: expression.Expression) -> Step:
        found = self.expressions.part(place, view.scope, parsed)
        if found is None:
            return Step(written, "")
        try:
            value = self.compute(found, view)
        except RecordError as error:
            return Step(written, "", failed=f"{error.message} [{error.code}]")
        return Step(written, kind(value), value)

    # Conditions

    def decision(self, place: Place, view: View) -> Decision:
        """A bare condition, with its parts."""
        if not isinstance(place.value, str):
            return Decision(str(place.value), place.span(), bool(place.value))
        parsed = expression.parse_bare(place.value, place.locate, self.problems)
        if parsed is None:
            return Decision(place.value, place.span(), None)
        return self._decided(parsed, place, view)

    def _decided(self, parsed: expression.Expression, place: Place, view: View) -> Decision:
        text, span = parsed.text, place.locate(*parsed.extent)
        found = self.expressions.part(place, view.scope, parsed, asks=True)
        if found is None:
            return Decision(text, span, None)
        answer, failed = None, ""
        try:
            answer = bool(self.compute(found, view))
        except RecordError as error:
            failed = f"{error.message} [{error.code}]"
        word, operands = parsed.operands()
        if word == "" or (word == "not" and not operands[0].operands()[0]):
            return Decision(text, span, answer, self.reads(found, view), (), failed)
        return Decision(text, span, answer, (), tuple(self._parts(word, operands, place, view)), failed)

    def _parts(self, word: str, operands: list[expression.Expression], place: Place, view: View) -> Iterator[Decision]:
        """The parts of a condition; those after the one that decides are not asked."""
        decided = False
        for operand in operands:
            part = self._decided(operand, place, view)
            if decided:
                yield Decision(part.text, part.span, None, part.reads)
                continue
            yield part
            decided = bool(part.failed) or (word != "not" and part.answer is (word == "or"))


def kind(value: Any) -> str:
    """What a value is, without saying what it says."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"text, {_count(len(value), 'character')}" if value.strip() else "blank text"
    if isinstance(value, int | float):
        return "a whole number" if isinstance(value, int) else "a number"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        return f"an object with {_count(len(value), 'key')}" if value else "an empty object"
    return "a value"


def held(value: Any, path: Path, name: str) -> Held:
    """What stands at a path; a list on the way is looked into member by member."""
    seen: list[str] = []
    for index, key in enumerate(path):
        if isinstance(value, list):
            return _members(value, path[index:], name)
        if not isinstance(value, dict):
            return Held(name, f"empty: {label(tuple(seen))} is {kind(value)}", True, None)
        if key not in value:
            owner = label(tuple(seen)) if seen else "the record"
            return Held(name, f"empty: {owner} has no '{key}'", True, None)
        value = value[key]
        seen.append(key)
        if value is None and index + 1 < len(path):
            return Held(name, f"empty: {label(tuple(seen))} is null", True, None)
    about = "empty: it is null" if value is None else kind(value)
    return Held(name, f"empty: {about}" if is_empty(value) and value is not None else about, is_empty(value), value)


def _members(members: list[Any], path: Path, name: str) -> Held:
    found = [held(member, path, name) for member in members]
    filled = [one for one in found if not one.empty]
    kinds = sorted({one.about for one in filled})
    about = kinds[0] if len(kinds) == 1 else "values"
    if not filled:
        return Held(name, f"empty in all of {_count(len(members), 'item')}", True, None)
    return Held(
        name, f"{about}, in {len(filled)} of {_count(len(members), 'item')}", False, [one.value for one in found]
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
