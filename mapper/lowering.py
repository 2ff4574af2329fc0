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

from .errors import Problem
from .filters import FILTERS, FUNCTIONS, TESTS, Filter
from .habits import FILTERS as FILTER_HABITS
from .habits import FUNCTIONS as FUNCTION_HABITS
from .habits import METHODS, nearest
from .scope import MISSING, Access, Origin, Scope, Table, Value
from .syntax import Expression, Locator, Text
from .values import MAX_BITS, is_empty, is_number, piece, truth

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
_TRUTHS: Final = {"TRUE": "true", "FALSE": "false", "yes": "true", "no": "false"}
_LOOP_PARTS: Final = frozenset(("index", "index0", "first", "last", "length", "revindex"))


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
        self.scope, self.at, self.tables, self.problems, self.lines = scope, at, tables, problems, lines
        self._names = 0

    def lower(self, expression: Expression) -> Value:
        """An expression, with its value's type kept."""
        return _Visitor(self, expression).visit(expression.node)

    def condition(self, expression: Expression) -> ast.expr:
        """An expression as a condition: ``True`` or ``False``, by the rules of ``values.truth``."""
        visitor = _Visitor(self, expression)
        return visitor.condition(visitor.visit(expression.node), expression.node)

    def text(self, text: Text) -> Value:
        """A text with its expressions put in; None if one is empty. One expression alone keeps its type."""
        if text.single is not None:
            return self.lower(text.single)
        literal = text.literal
        if literal is not None:
            return Value(self.place(ast.Constant(literal), 0, len(literal)), const=literal, scalar=True)
        pieces = [part if isinstance(part, str) else self.lower(part) for part in text.parts]
        end = max(part.tokens.end for part in text.parts if isinstance(part, Expression))
        start = min(part.tokens.start for part in text.parts if isinstance(part, Expression))
        return self.weave(pieces, start, end)

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
            whole = "".join(str(part.value) for part in woven if isinstance(part, ast.Constant))
            return Value(self.place(ast.Constant(whole), start, end), const=whole, paths=paths, scalar=True)
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        made = ast.IfExp(test, call("v_sized", ast.JoinedStr(woven)), ast.Constant(None))
        return Value(self.place(made, start, end), paths=paths, scalar=True)

    def temporary(self) -> str:
        self._names += 1
        return f"y_{self._names}"

    def place(self, made: ast.expr, start: int, end: int) -> ast.expr:
        """Give a new node, and what was newly made below it, its place in the file."""
        span = self.at(start, max(end, start + 1))
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        first, last = span.column - 1, max(span.end - 1, span.column)
        if not line.isascii():
            first, last = len(line[:first].encode()), len(line[:last].encode())
        _set_places(made, span.line, first, last)
        return made


