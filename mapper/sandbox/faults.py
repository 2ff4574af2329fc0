"""Faults on demand: what a real endpoint does on a bad day, when you want it and as often as you want it.

A fault is written the same everywhere, on the command line, in a header and on the page: ``KIND:key=value,key=value``.
Whether a fault with a rate strikes depends on the seed and the number of the request only, so a run can be repeated.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..errors import MapperError
from . import replies
from .replies import Reply

KINDS: Final[Mapping[str, str]] = {
    "latency": "the answer comes late, by so many seconds",
    "500": "an internal error, code 1; nothing is stored",
    "503": "temporarily unavailable, code 2; nothing is stored",
    "throttle-4": "the app's limit of requests is used up",
    "throttle-17": "the user's limit of requests is used up",
    "throttle-613": "calls come too fast",
    "throttle-80004": "the ad account's limit of calls is used up",
    "usage": "events are taken, but the headers report that a limit is nearly used up",
    "expired": "the token expires, from now on",
    "cut-before": "the connection breaks before the events are stored",
    "cut-after": "the connection breaks after the events are stored",
    "truncated": "events are taken, but the answer ends in the middle",
    "html": "a proxy answers with a page; nothing is stored",
    "short": "events are taken, but events_received is one too low",
}

HEADER: Final = "x-sandbox-fault"
_SECONDS: Final = {"latency": 1.0}
_MOST_SECONDS: Final = 3600.0


class FaultError(MapperError):
    """A fault that is not written as one should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    kind     one of ``KINDS``
    rate     how probable it is that it strikes, 0 to 1
    times    how often it still strikes; None for as long as it is there
    seconds  for ``latency``: how long; for throttling: until the limit is free again
    percent  for ``usage``: how much of the limit is used
    """

    kind: str
    rate: float = 1.0
    times: int | None = None
    seconds: float = 60.0
    percent: int = 90

    @staticmethod
    def parse(text: str) -> Fault:
        """Read ``KIND`` or ``KIND:key=value,…``.

        raises  FaultError
        """
        kind, _, rest = text.strip().partition(":")
        if kind not in KINDS:
            raise FaultError(f"there is no such fault; there are {', '.join(KINDS)}")
        given: dict[str, Any] = {"seconds": _SECONDS.get(kind, 60.0)}
        for part in filter(None, (one.strip() for one in rest.split(","))):
            name, _, value = part.partition("=")
            given[name] = _number(name, value)
        return Fault(kind, **given)

    def __str__(self) -> str:
        said = {"rate": self.rate, "times": self.times, "seconds": self.seconds, "percent": self.percent}
        usual = {"rate": 1.0, "times": None, "seconds": _SECONDS.get(self.kind, 60.0), "percent": 90}
        told = ",".join(
            f"{name}={value:g}" for name, value in said.items() if value is not None and value != usual[name]
        )
        return f"{self.kind}:{told}" if told else self.kind


def _number(name: str, value: str) -> Any:
    try:
        if name == "rate" and 0 <= float(value) <= 1:
            return float(value)
        if name == "seconds" and 0 <= float(value) <= _MOST_SECONDS:
            return float(value)
        if name == "times" and 1 <= int(value) <= 1_000_000:
            return int(value)
        if name == "percent" and 0 <= int(value) <= 200:
            return int(value)
    except ValueError:
        pass
    limits = "rate 0 to 1, times from 1, seconds 0 to 3600, percent 0 to 200"
    raise FaultError(f"a fault is written KIND:key=value,key=value with numbers: {limits}")


class Plan:
    """The faults that are set for the whole server. May be used from several threads."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.seed = seed
        self.expired = False
        self._faults = list(faults)
        self._lock = threading.Lock()
        self._drawn = 0

    @property
    def faults(self) -> list[Fault]:
        """What is set, in order."""
        with self._lock:
            return list(self._faults)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def remove(self, place: int) -> None:
        """Take one away; nothing happens if it is gone already."""
        with self._lock:
            if 0 <= place < len(self._faults):
                del self._faults[place]

    def clear(self) -> None:
        """Take all away; the token is valid again."""
        with self._lock:
            self._faults.clear()
            self.expired = False

    def draw(self, header: str = "") -> list[Fault]:
        """The faults that strike the next request: any latency, and the first of the others.

        header  the faults that the request itself asks for, separated by semicolons; they come first
        raises  FaultError for a header that cannot be read
        """
        asked = [Fault.parse(one) for one in header.split(";") if one.strip()]
        with self._lock:
            self._drawn += 1
            chance = random.Random(f"{self.seed}:{self._drawn}")
            struck: list[Fault] = [one for one in asked if chance.random() < one.rate]
            for place, fault in enumerate(list(self._faults)):
                strikes = chance.random() < fault.rate
                if strikes and (fault.kind == "latency" or all(one.kind == "latency" for one in struck)):
                    struck.append(fault)
                    if fault.times is not None:
                        self._faults[place] = replace(fault, times=fault.times - 1)
            self._faults = [one for one in self._faults if one.times != 0]
            self.expired = self.expired or any(one.kind == "expired" for one in struck)
        latency = [one for one in struck if one.kind == "latency"]
        return latency + [one for one in struck if one.kind != "latency"][:1]


def expired(trace: str) -> Reply:
    """The token is not valid any more."""
    message = "Error validating access token: Session has expired."
    return replies.error(401, 190, message, trace, error_subcode=463)


_TEXTS: Final = {
    "throttle-4": (4, 0, "(#4) Application request limit reached"),
    "throttle-17": (17, 2446079, "(#17) User request limit reached"),
    "throttle-613": (613, 1487742, "(#613) Calls to this api have exceeded the rate limit."),
    "throttle-80004": (80004, 2446079, "(#80004) There have been too many calls to this ad-account."),
}
_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


def instead(fault: Fault, trace: str) -> Reply | None:
    """The answer that a fault gives instead of looking at the events; None for one that strikes afterwards."""
    if fault.kind == "500":
        return replies.error(500, 1, "An unknown error occurred", trace, is_transient=True)
    if fault.kind == "503":
        return replies.error(503, 2, "Service temporarily unavailable", trace, is_transient=True)
    if fault.kind == "html":
        return Reply(502, _PAGE, media_type="text/html; charset=utf-8")
    if fault.kind == "expired":
        return expired(trace)
    if fault.kind in _TEXTS:
        code, subcode, message = _TEXTS[fault.kind]
        more: dict[str, Any] = {"is_transient": True} | ({"error_subcode": subcode} if subcode else {})
        return replies.error(400, code, message, trace, headers=replies.usage(100, seconds=fault.seconds), **more)
    return None


def spoilt(fault: Fault, reply: Reply) -> Reply:
    """A good answer after a fault has been at it."""
    if fault.kind == "truncated":
        content = reply.content()
        return replace(reply, body=content[: len(content) // 2])
    if fault.kind == "short" and isinstance(reply.body, dict) and "events_received" in reply.body:
        return replace(reply, body=reply.body | {"events_received": reply.body["events_received"] - 1})
    if fault.kind == "usage":
        return replace(reply, headers={**reply.headers, **replies.usage(fault.percent)})
    return reply
