"""Every rule of the destination has a request that the sandbox refuses for that rule, and what keeps them is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mapper.destinations.destination import load_destination
from mapper.sandbox import Sandbox, running

from .test_rules import NOW, built, specs

ELSEWHERE = {"M18", "M19"}
"""Rules of a whole request: tests/specs/sandbox/requests.yaml."""


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[bool, Sandbox]]:
    """A sandbox as Meta is, and a strict one."""
    with running(clock=lambda: NOW) as plain, running(clock=lambda: NOW, strict=True) as strict:
        yield {False: plain, True: strict}


def errors(case: dict[str, Any]) -> set[str]:
    """The rules for which a request is refused: those that Meta tells only later, too, by a strict sandbox."""
    level = "" if case.get("strict") else "error "
    return {finding.split()[-1] for finding in case.get("findings", []) if finding.startswith(level)}


CASES = [one for one in specs("cases") if not one.values[1].get("levels")]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_endpoint_judges_as_the_rules_do(
    name: str, case: dict[str, Any], endpoints: dict[bool, Sandbox], http: httpx.Client
) -> None:
    sandbox = endpoints[case.get("strict", False)]
    sandbox.clear()
    url = f"{sandbox.url}/v25.0/{sandbox.pixel_id}/events"
    answer = http.post(url, params={"access_token": sandbox.token}, json={"data": [built(name, case)]})
    broken = errors(case)
    assert answer.status_code == (400 if broken else 200), answer.text
    if broken:
        assert {one.rule for one in sandbox.refused()} <= broken
        assert len(sandbox.refused()) == 1
        error = answer.json()["error"]
        assert error["code"] == 100
        assert error["error_user_title"]
        assert error["error_user_msg"]


def test_every_rule_that_refuses_is_tried_alone() -> None:
    alone = {rule for one in CASES for rule in errors(one.values[1]) if len(errors(one.values[1])) == 1}
    refusing = {rule.id for rule in load_destination("meta").rules if rule.level == "error"}
    assert refusing - ELSEWHERE <= alone
