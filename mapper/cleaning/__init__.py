"""Values as records have them to values as a destination wants them: cleaned, checked, and hashed where it must be.

A destination file names the steps from a closed list (``clean: email``, ``hash: sha256``); they are put together once,
when a mapping is compiled. A value that is there and cannot be used is left out with a warning that names its
parameter and a code, never the value. Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from unicodedata import normalize

from ..values import Context
from . import people, plain
from .people import BLANKS, Rule
from .unusable import CODES, UnusableError

__all__ = ["CODES", "Cleaning", "Prepare", "declare", "prepare"]

Prepare = Callable[..., Any]
"""``(value, context, companion=None)`` -> what is sent, or None if there is nothing (usable)."""

_HASHED: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
_APPENDED: Final = re.compile(r"[0-9a-f]{64}\.(?:AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})", re.ASCII)
_MD5: Final = re.compile(r"[0-9a-f]{32}", re.IGNORECASE | re.ASCII)
_NOTHING: Final = sha256(b"").hexdigest()
_NO_OPTIONS: Final[Mapping[str, Any]] = {}
_MEMO_SIZE: Final = 8192

_PEOPLE: Final[dict[str, Rule]] = {
    "email": people.email,
    "name": people.name,
    "gender": people.gender,
    "city": people.city,
    "state": people.state,
    "postal_code": people.postal_code,
    "country": people.country,
    "external_id": people.external_id,
}
_MADE: Final = frozenset({"phone", "birth_date"})
"""Rules that are made anew for the options of each parameter."""
_MEMOISED: Final = frozenset({"name", "gender", "city", "state", "postal_code", "country"})
"""Few different values, seen again and again: a look-up instead of cleaning and hashing."""
_INTEGERS: Final = frozenset({"phone", "birth_date", "external_id"})

_STEPS: Final[dict[str, Callable[[Mapping[str, Any]], plain.Check]]] = {
    "amount": plain.amount,
    "currency": plain.currency,
    "web_url": plain.web_url,
    "ip_address": plain.ip_address,
    "user_agent": plain.text,
    "fbc": plain.click_id,
    "fbp": plain.click_id,
}
_KINDS: Final[dict[str, Callable[[Mapping[str, Any]], plain.Check]]] = {
    "text": plain.text,
    "number": plain.number,
    "integer": plain.integer,
    "boolean": plain.boolean,
    "flag": plain.flag,
    "time": plain.moment,
    "any": plain.anything,
}


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How one parameter is cleaned, as its destination file declares it."""

    kind: str
    step: str
    hashed: bool
    many: bool
    said: Mapping[str, Any]


def declare(kind: str, said: Mapping[str, Any] = _NO_OPTIONS) -> Cleaning:
    """The cleaning of a parameter.

    kind    text, number, integer, boolean, flag, time or any
    said    what its declaration says: ``clean``, ``hash``, ``many``, ``allowed``, ``min``, ``max``, ``max_length``
    raises  ValueError with a message for the destination file's author
    """
    step = str(said.get("clean") or "")
    hashed = said.get("hash") == "sha256"
    known = sorted({*_PEOPLE, *_MADE} if hashed else _STEPS)
    if step and step not in known:
        raise ValueError(
            f"there is no cleaning '{step}' for {'hashed' if hashed else 'plain'} values; there are: "
            + ", ".join(known)
        )
    if hashed and not step:
        raise ValueError("a hashed parameter says how it is cleaned before: clean: " + " | ".join(known))
    if not hashed and kind not in _KINDS:
        raise ValueError(f"there is no kind '{kind}'; there are: " + ", ".join(_KINDS))
    return Cleaning(kind, step, hashed, bool(said.get("many")), dict(said))


