"""How foreign text is shown: short, on one line, without control characters or what could be somebody's data."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

_EMAIL: Final = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{24,}")
_DIGITS: Final = re.compile(r"\+?[0-9](?:[ ().-]?[0-9]){5,}")
_QUOTED: Final = re.compile(r"([\"'“‘«])([^\"'”’»]{1,200})([\"'”’»])")
_PATHLIKE: Final = re.compile(r"[$A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\Z|[$\[\]0-9]{1,12}\Z")
_MASK: Final = "…"
UNSAFE: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Control characters but the tab, what turns the direction of text, and what has no width to see."""


def printable(text: str, length: int, words: Set[str] = frozenset()) -> str:
    """``text`` as it may stand in a message or a log.

    length   the longest result, in characters
    words    names that may be shown when they stand in quotes; other quoted text is masked
    """
    flat = "".join(c if c.isprintable() else " " for c in text[: 4 * length])
    flat = _EMAIL.sub(_MASK, flat)
    flat = _QUOTED.sub(lambda match: _quoted(match, words), flat)
    flat = _SECRET.sub(lambda match: match[0] if match[0] in words else _MASK, flat)
    flat = " ".join(_DIGITS.sub(_MASK, flat).split())
    return flat if len(flat) <= length else flat[: length - 1] + _MASK


def visible(text: str) -> str:
    """``text`` on one line, every character that could deceive a reader or steer a terminal shown as ``\\x1b``."""
    return UNSAFE.sub(_code, text)


def _code(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def _quoted(match: re.Match[str], words: Set[str]) -> str:
    inner = match[2]
    return match[0] if inner in words or _PATHLIKE.match(inner) else f"{match[1]}{_MASK}{match[3]}"
