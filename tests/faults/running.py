"""Runs a scenario against a client and judges it by the ledger, which knows nothing of what the client says."""

from __future__ import annotations

import ssl
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mapper
from mapper.delivery.report import Report

from ..answering import SETTINGS, lead
from .scenarios import ALL, Scenario
from .server import Ledger, Server

if TYPE_CHECKING:
    import trustme

MAPPING = """\
version: 1
destination: meta
events:
  Lead:
    required: [user_data.em]
    parameters:
      event_time: "{{ at }}"
      event_id: "{{ id }}"
      action_source: website
      event_source_url: "{{ url }}"
      user_data: {em: "{{ email }}", client_user_agent: "{{ agent }}", client_ip_address: "{{ ip }}"}
"""
Client = Callable[..., Report]
"""``mapper.send``, or something that claims to be as good."""


@lru_cache
def _program() -> mapper.Program:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.yaml"
        path.write_text(MAPPING)
        return mapper.load(path)


@lru_cache
def _authority() -> trustme.CA:
    import trustme

    return trustme.CA()


@lru_cache
def _certificate(kind: str) -> ssl.SSLContext:
    """What a server shows of itself; all but the ``unknown`` kind is signed by an authority that is trusted."""
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(tz=UTC) - timedelta(days=1)
    authority = trustme.CA() if kind == "unknown" else _authority()
    name = "other.example" if kind == "other-host" else "127.0.0.1"
    authority.issue_cert(name, not_after=yesterday if kind == "expired" else None).configure_cert(context)
    if kind == "old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def records(scenario: Scenario) -> list[dict[str, Any]]:
    now = int(time.time())
    ages = scenario.ages
    return [lead(number, at=int(now - ages.get(number, 60)), **scenario.changes) for number in range(scenario.count)]


def run(scenario: Scenario, client: Client = mapper.send) -> list[str]:
    """What went wrong; nothing if all is as it must be."""
    more: dict[str, Any] = {"batch_size": 50, "timeout": 10.0, **scenario.options}
    with serving(scenario) as server, tempfile.TemporaryDirectory() as folder:
        url = scenario.url or server.url
        if scenario.tls:
            authority = Path(folder) / "authority.pem"
            _authority().cert_pem.write_to_path(str(authority))
            more["ca_file"] = authority
        url = server.url.replace("http:", "https:") if url == "https" else url
        started = time.monotonic()
        report = client(
            _program(),
            iter(records(scenario)),
            to=url,
            settings=SETTINGS,
            dead_letters=Path(folder) / "dead.jsonl",
            **more,
        )
        seconds = time.monotonic() - started
        text = (Path(folder) / "dead.jsonl").read_text() if (Path(folder) / "dead.jsonl").exists() else ""
        return list(judge(scenario, report, server.ledger, seconds, text))


@contextmanager
def serving(scenario: Scenario) -> Any:
    before = scenario.before or (lambda number, connection: False)
    tls = _certificate(scenario.tls) if scenario.tls else None
    server = Server(scenario.make(), before=before, tls=tls, keep=scenario.keep)
    try:
        yield server
    finally:
        server.close()


def judge(scenario: Scenario, report: Report, ledger: Ledger, seconds: float, letters: str) -> Any:
    """The laws, and what the scenario expects of its own."""
    events, stored = report.events, ledger.stored
    made = scenario.count - len(scenario.unmapped)
    sent = made if scenario.sent == ALL else scenario.sent
    twice = sum(stored.values()) - len(stored)
    wanted = {None: twice, ALL: made}.get(scenario.twice, scenario.twice)
    is_complete = events.made == made or (
        scenario.exit not in (0, 1) and events.made < made
    )  # a stopped run reads less
    if not is_complete or events.made != events.sent + events.rejected + events.pending:
        yield f"the sum of events does not hold: {events}"
    if events.made < len(ledger.seen):
        yield f"{len(ledger.seen)} events were on the wire, the report knows of {events.made}"
    if (events.sent, report.exit_code) != (sent, scenario.exit):
        yield f"{events.sent} sent and exit {report.exit_code}, not {sent} and {scenario.exit}: {report.stopped}"
    if events.sent > len(stored):
        yield f"{events.sent} events are called sent, {len(stored)} arrived"
    if scenario.exit in (0, 1) and len(stored) != events.sent:
        yield f"{len(stored)} events arrived, {events.sent} are called sent"
    if twice != wanted:
        yield f"{twice} events arrived twice, not {wanted}"
    if twice > sum(ledger.unclear.values()):
        yield "events were sent again although their answer was clear"
    repeated = sum(count > 1 for count in stored.values())
    if scenario.exit in (0, 1) and events.maybe_twice < repeated:
        yield f"{repeated} events arrived more than once, the report knows of {events.maybe_twice}"
    if ledger.conflicts:
        yield f"{ledger.conflicts} events came again with other bytes"
    if ledger.elsewhere:
        yield f"{ledger.elsewhere} requests went elsewhere"
    if ledger.too_early:
        yield f"{ledger.too_early} requests came before the time that was asked for"
    requests = range(scenario.requests, scenario.requests + 1) if type(scenario.requests) is int else scenario.requests
    if requests is not None and ledger.requests not in requests:
        yield f"{ledger.requests} requests, not {scenario.requests}"
    if ledger.refused > scenario.refused * ledger.requests:
        yield f"{ledger.refused} of {ledger.requests} requests were refused"
    rejected = {f"id-{number}" for number in scenario.rejected}
    if events.rejected != len(rejected) or {one for one in rejected if f'"{one}"' not in letters}:
        yield f"{events.rejected} events were rejected, not {len(rejected)}"
    if seconds > scenario.seconds:
        yield f"it took {seconds:.0f} s"
    if ledger.written > 200_000_000:
        yield "the answer was read to its end"
    if SETTINGS["ACCESS_TOKEN"] in letters + repr(report.as_dict()):
        yield "the token was written down"
