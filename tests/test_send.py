"""Whole runs over real HTTP: what is read, sent, refused and kept, and that both sums hold."""

from __future__ import annotations

import gzip
import json
import logging
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.delivery.dispatch import Switch
from mapper.errors import DeliveryError
from mapper.sandbox import Sandbox

from .answering import SETTINGS, Answering, invalid, lead, sums_hold, taken
from .command import run as command
from .conftest import NOW, ROOT, SMALL

Compile = Callable[..., mapper.Program]


@pytest.mark.parametrize("name", ["waitlist", "storefront"])
def test_a_sample_is_sent_to_the_sandbox_today(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    program = mapper.load(ROOT / "mappings" / f"{name}.yaml")
    letters = tmp_path / "dead.jsonl"
    sample = ROOT / "mappings" / "samples" / f"{name}.jsonl"
    report = mapper.send(program, sample, to=sandbox.url, settings=sandbox.settings, dead_letters=letters)
    sums_hold(report)
    assert report.records.read >= 2000
    assert report.events.sent == report.events.made > 1000
    assert report.records.dead > 50
    assert report.exit_code == 1
    assert stat.S_IMODE(letters.stat().st_mode) == 0o600
    kept = [json.loads(line) for line in letters.read_text().splitlines()]
    assert len(kept) == report.dead_letters_written >= report.records.dead
    codes = {reason["code"] for letter in kept for reason in letter["reasons"]}
    assert {"missing", "too-old", "bad-email", "not-json"} <= codes


def test_nothing_refused_exits_zero(compiled: Compile, sandbox: Sandbox) -> None:
    import time

    records = [lead(n, at=int(time.time()) - 5) for n in range(2500)]
    report = mapper.send(compiled(), records, to=sandbox.url, settings=sandbox.settings)
    sums_hold(report)
    assert (report.records.read, report.events.sent, report.requests, report.exit_code) == (2500, 2500, 3, 0)


def test_one_bad_event_costs_itself(compiled: Compile, answering: Callable[..., Answering], tmp_path: Path) -> None:
    def picky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        return (400, invalid(None)) if any(e["event_id"] == "id-777" for e in events) else taken(events)

    server = answering(picky)
    letters = tmp_path / "dead.jsonl"
    records = [lead(n) for n in range(1000)]
    report = mapper.send(compiled(), records, to=server.url, settings=SETTINGS, now=NOW, dead_letters=letters)
    sums_hold(report)
    assert (report.events.sent, report.events.rejected, report.events.pending, report.exit_code) == (999, 1, 0, 1)
    assert report.requests <= 21
    letter = json.loads(letters.read_text())
    assert letter["record"]["id"] == letter["sent"]["event_id"] == "id-777"
    accepted = [event["event_id"] for events in server.requests for event in events if picky(events)[0] == 200]
    assert len(accepted) == len(set(accepted)) == 999


def test_a_bad_token_stops_the_run_and_rejects_nothing(compiled: Compile, answering: Callable[..., Answering]) -> None:
    error = {"error": {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}}
    server = answering(lambda events: (400, error))
    report = mapper.send(compiled(), [lead(n) for n in range(3000)], to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert (report.events.sent, report.events.rejected, report.exit_code) == (0, 0, 4)
    assert report.events.pending > 0
    assert report.stopped is not None
    assert report.stopped.code == "token"


def test_a_destination_that_refuses_everything_is_not_the_fault_of_the_events(
    compiled: Compile, answering: Callable[..., Answering]
) -> None:
    server = answering(lambda events: (400, invalid(None)))
    report = mapper.send(compiled(), [lead(n) for n in range(8)], to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert (report.events.rejected, report.events.pending, report.exit_code) == (0, 8, 4)


def test_a_passing_trouble_is_tried_again(compiled: Compile, answering: Callable[..., Answering]) -> None:
    calls: list[int] = []

    def flaky(events: list[dict[str, Any]]) -> tuple[int, Any]:
        calls.append(1)
        return (503, b"<html>") if len(calls) == 1 else taken(events)

    server = answering(flaky)
    report = mapper.send(compiled(), [lead(1)], to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert (report.events.sent, report.retries, report.exit_code) == (1, 1, 0)


def test_an_address_where_nobody_listens_leaves_everything_pending(compiled: Compile) -> None:
    switch = Switch()
    threading.Timer(0.3, switch.stop, (130,)).start()
    report = mapper.send(compiled(), [lead(1)], to="http://127.0.0.1:9", settings=SETTINGS, now=NOW, switch=switch)
    sums_hold(report)
    assert (report.events.pending, report.exit_code) == (1, 130)


def test_files_globs_gzip_and_blank_lines(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    lines = b"".join(json.dumps(lead(n)).encode() + b"\r\n\n" for n in range(3))
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps(lead(9)).encode()))
    server = answering(taken)
    report = mapper.send(compiled(), str(tmp_path / "*.jsonl*"), to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert (report.records.read, report.records.blank, report.events.sent) == (4, 3, 4)


def test_a_gzip_file_that_breaks_off_is_said(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path
) -> None:
    data = gzip.compress(b"".join(json.dumps(lead(n)).encode() + b"\n" for n in range(5000)))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(data[: len(data) // 2])
    server = answering(taken)
    report = mapper.send(compiled(), path, to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert report.exit_code == 2
    assert report.events.pending == 0
    assert report.stopped is not None
    assert report.stopped.code == "broken-input"
    assert report.records.read > 1000


@pytest.mark.parametrize("share", [0.3, 0.5, 0.99])
def test_what_came_before_a_gzip_file_broke_off_is_mapped(share: float, tmp_path: Path) -> None:
    text = b"".join(json.dumps(lead(n)).encode() + b"\n" for n in range(20_000))
    data = gzip.compress(text)[: int(len(gzip.compress(text)) * share)]
    (tmp_path / "cut.jsonl.gz").write_bytes(data)
    (tmp_path / "m.yaml").write_text(SMALL)
    whole = zlib.decompressobj(31).decompress(data).count(b"\n")
    done = command("map", "m.yaml", "cut.jsonl.gz", "--now", str(int(NOW)), cwd=tmp_path)
    assert done.returncode == 2
    assert b"breaks off" in done.stderr
    assert whole - 300 < done.stdout.count(b"\n") <= whole


def test_a_pipe_with_a_name_is_read_once(tmp_path: Path) -> None:
    """What a shell writes for <(zcat orders.gz): looking into it before it is read would take records from it."""
    (tmp_path / "m.yaml").write_text(SMALL)
    (tmp_path / "r.gz").write_bytes(gzip.compress(b"".join(json.dumps(lead(n)).encode() + b"\n" for n in range(3000))))
    for call in (f"map m.yaml <(cat r.gz) --now {int(NOW)}", "send m.yaml <(gzip -dc r.gz) --dry-run"):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m mapper {call}"], cwd=tmp_path, capture_output=True, check=False
        )
        assert b"3,000 records read" in done.stderr, done.stderr


def test_a_dry_run_sends_nothing(compiled: Compile) -> None:
    report = mapper.send(compiled(), [lead(1), lead(2, email="")], now=NOW, dry_run=True)
    sums_hold(report)
    assert (report.events.made, report.events.pending, report.requests, report.exit_code) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, ["META_PIXEL_ID", "META_ACCESS_TOKEN"]),
        ({"PIXEL_ID": "12 3", "ACCESS_TOKEN": "x"}, ["META_PIXEL_ID"]),
        ({"PIXEL_ID": "1", "ACCESS_TOKEN": "Bearer-abc"}, ["META_ACCESS_TOKEN"]),
        ({"PIXEL_ID": "1", "ACCESS_TOKEN": "'abc'"}, ["META_ACCESS_TOKEN"]),
        ({"PIXEL_ID": "1", "ACCESS_TOKEN": "abc\nd"}, ["META_ACCESS_TOKEN"]),
    ],
)
def test_settings_are_checked_before_anything_is_read(
    compiled: Compile, settings: dict[str, str], named: list[str], monkeypatch: Any
) -> None:
    for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "META_API_VERSION"):
        monkeypatch.delenv(name, raising=False)

    def never() -> Iterator[dict[str, Any]]:
        raise AssertionError("nothing may be read")
        yield {}

    with pytest.raises(DeliveryError) as error:
        mapper.send(compiled(), never(), settings=settings)
    assert error.value.exit_code == 2
    assert all(name in error.value.message for name in named)
    assert "abc" not in str(error.value)


@pytest.mark.parametrize("to", ["", "meta"])
def test_a_sample_never_goes_to_the_real_destination(to: str) -> None:
    program = mapper.load(ROOT / "mappings" / "storefront.yaml")
    with pytest.raises(DeliveryError, match="sample"):
        mapper.send(program, ROOT / "mappings" / "samples" / "storefront.jsonl", to=to, settings=SETTINGS)


@pytest.mark.parametrize("to", ["sandbox", "ga4", "localhost:8111", "Meta"])
def test_what_is_meant_for_elsewhere_never_goes_to_the_real_destination(
    to: str, compiled: Compile, tmp_path: Path
) -> None:
    """A word that names no address does not quietly mean the mapping's destination."""
    (tmp_path / "dead.jsonl").touch()
    for use in (
        lambda: mapper.send(compiled(), [lead(1)], to=to, settings=SETTINGS),
        lambda: mapper.retry(compiled(), tmp_path / "dead.jsonl", to=to, settings=SETTINGS),
        lambda: mapper.Sender(compiled(), to=to, settings=SETTINGS),
    ):
        with pytest.raises(DeliveryError) as error:
            use()
        assert (error.value.code, error.value.exit_code) == ("to", 2)
        assert ("sandbox.url" in error.value.hint) is (to == "sandbox")


def test_the_token_appears_nowhere(
    compiled: Compile, answering: Callable[..., Answering], tmp_path: Path, caplog: Any, capfd: Any
) -> None:
    calls: list[int] = []

    def troubled(events: list[dict[str, Any]]) -> tuple[int, Any]:
        calls.append(1)
        if len(calls) == 1:
            return 500, {"error": {"message": "try again", "code": 2}}
        return (400, invalid()) if len(events) > 1 else taken(events)

    server = answering(troubled)
    for name in ("httpx", "httpcore", ""):
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    report = mapper.send(
        compiled(), [lead(1), lead(2)], to=server.url, settings=SETTINGS, now=NOW, dead_letters=tmp_path / "dead.jsonl"
    )
    assert any(SETTINGS["ACCESS_TOKEN"] in path for path in server.paths), "the token must have been sent"
    captured = capfd.readouterr()
    written = [caplog.text, captured.out, captured.err, json.dumps(report.as_dict()), repr(report)]
    written += [path.read_text() for path in tmp_path.iterdir()]
    assert "HTTP Request" in caplog.text
    assert not [text for text in written if SETTINGS["ACCESS_TOKEN"] in text]


def test_a_test_event_code_stands_at_the_top_of_the_body(compiled: Compile, sandbox: Sandbox) -> None:
    import time

    record = lead(1, at=int(time.time()) - 5)
    mapper.send(compiled(), [record], to=sandbox.url, settings=sandbox.settings, test_event_code="TEST77")
    assert sandbox.store.requests[-1].test_code == "TEST77"


CONSENT = SMALL.replace(
    "events:",
    "consent: \"'send' if consent == 'all' else 'limited' if consent == 'some' else 'drop'\"\nevents:",
    1,
)


def test_consent_is_counted_apart(compiled: Compile, answering: Callable[..., Answering]) -> None:
    server = answering(taken)
    records = [lead(n, consent=said) for n, said in enumerate(["all", "some", "none", "some", None])]
    report = mapper.send(compiled(CONSENT), records, to=server.url, settings=SETTINGS, now=NOW)
    sums_hold(report)
    assert (report.records.ignored, report.ignored) == (2, {"consent": 2})
    assert (report.events.sent, report.events.limited) == (3, 2)
    limited = [event for event in server.requests[0] if "data_processing_options" in event]
    assert [event["event_id"] for event in limited] == ["id-1", "id-3"]
    assert limited[0]["data_processing_options"] == ["LDU"]


def test_match_keys_are_counted(compiled: Compile, answering: Callable[..., Answering]) -> None:
    records = [lead(n, ip=None if n % 4 else "203.0.113.7") for n in range(8)]
    report = mapper.send(compiled(), records, to=answering(taken).url, settings=SETTINGS, now=NOW)
    assert report.match_keys == {"Lead": {"em": 8, "client_ip_address": 2, "client_user_agent": 8}}
    assert report.as_dict()["match_keys"] == report.match_keys
    assert report.by_event == {"Lead": 8}
