"""What the YAML parser refuses, said so that a person who edits a mapping knows what to do.

The parser speaks of tokens and block mappings; a person sees a line. Each known complaint is matched to what is
usually meant by it, and the place is the one that has to be changed, which is often not where the parser gave up.
Where it is plain how far a fault reaches, it can be papered over with text of the same length, so that the parser
goes on to the next fault and every place stays true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..errors import Problem
from .placing import BREAKS, Lines

_QUOTES: Final = 'Put quotes around the value: "…".'
_RECORDS: Final = "If this is a file of records: the mapping is named first, then the records."
FLATTER: Final = "Nest less: name parts with 'let', or take a list apart with 'for'."
_BRACES: Final = re.compile(r"(?:^|[:,\[{-])[ \t]*(\{\{)")
_KEY: Final = re.compile(r"[ ]*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s\"'#\[\]{},&*!|>%@`:-][^#:]*?)[ ]*:(?:[ ]+|$)")
_PAIR: Final = re.compile(r"\\u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the parser said, with offsets in the text; ``context`` is what it was reading, and -1 if it did not say."""

    said: str
    at: int
    doing: str
    context: int

    @classmethod
    def of(cls, error: Any) -> Complaint:
        """The complaint of a parser's error, which has marks or none."""
        context = error.context_mark.index if error.context_mark else -1
        at = error.problem_mark.index if error.problem_mark else max(context, 0)
        return cls(str(error.problem or ""), at, str(error.context or ""), context)


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem, or none, and the words that can stand from ``start`` on for reading to go on; "" if nobody knows."""

    problem: Problem | None
    start: int = 0
    patch: str = ""

    def mended(self, text: str) -> str | None:
        """The text with the patch, as long as before; None if there is none."""
        end = self.start + len(self.patch)
        return text[: self.start] + self.patch + text[end:] if self.patch else None


@dataclass(frozen=True, slots=True)
class _Scene:
    """A complaint with the text around it."""

    complaint: Complaint
    text: str
    lines: Lines

    @property
    def line(self) -> int:
        return self.lines.index(self.complaint.at)

    @property
    def here(self) -> str:
        """The line of the complaint."""
        return self.lines.texts[self.line]

    @property
    def column(self) -> int:
        return self.lines.column(self.complaint.at)

    @property
    def context(self) -> int:
        return self.complaint.context if self.complaint.context >= 0 else self.complaint.at

    def start(self, line: int) -> int:
        return self.lines.starts[line]

    def end(self, at: int) -> int:
        """The end of the line of an offset, without blanks."""
        line = self.lines.index(at)
        return self.lines.starts[line] + len(self.lines.texts[line].rstrip())

    def fault(self, at: int, code: str, message: str, hint: str, end: int | None = None, mend: bool = False) -> Fault:
        """A fault from an offset to ``end``, or to the end of its line."""
        end = self.end(at) if end is None else end
        problem = Problem(self.lines.span(at, end), code, message, hint)
        return Fault(problem, at, _words(end - at)) if mend else Fault(problem)


def explain(complaint: Complaint, text: str, lines: Lines) -> Fault:
    """A parser's complaint as a problem with its place, its meaning and what to do."""
    scene = _Scene(complaint, text, lines)
    for explanation in _EXPLANATIONS:
        found = explanation(scene)
        if found is not None:
            return found
    said = complaint.said or "unreadable"
    return scene.fault(complaint.at, "syntax", f"this is not YAML: {said}", _QUOTES)


def unquoted_braces(text: str, at: int, lines: Lines) -> Fault:
    """``key: {{ x }}`` at the offset of its braces, which YAML reads as an object in an object."""
    message = "an expression needs quotes around it: YAML reads '{' as the start of an object"
    close = text.find("}}", at, at + 2000)
    line = lines.index(at)
    end = lines.starts[line] + len(lines.texts[line].rstrip())
    before = lines.texts[line][: lines.column(at)]
    if close >= 0 and not re.search(r"\n[ \t\r]*\n", text[at:close]):
        last = lines.index(close)
        in_brackets = sum(map(before.count, "{[")) > sum(map(before.count, "}]"))
        end = close + 2 if in_brackets else lines.starts[last] + len(lines.texts[last].rstrip())
    problem = Problem(lines.span(at, end), "unquoted-expression", message, 'Write: "{{ … }}".')
    return Fault(problem, at, _words(end - at))


