"""What the YAML parser refuses, said so that a person who edits a mapping knows what to do.

The parser speaks of tokens and block mappings; a person sees a line. Each known message is matched to what is usually
meant by it, and the place is the one that has to be changed, which is often not where the parser gave up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .errors import Problem, Span

_QUOTES = 'Put quotes around the value: "…".'


def unquoted_braces(span: Span) -> Problem:
    """``key: {{ x }}``, which YAML reads as an object in an object."""
    message = "an expression needs quotes around it: YAML reads '{' as the start of an object"
    return Problem(span, "unquoted-expression", message, 'Write: "{{ … }}".')


def explain(error: Any, lines: Sequence[str], file: str) -> Problem:
    """A parser's error as a problem with its place, its meaning and what to do."""
    mark = error.problem_mark or error.context_mark
    said = str(error.problem or "")
    line = min(mark.line if mark else 0, len(lines) - 1)
    text = lines[line]
    braces = _braces(lines, line, file)
    if braces is not None:
        return braces
    context = error.context_mark
    if "\t" in text[: len(text) - len(text.lstrip())]:
        at = text.index("\t")
        span = Span(file, line + 1, at + 1, at + 2)
        return Problem(span, "tab", "a tab is used as indentation", "Use blanks: two for each step.")
    if "quoted scalar" in str(error.context) and context is not None:
        span = _span(file, lines, context.line, context.column)
        return Problem(
            span, "unclosed-quote", "this quote is never closed", "Put the same quote at the end of the text."
        )
    if "mapping values are not allowed" in said:
        span = _span(file, lines, line, mark.column)
        message = "a second ': ' in one value, or a line that is indented too far"
        return Problem(span, "syntax", message, _QUOTES + " Or check that keys of one object begin in one column.")
    if "could not find expected ':'" in said and context is not None:
        span = _span(file, lines, context.line, context.column)
        return Problem(span, "syntax", "this line has no colon", "Write 'name: value', with a blank after the colon.")
    if "cannot start any token" in said:
        span = _span(file, lines, line, mark.column)
        found = text[mark.column : mark.column + 1]
        return Problem(span, "syntax", f"a value cannot begin with '{found}'", _QUOTES)
    if "anchor" in str(error.context) or "alias" in str(error.context):
        span = _span(file, lines, line, mark.column)
        return Problem(span, "syntax", "a value that begins with '*' or '&' refers to another", _QUOTES)
    if "flow" in str(error.context) and context is not None:
        span = _span(file, lines, context.line, context.column)
        return Problem(span, "unclosed-bracket", "this bracket is not closed, or a comma is missing after it", _QUOTES)
    span = _span(file, lines, line, mark.column if mark else 0)
    if "expected <block end>" in said or "did not find expected key" in said:
        message = "this line does not fit the lines above it"
        hint = "Keys of one object begin in one column; list items begin with '- ' in one column."
        return Problem(span, "indentation", message, hint)
    return Problem(span, "syntax", f"this is not YAML: {said or 'unreadable'}", _QUOTES)


def _braces(lines: Sequence[str], line: int, file: str) -> Problem | None:
    """``key: {{ a }} and more`` on the line where the parser gave up, or the one before it."""
    for number in (line, line - 1):
        if 0 <= number < len(lines):
            found = re.match(r"\s*(?:- )*[^\"'#{]*?(?::|-)\s+(\{\{.*)", lines[number])
            if found:
                return unquoted_braces(Span(file, number + 1, found.start(1) + 1, len(lines[number].rstrip()) + 1))
    return None


def _span(file: str, lines: Sequence[str], line: int, column: int) -> Span:
    line = min(line, len(lines) - 1)
    column = min(column, len(lines[line]))
    return Span(file, line + 1, column + 1, max(len(lines[line].rstrip()), column + 1) + 1)
