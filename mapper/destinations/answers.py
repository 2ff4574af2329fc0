"""What an answer of a destination means: one table, one function.

Neither the HTTP status nor the body decides alone. Texts never decide: they are localised. Nothing an answer holds
can raise here, and what is shown of it is short, of one line, and without anything that could be somebody's data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import msgspec

from ..showing import printable

Meaning = Literal["accepted", "refused", "too-large", "retry", "throttled", "stop"]

MEANINGS: Final[tuple[Meaning, ...]] = ("accepted", "refused", "too-large", "retry", "throttled", "stop")
MAX_BODY: Final = 1 << 20
MAX_WAIT: Final = 86_400.0
_DEPTH: Final = 6
_MISCOUNTS: Final = 2

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, understood.

    meaning          ``accepted``; ``refused``: an event is wrong; ``too-large``: send fewer at once; ``retry``;
                     ``throttled``: all who use the token must slow down; ``stop``: a person must act
    reason           a stable word for reports, such as ``token`` or ``too-old``
    code             the destination's code (``100/2804003``), else ``http-502``
    message          from the answer, made safe; ``remedy`` is ours
    unclear          whether the events may have been accepted all the same
    retry_after      seconds to wait at least, or None
    tries            how often this answer may be answered by sending again; afterwards it means ``then``
    culprits         positions in the request of the events at fault, if the answer names them
    verdicts         of an accepted request: events that were not taken all the same, by position, and why
    usage            the highest percentage of a limit that the headers report
    """

    meaning: Meaning
    reason: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    remedy: str = ""
    unclear: bool = False
    retry_after: float | None = None
    tries: int | None = None
    then: Meaning = "stop"
    events_received: int | None = None
    trace_id: str = ""
    messages: tuple[str, ...] = ()
    culprits: tuple[int, ...] = ()
    verdicts: Mapping[int, str] = field(default_factory=dict)
    usage: float = 0.0

    @property
    def said(self) -> str:
        """What the answer says, in one sentence, with its code: ``it answers with HTTP status 502 [http-502]``."""
        unclear = "without a clear answer, " if self.status and self.reason == "unclear" else ""
        plain = f"{unclear}it answers with HTTP status {self.status}" if self.status else ""
        said = self.message or plain
        return f"{said} [{self.code}]" if said else self.code


