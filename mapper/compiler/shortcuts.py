"""Shortcuts in generated code: the common case of an operation, without a call.

``total > 0`` is compiled to a call that knows every type. Where one side is a whole number that is written out, nearly
every record has a whole number on the other side: that case is decided in place, and any other goes the long way.

    v_gt(r.k3, 0)    ->    (q1 > 0 if type((q1 := r.k3)) is int else v_gt(q1, 0))
"""

from __future__ import annotations

import ast
from typing import Any, Final

from ..destinations.cleaning.people import BLANKS
from ..language.walking import Rewriter, instead
from . import nodes

_EMPTINESS: Final = frozenset({"v_empty", "v_void"})
_COMPARED: Final[dict[str, type[ast.cmpop]]] = {"v_gt": ast.Gt, "v_ge": ast.GtE, "v_lt": ast.Lt, "v_le": ast.LtE}
_EXACT: Final = 2**53
"""Whole numbers below this are floats without loss."""

_HUNDREDTHS: Final = {1, 2, 4, 5, 10, 20, 25, 50, 100}
"""What a whole number may be divided by to give an amount of two decimals at most."""


class Shortcuts(Rewriter):
    """Rewrites the calls of one function. ``functions`` holds what generated code calls, by name."""

    def __init__(self, functions: dict[str, Any]) -> None:
        self._functions = functions
        self._temporaries = 0

    def visit_Call(self, node: ast.Call) -> ast.expr:
        divided = self._amount_of_cents(node)
        if divided is not None:
            return divided
        self.inner(node)
        if isinstance(node.func, ast.Name) and node.func.id in _EMPTINESS:
            return self._is_empty(node, node.func)
        if not isinstance(node.func, ast.Name) or len(node.args) != 2:
            return node
        template = _PREPARED.get(getattr(self._functions.get(node.func.id), "shortcut", ""))
        if template is not None and not isinstance(node.args[0], ast.Constant):
            return self._prepared(node, template)
        return self._operated(node, node.func.id)

    def _is_empty(self, node: ast.Call, function: ast.Name) -> ast.expr:
        """Whether a value is empty: most that are asked are nothing at all, and nearly all others are text.

        v_void(r.k3)
            -> ((q1 := r.k3) is None or ((not q1 or isspace(q1)) if type(q1) is str else v_void(q1)))
        """
        asked = node.args[0]
        if not isinstance(asked, ast.NamedExpr):
            asked = ast.NamedExpr(ast.Name(self._name(), ast.Store()), asked)
        value = ast.Name(asked.target.id, ast.Load())
        is_text = ast.Compare(nodes.call("type", value), [ast.Is()], [ast.Name("str", ast.Load())])
        is_blank = ast.BoolOp(ast.Or(), [nodes.negated(value), nodes.call("isspace", value)])
        long = ast.copy_location(ast.Call(function, [value], []), node)
        found = ast.BoolOp(ast.Or(), [nodes.is_none(asked), ast.IfExp(is_text, is_blank, long)])
        return instead(found, node)

    def _amount_of_cents(self, node: ast.Call) -> ast.expr | None:
        """``cents / 100`` as an amount: of a whole number it is one of two decimals, so nothing is left to check.

        p_1(v_div(r.k3, 100), ctx)
            -> (q1 / 100 if type((q1 := r.k3)) is int and 0 <= q1 < 1000000000000000 else p_1(v_div(q1, 100), ctx))
        """
        match node:
            case ast.Call(
                func=ast.Name(id=prepare),
                args=[ast.Call(func=ast.Name(id="v_div"), args=[cents, ast.Constant(value=divisor)]), context],
            ) if (
                type(divisor) is int
                and divisor in _HUNDREDTHS
                and getattr(self._functions.get(prepare), "shortcut", "") == "amount"
            ):
                pass
            case _:
                return None
        name = self._name()
        stored = ast.NamedExpr(ast.Name(name, ast.Store()), self.visit(cents))
        value, by = ast.Name(name, ast.Load()), ast.Constant(divisor)
        kind = ast.Compare(nodes.call("type", stored), [ast.Is()], [ast.Name("int", ast.Load())])
        bounds = ast.Compare(ast.Constant(0), [ast.LtE(), ast.Lt()], [value, ast.Constant(10**13 * divisor)])
        again = ast.copy_location(nodes.call("v_div", value, by), node.args[0])  # what fails shows where
        long = ast.Call(nodes.name(prepare), [again, context], [])
        quick = ast.BinOp(value, ast.Div(), by)
        found = ast.IfExp(nodes.all_of([kind, bounds]), quick, long)
        return instead(found, node)

    def _prepared(self, node: ast.Call, template: ast.expr) -> ast.expr:
        """The preparation of a parameter, in place for a value of the usual kind."""
        assert isinstance(node.func, ast.Name)
        by = self._functions[node.func.id].by
        if callable(by):
            self._functions[f"by_{node.func.id}"] = by
            decided: ast.expr = nodes.name(f"by_{node.func.id}")
        else:
            decided = ast.Constant(by)
        filled = _Filled(self._name(), node, decided).visit(nodes.copied(template))
        return instead(filled, node)

    def _operated(self, node: ast.Call, function: str) -> ast.expr:
        left, right = node.args
        if not (isinstance(right, ast.Constant) and type(right.value) is int and 0 < right.value + 1 <= _EXACT):
            return node
        compared = _COMPARED.get(function)
        if compared is None and (function != "v_div" or not right.value):
            return node
        name = self._name()
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
        return instead(ast.IfExp(is_whole, quick, long), node)

    def _name(self) -> str:
        self._temporaries += 1
        return f"q{self._temporaries}"


class _Filled(Rewriter):
    """A template with the temporary's name for ``q``, the value for ``VALUE``, the long way for ``LONG``, and what
    decides for ``BY``."""

    def __init__(self, temporary: str, node: ast.Call, by: ast.expr) -> None:
        self._temporary = temporary
        self._node = node
        self._by = by

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "VALUE":
            return self._node.args[0]
        if node.id == "LONG":
            temporary = ast.Name(self._temporary, ast.Load())
            return ast.copy_location(ast.Call(self._node.func, [temporary, self._node.args[1]], []), self._node)
        if node.id == "BY":
            return self._by
        return ast.Name(self._temporary, node.ctx) if node.id == "q" else node


def _prepared(usual: str) -> ast.expr:
    """The usual case in place; nothing gives nothing, and all else goes the long way."""
    return ast.parse(f"{usual} else None if q is None else LONG", mode="eval").body


_PREPARED: Final = {
    "text": _prepared(f"(strip(q, {BLANKS!r}) or None) if type((q := VALUE)) is str"),
    "short text": _prepared(f"(strip(q, {BLANKS!r}) or None) if type((q := VALUE)) is str and len(q) <= BY"),
    "matching": _prepared("q if type((q := VALUE)) is str and BY(q) is not None"),
    "number": _prepared("q if type((q := VALUE)) is int and 0 <= q < 9223372036854775808"),
    "amount": _prepared(
        "q if type((q := VALUE)) is float and 0.0 <= q < 10000000000000.0 and (q * 100 + 0.5) // 1 / 100 == q"
    ),
}
"""The same tests as in ``cleaning``: a value that passes is sent as it is, or trimmed."""