def crowded(lines: Lines, start: int) -> Iterator[Problem]:
    """``key:value`` in every line from an offset on: without a blank after the colon all of it is one text."""
    for line in range(lines.index(start), len(lines.texts)):
        found = re.match(r"[A-Za-z_][\w.-]*:(?=[^\s/])", lines.texts[line])
        if found:
            at = lines.starts[line] + found.end()
            message, hint = "a blank is missing after the colon", "Write 'name: value'."
            yield Problem(lines.span(at, at + len(lines.texts[line])), "missing-blank", message, hint)


def _braces(scene: _Scene) -> Fault | None:
    """Braces without quotes on the line where the parser gave up, or the one before it."""
    for number in (scene.line, scene.line - 1):
        for found in _BRACES.finditer(scene.lines.texts[number]) if number >= 0 else ():
            before = scene.lines.texts[number][: found.start(1)]
            if before.count('"') % 2 == 0 and before.count("'") % 2 == 0 and " #" not in before:
                return unquoted_braces(scene.text, scene.start(number) + found.start(1), scene.lines)
    return None


def _tab(scene: _Scene) -> Fault | None:
    blank = scene.here[: len(scene.here) - len(scene.here.lstrip())]
    if "\t" not in blank:
        return None
    at = scene.start(scene.line) + blank.index("\t")
    return scene.fault(at, "tab", "a tab is used as indentation", "Use blanks: two for each step.", at + 1)


def _escape(scene: _Scene) -> Fault | None:
    """A backslash in double quotes that begins no escape."""
    said = scene.complaint.said
    if "escape" not in said and "hexdecimal" not in said and "hexadecimal" not in said:
        return None
    at = scene.text.rfind("\\", scene.context, scene.complaint.at + 1)
    at = at if at >= 0 else scene.complaint.at
    if re.match(r"\\u[dD][89a-fA-F]", scene.text[at : at + 4]):
        return _surrogates(scene, at)
    message = "a backslash in double quotes begins an escape, and this is none"
    hint = r"Write \\ for a backslash, or put the text between single quotes."
    return scene.fault(at, "bad-escape", message, hint, at + 2)


def _surrogates(scene: _Scene, at: int) -> Fault:
    """A character beyond U+FFFF as JSON writes it, with two escapes: as one, behind a line end that does not count."""
    quoted = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(scene.text, scene.context)
    is_key = quoted is None or re.match(r"\s*:", scene.text[quoted.end() : quoted.end() + 100])
    if quoted is None or is_key or not _PAIR.match(scene.text, at):
        message = "this escape is half of a character"
        return scene.fault(at, "bad-escape", message, "Write the character itself.", at + 6)
    patch = _PAIR.sub(lambda found: f"\\\n\\U{_joined(*found.groups()):08x}", scene.text[at : quoted.end()])
    return Fault(None, at, patch)


def _joined(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00)


def _quote(scene: _Scene) -> Fault | None:
    if "quoted scalar" not in scene.complaint.doing:
        return None
    hint = "Put the same quote at the end of the text."
    return scene.fault(scene.context, "unclosed-quote", "the quote that opens here is never closed", hint)


def _after_quote(scene: _Scene) -> Fault | None:
    """``key: 'it's'`` and ``key: "a" b``: words behind a closing quote."""
    before = scene.here[: scene.column]
    found = re.match(r"(?:(?:[^\"'#]*?[:\-,\[{])?[ ]+|[ ]*)((['\"]).*\2)[ ]*$", before)
    if found is None or not scene.here[scene.column :].strip(" ,]}"):
        return None
    opened = scene.start(scene.line) + found.start(1)
    quote = found.group(2)
    if _key_follows(scene):
        return None
    inner = "''" if quote == "'" else '\\"'
    hint = f"To have {quote} within this text write {inner}, or quote the whole value."
    message = "this stands behind the quote that ends the value"
    problem = Problem(scene.lines.span(scene.complaint.at, scene.end(scene.complaint.at)), "after-quote", message, hint)
    return Fault(problem, opened, _words(scene.end(opened) - opened))


def _key_follows(scene: _Scene) -> bool:
    return scene.here[scene.column :].lstrip().startswith(":")


