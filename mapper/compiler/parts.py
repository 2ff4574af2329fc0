"""What is common to building objects, lists and values: the parts of an event in the making.

A parameter becomes a ``Part``: statements to run first, and an expression for its prepared value. What the mapping
says literally is prepared when the mapping is compiled, and becomes a constant. A part knows which paths of the
record it reads, so that a refusal can name the one that was empty.
"""

from __future__ import annotations

import ast
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..destinations.cleaning.options import OPTIONS
from ..destinations.destination import Destination, Field, Rule
from ..errors import Problem, Span
from ..language.scope import MISSING, Scope
from . import nodes
from .lowered import Expression, Expressions
from .projection import Path
from .trees import Branch, Leaf, ParameterSpec, Place, as_leaf

_FIELD: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A parameter without which the event is not sent: who asks for it, and where its value comes from.

    ``rule`` is the id of the destination's rule, or "" if the mapping itself requires it.
    """

    parameter: str
    span: Span
    rule: str = ""
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared value: its dotted path, where it stands, and the paths of the record it reads.

    ``digest`` is "last" if the expression ends in a hash, "inside" if there is one on the way, else "".
    """

    path: str
    place: Place
    known: Field
    paths: tuple[Path, ...]
    literal: bool
    condition: Place | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""


@dataclass(slots=True)
class Part:
    """A value in the making: ``statements`` first, then ``value``; or a ``constant`` known already.

    ``gathers`` says that ``value`` is a dict or list that is left out when it is empty; else it is left out when None.
    ``whole`` is for an item of a list: nearly every one has all its keys, and then it is written down in one step.
    """

    value: ast.expr = nodes.NONE
    statements: list[ast.stmt] = field(default_factory=list)
    gathers: bool = False
    constant: Any = MISSING
    paths: tuple[Path, ...] = ()
    whole: Whole | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """An object that has all its keys.

    statements  give its values names
    values      key -> a name or a constant
    """

    statements: list[ast.stmt]
    values: dict[str, ast.expr]


