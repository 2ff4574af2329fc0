"""Runs that come back: what an earlier one left is finished, sent once, or held, by the destination's own count."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.delivery.inspection import decide
from mapper.delivery.journal import Journal
from mapper.delivery.report import Report
from mapper.delivery.settling import Settling
from mapper.destinations import destination

from .answering import NOW, SETTINGS, lead, sums_hold
from .faults.running import MAPPING
from .faults.scenarios.scenario import from_request
from .faults.server import Behaviour, Exchange, Ledger, Server

HOUR = 3600.0
Serving = Callable[[Behaviour], Server]


@pytest.fixture
def serving() -> Iterator[Serving]:
    started: list[Server] = []

    def serve(behaviour: Behaviour) -> Server:
        started.append(Server(behaviour))
        return started[-1]

    yield serve
    for server in started:
        server.close()


class Job:
    """A mapping, a file of 100 records and a journal, sent by one run after another."""

    def __init__(self, folder: Path, window: str = "48 hours") -> None:
        source = Path(destination.__file__).with_name("meta.yaml").read_text()
        (folder / "quick.yaml").write_text(source.replace("window: 48 hours", f"window: {window}"))
        (folder / "m.yaml").write_text(MAPPING.replace("destination: meta", "destination: ./quick.yaml"))
        (folder / "r.jsonl").write_text("".join(json.dumps(lead(number)) + "\n" for number in range(100)))
        self.folder, self.journal = folder, folder / "journal"
        self.program = mapper.load(folder / "m.yaml")

    def run(self, server: Server, *, later: float = 0.0, **more: Any) -> Report:
        server.moment = lambda: later
        more = {"batch_size": 10, "concurrency": 1, "timeout": 10.0, "now": NOW + later, **more}
        more.setdefault("dead_letters", self.folder / "dead.jsonl")
        report = mapper.send(
            self.program, self.folder / "r.jsonl", to=server.url, settings=SETTINGS,
            journal=self.journal, **more,
        )  # fmt: skip
        sums_hold(report)
        return report


def counted(server: Server, window: float) -> dict[str, int]:
    """How often each event counts for a destination that drops copies for so many seconds."""
    first: dict[str, float] = {}
    found: dict[str, int] = {}
    for arrival in server.ledger.history:
        if arrival.how == "read":
            continue
        if arrival.id not in first or arrival.moment - first[arrival.id] > window:
            first[arrival.id] = arrival.moment
            found[arrival.id] = found.get(arrival.id, 0) + 1
    return found


@pytest.mark.parametrize("kind", ["token", "permission", "pixel", "throttled"])
def test_what_was_left_pending_is_finished_and_nothing_comes_twice(kind: str, serving: Serving, tmp_path: Path) -> None:
    """The trouble begins with the third request, and is over when the next run comes."""
    code = {"token": 190, "permission": 200, "pixel": 100, "throttled": 4}[kind]
    more: dict[str, Any] = {"error_subcode": 33} if kind == "pixel" else {}
    wait = "Retry-After: 3600\r\n" if kind == "throttled" else ""
    job, server = Job(tmp_path), serving(from_request(3, lambda e: e.error(400, code, wait, **more), last=3)())
    first = job.run(server)
    assert (first.exit_code, first.events.sent) == (3 if kind == "throttled" else 4, 20)
    second = job.run(server, later=HOUR)
    assert (second.exit_code, second.events.sent, second.events.maybe_twice) == (0, 80, 0)
    assert [*server.ledger.stored.values()] == [1] * 100


def _stores_and_says_nothing(exchange: Exchange) -> None:
    if exchange.number == 3:
        exchange.store(clearly=False)
        exchange.reset()
    else:
        exchange.accept()


@pytest.mark.parametrize("way", ["resend", "drop"])
def test_what_the_destination_would_count_twice_is_held(way: str, serving: Serving, tmp_path: Path) -> None:
    """A run stops after something was stored without an answer, and comes back when copies are not dropped any more."""
    job, server = Job(tmp_path, window="12 hours"), serving(_stores_and_says_nothing)
    first = job.run(server, patience=0.0)
    assert (first.exit_code, first.events.sent) == (3, 20)
    late = 11 * HOUR + 60  # a twelfth of the twelve hours is kept back
    second = job.run(server, later=late)
    assert (second.exit_code, second.events.sent, second.events.held) == (4, 70, 10)
    assert counted(server, 12 * HOUR) == {f"id-{number}": 1 for number in range(100)}
    assert decide(job.journal, resend=way == "resend", clock=lambda: NOW + late) == 10
    third = job.run(server, later=late)
    assert (third.exit_code, third.events.sent) == ((0, 10) if way == "resend" else (0, 0))
    assert sum(server.ledger.stored.values()) == 100 + 10 * (way == "resend")
    assert server.ledger.conflicts == 0


def test_within_its_memory_the_destination_drops_the_copies(serving: Serving, tmp_path: Path) -> None:
    job, server = Job(tmp_path, window="12 hours"), serving(_stores_and_says_nothing)
    job.run(server, patience=0.0)
    second = job.run(server, later=10 * HOUR)
    assert (second.exit_code, second.events.sent, second.events.maybe_twice) == (0, 80, 10)
    assert sum(server.ledger.stored.values()) == 110
    assert counted(server, 12 * HOUR) == {f"id-{number}": 1 for number in range(100)}


def test_a_run_that_ignores_the_window_is_caught(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mapper.delivery.delivery._Delivery._could_count_twice", lambda self, first, now: False)
    job, server = Job(tmp_path, window="12 hours"), serving(_stores_and_says_nothing)
    job.run(server, patience=0.0)
    job.run(server, later=13 * HOUR)
    assert set(counted(server, 12 * HOUR).values()) == {1, 2}


# -- runs that die -----------------------------------------------------------------------------------------------------


def deaths(serving: Serving, folder: Path) -> Iterator[str]:
    """A run dies at each of its requests, and another one goes on with the journal of that moment: what goes wrong.

    Three requests are on their way at once, and every third one takes longer; one record is broken, one event refused.
    """
    job, poison = Job(folder), "id-55"
    (folder / "r.jsonl").write_text((folder / "r.jsonl").read_text().replace('"type": "lead"', "broken", 1))
    moments: list[tuple[Path, set[str]]] = []

    def answered(exchange: Exchange) -> None:
        if exchange.number % 3 == 1:
            time.sleep(0.03)
        if any(event["event_id"] == poison for event in exchange.events):
            exchange.error(400, 100, error_subcode=2804050)
        else:
            exchange.accept()

    def remembered(exchange: Exchange) -> None:
        place = folder / f"at-{exchange.number}"
        place.mkdir()
        for path in folder.glob("journal*"):
            shutil.copy(path, place)
        shutil.copy(folder / "dead.jsonl", place) if (folder / "dead.jsonl").exists() else None
        moments.append((place, set(exchange.server.ledger.stored)))
        answered(exchange)

    server = serving(remembered)
    job.run(server, concurrency=3)
    server.behaviour = answered
    good = {f"id-{number}" for number in range(1, 100)} - {poison}
    assert len(moments) > 10
    for place, arrived in moments:
        server.ledger = Ledger()
        job.journal = place / "journal"
        job.run(server, concurrency=3, dead_letters=place / "dead.jsonl")
        lost, again = good - arrived - set(server.ledger.stored), arrived & set(server.ledger.stored)
        letters = (place / "dead.jsonl").read_text() if (place / "dead.jsonl").exists() else ""
        if lost:
            yield f"{place.name}: {sorted(lost)} were lost"
        if len(again) > 3 * 10:
            yield f"{place.name}: {len(again)} came twice"
        if poison not in letters or "broken" not in letters:
            yield f"{place.name}: a dead letter is missing"


def test_a_run_may_die_at_each_of_its_requests(serving: Serving, tmp_path: Path) -> None:
    assert list(deaths(serving, tmp_path)) == []


def _settles_before_there_is_an_answer(self: Journal, file: int, stretch: Any, *rest: Any, **more: Any) -> int:
    self.settle(file, [stretch])
    return 0


def _jumps_over_what_is_on_its_way(self: Journal, file: int, path: Any) -> None:
    query = "UPDATE files SET settled = (SELECT max(end) FROM ranges WHERE file = ? AND state = 'done') WHERE id = ?"
    self._db.execute(query, (file, file))


def _passes_over_what_is_on_its_way(self: Journal, *found: Any, genuine: Any = Journal._found) -> Any:
    known = genuine(self, *found)
    known.done, known.open = known.done + [stretch for stretch, _ in known.open], []
    return known


def _writes_no_letters(self: Settling, job: Any) -> None:
    job.refused = []


def _sends_all_again(self: Journal, file: int, *rest: Any, **more: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (Journal, "begin", _settles_before_there_is_an_answer),
        (Journal, "_join", _jumps_over_what_is_on_its_way),
        (Journal, "_found", _passes_over_what_is_on_its_way),
        (Settling, "_write", _writes_no_letters),
        (Journal, "settle", _sends_all_again),
    ],
    ids=lambda one: one.__name__.lstrip("_") if callable(one) and not isinstance(one, type) else "",
)
def test_a_journal_that_is_wrong_is_caught(
    where: Any, name: str, wrong: Any, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, wrong)
    assert any(deaths(serving, tmp_path))
