"""Records that a program hands over: safe when ``send`` returns, settled later, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import mapper
from mapper.delivery.options import AsKeywords, Options, SenderOptions
from mapper.errors import DeliveryError, MapperError

from .answering import PATIENCE, SETTINGS, Answering, invalid, lead, sums_hold, taken, until
from .conftest import NOW, ROOT, SMALL

Compile = Callable[..., mapper.Program]


def ids(server: Answering) -> Counter[str]:
    return Counter(event["event_id"] for events in server.requests for event in events)


def sender(program: mapper.Program, server: Answering, **more: Any) -> mapper.Sender:
    more = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 0.05, **more}
    return mapper.Sender(program, to=server.url, **more)


def test_a_record_is_sent_and_its_receipt_tells(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    def picky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        return (400, invalid()) if any(event["event_id"] == "id-2" for event in events) else taken(events)

    letters = tmp_path / "dead.jsonl"
    with sender(compiled(), answering(picky), dead_letters=letters) as one:
        receipts = [one.send(lead(n)) for n in range(5)]
        refused = one.send(lead(9, email=None))
        fates = [receipt.wait(PATIENCE) for receipt in receipts]
    assert [fate.accepted for fate in fates] == [1, 1, 0, 1, 1]
    assert fates[2].rejected[0].code == "100/2804050"
    assert (refused.is_settled, refused.wait(), refused.result.problems[0].code) == (True, mapper.Fate(), "missing")
    report = one.report()
    sums_hold(report)
    assert (report.records.read, report.records.dead, report.events.sent, report.exit_code) == (6, 1, 4, 1)
    kept = [json.loads(line) for line in letters.read_text().splitlines()]
    assert {letter["record"]["id"] for letter in kept} == {"id-2", "id-9"}


def test_batches_are_full_or_on_time(compiled: Compile, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    with sender(compiled(), server, batch_size=10, max_wait=600, concurrency=1) as one:
        receipts = one.send_all([lead(n) for n in range(25)])
        receipts[19].wait(PATIENCE)
        assert not receipts[20].is_settled
        assert one.flush(PATIENCE)
    assert [len(events) for events in server.requests] == [10, 10, 5]


def test_several_threads(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> None:
    server = answering(taken)
    with sender(compiled(), server, journal=tmp_path / "journal", batch_size=50) as one:
        threads = [
            threading.Thread(target=lambda start=start: [one.send(lead(n)) for n in range(start, start + 100)])
            for start in range(0, 800, 100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    report = one.report()
    sums_hold(report)
    assert (report.events.sent, report.events.pending) == (800, 0)
    assert set(ids(server).values()) == {1}
    assert len(ids(server)) == 800
    assert b"event_id" not in (tmp_path / "journal").read_bytes()


def test_what_one_sender_cannot_send_the_next_one_does(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    expired = [True]

    def token(events: list[dict[str, Any]]) -> tuple[int, Any]:
        error = {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        return (401, error) if expired[0] else taken(events)

    server, program = answering(token), compiled()
    with sender(program, server, journal=tmp_path / "journal") as one:
        receipt = one.send(lead(1))
        while one.report().stopped is None:
            time.sleep(0.01)
        with pytest.raises(DeliveryError) as error:
            one.send(lead(2))
        assert (error.value.code, error.value.exit_code) == ("token", 4)
    assert receipt.wait(0) == mapper.Fate(pending=1)
    assert one.report().exit_code == 4
    assert one.report().events.pending == 1
    expired[0] = False
    first = server.requests[0]
    with sender(program, server, journal=tmp_path / "journal") as two:
        assert two.flush(PATIENCE)
    assert server.requests[-1] == first
    assert (two.report().events.sent, two.report().events.maybe_twice) == (
        1,
        0,
    )
    with sender(program, server, journal=tmp_path / "journal") as three:
        assert three.flush(0)
    assert three.report().events.made == 0


def test_an_outage_is_waited_out(compiled: Compile, answering: Callable[..., Answering], monkeypatch: Any) -> None:
    monkeypatch.setattr("mapper.delivery.sender._AFTER_AN_OUTAGE", 0.1)
    calls: list[int] = []

    def blocked(events: list[dict[str, Any]]) -> tuple[int, Any]:
        calls.append(1)  # an hour is longer than a batch waits
        if len(calls) < 3:
            return 503, {"error": {"code": 2, "message": "down", "is_transient": True}}
        return taken(events)

    monkeypatch.setattr("mapper.delivery.sharing._FREE_RETRIES", 0)
    with sender(compiled(), answering(blocked)) as one:
        assert one.send(lead(1)).wait(PATIENCE).accepted == 1
    assert len(calls) == 3


def test_too_much_waits(compiled: Compile, answering: Callable[..., Answering]) -> None:
    door = threading.Event()

    def slow(events: list[dict[str, Any]]) -> tuple[int, Any]:
        door.wait(PATIENCE)
        return taken(events)

    with sender(compiled(), answering(slow), max_open=3) as one:
        for n in range(3):
            one.send(lead(n))
        threading.Timer(0.5, door.set).start()
        started = time.monotonic()
        one.send(lead(3))
        assert time.monotonic() - started > 0.3


def test_closed_and_forked_senders_refuse(compiled: Compile, answering: Callable[..., Answering]) -> None:
    one = sender(compiled(), answering(taken))
    one._process = os.getpid() + 1
    with pytest.raises(MapperError, match="another process"):
        one.send(lead(1))
    for call in (one.flush, one.report, one.close):
        with pytest.raises(MapperError, match="another process"):
            call()
    one._process = os.getpid()
    assert one.close().events.made == 0
    with pytest.raises(DeliveryError, match="closed"):
        one.send(lead(1))
    one.close()


FORKED = """
import os, sys, threading, time
import mapper
program = mapper.load("m.yaml")
options = dict(to=sys.argv[1], settings={settings}, clock=lambda: {now}, max_wait=600)
with mapper.Sender(program, journal="journal", dead_letters="dead.jsonl", **options) as sender:
    receipt = sender.send(sys.stdin.readline())
    sender.send("broken")
    busy, done = threading.Event(), threading.Event()
    def hold():
        with sender._changed:  # as when another thread is at work while the process forks
            busy.set()
            done.wait(10)
    threading.Thread(target=hold).start()
    busy.wait()
    child = os.fork()
    if not child:
        try:
            sender.send("{{}}")
        except mapper.MapperError as error:
            print(error, flush=True)
        sys.exit(7)  # leaves the block, as a child does that knows nothing of the sender
    done.set()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    stays = os.fork()
    if not stays:
        time.sleep(60)
        os._exit(0)
    print(sender.flush(20), receipt.wait(0).accepted, flush=True)