class Building(ABC):
    """Builds one event. What it learns on the way is what the checks decide by.

    literals   parameters whose value is known, as sent
    produced   parameters that can come out at all
    open       objects whose keys are known only when a record is mapped
    complete   parameters that are there wherever their parent is
    asked      rules that the event's own code asks
    sources    the expressions of ``parameters``, in the same order
    """

    def __init__(
        self,
        destination: Destination,
        tree: Branch,
        expressions: Expressions,
        required: Mapping[str, Requirement],
        prepared: Callable[[Any], str],
    ) -> None:
        self.destination = destination
        self.tree = tree
        self.expressions = expressions
        self.problems = expressions.problems
        self.required = dict(required)
        self.prepared = prepared
        self.requirements: list[Requirement] = []
        self.literals: dict[str, Any] = {}
        self.produced: set[str] = set()
        self.open: set[str] = set()
        self.complete: set[str] = set()
        self.asked: list[Rule] = []
        self.parameters: list[Parameter] = []
        self.sources: list[Expression] = []
        self._item: ParameterSpec | None = None
        self._count = 0

    @abstractmethod
    def parameter(self, spec: ParameterSpec, known: Field, scope: Scope) -> Part | None:
        """One declared parameter, or None if it says nothing or is wrong (the problem is noted)."""

    def declare(self, known: Field, leaf: Leaf, expression: Expression) -> bool:
        """Note a declared value; whether it is literal."""
        literal = expression.constant is not MISSING
        self.parameters.append(
            Parameter(
                known.path,
                leaf.place,
                known,
                expression.paths,
                literal,
                leaf.condition,
                leaf.options,
                expression.digest,
            )
        )
        self.sources.append(expression)
        return literal

    def _incomplete(self, known: Field, variable: str, place: Place) -> list[ast.If]:
        """What must be in an object wherever it is sent, and what should be: one question for each key."""
        statements = self._wanted(known, variable)
        for name, child in (known.children or {}).items():
            if not child.required or child.path in self.required or child.path in self.literals:
                continue
            if child.path not in self.produced:
                message = f"{child.path} is required wherever {known.path} is sent, and nothing gives it"
                hint = f"Add '{name}:' here: {child.about}"
                self.problems.append(Problem(place.span(), "missing-parameter", message, hint))
                continue
            paths = next((p.paths for p in self.parameters if p.path == child.path), ())
            self.requirements.append(Requirement(child.path, place.span(), child.rule, paths))
            self.complete.add(child.path)
            noted = nodes.call("miss", nodes.name("m"), nodes.constant(len(self.requirements) - 1))
            statements.append(nodes.when(nodes.lacks(variable, name), [nodes.assign("m", noted)]))
        return statements

    def _wanted(self, known: Field, variable: str) -> list[ast.If]:
        """Rules that ask, as a warning, for one key of this object wherever there is one: decided where it is built."""
        statements: list[ast.If] = []
        for rule in self.destination.rules:
            key = rule.paths[0].removeprefix(f"{known.path}.") if len(rule.paths) == 1 else ""
            simple = rule.kind == "require" and rule.level == "warning" and key in (known.children or {})
            if simple and all(condition.path == known.path for condition in rule.when):
                self.asked.append(rule)
                code, path = nodes.constant(rule.id), nodes.constant(rule.paths[0])
                noted = ast.Expr(nodes.call("noted", nodes.name("ctx"), code, path))
                statements.append(nodes.when(nodes.lacks(variable, key), [noted]))
        return statements

    def _pushed(self, target: str, part: Part, known: Field, place: Place) -> list[ast.stmt]:
        if part.constant is not MISSING:
            return [nodes.push(target, nodes.constant(part.constant))]
        statements = list(part.statements)
        variable = part.value.id if isinstance(part.value, ast.Name) else "v"
        if not isinstance(part.value, ast.Name):
            statements.append(nodes.assign(variable, part.value))
        value = nodes.name(variable)
        statements.append(nodes.when(value if part.gathers else nodes.is_not_none(value), [nodes.push(target, value)]))
        checks = self._incomplete(known, variable, place) if part.gathers and known.children else []
        statements += [nodes.when(value, checks)] if checks else []
        if part.whole is not None and all(_asked_for(check) in part.whole.values for check in checks):
            statements = self._at_once(target, part.whole, statements)
        return placed(statements, place.span())

    def _at_once(self, target: str, whole: Whole, otherwise: list[ast.stmt]) -> list[ast.stmt]:
        """An item with all its keys is pushed in one step; any other goes the long way."""
        there = [
            nodes.is_not_none(nodes.name(value.id)) for value in whole.values.values() if isinstance(value, ast.Name)
        ]
        item = ast.Dict([nodes.constant(key) for key in whole.values], list(whole.values.values()))
        return [*whole.statements, nodes.when(nodes.all_of(there), [nodes.push(target, item)], otherwise)]

    @abstractmethod
    def _literal(self, value: Any, spec: Leaf, known: Field) -> Part | None:
        """A value that is written out, prepared now."""

    def _wrong(self, spec: ParameterSpec, known: Field, got: str) -> Part | None:
        message = f"{known.path} takes {_takes(known)}, not {got}"
        hint = known.about
        if known.many and isinstance(spec, Branch) and "value" in spec.children:
            hint = 'Options for several values stand beside one list: {value: "{{ [first, second] }}", …}.'
        elif known.is_leaf and isinstance(spec, Branch) and {"if", *OPTIONS}.issuperset(spec.place.value):
            hint = "Say the value, too: {value: …, …}. Beside a shared value, options alone change nothing."
        self.problems.append(Problem(spec.place.span(), "wrong-type", message, hint))
        return None

    def _fresh(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


def long_form(spec: Branch, known: Field) -> Leaf | None:
    """The long form of a value (``{value: …, if: …}``), or None if it is an object. Below a key of the author's own
    an object may have any keys: there only these two are sure to be meant so."""
    if not known.is_leaf or (known.kind == "any" and spec.children.keys() != {"value", "if"}):
        return None
    return as_leaf(spec)


def names_field(written: str) -> bool:
    """Whether a plain text is spelt like a field of the record: ``order.id``, with braces forgotten around it."""
    return _FIELD.fullmatch(written.strip()) is not None


def single(known: Field) -> Field:
    """The field of one item of a list."""
    return replace(known, many=False) if known.many else known


def _takes(known: Field) -> str:
    words = {
        "object": "an object",
        "list": "a list of positions",
        "time": "a time",
        "flag": "0 or 1",
        "any": "anything",
    }
    word = words.get(known.kind, f"a{'n' if known.kind[0] in 'aeio' else ''} {known.kind}").replace("a text", "text")
    return f"a list of values ({known.kind})" if known.many and known.is_leaf else word


def _asked_for(check: ast.If) -> Any:
    """The key of ``if key not in object``."""
    assert isinstance(check.test, ast.Compare)
    assert isinstance(check.test.left, ast.Constant)
    return check.test.left.value


def placed(statements: list[ast.stmt], span: Span) -> list[ast.stmt]:
    """Statements stand where their parameter stands, so that a traceback shows the YAML line."""
    for statement in statements:
        if not hasattr(statement, "lineno"):
            statement.lineno = statement.end_lineno = span.line
            statement.col_offset, statement.end_col_offset = span.column - 1, span.end - 1
    return statements
