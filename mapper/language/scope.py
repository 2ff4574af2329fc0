"""What an expression can see, and what is known of its value once it is compiled.

A value that comes from the record carries *origins*: the places in the record where it may have come from.
As long as an expression only passes it on or steps into it, its parts need not be decoded; whatever looks
at it as a whole says so to its origins.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from .values import text


class Origin(Protocol):
    """A place in the record (see ``projection.PathNode``)."""

    @property
    def label(self) -> str:
        """The path, as messages call it."""

    def child(self, key: str) -> Origin:
        """The place behind a key."""

    def element(self) -> Origin:
        """The place of a member of the list that stands here."""

    def whole(self) -> None:
        """Note that everything below is read."""


class _Missing:
    """No literal is known."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Access(ast.expr):
    """Step into a value of the record: a placeholder that ``projection.Resolver`` turns into Python.

    ``key`` is text for a key of an object, a number for a member of a list; ``origins`` are the places where
    ``value`` may come from, at least one.
    """

    _fields = ("value",)

    def __init__(self, value: ast.expr, key: str | int, origins: Iterable[Origin]) -> None:
        super().__init__()
        self.value = value
        self.key = key
        self.origins = frozenset(origins)


@dataclass(frozen=True, slots=True)
class Value:
    """A compiled expression.

    ast       Python that computes it, with ``Access`` placeholders
    origins   the places in the record where it may come from, unchanged
    const     the value itself if it is written out, else MISSING
    paths     the record's paths that it reads, for messages about what was empty
    boolean   whether it is always ``True`` or ``False``
    scalar    whether it is never a list or an object
    """

    ast: ast.expr
    origins: frozenset[Any] = frozenset()
    const: Any = MISSING
    paths: frozenset[str] = frozenset()
    boolean: bool = False
    scalar: bool = False

    @property
    def is_const(self) -> bool:
        return self.const is not MISSING

    def element(self) -> Value:
        """What is known of the members of this list: the value of a loop's variable."""
        origins = frozenset(origin.element() for origin in self.origins)
        return Value(self.ast, origins, MISSING, self.paths)

    def whole(self) -> None:
        """Note that the value is read as a whole."""
        for origin in self.origins:
            origin.whole()


@dataclass(frozen=True, slots=True)
class Binding:
    """A name that is no key of the record: its Python variable (``x_3``), and what is known of its value."""

    python: str
    value: Value


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression can use. Every other name is a key of the record; ``record`` is the whole of it.

    ``retries`` says that the caller decodes a record whole and starts again when ``values.Undecided`` is raised.
    Objects then need not be decoded whole only because an expression asks whether they are empty.
    """

    root: Origin
    names: Mapping[str, Binding] = field(default_factory=dict)
    retries: bool = False

    def bind(self, name: str, python: str, value: Value) -> Scope:
        """This scope with one name more, which hides any other of that name."""
        return replace(self, names={**self.names, name: Binding(python, value)})


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table: keys as text, what each gives, and what a miss gives (None: empty)."""

    name: str
    data: Mapping[str, Any]
    default: Any = None
    ignore_case: bool = False
    _folded: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for key, value in self.data.items():
            self._folded[self._fold(key)] = value

    def _fold(self, key: str) -> str:
        return key.strip().casefold() if self.ignore_case else key

    def get(self, key: Any) -> Any:
        """What stands behind a key; numbers and booleans count as their text."""
        return self._folded.get(self._fold(key if type(key) is str else text(key)), self.default)


def runtime_tables(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Tables under the Python names that compiled expressions use: by their order, not by an author's word."""
    return {f"d_{index}": table for index, table in enumerate(tables.values())}
