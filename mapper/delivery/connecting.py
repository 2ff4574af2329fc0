"""Connections whose every step counts against one deadline, and which say in httpx's words what went wrong.

A client's timeouts are for one read or write. A server that sends a byte now and then, in a header say, never meets
them and would hold a request for ever. So each step on the network is given only what is left of the whole exchange.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, quote_plus

import httpcore
import httpx

_PIECE: Final = 65_536
"""Bytes that are written at once: whoever reads slowly is noticed between two of them."""

_UNHEARD: Final = (b"location", b"set-cookie")
"""What the client would act on: it looks at where a redirect leads even if it does not follow, and keeps cookies."""

_SHORTEST: Final = 8
"""Characters of a secret that is looked for; what is shorter would be found everywhere, and is none."""

_IDLE: Final = 20.0
"""Seconds for which a connection is kept for the next request."""


class Deadline(threading.local):
    """Until when what a thread does on the network has to be over; each thread has its own."""

    moment: float = float("inf")

    def set(self, seconds: float) -> None:
        self.moment = time.monotonic() + seconds

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        """How long a step may take.

        raises  ``late`` if nothing is left
        """
        left = self.moment - time.monotonic()
        if left <= 0:
            raise late
        return left if timeout is None else min(left, timeout)


class Mask:
    """Blots out what is secret in what comes back: a redirect repeats the address with the token in it, and a client
    that is told to log everything writes that down; a destination quotes the token that it does not like.

    As many stars stand for it, so that nothing else is moved.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form.encode() for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
        self._secrets = sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)
        self.reach = len(self._secrets[0]) - 1 if self._secrets else 0

    def over(self, data: bytes, before: bytes = b"") -> bytes:
        """``data`` without secrets, nor the rest of one that began in what came before it."""
        whole = before + data
        for secret in self._secrets:
            whole = whole.replace(secret, b"*" * len(secret))
        return whole[len(before) :]

    def __repr__(self) -> str:
        return "Mask()"


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline, mask: Mask) -> None:
        self._inner, self._deadline, self._mask = inner, deadline, mask
        self._before = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))
        shown, reach = self._mask.over(data, self._before), self._mask.reach
        self._before = (self._before + data)[-reach:] if reach else b""
        return shown

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            left = self._deadline.left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _PIECE], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline, self._mask)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline, mask: Mask) -> None:
        self._inner, self._deadline, self._mask = httpcore.SyncBackend(), deadline, mask

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self._deadline, self._mask)


class Connections(httpx.BaseTransport):
    """A few connections, for an ``httpx.Client``. No proxy and no certificate is taken from the environment."""

    def __init__(
        self, most: int, deadline: Deadline, context: ssl.SSLContext, mask: Mask, proxy: httpcore.Proxy | None = None
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            proxy=proxy,
            max_connections=most,
            max_keepalive_connections=most,
            keepalive_expiry=_IDLE,
            network_backend=_Network(deadline, mask),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, stream = request.url, request.stream
        assert isinstance(stream, httpx.SyncByteStream)
        with _in_words_of_httpx():
            response = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=stream,
                    extensions=request.extensions,
                )
            )
        assert isinstance(response.stream, Iterable)
        headers = [(name, value) for name, value in response.headers if name.lower() not in _UNHEARD]
        return httpx.Response(
            response.status, headers=headers, stream=_Body(response.stream), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _in_words_of_httpx():
            yield from self._stream

    def close(self) -> None:
        if hasattr(self._stream, "close"):
            self._stream.close()


@contextmanager
def _in_words_of_httpx() -> Iterator[None]:
    """httpcore's exceptions as those of the same name that whoever uses httpx knows."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