def _no_blank(scene: _Scene) -> Fault | None:
    """``key:value``."""
    if "could not find expected ':'" not in scene.complaint.said and "<document start>" not in scene.complaint.said:
        return None
    line = scene.lines.index(scene.context if "':'" in scene.complaint.said else scene.complaint.at)
    text, start = scene.lines.texts[line], scene.start(line)
    found = re.match(r"[ ]*((?:\"[^\"]*\"|'[^']*'|[\w.-]+):)(?=[^\s/])", text)
    first = start + len(text) - len(text.lstrip())
    if found is not None:
        at = start + found.end(1)
        message = "a blank is missing after the colon"
        fault = scene.fault(at, "missing-blank", message, f"Write: {found.group(1)} {_short(text[found.end(1) :])}")
        return Fault(fault.problem, first, "#" * (scene.end(first) - first))
    if "<document start>" in scene.complaint.said:
        return None
    fault = scene.fault(first, "missing-colon", "this line has no colon", "Write 'name: value'.")
    return Fault(fault.problem, first, "#" * (scene.end(first) - first))


def _second_colon(scene: _Scene) -> Fault | None:
    """``key: value: x``, a key below a line that holds a value already, or below one that lacks its colon."""
    if "mapping values are not allowed" not in scene.complaint.said:
        return None
    key = _KEY.match(scene.here)
    if key is not None and key.end() <= scene.column:
        value = scene.start(scene.line) + key.end()
        message = "a second ': ' in one value"
        fault = scene.fault(scene.complaint.at, "second-colon", message, _QUOTES)
        return Fault(fault.problem, value, _words(scene.end(value) - value))
    at = scene.start(scene.line) + len(scene.here) - len(scene.here.lstrip())
    above = next((n for n in range(scene.line - 1, -1, -1) if scene.lines.texts[n].strip()), None)
    if above is not None:
        upper = scene.lines.texts[above]
        if _KEY.match(upper) is None and ": " not in upper and not upper.rstrip().endswith(":"):
            first = scene.start(above) + len(upper) - len(upper.lstrip())
            return scene.fault(first, "missing-colon", "this line has no colon", "Write 'name: value'.")
    message = "this line is indented below a line that holds a value already"
    return scene.fault(at, "indentation", message, "Let keys of one object begin in one column.")


def _start(scene: _Scene) -> Fault | None:
    """``@``, ``%``, a backtick, or a directive."""
    found = scene.here[scene.column : scene.column + 1]
    if "cannot start any token" in scene.complaint.said and found:
        message = f"a value cannot begin with '{found}' unless it is in quotes"
        mend = found in "@`%" and not re.search(r"[\[{]", scene.here[: scene.column])
        return scene.fault(scene.complaint.at, "bad-start", message, _QUOTES, mend=mend)
    if "directive" in scene.complaint.said + scene.complaint.doing:
        at = scene.start(scene.line)
        return scene.fault(at, "bad-start", "a line cannot begin with '%' unless it is in quotes", _QUOTES)
    return None


def _reference(scene: _Scene) -> Fault | None:
    if not re.search("anchor|alias", scene.complaint.doing):
        return None
    at = scene.context
    sign = scene.text[at : at + 1]
    message = f"'{sign}' at the start of a value names another value, and no name follows"
    return scene.fault(at, "bad-start", message, _QUOTES)


def _tagged(scene: _Scene) -> Fault | None:
    is_tag = re.search(r"\btag\b", scene.complaint.doing + scene.complaint.said)
    if not is_tag and not scene.text.startswith("!", scene.context):
        return None
    message = "tags (words that begin with '!') are not part of a mapping file"
    return scene.fault(scene.context, "tag", message, _QUOTES)


def _depth(scene: _Scene) -> Fault | None:
    """Some versions of the parser have a bound of their own, and meet it before a value is made of anything."""
    if "nesting depth" not in scene.complaint.said:
        return None
    at = scene.complaint.at
    return scene.fault(at, "too-deep", "values are nested too deeply", FLATTER, at + 1)


def _brackets(scene: _Scene) -> Fault | None:
    complaint = scene.complaint
    if "flow" in complaint.doing:
        close = "]" if "sequence" in complaint.doing else "}"
        hint = f"Close it with '{close}'; if it is part of a text, put quotes around the text."
        message = "this bracket is not closed, or a comma is missing after it"
        return scene.fault(scene.context, "unclosed-bracket", message, hint)
    found = scene.text[complaint.at : complaint.at + 1]
    if "node content" in complaint.said and found and found in "]},":
        return scene.fault(complaint.at, "bad-start", f"a value cannot begin with '{found}'", _QUOTES)
    return None


