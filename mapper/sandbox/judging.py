"""Judges the events of a request by the rules of the destination, all of them, and says what is kept of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from ..destinations.destination import Destination
from ..destinations.validation import Finding, validator
from .bodies import MAX_EVENT
from .masking import Masker, plain

Verdict = Literal["accepted", "refused", "held"]
"""Taken; at fault itself; not taken because another event of its request was at fault."""

MATCH_KEYS: Final = (
    "em",
    "ph",
    "fn",
    "ln",
    "client_ip_address",
    "client_user_agent",
    "external_id",
    "fbc",
    "fbp",
    "ct",
    "st",
    "zp",
    "country",
    "db",
    "ge",
)
"""The parameters of a person that Meta matches with; an event's ``keys`` has one bit for each, the first is 1."""

_MOST_FINDINGS: Final = 2_000
_BITS: Final = {key: 1 << place for place, key in enumerate(MATCH_KEYS)}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Judged:
    """One event of a request.

    verdict     see ``Verdict``; set to ``held`` once another event of the request is refused
    finding     the first error, for an event at fault
    warned      how many findings it has that do not refuse it
    raw         its JSON as it arrived, and ``user`` the person's parameters in it: never stored
    body        its JSON, masked
    identity    stands for its name and id; None without an id
    """

    verdict: Verdict
    finding: Finding | None
    warned: int
    raw: bytes = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)
    body: bytes
    identity: int | None
    keys: int
    name: str = ""
    event_id: str = ""
    event_time: int | None = None
    action_source: str = ""

    @property
    def digest(self) -> bytes:
        """Stands for the event exactly as it arrived."""
        return blake2b(self.raw, digest_size=12).digest()

    @property
    def persons(self) -> tuple[int, ...]:
        """Stand for its name with each of the ids of a browser or person that Meta compares, see ``merging``."""
        return persons(self.name, self.user)


@dataclass(frozen=True, slots=True)
class Fault:
    """The event for which a request is refused: its place, what is wrong, and the event as it arrived."""

    index: int
    finding: Finding
    event: Any


class Judge:
    """Judges requests. ``strict`` refuses for warnings as well."""

    def __init__(self, destination: Destination, *, strict: bool = False) -> None:
        self.destination = destination
        self.strict = strict
        self._check = validator(destination, True).check
        self._masker = Masker(destination)

    def judge(self, raws: Sequence[bytes], now: float) -> tuple[list[Judged], Fault | None]:
        """Every event of a request, and the fault for which it is refused."""
        first: Fault | None = None
        budget = _MOST_FINDINGS
        judged: list[Judged] = []
        for index, raw in enumerate(raws):
            event, findings = self._read(raw, now) if budget > 0 else (None, [])
            budget -= len(findings)
            wrong = self._worst(findings)
            if wrong is not None and first is None:
                first = Fault(index, wrong, event)
            judged.append(self._judged(raw, event, findings, wrong))
        if first is not None:
            for one in judged:
                if one.verdict == "accepted":
                    one.verdict = "held"
        return judged, first

    def findings(self, event: Any, now: float) -> list[Finding]:
        """Every finding for one event, the ones that do not refuse it included."""
        return self._check(event, now)

    def unjudged(self, event: dict[str, Any]) -> Judged:
        """An event that is taken as it is, such as the browser's copy of one."""
        kept = self._masker.mask(event)
        return self._judged(_encode(event), event, [], None, kept)

    def _read(self, raw: bytes, now: float) -> tuple[Any, list[Finding]]:
        if len(raw) > MAX_EVENT:
            return None, [_whole("too-large", "the event is too large", "Send less of it.")]
        try:
            event = _decode(raw)
        except (ValueError, RecursionError):
            return None, [_whole("json", "the event is not valid JSON", "Send one JSON object for each event.")]
        return event, self._check(event, now)

    def _worst(self, findings: list[Finding]) -> Finding | None:
        for finding in findings:
            if finding.level == "error":
                return finding
        return findings[0] if findings and self.strict else None

    def _judged(
        self, raw: bytes, event: Any, findings: list[Finding], wrong: Finding | None, masked: Any = None
    ) -> Judged:
        masker = self._masker
        kept = event if masked is None else masked
        if masked is None and masker.needed(raw, has_findings=bool(findings)):
            kept = masker.mask(event)
        verdict: Verdict = "accepted" if wrong is None else "refused"
        warned = len(findings) - (wrong is not None)
        if not isinstance(event, dict):
            return Judged(verdict, wrong, warned, raw, {}, _encode(kept), None, 0)
        user = event.get("user_data")
        if not isinstance(user, dict):
            user = {}
        keys = 0
        for key in user:
            keys |= _BITS.get(key, 0)
        name, event_id, at = event.get("event_name"), event.get("event_id"), event.get("event_time")
        return Judged(
            verdict,
            wrong,
            warned,
            raw,
            user,
            _encode(kept),
            identity(name, event_id) if event_id is not None else None,
            keys,
            plain(name),
            plain(str(event_id), 200) if isinstance(event_id, str | int) else "",
            at if type(at) is int and abs(at) < 1 << 60 else None,
            plain(event.get("action_source"), 40),
        )


def _whole(rule: str, message: str, remedy: str) -> Finding:
    return Finding("", rule, "error", message, remedy)


def identity(name: object, event_id: object) -> int:
    """A number for a name and an id: events with the same number are copies of one event."""
    return _number(f"{name}\0{event_id}")


def persons(name: object, user: Any) -> tuple[int, ...]:
    """Numbers for a name with the browser id, and with each external id, of a person."""
    browser, external = user.get("fbp"), user.get("external_id")
    if browser is None and external is None:
        return ()
    found = [f"{name}\0fbp\0{browser}"] if isinstance(browser, str) else []
    ids = external if isinstance(external, list) else [external]
    found += [f"{name}\0ext\0{one}" for one in ids if isinstance(one, str)]
    return tuple(map(_number, found))


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)
