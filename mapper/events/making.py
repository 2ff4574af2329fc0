"""What one record has given so far, and what is to be said of the events that it could not give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..compiler.assembling import Transform
from ..compiler.compiler import Compiled
from ..compiler.projection import label, reads
from ..destinations.cleaning import CODES
from ..errors import RecordError, Span
from ..language.values import Context
from .refusal import place_of
from .results import Dropped, Event, Refusal

__all__ = ["Made", "whole"]

_decode = msgspec.json.Decoder().decode


class Made:
    """What one record has given so far."""

    __slots__ = ("context", "events", "limited", "line", "problems", "warnings")

    def __init__(self, context: Context, line: bytes, limited: bool = False) -> None:
        self.context = context
        self.line = line
        self.limited = limited
        self.events: list[Event] = []
        self.problems: list[Refusal] = []
        self.warnings: list[Dropped] = []

    def failed(self, key: str, error: RecordError, compiled: Compiled, parameters: Sequence[Any]) -> Refusal:
        """An expression that failed, with its place in the mapping."""
        span = error.span or place_of(error, compiled.spec.documents)
        path = _parameter_at(span, parameters) if span is not None else ""
        return Refusal(error.code, error.message, key, path, span)

    def refused(self, transform: Transform, code: str, message: str, parameter: str | None) -> None:
        span = transform.place.key_span()
        for declared in transform.parameters:
            if declared.path == parameter:
                span = declared.place.span()
        self.problems.append(Refusal(code, message, transform.key, parameter or "", span))

    def incomplete(self, transform: Transform, missing: list[int]) -> None:
        """The requirements that came out empty, with the paths of the record that were."""
        record = whole(self.line)
        unusable = {path: code for code, path in self.context.warnings if code in CODES}  # not the rules
        lacked = [transform.requirements[index] for index in missing]
        for asked in lacked:
            if any(other.parameter.startswith(f"{asked.parameter}.") for other in lacked):
                continue  # an object without one of its parameters: said of that one
            paths = asked.paths or transform.paths_below(asked.parameter)
            code, empty = "missing", tuple(label(path) for path in paths if record and not reads(record, path))
            within = [path for path in unusable if path.startswith(f"{asked.parameter}.")]
            if asked.parameter in unusable:
                code = unusable[asked.parameter]
                message = f"{asked.parameter} is required and could not be used: {CODES[code]}"
            elif within:
                dropped = ", ".join(f"{path} ({CODES[unusable[path]]})" for path in within)
                message = f"{asked.parameter} is required, and what there is could not be used: {dropped}"
            elif empty:
                lacking = f"no {empty[0]}" if len(empty) == 1 else f"none of {_listed(empty)}"
                message = f"{asked.parameter} is required and empty: the record has {lacking}"
            else:
                message = f"{asked.parameter} is required and came out empty"
            self.problems.append(Refusal(code, message, transform.key, asked.parameter, asked.span, empty))


def whole(line: bytes | str) -> Any:
    """A record with what the mapping does not read; None if there is something in that that nobody can decode, such as
    a number of 5,000 digits: mapping it cost nothing, so telling of it must not either."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _parameter_at(span: Span, parameters: Sequence[Any]) -> str:
    """The dotted path of the parameter that stands at a place of the mapping, or ""."""
    for parameter in parameters:
        place = parameter.place
        if place.document.file == span.file and place.document.holds(place.path, span):
            return str(parameter.path)
    return ""