def _block_scalar(scene: _Scene) -> Fault | None:
    if "block scalar" not in scene.complaint.doing:
        return None
    sign = scene.text[scene.context : scene.context + 1]
    message = f"after '{sign}' the text begins on the next line"
    hint = f"Put the text below, indented; if '{sign}' is part of it, put quotes around it."
    return scene.fault(scene.context, "bad-start", message, hint)


def _indentation(scene: _Scene) -> Fault | None:
    said = scene.complaint.said
    if not re.search("did not find expected key|expected '-' indicator|<block end>|not allowed in this context", said):
        return None
    if re.match(r"[ ]*:(?: |$)", scene.here):
        return scene.fault(scene.complaint.at, "empty-key", "a key is missing before ':'", "Write its name.")
    if re.match(r"[-?](?: |$)", scene.here[scene.column :]) and scene.here[: scene.column].strip():
        sign = scene.here[scene.column]
        message = f"a value cannot begin with '{sign} ' on the line of its key"
        return scene.fault(scene.complaint.at, "bad-start", message, "Begin a list on the line below.")
    hint = "Keys of one object begin in one column; list items begin with '- ' in one column."
    return scene.fault(scene.complaint.at, "indentation", "this line does not fit the lines above it", hint)


def _several(scene: _Scene) -> Fault | None:
    if "<document start>" not in scene.complaint.said:
        return None
    hint = _RECORDS if scene.here.lstrip().startswith("{") else _QUOTES
    return scene.fault(scene.complaint.at, "syntax", "this stands behind the end of the value", hint)


_EXPLANATIONS: Final[tuple[Callable[[_Scene], Fault | None], ...]] = (
    _depth,
    _braces,
    _escape,
    _quote,
    _tab,
    _after_quote,
    _no_blank,
    _second_colon,
    _start,
    _reference,
    _tagged,
    _brackets,
    _block_scalar,
    _indentation,
    _several,
)


def _words(width: int) -> str:
    """Some text of a width, as a value in quotes."""
    return '"' + "x" * (width - 2) + '"' if width > 1 else "x" * width


def _short(text: str) -> str:
    """A value as a hint shows it: its beginning."""
    text = text.strip(BREAKS + " ")
    return text if len(text) <= 20 else text[:20] + "…"


CODES: Final = {
    "after-quote": "Words behind the quote that ends a value, often an apostrophe within single quotes.",
    "anchor-cycle": "An alias inside the very value that it repeats.",
    "bad-character": "A control character, or half of one, which no text file has.",
    "bad-escape": "A backslash in double quotes that begins no escape.",
    "bad-key": "A key that is an object, a list, an alias or has an anchor: keys are text.",
    "bad-merge": "A merge key ('<<') with something else than an object.",
    "bad-start": "A value that begins with a sign which means something else to YAML: @ % ` * & ] } | -.",
    "empty-key": "A colon without a key before it.",
    "indentation": "A line that is indented otherwise than its neighbours.",
    "missing-blank": "A colon without a blank after it.",
    "missing-colon": "A line without a colon where a key belongs.",
    "no-such-file": "A file that is not there.",
    "not-utf-8": "A file in another encoding than UTF-8.",
    "repeated-key": "A key that its object has already: one of the two values would be lost.",
    "second-colon": "A second ': ' in one value that is not in quotes.",
    "several-documents": "A second document in a file, behind '---'.",
    "syntax": "Something that is not YAML for any other reason.",
    "tab": "A tab as indentation.",
    "tag": "A YAML tag, a word that begins with '!'.",
    "too-deep": "Values nested too deep.",
    "too-large": "A file larger than 1 MiB.",
    "too-many-values": "A file with too many values once its aliases are written out.",
    "unclosed-bracket": "A bracket or brace that is not closed, or a missing comma behind it.",
    "unclosed-quote": "A quote that is never closed.",
    "unknown-anchor": "An alias ('*name') of nothing.",
    "unquoted-expression": "An expression without quotes around it, which YAML takes for an object.",
    "unreadable": "A file that the system does not let us read.",
}
"""What each code of a file that cannot be read means."""
