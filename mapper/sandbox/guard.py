"""Who may talk to the sandbox: only those who know its name, and for changes only its own page.

A page of another site can make a browser send requests to loopback. It cannot do so under a loopback name if that name
was rebound from its own (the Host is checked), it cannot read an answer (nothing is shared across origins), and it
cannot change anything (that takes a header which only a page of the same origin may set).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import replies

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
MARK: Final = "x-sandbox"
"""The header that a change needs; a page of another origin may not set it without being asked about first."""

ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Answers only under the given names."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)
        self._any_address = not self._hosts.isdisjoint(ANY_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    found.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            message = "The sandbox does not answer under this name; start it with --allow-host NAME"
            await _refuse(421, message, scope, receive, sending)
            return
        if scope["path"].startswith("/api/") and scope["method"] not in ("GET", "HEAD") and not _is_page(headers):
            await _refuse(403, "Only the sandbox's own page may do that", scope, receive, sending)
            return
        await self._app(scope, receive, sending)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in self._hosts:
            return True
        if not self._any_address:
            return False
        try:  # an address cannot be rebound, only a name can
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_page(headers: Headers) -> bool:
    if headers.get(MARK) != "page" or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


async def _refuse(status: int, message: str, scope: Scope, receive: Receive, send: Send) -> None:
    await replies.error(status, 1, message, replies.trace_id()).response()(scope, receive, send)
