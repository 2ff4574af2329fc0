"""Text that people copied from somewhere: how its bytes are read, its lines, and the request bodies that stand in it.

A page of documentation, a curl command, a form as libraries send it, an example with comments: whatever holds the JSON
of a request is understood, so that it can be judged.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qsl

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKUP: Final = re.compile(r"</[A-Za-z][A-Za-z0-9]*\s*>")
_HIDDEN: Final = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|head|template)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_INLINE: Final = re.compile(r"</?(?:a|abbr|b|code|em|i|mark|small|span|strong|sub|sup|u|wbr)(?:\s[^<>]*)?>", re.I)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_FORM: Final = re.compile(r"[A-Za-z_][\w.%\[\]-]*=[^\s]*\Z", re.ASCII)
_COMMENTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*[\]}])', re.S)
_BLOCK: Final = "\0"
_MOST_FIELDS: Final = 1_000
_MOST_STARTS: Final = 100_000


def text_of(data: bytes) -> str:
    """Bytes as text: UTF-8, what a byte order mark says, or else the encoding that Windows calls ANSI."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def lines_of(text: str) -> list[tuple[int, str]]:
    """The lines of a text with their numbers; of a page saved as HTML, what each line shows, block by block."""
    if _MARKUP.search(text) is None:
        return list(enumerate(text.splitlines(), 1))
    text = _INLINE.sub(_lines_only, _HIDDEN.sub(_lines_only, "\n".join(text.splitlines())))
    text = _TAG.sub(lambda tag: _BLOCK + _lines_only(tag), text)
    lines = enumerate(text.split("\n"), 1)
    return [(number, unescape(part)) for number, line in lines for part in line.split(_BLOCK)]


def _lines_only(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def found(text: str, fits: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """What a text holds, as JSON values with their place: "" for the only one, else ``line 3``.

    text     JSON, JSON with comments, JSON lines, a form, or any text with JSON in it
    fits     whether a value can be a request or events; of values in a text, those are given, or else the first
    returns  nothing if the text holds no JSON; in JSON lines, None for a line that is none
    """
    for read in (json.loads, lambda text: json.loads(without_comments(text)), _form):
        try:
            value = read(text)
        except (ValueError, RecursionError):
            continue
        yield "", value
        return
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and all(line[0] in "{[" and line[-1] in "}]" for _, line in lines):
        yield from ((f"line {i}", _json(line)) for i, line in lines)
        return
    inside = list(_inside(without_comments(text)))
    wanted = [(line, value) for line, value in inside if fits(value)] or inside[:1]
    if len(wanted) == 1:
        yield "", wanted[0][1]
    else:
        yield from ((f"line {line}", value) for line, value in wanted)


def without_comments(text: str) -> str:
    """JSON without ``//`` and ``/* */`` and without commas before a closing bracket; as many lines as before."""

    def kept(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == '"' else _lines_only(match)

    return _COMMENTED.sub(kept, text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _form(text: str) -> dict[str, Any]:
    """The fields of a form, as libraries send them; several of one name, with or without brackets, are a list."""
    if _FORM.match(text.strip()) is None:
        raise ValueError("not a form")
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MOST_FIELDS):
        plain = re.sub(r"\[[0-9]*\]\Z", "", name)
        if plain in fields or plain != name:
            known = fields.get(plain, [])
            fields[plain] = [*(known if isinstance(known, list) else [known]), value]
        else:
            fields[plain] = value
    return fields


def _inside(text: str) -> Iterator[tuple[int, Any]]:
    """Every JSON object, and every list of objects, that stands in a text, with its line."""
    decoder = json.JSONDecoder()
    at = line = 0
    for _ in range(_MOST_STARTS):
        start = min((i for i in (text.find("{", at), text.find("[", at)) if i >= 0), default=-1)
        if start < 0:
            return
        line += text.count("\n", at, start)
        end = start + 1
        try:
            value, stop = decoder.raw_decode(text, start)
        except RecursionError:
            return
        except ValueError:
            value = None
        if isinstance(value, dict) or (isinstance(value, list) and value and all(isinstance(v, dict) for v in value)):
            yield line + 1, value
            end = stop
        line += text.count("\n", start, end)
        at = end
