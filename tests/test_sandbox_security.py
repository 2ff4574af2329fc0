"""Who may talk to the sandbox, and what hostile requests and events can do: nothing."""

from __future__ import annotations

import json
import logging
import socket
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapper.sandbox import Sandbox, running
from mapper.sandbox.guard import host_name
from mapper.sandbox.page import POLICY

from .sandbox_requests import EVENT, event, post

ESCAPES = "\x1b[31mred\x1b]8;;http://evil.example\x07\u202e\x9b<script>alert(1)</script>\"'&{{7*7}}"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8111", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8111", 421),
        ("192.0.2.7", 421),
        ("", 421),
        ("::1", 421),
    ],
)
def test_it_answers_under_its_own_names_only(host: str, status: int, standing: Sandbox, http: httpx.Client) -> None:
    for path in ("/", "/api/state", "/tr?id=1", f"/v25.0/{standing.pixel_id}/events"):
        answer = http.get(standing.url + path, headers={"Host": host})
        assert (answer.status_code == 421) == (status == 421)


@pytest.mark.parametrize(("host", "expected"), [("a:1", "a"), ("a", "a"), ("[::1]:2", "::1"), ("[::1]", "::1")])
def test_a_host_is_read(host: str, expected: str) -> None:
    assert host_name(host) == expected


