"""The expressions of a mapping, each parsed and lowered in the scope where it stands.

A text is parsed once, and lowered for every event that uses it (defaults are shared), because the Python tree is
changed when it is fitted to the projection. What an expression reads is noted in the tree of paths on the way.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents.document import Document
from ..errors import Problem
from ..language import expression
from ..language.scope import MISSING, Access, Scope, Table, Value
from ..language.walking import within
from .passed_on import passed_on
from .projection import Path, PathNode
from .trees import Place

LINES = 1_000_000
"""Lines of the n-th included file are numbered from n times this, so that one function can point into several files."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A lowered expression: its Python, its value if that is written out, and the record's paths that it reads.

    ``digest`` is ``last`` if the expression ends in a hash, ``inside`` if there is one on the way, else ``""``.
    """

    value: Value
    paths: tuple[Path, ...]
    digest: str = ""

    @property
    def node(self) -> ast.expr:
        return self.value.ast

    @property
    def constant(self) -> Any:
        return self.value.const

    def whole(self) -> None:
        """The value is read as a whole, so nothing of it may be left out when a line is decoded."""
        self.value.whole()


@dataclass(frozen=True, slots=True)
class Let:
    """A computed name: its Python variable, how it is computed, and where it is declared."""

    name: str
    variable: str
    place: Place
    expression: Expression


class Expressions:
    """Lowers what stands at a place. Everything wrong goes to ``problems``; the answer is then None."""

    def __init__(
        self,
        root: PathNode,
        tables: Mapping[str, Table],
        documents: Sequence[Document],
        problems: list[Problem],
    ) -> None:
        self.tables = tables
        self.problems = problems
        self.lets: dict[str, Let] = {}
        self.used: set[str] = set()
        self.top = Scope(root, retries=True)
        self._documents = [document.file for document in documents]
        self._texts: dict[str, expression.Text] = {}
        self._variables = 0

    def declare(self, name: str, place: Place) -> None:
        """Bind a ``let:`` name for everything that is lowered from now on."""
        found = self.value(place, self.top)
        if found is None:
            return
        variable = self._variable()
        self.lets[variable] = Let(name, variable, place, found)
        constant = MISSING if isinstance(found.constant, list) else found.constant  # names of names of names grow
        known = Value(ast.Name(variable, ast.Load()), found.value.origins, constant, found.value.paths)
        self.top = self.top.bind(name, variable, known)

    def value(self, place: Place, scope: Scope) -> Expression | None:
        """A parameter's value: text with or without expressions, or a number, a boolean, null as they are."""
        source = place.value
        if not isinstance(source, str):
            if isinstance(source, dict | list):
                message = "an object or a list cannot stand here; an expression can"
                self.problems.append(place.problem("wrong-type", message, "Write it in quotes: \"{{ {'a': 1} }}\"."))
                return None
            return Expression(Value(ast.Constant(source), const=source), ())
        text = self._texts.get(source) or expression.parse_text(source, place.locate, self.problems)
        if text is None:
            return None
        self._texts[source] = text
        return self._lowered(place, scope, lambda lowering: lowering.text(text))

    def condition(self, place: Place, scope: Scope) -> Expression | None:
        """A bare condition (``when``, ``if``): true or false."""
        return self._bare(place, scope, _condition)

    def bare(self, place: Place, scope: Scope) -> Expression | None:
        """A bare expression, with its value."""
        return self._bare(place, scope, lambda lowering, node: lowering.lower(node))

    def loop(self, place: Place, scope: Scope) -> tuple[Expression, str, Scope] | None:
        """``item in order.lines``: the items as a list, the item's Python variable, and the scope that knows it."""
        if not isinstance(place.value, str):
            self.problems.append(place.problem("wrong-type", "'for' takes an expression", "Write: item in order.lines"))
            return None
        before = len(self.problems)
        parsed = expression.parse_loop(place.value, place.locate, self.problems)
        if parsed is None or len(self.problems) > before:
            return None
        name, node = parsed
        items = self._lowered(place, scope, lambda lowering: lowering.lower(node))
        if items is None:
            return None
        variable = self._variable()
        listed = ast.copy_location(
            ast.Call(ast.Name("v_visited", ast.Load()), [items.node, ast.Name("ctx", ast.Load())], []),
            items.node,
        )
        inner = scope.bind(name, variable, items.value.element())
        return Expression(Value(listed), items.paths), variable, inner

    def part(
        self, place: Place, scope: Scope, parsed: expression.Expression, *, asks: bool = False
    ) -> Expression | None:
        """A part of what stands at a place, parsed already; with ``asks`` as a condition. For those who explain it."""
        lower = _condition if asks else expression.Lowering.lower
        return self._lowered(place, scope, lambda lowering: lower(lowering, parsed))

    def passed_on(self, sent: Expression) -> dict[Path, bool]:
        """The paths whose values an expression passes on, each with whether that may be the whole of it."""
        found: dict[Path, bool] = {}
        for node, part in passed_on(sent.node):
            paths: dict[Path, bool] = {}
            if isinstance(node, Access):
                paths = {_path(origin, node.key): True for origin in node.origins}
            elif node.id in self.lets:
                paths = self.passed_on(self.lets[node.id].expression)
            for path, whole in paths.items():
                found[path] = found.get(path, False) or (whole and not part)
        return found

    def _bare(
        self, place: Place, scope: Scope, lower: Callable[[expression.Lowering, expression.Expression], Value]
    ) -> Expression | None:
        source = place.value
        if not isinstance(source, str):
            return Expression(Value(ast.Constant(source), const=source), ())
        before = len(self.problems)
        node = expression.parse_bare(source, place.locate, self.problems)
        if node is None or len(self.problems) > before:
            return None
        return self._lowered(place, scope, lambda lowering: lower(lowering, node))

    def _lowered(self, place: Place, scope: Scope, lower: Callable[[expression.Lowering], Value]) -> Expression | None:
        before = len(self.problems)
        lines = place.document.lines
        value = lower(expression.Lowering(scope, place.locate, self.tables, self.problems, lines))
        if len(self.problems) > before:
            return None
        self._shift_lines(value.ast, place)
        read = within([value.ast], (Access, ast.Name))
        self.used |= {node.id for node in read if isinstance(node, ast.Name)} & self.lets.keys()
        return Expression(value, self._paths(read), _digest(value.ast, read))

    def _paths(self, read: Sequence[ast.expr]) -> tuple[Path, ...]:
        """What the expression reads of the record, in the order of its text: its own steps, and those of the names that
        it uses."""
        inner = {id(node.value) for node in read if isinstance(node, Access)}
        found: list[tuple[tuple[int, int], tuple[Path, ...]]] = []
        for node in read:
            if id(node) in inner:
                continue
            if isinstance(node, Access):
                found.append((_position(node), tuple(sorted(_path(origin, node.key) for origin in node.origins))))
            elif isinstance(node, ast.Name) and node.id in self.lets:
                found.append((_position(node), self.lets[node.id].expression.paths))
        found.sort(key=lambda one: one[0])
        return tuple(dict.fromkeys(path for _, paths in found for path in paths))

    def _shift_lines(self, tree: ast.expr, place: Place) -> None:
        index = self._documents.index(place.document.file)
        if index == 0:
            return
        for node in within([tree], ast.expr):
            if hasattr(node, "lineno"):
                node.lineno += index * LINES
                node.end_lineno = (node.end_lineno or 0) + index * LINES

    def _variable(self) -> str:
        self._variables += 1
        return f"x_{self._variables}"


def _condition(lowering: expression.Lowering, parsed: expression.Expression) -> Value:
    tree = lowering.condition(parsed)
    return Value(tree, const=tree.value if isinstance(tree, ast.Constant) else MISSING)


_HASHES = frozenset({"f_sha256", "g_sha256", "g_stable_id", "f_stable_id"})


def _digest(tree: ast.expr, read: Iterable[ast.expr]) -> str:
    """Where an expression hashes: see ``Expression``. ``read`` are the names within it."""
    if not any(isinstance(node, ast.Name) and node.id in _HASHES for node in read):
        return ""
    while isinstance(tree, ast.IfExp):  # empty values pass a filter by
        tree = tree.orelse
    ends = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in _HASHES
    return "last" if ends else "inside"


def _position(node: ast.expr) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _path(origin: Any, key: str | int) -> Path:
    return tuple((origin.child(key) if isinstance(key, str) else origin).path)


def variables(trees: Iterable[ast.AST]) -> set[str]:
    """The Python variables that some trees read."""
    return {node.id for node in within(trees, ast.Name)}
