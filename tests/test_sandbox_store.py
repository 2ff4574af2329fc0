"""What the sandbox remembers: copies, attempts, masks, limits, and what outlives the process."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.destinations.destination import load_destination
from mapper.errors import DeliveryError
from mapper.sandbox import Store
from mapper.sandbox.judging import Judge
from mapper.sandbox.queries import Filter, arrivals, events, request
from mapper.sandbox.records import Arrival

from .sandbox_requests import HASH, NOW, cases, event, spelled

JUDGE = Judge(load_destination("meta"))


def add(store: Store, made: list[dict[str, Any]], *, at: float = NOW, source: str = "server", code: str = "") -> None:
    """What the endpoint does with a request."""
    if source == "pixel":
        judged = [JUDGE.unjudged(one) for one in made]
    else:
        judged, _ = JUDGE.judge([json.dumps(one).encode() for one in made], at)
    store.add(Arrival(at=at, source=source, events=len(made), test_code=code), judged)  # type: ignore[arg-type]


def numbered(number: int, **changes: Any) -> dict[str, Any]:
    return event(event_id=f"lead-{number}", **changes)


@pytest.mark.parametrize("case", cases("merging"), ids=lambda case: case["title"])
def test_copies_are_merged_as_meta_says(case: dict[str, Any]) -> None:
    store = Store()
    for arrival in case["arrivals"]:
        source = "pixel" if "p" in arrival else "server"
        seconds = arrival.get("p", arrival.get("s"))
        user: dict[str, Any] = {"em": [HASH], "client_user_agent": "Mozilla/5.0"}
        user |= {"fbp": f"fb.1.1.{arrival['fbp']}"} if "fbp" in arrival else {}
        user |= {"external_id": arrival["external"]} if "external" in arrival else {}
        made = event(event_id=arrival.get("id"), event_time=NOW + seconds, user_data=user)
        if "name" in arrival:
            made |= {"event_name": arrival["name"], "custom_data": {"value": 1, "currency": "EUR"}}
        add(store, [made], at=NOW + seconds, source=source)
    stored = store.events(source=None)
    assert [one.merged for one in stored] == case["becomes"]
    for one in stored:
        assert bool(one.twin) == bool(one.merged)
    counted = Counter(one.merged for one in stored if one.merged)
    assert {name: store.cube.verdicts()[name] for name in counted} == counted


@pytest.mark.parametrize("case", cases("masking"), ids=lambda case: case["title"])
def test_what_is_not_hashed_is_not_stored(case: dict[str, Any], tmp_path: Path) -> None:
    made = event(**case.get("with", {}))
    raw = case["raw"].encode() if "raw" in case else json.dumps(made).encode()
    path = tmp_path / "events.db"
    store = Store(path)
    judged, _ = JUDGE.judge([raw], NOW)
    store.add(Arrival(at=NOW, events=1), judged)
    body = store.events(verdict=None)[0].body.decode()
    store.close()
    written = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    for text in case.get("plain", []):
        assert text not in body
        assert text.encode() not in written
    for text in spelled(case.get("kept", []), None):
        assert text in body


def test_an_event_sent_again_is_one_event_with_attempts() -> None:
    store = Store()
    good, bad = [numbered(i) for i in range(9)], numbered(9, event_time=5)
    add(store, [*good, bad])
    assert Counter(one.verdict for one in store.events(verdict=None)) == {"held": 9, "refused": 1}
    add(store, good)
    add(store, [bad])
    found = store.events(verdict=None)
    assert Counter(one.verdict for one in found) == {"accepted": 9, "refused": 1}
    assert {one.attempts for one in found} == {2}
    assert store.cube.verdicts()["held"] == 0
    assert [one.events for one in store.requests] == [10, 9, 1]


def test_a_refused_event_stays_refused_when_it_is_held_once_more() -> None:
    store = Store()
    bad, worse = numbered(1, event_time=5), numbered(2, event_time=6)
    add(store, [bad])
    add(store, [worse, bad, numbered(3)])
    assert [(one.event_id, one.verdict) for one in store.events(verdict=None)] == [
        ("lead-1", "refused"),
        ("lead-2", "refused"),
        ("lead-3", "held"),
    ]


def test_equal_events_in_one_request_are_each_settled() -> None:
    store = Store()
    twice, bad = [numbered(1), numbered(1)], numbered(2, event_time=5)
    add(store, [*twice, bad])
    add(store, twice)
    assert [one.verdict for one in store.events(verdict=None)] == ["accepted", "accepted", "refused"]
    assert not store.cube.verdicts()["held"]


def test_the_newest_are_kept_and_the_others_counted() -> None:
    store = Store(keep=50)
    for start in range(0, 300, 10):
        add(store, [numbered(start + i) for i in range(10)])
    kept = store.events()
    assert 50 <= len(kept) <= 60
    assert kept[-1].event_id == "lead-299"
    assert store.pruned["accepted"] + len(kept) == 300
    assert store.cube.verdicts()["accepted"] == len(kept)


def test_what_is_too_old_is_forgotten() -> None:
    store = Store(age=3600)
    add(store, [numbered(1)], at=NOW)
    add(store, [numbered(2)], at=NOW + 3000)
    add(store, [numbered(3)], at=NOW + 4000)
    assert [one.event_id for one in store.events()] == ["lead-2", "lead-3"]
    assert len(store.requests) == 2


def test_a_file_is_remembered_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = Store(path)
    add(store, [numbered(1), numbered(2, event_time=5)], code="TEST1")
    facets = store.cube.verdicts(), store.cube.names(), store.cube.rules(), store.cube.test_codes()
    store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Store(path)
    assert (again.cube.verdicts(), again.cube.names(), again.cube.rules(), again.cube.test_codes()) == facets
    add(again, [numbered(1)])
    assert [(one.event_id, one.verdict, one.attempts) for one in again.events(verdict=None)] == [
        ("lead-1", "accepted", 2),
        ("lead-2", "refused", 1),
    ]
    again.close()


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough" * 40, "foreign", "trigger"])
def test_a_file_of_another_kind_is_left_alone(content: bytes | str, tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    if content == "trigger":
        Store(path).close()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM requests; END")
        db.close()
    elif content == "foreign":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine (a)")
        db.close()
    else:
        path.write_bytes(content)  # type: ignore[arg-type]
    before = path.read_bytes()
    if content == b"":
        Store(path).close()
        return
    with pytest.raises(DeliveryError, match="cannot be used"):
        Store(path)
    assert path.read_bytes() == before


def test_a_link_or_a_folder_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "other.db")
    for name in ("link.db", "."):
        with pytest.raises(DeliveryError):
            Store(tmp_path / name)
    assert not (tmp_path / "other.db").exists()


WRITER = """
import sys, json, time
from mapper.sandbox import Store
from tests.test_sandbox_store import add, numbered
store = Store(sys.argv[1])
number = 0
while True:
    add(store, [numbered(number + i) for i in range(20)])
    number += 20
    print(number, flush=True)
