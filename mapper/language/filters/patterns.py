"""Filters with regular expressions, by RE2: a search takes time in proportion to the text, whatever the pattern.

Patterns are written out in the mapping and checked when it is compiled. RE2 has no look-around and no
references back; ``\\d`` and ``\\w`` are ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ...errors import RecordError
from ..effort import MEMBER, spend, spend_on
from ..values import MAX_TEXT
from .arguments import as_text
from .registry import Fails, as_test, filter_

_LITERAL: Final = frozenset(("pattern", "replacement", "ignore_case", "group"))
_MAX_MATCHES: Final = 100_000


@lru_cache(maxsize=1_024)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    import re2  # only mappings with patterns pay for it

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


@lru_cache(maxsize=1_024)
def _template(replacement: str) -> tuple[str | int, ...]:
    """A replacement as texts and numbers of groups: ``\\1``."""
    parts: list[str | int] = []
    written = ""
    characters = iter(replacement)
    for character in characters:
        following = next(characters, "") if character == "\\" else ""
        if following.isascii() and following.isdigit():
            parts += (written, int(following))
            written = ""
        else:
            written += following if following == "\\" else character + following
    return tuple(part for part in (*parts, written) if part != "")


def _check(given: Mapping[str, Any]) -> str:
    import re2

    pattern = given.get("pattern")
    if not isinstance(pattern, str):
        return "the pattern is text"
    try:
        groups = _compiled(pattern, bool(given.get("ignore_case"))).groups
    except re2.error as error:
        said = error.args[0] if error.args else "cannot be read"
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return f"the pattern is wrong: {said}"
    wanted: list[Any] = [given["group"]] if given.get("group") is not None else []
    if isinstance(given.get("replacement"), str):
        wanted += [part for part in _template(given["replacement"]) if isinstance(part, int)]
    elif "replacement" in given:
        return "the replacement is text"
    missing = [group for group in wanted if type(group) is not int or not 0 <= group <= groups]
    return f"the pattern has no group {missing[0]!r}" if missing else ""


def _subject(value: Any) -> str:
    """The text to search; what a pattern takes to run over it counts several times."""
    whole = as_text(value)
    spend_on(whole, 4)
    return whole


@filter_(
    ("'SKU-2231' | regex_match('^SKU-[0-9]+$')", True),
    ("'sku-2231' | regex_match('^SKU', ignore_case=true)", True),
    ("none | regex_match('a')", None),
    literal=_LITERAL,
    check=_check,
)
def regex_match(value: Any, pattern: str, ignore_case: bool = False) -> bool:
    """Whether a pattern occurs anywhere in the text; `^` and `$` tie it to the ends."""
    return _compiled(pattern, bool(ignore_case)).search(_subject(value)) is not None


@as_test(
    ("'SKU-2231' is matches('^SKU-[0-9]+$')", True),
    ("'SKU-2231' matches '^[0-9]+$'", False),
    ("none is matches('')", False),
    literal=_LITERAL,
    check=_check,
)
def matches(value: Any, pattern: str, ignore_case: bool = False) -> bool:
    """A regular expression occurs in the text. It may be written without `is`."""
    return type(value) is str and not value.isspace() and value != "" and regex_match(value, pattern, ignore_case)


@filter_(
    ("'Order 2231 of 5' | regex_extract('[0-9]+')", "2231"),
    ("'utm=spring&x=1' | regex_extract('utm=([a-z]+)')", "spring"),
    ("'none here' | regex_extract('[0-9]+')", None),
    ("'a1' | regex_extract('(a)(1)', group=2)", "1"),
    literal=_LITERAL,
    check=_check,
)
def regex_extract(value: Any, pattern: str, group: int | None = None, ignore_case: bool = False) -> str | None:
    """The first match: its group 1 if the pattern has one, else all of it; empty if there is no match."""
    expression = _compiled(pattern, bool(ignore_case))
    found = expression.search(_subject(value))
    if found is None:
        return None
    result: str | None = found.group(min(1, expression.groups) if group is None else group)
    return result


@filter_(
    ("'+1 (555) 010-0199' | regex_replace('[^0-9]', '')", "15550100199"),
    (r"'Doe, Jane' | regex_replace('(\w+), (\w+)', '\2 \1')", "Jane Doe"),
    ("'a' | regex_replace('(', '')", Fails("bad-argument")),
    literal=_LITERAL,
    check=_check,
)
def regex_replace(value: Any, pattern: str, replacement: str, ignore_case: bool = False) -> str:
    """Text with every match replaced; `\\1` in the replacement is what group 1 matched."""
    whole = _subject(value)
    template = _template(replacement)
    parts: list[str] = []
    position = size = 0
    for count, found in enumerate(_compiled(pattern, bool(ignore_case)).finditer(whole)):
        made = [part if isinstance(part, str) else found.group(part) or "" for part in template]
        parts += (whole[position : found.start()], *made)
        size += sum(map(len, made))
        position = found.end()
        if size + len(whole) > MAX_TEXT + position or count > _MAX_MATCHES:
            raise RecordError("limit", "replacing makes a text too long")
    parts.append(whole[position:])
    spend(size + len(parts) * 10 * MEMBER)
    return "".join(parts)
