"""The forms of statements of which a function that builds an event consists, told from their trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Put:
    """``if value is not None: target[key] = value``, and ``else: m = miss(…)`` if it is required.

    gathers   the test is ``if value:``, for lists and objects
    """

    target: str
    key: str
    value: str
    gathers: bool
    is_required: bool


def returned_from(statement: ast.stmt) -> str:
    """The variable of the event in ``return d1 if m is None else m``."""
    match statement:
        case ast.Return(value=ast.IfExp(body=ast.Name(id=name))):
            return name
    return ""


def assigned_to(statement: ast.stmt) -> str:
    """The variable that a statement assigns to, or ""."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def stored_in(statement: ast.stmt) -> tuple[str, str] | None:
    """``target[key] = …``"""
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=ast.Constant(value=str(key)))]):
            return target, key
    return None


def put_of(statement: ast.stmt) -> Put | None:
    """A statement as a ``Put`` if it is one."""
    match statement:
        case ast.If(
            test=ast.Name(id=name) | ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()]) as test,
            body=[ast.Assign(value=ast.Name(id=value)) as body],
            orelse=[] | [ast.Assign(targets=[ast.Name(id="m")])] as otherwise,
        ) if name == value and (stored := stored_in(body)):
            return Put(*stored, name, isinstance(test, ast.Name), bool(otherwise))
    return None


def is_object(value: ast.expr) -> bool:
    """Whether an object is begun whose keys are all known."""
    return isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys)


def members_of(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """What an object begins with."""
    match statement:
        case ast.Assign(value=ast.Dict(keys=keys, values=values)):
            for key, value in zip(keys, values, strict=True):
                assert isinstance(key, ast.Constant)
                yield str(key.value), value
