"""Faults on demand: each as its spec tells it, in every place where one can be set, and repeatable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import mapper
from mapper.destinations.destination import load_destination
from mapper.documents import document
from mapper.sandbox import Fault, FaultError, Sandbox, running
from mapper.sandbox.faults import KINDS, Plan

from .sandbox_requests import NOW, SPECS, cases, event, post

Compile = Callable[..., mapper.Program]
TWO = {"json": {"data": ["$event", "$event"]}}


def set_by_header(sandbox: Sandbox, fault: str) -> dict[str, Any]:
    return TWO | {"headers": {"X-Sandbox-Fault": fault}}


def set_for_the_server(sandbox: Sandbox, fault: str) -> dict[str, Any]:
    sandbox.inject(*(one.strip() for one in fault.split(";")))
    return TWO


@pytest.mark.parametrize("way", [set_by_header, set_for_the_server])
@pytest.mark.parametrize("case", cases("faults"), ids=lambda case: case["title"])
def test_a_fault_strikes(
    case: dict[str, Any], way: Callable[..., dict[str, Any]], standing: Sandbox, http: httpx.Client
) -> None:
    standing.clear()
    request = way(standing, case["fault"])
    if "status" not in case:
        with pytest.raises(httpx.RemoteProtocolError):
            post(standing, request, http)
    else:
        answer = post(standing, request, http)
        assert answer.status_code == case["status"]
        meaning = load_destination("meta").answer(answer.status_code, answer.content, 2, answer.headers).meaning
        assert meaning == case["meaning"]
        if "code" in case:
            error = answer.json()["error"]
            assert (error["code"], error.get("error_subcode")) == (case["code"], case.get("subcode"))
        if "received" in case:
            assert answer.json()["events_received"] == case["received"]
        if "header" in case:
            assert case["says"] in answer.headers[case["header"]]
    assert len(standing.events()) == case["stored"]
    noted = standing.store.requests[-1]
    assert noted.events == 2
    assert bool(noted.fault) == ("rate=0" not in case["fault"])


def test_every_kind_has_a_spec() -> None:
    assert {Fault.parse(one).kind for case in cases("faults") for one in case["fault"].split(";")} == set(KINDS)


@pytest.mark.parametrize("text", document.read(SPECS / "faults.yaml").value["wrong"])
def test_a_fault_that_is_none_says_how_it_is_written(text: str, standing: Sandbox, http: httpx.Client) -> None:
    with pytest.raises(FaultError, match=r"there is no such fault|KIND:key=value"):
        Fault.parse(text)
    answer = post(standing, TWO | {"headers": {"X-Sandbox-Fault": text}}, http)
    assert answer.json()["error"]["code"] == 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_written_as_it_is_read(kind: str) -> None:
    for text in (kind, f"{kind}:rate=0.25,times=3,seconds=7"):
        assert str(Fault.parse(str(Fault.parse(text)))) == str(Fault.parse(text))
    assert str(Fault.parse(kind)) == kind


def test_a_fault_with_a_rate_strikes_the_same_requests_again() -> None:
    def struck(seed: int) -> list[bool]:
        plan = Plan([Fault.parse("503:rate=0.3")], seed=seed)
        return [bool(plan.draw()) for _ in range(200)]

    assert struck(7) == struck(7)
    assert struck(7) != struck(8)
    assert 30 < sum(struck(7)) < 90


def test_a_fault_strikes_as_often_as_it_is_set(standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    standing.inject("503:times=2")
    assert [post(standing, TWO, http).status_code for _ in range(4)] == [503, 503, 200, 200]
    assert standing.plan.faults == []


def test_an_expired_token_stays_expired_until_it_is_renewed(standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    post(standing, set_by_header(standing, "expired"), http)
    assert post(standing, TWO, http).json()["error"]["error_subcode"] == 463
    standing.clear()
    assert post(standing, TWO, http).status_code == 200


def test_the_first_of_several_faults_strikes() -> None:
    plan = Plan(map(Fault.parse, ("500:times=1", "503:times=1")))
    assert [[one.kind for one in plan.draw()] for _ in range(3)] == [["500"], ["503"], []]


LEADS = [
    {
        "type": "lead",
        "at": NOW,
        "id": f"l-{i}",
        "url": "https://a.example/",
        "email": f"p{i}@example.org",
        "agent": "x",
        "ip": "192.0.2.1",
    }
    for i in range(40)
]


@pytest.mark.parametrize(
    "faults",
    [
        ["503:times=1"],
        ["500:times=1"],
        ["html:times=1"],
        ["cut-before:times=1"],
        ["cut-after:times=1"],
        ["truncated:times=1"],
        ["latency:seconds=0.2"],
        ["usage:times=1"],
    ],
    ids=lambda faults: faults[0],
)
def test_the_sender_gets_over_it(faults: list[str], compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks on the way, every event is there in the end, and the sender knows it."""
    monkeypatch.setattr("random.uniform", lambda low, high: 0.01)
    now = float(NOW)
    with running(clock=lambda: now, faults=faults) as sandbox:
        report = mapper.send(
            compiled(), LEADS, to=sandbox.url, settings=sandbox.settings, now=now, batch_size=10, concurrency=1
        )
        assert report.exit_code == 0
        assert report.events.sent == 40
        assert len({one.event_id for one in sandbox.events()}) == 40
        again = "after" in faults[0] or "truncated" in faults[0]
        assert len(sandbox.events()) == (50 if again else 40)
        assert len([one for one in sandbox.events() if one.merged == "repeat"]) == (10 if again else 0)


def test_an_expired_token_stops_the_sender(compiled: Compile) -> None:
    now = float(NOW)
    with running(clock=lambda: now, faults=["expired"]) as sandbox:
        report = mapper.send(compiled(), LEADS, to=sandbox.url, settings=sandbox.settings, now=now)
        assert report.exit_code == 4
        assert report.events.pending == 40
        assert sandbox.events() == []


def test_one_bad_event_among_many_costs_itself_only(compiled: Compile, tmp_path: Path) -> None:
    """The sender finds it with the help of the answers: the others are accepted, and each is one event."""
    now = float(NOW)
    with running(clock=lambda: now) as sandbox:
        url = f"{sandbox.url}/v25.0/{sandbox.pixel_id}/events"
        made = [event(event_id=f"l-{i}") for i in range(30)]
        made[11]["event_time"] = 5
        query = {"access_token": sandbox.token}
        with httpx.Client(trust_env=False) as http:
            refused = http.post(url, params=query, json={"data": made})
            answer = load_destination("meta").answer(refused.status_code, refused.content, 30, refused.headers)
            assert answer.culprits == (11,)
            http.post(url, params=query, json={"data": made[:11] + made[12:]})
        assert len(sandbox.events()) == 29
        assert [one.event_id for one in sandbox.refused()] == ["l-11"]
        assert not sandbox.events(verdict="held")
