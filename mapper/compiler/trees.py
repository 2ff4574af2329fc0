"""Parameters as declared: values, objects, lists and loops, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..destinations.cleaning.options import OPTIONS
from ..documents.document import Document
from ..errors import Problem, Span

COPIED: Final = "..."
"""Among the parameters of an object: an expression whose keys are copied into it, and that those beside it win over."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a document and the path of keys to the value."""

    document: Document
    path: tuple[str | int, ...]

    @property
    def value(self) -> Any:
        value = self.document.value
        for step in self.path:
            value = value[step]
        return value

    def span(self) -> Span:
        return self.document.span(self.path)

    def key_span(self) -> Span:
        return self.document.span(self.path, key=True)

    def locate(self, start: int, end: int) -> Span:
        """Characters ``start`` to ``end`` of the text that stands here, in the file."""
        return self.document.locate(self.path, start, end)

    def child(self, *steps: str | int) -> Place:
        return Place(self.document, self.path + steps)

    def children(self) -> Iterator[tuple[str, Place]]:
        for key in self.value:
            yield key, self.child(key)

    def problem(self, code: str, message: str, hint: str = "") -> Problem:
        return Problem(self.span(), code, message, hint)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a parameter: text (with or without expressions), a number, a boolean, or null.

    ``options`` are what the long form says beside ``value:`` (``prehashed: true``); ``condition`` is its ``if:``.
    """

    place: Place
    options: Mapping[str, Any] = field(default_factory=dict)
    condition: Place | None = None

    @property
    def value(self) -> Any:
        return self.place.value


@dataclass(frozen=True, slots=True)
class Branch:
    """An object: parameters by name."""

    place: Place
    children: Mapping[str, ParameterSpec]


@dataclass(frozen=True, slots=True)
class Items:
    """A list, member by member."""

    place: Place
    members: tuple[ParameterSpec, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A list with one member per item of another: ``for``, ``if``, ``each``."""

    place: Place
    each: ParameterSpec


ParameterSpec = Leaf | Branch | Items | Loop


def read_parameter(place: Place) -> ParameterSpec:
    """One declared parameter: a value, an object, a list, a loop, or the long form of a value (see ``as_leaf``)."""
    value = place.value
    if isinstance(value, dict):
        if "each" in value and "for" in value:
            return Loop(place, read_parameter(place.child("each")))
        return Branch(place, {key: read_parameter(child) for key, child in place.children()})
    if isinstance(value, list):
        return Items(place, tuple(read_parameter(place.child(i)) for i in range(len(value))))
    return Leaf(place)


def as_leaf(branch: Branch) -> Leaf | None:
    """``{value: …, if: …, prehashed: true}`` as the value that it is, or None if it is an object after all."""
    value = branch.place.value  # what the object itself says: a value that it shares is another one's
    if "value" not in value or not isinstance(branch.children["value"], Leaf):
        return None
    options = {key: option for key, option in value.items() if key not in ("value", "if")}
    condition = branch.place.child("if") if "if" in value else None
    return Leaf(branch.place.child("value"), options, condition)


def merged(shared: ParameterSpec | None, own: ParameterSpec) -> Branch:
    """Two objects as one, key by key; what ``own`` says wins, and its null takes a shared parameter away."""
    if not isinstance(own, Branch):
        return shared if isinstance(shared, Branch) else Branch(own.place, {})
    if not isinstance(shared, Branch):
        return own
    children: dict[str, ParameterSpec] = dict(shared.children)
    for key, mine in own.children.items():
        other = children.get(key)
        if isinstance(mine, Branch) and isinstance(other, Branch) and not _is_long(mine) and not _is_long(other):
            children[key] = merged(other, mine)
        else:
            children[key] = mine
    return Branch(own.place, children)


def _is_long(branch: Branch) -> bool:
    """Whether an object can only be the long form of a value."""
    return "value" in branch.children and not {"if", *OPTIONS}.isdisjoint(branch.children)
