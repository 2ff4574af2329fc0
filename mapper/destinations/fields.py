"""The parameters of a destination: what each is called, what it may hold, how it is cleaned and hashed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from . import cleaning
from .rules import Condition

Kind = Literal["text", "number", "integer", "boolean", "flag", "time", "object", "list", "any"]

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "text",
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "flag": "0 or 1",
        "time": "Unix seconds, a whole number",
        "object": "an object of parameters",
        "list": "a list whose members have fixed places",
        "any": "anything",
    }
)

_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}\Z")
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter.

    path        dotted, without the positions of list items: ``custom_data.contents.id``
    label       the name that the destination's own pages show; ``labels`` has it first, then other spellings
    section     the heading under which the setup page lists it
    kind        what it holds, see ``KINDS``; with ``many`` a list of that, for which one value will do
    hash        ``sha256`` if it is sent hashed; ``never_hash`` if a hash would be a mistake
    required    whether its parent object must have it
    children    for an object: its parameters by name; ``additional`` says that other names may stand beside them
    positions   for a list: its places in order
    companion   the path of another parameter that cleaning looks at
    options     what may stand beside ``value:`` in a mapping
    rule        the id under which a wrong value is reported
    recommended the conditions under which it should be there, or None
    cleaned     whether the destination has cleaning steps of its own for it
    beside      whether it stands beside the events in the request's body, and not in the event
    into        the path of a list into which its values go, each in a copy of ``wrap``; "" if it stands at its path
    unit        for a time: the unit in which it is sent
    memo        whether what comes again and again (names, cities) is remembered with its hash
    """

    path: str
    name: str
    kind: Kind = "text"
    label: str = ""
    labels: tuple[str, ...] = ()
    about: str = ""
    source: str = ""
    section: str = ""
    many: bool = False
    hash: str = ""
    never_hash: bool = False
    required: bool = False
    children: Mapping[str, Field] | None = None
    additional: bool = False
    positions: tuple[Field, ...] = ()
    allowed: tuple[Any, ...] = ()
    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    keep_empty: bool = False
    companion: str | None = None
    options: frozenset[str] = frozenset()
    example: Any = None
    rule: str = ""
    recommended: tuple[Condition, ...] | None = None
    cleaned: bool = False
    beside: bool = False
    into: str = ""
    wrap: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "s"
    memo: bool = True
    cleaning: Any = field(default=None, repr=False)

    @property
    def is_leaf(self) -> bool:
        """Whether it holds a value, and not named or placed parts."""
        return self.kind not in ("object", "list")

    @property
    def may_be_raw(self) -> bool:
        """Whether hashing is only recommended, so that a plain value is no mistake."""
        return bool(self.hash) and "hash" in self.options

    def preparer(self, options: Mapping[str, Any] = _NO_OPTIONS) -> cleaning.Prepare:
        """A function that cleans, checks and hashes one value as it is sent.

        options  what the mapping says beside ``value:``, such as ``prehashed: true``
        """
        prepare = cleaning.prepare(self.cleaning, options, self.path, memo=self.memo)
        if self.never_hash and self.kind == "text":
            prepare = _unhashed(prepare, self.path)
        return cleaning.shortened(self.cleaning, options, prepare, self.path if self.memo else None)

    def forgetful(self) -> Field:
        """The same parameter, and all below it, without remembering anything."""
        children = self.children and {name: child.forgetful() for name, child in self.children.items()}
        positions = tuple(position.forgetful() for position in self.positions)
        return replace(self, memo=False, children=children, positions=positions)

    def walk(self) -> Iterator[Field]:
        """This parameter and all below it, parents first."""
        yield self
        for child in (self.children or {}).values():
            yield from child.walk()


def _unhashed(prepare: cleaning.Prepare, path: str) -> cleaning.Prepare:
    """A value that must not be hashed and looks as if it were is of no use to anybody."""

    def prepared(value: Any, context: Any, companion: Any = None) -> Any:
        plain = prepare(value, context, companion)
        if type(plain) is str and len(plain) == 64 and _HEX.match(plain):
            context.warn("looks-hashed", path)
            return None
        return plain

    return prepared


def free(parent: Field, name: str) -> Field:
    """The parameter that a free key of an object is."""
    return Field(
        path=f"{parent.path}.{name}" if parent.path else name,
        name=name,
        kind="any",
        section=parent.section,
        about="A key of your own.",
        source=parent.source,
        rule=parent.rule,
        cleaning=cleaning.declare("any"),
    )


@dataclass(frozen=True, slots=True)
class Roles:
    """The paths of the parameters that are an event's name, id and time; a destination may lack the last two."""

    name: str
    id: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Twin:
    """The copy of an event that a page sends itself. Both must have the same name and id.

    window    seconds that may lie between their arrivals
    when      the events of which there can be one
    standard  the page's call for an event that the destination knows, with {name} and {id}; ``custom`` for another
    by        what sends it, in a word
    """

    window: int
    when: tuple[Condition, ...]
    standard: str
    custom: str
    by: str = "page"


@dataclass(frozen=True, slots=True)
class StandardEvent:
    """An event that the destination knows by name.

    labels      the name that its pages show, then other spellings
    parameters  paths that the destination lists for it; ``required`` are those without which it is refused
    """

    name: str
    label: str
    labels: tuple[str, ...] = ()
    about: str = ""
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    source: str = ""
