"""Filters for time. A time is a number of seconds since 1970 (Unix seconds); no zone is ever assumed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...errors import RecordError
from ..values import is_number, kind
from .registry import Fails, filter_

MILLISECONDS: Final = 100_000_000_000
"""From this number on (the year 5138 in seconds, 1973 in milliseconds) a time can only be in milliseconds."""

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_DIRECTIVES: Final = frozenset("YymdHIMSfpzbBaAj%")
_DIRECTIVE: Final = re.compile(r"%(.)", re.DOTALL)
_MAX_TEXT: Final = 100


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _check_zone(given: Mapping[str, Any]) -> str:
    zone = given.get("zone")
    if zone is None:
        return ""
    try:
        if not isinstance(zone, str):
            return "the zone is text, such as 'Europe/Berlin'"
        _zone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"there is no time zone {zone!r}; zones are named like 'Europe/Berlin' or 'UTC'"
    return ""


def _check_format(given: Mapping[str, Any]) -> str:
    written = given.get("format")
    if not isinstance(written, str):
        return "the format is text, such as '%d.%m.%Y'"
    found = re.findall(r"%(.?)", written)
    wrong = [letter for letter in found if letter not in _DIRECTIVES or not letter]
    if wrong:
        return f"the format has no part %{wrong[0]}"
    letters = [letter for letter in found if letter != "%"]
    if len(set(letters)) < len(letters):
        return "a part of the format stands twice"
    if not {"Y", "y"} & set(letters):
        return "the format has no year (%Y)"
    return _check_zone(given)


def _check_written(given: Mapping[str, Any]) -> str:
    written = given.get("format")
    if not isinstance(written, str):
        return "the format is text, such as '%Y-%m-%d'"
    wrong = [letter for letter in re.findall(r"%(.?)", written, re.DOTALL) if letter not in tuple("YmdHMS%")]
    return f"the format has no part %{wrong[0]}" if wrong else _check_zone(given)


@filter_(
    ("1760433452 | to_time", 1760433452),
    ("'1760433452' | to_time", 1760433452),
    ("'2025-10-14T09:17:32Z' | to_time", 1760433452),
    ("'2025-10-14T11:17:32.5+02:00' | to_time", 1760433452.5),
    ("'2025-10-14 11:17:32' | to_time(zone='Europe/Berlin')", 1760433452),
    ("'2025-10-14 11:17:32' | to_time", Fails("no-zone")),
    ("1760433452000 | to_time", Fails("milliseconds")),
    ("'yesterday' | to_time", Fails("not-a-time")),
    ("none | to_time", None),
    literal=frozenset(("zone",)),
    check=_check_zone,
)
def to_time(value: Any, zone: str | None = None) -> Any:
    """A time as Unix seconds: from ISO 8601, or from seconds as a number or as text.

    A time without an offset needs a zone. A number that can only be milliseconds is an error: say `|
    from_ms`. An hour that a change of clocks repeats is taken as the first of the two.
    """
    if is_number(value):
        return _seconds(value)
    if type(value) is not str:
        raise RecordError("wrong-type", f"{kind(value)} is no time")
    written = value.strip()
    if len(written) > _MAX_TEXT:
        raise RecordError("not-a-time", "the text is no time")
    if _NUMBER.fullmatch(written) and len(written) != len("20251014"):
        return _seconds(float(written) if "." in written else int(written))
    if written.isdigit():
        raise RecordError("not-a-time", "the text may be a date without dashes; use parse_time('%Y%m%d')")
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise RecordError("not-a-time", "the text is no time in ISO 8601") from None
    return _stamp(found, zone)


@filter_(
    ("1760433452123 | from_ms", 1760433452.123),
    ("'1760433452000' | from_ms", 1760433452),
    ("1760433452 | from_ms", Fails("seconds")),
    ("'2025-10-14' | from_ms", Fails("not-a-time")),
)
def from_ms(value: Any) -> Any:
    """Milliseconds since 1970, as a number or as text, as Unix seconds. What can only be seconds is an error."""
    if type(value) is str and _NUMBER.fullmatch(value.strip()):
        value = float(value) if "." in value else int(value)
    if not is_number(value):
        raise RecordError("not-a-time", f"{kind(value)} was found where milliseconds are needed")
    if not abs(value) < 1_000 * MILLISECONDS:
        raise RecordError("not-a-time", "the number is too large to be a time")
    if abs(value) < MILLISECONDS:
        raise RecordError("seconds", "the number can only be seconds; leave from_ms away")
    return _whole(value / 1000)


@filter_(
    ("'14.10.2025' | parse_time('%d.%m.%Y', zone='UTC')", 1760400000),
    ("'14/10/2025 11:17:32' | parse_time('%d/%m/%Y %H:%M:%S', zone='Europe/Berlin')", 1760433452),
    ("'2025-10-14 11:17 +0200' | parse_time('%Y-%m-%d %H:%M %z')", 1760433420),
    ("'14.10.2025' | parse_time('%d.%m.%Y')", Fails("no-zone")),
    ("'10/14/2025' | parse_time('%d/%m/%Y', zone='UTC')", Fails("not-a-time")),
    literal=frozenset(("format", "zone")),
    check=_check_format,
)
def parse_time(value: Any, format: str, zone: str | None = None) -> Any:  # noqa: A002
    """A time in a format of its own, as Unix seconds.

    `%Y` year, `%m` month, `%d` day, `%H` hour, `%M` minute, `%S` second, `%f` fraction, `%z` offset, `%I`
    and `%p` hour and AM or PM, `%b` and `%B` English names of months. Without `%z` it needs a zone.
    """
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise RecordError("wrong-type", f"{kind(value)} was found where a time as text is needed")
    try:
        if len(value) > _MAX_TEXT:
            raise ValueError
        found = datetime.strptime(value.strip(), format)
    except ValueError:
        raise RecordError("not-a-time", f"the text is no time in the format {format!r}") from None
    return _stamp(found, zone)


@filter_(
    ("1760433452 | format_time('%Y-%m-%d', zone='UTC')", "2025-10-14"),
    ("'2025-10-14T23:30:00Z' | format_time('%d.%m.%Y %H:%M', zone='Europe/Berlin')", "15.10.2025 01:30"),
    ("1760433452 | format_time('%Y-%m-%d')", Fails("arguments")),
    ("1760433452 | format_time('%A', zone='UTC')", Fails("bad-argument")),
    literal=frozenset(("format", "zone")),
    check=_check_written,
)
def format_time(value: Any, format: str, zone: str) -> str:  # noqa: A002
    """A time, as `to_time` reads it, as text in a format of its own, in a zone.

    `%Y` year, `%m` month, `%d` day, `%H` hour, `%M` minute, `%S` second.
    """
    try:
        found = datetime.fromtimestamp(to_time(value, zone), _zone(zone))
    except (OverflowError, ValueError, OSError):
        raise RecordError("not-a-time", "the time lies outside of the calendar") from None
    parts = {"Y": f"{found.year:04}", "%": "%"} | {
        letter: f"{part:02}"
        for letter, part in zip("mdHMS", (found.month, found.day, found.hour, found.minute, found.second), strict=True)
    }
    return _DIRECTIVE.sub(lambda one: parts[one[1]], format)


def _stamp(found: datetime, zone: str | None) -> Any:
    if found.tzinfo is None:
        if zone is None:
            raise RecordError("no-zone", "the time has no offset; say which zone it is in: zone='Europe/Berlin'")
        found = found.replace(tzinfo=_zone(zone))
    try:
        return _whole(found.timestamp())
    except (OverflowError, ValueError):
        raise RecordError("not-a-time", "the time lies outside of the calendar") from None


def _seconds(number: Any) -> Any:
    if not abs(number) < MILLISECONDS:
        raise RecordError("milliseconds", "the number can only be milliseconds; use from_ms")
    return _whole(number)


def _whole(number: Any) -> Any:
    """Whole seconds as an int."""
    return int(number) if math.isfinite(number) and number == int(number) else number