def prepare(
    cleaning: Cleaning, options: Mapping[str, Any] = _NO_OPTIONS, path: str = "", *, memo: bool = True
) -> Prepare:
    """Put the steps of a parameter together.

    options   what a mapping says beside the value: ``prehashed``, ``country``, ``format``, ``hash``
    path      the parameter, for warnings
    memo      remember the results of parameters with few different values
    """
    if cleaning.hashed and options.get("hash") is not False:
        one = _hashed(cleaning, options, path, memo)
    else:
        step = _STEPS.get(cleaning.step) or _KINDS.get(cleaning.kind) or plain.text
        one = _checked(step(cleaning.said), path)
    if cleaning.kind == "any":
        return one
    return _list(one, path) if cleaning.many else _single(one, path)


def _checked(check: plain.Check, path: str) -> Prepare:
    def one(value: Any, context: Context, companion: Any = None) -> Any:
        if value is None or value == "":
            return None
        try:
            prepared = check(value, context)
        except UnusableError as error:
            if type(value) is not str or value.strip(BLANKS):
                context.warn(error.code, path)
            return None
        return None if prepared == "" else prepared

    return one


def _hashed(cleaning: Cleaning, options: Mapping[str, Any], path: str, memo: bool) -> Prepare:
    rule = _rule(cleaning.step, options, path)
    pass_through = options.get("prehashed", "auto")
    integers, md5_is_id = cleaning.step in _INTEGERS, cleaning.step == "external_id"
    known: dict[Any, str] = {}
    memoised = memo and cleaning.step in _MEMOISED

    def hashed(text: str, context: Context, companion: Any) -> str | None:
        if not text.isascii():
            text = normalize("NFC", text)
        text = text.strip(BLANKS)
        if not text:
            return None
        if len(text) >= 32 and pass_through is not False:
            found = _already(text, md5_is_id)
            if found == _NOTHING:
                context.warn("empty-hash", path)
            if found is not None:
                return found
        if pass_through is True:
            raise UnusableError("not-hashed")
        cleaned = rule(text, context, companion)
        return sha256(cleaned.encode()).hexdigest() if cleaned else None

    def one(value: Any, context: Context, companion: Any = None) -> str | None:
        remembered = False
        if type(value) is str:
            remembered = memoised and (companion is None or type(companion) is str)
            if remembered and (value, companion) in known:
                return known[value, companion]
        elif value is None:
            return None
        elif type(value) is int and integers:
            value = str(value)
        else:
            code = "number-not-text" if type(value) is int else "wrong-type"
            if value not in ({}, []):
                context.warn(code, path)
            return None
        try:
            prepared = hashed(value, context, companion)
        except (UnusableError, UnicodeEncodeError) as error:
            context.warn(error.code if isinstance(error, UnusableError) else "wrong-type", path)
            return None
        if remembered and prepared is not None:
            if len(known) >= _MEMO_SIZE:
                known.clear()
            known[value, companion] = prepared
        return prepared

    return one


def _rule(step: str, options: Mapping[str, Any], path: str) -> Rule:
    if step == "phone":
        return people.phone(options, lambda context, code: context.warn(code, path))
    if step == "birth_date":
        return people.birth_date(options)
    return _PEOPLE[step]


def _already(text: str, md5_is_id: bool) -> str | None:
    """A value that was hashed before it came here, as it is sent; None if it was not."""
    if len(text) == 64 and _HASHED.fullmatch(text):
        return text.lower()
    if _APPENDED.fullmatch(text):
        return text
    if len(text) == 32 and not md5_is_id and _MD5.fullmatch(text):
        raise UnusableError("md5")
    return None


def _single(one: Prepare, path: str) -> Prepare:
    def single(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is list:
            filled = [item for item in value if item is not None and item != ""]
            if len(filled) > 1:
                context.warn("several", path)
                return None
            value = filled[0] if filled else None
        return one(value, context, companion)

    return single


def _list(one: Prepare, path: str) -> Prepare:
    """A parameter that takes several values: a single one is a list of one, and none is sent twice."""

    def many(value: Any, context: Context, companion: Any = None) -> list[Any] | None:
        if type(value) is not list:
            prepared = one(value, context, companion)
            return None if prepared is None else [prepared]
        seen: dict[Any, None] = {}
        for item in value:
            prepared = one(item, context, companion)
            if prepared is not None:
                seen[prepared] = None
        return list(seen) or None

    return many
