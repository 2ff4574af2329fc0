"""Jinja's syntax tree to a Python expression: the language is what has a method here, and nothing else.

Python is built as a tree, never as text. What an author writes becomes constants and keys of the record;
every name in the result is one of ours (see ``expression.RUNTIME``). Each node carries the place in the
mapping file, so that tracebacks and ``co_positions`` point there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import nodes

from ..errors import Problem
from .building import Builder, Places, call, labels, name, paths
from .calling import Calls
from .scope import MISSING, Access, Scope, Table, Value
from .syntax import Expression, Text
from .tokens import Locator
from .values import MAX_BITS, eq, is_empty, is_number, piece

_ARITHMETIC: Final[dict[type[nodes.Node], str]] = {
    nodes.Add: "v_add",
    nodes.Sub: "v_sub",
    nodes.Mul: "v_mul",
    nodes.Div: "v_div",
    nodes.FloorDiv: "v_floordiv",
    nodes.Mod: "v_mod",
    nodes.Pow: "v_power",
}
_ORDER: Final = {"gt": "v_gt", "gteq": "v_ge", "lt": "v_lt", "lteq": "v_le"}
_NULLS: Final = frozenset(("null", "NULL", "Null", "nil", "undefined", "NaN"))
_TRUTHS: Final = {"TRUE": "true", "FALSE": "false"}
_LOOP_PARTS: Final = frozenset(("index", "index0", "first", "last", "length", "revindex"))


def _is_pythons(said: str) -> bool:
    """``__class__`` and its like; ``__typename``, which records have, is a key as any other."""
    return len(said) > 4 and said.startswith("__") and said.endswith("__")


class Lowering:
    """Compiles the expressions of one text in the mapping.

    scope     the names it can use
    at        where its characters stand in the file
    tables    the mapping's look-up tables, in their order
    problems  takes what is wrong; the expression is then worthless, but the rest of it is still checked
    lines     the file's lines; needed only for exact byte columns in tracebacks where a line is not ASCII
    """

    def __init__(
        self,
        scope: Scope,
        at: Locator,
        tables: Mapping[str, Table],
        problems: list[Problem],
        lines: Sequence[str] = (),
    ) -> None:
        self.scope, self.tables = scope, tables
        self.places = Places(at, problems, lines)

    def lower(self, expression: Expression) -> Value:
        """An expression, with its value's type kept."""
        return _Visitor(self, expression).visit(expression.node)

    def condition(self, expression: Expression) -> ast.expr:
        """An expression as a condition: ``True`` or ``False``, by the rules of ``values.truth``."""
        return _Visitor(self, expression).condition(expression.node).ast

    def text(self, text: Text) -> Value:
        """A text with its expressions put in; None if one is empty. One expression alone keeps its type."""
        if text.single is not None:
            return self.lower(text.single)
        literal = text.literal
        if literal is not None:
            return Value(self.places.place(ast.Constant(literal), 0, len(literal)), const=literal, scalar=True)
        pieces = [part if isinstance(part, str) else self.lower(part) for part in text.parts]
        end = max(part.tokens.end for part in text.parts if isinstance(part, Expression))
        start = min(part.tokens.start for part in text.parts if isinstance(part, Expression))
        return self.places.weave(pieces, start, end)


