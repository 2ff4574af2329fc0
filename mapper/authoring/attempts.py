"""What events would carry if nothing were required of them.

    attempts = Attempts(program)
    for attempt in attempts(line, now):
        attempt.key, attempt.parameters        # also of an event that is refused because another parameter is missing

For tools that count, never for sending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..compiler.assembling import Transform
from ..compiler.compiler import compile_mapping
from ..errors import RecordError
from ..events.program import Program
from ..language.values import Context


@dataclass(frozen=True, slots=True)
class Attempt:
    """One event that is meant for a record.

    key         the mapping's name for it
    parameters  what it has, cleaned and hashed; None if an expression failed
    unusable    values that were left out: pairs of a code and the path of a parameter
    failed      the code of the expression's failure, or ""
    """

    key: str
    parameters: dict[str, Any] | None
    unusable: tuple[tuple[str, str], ...] = ()
    failed: str = ""


class Attempts:
    """The events of a mapping, made of records as far as they come."""

    def __init__(self, program: Program) -> None:
        self._compiled = compile_mapping(program.spec, full=True, lenient=True)
        self._decode = self._compiled.projection.decoder.decode

    def __call__(self, line: bytes, now: float, *, shift: int = 0) -> Iterator[Attempt]:
        """Each event that is meant for a record, refused or not; nothing for a line that is no record.

        line   one line of JSON
        now    the clock, Unix seconds; ``shift`` as in ``Program.map``
        """
        try:
            data = self._decode(line)
        except (ValueError, RecursionError):
            return
        for transform in self._compiled.transforms:
            yield from _attempted(transform, data, Context(now, shift))


def _attempted(transform: Transform, data: Any, context: Context) -> Iterator[Attempt]:
    try:
        items = [()] if transform.items is None else [(item,) for item in transform.items(data, context) or ()]
    except RecordError as error:
        yield Attempt(transform.key, None, failed=error.code)
        return
    for item in items:
        context.reset()
        try:
            parameters = transform.function(data, context, *item)
        except RecordError as error:
            yield Attempt(transform.key, None, failed=error.code)
            continue
        if parameters is not None:
            yield Attempt(transform.key, parameters, tuple(context.warnings))
