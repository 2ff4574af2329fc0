"""The sandbox's endpoint: every request and answer as the specs tell them, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mapper.destinations.destination import load_destination
from mapper.sandbox import Sandbox, running

from .sandbox_requests import NOW, cases, event, post
from .test_rules import NOW as RULE_NOW
from .test_rules import built, specs


@pytest.mark.parametrize("case", cases("requests"), ids=lambda case: case["title"])
def test_a_request_is_answered(case: dict[str, Any], standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    answer = post(standing, case, http)
    body = answer.json()
    assert len(standing.events()) == case.get("received", 0)
    assert answer.status_code == case["status"]
    assert answer.headers["content-type"].startswith("application/json")
    assert case.get("says", "") in answer.text
    assert standing.token not in answer.text
    if case["status"] == 200:
        assert body == {"events_received": case["received"], "messages": [], "fbtrace_id": body["fbtrace_id"]}
        assert {"x-app-usage", "x-business-use-case-usage"} <= set(answer.headers)
    else:
        error = body["error"]
        assert set(body) == {"error"}
        assert {"message", "type", "code", "fbtrace_id"} <= set(error)
        assert (error["code"], error.get("error_subcode")) == (case["code"], case.get("subcode"))
    trace = body.get("fbtrace_id") or body["error"]["fbtrace_id"]
    assert trace.startswith("A")


@pytest.fixture(scope="module")
def lenient() -> Iterator[Sandbox]:
    with running(clock=lambda: float(RULE_NOW)) as up:
        yield up


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    with running(clock=lambda: float(RULE_NOW), strict=True, production=True) as up:
        yield up


def sent(sandbox: Sandbox, made: dict[str, Any], http: httpx.Client) -> httpx.Response:
    url = f"{sandbox.url}/v25.0/{sandbox.pixel_id}/events"
    return http.post(url, params={"access_token": sandbox.token}, json={"data": [made]})


RULE_CASES = [one for one in specs("cases") if "levels" not in one.values[1]]


@pytest.mark.parametrize(("name", "case"), RULE_CASES)
def test_what_the_rules_refuse_the_sandbox_refuses(
    name: str, case: dict[str, Any], lenient: Sandbox, http: httpx.Client
) -> None:
    errors = [one.split() for one in case.get("findings", []) if one.startswith("error ")]
    answer = sent(lenient, built(name, case), http)
    assert answer.status_code == (400 if errors else 200)
    if errors:
        rules = {rule for _, *_, rule in errors}
        assert lenient.store.events(verdict=None)[-1].rule in rules or f"[{lenient.refused()[-1].rule}]" in answer.text


def test_every_rule_refuses_a_request_for_exactly_that_rule(strict: Sandbox, http: httpx.Client) -> None:
    refused: set[str] = set()
    for parameter in RULE_CASES:
        name, case = parameter.values
        found = {one.split()[-1] for one in case.get("findings", [])}
        if found == {name} and name not in refused:
            strict.clear()
            answer = sent(strict, built(name, case), http)
            assert answer.status_code == 400
            assert f"[{name}]" in answer.json()["error"]["error_user_msg"]
            assert [one.rule for one in strict.refused()] == [name]
            refused.add(name)
    url, query = f"{strict.url}/v25.0/{strict.pixel_id}/events", {"access_token": strict.token}
    now = float(RULE_NOW)
    fine = event(event_time=int(now))
    for body, rule in (
        ({"data": [fine] * 1001}, "M18"),
        ({"data": [fine], "test_event_code": "TEST1"}, "M19"),
    ):
        answer = http.post(url, params=query, json=body)
        assert f"[{rule}]" in answer.json()["error"]["error_user_msg"]
        refused.add(rule)
    assert refused == set(load_destination("meta").severities)


def test_a_terse_answer_names_neither_place_nor_rule(http: httpx.Client) -> None:
    with running(clock=lambda: float(NOW), terse=True) as sandbox:
        answer = post(sandbox, {"with": {"user_data": {"client_user_agent": "x"}}}, http)
    error = answer.json()["error"]
    assert error["error_subcode"] == 2804050
    assert "error_data" not in error
    assert "data[0]" not in answer.text


def test_a_proof_of_the_secret_is_asked_for_when_there_is_one(http: httpx.Client) -> None:
    import hmac
    from hashlib import sha256

    with running(clock=lambda: float(NOW), app_secret="the-secret") as sandbox:
        proof = hmac.new(b"the-secret", sandbox.token.encode(), sha256).hexdigest()
        assert post(sandbox, {}, http).json()["error"]["code"] == 100
        assert post(sandbox, {"query": {"appsecret_proof": "0" * 64}}, http).json()["error"]["code"] == 100
        assert post(sandbox, {"query": {"appsecret_proof": proof}}, http).json()["events_received"] == 1


def test_a_test_event_code_stays_with_its_events(standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    post(standing, {"json": {"data": ["$event"], "test_event_code": "TEST77"}}, http)
    assert [one.test_code for one in standing.events()] == ["TEST77"]
    assert standing.store.requests[-1].test_code == "TEST77"


def test_it_starts_in_a_moment_and_leaves_nothing_behind() -> None:
    import threading
    import time

    with running():
        pass
    before = set(threading.enumerate())
    started = time.perf_counter()
    with running() as sandbox:
        took = time.perf_counter() - started
        assert httpx.get(sandbox.url + "/nowhere", trust_env=False).status_code == 404
    assert took < 10  # a fiftieth in practice
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "sandbox" not in left
