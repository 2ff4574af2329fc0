"""The short way from a built event to its bytes, for the many about which there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from .compiler import Transform
from .destination import Destination, Rule
from .matching import MatchKeys
from .results import Event
from .values import Context

__all__ = ["Function", "Lane", "may_name_somebody"]

Function = Callable[..., dict[str, Any] | list[int] | None]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Lane:
    """The short way of one event: for those that are neither made in a loop nor odd in any way.

    window     seconds before now in which an event may have happened; 0 if only the long way can tell
    """

    transform: Transform
    key: str
    name: str | None
    name_key: str
    id_key: str
    time_key: str
    age: int
    window: int
    rules: tuple[Rule, ...]
    is_suspicious: bool
    match_keys: MatchKeys

    @classmethod
    def of(cls, transform: Transform, destination: Destination, match_keys: MatchKeys) -> tuple[Function | None, Lane]:
        """The function from a record to an event, or None if the event is made in a loop; and the lane."""
        roles = destination.roles
        lane = cls(
            transform,
            transform.key,
            transform.name,
            roles.name,
            roles.id or "",
            roles.time or "",
            transform.max_age or 0,
            (transform.max_age or 0) - destination.margin,
            tuple(transform.rules),
            bool(transform.suspicions),
            match_keys,
        )
        return transform.function if transform.items is None else None, lane

    def finished(self, event: dict[str, Any], context: Context) -> Event | None:
        """The event, if its time is in the window, no rule is broken and there is nothing to warn of; else None."""
        moment = event.get(self.time_key)
        if type(moment) is not int or context.warnings:
            return None
        now = context.now + context.shift
        if not now - self.window <= moment <= now:
            return None
        for rule in self.rules:
            if not rule.holds(event):
                return None
        try:
            encoded = _encode(event)
        except (OverflowError, ValueError, TypeError):
            return None
        if self.is_suspicious and may_name_somebody(encoded):
            return None
        identity = event.get(self.id_key)
        if identity is not None and type(identity) is not str:
            return None
        name = self.name or str(event.get(self.name_key, ""))
        return Event(name, identity, moment, moment + self.age, encoded, self.key, self.match_keys.carried(event))


def may_name_somebody(encoded: bytes) -> bool:
    """Whether an event may hold an e-mail address or a phone number. Single bytes are found fastest."""
    return b"@" in encoded or b"+" in encoded or (b"%" in encoded and b"%40" in encoded)
