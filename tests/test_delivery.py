"""One batch, driven without a network: tables, and laws that hold whatever the destination does."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapper.delivery import delivery
from mapper.delivery.delivery import Policy, Send, Wait, _Delivery, _Suspect, deliver
from mapper.delivery.items import Item, Origin, Outcome
from mapper.delivery.sharing import Shared
from mapper.destinations.answers import Answer
from mapper.destinations.destination import load_destination
from mapper.documents import document
from mapper.records.source import Line

from .faults.simulation import story

META = load_destination("meta")
CASES: list[dict[str, Any]] = document.read(Path(__file__).parent / "specs" / "delivery" / "batches.yaml").value[
    "cases"
]
REFUSED = {"status": 400, "error": {"code": 100, "error_subcode": 2804050}}


def item(number: int, expires: int | None = None) -> Item:
    return Item(b"x", expires, Origin(Line("f", number, 0, b"")))


def number(one: Item) -> int:
    return one.origin.line.number


class World:
    """A destination and a clock that the delivery cannot tell from real ones. Notes what was sent, and was accepted."""

    def __init__(self, bad: set[int], answers: Iterator[dict[str, Any]], script: dict[int, dict[str, Any]]) -> None:
        self.bad, self.answers, self.script = bad, answers, script
        self.now = 0.0
        self.requests = 0
        self.waited = 0.0
        self.arrived: list[int] = []
        self.refused_alone: set[int] = set()

    def answer(self, items: list[Item]) -> Answer:
        self.requests += 1
        said = self.script.get(self.requests) or next(self.answers, None)
        if said is None:
            said = REFUSED if any(number(one) in self.bad for one in items) else {"status": 200}
        if "lost" in said:
            return META.answers.lost(written=said["lost"] == "after")
        body: Any = {"events_received": said.get("received", len(items)), "messages": [], "fbtrace_id": "A"}
        if "error" in said:
            body = {"error": {"message": "no", "type": "OAuthException", **said["error"]}}
        text = said["text"] if "text" in said else json.dumps(body)
        answer = META.answer(said["status"], text.encode(), len(items), said.get("headers"))
        if answer.meaning == "accepted":
            self.arrived += map(number, items)
        elif len(items) == 1 and answer.meaning in ("refused", "too-large"):
            self.refused_alone.add(number(items[0]))
        return answer

    def carry_out(self, items: list[Item], policy: Policy) -> Outcome:
        steps = deliver(items, policy)
        answer: Answer | None = None
        try:
            while True:
                step = next(steps) if answer is None else steps.send(answer)
                answer = None
                if isinstance(step, Send):
                    answer = self.answer(list(step.items))
                elif isinstance(step, Wait):
                    self.now += step.seconds
                    self.waited += step.seconds
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["title"]))
def test_batches(case: dict[str, Any]) -> None:
    count, expires = case["events"], {int(n): moment for n, moment in case.get("expires", {}).items()}
    bad = set(range(count)) if case.get("bad") == "all" else set(case.get("bad", ()))
    answers = (said for said in case.get("answers", ()) for _ in range(said.get("times", 1)))
    world = World(bad, answers, {int(n): said for n, said in case.get("script", {}).items()})
    seed = random.Random(7)
    policy = Policy(
        lambda: world.now, lambda longest: seed.uniform(0, longest), proven=lambda: case.get("proven", False)
    )
    found = world.carry_out([item(n, expires.get(n)) for n in range(count)], policy)
    wanted = case["expect"]
    assert sorted(number(one) for one, _ in found.rejected) == wanted.get("rejected", [])
    assert (len(found.accepted), len(found.pending)) == (wanted.get("accepted", 0), wanted.get("pending", 0))
    if "most_requests" in wanted:
        assert found.requests <= wanted["most_requests"]
    else:
        assert "stop" in wanted or "requests" in wanted
        assert found.requests == wanted.get("requests", found.requests)
    assert found.retries == wanted.get("retries", found.retries if "times" in str(case) else 0)
    assert len(found.repeated) == wanted.get("maybe_twice", 0)
    low, high = wanted.get("waited", (0, 40))
    assert low <= world.waited <= high
    stop = (found.stop.answer.reason, found.stop.exit_code) if found.stop is not None else (None, None)
    assert stop == (wanted.get("stop"), wanted.get("exit"))
    assert world.requests == found.requests == sum(found.answers.values())


@pytest.mark.parametrize(("bad", "most"), [(1, 20), (5, 71), (20, 206)])
def test_looking_for_wrong_events_costs_few_requests(bad: int, most: int) -> None:
    for seed in range(150):
        chosen = set(random.Random(seed).sample(range(1000), bad))
        world = World(chosen, iter(()), {})
        found = world.carry_out([item(n) for n in range(1000)], Policy(lambda: 0.0, lambda longest: longest))
        assert {number(one) for one, _ in found.rejected} == chosen
        assert len(found.accepted) == 1000 - bad
        assert found.requests <= most


@pytest.mark.parametrize(("bad", "most"), [(1, 20), (5, 71), (20, 206)])
def test_so_it_does_wherever_they_stand(bad: int, most: int) -> None:
    """Random places are not the worst: these are made worse step by step."""

    def cost(chosen: list[int]) -> int:
        world = World(set(chosen), iter(()), {})
        return world.carry_out([item(n) for n in range(1000)], Policy(lambda: 0.0, lambda longest: longest)).requests

    chance = random.Random(bad)
    worst = chance.sample(range(1000), bad)
    dearest = cost(worst)
    for _ in range(150):
        other = [*worst]
        other[chance.randrange(bad)] = chance.randrange(1000)
        if len(set(other)) == bad and (found := cost(other)) >= dearest:
            worst, dearest = other, found
    assert dearest <= most


ANSWERS = st.sampled_from(
    [
        {"status": 200},
        {"status": 200, "received": 1},
        {"status": 200, "text": "<html>"},
        {"status": 503, "error": {"code": 2}},
        {"status": 429, "text": "", "headers": {"Retry-After": "3"}},
        {"status": 413, "text": ""},
        {"status": 400, "error": {"code": 100}},
        {"status": 400, "error": {"code": 100, "message": "$['data'][0] $['data'][5] $['data'][900]"}},
        {"status": 401, "error": {"code": 190}},
        {"lost": "before"},
        {"lost": "after"},
    ]
)


@example(7, {3}, {3: {"status": 200, "received": 1}}, {3: 60}, False)
@example(7, {3}, {3: {"status": 200, "received": 1}}, {4: 60}, False)
@example(48, {*range(7), 36, 46}, {12: {"status": 401, "error": {"code": 190}}}, {}, False)
@settings(max_examples=1000, deadline=None)
@given(
    count=st.integers(0, 60),
    bad=st.sets(st.integers(0, 59)),
    script=st.dictionaries(st.integers(1, 40), ANSWERS, max_size=12),
    ages=st.dictionaries(st.integers(0, 59), st.integers(0, 400), max_size=6),
    proven=st.booleans(),
)
def test_laws(count: int, bad: set[int], script: dict[int, dict[str, Any]], ages: dict[int, int], proven: bool) -> None:
    world = World(bad, iter(()), script)
    policy = Policy(lambda: world.now, lambda longest: longest / 2, proven=lambda: proven)
    found = world.carry_out([item(n, ages.get(n)) for n in range(count)], policy)
    accepted = [number(one) for one in found.accepted]
    rejected = [number(one) for one, _ in found.rejected]
    pending = [number(one) for one in found.pending]
    assert sorted(accepted + rejected + pending) == list(range(count)), "every event has exactly one fate"
    assert sorted(world.arrived) == sorted(accepted), "accepted means that the destination said so, and once only"
    assert bool(pending) <= (found.stop is not None), "nothing is left without a reason"
    assert found.requests <= 500
    for one, answer in found.rejected:
        assert answer.reason == "expired" or number(one) in world.refused_alone, (
            "only what was refused alone is rejected"
        )
        if answer.reason == "expired":
            assert one.expires is not None
            assert one.expires < world.now + 60


# -- whole runs, in a time of their own --------------------------------------------------------------------------------


def test_a_thousand_stories() -> None:
    """``python -m tests.faults --stories 10000`` tells more of them."""
    assert {seed: wrong for seed in range(1000) if (wrong := story(seed))} == {}


def _leaves_the_right_half(self: _Delivery, suspect: _Suspect) -> Any:
    yield from self._sent(suspect.items[: len(suspect.items) // 2])


def _waits_without_end(self: _Delivery, answer: Answer, tries: int, genuine: Any = _Delivery._waits) -> Any:
    self.waited = 0.0
    return (yield from genuine(self, answer, tries))


WRONG: list[tuple[str, Any, str, Any]] = [
    ("waits alone", Shared, "hold", lambda self, seconds, moment: None),
    ("looks at ages before it waits for others", delivery, "_SOON", 1e12),
    ("ignores ages", _Delivery, "_fresh", lambda self, items: items),
    ("sends again after days", _Delivery, "_could_count_twice", lambda self, first, now: False),
    ("forgets what may have arrived", _Delivery, "_note", lambda self, items, answer: None),
    (
        "blames everybody",
        _Delivery,
        "_refused",
        lambda self, one: self.alone.extend((i, one.answer) for i in one.items),
    ),
    ("takes the setup for the events", _Delivery, "_is_proven", lambda self: True),
    ("loses half of what was refused", _Delivery, "_halves", _leaves_the_right_half),
    ("waits without end", _Delivery, "_waits", _waits_without_end),
]


@pytest.mark.parametrize(("where", "name", "wrong"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_delivery_that_is_wrong_is_caught(where: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, name, wrong)
    assert any(map(story, range(1000)))
