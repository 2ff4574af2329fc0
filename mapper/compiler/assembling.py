"""From lowered trees to functions: the last step of the compiler.

A function has the names and objects that several of its sections need before the first of them, and nothing built in.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from ..destinations.rules import Rule
from ..language import walking
from . import checks, nodes
from .lowered import Expression, Expressions, variables
from .mapping import EventSpec
from .parameters import Builder
from .parts import Parameter, Requirement
from .projection import Path as RecordPath
from .projection import Projection, Resolver
from .shortcuts import Shortcuts
from .trees import Place


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


@dataclass(slots=True)
class Draft:
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


class Assembler:
    """Fits lowered trees to the projection and makes functions of them."""

    def __init__(self, expressions: Expressions, projection: Projection, functions: dict[str, Any], file: str) -> None:
        self.expressions = expressions
        self.projection = projection
        self.functions = functions
        self.file = file
        self.trees: list[ast.FunctionDef] = []

    def transform(self, draft: Draft) -> Transform:
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
