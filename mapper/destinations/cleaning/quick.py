"""The common case of each cleaning in one step: ASCII text of the usual shape, and numbers of the usual kind.

Every function here lets only values through for which it gives exactly what the whole cleaning gives, without a
warning; all others go to the whole cleaning. A property test holds the two together.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from ...language.values import Context
from .people import WORDS_FOR_NOTHING

__all__ = ["marked", "quick"]

Prepare = Callable[..., Any]
Whole = Callable[[Any, Context, Any], Any]

_SHORTCUT: Final = "shortcut"
_BLANKS: Final = " \t\n\r\x0b\x0c"
_LONGEST: Final = 31
"""Longer text may be a hash already."""
_EXACT: Final = 10.0**13
"""Below it, a hundredth is far larger than what a float cannot tell apart."""

_EMAIL: Final = re.compile(
    r"[a-z0-9_+\-]++(?:\.[a-z0-9_+\-]++)*+@[a-z0-9]++(?:-++[a-z0-9]++)*+(?:\.[a-z0-9]++(?:-++[a-z0-9]++)*+)++", re.ASCII
)
_URL: Final = re.compile(r"https?://[a-z0-9.\-:]++(?:[/?#][!-~]*+)?", re.ASCII)
_CLICK_ID: Final = re.compile(r"fb\.[0-9]++\.(?![0-9]{10}\.)[0-9]++\.[0-9A-Za-z_\-]++", re.ASCII)
_MAYBE_NOTHING: Final = frozenset("".join(word.lower().split()).encode() for word in WORDS_FOR_NOTHING)
_NOT_DIGITS: Final = bytes(code for code in range(256) if not 48 <= code <= 57)
_LOWER: Final = bytes(code + 32 if 65 <= code <= 90 else code for code in range(256))
_BLANK_BYTES: Final = _BLANKS.encode()
_MAYBE_PRIVATE: Final = frozenset({10, 127, 169, 172, 192})
"""First bytes of the IPv4 networks of which at least a part is private."""


def quick(step: str, said: Mapping[str, Any], options: Mapping[str, Any], whole: Prepare) -> Prepare:
    """The whole cleaning of a parameter with its common case before it.

    step      the step or, without one, the kind: ``email``, ``number``
    said      what the parameter's declaration says: ``min``, ``max``, ``allowed``
    options   what a mapping says beside the value; with any, nothing is common
    """
    if options or not set(said).isdisjoint(("allowed", "max", "max_length", "companion")):
        return whole
    make = _MAKERS.get(step)
    least = said.get("min", 0)
    if make is None or (step in ("number", "integer") and least != 0) or (step == "amount" and least != 0):
        return whole
    return make(whole)


def marked(prepare: Prepare, shortcut: str, by: Any = None) -> Prepare:
    """Say of a function that generated code may decide its common case in place (see ``shortcuts``).

    by   what it is decided by, where the name does not say it all: a length, a function
    """
    prepare.__dict__[_SHORTCUT] = shortcut
    prepare.__dict__["by"] = by
    return prepare


def _email(whole: Whole) -> Prepare:
    def email(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is str:
            lowered = value.strip(_BLANKS).lower()
            if _EMAIL.fullmatch(lowered) is not None:
                return [sha256(lowered.encode()).hexdigest()]
        return None if value is None else whole(value, context, companion)

    return email


def _phone(whole: Whole) -> Prepare:
    def phone(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is str and len(value) <= _LONGEST and value.isascii() and "(0" not in value:
            digits = value.encode().translate(None, _NOT_DIGITS).lstrip(b"0")
            # A bracket with blanks around its zero is for the whole cleaning, which warns of it.
            if 7 <= len(digits) <= 15 and "( " not in value and value.isprintable():
                return [sha256(digits).hexdigest()]
        return None if value is None else whole(value, context, companion)

    return phone


def _external_id(whole: Whole) -> Prepare:
    def external_id(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is str and len(value) <= _LONGEST and value.isascii():
            cleaned = value.encode().translate(_LOWER, _BLANK_BYTES)
            if cleaned and cleaned not in _MAYBE_NOTHING:
                return [sha256(cleaned).hexdigest()]
        return None if value is None else whole(value, context, companion)

    return external_id


def _ip_address(whole: Whole) -> Prepare:
    packed, four, six = socket.inet_pton, socket.AF_INET, socket.AF_INET6

    def ip_address(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is str:
            try:
                if ":" in value:
                    if packed(six, value)[0] >> 5 == 1:  # 2000::/3, where all public addresses are
                        return value
                elif packed(four, value)[0] not in _MAYBE_PRIVATE:
                    return value
            except (OSError, ValueError):
                pass
        return None if value is None else whole(value, context, companion)

    return ip_address


def _matching(pattern: re.Pattern[str]) -> Callable[[Whole], Prepare]:
    """Text that is sent as it is if it matches."""
    fits = pattern.fullmatch

    def make(whole: Whole) -> Prepare:
        def matching(value: Any, context: Context, companion: Any = None) -> Any:
            if type(value) is str and fits(value) is not None:
                return value
            return None if value is None else whole(value, context, companion)

        return marked(matching, "matching", fits)

    return make


def _amount(whole: Whole) -> Prepare:
    def amount(value: Any, context: Context, companion: Any = None) -> Any:
        # The float that is nearest to so many hundredths is what rounding to four places gives.
        if type(value) is float and 0.0 <= value < _EXACT and (value * 100 + 0.5) // 1 / 100 == value:
            return value
        return None if value is None else whole(value, context, companion)

    return marked(amount, "amount")


def _number(whole: Whole) -> Prepare:
    def number(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is int and 0 <= value < 9_223_372_036_854_775_808:
            return value
        return None if value is None else whole(value, context, companion)

    return marked(number, "number")


def _moment(whole: Whole) -> Prepare:
    def moment(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is int and 0 < value < 100_000_000_000:
            return value + int(context.shift)
        return None if value is None else whole(value, context, companion)

    return marked(moment, "moment")


_MAKERS: Final[Mapping[str, Callable[[Whole], Prepare]]] = {
    "email": _email,
    "phone": _phone,
    "external_id": _external_id,
    "ip_address": _ip_address,
    "web_url": _matching(_URL),
    "fbc": _matching(_CLICK_ID),
    "fbp": _matching(_CLICK_ID),
    "amount": _amount,
    "number": _number,
    "integer": _number,
    "time": _moment,
}
