"""Real clients against the sandbox, unchanged: Meta's own SDK, curl as Meta's pages show it, and users' own tests."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import mapper
from mapper.sandbox import Sandbox, Store, running
from mapper.sandbox.discovery import Standing, announced, find
from mapper.sandbox.testing import ConversionsApi, conversions_api, conversions_api_server

from .sandbox_requests import HASH, event

__all__ = ["conversions_api", "conversions_api_server"]

Compile = Callable[..., mapper.Program]


@pytest.fixture(scope="module")
def standing() -> Iterator[Sandbox]:
    with running() as up:
        yield up


SDK = """
import sys, time, warnings
warnings.simplefilter("ignore")
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

url, pixel, token, secret, old = sys.argv[1:]
FacebookSession.GRAPH = url
FacebookAdsApi.init(access_token=token, app_secret=secret or None, crash_log=False)
user = UserData(emails=["joe@eg.com"], phones=["12345678901"], client_ip_address="192.0.2.1", client_user_agent="x")
event = Event(
    event_name="Purchase",
    event_time=int(time.time()) - (9 * 86400 if old else 0),
    event_id="sdk-1",
    event_source_url="https://jaspers-market.example/product/123",
    action_source=ActionSource.WEBSITE,
    user_data=user,
    custom_data=CustomData(currency="usd", value=123.45),
)
try:
    response = EventRequest(events=[event], pixel_id=pixel, test_event_code="TEST1").execute()
    print(response.events_received, response.messages, bool(response.fbtrace_id))
except FacebookRequestError as error:
    print(error.http_status(), error.api_error_code(), error.api_error_subcode(), error.api_error_type())
