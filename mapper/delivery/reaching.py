"""The way to a destination: whom to trust on it, the proxy that it leads through, and what went wrong, in words.

Nothing is taken from the environment: a proxy sees where the requests go, and whoever names an authority or a file of
session keys reads them. Both are only used if the caller names them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi
import httpcore
import httpx

from ..errors import DeliveryError


def trust(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Certificates are checked, of TLS 1.2 and later.

    ca_file  authorities to trust, as PEM, in place of those that come with certifi
    raises   DeliveryError (exit code 2) if the file cannot be used
    """
    # Not ssl.create_default_context: that writes the session keys to wherever SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca_file if ca_file is not None else certifi.where())
    except ssl.SSLError:
        hint = "It has to be PEM: -----BEGIN CERTIFICATE----- and so on."
        raise DeliveryError("ca-file", f"{ca_file} holds no certificate of an authority", 2, hint) from None
    except OSError as error:
        raise DeliveryError("ca-file", f"{ca_file} cannot be read: {error.strerror}", 2) from None
    return context


def through(proxy: str, target: httpx.URL, context: ssl.SSLContext) -> httpcore.Proxy:
    """The proxy at an address such as ``http://user:password@proxy.example:3128``.

    raises  DeliveryError (exit code 2) if it is none, without showing it: it may hold a password
    """
    hint = "Write it as http://proxy.example:3128, or with a password: http://user:password@proxy.example:3128"
    url = understood(proxy)
    if url is None:
        raise DeliveryError("proxy", "the proxy's address cannot be understood", 2, hint)
    if url.scheme not in ("http", "https") or not url.host or url.path not in ("", "/") or url.query or url.fragment:
        raise DeliveryError("proxy", "the proxy's address is not http://HOST:PORT or https://HOST:PORT", 2, hint)
    if target.scheme == "http" and not is_loopback(url.host):
        message = "an address without https cannot be reached through a proxy: it would read the token"
        raise DeliveryError("insecure", message, 2)
    port = url.port or (443 if url.scheme == "https" else 80)
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=port, target=b"/"),
        auth=(url.username, url.password) if url.userinfo else None,
        ssl_context=context if url.scheme == "https" else None,
    )


def understood(text: str) -> httpx.URL | None:
    """An address; None if it is none. No exception of httpx's gets out: its frames hold the text in pieces."""
    try:
        url = httpx.URL(text)
        url.host.encode("idna")  # as it is asked for: a name of which nobody could know raises
    except (httpx.InvalidURL, ValueError):
        return None
    return url


def is_loopback(host: str) -> bool:
    """Whether a name stands for this machine."""
    return host in ("127.0.0.1", "localhost", "::1")


def place(url: httpx.URL | httpcore.URL) -> str:
    """``host:port``, in ASCII."""
    raw = (url.raw_host if isinstance(url, httpx.URL) else url.host).decode("ascii", "replace")
    host = f"[{raw}]" if ":" in raw else raw
    return f"{host}:{url.port or (443 if url.scheme in ('https', b'https') else 80)}"


def untrusted(error: BaseException) -> str:
    """Why a certificate cannot be trusted, in OpenSSL's words; "" if that is not what happened."""
    for one in _causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_message.rstrip(".") or "it cannot be verified"
    return ""


def trouble(error: BaseException, target: str, proxy: str) -> str:
    """What went wrong before a request was on its way.

    target, proxy   who was to be reached, and through whom: as ``place`` says it, or ""
    """
    asked = f"the proxy {proxy}" if proxy else target
    for one in _causes(error):
        if isinstance(one, ssl.SSLError):
            why = (one.reason or "").lower().replace("_", " ")
            other = "wrong version number", "http request", "unknown protocol"
            return f"{target} does not speak TLS" if why in other else f"no TLS with {target}: {why or 'it broke off'}"
        if isinstance(one, socket.gaierror):
            return f"the name of {asked} cannot be resolved"
        if isinstance(one, ConnectionRefusedError):
            return f"{asked} refuses connections: nobody listens there"
        if isinstance(one, OSError) and not isinstance(one, TimeoutError) and one.strerror:
            return f"{asked} cannot be reached: {one.strerror}"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy {proxy} does not let it through: {str(error)[:3]}"
    late = isinstance(error, httpx.TimeoutException)
    return f"{asked} " + ("does not answer in time" if late else "broke the connection off")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
