"""Problems as a person reads them: the place, the line, a caret under the exact words, and what to do.

mappings/shop.yaml:14:21: there is no filter 'uper' [unknown-filter]
   14 |         currency: "{{ currency | uper }}"
      |                                  ^^^^
   help: Did you mean 'upper'?

Files and messages may come from strangers: what could steer a terminal or turn text around is shown as its code.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..documents.placing import Lines
from ..errors import Problem, Span
from ..showing import UNSAFE, visible

MAX_WIDTH: Final = 160
"""The widest excerpt of a line, in columns; a longer line is cut around its caret."""

_COLOURS: Final = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "place": "\x1b[1m",
    "dim": "\x1b[2m",
    "help": "\x1b[36m",
}
_END: Final = "\x1b[0m"
_TAB: Final = 4
_MARGIN: Final = 10
"""Columns beside a line that is shown: its number, and what says that there is more of it."""
_LEAST: Final = 30
"""Columns that are shown of a line in however narrow a terminal."""
_OURS: Final = re.compile("(\x1b\\[(?:0|1|2|31|32|33|36|1;31|1;33)m)")

Paint = Callable[[str, str], str]


def safe(text: str) -> str:
    """``text`` in several lines and with our own colours, everything else in it as ``visible``."""
    parts = _OURS.split(text)
    return "".join(part if index % 2 else "\n".join(map(visible, part.split("\n"))) for index, part in enumerate(parts))


def render(problems: Sequence[Problem], *, colour: bool = False, width: int = 0) -> str:
    """Problems one after the other, with the lines they stand in, and a summary.

    width   columns of the terminal, so that carets stay below their words; 0 for what is none
    """
    if not problems:
        return ""
    told = "\n\n".join(one(problem, colour=colour, width=width) for problem in problems)
    return f"{told}\n\n{summary(problems, colour=colour)}"


def one(problem: Problem, *, colour: bool = False, width: int = 0) -> str:
    """One problem: the place and what is wrong, the line with carets, what to do."""
    paint = _painter(colour)
    level = "" if problem.level == "error" else "warning: "
    place, message = visible(str(problem.span)), visible(problem.message)
    head = f"{paint('place', place)}: {paint(problem.level, level + message)} {paint('dim', f'[{problem.code}]')}"
    parts = [head, *excerpt(problem.span, problem.level, colour=colour, width=width)]
    if problem.hint:
        parts.append(f"{paint('help', '   help:')} {visible(problem.hint)}")
    return "\n".join(parts)


def excerpt(span: Span, level: str = "error", *, colour: bool = False, width: int = 0) -> list[str]:
    """The line of a place with carets under it; nothing if the file cannot be read any more. ``width`` as above."""
    lines = _lines(span.file)
    if not 1 <= span.line <= len(lines):
        return []
    line = lines[span.line - 1]
    room = min(MAX_WIDTH, max(width - _MARGIN, _LEAST)) if width else MAX_WIDTH
    text, start, length = _cut(_drawn(line), span.column - 1, span.end - 1, room)
    paint = _painter(colour)
    return [
        f"{paint('dim', f'{span.line:>5} |')} {text}".rstrip(),
        f"{paint('dim', '      |')} {' ' * start}{paint(level, '^' * length)}",
    ]


def _drawn(line: str) -> list[tuple[str, int]]:
    """Each character of a line as it is shown, and the columns that takes in a terminal.

    Wide characters take two columns, combining ones none, a tab goes on to the next multiple of four.
    """
    drawn: list[tuple[str, int]] = []
    column = 0
    for character in line:
        if character == "\t":
            shown, width = " " * (_TAB - column % _TAB), _TAB - column % _TAB
        elif UNSAFE.match(character):
            shown = visible(character)
            width = len(shown)
        elif unicodedata.category(character) in ("Mn", "Me", "Cf"):
            shown, width = character, 0
        else:
            shown, width = character, 2 if unicodedata.east_asian_width(character) in "WF" else 1
        drawn.append((shown, width))
        column += width
    return drawn


def _cut(drawn: list[tuple[str, int]], start: int, end: int, room: int) -> tuple[str, int, int]:
    """What is shown of a line, and from which column on how many carets stand under ``drawn[start:end]``."""
    first, last, more = 0, len(drawn), ""
    if sum(width for _, width in drawn) > room:
        first = max(0, min(start, len(drawn)) - room // 3)
        last = first
        while last < len(drawn) and room >= drawn[last][1]:
            room -= drawn[last][1]
            last += 1
        more = "…" if last < len(drawn) else ""
    less = "…" if first else ""
    text = less + "".join(shown for shown, _ in drawn[first:last]) + more
    before = len(less) + sum(width for _, width in drawn[first : min(start, last)])
    return text, before, max(1, sum(width for _, width in drawn[max(start, first) : min(end, last)]))


def summary(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """``3 errors, 1 warning``"""
    errors = sum(problem.level == "error" for problem in problems)
    return counted(errors, len(problems) - errors, colour=colour)


def counted(errors: int, warnings: int, *, colour: bool = False) -> str:
    """``3 errors, 1 warning``; what is none is not named."""
    paint = _painter(colour)
    counts = (("error", errors), ("warning", warnings))
    return ", ".join(paint(level, f"{count} {level}{'s' if count > 1 else ''}") for level, count in counts if count)


def as_json(problems: Iterable[Problem]) -> str:
    """Problems as JSON, for editors and continuous integration."""
    return to_json([_plain(problem) for problem in problems])


def to_json(value: Any, indent: int | None = 2) -> str:
    """JSON for people and programs: nothing in it could steer a terminal. ``indent`` None: on one line."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def as_github(problems: Iterable[Problem]) -> str:
    """Problems as annotations of GitHub Actions."""
    lines = []
    for problem in problems:
        span = problem.span
        text = _escaped(f"{problem.message}. {problem.hint}".removesuffix(". "))
        where = {"file": span.file, "line": span.line, "col": span.column, "endColumn": span.end, "title": problem.code}
        said = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in where.items())
        lines.append(f"::{problem.level} {said}::{text}")
    return "\n".join(lines)