class _Visitor:
    """Lowers one expression: a method for each construct, and a refusal for every other."""

    def __init__(self, lowering: Lowering, expression: Expression) -> None:
        self.lowering = lowering
        self.scope = lowering.scope
        self.tokens = expression.tokens
        self._methods: dict[type[nodes.Node], Callable[[Any], Value]] = {
            nodes.Const: self._const,
            nodes.Name: self._name,
            nodes.Getattr: self._getattr,
            nodes.Getitem: self._getitem,
            nodes.Filter: self._filter,
            nodes.Test: self._test,
            nodes.Call: self._call,
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
            return self._refuse(node, "unsupported", f"a {kind} is not part of the mapping language")
        return method(node)

    def condition(self, value: Value, node: nodes.Node) -> ast.expr:
        """A value as ``True`` or ``False``."""
        if value.boolean:
            return value.ast
        if value.is_const:
            return self._place(ast.Constant(truth(value.const)), node)
        value.whole()
        return self._place(call("v_truth", value.ast), node)

    # Names and steps

    def _const(self, node: nodes.Const) -> Value:
        value = node.value
        if type(value) is int and value.bit_length() > MAX_BITS:
            return self._refuse(node, "limit", f"a number is larger than {MAX_BITS} bits")
        return self._made(ast.Constant(value), node, const=value, boolean=type(value) is bool, scalar=True)

    def _name(self, node: nodes.Name) -> Value:
        bound = self.scope.names.get(node.name)
        if bound is not None:
            known = bound.value
            made = self._place(name(bound.python), node)
            return Value(made, known.origins, known.const, known.paths, known.boolean, known.scalar)
        root = self.scope.root
        if node.name == "record":
            return self._made(name("r"), node, origins=frozenset((root,)), paths=frozenset(("record",)))
        if node.name in _NULLS:
            hint = "Write none; to ask for it: x is none. A key of that name is record['…']."
            return self._refuse(node, "syntax", f"{node.name!r} is not a value here", hint)
        if node.name in _TRUTHS:
            hint = (
                f"Write {_TRUTHS[node.name]}; text needs quotes; a key of that name is record['{node.name}']."
            )
            return self._refuse(node, "syntax", f"{node.name!r} is not a value here", hint)
        record = Value(self._place(name("r"), node), frozenset((root,)))
        return self._access(record, node.name, node)

    def _getattr(self, node: nodes.Getattr) -> Value:
        owner = node.node
        is_loop = isinstance(owner, nodes.Name) and owner.name == "loop" and node.attr in _LOOP_PARTS
        if is_loop and "loop" not in self.scope.names:
            hint = "Members of a list are not numbered. A field called 'loop' is record['loop']."
            return self._refuse(node, "unsupported", "there is no 'loop' here", hint)
        return self._access(self.visit(owner), node.attr, node)

    def _getitem(self, node: nodes.Getitem) -> Value:
        value = self.visit(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(value, node, node.arg)
        key = self.visit(node.arg)
        if type(key.const) is str or (type(key.const) is int and key.const >= 0):
            return self._access(value, key.const, node)
        value.whole()
        key.whole()
        return self._made(call("v_get", value.ast, key.ast), node, paths=value.paths | key.paths)

    def _slice(self, value: Value, node: nodes.Getitem, cut: nodes.Slice) -> Value:
        if cut.step is not None:
            return self._refuse(node, "unsupported", "a slice has no step", "Write x[0:10].")
        none = self._made(ast.Constant(None), node, const=None, scalar=True)
        start = self.visit(cut.start) if cut.start is not None else none
        stop = self.visit(cut.stop) if cut.stop is not None else none
        return self._calls("v_slice", node, value, start, stop)

    def _access(self, value: Value, key: str | int, node: nodes.Node) -> Value:
        """Step into ``value``: by origin if it comes from the record, else by what it is at run time."""
        if not value.origins:
            made = call("v_get", value.ast, ast.Constant(key))
            return self._made(made, node, paths=value.paths)
        if isinstance(key, str):
            origins = frozenset(origin.child(key) for origin in value.origins)
            paths = (value.paths - labels(value.origins)) | labels(origins)
        else:
            origins = frozenset(origin.element() for origin in value.origins)
            paths = value.paths
        return self._made(Access(value.ast, key, value.origins), node, origins=origins, paths=paths)

    # Operators

    def _and(self, node: nodes.And) -> Value:
        return self._either(node, node.left, node.right, ast.And())

    def _or(self, node: nodes.Or) -> Value:
        return self._either(node, node.left, node.right, ast.Or())

    def _either(self, node: nodes.Node, a: nodes.Node, b: nodes.Node, operator: ast.boolop) -> Value:
        """``a and b``, ``a or b``: one of the two values, as in Python; a plain bool if both are."""
        left, right = self.visit(a), self.visit(b)
        paths = left.paths | right.paths
        if left.boolean and right.boolean:
            return self._made(ast.BoolOp(operator, [left.ast, right.ast]), node, paths=paths, boolean=True)
        kept = self.lowering.temporary()
        stored = Value(
            ast.NamedExpr(ast.Name(kept, ast.Store()), left.ast), left.origins, boolean=left.boolean
        )
        test = self.condition(stored, a)
        taken: tuple[ast.expr, ast.expr] = (name(kept), right.ast)
        if isinstance(operator, ast.And):
            taken = (right.ast, name(kept))
        return self._flowing(ast.IfExp(test, *taken), node, (left, right), paths)

    def _not(self, node: nodes.Not) -> Value:
        value = self.visit(node.node)
        made = ast.UnaryOp(ast.Not(), self.condition(value, node.node))
        return self._made(made, node, paths=value.paths, boolean=True, scalar=True)

    def _conditional(self, node: nodes.CondExpr) -> Value:
        test, first = self.visit(node.test), self.visit(node.expr1)
        other = Value(self._place(ast.Constant(None), node), const=None, scalar=True)
        if node.expr2 is not None:
            other = self.visit(node.expr2)
        made = ast.IfExp(self.condition(test, node.test), first.ast, other.ast)
        return self._flowing(made, node, (first, other), test.paths | first.paths | other.paths)

    def _concat(self, node: nodes.Concat) -> Value:
        pieces: list[str | Value] = []
        for part in node.nodes:
            value = self.visit(part)
            pieces.append(value.const if type(value.const) is str else value)
        return self.lowering.weave(pieces, *self.tokens.extent(node))

    def _arithmetic(self, node: nodes.BinExpr) -> Value:
        made = self._calls(_ARITHMETIC[type(node)], node, self.visit(node.left), self.visit(node.right))
        return Value(made.ast, paths=made.paths)

    def _negative(self, node: nodes.Neg) -> Value:
        value = self.visit(node.node)
        if is_number(value.const):
            return self._made(ast.Constant(-value.const), node, const=-value.const, scalar=True)
        return self._calls("v_neg", node, value)

    def _positive(self, node: nodes.Pos) -> Value:
        return self._calls("v_pos", node, self.visit(node.node))

    def _list(self, node: nodes.List | nodes.Tuple) -> Value:
        members = [self.visit(member) for member in node.items]
        for member in members:
            member.whole()
        const = [member.const for member in members] if all(m.is_const for m in members) else MISSING
        paths = frozenset().union(*(member.paths for member in members))
        made = ast.List([member.ast for member in members], ast.Load())
        return self._made(made, node, const=const, paths=paths)

    def _dict(self, node: nodes.Dict) -> Value:
        keys: list[ast.expr | None] = []
        members: list[Value] = []
        for pair in node.items:
            key, member = self.visit(pair.key), self.visit(pair.value)
            if key.const is MISSING or piece(key.const) is None:
                hint = "Write the key as text: {'sku': item.sku}."
                return self._refuse(pair.key, "not-literal", "a key of an object is written out", hint)
            member.whole()
            keys.append(ast.Constant(piece(key.const)))
            members.append(member)
        paths = frozenset().union(*(member.paths for member in members))
        return self._made(ast.Dict(keys, [member.ast for member in members]), node, paths=paths)

    # Comparisons

    def _compare(self, node: nodes.Compare) -> Value:
        left = self.visit(node.expr)
        tests: list[ast.expr] = []
        paths = left.paths
        for index, operand in enumerate(node.ops):
            right = self.visit(operand.expr)
            paths |= right.paths
            following = right
            if index + 1 < len(node.ops) and not right.is_const:
                kept = self.lowering.temporary()
                stored = ast.NamedExpr(ast.Name(kept, ast.Store()), right.ast)
                right = Value(self._place(stored, operand.expr), right.origins)
                following = Value(self._place(name(kept), operand.expr), right.origins)
            tests.append(self._compared(operand.op, left, right, node))
            left = following
        made = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        return self._made(made, node, paths=paths, boolean=True, scalar=True)

    def _compared(self, operator: str, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        if operator in _ORDER:
            return self._calls(_ORDER[operator], node, left, right).ast
        if operator in ("in", "notin"):
            found = self._contained(left, right, node)
        else:
            found = self._equal(left, right, node)
        if operator in ("ne", "notin"):
            found = self._place(ast.UnaryOp(ast.Not(), found), node)
        return found

    def _equal(self, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        """``==``: by Python's own operator where a literal makes its oddities (``True == 1``) impossible."""
        if left.is_const and not right.is_const:
            left, right = right, left
        literal = right.const
        if type(literal) is bool:
            return self._place(ast.Compare(left.ast, [ast.Is()], [ast.Constant(literal)]), node)
        if (type(literal) is str and not is_empty(literal)) or (is_number(literal) and literal not in (0, 1)):
            return self._place(ast.Compare(left.ast, [ast.Eq()], [ast.Constant(literal)]), node)
        if right.is_const and is_empty(literal):
            return self._calls("v_empty", node, left).ast
        return self._calls("v_eq", node, left, right).ast

    def _contained(self, left: Value, right: Value, node: nodes.Node) -> ast.expr:
        members = right.const
        if isinstance(members, list) and all(type(m) is str and not is_empty(m) for m in members):
            options = ast.Tuple([ast.Constant(member) for member in members], ast.Load())
            return self._place(ast.Compare(left.ast, [ast.In()], [options]), node)
        return self._calls("v_contains", node, right, left).ast

    # Filters, tests and functions

    def _filter(self, node: nodes.Filter) -> Value:
        start, end = self.tokens.name_extent(node, node.name)
        assert node.node is not None
        value = self.visit(node.node)
        spec = FILTERS.get(node.name)
        if spec is None:
            return self._unknown("filter", node.name, (start, end), FILTERS, FILTER_HABITS)
        if node.name == "lookup":
            return self._lookup(node, value)
        arguments = self._arguments(spec, node, f"filter '{node.name}'")
        if arguments is None:
            return self._nothing(node)
        if spec.first_filled:
            return self._first_filled(node, [value, *(argument for _, argument in arguments)])
        return self._apply("f_", spec, node, value, arguments)

    def _test(self, node: nodes.Test) -> Value:
        value = self.visit(node.node)
        spec = TESTS.get(node.name)
        if spec is None:
            return self._unknown("test", node.name, self.tokens.name_extent(node, node.name), TESTS, {})
        arguments = self._arguments(spec, node, f"test '{node.name}'")
        if arguments is None:
            return self._nothing(node)
        return self._apply("t_", spec, node, value, arguments)

    def _call(self, node: nodes.Call) -> Value:
        called = node.node
        if isinstance(called, nodes.Getattr):
            return self._method(node, called)
        if not isinstance(called, nodes.Name):
            return self._refuse(
                node, "unsupported", "only functions can be called", "See the list of functions."
            )
        spec = FUNCTIONS.get(called.name)
        if spec is None:
            return self._unknown_function(node, called.name)
        arguments = self._arguments(spec, node, f"function '{called.name}'")
        if arguments is None:
            return self._nothing(node)
        if spec.first_filled:
            return self._first_filled(node, [argument for _, argument in arguments])
        return self._apply("g_", spec, node, None, arguments)

    def _apply(
        self, prefix: str, spec: Filter, node: nodes.Node, value: Value | None, given: list[tuple[str, Value]]
    ) -> Value:
        """The call; an empty value goes around it: ``y if v_empty(y := value) else f_lower(y)``."""
        for _, argument in given:
            argument.whole()
        paths = frozenset().union(*(argument.paths for _, argument in given))
        keywords = [ast.keyword(key, argument.ast) for key, argument in given if key]
        arguments = [argument.ast for key, argument in given if not key]
        if spec.needs_context:
            arguments.insert(0, name("ctx"))
        scalar = spec.gives_scalar
        if value is None:
            made = ast.Call(name(prefix + spec.name), arguments, keywords)
            return self._made(made, node, paths=paths, boolean=spec.gives_boolean, scalar=scalar)
        origins: frozenset[Any] = frozenset()
        if spec.flows:
            origins = frozenset(origin.element() for origin in value.origins)
        else:
            value.whole()
        paths |= value.paths
        at = 1 if spec.needs_context else 0
        if spec.takes_empty:
            made = ast.Call(name(prefix + spec.name), [*arguments[:at], value.ast, *arguments[at:]], keywords)
            return self._made(made, node, paths=paths, boolean=spec.gives_boolean, scalar=scalar)
        kept = self.lowering.temporary()
        test = call("v_empty", ast.NamedExpr(ast.Name(kept, ast.Store()), value.ast))
        made = ast.Call(name(prefix + spec.name), [*arguments[:at], name(kept), *arguments[at:]], keywords)
        whole = ast.IfExp(test, name(kept), made)
        return self._made(whole, node, origins=origins, paths=paths, scalar=scalar and value.scalar)

    def _first_filled(self, node: nodes.Node, values: Sequence[Value]) -> Value:
        """The first value that is not empty; what stands behind it is not computed."""
        *tested, last = values
        made = last.ast
        for value in reversed(tested):
            value.whole()
            kept = self.lowering.temporary()
            test = call("v_empty", ast.NamedExpr(ast.Name(kept, ast.Store()), value.ast))
            made = ast.IfExp(test, made, name(kept))
        paths = frozenset().union(*(value.paths for value in values))
        return self._flowing(made, node, values, paths)

    def _lookup(self, node: nodes.Filter, value: Value) -> Value:
        spec = FILTERS["lookup"]
        arguments = self._arguments(spec, node, "filter 'lookup'")
        if arguments is None:
            return self._nothing(node)
        named = arguments[0][1].const
        tables = list(self.lowering.tables)
        if named not in tables:
            hint = nearest(str(named), tables) or "Declare it under 'tables:'."
            return self._refuse(
                node.args[0] if node.args else node, "unknown-table", f"there is no table {named!r}", hint
            )
        table = Value(name(f"d_{tables.index(named)}"))
        return self._apply("f_", spec, node, value, [("", table), *arguments[1:]])

    def _arguments(self, spec: Filter, node: Any, called: str) -> list[tuple[str, Value]] | None:
        """The given arguments, each with its keyword or "", checked against the declaration; None if wrong."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._refuse(node, "unsupported", "'*' does not unpack arguments here", "Write them one by one.")
            return None
        known = [parameter.name for parameter in spec.parameters]
        if len(node.args) > len(known) and not spec.many:
            extra = node.args[len(known)]
            count = f"at most {len(known)}" if known else "no"
            self._refuse(
                extra, "arguments", f"{called} takes {count} argument{'s'[: len(known) != 1]}", spec.usage
            )
            return None
        given = [("", self.visit(argument)) for argument in node.args]
        names = [*known[: len(given)], *[""] * (len(given) - len(known))]
        sources = list(node.args)
        for keyword in node.kwargs:
            if keyword.key not in known or keyword.key in names:
                self._wrong_keyword(spec, node, keyword, called, keyword.key in names)
                return None
            given.append((keyword.key, self.visit(keyword.value)))
            names.append(keyword.key)
            sources.append(keyword.value)
        missing = [p.name for p in spec.parameters if p.required and p.name not in names]
        if missing or (spec.many and not known and not given):
            wanted = f"'{missing[0]}'" if missing else "arguments"
            self._refuse(node, "arguments", f"{called} needs {wanted}", spec.usage)
            return None
        values = [value for _, value in given]
        return given if self._literals(spec, names, values, sources, node, called) else None

    def _wrong_keyword(
        self, spec: Filter, node: Any, keyword: nodes.Keyword, called: str, twice: bool
    ) -> None:
        known = [parameter.name for parameter in spec.parameters]
        message = f"{called} has no argument {keyword.key!r}"
        if twice:
            message = f"{called} is given {keyword.key!r} twice"
        extent = self.tokens.name_extent(node, keyword.key)
        self._refuse_at(extent, "arguments", message, nearest(keyword.key, known) or spec.usage)

    def _literals(
        self, spec: Filter, names: list[str], values: list[Value], sources: list[Any], node: Any, called: str
    ) -> bool:
        """Whether arguments that are checked at compile time are written out, and right."""
        for known, value, source in zip(names, values, sources, strict=True):
            if known in spec.literal and not value.is_const:
                hint = "It is checked when the mapping is compiled, so it cannot come from the record."
                self._refuse(source, "not-literal", f"{called} wants {known!r} written out", hint)
                return False
        literals = {known: value.const for known, value in zip(names, values, strict=True) if value.is_const}
        complaint = spec.check(literals) if spec.check is not None else ""
        if complaint:
            self._refuse(
                sources[0] if sources else node, "bad-argument", f"{called}: {complaint}", spec.usage
            )
        return not complaint

    # What is refused

    def _method(self, node: nodes.Call, called: nodes.Getattr) -> Value:
        hint = "A step such as order.id reads a field; use filters to change a value."
        owner = self._written(called.node)
        if called.attr in METHODS:
            hint = f"Write {METHODS[called.attr].format(owner)}."
        elif called.attr in FILTERS:
            hint = f"Write {owner} | {called.attr}."
        extent = self.tokens.name_extent(called, called.attr)
        return self._refuse_at(extent, "method-call", f"values have no methods: {called.attr}()", hint)

    def _unknown_function(self, node: nodes.Call, called: str) -> Value:
        argument = self._written(node.args[0]) if node.args else "value"
        hint = nearest(called, list(FUNCTIONS))
        if called in FUNCTION_HABITS:
            hint = f"Write {FUNCTION_HABITS[called].format(argument)}."
        elif called in FILTERS:
            hint = f"It is a filter: write {argument} | {called}."
        elif not hint and called in FILTER_HABITS:
            hint = f"Write {argument} | {FILTER_HABITS[called]}."
        extent = self.tokens.extent(node.node)
        return self._refuse_at(extent, "unknown-function", f"there is no function {called!r}", hint)

    def _unknown(
        self,
        kind: str,
        wanted: str,
        extent: tuple[int, int],
        known: Mapping[str, Filter],
        habits: Mapping[str, str],
    ) -> Value:
        hint = nearest(wanted, list(known))
        if wanted in habits:
            hint = f"Write | {habits[wanted]}."
        elif kind == "filter" and wanted in FUNCTIONS:
            hint = f"It is a function: write {wanted}(…)."
        return self._refuse_at(extent, f"unknown-{kind}", f"there is no {kind} {wanted!r}", hint)

    def _refuse(self, node: nodes.Node, code: str, message: str, hint: str = "") -> Value:
        return self._refuse_at(self.tokens.extent(node), code, message, hint)

    def _refuse_at(self, extent: tuple[int, int], code: str, message: str, hint: str = "") -> Value:
        self.lowering.problems.append(Problem(self.lowering.at(*extent), code, message, hint))
        return Value(self.lowering.place(ast.Constant(None), *extent))

    def _nothing(self, node: nodes.Node) -> Value:
        return Value(self._place(ast.Constant(None), node))

    # Building

    def _calls(self, function: str, node: nodes.Node, *values: Value) -> Value:
        for value in values:
            value.whole()
        paths = frozenset().union(*(value.paths for value in values))
        return self._made(call(function, *(value.ast for value in values)), node, paths=paths)

    def _flowing(
        self, made: ast.expr, node: nodes.Node, values: Sequence[Value], paths: frozenset[str]
    ) -> Value:
        """One of several values, unchanged. Where some are of the record and others are structures made by the
        expression, all are decoded plainly, so that a step finds the same kind of object in each."""
        origins = frozenset().union(*(value.origins for value in values))
        scalar = all(value.scalar or (value.is_const and is_empty(value.const)) for value in values)
        if any(not value.origins and not value.scalar for value in values):
            for value in values:
                value.whole()
        boolean = all(value.boolean for value in values)
        return self._made(made, node, origins=origins, paths=paths, boolean=boolean, scalar=scalar)

    def _made(self, made: ast.expr, node: nodes.Node, **known: Any) -> Value:
        return Value(self._place(made, node), **known)

    def _place(self, made: ast.expr, node: nodes.Node) -> ast.expr:
        return self.lowering.place(made, *self.tokens.extent(node))

    def _written(self, node: nodes.Node) -> str:
        start, end = self.tokens.extent(node)
        return self.tokens.source[start:end]


def name(identifier: str) -> ast.Name:
    """A variable, read."""
    return ast.Name(identifier, ast.Load())


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """A call of one of the runtime's functions."""
    return ast.Call(name(function), list(arguments), [])


def labels(origins: frozenset[Any]) -> frozenset[str]:
    """What messages call these places of the record."""
    return frozenset(origin.label or "record" for origin in origins)


def _set_places(made: ast.AST, line: int, first: int, last: int) -> None:
    """Set the place of a node and of what lies below, as far down as there is none yet."""
    if isinstance(made, (ast.expr, ast.keyword)):
        if hasattr(made, "lineno"):
            return
        made.lineno = made.end_lineno = line
        made.col_offset, made.end_col_offset = first, last
    for child in ast.iter_child_nodes(made):
        _set_places(child, line, first, last)


__all__ = ["Lowering", "Origin"]
