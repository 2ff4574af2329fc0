"""Lists: written out member by member, made by a loop, or arrays in which each position has its own meaning."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from ..destinations.destination import Field
from ..errors import Problem
from ..language.scope import MISSING, Scope
from . import nodes
from .parts import Building, Part, single
from .projection import Path
from .shaping import incomplete
from .trees import Branch, Items, Leaf, Loop, ParameterSpec


class ListBuilding(Building):
    """Builds the lists of one event."""

    def _members(self, spec: Items, known: Field, scope: Scope) -> Part | None:
        if not spec.members and known.keep_empty:
            self.literals[known.path] = []
            return Part(constant=[])
        if known.is_leaf and known.kind != "any":
            return self._scalars(spec, known, scope)
        target = self._fresh("l")
        statements = [nodes.assign(target, nodes.constant([]))]
        paths: tuple[Path, ...] = ()
        for member in spec.members:
            part = self.parameter(member, single(known), scope)
            if part is not None:
                statements += self._pushed(target, part, known, member.place)
                paths += part.paths
        return Part(nodes.name(target), statements, gathers=True, paths=paths)

    def _scalars(self, spec: Items, known: Field, scope: Scope) -> Part | None:
        """Several values of one parameter (two e-mail addresses): cleaned together, so that none is sent twice."""
        values: list[ast.expr] = []
        constants: list[Any] = []
        paths: tuple[Path, ...] = ()
        for member in spec.members:
            if not isinstance(member, Leaf):
                return self._wrong(member, known, "a list or an object in the list")
            expression = self.expressions.value(member.place, scope)
            if expression is None:
                continue
            expression.whole()
            paths += expression.paths
            literal = self.declare(known, member, expression)
            constants += [expression.constant] if literal else []
            values.append(nodes.constant(expression.constant) if literal else expression.node)
        if not values:
            return None
        if len(constants) == len(values):
            return self._literal(constants, Leaf(spec.place), known)
        prepare = self.prepared(known.preparer({}))
        return Part(nodes.call(prepare, ast.List(values, ast.Load()), nodes.name("ctx")), paths=paths)

    def _loop(self, spec: Loop, known: Field, scope: Scope) -> Part | None:
        unknown = [key for key in spec.place.value if key not in ("for", "if", "each")]
        for key in unknown:
            message = f"a loop has no key '{key}'"
            hint = "It takes 'for', 'if' and 'each'; what each item gives stands below 'each'."
            self.problems.append(Problem(spec.place.child(key).key_span(), "unknown-key", message, hint))
        opened = self.expressions.loop(spec.place.child("for"), scope)
        if opened is None:
            return None
        items, variable, inner = opened
        target = self._fresh("l")
        scalar = known.is_leaf and known.kind != "any"
        if scalar:
            body, paths = self._each_scalar(spec, known, inner, target)
        else:
            self._item = spec.each
            part = self.parameter(spec.each, single(known), inner)
            if part is None:
                return None
            body, paths = self._pushed(target, part, known, spec.each.place), part.paths
        if "if" in spec.place.value:
            condition = self.expressions.condition(spec.place.child("if"), inner)
            if condition is not None:
                body = [nodes.when(condition.node, body)]
        nodes.weigh(items.node, body)
        statements = [nodes.assign(target, nodes.constant([])), nodes.loop(variable, items.node, body)]
        paths = items.paths + paths
        if scalar:
            prepare = self.prepared(known.preparer({}))
            return Part(nodes.call(prepare, nodes.name(target), nodes.name("ctx")), statements, paths=paths)
        return Part(nodes.name(target), statements, gathers=True, paths=paths)

    def _is_broken_loop(self, spec: Branch, known: Field) -> bool:
        """Whether an object can only be a loop of which one of the two keys is missing or misspelt."""
        has = {"for", "each"} & spec.children.keys()
        if len(has) != 1 or not known.many or known.kind == "any":
            return False
        (lacking,) = {"for", "each"} - has
        close = difflib.get_close_matches(
            lacking, [key for key in spec.children if key not in ("for", "each", "if")], 1
        )
        span = spec.children[close[0]].place.key_span() if close else spec.place.span()
        message = f"a loop needs '{lacking}'" + (f", not '{close[0]}'" if close else "")
        hint = "Write what each item gives below 'each'." if lacking == "each" else "Write: for: item in order.lines."
        self.problems.append(Problem(span, "missing-key", message, hint))
        return True

    def _each_scalar(
        self, spec: Loop, known: Field, scope: Scope, target: str
    ) -> tuple[list[ast.stmt], tuple[Path, ...]]:
        if not isinstance(spec.each, Leaf):
            self._wrong(spec.each, known, "an object for each item")
            return [ast.Pass()], ()
        expression = self.expressions.value(spec.each.place, scope)
        if expression is None:
            return [ast.Pass()], ()
        expression.whole()
        literal = self.declare(known, spec.each, expression)
        value = nodes.constant(expression.constant) if literal else expression.node
        return [nodes.push(target, value)], expression.paths

    def _list_of_one(self, part: Part, known: Field, spec: Branch) -> Part:
        target = self._fresh("l")
        statements = [
            nodes.assign(target, nodes.constant([])),
            *self._pushed(target, part, known, spec.place),
        ]
        return Part(nodes.name(target), statements, gathers=True, paths=part.paths)

    def _by_position(self, spec: Branch, known: Field, scope: Scope) -> Part | None:
        names = [position.name for position in known.positions]
        for key, child in spec.children.items():
            if key not in names:
                close = difflib.get_close_matches(key, names, 1)
                hint = f"Did you mean '{close[0]}'?" if close else f"Its positions are: {', '.join(names)}."
                message = f"'{known.path}' has no position '{key}'"
                self.problems.append(Problem(child.place.key_span(), "unknown-parameter", message, hint))
        return self._positional([spec.children.get(name) for name in names], known, scope, spec)

    def _positional(
        self, members: list[ParameterSpec | None], known: Field, scope: Scope, spec: Items | Branch
    ) -> Part | None:
        """An array in which each position has its own meaning: an empty one stays, as empty text."""
        if len(members) > len(known.positions):
            message = f"'{known.path}' has {len(known.positions)} positions, this list has {len(members)}"
            self.problems.append(Problem(spec.place.span(), "too-many", message, "Take the last ones away."))
            return None
        if not any(member is not None for member in members):
            return None
        slots: list[ast.expr] = []
        needed: list[ast.expr] = []
        statements: list[ast.stmt] = []
        paths: tuple[Path, ...] = ()
        for position, member in zip(known.positions, members + [None] * len(known.positions), strict=False):
            part = self.parameter(member, position, scope) if member is not None else None
            variable = self._fresh("s")
            if part is None or part.constant is not MISSING:
                value = "" if part is None else part.constant
                slots.append(nodes.constant(value))
                if position.required and value == "":
                    self._lacking(position, spec)
                continue
            statements += [*part.statements, nodes.assign(variable, part.value)]
            empty = ast.IfExp(nodes.is_none(nodes.name(variable)), nodes.constant(""), nodes.name(variable))
            slots.append(empty)
            needed += [nodes.name(variable)] if position.required else []
            paths += part.paths
        listed: ast.expr = ast.List(slots, ast.Load())
        if needed:
            said = nodes.call(self.prepared(incomplete(known.path)), nodes.name("ctx"), *needed)
            listed = ast.IfExp(nodes.all_of([nodes.is_not_none(one) for one in needed]), listed, said)
        return Part(listed, statements, paths=paths)

    def _lacking(self, position: Field, spec: Items | Branch) -> None:
        message = f"{position.path} is required wherever its list is sent, and nothing gives it"
        hint = f"Give it a value: {position.about}" if position.about else "Give it a value."
        self.problems.append(Problem(spec.place.span(), "missing-parameter", message, hint))