def test_beyond_loopback_addresses_are_fine_and_names_are_not(http: httpx.Client) -> None:
    with running(host="0.0.0.0") as sandbox:
        port = sandbox.url.rpartition(":")[2]
        for host, status in (("192.0.2.7", 200), ("[2001:db8::1]", 200), ("evil.example", 421)):
            answer = http.get(f"http://127.0.0.1:{port}/api/state", headers={"Host": host})
            assert answer.status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Sandbox": "page", "Origin": "https://evil.example"},
        {"X-Sandbox": "page", "Sec-Fetch-Site": "cross-site"},
        {"X-Sandbox": "page", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_another_site_cannot_change_anything(headers: dict[str, str], standing: Sandbox, http: httpx.Client) -> None:
    for method, path in (("POST", "/api/clear"), ("POST", "/api/faults"), ("DELETE", "/api/faults")):
        answer = http.request(method, standing.url + path, headers=headers, content="503")
        assert answer.status_code == 403
    assert standing.plan.faults == []


def test_the_page_can(standing: Sandbox, http: httpx.Client) -> None:
    mine = {"X-Sandbox": "page", "Sec-Fetch-Site": "same-origin", "Origin": standing.url}
    assert http.post(standing.url + "/api/faults", headers=mine, content="503").status_code == 200
    assert http.post(standing.url + "/api/faults", headers=mine, content="nothing").status_code == 400
    assert [one.kind for one in standing.plan.faults] == ["503"]
    assert http.delete(standing.url + "/api/faults/0", headers=mine).status_code == 200
    assert http.delete(standing.url + "/api/faults/7", headers=mine).status_code == 200
    assert standing.plan.faults == []
    assert http.post(standing.url + "/api/clear", headers=mine).status_code == 200


def test_nothing_is_shared_with_another_origin(standing: Sandbox, http: httpx.Client) -> None:
    for path in ("/", "/api/state", "/api/events", f"/v25.0/{standing.pixel_id}/events", "/tr"):
        for method in ("GET", "OPTIONS"):
            answer = http.request(method, standing.url + path, headers={"Origin": "https://evil.example"})
            assert not [name for name in answer.headers if name.startswith("access-control-")]
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_runs_nothing_but_its_own_files(standing: Sandbox, http: httpx.Client) -> None:
    page = http.get(standing.url)
    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert page.headers["x-frame-options"] == "DENY"
    assert "http://" not in page.text
    assert "https://" not in page.text
    for path in ("/page/app.js", "/page/page.css", "/page/icon.svg"):
        assert http.get(standing.url + path).status_code == 200
    for path in ("/page/../app.py", "/page/..%2fapp.py", "/page/%2e%2e/app.py", "/page/nothing", "/page/", "/app.py"):
        assert http.get(standing.url + path).status_code == 404


def test_the_token_is_never_logged_stored_or_shown(
    standing: Sandbox, http: httpx.Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.WARNING)  # the client of this test logs its own addresses
        for where in ("query", "body", "header"):
            post(standing, {"token_in": where}, http)
            post(standing, {"token_in": where, "path": "/v25.0/nowhere"}, http)
            post(standing, {"token_in": where, "raw": "{", "content_type": "application/json"}, http)
    shown = [http.get(standing.url + path).text for path in ("/", "/api/state", "/api/events", "/api/requests")]
    kept = "".join(map(str, standing.store.db.iterdump()))
    for text in (caplog.text, *capfd.readouterr(), *shown, kept, repr(standing)):
        assert standing.token not in text


def test_escapes_in_events_stay_text(standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    made = event(event_name=ESCAPES[:50], event_id=ESCAPES, custom_data={"note": ESCAPES, ESCAPES: 1})
    post(standing, {"json": {"data": [made], "test_event_code": ESCAPES}}, http)
    kept = standing.store.events(verdict=None)[0]
    for text in (kept.name, kept.event_id, kept.test_code, standing.store.requests[-1].agent):
        assert text.isprintable()
    answer = http.get(standing.url + "/api/events?limit=10")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["rows"][0]["name"] == kept.name
    assert http.get(standing.url + f"/api/events/{kept.id}").status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1&offset=-5", "offset=99999999999999999999", "upto=1e9&q=%00", "limit=9999999"]
)
def test_queries_that_are_none_are_answered(query: str, standing: Sandbox, http: httpx.Client) -> None:
    assert http.get(f"{standing.url}/api/events?{query}").status_code == 200
    assert http.get(f"{standing.url}/api/requests?{query}").status_code == 200
    assert http.get(f"{standing.url}/api/events/99999999999999999999").status_code == 404


def test_a_million_open_keys_get_an_answer(standing: Sandbox, http: httpx.Client) -> None:
    standing.clear()
    for body in (
        b"{" + b",".join(b'"k%d":1' % i for i in range(900_000)) + b"}",
        b'{"data":[{' + b",".join(b'"k%d":1' % i for i in range(40_000)) + b"}]}",
        b'{"data":[{"user_data":{' + b",".join(b'"k%d":null' % i for i in range(40_000)) + b"}}]}",
        b'{"data":[' + b",".join(b"{}" for _ in range(300_000)) + b"]}",
        b'{"data":[' + b",".join([b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"] * 100) + b"]}",
    ):
        started = time.monotonic()
        answer = post(standing, {"raw_hex": body.hex()}, http)
        assert answer.status_code == 400
        assert time.monotonic() - started < 5
    assert post(standing, {}, http).status_code == 200


def raw_request(sandbox: Sandbox, *parts: bytes, wait: float = 0.0) -> bytes:
    """Send bytes as they are, and read all that comes."""
    port = int(sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait)
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received


def test_a_slow_body_gets_an_answer() -> None:
    with running(seconds=0.3) as sandbox:
        head = (
            f"POST /v25.0/{sandbox.pixel_id}/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode()
        )
        started = time.monotonic()
        received = raw_request(sandbox, head, b"{", wait=0.05)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert b'"error"' in received
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
def test_broken_http_does_no_harm(head: bytes, standing: Sandbox, http: httpx.Client) -> None:
    port = int(standing.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head)
        assert connection.recv(12)[:9] in (b"HTTP/1.1 ", b"")
    assert http.get(standing.url + "/api/state").status_code == 200


def test_a_client_that_leaves_in_the_middle_does_no_harm(standing: Sandbox, http: httpx.Client) -> None:
    port = int(standing.url.rpartition(":")[2])
    for path in (f"/v25.0/{standing.pixel_id}/events", "/tr"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{".encode())
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"text/event-stream" in connection.recv(4096)
    assert http.get(standing.url + "/api/state").status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EVENT, "em", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=JSON, place=st.sampled_from([*EVENT, "custom_data", "app_data", "opt_out", None]))
def test_any_event_gets_an_answer(made: Any, place: str | None, standing: Sandbox, http: httpx.Client) -> None:
    """Whatever stands in an event: an answer of Meta's shape, and a page that can show what was kept."""
    one = made if place is None else {**EVENT, place: made}
    body = json.dumps({"data": [one]}).encode()
    answer = post(standing, {"raw_hex": body.hex()}, http)
    assert answer.status_code in (200, 400)
    last = http.get(standing.url + "/api/events?limit=1").json()["rows"]
    if last:
        assert http.get(f"{standing.url}/api/events/{last[0]['id']}").status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60),
    kind=st.sampled_from(
        ["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"]
    ),
)
def test_any_body_gets_an_answer(body: bytes, kind: str, standing: Sandbox, http: httpx.Client) -> None:
    answer = post(standing, {"raw_hex": body.hex(), "content_type": kind}, http)
    assert answer.status_code == 400
    assert "error" in answer.json()
