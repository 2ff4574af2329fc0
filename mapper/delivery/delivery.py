"""What is done with a batch, decided without acting.

``deliver`` is a generator: it yields ``Turn``, ``Send`` and ``Wait``, is given answers, and returns an ``Outcome``.
Whoever drives it has the client and the clock; a test drives it with a table. Promises kept here:

- what was accepted is never sent again; what may have been is counted;
- one event that is wrong is found by halving, and costs no other event;
- a destination's own trouble (a token, a limit, an outage) never rejects an event: it stays pending;
- an event that grew too old while waiting is taken out before it costs the whole request;
- what may have arrived is not sent again once the destination would count it twice, or at all if the user wants it so:
  it is held, for somebody to decide.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..destinations.answers import Answer
from .items import DECIDED, PATIENCE, PENDING_LATER, PENDING_PERSON, WINDOW, Item, Outcome, Stop

_SOON: Final = 1.0
"""Seconds within which what was young enough to be sent still is."""
_FIRST_WAIT: Final = 0.5
_LONGEST_BACKOFF: Final = 30.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait until so many events may be sent; answer with None, or with one that is ``INTERRUPTED`` if the run ends."""

    count: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send these events in one request, and answer with an ``Answer``."""

    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds. ``everyone``: a limit, or what the destination asks for, so nobody else sends."""

    seconds: float
    everyone: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a delivery is.

    now            the time in Unix seconds
    jitter         takes the longest wait, gives the wait: ``random.uniform(0, longest)``
    patience       seconds of waiting for one batch before the run gives up for now
    longest_wait   a destination that asks for a longer wait than this ends the run for now
    margin         seconds kept back before an event's age limit
    window         seconds for which the destination drops copies: later, they could count twice; 0 if nothing that may
                   have arrived is to be sent again
    max_requests   requests for one batch, which bounds the search for events that are wrong
    max_refusals   refused requests without anything accepted, after which it is the setup that is wrong
    proven         whether the destination has accepted anything in this run: then a refusal is the event's own fault
    is_silent      whether the destination has given no clear answer for a while
    may_retry      whether the run as a whole has sent few enough requests again to send another one again
    groups         parts a batch into those events that can share a request
    """

    now: Callable[[], float]
    jitter: Callable[[float], float]
    patience: float = PATIENCE
    longest_wait: float = 60.0
    margin: int = 60
    window: float = WINDOW
    max_requests: int = 500
    max_refusals: int = 20
    proven: Callable[[], bool] = lambda: False
    is_silent: Callable[[], bool] = lambda: False
    may_retry: Callable[[], bool] = lambda: True
    groups: Callable[[list[Item]], list[list[Item]]] = lambda items: [items]


Step = Turn | Send | Wait
Steps = Generator[Step, Answer | None, Any]


def _too_many(message: str) -> Stop:
    remedy = "Check the mapping with `mapper payload check`, and the settings in the environment (the token, the ids)."
    return Stop(Answer("stop", "too-many-refused", code="search", message=message, remedy=remedy), PENDING_PERSON)


EXPIRED: Final = Answer("refused", "expired", message="it grew too old while it waited to be sent")


def deliver(items: Sequence[Item], policy: Policy) -> Generator[Step, Answer | None, Outcome]:
    """Deliver a batch: yields what to do, returns what became of every item."""
    delivery = _Delivery(policy)
    yield from delivery.whole(list(items))
    delivery.settle()
    return delivery.outcome


@dataclass(frozen=True, slots=True)
class _Suspect:
    """Items that were refused as a whole, so that one of them at least is wrong.

    found   how many wrong ones were found in it one after the other
    """

    items: list[Item]
    answer: Answer
    found: int = 0


_FEW: Final = 64
"""Among so many, a single wrong event is looked for; among more there may well be several."""


class _Delivery:
    """One batch on its way.

    A batch that was refused is halved, and both halves are sent: that soon shows what is well, so that a few wrong
    events that stand together do not look like a setup that refuses everything. In a small group there is mostly one
    wrong event: it is looked for by halves of which only the first is sent, and what is left over is sent as one. Where
    several follow one another, halving goes on. Only what was refused alone is rejected. On average that takes 15
    requests for one wrong event among 1,000, 54 for five, 172 for twenty.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.outcome = Outcome()
        self.suspects: deque[_Suspect] = deque()
        self.alone: list[tuple[Item, Answer]] = []
        self.refusals = 0
        self.most = policy.max_requests
        self.waited = 0.0
        self.unclear: dict[int, float] = {}
        """When an item was first sent without a clear answer in this delivery, by its identity."""

    def whole(self, items: list[Item]) -> Steps:
        """Send all, then search among what was refused."""
        groups = self.policy.groups(items)
        self.most = self.policy.max_requests + len(groups) - 1
        for group in groups:
            yield from self._sent(group)
        while self.suspects:
            suspect = self.suspects.pop()
            if self.outcome.stop is not None:
                self.outcome.pending += suspect.items
                continue
            fresh = self._fresh(suspect.items)
            is_smaller = len(fresh) < len(suspect.items)  # the fault may have been the age of those that are gone
            if is_smaller or len(fresh) == 1:
                yield from self._sent(fresh)
            else:
                yield from self._search(suspect)

    def _search(self, suspect: _Suspect) -> Steps:
        """A request was refused because of what it holds: find out which of it."""
        items, answer = suspect.items, suspect.answer
        named = sorted({index for index in answer.culprits if 0 <= index < len(items)})
        if named and len(named) < len(items):
            yield from self._sent([item for index, item in enumerate(items) if index not in named])
            for index in named:
                yield from self._sent([items[index]])
        elif len(items) <= _FEW and suspect.found < 2 and answer.meaning == "refused" and self._is_proven():
            yield from self._one(suspect)
        else:
            yield from self._halves(suspect)

    def _halves(self, suspect: _Suspect) -> Steps:
        self.outcome.halvings += 1
        middle = len(suspect.items) // 2
        left, right = suspect.items[:middle], suspect.items[middle:]
        is_well = yield from self._sent(left, suspect.found)
        if is_well and suspect.answer.meaning == "refused" and len(right) > 1:
            self.suspects.append(replace(suspect, items=right))  # the fault must be here: not sent whole again
        else:
            yield from self._sent(right, suspect.found)

    def _one(self, suspect: _Suspect) -> Steps:
        """Find one wrong event, and send what that leaves unknown as one."""
        items, answer, unknown, is_known = suspect.items, suspect.answer, list[Item](), False
        while len(items) > 1:
            self.outcome.halvings += 1
            middle = len(items) // 2
            left, right = items[:middle], items[middle:]
            asked, said = yield from self._asked(left)
            if said is None or len(asked) < len(left):  # the run ends, or something grew too old: begin anew
                self._answered(asked, said, suspect.found)
                self.suspects.append(replace(suspect, items=right + unknown))
                return
            if said.meaning == "accepted":
                self._accepted(asked, said)
                items, is_known = right, False
            else:
                items, answer, unknown, is_known = left, said, right + unknown, True
        if is_known:
            self.alone.append((items[0], answer))
        else:  # only what was refused alone is rejected
            yield from self._sent(items)
        if unknown:
            yield from self._sent(unknown, suspect.found + 1)

    def _refused(self, suspect: _Suspect) -> None:
        if len(suspect.items) == 1:
            self.alone.append((suspect.items[0], suspect.answer))
        else:
            self.suspects.append(suspect)

    def _sent(self, items: list[Item], found: int = 0) -> Generator[Step, Answer | None, bool]:
        """Send some items; whether every one of them was accepted. What was refused becomes a suspect."""
        asked, answer = yield from self._asked(items)
        self._answered(asked, answer, found)
        return answer is not None and answer.meaning == "accepted" and len(asked) == len(items)

    def _answered(self, asked: list[Item], answer: Answer | None, found: int) -> None:
        if answer is None:
            self.outcome.pending += asked
        elif answer.meaning == "accepted":
            self._accepted(asked, answer)
        else:
            self._refused(_Suspect(asked, answer, found))

    def _accepted(self, items: list[Item], answer: Answer) -> None:
        """The request was taken; but for those events that the answer judges otherwise, each by itself."""
        taken = [item for place, item in enumerate(items) if place not in answer.verdicts] if answer.verdicts else items
        for place, message in answer.verdicts.items():
            self.alone.append((items[place], replace(answer, meaning="refused", reason="invalid", message=message)))
        self.outcome.accepted += taken
        self.outcome.repeated += [item for item in taken if self._first_sent(item) is not None]
        self.outcome.messages.update(answer.messages)

    def _first_sent(self, item: Item) -> float | None:
        """When it was first sent without a clear answer, in this delivery or in an earlier one."""
        before, now = item.origin.first_sent, self.unclear.get(id(item))
        return now if before is None else before if now is None else min(before, now)

    def _fresh(self, items: list[Item]) -> list[Item]:
        """The items that may be sent now. What is too old is rejected, what could count twice by now is held."""
        now = self.policy.now()
        latest = now + self.policy.margin
        fresh: list[Item] = []
        for item in items:
            first = self._first_sent(item)
            if item.expires is not None and item.expires < latest:
                self.outcome.rejected.append((item, EXPIRED))
            elif first is not None and self._could_count_twice(first, now):
                self.outcome.pending.append(item)
                self.outcome.held.append(item)
            else:
                fresh.append(item)
        return fresh

    def _could_count_twice(self, first: float, now: float) -> bool:
        """Whether what may have arrived is held: so long ago that the destination would not see the copy."""
        window = self.policy.window
        return first < now - window if window else first != DECIDED

    def _asked(self, items: list[Item]) -> Generator[Step, Answer | None, tuple[list[Item], Answer | None]]:
        """Send, and send again while the answer says that it may help.

        returns  the items that were young enough to be sent, and the answer: None if the run has to stop, or if there
                 was nothing left to send
        """
        tries = 0
        came: Counter[tuple[str, str]] = Counter()  # how often each answer did
        while True:
            items = self._fresh(items)
            if not items or self.outcome.stop is not None:
                return items, None
            if self.outcome.requests >= self.most:
                message = f"{self.outcome.requests} requests were not enough to find the events that are wrong"
                self.outcome.stop = _too_many(message)
                return items, None
            moment = self.policy.now()
            interrupted = yield Turn(len(items))
            if interrupted is not None:
                self.outcome.stop = Stop(interrupted, PENDING_LATER)
                return items, None
            if self.policy.now() - moment >= _SOON:
                items = self._fresh(items)
                if not items:
                    return items, None
            answer = yield Send(items)
            assert answer is not None
            self._count(items, answer, tries)
            tries += 1
            self._note(items, answer)
            meaning = answer.meaning
            same = answer.reason, answer.code
            came[same] += 1
            if meaning in ("retry", "throttled") and answer.tries is not None and came[same] > answer.tries:
                meaning = answer.then
            if meaning == "accepted":
                return items, answer
            if meaning in ("refused", "too-large"):
                self._count_refusal()
                return items, answer
            if meaning == "stop":
                self.outcome.stop = Stop(answer, PENDING_PERSON)
                return items, None
            if answer.unclear and not self.policy.window:
                is_told = answer.retry_after is not None  # so others have to wait, though these are not sent again
                if not self.policy.is_silent() and (not is_told or (yield from self._waits(answer, tries))):
                    continue  # which holds them
                self.outcome.stop = Stop(answer, PENDING_LATER)
                return items, None
            if not self.policy.may_retry():
                remedy = "Too much of what was sent had to be sent again: run it again when the destination is well."
                self.outcome.stop = Stop(replace(answer, reason="too-many-retries", remedy=remedy), PENDING_LATER)
                return items, None
            if not (yield from self._waits(answer, tries)):
                self.outcome.stop = Stop(self._given_up(answer), PENDING_LATER)
                return items, None

    def _given_up(self, answer: Answer) -> Answer:
        """What is not waited for any longer, with when to come back."""
        asked = answer.retry_after or 0.0
        if answer.remedy:
            return answer
        if asked > self.policy.longest_wait:
            return replace(answer, remedy=f"It asks to wait for {asked:,.0f} seconds: run it again after that.")
        remedy = "The run waits no longer than --patience says: run it again when the destination is well."
        return replace(answer, remedy=remedy)

    def _count(self, items: list[Item], answer: Answer, tries: int) -> None:
        outcome = self.outcome
        outcome.requests += 1
        outcome.retries += tries > 0
        outcome.size += sum(len(item.encoded) for item in items)
        outcome.answers[answer.meaning, answer.code] += 1

    def _note(self, items: list[Item], answer: Answer) -> None:
        """Remember which items may have arrived. A refusal says that the same request was refused before as well."""
        if answer.unclear:
            now = self.policy.now()
            for item in items:
                self.unclear.setdefault(id(item), now)
        elif answer.meaning in ("refused", "too-large"):
            for item in items:
                self.unclear.pop(id(item), None)

    def _count_refusal(self) -> None:
        """Nothing but refusals means that the setup is wrong, not the events."""
        self.refusals += 1
        if self.refusals >= self.policy.max_refusals and not self._is_proven():
            self.outcome.stop = _too_many(f"{self.refusals} requests were refused, and nothing was accepted")

    def _is_proven(self) -> bool:
        return bool(self.outcome.accepted) or self.policy.proven()

    def _waits(self, answer: Answer, tries: int) -> Generator[Step, Answer | None, bool]:
        """Wait as the destination asks, or a little longer each time; False if that would be too long."""
        backoff = self.policy.jitter(min(_LONGEST_BACKOFF, _FIRST_WAIT * 2**tries))
        seconds = max(answer.retry_after or 0.0, backoff)
        if answer.meaning == "throttled" and answer.retry_after is None:
            seconds = max(seconds, min(self.policy.longest_wait, 10.0 * tries))
        if seconds > self.policy.longest_wait or self.waited + seconds > self.policy.patience:
            return False
        self.waited += seconds
        reason = answer.reason or answer.meaning
        self.outcome.waited[reason] = self.outcome.waited.get(reason, 0.0) + seconds
        is_told = answer.meaning == "throttled" or answer.retry_after is not None
        yield Wait(seconds, everyone=is_told, reason=answer.reason)
        return True

    def settle(self) -> None:
        """Events that were refused alone are rejected if anything shows that it was their own fault."""
        proven = self._is_proven()
        for item, answer in self.alone:
            is_plain = answer.reason not in ("invalid", "setup", "")  # the answer says what is wrong with this one
            if proven or (is_plain and self.outcome.stop is None):
                self.outcome.rejected.append((item, answer))
                continue
            self.outcome.pending.append(item)
            if self.outcome.stop is None:
                self.outcome.stop = Stop(answer, PENDING_PERSON)
        for item in self.outcome.pending:
            first = self._first_sent(item)
            if first is not None:
                self.outcome.unclear.append((item, first))
