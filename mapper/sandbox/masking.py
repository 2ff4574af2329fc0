"""What is kept of an event: nothing that could be a person's name, address or number in the clear.

Hashes stay, and so do the parameters that must not be hashed (a browser's name, an IP address). What stands unhashed
where a hash belongs, what has no place of its own, and every text that holds an e-mail address or a phone number is
masked before it is stored, so that neither a file nor a page can show it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..destinations.destination import Destination, Field
from ..destinations.personal import shown
from ..destinations.rules import is_nothing
from ..language.values import Context

MASK: Final = "•••"
_HASH: Final = re.compile(r"[0-9a-f]{64}(?:\.[A-Za-z0-9_-]{2,8})?\Z")
_EMAIL: Final = re.compile(r"[^\s@\"'<>/?&=:]{1,64}(?:@|%40)[^\s@\"'<>/?&=:]{1,255}")
_PHONE: Final = re.compile(r"\+[0-9](?:[ ().-]?[0-9]){6,14}")
_QUERY: Final = re.compile(r"(?<=[?&])([^=&#]{1,200})=([^&#]*)")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]*\Z")
"""A text that holds nothing to take out."""

_DEPTH: Final = 12


class Masker:
    """Masks events of one destination."""

    def __init__(self, destination: Destination) -> None:
        self._root = destination.root

    @staticmethod
    def needed(raw: bytes, *, has_findings: bool) -> bool:
        """Whether an event may hold anything to mask, from its JSON text and whether anything was found in it.

        Nothing unhashed can stand where a hash belongs, and nothing personal where it has no place, without a finding.
        """
        return has_findings or b"@" in raw or b"+" in raw or (b"%" in raw and b"%40" in raw)

    def mask(self, event: Any) -> Any:
        """The event as it may be kept."""
        return self._object(event, self._root, _DEPTH) if isinstance(event, dict) else MASK

    def _object(self, value: dict[str, Any], field: Field, depth: int) -> dict[str, Any]:
        known = field.children or {}
        return {
            _name(name): self._value(inner, known[name], depth - 1)
            if name in known
            else _personal(name) or _free(inner, field, depth - 1)
            for name, inner in value.items()
        }

    def _value(self, value: Any, field: Field, depth: int) -> Any:
        if isinstance(value, list):
            return [self._value(one, field, depth - 1) for one in value] if depth else MASK
        if isinstance(value, dict):
            return self._object(value, field, depth) if field.kind == "object" and depth else MASK
        if field.kind == "object":
            return value if is_nothing(value) else MASK
        if field.hash:
            return _hash(value, field)
        if field.never_hash and field.cleaned and not _has_its_form(value, field):
            return MASK
        return _text(value) if isinstance(value, str) else value


def _has_its_form(value: Any, field: Field) -> bool:
    """Whether a person's parameter that is sent in the clear is what it should be, and not another one by mistake."""
    return is_nothing(value) or field.preparer()(value, Context(0.0)) is not None


def _hash(value: Any, field: Field) -> Any:
    """A hash, or nothing; an id that may be sent as it is stays unless it looks like an address."""
    if value is None or value == "" or (isinstance(value, str) and _HASH.match(value)):
        return value
    return _text(value) if field.may_be_raw and isinstance(value, str) else MASK


def _free(value: Any, parent: Field, depth: int) -> Any:
    """A parameter that the destination does not know: kept where keys of one's own belong, masked elsewhere."""
    if not parent.additional or not depth:
        return MASK
    if isinstance(value, dict):
        return {_name(name): _personal(name) or _free(inner, parent, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_free(one, parent, depth - 1) for one in value]
    return _text(value) if isinstance(value, str) else value


_WORDS: Final = re.compile(
    r"e.?mail|(first|last|full|sur).?name|phone|mobile|^tel|birth|^dob$|^address|street|^ssn$|password|^zip|postal"
    r"|^(em|ph|fn|ln)$",
    re.I,
)


def _personal(name: str) -> str:
    return MASK if _WORDS.search(name) else ""


def _name(name: str) -> str:
    return shown(name) if len(name) <= 64 else "(a key)"


def _text(text: str) -> str:
    """A text without addresses and numbers; the values of a query that belong to a person's parameters go as well."""
    if "?" in text:
        text = _QUERY.sub(lambda found: f"{found[1]}={MASK}" if _WORDS.search(found[1]) else found[0], text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(MASK, text)
    return _PHONE.sub(MASK, text) if "+" in text else text


def plain(text: object, length: int = 100) -> str:
    """A short text of a request as it may be stored and shown: one line, no control characters, nobody's data."""
    if not isinstance(text, str):
        return ""
    if len(text) <= length and _WORD.match(text):
        return text
    if not (text.isprintable() and len(text) <= length):
        text = "".join(c if c.isprintable() else " " for c in text[: 2 * length])
    return _text(" ".join(text.split()))[:length]


def mapping_of(value: Any, key: str) -> Mapping[str, Any]:
    """A member of an event that should be an object, or nothing."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