def _escaped(text: str, more: str = "") -> str:
    """Text as a workflow command takes it: it cannot end its line, nor (with ``more``) its property."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for sign in more:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return visible(text)


def as_sarif(problems: Sequence[Problem], version: str) -> str:
    """Problems in SARIF 2.1.0, for code scanning."""
    results = [
        {
            "ruleId": problem.code,
            "level": problem.level,
            "message": {"text": f"{problem.message}. {problem.hint}".removesuffix(". ")},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(problem.span.file)},
                        "region": {
                            "startLine": problem.span.line,
                            "startColumn": problem.span.column,
                            "endColumn": problem.span.end,
                        },
                    }
                }
            ],
        }
        for problem in problems
    ]
    rules = [{"id": code} for code in sorted({problem.code for problem in problems})]
    driver = {"name": "mapper", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {"version": "2.1.0", "runs": [run]}
    return to_json({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", **log})


def _uri(file: str) -> str:
    """A file's name as a URI: relative to where the command runs, or ``file:///…``."""
    named = quote(file.encode("utf-8", "surrogateescape"))  # quotes a colon, too: it would begin a scheme
    return f"file://{named}" if named.startswith("/") else named


def _plain(problem: Problem) -> dict[str, Any]:
    span = problem.span
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_column": span.end,
        "level": problem.level,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def _painter(colour: bool) -> Paint:
    return (lambda kind, text: f"{_COLOURS[kind]}{text}{_END}") if colour else (lambda kind, text: text)


def _lines(file: str) -> Sequence[str]:
    try:
        about = Path(file).stat()
        return _read(file, about.st_mtime_ns, about.st_size)
    except (OSError, ValueError):  # gone, or no name that a file can have
        return ()


@lru_cache(maxsize=64)
def _read(file: str, changed: int, size: int) -> Sequence[str]:
    """The lines of a file, read once as long as it stays as it is."""
    return Lines.of(Path(file).read_text(encoding="utf-8-sig", errors="replace"), file).texts
