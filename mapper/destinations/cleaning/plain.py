"""How values that are never hashed are checked: text, numbers, times, addresses.

Each maker takes what a destination file says of a parameter and gives a function: any value -> the value to send, or
``UnusableError``. Emptiness has been dealt with before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from ...language.addresses import APPENDIX, bare, is_private
from ...language.values import Context, pruned
from ...language.values import text as as_text
from .people import BLANKS
from .unusable import DoubtfulError, UnusableError
from .words import words

Check = Callable[[Any, Context], Any]

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_URL: Final = re.compile(r"https?://[^\s/?#\\]+(?:[/?#]\S*)?", re.IGNORECASE)
_CLICK_ID: Final = re.compile(r"fb\.[0-9]+\.(?![0-9]{10}\.)[0-9]+\.[^.\s]+", re.ASCII)
_APPENDIX: Final = re.compile(APPENDIX)
_SECONDS: Final = 10
"""The digits of a time in seconds, from 2001 to 2286; milliseconds have three more."""
_IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}", re.ASCII)
_PRIVATE_4: Final = re.compile(r"10\.|127\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2[0-9]|3[01])\.")
"""The common case without building an address; whatever does not match is looked at in full."""
_MILLISECONDS: Final = 100_000_000_000
"""Seconds do not reach this for three thousand years, so it is milliseconds."""
_BEYOND: Final = _MILLISECONDS * 1000
"""Nor are these milliseconds."""


def text(said: Mapping[str, Any]) -> Check:
    longest: int | None = said.get("max_length")
    allowed = frozenset(said.get("allowed") or ())

    def plain(value: Any, context: Context) -> str:
        if type(value) is str:
            return value.strip(BLANKS)
        if type(value) is int or type(value) is float:
            return as_text(value)
        raise UnusableError("wrong-type")

    def check(value: Any, context: Context) -> str:
        found = plain(value, context)
        if allowed and found not in allowed:
            raise UnusableError("not-one-of")
        if longest is not None and len(found) > longest:
            raise UnusableError("too-long")
        return found

    return check if allowed or longest is not None else plain


def number(said: Mapping[str, Any]) -> Check:
    least, most = said.get("min"), said.get("max")

    def check(value: Any, context: Context) -> int | float:
        return _between(_number(value), least, most)

    return check if least is not None or most is not None else lambda value, context: _number(value)


def amount(said: Mapping[str, Any]) -> Check:
    """Money: not negative, and rounded to four places so that no binary dust is sent."""

    def check(value: Any, context: Context) -> int | float:
        if type(value) is float and 0.0 <= value < 1e15:
            return round(value, 4)
        found = _number(value)
        if found < 0:
            raise UnusableError("negative")
        return round(found, 4) if type(found) is float else found

    return check


def integer(said: Mapping[str, Any]) -> Check:
    least, most, allowed = said.get("min"), said.get("max"), frozenset(said.get("allowed") or ())

    def check(value: Any, context: Context) -> int:
        try:
            found = _number(value)
        except UnusableError:
            raise UnusableError("bad-integer") from None
        if type(found) is float and not found.is_integer():
            raise UnusableError("bad-integer")
        whole = int(found)
        if not -(2**63) <= whole < 2**63:
            raise UnusableError("bad-integer")
        if allowed and whole not in allowed:
            raise UnusableError("not-one-of")
        return int(_between(whole, least, most))

    return check


def _number(value: Any) -> int | float:
    if type(value) is int and -(2**63) < value < 2**63:
        return value
    if type(value) is str:
        value = value.strip(BLANKS)
        if _NUMBER.fullmatch(value) is None:
            raise UnusableError("bad-number")
        return float(value) if "." in value else int(value)
    if type(value) is float and math.isfinite(value):
        return value
    raise UnusableError("bad-number")


def _between(value: int | float, least: float | None, most: float | None) -> int | float:
    if least is not None and value < least:
        raise UnusableError("too-small")
    if most is not None and value > most:
        raise UnusableError("too-large")
    return value


def boolean(said: Mapping[str, Any]) -> Check:
    known = {True: True, False: False, "true": True, "false": False}

    def check(value: Any, context: Context) -> bool:
        if type(value) is bool:
            return value
        if type(value) is str and value.strip(BLANKS) in known:
            return known[value.strip(BLANKS)]
        raise UnusableError("bad-boolean")

    return check


def flag(said: Mapping[str, Any]) -> Check:
    known = {"1": 1, "0": 0, "true": 1, "false": 0}

    def check(value: Any, context: Context) -> int:
        if type(value) is bool or (type(value) is int and value in (0, 1)):
            return int(value)
        if type(value) is str and value.strip(BLANKS) in known:
            return known[value.strip(BLANKS)]
        raise UnusableError("bad-flag")

    return check


def moment(said: Mapping[str, Any]) -> Check:
    """Unix seconds, from seconds or ISO 8601 with an offset. Samples that are replayed are shifted here."""

    def check(value: Any, context: Context) -> int:
        if type(value) is int and 0 < value < _MILLISECONDS:
            return value + int(context.shift)
        if type(value) is str:
            value = value.strip(BLANKS)
            seconds = _number(value) if _NUMBER.fullmatch(value) else _parsed(value)
        elif type(value) is int or type(value) is float:
            seconds = value
        else:
            raise UnusableError("bad-time")
        if not 0 < seconds < _MILLISECONDS:
            raise UnusableError("milliseconds" if _MILLISECONDS <= seconds < _BEYOND else "bad-time")
        return int(seconds) + int(context.shift)

    return check


def _parsed(value: str) -> float:
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise UnusableError("time-without-zone")
        return found.timestamp()
    except (ValueError, OverflowError):
        raise UnusableError("bad-time") from None


def currency(said: Mapping[str, Any]) -> Check:
    known = words().currencies

    def check(value: Any, context: Context) -> str:
        if type(value) is not str:
            raise UnusableError("bad-currency")
        if value in known:
            return value
        code = value.strip(BLANKS).upper()
        if code not in known:
            raise UnusableError("bad-currency")
        return code

    return check


def web_url(said: Mapping[str, Any]) -> Check:
    def check(value: Any, context: Context) -> str:
        if type(value) is not str:
            raise UnusableError("bad-url")
        url = str(value).strip(BLANKS)
        if _URL.fullmatch(url) is None:
            raise UnusableError("bad-url")
        return url

    return check


def ip_address(said: Mapping[str, Any]) -> Check:
    """The visitor's own address, as it was written; the Parameter Builder's has an appendix.

    Private addresses are those of a proxy or a test.
    """

    def check(value: Any, context: Context) -> str:
        if type(value) is not str:
            raise UnusableError("bad-ip")
        if _IPV4.fullmatch(value):
            if _PRIVATE_4.match(value):
                raise UnusableError("private-ip")
            return value
        written = str(value).strip(BLANKS)
        try:
            private = is_private(written)
        except ValueError:
            private = appended(written)
        if private:
            raise UnusableError("private-ip")
        return written

    def appended(written: str) -> bool:
        try:
            return is_private(bare(written))
        except ValueError:
            raise UnusableError("bad-ip") from None

    return check


def click_id(said: Mapping[str, Any]) -> Check:
    """``fb.<n>.<milliseconds>.<id>``, with or without the appendix of Meta's Parameter Builder; case matters."""

    def check(value: Any, context: Context) -> str:
        if type(value) is not str:
            raise UnusableError("bad-click-id")
        if _CLICK_ID.fullmatch(value):
            return value
        written = str(value).strip(BLANKS)
        parts = written.split(".")
        if len(parts) not in (4, 5) or parts[0] != "fb" or not parts[3]:
            raise UnusableError("bad-click-id")
        if not all(part.isascii() and part.isdigit() for part in parts[1:3]):
            raise UnusableError("bad-click-id")
        if len(parts) == 5 and _APPENDIX.fullmatch(parts[4]) is None:
            raise UnusableError("bad-click-id")
        if len(parts[2]) == _SECONDS:
            raise DoubtfulError("click-id-seconds", written)
        return written

    return check


def anything(said: Mapping[str, Any]) -> Check:
    def check(value: Any, context: Context) -> Any:
        return pruned(value)

    return check
