"""Filters, tests and functions: what they are called with, checked against their declarations."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jinja2 import nodes

from .building import Builder, call, name, paths
from .filters import FILTERS, FUNCTIONS, TESTS, Filter
from .habits import FILTERS as FILTER_HABITS
from .habits import FUNCTIONS as FUNCTION_HABITS
from .habits import INSTEAD, METHODS, nearest
from .habits import TESTS as TEST_HABITS
from .scope import Table, Value

Given = tuple[str, Value, nodes.Expr]
"""An argument: the name of its parameter ("" among any number), its value, and its node."""


class Calls:
    """Lowers the filters, tests and functions of one expression; ``visit`` lowers what they are given."""

    def __init__(self, build: Builder, tables: Mapping[str, Table], visit: Callable[[nodes.Node], Value]) -> None:
        self.build, self.tables, self.visit = build, tables, visit

    def filter(self, node: nodes.Filter) -> Value:
        """``value | name(arguments)``."""
        assert node.node is not None
        value = self.visit(node.node)
        spec = FILTERS.get(node.name)
        if spec is None:
            return self._unknown("filter", node, FILTERS, FILTER_HABITS)
        arguments = self._arguments(spec, node, f"filter '{node.name}'")
        if arguments is None:
            return self.build.nothing(node)
        if node.name == "lookup":
            return self._lookup(spec, node, value, arguments)
        if spec.first_filled:
            others = [argument for key, argument, _ in arguments if key != "boolean"]
            falsy = any(key == "boolean" and argument.const for key, argument, _ in arguments)
            return self._first_filled(node, [value, *others], falsy)
        return self._apply("f_", spec, node, value, arguments)

    def test(self, node: nodes.Test) -> Value:
        """``value is name(arguments)``."""
        value = self.visit(node.node)
        spec = TESTS.get(node.name)
        if spec is None:
            return self._unknown("test", node, TESTS, TEST_HABITS)
        arguments = self._arguments(spec, node, f"test '{node.name}'")
        if arguments is None:
            return self.build.nothing(node)
        return self._apply("t_", spec, node, value, arguments)

    def call(self, node: nodes.Call) -> Value:
        """``name(arguments)``."""
        called = node.node
        if isinstance(called, nodes.Getattr):
            return self._method(called)
        if not isinstance(called, nodes.Name):
            hint = "See the list of functions."
            return self.build.refuse(node, "unsupported", "only functions can be called", hint)
        spec = FUNCTIONS.get(called.name)
        if spec is None:
            return self._unknown_function(node, called.name)
        arguments = self._arguments(spec, node, f"function '{called.name}'")
        if arguments is None:
            return self.build.nothing(node)
        if spec.first_filled:
            return self._first_filled(node, [argument for _, argument, _ in arguments])
        return self._apply("g_", spec, node, None, arguments)

    def _apply(self, prefix: str, spec: Filter, node: nodes.Node, value: Value | None, given: Sequence[Given]) -> Value:
        """The call; an empty value goes around it: ``y if v_empty(y := value) else f_lower(y)``."""
        for _, argument, _ in given:
            argument.whole()
        named = {parameter.name for parameter in spec.parameters if parameter.named}
        listed = [argument.ast for key, argument, _ in given if not self._by_name(key, spec, given, named)]
        keywords = [
            ast.keyword(key, argument.ast) for key, argument, _ in given if self._by_name(key, spec, given, named)
        ]
        context = [name("ctx")] if spec.needs_context else []
        reads = paths(argument for _, argument, _ in given)
        function = name(prefix + spec.name)
        if value is None:
            made: ast.expr = ast.Call(function, [*context, *listed], keywords)
            return self._result(spec, made, node, reads)
        if not spec.flows:
            value.whole()
        reads |= value.paths
        if spec.takes_empty:
            made = ast.Call(function, [*context, value.ast, *listed], keywords)
            return self._result(spec, made, node, reads)
        stored, kept = self._kept(value)
        passed = name(kept.id)
        made = ast.IfExp(call("v_empty", stored.ast), kept, ast.Call(function, [*context, passed, *listed], keywords))
        if spec.flows:
            origins = frozenset(origin.element() for origin in value.origins)
            return self.build.made(made, node, origins=origins, paths=reads, scalar=value.scalar)
        return self.build.made(made, node, paths=reads, scalar=spec.gives_scalar)

    def _kept(self, value: Value) -> tuple[Value, ast.Name]:
        """A value put into a variable, and the variable."""
        kept = self.build.places.temporary()
        return replace(value, ast=ast.NamedExpr(ast.Name(kept, ast.Store()), value.ast)), name(kept)

    @staticmethod
    def _by_name(key: str, spec: Filter, given: Sequence[Given], named: set[str]) -> bool:
        """Whether an argument is passed by its name: those that come by name only, and those after a gap."""
        if not key or key in named:
            return bool(key)
        order = [parameter.name for parameter in spec.parameters if not parameter.named]
        present = {other for other, _, _ in given}
        return any(before not in present for before in order[: order.index(key)])

    def _result(self, spec: Filter, made: ast.expr, node: nodes.Node, reads: frozenset[str]) -> Value:
        return self.build.made(made, node, paths=reads, boolean=spec.gives_boolean, scalar=spec.gives_scalar)

    def _first_filled(self, node: nodes.Node, values: Sequence[Value], falsy: bool = False) -> Value:
        """The first value that is not empty, nor zero or false if ``falsy``; what stands behind it is not computed."""
        *tested, last = values
        made = last.ast
        for value in reversed(tested):
            stored, kept = self._kept(value)
            if falsy:
                made = ast.IfExp(self.build.condition(stored, node), kept, made)
            else:
                made = ast.IfExp(self.build.empty(stored), made, kept)
        return self.build.flowing(made, node, values, paths(values))

    def _lookup(self, spec: Filter, node: nodes.Filter, value: Value, given: Sequence[Given]) -> Value:
        _, named, source = given[0]
        tables = list(self.tables)
        if named.const not in tables:
            hint = nearest(str(named.const), tables) or "Declare it under 'tables:'."
            return self.build.refuse(source, "unknown-table", f"there is no table {named.const!r}", hint)
        table = Value(self.build.place(name(f"d_{tables.index(named.const)}"), source))
        return self._apply("f_", spec, node, value, [("table", table, source)])

    def _arguments(self, spec: Filter, node: Any, called: str) -> list[Given] | None:
        """What is given, checked against the declaration; None if it is wrong."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            message = "'*' does not unpack arguments here"
            self.build.refuse(node, "unsupported", message, "Write them one by one.")
            return None
        known = [parameter.name for parameter in spec.parameters if not parameter.named]
        if len(node.args) > len(known) and not spec.many:
            count = f"at most {len(known)}" if known else "no"
            message = f"{called} takes {count} argument{'' if len(known) == 1 else 's'}"
            self.build.refuse(node.args[len(known)], "arguments", message, spec.usage)
            return None
        names = [*known, *[""] * len(node.args)]
        given: list[Given] = [
            (key, self.visit(argument), argument) for key, argument in zip(names, node.args, strict=False)
        ]
        for keyword in node.kwargs:
            if not self._keyword(spec, node, keyword, called, {key for key, _, _ in given}):
                return None
            given.append((keyword.key, self.visit(keyword.value), keyword.value))
        present = {key for key, _, _ in given}
        missing = [p.name for p in spec.parameters if p.required and p.name not in present]
        if missing or (spec.many and not spec.parameters and not given):
            wanted = f"'{missing[0]}'" if missing else "arguments"
            extent = self.build.tokens.name_extent(node, getattr(node, "name", ""))
            self.build.refuse_at(extent, "arguments", f"{called} needs {wanted}", spec.usage)
            return None
        return given if self._literals(spec, given, node, called) else None

    def _keyword(self, spec: Filter, node: Any, keyword: nodes.Keyword, called: str, present: set[str]) -> bool:
        known = [parameter.name for parameter in spec.parameters]
        if keyword.key in known and keyword.key not in present:
            return True
        message = f"{called} has no argument {keyword.key!r}"
        if keyword.key in present:
            message = f"{called} is given {keyword.key!r} twice"
        extent = self.build.tokens.name_extent(node, keyword.key)
        self.build.refuse_at(extent, "arguments", message, nearest(keyword.key, known) or spec.usage)
        return False

    def _literals(self, spec: Filter, given: Sequence[Given], node: nodes.Node, called: str) -> bool:
        """Whether arguments that are checked at compile time are written out, and right."""
        for key, value, source in given:
            if key in spec.literal and not value.is_const:
                hint = "It is checked when the mapping is compiled, so it cannot come from the record."
                self.build.refuse(source, "not-literal", f"{called} wants {key!r} written out", hint)
                return False
        literals = {key: value.const for key, value, _ in given if key and value.is_const}
        complaint = spec.check(literals) if spec.check is not None else ""
        if complaint:
            named = [argument for key, _, argument in given if key and key in complaint]
            place: nodes.Node = named[-1] if named else given[0][2] if given else node
            self.build.refuse(place, "bad-argument", f"{called}: {complaint}", spec.usage)
        return not complaint

    # What is refused

    def _method(self, called: nodes.Getattr) -> Value:
        hint = "A step such as order.id reads a field; use filters to change a value."
        owner = self.build.written(called.node)
        if called.attr in METHODS:
            hint = f"Write {METHODS[called.attr].format(owner)}."
        elif called.attr in FILTERS:
            hint = f"Write {owner} | {called.attr}."
        extent = self.build.tokens.name_extent(called, called.attr)
        message = f"values have no methods: {called.attr}()"
        return self.build.refuse_at(extent, "method-call", message, hint)

    def _unknown_function(self, node: nodes.Call, called: str) -> Value:
        argument = self.build.written(node.args[0]) if node.args else "value"
        if len(node.args) > 1 and called in ("min", "max", "sum"):
            argument = f"[{', '.join(map(self.build.written, node.args))}]"
        hint = nearest(called, list(FUNCTIONS))
        if called in FUNCTION_HABITS:
            hint = f"Write {FUNCTION_HABITS[called].format(argument)}."
        elif called in FILTERS:
            hint = f"It is a filter: write {argument} | {called}."
        elif not hint and called in FILTER_HABITS:
            hint = f"Write {argument} | {FILTER_HABITS[called]}."
        extent = self.build.tokens.extent(node.node)
        return self.build.refuse_at(extent, "unknown-function", f"there is no function {called!r}", hint)

    def _unknown(
        self,
        kind: str,
        node: nodes.Filter | nodes.Test,
        known: Mapping[str, Filter],
        habits: Mapping[str, str],
    ) -> Value:
        wanted = node.name
        hint = nearest(wanted, list(known))
        if kind == "filter" and wanted in INSTEAD:
            hint = INSTEAD[wanted]
        elif wanted in habits:
            hint = f"Write {'|' if kind == 'filter' else 'is'} {habits[wanted]}."
        elif kind == "filter" and wanted in FUNCTIONS:
            hint = f"It is a function: write {wanted}(…)."
        extent = self.build.tokens.name_extent(node, wanted)
        return self.build.refuse_at(extent, f"unknown-{kind}", f"there is no {kind} {wanted!r}", hint)
