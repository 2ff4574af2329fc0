"""Python trees for expressions: making them, giving them their place in the file, and refusing what is wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import nodes

from ..errors import Problem
from . import walking
from .scope import Value
from .tokens import MAX_SOURCE, Locator, Tokens
from .values import is_empty, piece, truth

_FEW = 8
"""Texts of the largest size that may be joined before the whole is measured."""


class Places:
    """Where the characters of one text of the mapping stand, and what was found wrong with them.

    ``lines`` are the file's; they are needed only for exact byte columns where a line is not ASCII.
    """

    def __init__(self, at: Locator, problems: list[Problem], lines: Sequence[str]) -> None:
        self.at, self.problems, self.lines = at, problems, lines
        self._names = 0

    def temporary(self) -> str:
        """A new variable for a value that is looked at twice."""
        self._names += 1
        return f"y_{self._names}"

    def place(self, made: ast.expr, start: int, end: int) -> ast.expr:
        """Give a new node, and what was newly made below it, its place in the file."""
        span = self.at(start, max(end, start + 1))
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        first, last = span.column - 1, max(span.end - 1, span.column)
        if not line.isascii():
            first, last = len(line[:first].encode()), len(line[:last].encode())
        walking.place(made, span.line, first, span.line, last)
        return made

    def report(self, extent: tuple[int, int], code: str, message: str, hint: str = "") -> None:
        """Note a problem with the characters of ``extent``."""
        self.problems.append(Problem(self.at(*extent), code, message, hint))

    def weave(self, pieces: Sequence[str | Value], start: int, end: int) -> Value:
        """One text of several pieces: ``f"{y_1} {y_2}" if … is not None else None``."""
        tests: list[ast.expr] = []
        woven: list[ast.expr] = []
        for part in pieces:
            if isinstance(part, str):
                woven.append(ast.Constant(part))
            elif part.is_const and not isinstance(part.const, (list, dict)):
                woven.append(ast.Constant(piece(part.const)))
            else:
                part.whole()
                kept = self.temporary()
                stored = ast.NamedExpr(ast.Name(kept, ast.Store()), call("v_piece", part.ast))
                tests.append(ast.Compare(stored, [ast.IsNot()], [ast.Constant(None)]))
                woven.append(ast.FormattedValue(name(kept), -1, None))
        paths = frozenset().union(*(part.paths for part in pieces if isinstance(part, Value)))
        if any(isinstance(part, ast.Constant) and part.value is None for part in woven):
            return Value(self.place(ast.Constant(None), start, end), const=None, paths=paths, scalar=True)
        if not tests:
            texts = [str(part.value) for part in woven if isinstance(part, ast.Constant)]
            if sum(map(len, texts)) > MAX_SOURCE:
                message = f"a text that is written out is longer than {MAX_SOURCE:,} characters"
                self.report((start, end), "limit", message)
                texts = []
            whole = "".join(texts)
            return Value(self.place(ast.Constant(whole), start, end), const=whole, paths=paths, scalar=True)
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        text: ast.expr = call("v_sized", ast.JoinedStr(woven))
        if len(tests) > _FEW:
            text = call(
                "v_together",
                ast.List([one.value if isinstance(one, ast.FormattedValue) else one for one in woven], ast.Load()),
            )
        made = ast.IfExp(test, text, ast.Constant(None))
        return Value(self.place(made, start, end), paths=paths, scalar=True)


class Builder:
    """Makes the Python of one expression, node by node."""

    def __init__(self, places: Places, tokens: Tokens, retries: bool = False) -> None:
        self.places, self.tokens, self.retries = places, tokens, retries

    def made(self, made: ast.expr, node: nodes.Node, **known: Any) -> Value:
        """A value, and what is known of it."""
        return Value(self.place(made, node), **known)

    def place(self, made: ast.expr, node: nodes.Node) -> ast.expr:
        """Give new Python the place of the node that it is for."""
        return self.places.place(made, *self.tokens.extent(node))

    def written(self, node: nodes.Node) -> str:
        """The node as the author wrote it."""
        start, end = self.tokens.extent(node)
        return self.tokens.source[start:end]

    def refuse(self, node: nodes.Node, code: str, message: str, hint: str = "") -> Value:
        """Report a problem with a node; the value stands in for it, so that the rest can be checked."""
        return self.refuse_at(self.tokens.extent(node), code, message, hint)

    def refuse_at(self, extent: tuple[int, int], code: str, message: str, hint: str = "") -> Value:
        """Report a problem with some characters."""
        self.places.report(extent, code, message, hint)
        return Value(self.places.place(ast.Constant(None), *extent))

    def nothing(self, node: nodes.Node) -> Value:
        """None, in place of a node that was reported already."""
        return Value(self.place(ast.Constant(None), node))

    def calls(self, function: str, node: nodes.Node, *values: Value) -> Value:
        """A call of a function that looks at its arguments as a whole."""
        for value in values:
            value.whole()
        made = call(function, *(value.ast for value in values))
        return self.made(made, node, paths=paths(values))

    def condition(self, value: Value, node: nodes.Node) -> ast.expr:
        """A value as ``True`` or ``False``."""
        if value.boolean:
            return value.ast
        if value.is_const:
            return self.place(ast.Constant(truth(value.const)), node)
        return self.place(self._asks("v_truth", "v_holds", value), node)

    def empty(self, value: Value) -> ast.expr:
        """Whether a value is empty."""
        return self._asks("v_empty", "v_void", value)

    def _asks(self, plainly: str, partly: str, value: Value) -> ast.expr:
        """A question that can be asked of an object without decoding all of it, if the caller allows that."""
        if self.retries and value.origins:
            return call(partly, value.ast)
        value.whole()
        return call(plainly, value.ast)

    def flowing(self, made: ast.expr, node: nodes.Node, values: Sequence[Value], paths: frozenset[str]) -> Value:
        """One of several values, unchanged. Where some are of the record and others are structures made by the
        expression, all are decoded plainly, so that a step finds the same kind of object in each."""
        origins = frozenset().union(*(value.origins for value in values))
        scalar = all(value.scalar or (value.is_const and is_empty(value.const)) for value in values)
        if any(not value.origins and not value.scalar for value in values):
            for value in values:
                value.whole()
        boolean = all(value.boolean for value in values)
        return self.made(made, node, origins=origins, paths=paths, boolean=boolean, scalar=scalar)


def paths(values: Iterable[Value]) -> frozenset[str]:
    """The paths of the record that several values read."""
    return frozenset().union(*(value.paths for value in values))


def name(identifier: str) -> ast.Name:
    """A variable, read."""
    return ast.Name(identifier, ast.Load())


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """A call of one of the runtime's functions."""
    return ast.Call(name(function), list(arguments), [])


def labels(origins: frozenset[Any]) -> frozenset[str]:
    """What messages call these places of the record; the members of a list are called by the list's name."""
    return frozenset(origin.label.removesuffix("[]") or "record" for origin in origins)
