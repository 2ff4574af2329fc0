"""Shortcuts in generated code: the common case of an operation, without a call.

``total > 0`` is compiled to a call that knows every type. Where one side is a whole number that is written out, nearly
every record has a whole number on the other side: that case is decided in place, and any other goes the long way.

    v_gt(r.k3, 0)    ->    (q1 > 0 if type((q1 := r.k3)) is int else v_gt(q1, 0))
"""

from __future__ import annotations

import ast
from typing import Final

_COMPARED: Final[dict[str, type[ast.cmpop]]] = {"v_gt": ast.Gt, "v_ge": ast.GtE, "v_lt": ast.Lt, "v_le": ast.LtE}
_EXACT: Final = 2**53
"""Whole numbers below this are floats without loss."""


class Shortcuts(ast.NodeTransformer):
    """Rewrites the calls of one function."""

    def __init__(self) -> None:
        self._temporaries = 0

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or len(node.args) != 2:
            return node
        left, right = node.args
        if not (isinstance(right, ast.Constant) and type(right.value) is int and 0 < right.value + 1 <= _EXACT):
            return node
        compared = _COMPARED.get(node.func.id)
        if compared is None and (node.func.id != "v_div" or not right.value):
            return node
        self._temporaries += 1
        name = f"q{self._temporaries}"
        value = ast.Name(name, ast.Load())
        kind = ast.Call(ast.Name("type", ast.Load()), [ast.NamedExpr(ast.Name(name, ast.Store()), left)], [])
        is_whole: ast.expr = ast.Compare(kind, [ast.Is()], [ast.Name("int", ast.Load())])
        quick: ast.expr
        if compared is not None:
            quick = ast.Compare(value, [compared()], [right])
        else:
            bounds = ast.Compare(ast.Constant(-_EXACT), [ast.Lt(), ast.Lt()], [value, ast.Constant(_EXACT)])
            is_whole = ast.BoolOp(ast.And(), [is_whole, bounds])
            quick = ast.BinOp(value, ast.Div(), right)
        long = ast.copy_location(ast.Call(node.func, [value, right], []), node)
        return ast.fix_missing_locations(ast.copy_location(ast.IfExp(is_whole, quick, long), node))
