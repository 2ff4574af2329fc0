"""Problems as a person reads them: the place, the line, a caret under the exact words, and what to do.

mappings/shop.yaml:14:21: there is no filter 'uper' [unknown-filter]
   14 |         currency: "{{ currency | uper }}"
      |                                  ^^^^
   help: Did you mean 'upper'?
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from .errors import Problem, Span

_COLOURS: Final = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "place": "\x1b[1m",
    "dim": "\x1b[2m",
    "help": "\x1b[36m",
}
_END: Final = "\x1b[0m"


def render(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """Problems one after the other, with the lines they stand in, and a summary."""
    if not problems:
        return ""
    return "\n\n".join(one(problem, colour=colour) for problem in problems) + "\n\n" + summary(problems, colour=colour)


def one(problem: Problem, *, colour: bool = False) -> str:
    """One problem: the place and what is wrong, the line with carets, what to do."""
    paint = _painter(colour)
    level = "" if problem.level == "error" else "warning: "
    head = f"{paint('place', str(problem.span))}: {paint(problem.level, level + problem.message)}"
    parts = [f"{head} {paint('dim', f'[{problem.code}]')}", *excerpt(problem.span, problem.level, colour=colour)]
    if problem.hint:
        parts.append(f"{paint('help', '   help:')} {problem.hint}")
    return "\n".join(parts)


def excerpt(span: Span, level: str = "error", *, colour: bool = False) -> list[str]:
    """The line of a place with carets under it; nothing if the file cannot be read any more."""
    paint = _painter(colour)
    lines = _lines(span.file)
    if span.line > len(lines):
        return []
    line = lines[span.line - 1]
    before, marked = line[: span.column - 1], line[span.column - 1 : span.end - 1]
    number = f"{span.line:>5}"
    carets = "^" * max(_width(marked), 1)
    return [
        f"{paint('dim', f'{number} |')} {line.expandtabs(4)}".rstrip(),
        f"{paint('dim', '      |')} {' ' * _width(before)}{paint(level, carets)}",
    ]


def summary(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """``3 errors, 1 warning``"""
    paint = _painter(colour)
    counts = []
    for level in ("error", "warning"):
        count = sum(problem.level == level for problem in problems)
        if count:
            counts.append(paint(level, f"{count} {level}{'s' if count > 1 else ''}"))
    return ", ".join(counts)


def as_json(problems: Iterable[Problem]) -> str:
    """Problems as JSON, for editors and continuous integration."""
    return json.dumps([_plain(problem) for problem in problems], indent=2, ensure_ascii=False)


def as_github(problems: Iterable[Problem]) -> str:
    """Problems as annotations of GitHub Actions."""
    lines = []
    for problem in problems:
        span = problem.span
        text = f"{problem.message} {problem.hint}".strip().replace("%", "%25").replace("\n", "%0A")
        place = f"file={span.file},line={span.line},col={span.column},endColumn={span.end},title={problem.code}"
        lines.append(f"::{problem.level} {place}::{text}")
    return "\n".join(lines)


def as_sarif(problems: Sequence[Problem], version: str) -> str:
    """Problems in SARIF 2.1.0, for code scanning."""
    results = [
        {
            "ruleId": problem.code,
            "level": problem.level,
            "message": {"text": f"{problem.message}. {problem.hint}".strip()},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": problem.span.file},
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
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", **log}, indent=2, ensure_ascii=False)


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


def _painter(colour: bool) -> Any:
    return (lambda kind, text: f"{_COLOURS[kind]}{text}{_END}") if colour else (lambda kind, text: text)


def _width(text: str) -> int:
    """Columns that a text takes in a terminal: wide characters two, combining ones none, tabs four."""
    width = 0
    for character in text:
        if character == "\t":
            width += 4 - width % 4
        elif not unicodedata.combining(character):
            width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8-sig", errors="replace").split("\n"))
    except OSError:
        return ()
