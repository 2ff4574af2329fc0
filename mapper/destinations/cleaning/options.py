"""What a mapping may say beside a value: ``{value: "{{ phone }}", country: DE}``.

A destination file names the options that a parameter has; what each means and takes stands here, for the compiler, for
editors and for the docs. Options are written out: they are decided when a mapping is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    about    what it says of the value, for people
    takes    what may stand behind it, in words
    instead  what to write where its value is only known from the record, or ""
    schema   JSON Schema of what may stand behind it
    fits     whether a value is one of those
    """

    about: str
    takes: str
    schema: Mapping[str, Any]
    fits: Callable[[Any], bool]
    instead: str = ""


_YEAR: Final = "%[Yyxc]"
"""What gives a date a year; newer Pythons warn where there is none."""


def _boolean(value: Any) -> bool:
    return type(value) is bool


def _region(value: Any) -> bool:
    import phonenumbers  # a large library, only for mappings that ask for it

    return isinstance(value, str) and value.upper() in phonenumbers.SUPPORTED_REGIONS


def _date_format(value: Any) -> bool:
    """Whether a day that is written so can be read again."""
    day = datetime(1987, 11, 23)
    if not isinstance(value, str) or re.search(_YEAR, value) is None:
        return False
    try:
        return datetime.strptime(day.strftime(value), value) == day
    except ValueError:
        return False


OPTIONS: Final[Mapping[str, Option]] = {
    "prehashed": Option(
        "true: it was hashed before it came here, and plain values are left out. false: it is plain, whatever it looks "
        "like. Without it, a SHA-256 in hex is recognised.",
        "true or false",
        {"type": "boolean"},
        _boolean,
    ),
    "hash": Option("false: it is sent as it is.", "true or false", {"type": "boolean"}, _boolean),
    "country": Option(
        "The country of phone numbers that do not name theirs.",
        "a country's two letters, such as DE",
        {"type": "string", "pattern": "^[A-Za-z]{2}$"},
        _region,
        "To take it from the record, write it into the value: phone | e164(country).",
    ),
    "format": Option(
        "How the date is written.",
        "day, month and year in the codes of Python's strptime, such as '%d.%m.%Y'",
        {"type": "string", "pattern": _YEAR},
        _date_format,
        "Where it differs from record to record, leave the option out.",
    ),
}
