"""Filters and functions for what tells people, orders and clicks apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_plus

from ..values import is_empty, text
from .arguments import as_text, text_argument
from .registry import Fails, filter_, function

_MAX_PHONE: Final = 64
_MAX_PARAMETERS: Final = 1_000


@filter_(
    ("'abc' | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("none | sha256", None),
    ("'  ' | sha256", "  "),
    ("['a'] | sha256", Fails("wrong-type")),
)
def sha256(value: Any) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in hexadecimal. The text is hashed as it is: trim and lower it first.

    Parameters that the destination hashes need none of this: give them plain text.
    """
    return hashlib.sha256(as_text(value).encode("utf-8", "surrogatepass")).hexdigest()


@function(
    ("stable_id('A-1', 'Purchase')", "7aa6012bb039f62a0df574fd2ca480c5"),
    ("stable_id(none, 'Purchase')", None),
)
def stable_id(*parts: Any) -> str | None:
    """An id made of values: the same for the same values, another for others; empty if one of them is empty.

    32 hexadecimal characters of a SHA-256 over the parts and their lengths. `5` and `'5'` are the same part.
    """
    digest = hashlib.sha256()
    for part in parts:
        if is_empty(part):
            return None
        encoded = text(part).strip().encode("utf-8", "surrogatepass")
        digest.update(b"%d:%s," % (len(encoded), encoded))
    return digest.hexdigest()[:32]


@filter_(
    ("'https://shop.example/?a=1&fbclid=IwAR2%2Bx#top' | query_param('fbclid')", "IwAR2+x"),
    ("'?q=red+shoes' | query_param('q')", "red shoes"),
    ("'https://shop.example/' | query_param('fbclid')", None),
)
def query_param(value: Any, name: Any) -> str | None:
    """The value of a parameter in the query of a URL (the first, if there are several), decoded; else empty."""
    whole = as_text(value).partition("#")[0]
    wanted = text_argument(name, "name")
    before, mark, query = whole.partition("?")
    if not mark and "=" in before and "/" not in before.partition("=")[0]:
        query = before
    for pair in query.split("&", _MAX_PARAMETERS):
        key, _, found = pair.partition("=")
        if unquote_plus(key) == wanted:
            return unquote_plus(found)
    return None


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    import phonenumbers  # only mappings with phone numbers pay for it

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def _check_region(given: Mapping[str, Any]) -> str:
    region = given.get("region")
    if region is None or (isinstance(region, str) and region.strip().upper() in _regions()):
        return ""
    return f"there is no country {region!r}; countries are named by two letters, such as 'DE'"


@filter_(
    ("'030 901820' | e164('DE')", "+4930901820"),
    ("'+1 (415) 555-0132' | e164('DE')", "+14155550132"),
    ("'(415) 555-0132' | e164('us')", "+14155550132"),
    ("'ask me' | e164('DE')", None),
    ("'030 901820' | e164('Germany')", Fails("bad-argument")),
    check=_check_region,
)
def e164(value: Any, region: Any = None) -> str | None:
    """A phone number with its country's prefix: `+4930901820`. What cannot be a phone number is empty.

    `region` is the country of numbers without a prefix, as two letters; it may come from the record.
    """
    import phonenumbers

    written = as_text(value)
    country = region.strip().upper() if type(region) is str else None
    if len(written) > _MAX_PHONE:
        return None
    try:
        number = phonenumbers.parse(written, country if country in _regions() else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
