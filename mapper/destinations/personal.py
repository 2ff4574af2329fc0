"""What looks like personal data where none belongs: in free keys, free texts and the query of an address.

It can only be a suspicion, so it is never more than a warning by default. It names keys, never values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Any, Final

_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}\.[A-Za-z]{2}")
_PHONE: Final = re.compile(r"\+[0-9](?:[ ().-]?[0-9]){7,14}\Z")
_DEPTH: Final = 3
_lower: Final = str.lower
_SHOWN: Final = re.compile(r"[A-Za-z0-9_$.-]{1,64}\Z")

_AT, _PLUS, _PERCENT = b"@+%"


def shown(key: str) -> str:
    """A key as it may be shown: a key that is no plain word could itself be somebody's data."""
    return key if _SHOWN.match(key) else "(a key)"


def looks_personal(value: Any, path: str, words: Set[str], depth: int = _DEPTH) -> list[str]:
    """The paths below ``path`` whose key is one of ``words`` or whose text is an e-mail address or a phone number."""
    return list(_found(value, path, words, depth)) if _is_suspect(value, words, depth) else []


def _is_suspect(value: Any, words: Set[str], depth: int) -> bool:
    """Whether there can be something to find. Most values hold nothing, and then no path has to be made."""
    kind = type(value)
    if kind is str:
        return "@" in value or value[:1] == "+"
    if not depth:
        return False
    if kind is dict:
        if not words.isdisjoint(map(_lower, value)):
            return True
        value = value.values()
    elif kind is not list:
        return False
    for inner in value:
        kind = type(inner)
        if kind is str:
            if "@" in inner or inner[:1] == "+":
                return True
        elif (kind is dict or kind is list) and _is_suspect(inner, words, depth - 1):
            return True
    return False


def _found(value: Any, path: str, words: Set[str], depth: int) -> Iterator[str]:
    if type(value) is str:
        if _is_personal(value):
            yield path
    elif depth and type(value) is dict:
        for key, inner in value.items():
            where = f"{path}.{shown(key)}"
            if key.lower() in words and inner is not None and inner != [] and inner != {}:
                yield where
            else:
                yield from _found(inner, where, words, depth - 1)
    elif depth and type(value) is list:
        for i, inner in enumerate(value):
            yield from _found(inner, f"{path}[{i}]", words, depth - 1)


def _is_personal(text: str) -> bool:
    if "@" in text:
        return _EMAIL.search(text) is not None
    return text[:1] == "+" and _PHONE.match(text) is not None


def personal_query(address: Any, words: Set[str]) -> bool:
    """Whether the query of an address has a key of ``words`` with a value, or an e-mail address."""
    if type(address) is not str:
        return False
    query = address.partition("?")[2]
    if not query:
        return False
    if ("@" in query or "%40" in query) and _EMAIL.search(query):
        return True
    return any(key.lower() in words and value for key, _, value in map(_pair, query.split("&")))


def _pair(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def may_name_somebody(encoded: bytes) -> bool:
    """Whether an event may hold an e-mail address or a phone number. A byte is found fastest as a number."""
    return _AT in encoded or _PLUS in encoded or (_PERCENT in encoded and b"%40" in encoded)
