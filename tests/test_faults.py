"""The faults that take a few seconds, every day; and clients that are wrong in known ways, which they have to catch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import mapper
from mapper.delivery.connecting import Deadline
from mapper.delivery.delivery import _Delivery
from mapper.delivery.dispatch import Dispatcher
from mapper.delivery.sharing import Shared
from mapper.delivery.transport import Connection
from mapper.destinations.answers import Answer, Answers
from mapper.destinations.destination import Destination

from .faults import running
from .faults.running import run
from .faults.scenarios import SCENARIOS, Scenario

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
QUICK = [scenario for scenario in SCENARIOS if not scenario.is_slow]


def test_every_fault_that_is_over_soon() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) > 90
    longest_first = QUICK[::-1]  # they stand last; nearly all of their time is waiting
    with ThreadPoolExecutor(16) as pool:
        found = dict(zip((one.name for one in longest_first), pool.map(_patiently, longest_first), strict=True))
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def _patiently(scenario: Scenario) -> list[str]:
    """On a machine that has much else to do a scenario may take longer; what comes of it is the same."""
    options = {**scenario.options}
    if options.get("timeout", 10.0) < 10.0:
        options["timeout"] *= 4
    return run(replace(scenario, seconds=300.0, options=options))


# -- wrong clients -----------------------------------------------------------------------------------------------------


def _any_200_is_success(patch: pytest.MonkeyPatch) -> None:
    genuine = Answers.answer

    def answer(self: Answers, status: int, body: bytes, sent: int, headers: Any = None) -> Answer:
        return Answer("accepted") if status == 200 else genuine(self, status, body, sent, headers)

    patch.setattr(Answers, "answer", answer)


def _lost_means_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answers, "lost", lambda self, written, why="": Answer("accepted"))


def _never_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Shared, "hold", lambda self, seconds, moment: None)
    patch.setattr("mapper.delivery.dispatch.Switch.wait", lambda self, seconds: False)


def _waits_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Shared, "hold", lambda self, seconds, moment: None)


def _follows_redirects(patch: pytest.MonkeyPatch) -> None:
    import httpx

    genuine = httpx.Client.stream

    def stream(self: Any, method: str, url: str, **named: Any) -> Any:
        return genuine(self, method, url, **{**named, "follow_redirects": True})

    patch.setattr(httpx.Client, "stream", stream)
    patch.setattr("mapper.delivery.connecting._UNHEARD", ())
    patch.setattr(httpx.Client, "stream", stream)


def _rejects_the_whole_batch(patch: pytest.MonkeyPatch) -> None:
    def search(self: _Delivery, suspect: Any) -> Any:
        self.outcome.rejected += [(item, suspect.answer) for item in suspect.items]
        yield from ()

    patch.setattr(_Delivery, "_search", search)


def _blames_events_for_the_token(patch: pytest.MonkeyPatch) -> None:
    genuine = Answers.answer

    def answer(self: Answers, status: int, body: bytes, sent: int, headers: Any = None) -> Answer:
        found = genuine(self, status, body, sent, headers)
        return replace(found, meaning="refused", reason="too-broad") if found.reason == "token" else found

    patch.setattr(Answers, "answer", answer)


def _sends_again_what_was_accepted(patch: pytest.MonkeyPatch) -> None:
    genuine = Connection.send

    def send(self: Connection, events: Any) -> Answer:
        genuine(self, events)
        return genuine(self, events)

    patch.setattr(Connection, "send", send)


def _changes_what_it_sends_again(patch: pytest.MonkeyPatch) -> None:
    genuine, count = Connection.send, [0]

    def send(self: Connection, events: Any) -> Answer:
        count[0] += 1
        return genuine(self, [event.replace(b"Mozilla/5.0", b"Mozilla/%d" % count[0]) for event in events])

    patch.setattr(Connection, "send", send)


def _has_new_ids_each_time(patch: pytest.MonkeyPatch) -> None:
    genuine, count = Connection.send, [0]

    def send(self: Connection, events: Any) -> Answer:
        count[0] += 1
        return genuine(self, [event.replace(b'"id-', b'"new%d-' % count[0]) for event in events])

    patch.setattr(Connection, "send", send)


def _never_tries_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("mapper.delivery.delivery._Delivery._waits", lambda self, answer, tries: iter(()))


def _forgets_what_is_pending(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("mapper.delivery.report.Tally.finish", lambda self: setattr(self.events, "made", self.events.sent))


def _ignores_age_while_it_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Delivery, "_fresh", lambda self, items: items)


def _does_not_count_copies(patch: pytest.MonkeyPatch) -> None:
    genuine = Dispatcher._driven

    def driven(self: Dispatcher, items: Any) -> Any:
        outcome = genuine(self, items)
        outcome.repeated = []
        return outcome

    patch.setattr(Dispatcher, "_driven", driven)


def _puts_the_token_into_letters(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "mapper.delivery.report.Report.as_dict", lambda self: {"url": "https://a.example/?t=sentinel-of-a-token"}
    )


def _goes_on_with_a_bad_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispatcher, "halt", lambda self: None)


def _keeps_back_no_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(running, "_program", running._program.__wrapped__)  # made anew
    patch.setattr(Destination, "margin", 0)


def _has_no_deadline_for_the_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Deadline, "set", lambda self, seconds: None)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (_any_200_is_success, "not-json-not-stored"),
    (_lost_means_accepted, "reset-before"),
    (_never_waits, "http429-retry-after"),
    (_waits_alone, "everyone-waits"),
    (_follows_redirects, "redirect-307"),
    (_rejects_the_whole_batch, "wrong-499"),
    (_blames_events_for_the_token, "token-expires"),
    (_sends_again_what_was_accepted, "messages"),
    (_changes_what_it_sends_again, "http500-after"),
    (_has_new_ids_each_time, "http500-after"),
    (_never_tries_again, "http500"),
    (_forgets_what_is_pending, "token-401"),
    (_ignores_age_while_it_waits, "too-old-while-it-waits"),
    (_does_not_count_copies, "http504-after"),
    (_puts_the_token_into_letters, "messages"),
    (_never_waits, "five-requests-a-second-http"),
    (_goes_on_with_a_bad_token, "token-expires-under-way"),
    (_keeps_back_no_time, "clock-+120-s"),
    (_has_no_deadline_for_the_whole, "drips-headers"),
]


@pytest.mark.parametrize(("mutate", "name"), MUTANTS, ids=lambda one: getattr(one, "__name__", one))
def test_a_wrong_client_is_caught(
    mutate: Callable[[pytest.MonkeyPatch], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    try:
        scenario = BY_NAME[name]
        seconds = 3.0 if name == "drips-headers" else scenario.seconds
        wrong = run(replace(scenario, seconds=seconds, options={"patience": 3.0, **scenario.options}), mapper.send)
    except (AssertionError, RuntimeError) as error:  # the report's own sums may notice it first
        wrong = [str(error)]
    assert wrong, "nobody noticed"