class _Visitor:
    """Lowers one expression: a method for each construct, and a refusal for every other."""

    def __init__(self, lowering: Lowering, expression: Expression) -> None:
        self.scope = lowering.scope
        self.build = Builder(lowering.places, expression.tokens, lowering.scope.retries)
        calls = Calls(self.build, lowering.tables, self.visit)
        self._methods: dict[type[nodes.Node], Callable[[Any], Value]] = {
            nodes.Const: self._const,
            nodes.Name: self._name,
            nodes.Getattr: self._getattr,
            nodes.Getitem: self._getitem,
            nodes.Filter: calls.filter,
            nodes.Test: calls.test,
            nodes.Call: calls.call,
            nodes.Compare: self._compare,
            nodes.And: self._and,
            nodes.Or: self._or,
            nodes.Not: self._not,
            nodes.CondExpr: self._conditional,
            nodes.Concat: self._concat,
            nodes.Neg: self._negative,
            nodes.Pos: self._positive,
            nodes.List: self._list,
            nodes.Tuple: self._list,
            nodes.Dict: self._dict,
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
        }

    def visit(self, node: nodes.Node) -> Value:
        method = self._methods.get(type(node))
        if method is None:
            kind = type(node).__name__.lower()
            return self.build.refuse(node, "unsupported", f"a {kind} is not part of the mapping language")
        return method(node)

    def condition(self, node: nodes.Node) -> Value:
        """A node as ``True`` or ``False``. ``and`` and ``or`` need not remember which operand decided."""
        if isinstance(node, nodes.And | nodes.Or):
            left, right = self.condition(node.left), self.condition(node.right)
            operator = ast.And() if isinstance(node, nodes.And) else ast.Or()
            made = ast.BoolOp(operator, [left.ast, right.ast])
            return self.build.made(made, node, paths=left.paths | right.paths, boolean=True, scalar=True)
        value = self.visit(node)
        tree = self.build.condition(value, node)
        return Value(tree, paths=value.paths, boolean=True, scalar=True)

    # Names and steps

    def _const(self, node: nodes.Const) -> Value:
        value = node.value
        if type(value) is int and value.bit_length() > MAX_BITS:
            return self.build.refuse(node, "limit", f"a number is larger than {MAX_BITS} bits")
        return self.build.made(ast.Constant(value), node, const=value, boolean=type(value) is bool, scalar=True)

    def _name(self, node: nodes.Name) -> Value:
        bound = self.scope.names.get(node.name)
        if bound is not None:
            known = bound.value
            made = self.build.place(name(bound.python), node)
            return Value(made, known.origins, known.const, known.paths, known.boolean, known.scalar)
        root = self.scope.root
        if node.name == "record":
            return self.build.made(name("r"), node, origins=frozenset((root,)), paths=frozenset(("record",)))
        if node.name in _NULLS:
            hint = "Write none; to ask for it: x is none. A key of that name is record['…']."
            return self.build.refuse(node, "syntax", f"{node.name!r} is not a value here", hint)
        if node.name in _TRUTHS:
            hint = f"Write {_TRUTHS[node.name]}; text needs quotes; a key of that name is record['{node.name}']."
            return self.build.refuse(node, "syntax", f"{node.name!r} is not a value here", hint)
        if _is_pythons(node.name):
            return self._no_inside(node, node.name)
        record = Value(self.build.place(name("r"), node), frozenset((root,)))
        return self._access(record, node.name, node)

    def _getattr(self, node: nodes.Getattr) -> Value:
        owner = node.node
        is_loop = isinstance(owner, nodes.Name) and owner.name == "loop" and node.attr in _LOOP_PARTS
        if is_loop and "loop" not in self.scope.names:
            hint = "Members of a list are not numbered. A field called 'loop' is record['loop']."
            return self.build.refuse(node, "unsupported", "there is no 'loop' here", hint)
        if _is_pythons(node.attr):
            return self._no_inside(node, node.attr)
        return self._access(self.visit(owner), node.attr, node)

    def _no_inside(self, node: nodes.Expr, said: str) -> Value:
        """Values have no inside but their keys: whoever writes such a name means something that is not there."""
        hint = f"Names are the record's keys. If it has a key of that name, write record['{said}']."
        return self.build.refuse(node, "unsupported", f"'{said}' looks into Python, which expressions cannot", hint)

    def _getitem(self, node: nodes.Getitem) -> Value:
        value = self.visit(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(value, node, node.arg)
        key = self.visit(node.arg)
        if type(key.const) is str or (type(key.const) is int and key.const >= 0):
            return self._access(value, key.const, node)
        value.whole()
        key.whole()
        return self.build.made(call("v_get", value.ast, key.ast), node, paths=value.paths | key.paths)

    def _slice(self, value: Value, node: nodes.Getitem, cut: nodes.Slice) -> Value:
        if cut.step is not None:
            return self.build.refuse(node, "unsupported", "a slice has no step", "Write x[0:10].")
        none = self.build.made(ast.Constant(None), node, const=None, scalar=True)
        start = self.visit(cut.start) if cut.start is not None else none
        stop = self.visit(cut.stop) if cut.stop is not None else none
        return self.build.calls("v_slice", node, value, start, stop)

    def _access(self, value: Value, key: str | int, node: nodes.Node) -> Value:
        """Step into ``value``: by origin if it comes from the record, else by what it is at run time."""
        if not value.origins:
            made = call("v_get", value.ast, ast.Constant(key))
            return self.build.made(made, node, paths=value.paths)
        if isinstance(key, str):
            origins = frozenset(origin.child(key) for origin in value.origins)
            reads = (value.paths - labels(value.origins)) | labels(origins)
        else:
            origins = frozenset(origin.element() for origin in value.origins)
            reads = value.paths
        return self.build.made(Access(value.ast, key, value.origins), node, origins=origins, paths=reads)

    # Operators

    def _and(self, node: nodes.And) -> Value:
        return self._either(node, node.left, node.right, ast.And())

    def _or(self, node: nodes.Or) -> Value:
        return self._either(node, node.left, node.right, ast.Or())

    def _either(self, node: nodes.Node, a: nodes.Node, b: nodes.Node, operator: ast.boolop) -> Value:
        """``a and b``, ``a or b``: one of the two values, as in Python; a plain bool if both are."""
        left, right = self.visit(a), self.visit(b)
        reads = left.paths | right.paths
        if left.boolean and right.boolean:
            return self.build.made(ast.BoolOp(operator, [left.ast, right.ast]), node, paths=reads, boolean=True)
        kept = self.build.places.temporary()
        stored = Value(ast.NamedExpr(ast.Name(kept, ast.Store()), left.ast), left.origins, boolean=left.boolean)
        test = self.build.condition(stored, a)
        taken: tuple[ast.expr, ast.expr] = (name(kept), right.ast)
        if isinstance(operator, ast.And):
            taken = (right.ast, name(kept))
        return self.build.flowing(ast.IfExp(test, *taken), node, (left, right), reads)

    def _not(self, node: nodes.Not) -> Value:
        value = self.condition(node.node)
        made = ast.UnaryOp(ast.Not(), value.ast)
        return self.build.made(made, node, paths=value.paths, boolean=True, scalar=True)

    def _conditional(self, node: nodes.CondExpr) -> Value:
        test, first = self.condition(node.test), self.visit(node.expr1)
        other = Value(self.build.place(ast.Constant(None), node), const=None, scalar=True)
        if node.expr2 is not None:
            other = self.visit(node.expr2)
        made = ast.IfExp(test.ast, first.ast, other.ast)
        return self.build.flowing(made, node, (first, other), test.paths | first.paths | other.paths)

    def _concat(self, node: nodes.Concat) -> Value:
        pieces: list[str | Value] = []
        for part in node.nodes:
            value = self.visit(part)
            pieces.append(value.const if type(value.const) is str else value)
        return self.build.places.weave(pieces, *self.build.tokens.extent(node))

    def _arithmetic(self, node: nodes.BinExpr) -> Value:
        left, right = self.visit(node.left), self.visit(node.right)
        function = _ARITHMETIC[type(node)]
        if function == "v_mul" and str in (type(left.const), type(right.const)):
            function = "v_repeat"
        made = self.build.calls(function, node, left, right)
        return Value(made.ast, paths=made.paths)

    def _negative(self, node: nodes.Neg) -> Value:
        value = self.visit(node.node)
        if is_number(value.const):
            return self.build.made(ast.Constant(-value.const), node, const=-value.const, scalar=True)
        return self.build.calls("v_neg", node, value)

    def _positive(self, node: nodes.Pos) -> Value:
        zero = self.build.made(ast.Constant(0), node, const=0, scalar=True)
        return self.build.calls("v_add", node, zero, self.visit(node.node))

    def _list(self, node: nodes.List | nodes.Tuple) -> Value:
        members = [self.visit(member) for member in node.items]
        for member in members:
            member.whole()
        const = [member.const for member in members] if all(m.is_const for m in members) else MISSING
        reads = paths(members)
        made = ast.List([member.ast for member in members], ast.Load())
        return self.build.made(made, node, const=const, paths=reads)

    def _dict(self, node: nodes.Dict) -> Value:
        keys: list[ast.expr | None] = []
        members: list[Value] = []
        for pair in node.items:
            key, member = self.visit(pair.key), self.visit(pair.value)
            if key.const is MISSING or piece(key.const) is None:
                hint = "Write the key as text: {'sku': item.sku}."
                return self.build.refuse(pair.key, "not-literal", "a key of an object is written out", hint)
            member.whole()
            keys.append(ast.Constant(piece(key.const)))
            members.append(member)
        reads = paths(members)
        return self.build.made(ast.Dict(keys, [member.ast for member in members]), node, paths=reads)

    # Comparisons

    def _compare(self, node: nodes.Compare) -> Value:
        left = self.visit(node.expr)
        tests: list[ast.expr] = []
        reads = left.paths
        for index, operand in enumerate(node.ops):
            right = self.visit(operand.expr)
            reads |= right.paths
            following = right
            if index + 1 < len(node.ops) and not right.is_const:
                kept = self.build.places.temporary()
                stored = ast.NamedExpr(ast.Name(kept, ast.Store()), right.ast)
                right = Value(self.build.place(stored, operand.expr), right.origins)
                following = Value(self.build.place(name(kept), operand.expr), right.origins)
            tests.append(self._compared(operand.op, left, right, node))
            left = following
        made = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        return self.build.made(made, node, paths=reads, boolean=True, scalar=True)

    def _compared(self, operator: str, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        if operator in _ORDER:
            return self.build.calls(_ORDER[operator], node, left, right).ast
        compare = self._contained if operator in ("in", "notin") else self._equal
        found = compare(left, right, node)
        if operator in ("ne", "notin"):
            found = self.build.place(ast.UnaryOp(ast.Not(), found), node)
        return found

    def _equal(self, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        """``==``: by Python's own operator where a literal makes its oddities (``True == 1``) impossible."""
        if left.is_const and right.is_const:
            return self.build.place(ast.Constant(eq(left.const, right.const)), node)
        if left.is_const:
            left, right = right, left
        literal = right.const
        if type(literal) is bool:
            return self.build.place(ast.Compare(left.ast, [ast.Is()], [ast.Constant(literal)]), node)
        if (type(literal) is str and not is_empty(literal)) or (is_number(literal) and literal not in (0, 1)):
            return self.build.place(ast.Compare(left.ast, [ast.Eq()], [ast.Constant(literal)]), node)
        if right.is_const and is_empty(literal):
            return self.build.place(self.build.empty(left), node)
        return self.build.calls("v_eq", node, left, right).ast

    def _contained(self, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        members = right.const
        if isinstance(members, list) and all(type(m) is str and not is_empty(m) for m in members):
            options = ast.Tuple([ast.Constant(member) for member in members], ast.Load())
            return self.build.place(ast.Compare(left.ast, [ast.In()], [options]), node)
        return self.build.calls("v_contains", node, right, left).ast