try:
    with mapper.Sender(program, journal="journal", dead_letters="dead.jsonl", **options) as again:
        print(again.report().events.made, flush=True)
finally:
    os.kill(stays, 9)
"""


def test_a_forked_process_takes_nothing_from_its_parent(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """The child refuses at once, whatever lock was held, and leaves; one that stays does not hold the journal."""
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED.format(now=NOW, settings=SETTINGS), server.url],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(lead(1)) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, *rest = done.stdout.splitlines()
    assert "another process" in refused
    assert rest == ["7", "True 1", "0"]
    assert ids(server) == Counter({"id-1": 1})
    assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 1


LEFT_OPEN = """
import sys, mapper
options = dict(to=sys.argv[1], settings={settings}, clock=lambda: {now}, max_wait=600)
sender = mapper.Sender(mapper.load("m.yaml"), journal="journal", **options)
receipts = sender.send_all(sys.stdin)
"""


def test_a_program_that_ends_without_closing_ends_and_the_next_one_sends(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN.format(now=NOW, settings=SETTINGS), server.url],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="".join(json.dumps(lead(n)) + "\n" for n in range(3)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not server.requests
    with sender(mapper.load(tmp_path / "m.yaml"), server, journal=tmp_path / "journal") as one:
        assert one.flush(PATIENCE)
    assert ids(server) == Counter({f"id-{n}": 1 for n in range(3)})


def test_what_is_on_its_way_when_a_sender_stops_is_not_sent_again(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """The token ends while another request has not been answered yet: that is waited for."""
    both = threading.Barrier(2)

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        both.wait(PATIENCE)
        if events[0]["event_id"] == "id-1":
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        time.sleep(0.5)
        return taken(events)

    program, server = compiled(), answering(answer)
    with sender(program, server, journal=tmp_path / "journal", batch_size=1, concurrency=2) as one:
        one.send_all([lead(1), lead(2)])
        until(lambda: one.report().stopped is not None)
    assert (one.report().exit_code, one.report().events.sent, one.report().events.pending) == (4, 1, 1)


def test_several_threads_that_close_and_send(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Closed by several while others send: each record is refused, or safe and settled, and the journal is whole."""
    server, program, safe = answering(taken), compiled(), Counter[str]()
    one = sender(program, server, journal=tmp_path / "journal", batch_size=5, max_wait=0.0)
    reports: list[mapper.Report] = []

    def hand_over(number: int) -> None:
        for n in range(number, number + 200):
            try:
                one.send(lead(n))
            except DeliveryError as error:
                assert error.code == "closed"  # noqa: PT017 - it may come to its end as well
                return
            safe[f"id-{n}"] += 1

    threads = [threading.Thread(target=hand_over, args=(number,)) for number in range(0, 1000, 200)]
    threads += [threading.Thread(target=lambda: reports.append(one.close())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    sums_hold(reports[0])
    assert [report.events for report in reports] == [one.report().events] * 3
    with sender(program, server, journal=tmp_path / "journal") as two:
        assert two.flush(PATIENCE)
    assert ids(server) == safe


def test_two_senders_on_one_journal(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> None:
    server, program = answering(taken), compiled()
    with sender(program, server, journal=tmp_path / "journal") as one:
        with pytest.raises(DeliveryError) as error:
            sender(program, server, journal=tmp_path / "journal")
        assert (error.value.code, error.value.exit_code) == ("journal-in-use", 5)
        assert one.send(lead(1)).wait(PATIENCE).accepted == 1


def test_less_room_than_a_batch_takes_is_enough(compiled: Compile, answering: Callable[..., Answering]) -> None:
    """Whoever waits for room is not kept waiting until the batch would be old enough."""
    server = answering(taken)
    with sender(compiled(), server, max_open=3, max_wait=600) as one:
        for n in range(8):
            one.send(lead(n))
    assert sum(ids(server).values()) == 8


@pytest.mark.parametrize(
    ("trouble", "said", "code"),
    [(DeliveryError("journal", "no space left", 5), "no space left", 5), (ZeroDivisionError(), "ZeroDivision", 70)],
    ids=["of the disk", "of ours"],
)
def test_an_answer_is_told_although_it_cannot_be_written_down(
    trouble: Exception,
    said: str,
    code: int,
    compiled: Compile,
    answering: Callable[..., Answering],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk fills between the request and its answer: nobody waits for ever, and the next sender sends again."""

    def full(*_: Any, **__: Any) -> None:
        raise trouble

    server, program = answering(taken), compiled()
    with monkeypatch.context() as patched:
        patched.setattr("mapper.delivery.journal.Journal.settle", full)
        with sender(program, server, journal=tmp_path / "journal") as one:
            receipt = one.send(lead(1))
            assert receipt.wait(PATIENCE) == mapper.Fate(accepted=1)
            until(lambda: one.report().stopped is not None)
            with pytest.raises(DeliveryError, match=said):
                one.send(lead(2))
    assert one.report().exit_code == code
    with sender(program, server, journal=tmp_path / "journal") as two:
        assert two.flush(PATIENCE)
    assert two.report().events.maybe_twice == 1
    assert ids(server) == Counter({"id-1": 2})


def test_a_function_that_breaks_ends_a_sender_and_loses_nothing(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """It is told of a wait, and raises: what had been accepted of the same batch is not sent again."""

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        if len(server.requests) == 1:
            return 400, invalid()
        if is_down[0] and any(event["event_id"] == "id-3" for event in events):
            return 503, {"error": {"message": "later", "type": "OAuthException", "code": 2, "is_transient": True}}
        return taken(events)

    def breaks(word: str, fields: Any) -> None:
        raise ZeroDivisionError

    is_down, server, program = [True], answering(answer), compiled()
    with sender(program, server, journal=tmp_path / "journal", on_note=breaks, max_wait=600) as one:
        one.send_all([lead(n) for n in range(4)])
        one.flush(PATIENCE)
        with pytest.raises(DeliveryError, match="on_note failed with ZeroDivisionError"):
            one.send(lead(9))
    assert (one.report().exit_code, one.report().events.sent, one.report().events.pending) == (70, 3, 1)
    is_down[0], server.requests[:] = False, [[]]
    with sender(program, server, journal=tmp_path / "journal") as two:
        assert two.flush(PATIENCE)
    assert ids(server) == Counter({"id-3": 1})


def test_a_client_for_asyncio_is_refused(compiled: Compile, answering: Callable[..., Answering]) -> None:
    with pytest.raises(DeliveryError, match="not AsyncClient") as error:
        sender(compiled(), answering(taken), client=httpx.AsyncClient())
    assert "Hand over an httpx.Client" in error.value.hint


def test_a_client_of_ones_own(
    compiled: Compile, answering: Callable[..., Answering], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = answering(taken)
    with httpx.Client(headers={"X-Own": "1"}) as client:
        with sender(compiled(), server, client=client) as one:
            assert one.send(lead(1)).wait(PATIENCE).accepted == 1
        assert not client.is_closed
    assert server.paths == ["/v25.0/123/events"]
    assert server.headers[0]["authorization"] == f"Bearer {SETTINGS['ACCESS_TOKEN']}"
    assert server.headers[0]["x-own"] == "1"
    assert SETTINGS["ACCESS_TOKEN"] not in caplog.text


def test_asyncio(compiled: Compile, answering: Callable[..., Answering]) -> None:
    server, program = answering(taken), compiled()

    async def run() -> mapper.Report:
        more: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 0.05}
        async with mapper.AsyncSender(program, to=server.url, **more) as one:
            receipts = await asyncio.gather(*(one.send(lead(n)) for n in range(20)))
            fates = await asyncio.gather(*receipts)
            assert all(fate.accepted == 1 for fate in fates)
            await one.send_all([lead(n) for n in range(20, 25)])
            assert await one.flush(PATIENCE)
        return one.report()

    report = asyncio.run(run())
    sums_hold(report)
    assert report.events.sent == 25


def test_who_stops_waiting_takes_the_fate_from_nobody_else(
    compiled: Compile, answering: Callable[..., Answering]
) -> None:
    server, program = answering(taken), compiled()

    async def run() -> None:
        more: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 600}
        async with mapper.AsyncSender(program, to=server.url, **more) as one:
            receipt = await one.send(lead(1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receipt, 0.01)
            assert await one.flush(PATIENCE)
            assert (await receipt).accepted == 1

    asyncio.run(run())


def test_a_task_that_is_cancelled_leaves_nothing_open(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """Cancelled while it waits for a fate: the sender is closed on the way out, and nothing is lost or sent twice."""
    server, program = answering(taken), compiled()
    more: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "journal": tmp_path / "journal"}

    async def serve(ready: asyncio.Event) -> None:
        async with mapper.AsyncSender(program, to=server.url, max_wait=600, **more) as one:
            receipts = await asyncio.gather(*(one.send(lead(n)) for n in range(10)))
            ready.set()
            await receipts[0]

    async def run() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(serve(ready))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    with mapper.Sender(program, to=server.url, **more) as two:
        assert two.flush(PATIENCE)
    assert ids(server) == Counter({f"id-{n}": 1 for n in range(10)})


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the disk was written to, each time for some while."""
    written: list[float] = []

    def slowly(descriptor: int) -> None:
        written.append(time.monotonic())
        time.sleep(0.05)

    monkeypatch.setattr("mapper.delivery.syncing._sync", slowly)
    return written


def test_threads_that_hand_over_at_the_same_time_wait_for_one_write(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path, slow_disk: list[float]
) -> None:
    with sender(compiled(), answering(taken), journal=tmp_path / "journal", max_wait=600) as one:
        ready = threading.Barrier(16)

        def hand_over(number: int) -> None:
            ready.wait()
            for n in range(3):
                one.send(lead(number * 10 + n))

        threads = [threading.Thread(target=hand_over, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 3 <= len(slow_disk) <= 24  # one by one it would be 48
        assert one.flush(PATIENCE)
    assert one.report().events.sent == 48


def test_tasks_that_hand_over_at_the_same_time_wait_for_one_write(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path, slow_disk: list[float]
) -> None:
    server, program = answering(taken), compiled()

    async def run() -> None:
        more: dict[str, Any] = {"settings": SETTINGS, "clock": lambda: NOW, "max_wait": 600}
        async with mapper.AsyncSender(program, to=server.url, journal=tmp_path / "journal", **more) as one:
            given_up = asyncio.create_task(one.send(lead(999)))
            waiting = [asyncio.create_task(one.send(lead(n))) for n in range(100)]
            await asyncio.sleep(0)
            given_up.cancel()
            receipts = await asyncio.gather(*waiting)
            assert [len(receipt.result.events) for receipt in receipts] == [1] * 100
            assert 1 <= len(slow_disk) <= 3
            assert await one.flush(PATIENCE)
        with pytest.raises(DeliveryError, match="closed"):
            await one.send(lead(1))

    asyncio.run(run())
    assert set(ids(server)) >= {f"id-{n}" for n in range(100)}


def test_a_disk_that_does_not_take_it_ends_the_sending(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    server, program = answering(taken), compiled()
    with sender(program, server, journal=tmp_path / "journal", max_wait=600) as one:
        one.send(lead(1))
        monkeypatch.setattr("mapper.delivery.syncing._sync", failing)
        for n in (2, 3):
            with pytest.raises(DeliveryError, match="Input/output error") as caught:
                one.send(lead(n))
            assert caught.value.exit_code == 5
    report = one.report()
    sums_hold(report)
    assert (report.exit_code, report.events.made, report.events.pending) == (5, 2, 2)
    monkeypatch.undo()
    with sender(program, server, journal=tmp_path / "journal") as one:
        assert one.flush(PATIENCE)
    assert ids(server) == Counter({"id-1": 1, "id-2": 1})


CHILD = """
import sys, mapper
program = mapper.load("m.yaml")
sender = mapper.Sender(program, to=sys.argv[1], journal="journal", clock=lambda: {now}, max_wait=600,
                       settings={settings})
for line in sys.stdin:
    sender.send(line)
    print("safe", flush=True)
"""


def test_a_record_is_safe_once_send_returns(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    server = answering(taken)
    (tmp_path / "m.yaml").write_text(SMALL)
    code = CHILD.format(now=NOW, settings=SETTINGS)
    child = subprocess.Popen(
        [sys.executable, "-c", code, server.url],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        for n in range(20):
            child.stdin.write(json.dumps(lead(n)) + "\n")
            child.stdin.flush()
            assert child.stdout.readline() == "safe\n"
        child.kill()
    assert not server.requests
    with sender(mapper.load(tmp_path / "m.yaml"), server, journal=tmp_path / "journal") as one:
        assert one.flush(PATIENCE)
    assert ids(server) == Counter({f"id-{n}": 1 for n in range(20)})


def test_what_is_settled_of_records_handed_over_together_is_erased_one_by_one(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    """The token ends again and again: each sender finds what is left of what the one before it left."""
    left, arrived = [1], Counter[str]()

    def answer(events: list[dict[str, Any]]) -> tuple[int, Any]:
        left[0] -= 1
        if left[0] < 0:
            return 401, {"error": {"message": "expired", "type": "OAuthException", "code": 190}}
        arrived.update(event["event_id"] for event in events)
        return taken(events)

    program, server = compiled(), answering(answer)
    more: dict[str, Any] = {"journal": tmp_path / "journal", "batch_size": 1, "concurrency": 1}
    with sender(program, server, **more) as one:
        one.send_all([lead(n) for n in range(4)])
        one.flush(PATIENCE)
    assert one.report().events.pending == 3
    for rest in (2, 1, 0):
        left[0] = 1
        with sender(program, server, **more) as one:
            one.flush(PATIENCE)
        assert (one.report().events.sent, one.report().events.pending) == (1, rest)
    assert arrived == Counter({f"id-{n}": 1 for n in range(4)})
    with sender(program, server, **more) as one:
        assert one.report().events.made == 0


def test_the_options_of_both_senders_are_the_same() -> None:
    _, *named = inspect.signature(mapper.Sender).parameters
    assert list(SenderOptions.__annotations__) == named


def test_every_option_of_a_run_is_explained_where_it_is_given() -> None:
    assert list(AsKeywords.__annotations__) == list(Options.__dataclass_fields__)
    doc = inspect.getdoc(mapper.send) or ""
    explained = {line.split()[0] for line in doc.splitlines() if line.strip()}
    assert explained >= {*Options.__dataclass_fields__, *inspect.signature(mapper.send).parameters} - {"options"}


@pytest.mark.parametrize("listens", [True, False])
def test_what_happens_is_told(listens: bool, compiled: Compile, answering: Callable[..., Answering]) -> None:
    told: list[tuple[str, Any]] = []

    def note(word: str, fields: Any) -> None:
        told.append((word, fields.get("message")))
        assert listens or word == "warning", "a listener that fails keeps nobody waiting"

    server = answering(lambda events: (401, {"error": {"message": "expired", "code": 190}}))
    with sender(compiled(), server, settings={**SETTINGS, "API_VERSION": "v19.0"}, on_note=note) as one:
        one.send(lead(1))
        assert not one.flush(PATIENCE)
        with pytest.raises(DeliveryError, match="expired"):
            one.send(lead(2))
    assert [word for word, _ in told] == ["warning", "stopped"]
    assert "v19.0" in str(told[0][1])
    assert one.report().events.pending == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"concurrency": 0}, "concurrency is 1 or more, not 0"),
        ({"batch_size": -5}, "batch_size is 1 or more, not -5"),
        ({"rate": 0}, "rate is more than 0, not 0"),
        ({"rate": math.nan}, "rate is more than 0, not nan"),
        ({"max_wait": -1}, "max_wait is 0 or more, not -1"),
    ],
)
def test_options_with_which_nothing_would_ever_be_sent_are_refused(
    options: dict[str, Any], says: str, compiled: Callable[..., mapper.Program]
) -> None:
    more: dict[str, Any] = {"to": "http://127.0.0.1:9", "settings": SETTINGS, **options}
    with pytest.raises(ValueError, match=f"^{says}$"):
        mapper.Sender(compiled(), **more)
    with pytest.raises(ValueError, match=f"^{says}$"):
        mapper.send(compiled(), [], **more)
    name = next(iter(options))
    with pytest.raises(TypeError, match=f"^{name} is a number, not str$"):
        mapper.send(compiled(), [], **{**more, name: "4"})