"""


def test_what_was_confirmed_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    root = Path(__file__).parent.parent
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ
    )
    assert writer.stdout is not None
    for _ in range(15):
        confirmed = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = Store(path)
    kept = store.events()
    assert len(kept) >= confirmed
    assert len(kept) % 20 == 0, "a request is stored whole or not at all"
    assert store.cube.verdicts()["accepted"] == len(kept)
    store.close()


def test_requests_from_many_threads_at_once() -> None:
    store = Store()

    def send(place: int) -> None:
        for i in range(20):
            add(store, [numbered(1000 * place + 10 * i + j) for j in range(5)])

    threads = [threading.Thread(target=send, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.events()
    assert len({one.event_id for one in kept}) == len(kept) == 400
    assert [one.id for one in kept] == sorted(one.id for one in kept)
    assert store.cube.verdicts()["accepted"] == 400


def test_clearing_forgets_everything(tmp_path: Path) -> None:
    store = Store(tmp_path / "events.db")
    add(store, [event(event_id="very-rare-id"), numbered(2, event_time=5)])
    store.clear()
    assert store.events(verdict=None) == []
    assert store.requests == []
    assert not store.cube.verdicts()
    store.close()
    assert b"very-rare-id" not in b"".join(one.read_bytes() for one in tmp_path.iterdir())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=6), max_size=12))
def test_counts_are_those_of_the_rows(requests: list[list[tuple[int, bool]]]) -> None:
    """However events are held, refused, sent again and pruned, the running counts equal a count of the rows."""
    store = Store(keep=15)
    for made in requests:
        add(store, [numbered(number, event_time=5 if bad else NOW) for number, bad in made])
    rows = store.events(verdict=None)
    assert store.cube.verdicts()["held"] == sum(one.verdict == "held" for one in rows)
    assert store.cube.verdicts()["refused"] == sum(one.verdict == "refused" for one in rows)
    assert store.cube.verdicts()["accepted"] == sum(one.verdict == "accepted" for one in rows)
    assert store.cube.verdicts()["repeat"] == sum(one.merged == "repeat" for one in rows)
    assert sum(entry["accepted"] for entry in store.cube.names()) == store.cube.verdicts()["accepted"]
    store.close()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Filter(), 6),
        (Filter(verdict="accepted"), 3),
        (Filter(verdict="refused"), 1),
        (Filter(verdict="held"), 1),
        (Filter(verdict="pixel"), 1),
        (Filter(verdict="merged"), 2),
        (Filter(verdict="nonsense"), 6),
        (Filter(name="Lead"), 5),
        (Filter(test_code="TEST1"), 1),
        (Filter(rule="M02"), 1),
        (Filter(search="lead-3"), 1),
        (Filter(search="event_time"), 1),
        (Filter(search="100%"), 0),
        (Filter(search="lead_3"), 0),
        (Filter(search="'; DROP TABLE events; --"), 0),
        (Filter(request=2), 2),
        (Filter(upto=2), 2),
        (Filter(name="Lead", verdict="accepted", search="1"), 1),
    ],
)
def test_events_are_filtered(chosen: Filter, expected: int) -> None:
    store = Store()
    add(store, [numbered(1)], code="TEST1")
    add(store, [numbered(2), numbered(3, event_time=5)])
    add(store, [event(event_name="Purchase", event_id="p", custom_data={"value": 1, "currency": "EUR"})])
    add(store, [numbered(4)])
    add(store, [numbered(4)], source="pixel")
    found = events(store, chosen, 0, 100)
    assert found["total"] == len(found["rows"]) == expected
    assert [row["id"] for row in found["rows"]] == sorted((row["id"] for row in found["rows"]), reverse=True)


def test_the_newest_copy_is_the_one_that_counts_also_after_a_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "e.db", keep=3)
    for second in range(3):
        add(store, [numbered(1)], at=NOW + second)
    assert [(one.merged, one.twin) for one in store.events()] == [("", 0), ("repeat", 1), ("repeat", 2)]
    store.close()
    again = Store(tmp_path / "e.db", keep=3)
    add(again, [numbered(1)], at=NOW + 3)
    assert again.events()[-1].twin == 3
    add(again, [numbered(2), numbered(3), numbered(4)], at=NOW + 4)
    add(again, [numbered(1)], at=NOW + 5)
    assert [(one.event_id, one.merged) for one in again.events()][-1] == ("lead-1", ""), "its copies are forgotten"


def test_an_event_that_is_taken_at_its_second_try_is_a_copy_for_the_next() -> None:
    store = Store()
    add(store, [numbered(1), numbered(2, event_time=5)])
    add(store, [numbered(1)], at=NOW + 1)
    add(store, [numbered(1)], at=NOW + 2)
    assert [(one.id, one.attempts, one.merged, one.twin) for one in store.events()] == [
        (1, 2, "", 0),
        (3, 1, "repeat", 1),
    ]


def test_events_of_the_last_minute_are_counted_by_name() -> None:
    store = Store()
    add(store, [numbered(1), numbered(2)], at=NOW)
    add(store, [numbered(3)], at=NOW + 30.5)
    assert store.rates.of(NOW + 31) == {"Lead": 3}
    assert store.rates.of(NOW + 61) == {"Lead": 1}
    assert store.rates.of(NOW + 91) == {}
    add(store, [numbered(number, event_name=f"Own{number}") for number in range(1000)], at=NOW + 100)
    assert len(store.rates.of(NOW + 100)) == 200, "names without end take no room without end"
    store.clear()
    assert store.rates.of(NOW + 100) == {}


def test_a_request_tells_which_of_its_events_were_at_fault() -> None:
    store = Store()
    add(store, [numbered(1), numbered(2, event_time=5), numbered(3)])
    found = request(store, 1)
    assert found is not None
    assert (found["events"], found["refused"], found["held"]) == (3, 1, 2)
    assert [(one["event_id"], one["path"], one["rule"]) for one in found["wrong"]] == [("lead-2", "event_time", "M02")]
    assert request(store, 2) is None


def test_a_list_tells_what_an_event_is_worth() -> None:
    store = Store()
    add(
        store,
        [
            numbered(1, custom_data={"value": 4.5, "currency": "EUR"}),
            numbered(2),
            numbered(3, custom_data={"value": "x"}),
        ],
    )
    rows = events(store, Filter(), 0, 10)["rows"]
    assert [(row["value"], row["currency"]) for row in rows] == [(None, ""), (None, ""), (4.5, "EUR")]


def test_arrivals_are_drawn_from_the_first_on() -> None:
    store = Store()
    assert sum(map(sum, arrivals(store, NOW)["bars"])) == 0
    add(store, [numbered(1)], at=NOW)
    add(store, [numbered(2), numbered(3, event_time=5)], at=NOW + 30)
    plot = arrivals(store, NOW + 58)
    assert plot["width"] == 1
    assert [sum(bar[kind] for bar in plot["bars"]) for kind in range(3)] == [1, 1, 1]
    assert arrivals(store, NOW + 3000)["width"] == 60
