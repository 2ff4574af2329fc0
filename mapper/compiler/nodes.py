"""Short names for the Python syntax tree that the compiler builds.

Everything an author wrote arrives here as a constant or as an expression lowered by ``expression``; every name
below is one the compiler invented.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from ..language.effort import MEMBER
from ..language.scope import Access
from ..language.walking import within

NONE = ast.Constant(None)


def name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def constant(value: Any) -> ast.expr:
    """``value`` as an expression that gives a new copy each time: lists and dicts are never shared by events."""
    if isinstance(value, dict):
        return ast.Dict([ast.Constant(key) for key in value], [constant(part) for part in value.values()])
    if isinstance(value, list | tuple):
        return ast.List([constant(part) for part in value], ast.Load())
    return ast.Constant(value)


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(identifier, ast.Store())], value)


def put(mapping: str, key: str, value: ast.expr) -> ast.stmt:
    """``mapping[key] = value``"""
    return ast.Assign([ast.Subscript(name(mapping), ast.Constant(key), ast.Store())], value)


def push(sequence: str, value: ast.expr) -> ast.stmt:
    """``append(sequence, value)``: a method of lists as a function, so that no attribute is read."""
    return ast.Expr(call("append", name(sequence), value))


def call(function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(name(function), list(arguments), [])


def is_none(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.Is()], [NONE])


def is_not_none(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.IsNot()], [NONE])


def negated(value: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), value)


def lacks(mapping: str, key: str) -> ast.expr:
    """``key not in mapping``"""
    return ast.Compare(ast.Constant(key), [ast.NotIn()], [name(mapping)])


def all_of(tests: Sequence[ast.expr]) -> ast.expr:
    return ast.BoolOp(ast.And(), list(tests)) if len(tests) > 1 else tests[0]


def when(test: ast.expr, body: Sequence[ast.stmt], otherwise: Sequence[ast.stmt] = ()) -> ast.If:
    return ast.If(test, list(body), list(otherwise))


def loop(variable: str, items: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    return ast.For(ast.Name(variable, ast.Store()), items, list(body), [])


def give(value: ast.expr) -> ast.stmt:
    return ast.Return(value)


def function(identifier: str, arguments: Sequence[str], body: Sequence[ast.stmt]) -> ast.FunctionDef:
    """``def identifier(arguments): body``"""
    declared = ast.arguments([], [ast.arg(argument) for argument in arguments], None, [], [], None, [])
    return ast.FunctionDef(identifier, declared, list(body), [])


def weigh(items: ast.expr, body: Sequence[ast.stmt]) -> None:
    """Tell a loop's items how much is done for each (see ``values.each``)."""
    assert isinstance(items, ast.Call)
    items.args.append(constant(MEMBER + 2 * len(within(body, ast.expr)) + written(body)))


def written(body: Sequence[ast.stmt]) -> int:
    """How many characters of text stand in statements, written out."""
    return sum(len(one.value) for one in within(body, ast.Constant) if type(one.value) is str)


def copied(tree: Any) -> Any:
    """A copy of a lowered expression that shares nothing with it but the places of the record it refers to."""
    if isinstance(tree, list):
        return [copied(part) for part in tree]
    if not isinstance(tree, ast.AST):
        return tree
    if isinstance(tree, Access):
        return ast.copy_location(Access(copied(tree.value), tree.key, tree.origins), tree)
    made = type(tree)(**{field: copied(part) for field, part in ast.iter_fields(tree)})
    return ast.copy_location(made, tree)
