"""Filters and functions for what tells people, orders and clicks apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from ..addresses import bare, is_own, without_port
from ..values import is_empty, is_number, sized
from .arguments import as_text, text_argument
from .registry import Fails, filter_, function
from .times import MILLISECONDS, to_time

_MAX_PHONE: Final = 64
_MAX_CLICK: Final = 500
"""Meta's own Parameter Builder leaves longer click ids alone."""
_MAX_PARAMETERS: Final = 1_000
_BARE_CLICK: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


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
        encoded = as_text(part).strip().encode("utf-8", "surrogatepass")
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


@filter_(
    ("'red shoes & more' | urlencode", "red%20shoes%20%26%20more"),
    ("'a/b?c=ü' | urlencode", "a/b%3Fc%3D%C3%BC"),
    ("{'q': 'red shoes', 'page': 2, 'none': none} | urlencode", "q=red%20shoes&page=2"),
    ("[1] | urlencode", Fails("wrong-type")),
)
def urlencode(value: Any) -> str:
    """Text as it stands in a URL; of an object the query of a URL, without what is empty."""
    if type(value) is not dict:
        return _quoted(as_text(value), "/")
    pairs = [f"{_quoted(key, '')}={_quoted(as_text(part), '')}" for key, part in value.items() if not is_empty(part)]
    return str(sized("&".join(pairs)))


def _quoted(written: str, safe: str) -> str:
    return str(sized(quote(written, safe, errors="surrogatepass")))


@function(
    ("fbc('https://shop.example/?fbclid=IwAR2x', 1760433452)", "fb.1.1760433452000.IwAR2x"),
    ("fbc('https://shop.example/?fbclid=IwAR2x', '2025-10-14T09:17:32Z')", "fb.1.1760433452000.IwAR2x"),
    ("fbc('https://shop.example/?fbclid=New', 1760433452, 'fb.1.1750000000000.Old')", "fb.1.1760433452000.New"),
    ("fbc('https://shop.example/', 1760433452, 'fb.1.1750000000000.Old')", "fb.1.1750000000000.Old"),
    ("fbc('https://shop.example/', 1760433452)", None),
    ("fbc('IwAR2x', 1760433452)", "fb.1.1760433452000.IwAR2x"),
    ("fbc('https://shop.example/?fbclid=IwAR2x', none)", None),
    ("fbc('https://shop.example/?fbclid=IwAR2x', 'yesterday')", Fails("not-a-time")),
)
def fbc(url: Any, clicked: Any, cookie: Any = None) -> str | None:
    """Meta's click id for `user_data.fbc`: from the `fbclid` of the landing page's URL, and from the `_fbc` cookie.

    Instead of the URL you may give the `fbclid` itself. `clicked` is when the page was first seen with it: Unix
    seconds or milliseconds, or ISO 8601 with an offset. The cookie is taken if it holds the same click, or if the URL
    has none. Empty if there was no click.
    """
    known = None if is_empty(cookie) else as_text(cookie).strip()
    found = None if is_empty(url) else _click(as_text(url).strip())
    if is_empty(found) or len(str(found)) > _MAX_CLICK:
        return known
    if known is not None and known.split(".", 3)[3:] and known.split(".")[3] == found:
        return known
    if is_empty(clicked):
        return known
    in_ms = is_number(clicked) and clicked >= MILLISECONDS
    moment = clicked if in_ms else to_time(clicked) * 1000
    return f"fb.1.{int(moment)}.{found}"


def _click(written: str) -> str | None:
    """The click id of a URL, or the text itself if it can be no URL."""
    return written if _BARE_CLICK.fullmatch(written) else query_param(written, "fbclid")


@function(
    ("client_ip('203.0.113.7, 10.0.0.2')", "203.0.113.7"),
    ("client_ip(none, '203.0.113.7')", "203.0.113.7"),
    ("client_ip('10.0.0.2')", None),
    ("client_ip('203.0.113.7:51324')", "203.0.113.7"),
    ("client_ip('203.0.113.7', none, '2001:db8::1.AQYBAQAA')", "2001:db8::1"),
)
def client_ip(forwarded: Any, remote: Any = None, cookie: Any = None) -> str | None:
    """The visitor's own address for `user_data.client_ip_address`, from what a web server knows.

    `forwarded` is the `X-Forwarded-For` header, of which the first entry counts; `remote` is the address of the
    connection, which counts if there is no such header; `cookie` is Meta's `_fbi` cookie. Of the cookie's address and
    the request's, the first that is IPv6 is taken, else the first. Addresses inside a network are passed over.
    """
    asked = as_text(forwarded).partition(",")[0].strip() if not is_empty(forwarded) else ""
    if not asked and not is_empty(remote):
        asked = as_text(remote).strip()
    kept = "" if is_empty(cookie) else bare(as_text(cookie).strip())
    own = [one for one in (kept, without_port(asked)) if one and is_own(one)]
    return next((one for one in own if ":" in one), own[0] if own else None)


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
