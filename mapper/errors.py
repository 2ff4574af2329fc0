"""Every error the package raises, and the one way an error names a place.

    MapperError
    ├── MappingError     a file is wrong: found before any record is read
    ├── RecordError      this record cannot become this event: to the dead letters
    └── DeliveryError    the destination cannot be used at all: the run stops

Messages name fields, rules and places. They never contain a record's values:
a value may be someone's address, and messages end up in logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line in a mapping or destination file.

    ``line`` and ``column`` count characters from 1, as editors do; ``end`` is the
    column after the last character.
    """

    file: str
    line: int
    column: int
    end: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding in a file. ``code`` is a stable word (``unknown-filter``) that specs and docs name.

    ``hint`` says what to do about it, in one sentence, or is empty.
    """

    span: Span
    code: str
    message: str
    hint: str = ""
    level: Level = "error"

    def __str__(self) -> str:
        return f"{self.span}: {self.message} [{self.code}]"


class MapperError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class MappingError(MapperError):
    """A file is wrong; ``problems`` holds every reason, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class RecordError(MapperError):
    """One record cannot become one event.

    ``code`` is a stable word; ``message`` names rules and types, never values;
    ``span`` is the place in the mapping, filled in by whoever knows it.
    """

    def __init__(self, code: str, message: str, span: Span | None = None) -> None:
        self.code, self.message, self.span = code, message, span
        super().__init__(f"{span}: {message} [{code}]" if span else f"{message} [{code}]")


class DeliveryError(MapperError):
    """The run cannot go on.

    ``code`` is a stable word, ``message`` says why and ``hint`` what to do, or is empty; ``exit_code`` is what the
    command exits with: see the table of exit codes in docs/command.md.
    """

    def __init__(self, code: str, message: str, exit_code: int, hint: str = "") -> None:
        self.code, self.message, self.exit_code, self.hint = code, message, exit_code, hint
        super().__init__(f"{message} [{code}]")
