"""What looks like personal data where none belongs: in free keys, free texts and the query of an address.

It can only be a suspicion, so it is never more than a warning by default. It names keys, never values.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any, Final

_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}\.[A-Za-z]{2}")
_PHONE: Final = re.compile(r"\+[0-9](?:[ ().-]?[0-9]){7,14}\Z")
_DEPTH: Final = 3
_SHOWN: Final = re.compile(r"[A-Za-z0-9_$.-]{1,64}\Z")


def shown(key: str) -> str:
    """A key as it may be shown: a key that is no plain word could itself be somebody's data."""
    return key if _SHOWN.match(key) else "(a key)"


def looks_personal(value: Any, path: str, words: Set[str], depth: int = _DEPTH) -> list[str]:
    """The paths below ``path`` whose key is one of ``words`` or whose text is an e-mail address or a phone number."""
    if type(value) is str:
        return [path] if _is_personal(value) else []
    if not depth:
        return []
    found: list[str] = []
    if type(value) is dict:
        for key, inner in value.items():
            kind = type(inner)
            if kind is str:
                if key.lower() in words or _is_personal(inner):
                    found.append(f"{path}.{shown(key)}")
            elif key.lower() in words and inner is not None and inner != [] and inner != {}:
                found.append(f"{path}.{shown(key)}")
            elif kind is dict or kind is list:
                found += looks_personal(inner, f"{path}.{shown(key)}", words, depth - 1)
    elif type(value) is list:
        for i, inner in enumerate(value):
            found += looks_personal(inner, f"{path}[{i}]", words, depth - 1)
    return found


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
