"""One HTTP exchange with a destination, with the token added where no logger can see it.

httpx logs the address of every request. The token is therefore added by a transport below the client: what httpx, its
logger and its exceptions see has neither token nor query. Answers are read up to a limit and within one deadline for
the whole exchange (``connecting``); redirects are never followed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from ..destinations.answers import MAX_BODY, Answer
from ..destinations.destination import Destination
from ..destinations.request import Prepared
from ..errors import DeliveryError
from .connecting import Connections, Deadline, Mask
from .reaching import is_loopback, place, through, trouble, trust, understood, untrusted

DEADLINE: Final = 60.0
"""Seconds for a whole exchange: connecting, sending up to 1,000 events, and the answer."""

_HEADERS: Final = {"Accept-Encoding": "identity", "Accept": "application/json"}

_CERTIFICATE: Final = (
    "Check the address and your network. If an authority of your own has signed it, name its certificate: --ca-file."
)
_PROXY: Final = "Check --proxy, and the name and password in it."

Client = httpx.Client
"""What a caller may bring along."""


class _Adding(httpx.BaseTransport):
    """Adds what is secret to a request, below the client."""

    def __init__(self, inner: httpx.BaseTransport, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        self._inner, self._query, self._headers = inner, query, headers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = httpx.Headers(request.headers)
        headers.update(self._headers)
        url = request.url.copy_merge_params(dict(self._query)) if self._query else request.url
        signed = httpx.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        return self._inner.handle_request(signed)

    def close(self) -> None:
        self._inner.close()

    def __repr__(self) -> str:
        return "<transport>"


class Connection:
    """Sends batches to one address. May be used from several threads."""

    def __init__(
        self,
        destination: Destination,
        prepared: Prepared,
        *,
        connections: int = 4,
        deadline: float = DEADLINE,
        client: httpx.Client | None = None,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
    ) -> None:
        """``client`` is the caller's own, used as it is, with its own timeouts, and left open.

        proxy, ca_file  see ``Options``; not for a caller's own client, which has its own
        """
        given: object = client  # from programs that nobody checks the types of
        if not isinstance(given, httpx.Client | None):
            hint = "Hand over an httpx.Client; a sender for asyncio uses it in threads of its own."
            raise DeliveryError("client", f"a client has to be an httpx.Client, not {type(given).__name__}", 2, hint)
        url = understood(prepared.url)
        if url is None:
            raise DeliveryError("to", "the address to send to cannot be understood", 2, "Check the name of the host.")
        if url.scheme != "https" and not is_loopback(url.raw_host.decode("ascii")):
            raise DeliveryError("insecure", "the address must begin with https://: the token would be readable", 2)
        self._destination, self._prepared = destination, prepared
        self._seconds, self._deadline, self._mask = deadline, Deadline(), Mask(prepared.secrets)
        self._is_own = client is None
        self._target, self._proxy = place(url), ""
        self._client = client if client is not None else self._made(connections, url, proxy, ca_file)

    def _made(self, connections: int, url: httpx.URL, proxy: str | None, ca_file: str | Path | None) -> httpx.Client:
        context = trust(ca_file)
        way = through(proxy, url, context) if proxy else None
        self._proxy = place(way.url) if way is not None else ""
        inner = Connections(connections, self._deadline, context, self._mask, way)
        return httpx.Client(
            transport=_Adding(inner, self._prepared.query, self._prepared.headers),
            timeout=httpx.Timeout(self._seconds, connect=10.0),
            trust_env=False,
            headers={"User-Agent": "mapper"},
        )

    def send(self, events: Sequence[bytes]) -> Answer:
        """Send one request and understand its answer. Only a broken certificate or address raises (DeliveryError)."""
        body = self._prepared.body(events)
        written = False

        def stream() -> Iterator[bytes]:
            nonlocal written
            yield body
            written = True

        started = time.monotonic()
        self._deadline.set(self._seconds)
        try:
            with self._client.stream(
                self._prepared.method,
                self._prepared.url,
                content=stream(),
                params=None if self._is_own else self._prepared.query or None,  # else it is added below the client
                headers={
                    **_HEADERS,
                    **({} if self._is_own else self._prepared.headers),
                    "Content-Length": str(len(body)),
                },
                follow_redirects=False,
            ) as response:
                data = bytearray()
                for chunk in response.iter_raw():
                    data += chunk
                    if len(data) > MAX_BODY or time.monotonic() - started > self._seconds:
                        return self._destination.answers.lost(written=True, why="the answer does not end")
                said = self._mask.over(bytes(data))  # as a client that was handed over does not
                return self._destination.answer(response.status_code, said, len(events), response.headers)
        except (httpx.ConnectError, httpx.ProxyError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return self._unreached(error)
        except httpx.TimeoutException:
            why = f"no answer of {self._target} in {self._seconds:g} s"
            return self._destination.answers.lost(written=written, why=why)
        except httpx.TransportError:
            why = f"the connection to {self._target} broke before there was an answer"
            return self._destination.answers.lost(written=written, why=why)
        except Exception as error:  # a client that was handed over may raise what it likes; ours may not
            if self._is_own:
                raise
            name = type(error).__name__
            message = f"the HTTP client that was handed over failed with {name}"
            return Answer("stop", "client", code=name, message=message, unclear=written)

    def _unreached(self, error: httpx.TransportError) -> Answer:
        """What it means that a request could not even be begun."""
        if why := untrusted(error):
            message = f"the certificate of {self._target} cannot be trusted: {why}"
            return Answer("stop", "certificate", code="certificate", message=message, remedy=_CERTIFICATE)
        why = trouble(error, self._target, self._proxy)
        if isinstance(error, httpx.ProxyError) and not str(error).startswith("5"):  # 502, 504: it may pass
            return Answer("stop", "proxy", code="proxy", message=why, remedy=_PROXY)
        return self._destination.answers.lost(written=False, why=why)

    def close(self) -> None:
        """Give the connections back."""
        if self._is_own:
            self._client.close()
