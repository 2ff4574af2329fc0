"""Replies in the shapes that Meta documents.

Source: https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

_SUBCODES: Final = {"M02": 2804003, "M07": 2804009, "M09": 2804050, "M05": 2804043, "M06": 2804116, "M10": 2804030}
"""The subcodes that Meta is known to give for a rule; every other broken rule is a plain 100."""

_TITLES: Final = {
    "M02": "Event Timestamp Too Old",
    "M07": "Missing Purchase Value",
    "M09": "Insufficient Customer Information",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and the JSON that goes with it."""

    status: int
    body: dict[str, Any]


def trace_id() -> str:
    """Something like Meta's fbtrace_id: every reply has its own."""
    return "A" + secrets.token_urlsafe(16)


def received(count: int, messages: list[str], trace: str) -> Reply:
    """Everything was taken."""
    return Reply(200, {"events_received": count, "messages": messages, "fbtrace_id": trace})


def error(status: int, code: int, message: str, trace: str, *, kind: str = "OAuthException", **more: Any) -> Reply:
    """Meta's error object; ``more`` are its optional members."""
    return Reply(status, {"error": {"message": message, "type": kind, "code": code, **more, "fbtrace_id": trace}})


def refused(index: int, path: str, rule: str, message: str, trace: str) -> Reply:
    """The whole request is refused because of one event."""
    more: dict[str, Any] = {"is_transient": False}
    if rule in _SUBCODES:
        more["error_subcode"] = _SUBCODES[rule]
    more["error_user_title"] = _TITLES.get(rule, "Invalid Parameter")
    place = f"data[{index}]" + (f".{path}" if path else "")
    more["error_user_msg"] = f"{place}: {message}"
    more["error_data"] = {"blame_field_specs": [[place]]}
    return error(400, 100, "Invalid parameter", trace, **more)
