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

from ...language.addresses import APPENDIX
from ...language.values import Context
from . import people, plain, quick
from .people import BLANKS, WORDS_FOR_NOTHING, Rule
from .unusable import CODES, DoubtfulError, UnusableError

__all__ = ["CODES", "Cleaning", "Prepare", "declare", "prepare", "remembered", "shortened"]

Prepare = Callable[..., Any]
"""``(value, context, companion=None)`` -> what is sent, or None if there is nothing (usable)."""

_HASHED: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
_APPENDED: Final = re.compile(rf"[0-9A-Fa-f]{{64}}\.(?:{APPENDIX})", re.ASCII)
_MD5: Final = re.compile(r"[0-9a-f]{32}", re.IGNORECASE | re.ASCII)
_NOTHING: Final = sha256(b"").hexdigest()
_NO_OPTIONS: Final[Mapping[str, Any]] = {}
_MEMO_SIZE: Final = 8192
_ANY_LENGTH: Final = 1 << 62

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
_REPEATED: Final = frozenset({"currency", "user_agent"})
"""The same, for what is not hashed."""
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
        text = _hashed(cleaning, options, path)
        several = _several(_hashed_one(cleaning, text, path), path)
        if not cleaning.many:
            return _single(several, path)
        if memo and cleaning.step in _MEMOISED:
            by_companion = cleaning.said.get("companion") is not None
            return (_memoised_with_companion if by_companion else _memoised)(several)
        return _quick(text, several, path)
    step = _STEPS.get(cleaning.step) or _KINDS.get(cleaning.kind) or plain.text
    check = step(cleaning.said)
    if step is plain.text and not cleaning.many:
        return _text(check, cleaning.said, path)
    if cleaning.kind == "any":
        return _checked(check, path)
    return _several(_checked(check, path), path) if cleaning.many else _checked(check, path)


def shortened(cleaning: Cleaning, options: Mapping[str, Any], whole: Prepare, path: str | None = None) -> Prepare:
    """What ``prepare`` gave, with the common case before it where there is one.

    path   the parameter; None if nothing is to be remembered (see ``remembered``)
    """
    if cleaning.many is not cleaning.hashed:
        return whole
    made = quick.quick(cleaning.step or cleaning.kind, cleaning.said, options, whole)
    if path is not None and (cleaning.step in _MEMOISED or cleaning.step in _REPEATED):
        made.__dict__["remembered"] = f"{path} {dict(options)}"
    return made


def remembered(prepare: Any) -> str | None:
    """A name for what a function of ``shortened`` does, if few different values come to it again and again."""
    return getattr(prepare, "remembered", None)


# Plain values


def _checked(check: plain.Check, path: str) -> Prepare:
    def one(value: Any, context: Context, companion: Any = None) -> Any:
        if value is None or value == "":
            return None
        try:
            prepared = check(value, context)
        except DoubtfulError as error:
            context.warn(error.code, path)
            return error.value
        except UnusableError as error:
            return unusable(value, context, error)
        return None if prepared == "" else prepared

    def unusable(value: Any, context: Context, error: UnusableError) -> Any:
        """A list of one is that one; anything else that is not simply empty is left out with a warning."""
        if type(value) is list:
            filled = [item for item in value if item is not None and item != ""]
            if len(filled) == 1 and type(filled[0]) is not list:
                return one(filled[0], context)
            if filled:
                context.warn("several" if len(filled) > 1 else error.code, path)
        elif value != {} and (type(value) is not str or value.strip(BLANKS)):
            context.warn(error.code, path)
        return None

    return one


def _text(check: plain.Check, said: Mapping[str, Any], path: str) -> Prepare:
    """Plain text, the commonest kind of all, without a detour."""
    slow = _checked(check, path)
    if said.get("allowed"):
        return slow
    longest = int(said.get("max_length") or _ANY_LENGTH)

    def text(value: Any, context: Context, companion: Any = None) -> Any:
        if type(value) is str and len(value) <= longest:
            return value.strip(BLANKS) or None
        return None if value is None else slow(value, context)

    return quick.marked(text, "text" if longest == _ANY_LENGTH else "short text", longest)


# Hashed values

Hashed = Callable[[str, Context, Any], str | None]


