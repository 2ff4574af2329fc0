"""How a filter, a function or a test of the mapping language is declared: once, beside its code.

The declaration is the compiler's knowledge of it, its tests (the examples) and its page in the docs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

Check = Callable[[Mapping[str, Any]], str]
"""Looks at literal arguments at compile time; what is wrong with them as a sentence, or ""."""


@dataclass(frozen=True, slots=True)
class Fails:
    """In an example, in place of a result: the code of the error that stops the event."""

    code: str


Example = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a filter, function or test.

    ``annotation`` is its type as written in the code; ``named`` says that it is given by name only.
    """

    name: str
    required: bool
    annotation: str
    default: Any = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, function or test.

    function       takes the value first (functions do not), then the arguments; ``needs_context`` puts the
                   Context before them
    takes_empty    it is called even for an empty value; all others pass what is empty through untouched
    flows          it gives back a member of its value, unchanged; what is known of its place stays known
    first_filled   it gives back the first of its value and arguments that is not empty
    literal        arguments that must be written out, because they are checked when the mapping is compiled
    many           it takes any number of arguments
    """

    name: str
    function: Callable[..., Any]
    doc: str
    examples: tuple[Example, ...]
    parameters: tuple[Parameter, ...]
    many: bool = False
    takes_empty: bool = False
    needs_context: bool = False
    flows: bool = False
    first_filled: bool = False
    literal: frozenset[str] = frozenset()
    check: Check | None = None

    @property
    def gives_boolean(self) -> bool:
        """Whether the result is always ``True`` or ``False``."""
        return self.takes_empty and self._returns == "bool"

    @property
    def gives_scalar(self) -> bool:
        """Whether the result is never a list or an object."""
        return set(self._returns.split(" | ")) <= {"str", "int", "float", "bool", "None"}

    @property
    def _returns(self) -> str:
        return str(self.function.__annotations__.get("return"))

    @property
    def usage(self) -> str:
        """How it is written, for hints: ``Usage: round(digits, method='common').``"""
        words = [_shown(p) for p in self.parameters if not p.named]
        words += ["…"] if self.many else []
        words += [_shown(p) for p in self.parameters if p.named]
        return f"Usage: {self.name}({', '.join(words)})." if words else f"Usage: {self.name}."


class _NotGiven:
    """The default of an argument that makes a difference by not being given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


NOT_GIVEN: Final[Any] = _NotGiven()


def _shown(parameter: Parameter) -> str:
    if parameter.required:
        return parameter.name
    names = {"None": "none", "True": "true", "False": "false"}
    written = repr(parameter.default)
    return f"{parameter.name}={names.get(written, written)}"


FILTERS: Final[dict[str, Filter]] = {}
FUNCTIONS: Final[dict[str, Filter]] = {}
TESTS: Final[dict[str, Filter]] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def filter_(*examples: Example, name: str = "", **traits: Any) -> Callable[[Function], Function]:
    """Declare a filter: ``value | name(arguments)``."""
    return _declare(FILTERS, 1, examples, name, traits)


def function(*examples: Example, name: str = "", **traits: Any) -> Callable[[Function], Function]:
    """Declare a function: ``name(arguments)``."""
    return _declare(FUNCTIONS, 0, examples, name, {"takes_empty": True, **traits})


def as_test(*examples: Example, name: str = "", **traits: Any) -> Callable[[Function], Function]:
    """Declare a test: ``value is name(arguments)``. A test sees empty values too, and says yes or no."""
    return _declare(TESTS, 1, examples, name, {"takes_empty": True, **traits})


def _declare(
    registry: dict[str, Filter],
    skipped: int,
    examples: tuple[Example, ...],
    name: str,
    traits: dict[str, Any],
) -> Callable[[Function], Function]:
    def declare(code: Function) -> Function:
        declared = name or code.__name__.rstrip("_")
        found = list(inspect.signature(code).parameters.values())
        found = found[skipped + bool(traits.get("needs_context")) :]
        many = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in found)
        parameters = tuple(
            Parameter(
                p.name,
                p.default is inspect.Parameter.empty,
                str(p.annotation),
                None if p.default is inspect.Parameter.empty else p.default,
                p.kind is inspect.Parameter.KEYWORD_ONLY,
            )
            for p in found
            if p.kind is not inspect.Parameter.VAR_POSITIONAL
        )
        doc = inspect.getdoc(code) or ""
        registry[declared] = Filter(declared, code, doc, examples, parameters, many, **traits)
        return code

    return declare
