"""Requests for the tests of the sandbox: one good event, and how a spec says what is changed."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import httpx

from mapper.documents import document
from mapper.sandbox import Sandbox

SPECS = Path(__file__).parent / "specs" / "sandbox"
NOW = 1_772_366_400
HASH = "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"


def good_event(now: int) -> dict[str, Any]:
    """An event as it is sent, of a minute before ``now``, that breaks no rule."""
    return {
        "event_name": "Lead",
        "event_time": now - 60,
        "event_id": "lead-1",
        "action_source": "website",
        "event_source_url": "https://shop.example/contact",
        "user_data": {"em": [HASH], "client_ip_address": "192.0.2.1", "client_user_agent": "Mozilla/5.0"},
    }


EVENT = good_event(NOW)


def cases(name: str) -> list[Any]:
    """The cases of a spec file."""
    found: list[Any] = document.read(SPECS / f"{name}.yaml").value["cases"]
    return found


def event(**changes: Any) -> dict[str, Any]:
    """The good event with top-level parameters changed; None takes one away."""
    made = copy.deepcopy(EVENT) | spelled(changes, None)
    return {name: value for name, value in made.items() if value is not None}


def spelled(value: Any, one: dict[str, Any] | None) -> Any:
    """The words of a spec as what they stand for."""
    if isinstance(value, dict):
        return {key: spelled(inner, one) for key, inner in value.items()}
    if isinstance(value, list):
        return [spelled(inner, one) for inner in value]
    if isinstance(value, str) and value.startswith("$now"):
        return NOW + int(value[4:] or 0)
    words = {
        "$event": one,
        "$json": json.dumps([one]),
        "$text": json.dumps(one),
        "$texts": json.dumps([json.dumps(one)]),
        "$body": json.dumps({"data": [one]}),
        "$hash": HASH,
        "$long": "x" * 600_000,
    }
    return words.get(value, value) if isinstance(value, str) else value


def post(sandbox: Sandbox, case: dict[str, Any], http: httpx.Client) -> httpx.Response:
    """Send the request that a case describes."""
    one = event(**case.get("with", {}))
    token = case.get("token", sandbox.token)
    where = case.get("token_in", "query")
    query = spelled(case.get("query", {}), one) | ({"access_token": token} if where == "query" else {})
    headers = {"Authorization": f"Bearer {token}"} if where == "header" else {}
    headers |= case.get("headers", {})
    content, kind = _body(case, one, {"access_token": token} if where == "body" else {})
    if kind:
        headers["Content-Type"] = kind
    if case.get("gzip"):
        content = gzip.compress(content, 1)[: -20 if case["gzip"] == "short" else None]
        headers["Content-Encoding"] = "gzip"
    if "encoding" in case:
        headers["Content-Encoding"] = case["encoding"]
    url = httpx.URL(sandbox.url + case.get("path", f"/v25.0/{sandbox.pixel_id}/events"))
    return http.request(case.get("method", "POST"), url, params=query, content=content, headers=headers)


def _body(case: dict[str, Any], one: dict[str, Any], more: dict[str, Any]) -> tuple[bytes, str]:
    """A body and its Content-Type."""
    if "raw" in case or "raw_hex" in case:
        raw = bytes.fromhex(case["raw_hex"]) if "raw_hex" in case else str(spelled(case["raw"], one)).encode()
        return raw, case.get("content_type", "application/json")
    if "nested" in case:
        return b'{"data":' + b"[" * case["nested"], "application/json"
    if "size" in case:
        return b'{"data":["' + b"x" * case["size"] + b'"]}', "application/json"
    if "commas" in case:
        return b'{"data":[' + b"1," * case["commas"] + b"1]}", "application/json"
    for form, key in (("form", "data"), ("multipart", "files")):
        if form in case:
            fields = spelled(case[form], one) | more
            given: Any = {name: (None, value) for name, value in fields.items()} if key == "files" else fields
            made = httpx.Request("POST", "http://x", **{key: given})
            return made.read(), made.headers["content-type"]
    body = spelled(case.get("json", {"data": [one] * case.get("count", 1)}), one) | more
    return json.dumps(body).encode(), "application/json"