@dataclass(frozen=True, slots=True)
class Codes:
    """A set of numbers: single ones and ranges. ``any_code`` stands for any code at all."""

    single: frozenset[int] = frozenset()
    ranges: tuple[tuple[int, int], ...] = ()
    any_code: bool = False

    def __contains__(self, code: object) -> bool:
        if not isinstance(code, int):
            return False
        return self.any_code or code in self.single or any(low <= code <= high for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A condition that is None does not matter."""

    meaning: Meaning
    reason: str = ""
    status: Codes | None = None
    code: Codes | None = None
    subcode: Codes | None = None
    transient: bool | None = None
    remedy: str = ""
    unclear: bool = False
    wait: float | None = None
    tries: int | None = None
    then: Meaning = "stop"

    def fits(self, status: int, code: int | None, subcode: int | None, transient: bool) -> bool:
        return (
            (self.status is None or status in self.status)
            and (self.code is None or code in self.code)
            and (self.subcode is None or subcode in self.subcode)
            and (self.transient is None or transient == self.transient)
        )


@dataclass(frozen=True, slots=True)
class Culprit:
    """Where an answer names the position of an event.

    Between two texts, in the text at a path; or, with ``index``, under that key of each object in the list at a path.
    """

    path: str
    after: str = ""
    before: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Where an answer judges each event by itself.

    status    statuses of such answers
    path      the path of the list of verdicts
    index     the key of an event's position; None if the list has a member for each event, in their order
    refused   what a member says of an event that was not taken: all of these keys, with one of these values, or any
              (None); nothing at all if each member is one
    message   keys of texts for people
    """

    status: Codes
    path: str
    index: str | None = None
    refused: Mapping[str, tuple[Any, ...] | None] = field(default_factory=dict)
    message: tuple[str, ...] = ()

    def read(self, data: dict[str, Any] | None, sent: int) -> dict[int, str] | None:
        """The events that were not taken, with a text for people; None if the answer does not judge events so."""
        members = at(data, self.path)
        if not isinstance(members, list) or (self.index is None and len(members) != sent):
            return None
        found: dict[int, str] = {}
        for place, member in enumerate(members):
            position = place if self.index is None else at(member, self.index)
            if type(position) is not int or not 0 <= position < sent:
                return None
            if self._refuses(member):
                found[position] = next((text for key in self.message for text in _texts(at(member, key))), "")
        return found

    def _refuses(self, member: Any) -> bool:
        said = ((at(member, key), wanted) for key, wanted in self.refused.items())
        return all(value is not None if wanted is None else value in wanted for value, wanted in said)


@dataclass(frozen=True, slots=True)
class Usage:
    """A header that reports how much of a limit is used, and how long to wait, somewhere in a JSON value."""

    header: str
    percent: frozenset[str]
    seconds: str = ""
    minutes: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """How to read a destination's answers, as its file declares it.

    accepted   statuses of an answer that took the events; ``where`` lists what else its body must say
    received   the path of the number of events received, or None if the destination does not count
    error      the path of an object that is there only if something is wrong, or None
    """

    accepted: Codes
    table: tuple[Row, ...]
    where: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    received: str | None = None
    messages: str | None = None
    error: str | None = None
    code: str | None = None
    subcode: str | None = None
    transient: str | None = None
    message: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    verdicts: Verdicts | None = None
    usage: tuple[Usage, ...] = ()
    words: frozenset[str] = field(default_factory=frozenset, repr=False)

    def answer(self, status: int, body: bytes, sent: int, headers: Mapping[str, str] | None = None) -> Answer:
        """What an answer to a request of ``sent`` events means.

        body     as received, decompressed; of more than ``MAX_BODY`` bytes nothing is believed
        headers  names in any case
        """
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        data = _object(body)
        wait, usage = self._pressure(lower)
        trace = next((text for path in self.trace if (text := _text(data, path))), "")
        found = replace(
            self._meaning(status, data, sent),
            status=status,
            trace_id=printable(trace, 64, self.words),
            usage=usage,
        )
        if found.meaning in ("retry", "throttled") and wait:  # said by this answer, so better than the table's guess
            found = replace(found, retry_after=min(MAX_WAIT, wait))
        return found

    def lost(self, *, written: bool, why: str = "") -> Answer:
        """What it means that no answer came, and ``why``. ``written``: whether the request had gone out completely."""
        code = "no-answer" if written else "not-sent"
        return Answer("retry", "unclear" if written else "unavailable", code=code, message=why, unclear=written)

    def _meaning(self, status: int, data: dict[str, Any] | None, sent: int) -> Answer:
        if 300 <= status < 400:
            said = "the address answers with a redirect, which is never followed"
            return Answer("stop", "redirect", code=f"http-{status}", message=said, remedy="Check the address.")
        if self.verdicts is not None and status in self.verdicts.status:
            refused = self.verdicts.read(data, sent)
            if refused is not None:
                texts = {position: printable(text, 300, self.words) for position, text in refused.items()}
                return Answer("accepted", code=f"http-{status}", events_received=sent - len(texts), verdicts=texts)
        wrong = data is not None and self.error is not None and at(data, self.error) is not None
        if status in self.accepted and not wrong:
            return self._taken(status, data, sent)
        return self._by_table(status, data, sent)

    def _taken(self, status: int, data: dict[str, Any] | None, sent: int) -> Answer:
        code = f"http-{status}"
        if data is None and (self.received is not None or self.where):
            return Answer("retry", "unclear", code=code, unclear=True)
        if any(at(data, path) not in wanted for path, wanted in self.where):
            return self._by_table(status, data, sent)
        received = at(data, self.received) if self.received is not None else sent
        if type(received) is not int or received != sent:
            known = received if type(received) is int else None
            counted = (
                "no number of events was"
                if known is None
                else f"{known:,} {'event was' if known == 1 else 'events were'}"
            )
            return Answer(
                "retry",
                "miscount",
                code=code,
                message=f"{counted} confirmed, and {sent:,} had been sent",
                remedy="Look into the destination's own log which of them have arrived.",
                unclear=True,
                tries=_MISCOUNTS,
                events_received=known,
            )
        said = at(data, self.messages) if self.messages is not None else None
        texts = tuple(printable(text, 300, self.words) for text in _texts(said))[:5]
        return Answer("accepted", code=code, events_received=received, messages=texts)

    def _by_table(self, status: int, data: dict[str, Any] | None, sent: int) -> Answer:
        code, subcode = _number(data, self.code), _number(data, self.subcode)
        transient = self.transient is not None and at(data, self.transient) is True
        for row in self.table:
            if row.fits(status, code, subcode, transient):
                return self._as_row(row, status, data, sent)
        return Answer("retry", "unclear", code=_code(status, code, subcode), unclear=True, tries=_MISCOUNTS)

    def _as_row(self, row: Row, status: int, data: dict[str, Any] | None, sent: int) -> Answer:
        code, subcode = _number(data, self.code), _number(data, self.subcode)
        said = list(dict.fromkeys(text for path in self.message if (text := _text(data, path))))
        return Answer(
            row.meaning,
            row.reason,
            code=_code(status, code, subcode),
            message=printable(": ".join(said), 300, self.words),
            remedy=row.remedy,
            unclear=row.unclear,
            retry_after=row.wait,
            tries=row.tries,
            then=row.then,
            culprits=self._named(data, sent) if row.meaning == "refused" else (),
        )

    def _named(self, data: dict[str, Any] | None, sent: int) -> tuple[int, ...]:
        """The positions that the answer names; none if one of them cannot be."""
        named: set[int] = set()
        for culprit in self.culprits:
            if culprit.index:
                members = at(data, culprit.path)
                positions = [at(one, culprit.index) for one in members] if isinstance(members, list) else []
                named |= {position for position in positions if type(position) is int and position >= 0}
                continue
            for text in _texts(at(data, culprit.path)):
                for part in text[:10_000].split(culprit.after)[1:]:
                    digits = part.partition(culprit.before)[0]
                    if digits.isascii() and digits.isdigit() and len(digits) <= 6:
                        named.add(int(digits))
        return tuple(sorted(named)) if named and max(named) < sent else ()

    def _pressure(self, headers: Mapping[str, str]) -> tuple[float | None, float]:
        """Seconds to wait as the headers ask for, and the highest use of a limit in percent."""
        wait = _retry_after(headers)
        highest = 0.0
        for usage in self.usage:
            report = _json(headers.get(usage.header, "").encode("utf-8", "replace"))
            for name, number in _numbers(report, _DEPTH):
                if name in usage.percent:
                    highest = max(highest, number)
                elif name in (usage.seconds, usage.minutes) and number > 0:
                    wait = max(wait or 0.0, number * (60.0 if name == usage.minutes else 1.0))
        return wait, highest


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path of objects, or None."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _object(body: bytes) -> dict[str, Any] | None:
    value = _json(body) if len(body) <= MAX_BODY else None
    return value if isinstance(value, dict) else None


def _json(body: bytes) -> Any:
    try:
        return _decode(body)
    except (ValueError, RecursionError):
        return None


def _text(data: dict[str, Any] | None, path: str) -> str:
    value = at(data, path)
    return value if isinstance(value, str) else ""


def _number(data: dict[str, Any] | None, path: str | None) -> int | None:
    """A code as a number: destinations write it as a number or as text."""
    value = at(data, path) if path is not None else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if type(value) is int else None


def _code(status: int, code: int | None, subcode: int | None) -> str:
    if code is None:
        return f"http-{status}"
    return str(code) if subcode is None else f"{code}/{subcode}"


def _texts(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """Every text in a value; a text that is JSON itself is looked into."""
    if isinstance(value, str):
        inner = _json(value.encode("utf-8", "replace")) if value[:1] in "[{" and depth else None
        if isinstance(inner, dict | list):
            yield from _texts(inner, depth - 1)
        else:
            yield value
    elif isinstance(value, dict | list) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner, depth - 1)


def _numbers(value: Any, depth: int) -> Iterator[tuple[str, float]]:
    """Every number in a value with its key."""
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            if type(inner) in (int, float) and math.isfinite(inner):
                yield name, float(inner)
            else:
                yield from _numbers(inner, depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _numbers(inner, depth - 1)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds; a moment is counted from the answer's own ``Date``, or from our clock without one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else MAX_WAIT
    if not text:
        return None
    from email.utils import formatdate, parsedate_to_datetime  # slow to load, and rarely needed

    try:
        since = parsedate_to_datetime(headers.get("date") or formatdate(usegmt=True))
        return max(0.0, (parsedate_to_datetime(text) - since).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
