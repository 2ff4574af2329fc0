"""How customer information is normalised before it is hashed.

Each function takes trimmed text in Unicode form NFC and gives the text to hash, or raises ``UnusableError``. Where
Meta's page is silent or contradicts itself, the rules are those of Meta's own Parameter Builder, but for states,
countries and postal codes, which it cuts to what may be another place.

Source: https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters
"""

from __future__ import annotations

import re
import string
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from ...language.values import Context
from .unusable import UnusableError
from .words import words

BLANKS: Final = (
    "\t\n\x0b\x0c\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What browsers trim, which is not quite what Python trims."""

WORDS_FOR_NOTHING: Final = frozenset(
    ("None", "null", "NULL", "nan", "NaN", "undefined", "n/a", "N/A", "[object Object]")
)
"""What programs write where they have nothing, letter for letter: Null and Nan are names of people."""

_BLANK: Final = re.compile(f"[{BLANKS}]+")
_NAME: Final = re.compile(f"[{BLANKS}{re.escape(string.punctuation)}]+")
_EMAIL: Final = re.compile(
    r"[a-z0-9_!#$%&'*+/=?^`{|}~\-]+(?::?\.[a-z0-9_!#$%&'*+/=?^`{|}~\-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?",
    re.ASCII,
)
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")
_ONLY_DIGITS: Final = {code: None for code in range(128) if not 48 <= code <= 57}
_NO_BLANKS: Final = {ord(blank): None for blank in BLANKS if blank.isascii()}
"""Much quicker than a pattern, for text that is ASCII."""
_NOT_LETTERS: Final = re.compile(r"[^a-z]+")
_NOT_ALNUM: Final = re.compile(r"[^A-Za-z0-9]+")
_TRUNK: Final = re.compile(r"\(\s*0\s*\)")

Rule = Callable[[str, Context, Any], str]
"""(trimmed text, context, the companion's value) -> the text to hash"""


def email(text: str, context: Context, companion: Any) -> str:
    lowered = text.lower()
    if _EMAIL.fullmatch(lowered) is None:
        raise UnusableError("bad-email")
    return lowered


def phone(options: Mapping[str, Any], warn: Callable[[Context, str], None]) -> Rule:
    """Digits only, without leading zeros. ``country: DE`` reads a number without a country code as a German one."""
    region = str(options.get("country") or "").upper()

    def rule(text: str, context: Context, companion: Any) -> str:
        if region and not text.startswith(("+", "00")):
            text = _international(text, region)
        digits = (text.translate(_ONLY_DIGITS) if text.isascii() else _NOT_DIGITS.sub("", text)).lstrip("0")
        if not digits:
            raise UnusableError("bad-phone")
        if not 7 <= len(digits) <= 15:
            warn(context, "phone-length")
        elif "(" in text and _TRUNK.search(text) and text.startswith(("+", "00")):
            warn(context, "phone-trunk-zero")
        return digits

    return rule


def _international(text: str, region: str) -> str:
    import phonenumbers  # a large library, only for mappings that ask for it

    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise UnusableError("bad-phone") from None
    return f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


def name(text: str, context: Context, companion: Any) -> str:
    cleaned = _NAME.sub("", text).lower()
    if not cleaned:
        raise UnusableError("bad-name")
    return cleaned


def gender(text: str, context: Context, companion: Any) -> str:
    found = words().genders.get(text.lower())
    if found is None:
        raise UnusableError("bad-gender")
    return found


def city(text: str, context: Context, companion: Any) -> str:
    cleaned = _NOT_ALNUM.sub("", text).lower()
    if not cleaned or cleaned[0].isdigit():
        raise UnusableError("bad-city")
    return cleaned


def state(text: str, context: Context, companion: Any) -> str:
    lowered = text.lower()
    letters = _NOT_LETTERS.sub("", lowered)
    if len(letters) == 2:
        return letters
    known = words().states.get(letters)
    if known is not None:
        return known
    cleaned = _NOT_ALNUM.sub("", lowered)
    if not cleaned or cleaned[0].isdigit():
        raise UnusableError("bad-state")
    return cleaned


def postal_code(text: str, context: Context, companion: Any) -> str:
    cleaned = _BLANK.sub("", text).lower().partition("-")[0]
    if len(cleaned) < 2:
        raise UnusableError("bad-postal-code")
    if companion is not None and _in_us(companion):
        return cleaned[:5]
    return cleaned


def _in_us(companion: Any) -> bool:
    if type(companion) is list:
        companion = companion[0] if companion else None
    return type(companion) is str and words().country(companion) == "us"


def country(text: str, context: Context, companion: Any) -> str:
    found = words().country(text)
    if found is None:
        raise UnusableError("bad-country")
    return found


def external_id(text: str, context: Context, companion: Any) -> str:
    return (text.translate(_NO_BLANKS) if text.isascii() else _BLANK.sub("", text)).lower()


def birth_date(options: Mapping[str, Any]) -> Rule:
    """A date as YYYYMMDD. ``format: '%d.%m.%Y'`` says how it is written; without it, days and months are told apart
    where they can be, and otherwise the month is first."""
    written = options.get("format")

    def rule(text: str, context: Context, companion: Any) -> str:
        if written is not None:
            try:
                day = datetime.strptime(text, str(written)).date()
            except ValueError:
                raise UnusableError("bad-date") from None
        else:
            day = _date(text)
        latest = datetime.fromtimestamp(context.now or time.time(), UTC).date()
        if not date(1900, 1, 1) <= day <= latest:
            raise UnusableError("bad-date")
        return day.strftime("%Y%m%d")

    return rule


def _date(text: str) -> date:
    groups = _NOT_DIGITS.sub(" ", text).split()
    if len(groups) == 1 and len(groups[0]) == 8:
        year, month, day = groups[0][:4], groups[0][4:6], groups[0][6:]
    elif len(groups) >= 3 and all(len(group) <= 4 for group in groups[:3]):
        a, b, c = groups[:3]
        if int(a) > 31:
            year, month, day = a, b, c
            if int(month) > 12:
                month, day = day, month
        else:
            year, month, day = (b, a, c) if int(b) > 31 else (c, a, b)
            if int(month) > 12:
                month, day = day, month
    else:
        raise UnusableError("bad-date")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise UnusableError("bad-date") from None
