"""What a fault is: how the destination behaves, and what must come of it. And the ways in which behaviours are made."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..server import Behaviour, Exchange

ALL: Final = -1
"""As many as there are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault.

    make       a behaviour of the server, made anew for each run
    exit       how the run ends
    sent       events that are accepted in the end
    rejected   the numbers of the events that are not taken, by the destination or because they have grown too old
    requests   how many requests it takes, or between how many; None if that depends on chance
    twice      how many events are stored twice: a number, or ``ALL`` for all of them
    refused    the largest part of the requests that may be refused
    options    of ``mapper.send``
    seconds    the longest that it may take
    is_slow    whether it takes longer than a few seconds, so that the daily tests leave it out
    changes    of every record
    ages       how old single events are, in seconds; those of the others are a minute old
    unmapped   the numbers of those for which no event is made, because of their age
    before     asked before a request is read at all
    tls        the kind of certificate: "" for plain HTTP
    """

    name: str
    group: str
    make: Callable[[], Behaviour]
    exit: int = 0
    sent: int = ALL
    rejected: Sequence[int] = ()
    requests: int | range | None = None
    twice: int | None = 0
    refused: float = 1.0
    count: int = 200
    options: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    before: Callable[[int, Any], bool] | None = None
    tls: str = ""
    keep: bool = True
    is_slow: bool = False
    seconds: float = 30.0
    changes: dict[str, Any] = field(default_factory=dict)
    ages: dict[int, float] = field(default_factory=dict)
    unmapped: Sequence[int] = ()


def once(fault: Callable[[Exchange], None], times: int = 1) -> Behaviour:
    """A fault that strikes each batch the first time it comes; afterwards the batch is accepted."""
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def behave(exchange: Exchange) -> None:
        key = exchange.events[0]["event_id"]
        with lock:
            seen[key] += 1
        if seen[key] <= times:
            fault(exchange)
        else:
            exchange.accept()

    return behave


def always(fault: Callable[[Exchange], None]) -> Callable[[], Behaviour]:
    return lambda: fault


def stored(then: Callable[[Exchange], None]) -> Callable[[], Behaviour]:
    """What comes first is stored, but the answer does not say so clearly."""

    def fault(exchange: Exchange) -> None:
        exchange.store(clearly=False)
        then(exchange)

    return lambda: once(fault)


def from_request(first: int, fault: Callable[[Exchange], None], last: int = 10**9) -> Callable[[], Behaviour]:
    def behave(exchange: Exchange) -> None:
        if first <= exchange.number <= last:
            fault(exchange)
        else:
            exchange.accept()

    return lambda: behave


class Scenarios(list[Scenario]):
    """The scenarios of a module."""

    def add(self, name: str, group: str, make: Callable[[], Behaviour], **more: Any) -> None:
        self.append(Scenario(name, group, make, **more))

    def once(
        self, name: str, group: str, **more: Any
    ) -> Callable[[Callable[[Exchange], None]], Callable[[Exchange], None]]:
        """A function is a fault that strikes each batch the first time it comes."""

        def add(fault: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
            self.add(name, group, lambda: once(fault), **more)
            return fault

        return add