def _hashed(cleaning: Cleaning, options: Mapping[str, Any], path: str) -> Hashed:
    """Text to its hash; None for blank text. Raises ``UnusableError``."""
    rule = _rule(cleaning.step, options, path)
    pass_through = options.get("prehashed", "auto")
    md5_is_id = cleaning.step == "external_id"

    def hashed(text: str, context: Context, companion: Any) -> str | None:
        if not text.isascii():
            text = normalize("NFC", text)
        text = text.strip(BLANKS)
        if not text:
            return None
        if text in WORDS_FOR_NOTHING:
            raise UnusableError("word-for-nothing")
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

    return hashed


def _hashed_one(cleaning: Cleaning, hashed: Hashed, path: str) -> Prepare:
    """Any value to its hash, or None, with a warning if there was one that cannot be used."""
    integers = cleaning.step in _INTEGERS

    def one(value: Any, context: Context, companion: Any = None) -> str | None:
        if type(value) is int and integers:
            value = str(value)
        if type(value) is not str:
            if value is not None and value != {} and value != []:
                context.warn("number-not-text" if type(value) is int else "wrong-type", path)
            return None
        try:
            return hashed(value, context, companion)
        except UnusableError as error:
            context.warn(error.code, path)
        except UnicodeEncodeError:
            context.warn("wrong-type", path)
        return None

    return one


def _quick(hashed: Hashed, several: Prepare, path: str) -> Prepare:
    """The common case, one text, without a detour."""

    def quick(value: Any, context: Context, companion: Any = None) -> list[str] | None:
        if type(value) is str:
            try:
                digest = hashed(value, context, companion)
            except UnusableError as error:
                context.warn(error.code, path)
                return None
            except UnicodeEncodeError:
                context.warn("wrong-type", path)
                return None
            return None if digest is None else [digest]
        return None if value is None else several(value, context, companion)

    return quick


def _memoised(several: Prepare) -> Prepare:
    """Remembers what texts gave: few different values come again and again. Bounded; failures are not remembered."""
    known: dict[str, str] = {}

    def memoised(value: Any, context: Context, companion: Any = None) -> list[str] | None:
        if type(value) is str:
            digest = known.get(value)
            if digest is not None:
                return [digest]
        elif value is None:
            return None
        prepared: list[str] | None = several(value, context, companion)
        if prepared is not None and type(value) is str:
            if len(known) >= _MEMO_SIZE:
                known.clear()
            known[value] = prepared[0]
        return prepared

    return memoised


def _memoised_with_companion(several: Prepare) -> Prepare:
    """The same for values that are read by another one, such as a postal code by its country."""
    known: dict[tuple[str, str | None], str] = {}

    def memoised(value: Any, context: Context, companion: Any = None) -> list[str] | None:
        if value is None:
            return None
        if type(value) is not str or not (companion is None or type(companion) is str):
            return several(value, context, companion)  # type: ignore[no-any-return]
        digest = known.get((value, companion))
        if digest is not None:
            return [digest]
        prepared: list[str] | None = several(value, context, companion)
        if prepared is not None:
            if len(known) >= _MEMO_SIZE:
                known.clear()
            known[value, companion] = prepared[0]
        return prepared

    return memoised


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
        return text[:64].lower() + text[64:]
    if len(text) == 32 and not md5_is_id and _MD5.fullmatch(text):
        raise UnusableError("md5")
    return None


def _single(several: Prepare, path: str) -> Prepare:
    """A parameter that takes one value only."""

    def single(value: Any, context: Context, companion: Any = None) -> Any:
        prepared = several(value, context, companion)
        if prepared is not None and len(prepared) > 1:
            context.warn("several", path)
            return None
        return None if prepared is None else prepared[0]

    return single


def _several(one: Prepare, path: str) -> Prepare:
    """A parameter that takes several values: a single one is a list of one, and none is sent twice."""

    def several(value: Any, context: Context, companion: Any = None) -> list[Any] | None:
        if type(value) is not list:
            prepared = one(value, context, companion)
            return None if prepared is None else [prepared]
        seen: dict[Any, None] = {}
        for item in value:
            if type(item) is list:
                context.warn("wrong-type", path)
                continue
            prepared = one(item, context, companion)
            if prepared is not None:
                seen[prepared] = None
        return list(seen) or None

    return several
