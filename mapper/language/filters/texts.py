"""Filters for text."""

from __future__ import annotations

import re
from typing import Any, Final

from ...errors import RecordError
from ..effort import LARGE, spend_on
from ..values import MAX_ITEMS, MAX_TEXT, kind, sized
from .arguments import as_text, text_argument, whole_argument
from .registry import Fails, filter_

_WORDS: Final = re.compile(r"([-\s({\[<]+)")


@filter_(
    ("'ADA@Example.COM' | lower", "ada@example.com"),
    ("none | lower", None),
    ("[1] | lower", Fails("wrong-type")),
)
def lower(value: Any) -> str:
    """Text in lower case."""
    return value.lower() if type(value) is str and len(value) <= LARGE else as_text(value).lower()


@filter_(("'eur' | upper", "EUR"), ("none | upper", None))
def upper(value: Any) -> str:
    """Text in upper case."""
    return value.upper() if type(value) is str and len(value) <= LARGE else as_text(value).upper()


@filter_(("'  Ada ' | trim", "Ada"), ("'__Ada__' | trim('_')", "Ada"), ("none | trim", None))
def trim(value: Any, characters: Any = None) -> str:
    """Text without white space at its ends, or without any of the given characters there."""
    return as_text(value).strip(None if characters is None else text_argument(characters, "characters"))


@filter_(("'ada king-noel' | title", "Ada King-Noel"), ("'ADA' | title", "Ada"))
def title(value: Any) -> str:
    """Every word with a capital first letter and small ones after it."""
    whole = as_text(value)
    spend_on(whole, 10)
    return "".join(word[:1].upper() + word[1:].lower() for word in _WORDS.split(whole))


@filter_(("'summer SALE' | capitalize", "Summer sale"))
def capitalize(value: Any) -> str:
    """The first letter as a capital, all others small."""
    return as_text(value).capitalize()


@filter_(
    ("'12.345,60' | replace('.', '') | replace(',', '.')", "12345.60"),
    ("'a-b-c' | replace('-', '+', 1)", "a+b-c"),
    ("none | replace('a', 'b')", None),
)
def replace(value: Any, old: Any, new: Any, count: Any = None) -> str:
    """Text with every `old` (or the first `count` of them) replaced by `new`."""
    whole, old, new = as_text(value), text_argument(old, "old"), text_argument(new, "new")
    if not old:
        raise RecordError("wrong-type", "the argument 'old' is an empty text")
    limit = -1 if count is None else whole_argument(count, "count")
    found = whole.count(old) if limit < 0 else min(limit, whole.count(old))
    if len(whole) + found * (len(new) - len(old)) > MAX_TEXT:
        raise RecordError("limit", f"a text is longer than {MAX_TEXT:,} characters")
    return whole.replace(old, new, limit)


@filter_(
    ("'a,b,,c' | split(',')", ["a", "b", "", "c"]),
    ("'Ada  King' | split", ["Ada", "King"]),
    ("'a:b:c' | split(':', 1)", ["a", "b:c"]),
    ("none | split(',')", None),
)
def split(value: Any, separator: Any = None, limit: Any = None) -> list[str]:
    """Text as a list of its parts between separators (white space, if none is given), cut `limit` times at most."""
    whole = as_text(value)
    cuts = -1 if limit is None else whole_argument(limit, "limit")
    if separator is not None:
        separator = text_argument(separator, "separator")
        if not separator:
            raise RecordError("wrong-type", "the argument 'separator' is an empty text")
        if cuts < 0 and whole.count(separator) >= MAX_ITEMS:
            raise RecordError("limit", f"a list has more than {MAX_ITEMS:,} members")
    parts: list[str] = sized(whole.split(separator, cuts))
    return parts


@filter_(("5 | string", "5"), ("2.50 | string", "2.5"), ("true | string", "true"), ("none | string", None))
def string(value: Any) -> str:
    """A number or boolean as text. Lists and objects become text with `tojson` or `join`."""
    return as_text(value)


@filter_(
    ("'abc' | length", 3),
    ("[1, 2] | length", 2),
    ("{'a': 1} | length", 1),
    ("none | length | default(0)", 0),
    ("5 | length", Fails("wrong-type")),
)
def length(value: Any) -> int:
    """How many characters a text has, a list members, or an object keys."""
    if type(value) not in (str, list, dict):
        raise RecordError("wrong-type", f"{kind(value)} has no length")
    return len(value)


@filter_(("'internal.ping' | startswith('internal.')", True), ("none | startswith('a')", None))
def startswith(value: Any, text: Any) -> bool:
    """Whether a text starts with another. In conditions write it as a test: `type startswith 'internal.'`."""
    return as_text(value).startswith(text_argument(text, "text"))


@filter_(("'a@example.com' | endswith('.com')", True))
def endswith(value: Any, text: Any) -> bool:
    """Whether a text ends with another. In conditions write it as a test: `email endswith '.org'`."""
    return as_text(value).endswith(text_argument(text, "text"))
