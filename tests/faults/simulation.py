"""Runs in a time of their own: hours of delivering in a few milliseconds, against a destination made by a seed.

The decisions are those of ``mapper.delivery`` (what is done with a batch, and what batches share); the destination, the
clock and the order in which things happen are made here. A destination knows what it stored, what it confirmed, and
when it wanted to be left alone; every request is held against that. A seed is a story of up to three runs: what one of
them left pending the next one takes up, minutes or days later.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from mapper.delivery.delivery import Policy, Send, Turn, Wait, deliver
from mapper.delivery.items import (
    DECIDED,
    INTERRUPTED,
    PENDING_PERSON,
    WINDOW,
    Item,
    Origin,
    Outcome,
)  # fmt: skip
from mapper.delivery.sharing import Shared
from mapper.destinations.answers import Answer
from mapper.destinations.destination import Destination, load_destination
from mapper.records.source import Line

PATIENCE: Final = 900.0
LONGEST_WAIT: Final = 60.0
TIMEOUT: Final = 60.0
MARGIN: Final = 300
AT_ONCE: Final = 3
START: Final = 1_772_366_400.0

SAYS: Final[dict[str, tuple[int, Any, dict[str, str]]]] = {
    "down": (503, {"error": {"code": 2}}, {}),
    "down-as-html": (502, "<html>", {}),
    "told": (503, {"error": {"code": 2}}, {"Retry-After": "9"}),
    "throttled": (429, "", {"Retry-After": "20"}),
    "throttled-for-long": (429, "", {"Retry-After": "50"}),
    "throttled-for-a-day": (429, "", {"Retry-After": "86400"}),
    "token": (400, {"error": {"code": 190}}, {}),
    "unknown-code": (400, {"error": {"code": 4711}}, {}),
    "miscount": (200, {"events_received": 0}, {}),
    "page": (200, "<html>", {}),
    "redirect": (302, "", {}),
}
"""What a destination may say that has not stored anything. ``lost`` and ``late`` say nothing at all."""

WEATHERS: Final = (
    *SAYS, "throttled", "throttled-for-long", "lost", "late", "stored-lost", "stored-late", "stored-down",
    "stored-page", "busy", "fine", "fine", "fine",
)  # fmt: skip


@cache
def _meta() -> Destination:
    return load_destination("meta")


def number(item: Item) -> int:
    return item.origin.line.number


@dataclass(slots=True)
class Sky:
    """A destination. It changes its mind at moments that a seed decides, and knows what is right.

    bad         events that it does not take, and the request with them
    subcode     what it says of them; None: nothing that tells an event's fault from a setup that is wrong
    names_them  whether its answer says which
    first       when each event was first stored; ``last``: when last
    confirmed   events of which it has said clearly that they were taken
    unclear     how often each was stored without a clear answer
    alone       events that it refused alone
    quiet       moments within which nobody may begin a request
    wrong       the laws that were broken
    """

    chance: random.Random
    bad: set[int]
    subcode: int | None
    names_them: bool
    changes: list[tuple[float, str]]
    first: dict[int, float] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    stored: Counter[int] = field(default_factory=Counter)
    unclear: Counter[int] = field(default_factory=Counter)
    alone: set[int] = field(default_factory=set)
    quiet: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def weather(self, now: float) -> str:
        found = "fine"
        for moment, name in self.changes:
            if moment > now:
                break
            found = name
        return found if found == "fine" or self.chance.random() < 0.8 else "fine"

    def asked(self, items: Sequence[Item], now: float, window: float) -> tuple[Answer, float]:
        """The answer to a request that is begun now, and how long it takes."""
        self._judge(items, now, window)
        seconds, weather = self.chance.uniform(0.05, 3.0), self.weather(now)
        numbers = [number(item) for item in items]
        wrong = [place for place, one in enumerate(numbers) if one in self.bad]
        if weather.removeprefix("stored-") in ("lost", "late"):
            if weather.startswith("stored-") and not wrong:
                self._store(numbers, now)
            seconds = TIMEOUT if weather.endswith("late") else seconds
            return _meta().answers.lost(written=weather != "lost"), seconds
        if weather == "unknown-code" and len(items) == 1:  # nobody can know that it is not the event's fault
            self.alone.add(numbers[0])
            self.bad.add(numbers[0])
        if weather in SAYS:
            return self._said(*SAYS[weather], items), seconds
        if wrong:
            if len(items) == 1:
                self.alone.add(numbers[0])
            text = f"$['data'][{wrong[0]}]" if self.names_them else "no"
            error = {"code": 100, "error_subcode": self.subcode, "message": text}
            return self._said(400, {"error": error}, {}, items), seconds
        if weather.startswith("stored-"):
            self._store(numbers, now)
            return self._said(*SAYS[weather.removeprefix("stored-")], items), seconds
        self.stored.update(numbers)
        for one in numbers:
            self.first.setdefault(one, now)
        self.confirmed.update(numbers)
        usage = {"X-App-Usage": '{"call_count": 95}'} if weather == "busy" else {}
        return self._said(200, {"events_received": len(items)}, usage, items), seconds

    def _store(self, numbers: list[int], now: float) -> None:
        self.stored.update(numbers)
        self.unclear.update(numbers)
        for one in numbers:
            self.first.setdefault(one, now)

    def _said(self, status: int, body: Any, headers: dict[str, str], items: Sequence[Item]) -> Answer:
        text = body if isinstance(body, str) else json.dumps(body)
        if "events_received" in text:
            text = json.dumps({**body, "messages": [], "fbtrace_id": "A"})
        return _meta().answer(status, text.encode(), len(items), headers)

    def _judge(self, items: Sequence[Item], now: float, window: float) -> None:
        for item in items:
            one = number(item)
            if one in self.confirmed:
                self.wrong.append(f"event {one} was sent again after a clear yes")
            if item.expires is not None and now > item.expires - MARGIN + 2:
                self.wrong.append(f"event {one} was sent {now - item.expires + MARGIN:.0f} s too late")
            first = self.first.get(one)
            if first is not None and now > first + (window or 0) + TIMEOUT + 2 and item.origin.first_sent != DECIDED:
                self.wrong.append(f"event {one} was sent again {now - first:.0f} s after it had been stored")
        for begin, end in self.quiet:
            if begin < now < end - 1e-6:
                self.wrong.append(f"a request was begun {end - now:.1f} s too early")


class Run:
    """What ``dispatch`` does with threads and a real clock, without either."""

    def __init__(self, sky: Sky, chance: random.Random, now: float, window: float, rate: float | None) -> None:
        self.sky, self.chance, self.now, self.window = sky, chance, now, window
        self.shared = Shared(rate)
        self.policy = Policy(
            lambda: self.now, lambda longest: chance.uniform(0, longest),
            patience=PATIENCE, longest_wait=LONGEST_WAIT, margin=MARGIN, window=window,
            proven=self.shared.is_proven, is_silent=self.shared.is_silent, may_retry=self.shared.may_retry,
        )  # fmt: skip
        self.is_halted = False
        self.requests = self.retries = 0

    def carried_out(self, batches: Sequence[list[Item]], stop_at: float) -> list[tuple[list[Item], Outcome]]:
        """Deliver batches, several at once; from some moment on nothing more is begun."""
        found: list[tuple[list[Item], Outcome]] = []
        waiting, order = deque(batches), iter(range(10**9))
        tasks: list[tuple[float, int, Iterator[float]]] = []

        def begin() -> None:
            if waiting and not self.is_halted:
                batch = waiting.popleft()
                heapq.heappush(tasks, (self.now, next(order), self._driven(batch, found)))

        for _ in range(AT_ONCE):
            begin()
        while tasks:
            moment, _, task = heapq.heappop(tasks)
            self.now = max(self.now, moment)
            self.is_halted = self.is_halted or self.now >= stop_at
            until = next(task, None)
            if until is None:
                begin()
            else:
                heapq.heappush(tasks, (until, next(order), task))
        return found

    def _driven(self, batch: list[Item], found: list[tuple[list[Item], Outcome]]) -> Iterator[float]:
        """One batch; yields the moment at which it goes on."""
        steps, answer, tries = deliver(batch, self.policy), None, 0
        try:
            while True:
                step = next(steps) if answer is None else steps.send(answer)
                answer = None
                if isinstance(step, Turn):
                    while not self.is_halted and (pause := self.shared.pause(step.count, self.now)):
                        yield self.now + min(pause, 1.0)
                    answer = Answer("stop", INTERRUPTED) if self.is_halted else None
                elif isinstance(step, Send):
                    begun = self.now
                    answer, seconds = self.sky.asked(step.items, begun, self.window)
                    yield begun + seconds
                    self._told(answer, len(step.items), again=tries > 0)
                    tries = 0
                else:
                    tries += 1
                    yield from self._waited(step)
        except StopIteration as done:
            outcome: Outcome = done.value
            if outcome.stop is not None and outcome.stop.answer.reason != INTERRUPTED:
                self.is_halted = True
            found.append((batch, outcome))

    def _told(self, answer: Answer, count: int, *, again: bool) -> None:
        self.requests += 1
        self.retries += again
        self.shared.answered(answer, count, self.now, again=again)
        if answer.meaning in ("retry", "throttled") and answer.retry_after and answer.retry_after <= LONGEST_WAIT:
            self.sky.quiet.append((self.now, self.now + answer.retry_after))

    def _waited(self, step: Wait) -> Iterator[float]:
        if not 0 <= step.seconds <= LONGEST_WAIT:
            self.sky.wrong.append(f"a wait of {step.seconds} s")
        if step.everyone:
            self.shared.hold(step.seconds, self.now)
        until = self.now + step.seconds
        while self.now < until and not self.is_halted:
            yield min(until, self.now + 5.0)


def story(seed: int) -> list[str]:
    """The laws that a story breaks; none if all is well."""
    chance = random.Random(seed)
    now, count = START, chance.randint(1, 80)
    bad = set(chance.sample(range(count), chance.choice([0, 0, 0, 1, min(2, count), count // 2])))
    window = chance.choice([WINDOW, WINDOW, 120.0, 0.0])
    sky = Sky(chance, bad, chance.choice([None, 2804050]), chance.random() < 0.3, [])
    expires = {one: int(now + MARGIN + chance.uniform(0, 150)) for one in range(count) if chance.random() < 0.3}
    items = [Item(b"x" * 100, expires.get(one), Origin(Line("f", one, one, b""))) for one in range(count)]
    for _ in range(chance.randint(1, 3)):
        moments = sorted(chance.uniform(0, 60) for _ in range(chance.randint(0, 9)))
        sky.changes = [(now + moment, chance.choice(WEATHERS)) for moment in moments]
        sky.quiet = []
        now, items = _one_run(sky, chance, items, now, window)
        now += chance.choice([60.0, 3600.0, 50 * 3600.0])
    for one, many in sky.stored.items():
        if many - 1 > sky.unclear[one]:
            sky.wrong.append(f"event {one} was stored {many} times")
    return sky.wrong


def _one_run(sky: Sky, chance: random.Random, items: list[Item], now: float, window: float) -> tuple[float, list[Item]]:
    """A run over what is left; when it ended, and what it leaves."""
    run = Run(sky, chance, now, window, chance.choice([None, None, 20.0]))
    size = chance.randint(1, 20)
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    maybe = {number(item) for item in items if item.origin.first_sent is not None}
    before = Counter(sky.unclear)
    found = run.carried_out(batches, now + chance.choice([30.0, 10**6, 10**6]))
    begun = {id(item) for batch, _ in found for item in batch}
    left = [item for item in items if id(item) not in begun]
    for batch, outcome in found:
        sky.wrong += _judged(sky, batch, outcome, run.now, maybe | set((sky.unclear - before).keys()))
        unclear = {id(item): moment for item, moment in outcome.unclear}
        held = set(map(id, outcome.held))
        for item in outcome.pending:
            first = unclear.get(id(item))
            if id(item) in held:
                decision = chance.choice(["drop", "resend", "wait"])
                if decision == "drop":
                    continue
                first = DECIDED if decision == "resend" else first
            origin = Origin(item.origin.line, first_sent=first)
            left.append(Item(item.encoded, item.expires, origin))
    most = len(batches) * (PATIENCE + 40 * (TIMEOUT + LONGEST_WAIT)) + run.requests * (TIMEOUT + LONGEST_WAIT)
    if run.now - now > most:
        sky.wrong.append(f"the run took {run.now - now:.0f} s")
    if run.retries > 200 + run.requests // 5 + AT_ONCE:
        sky.wrong.append(f"{run.retries} of {run.requests} requests were sent again")
    return run.now, sorted(left, key=number)


def _judged(sky: Sky, batch: list[Item], outcome: Outcome, now: float, maybe: set[int]) -> Iterator[str]:
    """The laws of one batch, once its run is over."""
    accepted, pending = [number(one) for one in outcome.accepted], [number(one) for one in outcome.pending]
    rejected = {number(one): (one, answer) for one, answer in outcome.rejected}
    if sorted([*accepted, *rejected, *pending]) != sorted(map(number, batch)):
        yield "an event has no fate, or two"
    if not set(accepted) <= sky.confirmed:
        yield "events are called accepted of which the destination has not said so"
    if sky.confirmed & ({*pending} | {*rejected}):
        yield "events that were accepted are called pending or rejected"
    if pending and outcome.stop is None and not outcome.held:
        yield "events are left without a reason"
    if outcome.stop is not None and outcome.stop.exit_code not in (3, PENDING_PERSON):
        yield f"a run stops with exit code {outcome.stop.exit_code}"
    if sum(outcome.waited.values()) > PATIENCE:
        yield f"a batch has waited for {sum(outcome.waited.values()):.0f} s"
    if outcome.requests > 500:
        yield f"a batch took {outcome.requests} requests"
    if twice := {one for one in accepted if sky.stored[one] > 1} - {number(one) for one in outcome.repeated}:
        yield f"events {twice} were stored twice, and nobody was told"
    for one, (item, answer) in rejected.items():
        if answer.reason == "expired":
            if item.expires is None or item.expires - MARGIN > now:
                yield f"event {one} is called too old"
        elif one not in sky.alone:
            yield f"event {one} was rejected and never refused alone: {answer.reason}"
        elif answer.reason in ("invalid", "") and not sky.confirmed:
            yield f"event {one} was rejected although nothing was ever accepted"
        elif one not in sky.bad:
            yield f"event {one} was rejected for the destination's trouble: {answer.reason}"
    known = {number(item) for item, _ in outcome.unclear}
    if lost := {one for one in pending if sky.stored[one]} - known - maybe:
        yield f"events {lost} may have arrived, and nobody was told"
