"""Replies in the shapes that Meta documents: the error object, the success object, the headers of rate limits.

Source: https://developers.facebook.com/docs/graph-api/guides/error-handling and .../overview/rate-limiting
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.responses import Response

BUSINESS_ID: Final = "1000000000000"
JSON: Final = "application/json; charset=UTF-8"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, a body (an object that becomes JSON, or bytes that go out as they are) and headers."""

    status: int
    body: dict[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    @property
    def code(self) -> int:
        """Meta's code, 0 if it is no error."""
        return int(self._error.get("code", 0))

    @property
    def subcode(self) -> int:
        return int(self._error.get("error_subcode", 0))

    @property
    def message(self) -> str:
        return str(self._error.get("error_user_title") or self._error.get("message", ""))

    @property
    def _error(self) -> dict[str, Any]:
        found = self.body.get("error") if isinstance(self.body, dict) else None
        return found or {}

    def content(self) -> bytes:
        """The body as it goes out."""
        return self.body if isinstance(self.body, bytes) else _encode(self.body)

    def response(self) -> Response:
        """The reply as it is sent."""
        return Response(self.content(), self.status, headers=dict(self.headers), media_type=self.media_type)


def trace_id() -> str:
    """Something like Meta's fbtrace_id: every reply has its own."""
    return "A" + secrets.token_urlsafe(16)


def received(count: int, trace: str, headers: Mapping[str, str] = _NONE) -> Reply:
    """Everything was taken."""
    return Reply(200, {"events_received": count, "messages": [], "fbtrace_id": trace}, headers)


def error(
    status: int,
    code: int,
    message: str,
    trace: str,
    *,
    kind: str = "OAuthException",
    headers: Mapping[str, str] = _NONE,
    **more: Any,
) -> Reply:
    """Meta's error object; ``more`` are its optional members."""
    return Reply(
        status, {"error": {"message": message, "type": kind, "code": code, **more, "fbtrace_id": trace}}, headers
    )


def usage(percent: int, *, seconds: float = 0.0) -> dict[str, str]:
    """The headers that report how much of a limit is used, and for how long it stays shut.

    percent  of every limit that the headers know
    seconds  until calls are taken again; the one header that counts in minutes says them from a minute on
    """
    counts = {"call_count": percent, "total_cputime": percent // 2, "total_time": percent // 2}
    minutes = -(-int(seconds) // 60) if seconds >= 60 else 0
    business = {"type": "ads_management", **counts, "estimated_time_to_regain_access": minutes}
    account: dict[str, Any] = {"acc_id_util_pct": float(percent), "reset_time_duration": seconds}
    tier = {"ads_api_access_tier": "standard_access"}
    return {
        "X-App-Usage": _encode(counts).decode(),
        "X-Business-Use-Case-Usage": _encode({BUSINESS_ID: [business | tier]}).decode(),
        "X-Ad-Account-Usage": _encode(account | tier).decode(),
    }