"""


def sdk(sandbox: Sandbox, *, secret: str = "", old: str = "") -> str:
    """What Meta's SDK says about one event that it sends."""
    done = subprocess.run(
        [sys.executable, "-c", SDK, sandbox.url, sandbox.pixel_id, sandbox.token, secret, old],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_metas_sdk_sends(standing: Sandbox) -> None:
    standing.clear()
    assert sdk(standing) == "1 [] True"
    found = standing.events("Purchase")
    assert [(one.event_id, one.test_code) for one in found] == [("sdk-1", "TEST1")]
    assert standing.store.requests[-1].form == "form"


def test_metas_sdk_is_refused(standing: Sandbox) -> None:
    assert sdk(standing, old="yes") == "400 100 2804003 OAuthException"


def test_metas_sdk_proves_the_secret() -> None:
    with running(app_secret="the-secret") as sandbox:
        assert sdk(sandbox, secret="the-secret") == "1 [] True"
        assert sdk(sandbox, secret="another").startswith("400 100")


@pytest.mark.needs("curl")
def test_curl_as_in_metas_documentation(standing: Sandbox) -> None:
    standing.clear()
    data = (
        f'[{{"event_name": "Purchase", "event_time": {int(time.time())}, "action_source": "website", '
        f'"event_source_url": "https://shop.example/", "user_data": {{"em": ["{HASH}"], "client_user_agent": "x"}}, '
        '"custom_data": {"currency": "USD", "value": 142.52}}]'
    )
    url = f"{standing.url}/v25.0/{standing.pixel_id}/events"
    fields = ["-F", f"data={data}", "-F", f"access_token={standing.token}"]
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", *fields, url], capture_output=True, text=True, check=True)
    assert '"events_received":1' in done.stdout
    assert standing.store.requests[-1].form == "multipart"


def test_a_fixture_for_the_tests_of_others(conversions_api: ConversionsApi, compiled: Compile) -> None:
    record = {
        "type": "lead",
        "at": int(time.time()),
        "id": "l-1",
        "email": "ada@example.org",
        "url": "https://a.example/",
        "agent": "x",
    }
    settings = {"PIXEL_ID": conversions_api.pixel_id, "ACCESS_TOKEN": conversions_api.token}
    mapper.send(compiled(), [record], to=conversions_api.url, settings=settings)
    lead = conversions_api.one("Lead", event_id="l-1")
    assert lead.match_keys() == ("em", "client_user_agent")
    assert conversions_api.accepted("Lead", action_source="app") == []
    assert set(conversions_api.environ) == {"META_PIXEL_ID", "META_ACCESS_TOKEN"}


def test_the_fixture_begins_empty(conversions_api: ConversionsApi) -> None:
    assert conversions_api.accepted() == []
    assert conversions_api.refused() == []


def test_the_fixture_says_what_came_instead(conversions_api: ConversionsApi) -> None:
    url = f"{conversions_api.url}/v25.0/{conversions_api.pixel_id}/events"
    made: dict[str, Any] = {
        "event_name": "Lead",
        "event_time": 5,
        "action_source": "other",
        "user_data": {"em": [HASH]},
    }
    with httpx.Client(trust_env=False) as http:
        http.post(url, params={"access_token": conversions_api.token}, json={"data": [made]})
    with pytest.raises(
        AssertionError, match=r"(?s)0 accepted events 'Purchase'.*refused Lead: .*\[M02\].*answered with 400"
    ):
        conversions_api.one("Purchase")
    assert [(one.rule, one.path) for one in conversions_api.refused("Lead")] == [("M02", "event_time")]


def test_a_standing_sandbox_is_found_while_it_answers(
    standing: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert find("meta") is None
    with announced(Standing(standing.url, "meta", dict(standing.settings))):
        found = find("meta")
        assert found is not None
        assert (found.url, found.settings) == (standing.url, standing.settings)
        assert find("tiktok") is None
        assert oct((tmp_path / "mapper-sandbox.json").stat().st_mode)[-3:] == "600"
        assert standing.token not in repr(found)
    assert find("meta") is None
    with announced(Standing("http://127.0.0.1:9", "meta", dict(standing.settings))):
        assert find("meta") is None
    with announced(Standing("http://example.com", "meta", dict(standing.settings))):
        assert find("meta") is None
    (tmp_path / "mapper-sandbox.json").write_text("{")
    assert find("meta") is None


def test_the_command_stands_remembers_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mapper", "sandbox", "--port", "0", "--store", str(tmp_path / "e.db"), "--strict"]
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        settings = dict(one.split("=", 1) for one in process.stderr.readline().split())
        with httpx.Client(trust_env=False) as http:
            answer = http.get(f"{url}/api/state").json()
        assert (answer["pixel"], answer["strict"], answer["remembers"]) == (settings["META_PIXEL_ID"], True, "e.db")
        assert (tmp_path / "mapper-sandbox.json").exists()
        process.terminate()
        rest = process.stderr.read()
        process.wait(10)
    assert settings["META_ACCESS_TOKEN"] not in rest
    assert not (tmp_path / "mapper-sandbox.json").exists()


def test_nothing_that_was_answered_is_lost_when_it_is_killed_under_load(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    command = [sys.executable, "-m", "mapper", "sandbox", "--port", "0", "--store", str(path), "--token", "t"]
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    answered: list[str] = []
    enough = threading.Event()

    def client(place: int, url: str) -> None:
        with httpx.Client(trust_env=False) as http:
            for number in itertools.count():
                ids = [f"{place}-{number}-{position}" for position in range(50)]
                made = [event(event_id=one, event_time=int(time.time())) for one in ids]
                try:
                    answer = http.post(url, params={"access_token": "t"}, json={"data": made})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200
                answered.extend(ids)
                if len(answered) > 1500:
                    enough.set()

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        url = f"{process.stderr.readline().split()[-1]}/v25.0/1234567890/events"
        clients = [threading.Thread(target=client, args=(place, url)) for place in range(4)]
        for one in clients:
            one.start()
        assert enough.wait(60)
        process.kill()
        for one in clients:
            one.join()
    store = Store(path)
    kept = {one.event_id for one in store.events()}
    store.close()
    assert set(answered) <= kept
    assert len(kept) % 50 == 0, "a request is stored whole or not at all"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "nonsense"], "there is no such fault"),
        (["--pixel", "12a"], "a pixel is a number"),
        (["--proof"], "META_APP_SECRET is not set"),
        (["--store", "/"], "directory"),
        (["--host", "203.0.113.1"], "cannot be used"),
        (["--port", "70000"], "0<=x<=65535"),
    ],
)
def test_what_the_command_cannot_use_it_refuses(arguments: list[str], said: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "META_APP_SECRET"}
    done = subprocess.run(
        [sys.executable, "-m", "mapper", "sandbox", *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
