"""Whom a run trusts on its way to a destination, and the proxy that it takes if it is told to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import trustme

from mapper.delivery.reaching import trust

from .answering import Answering, Listening, lead, taken
from .command import run
from .conftest import SMALL
from .faults.server import Exchange, Server

SECRETS = {"META_PIXEL_ID": "123", "META_ACCESS_TOKEN": "EAAGsecretTOKEN123"}
PASSWORD = "s3cret-of-the-proxy"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Start servers that accept everything, with a certificate or without."""
    servers: list[Server] = []

    def start(certificate: trustme.LeafCert | None = None) -> Server:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
        servers.append(Server(Exchange.accept, tls=context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    """A folder with a mapping, three records, and the certificate of the authority."""
    (tmp_path / "m.yaml").write_text(SMALL)
    lines = (json.dumps(lead(number, at=int(time.time()) - 60)) + "\n" for number in range(3))
    (tmp_path / "r.jsonl").write_text("".join(lines))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path


def send(folder: Path, url: str, *options: str, **environ: str) -> CompletedProcess[bytes]:
    call = "send", "m.yaml", "r.jsonl", "--to", url, "--patience", "0", *options
    done = run(*call, cwd=folder, **SECRETS, **environ)
    assert SECRETS["META_ACCESS_TOKEN"].encode() not in done.stdout + done.stderr
    assert PASSWORD.encode() not in done.stdout + done.stderr
    return done


def said_by(done: CompletedProcess[bytes]) -> str:
    """What it said, in one line."""
    return " ".join(done.stderr.decode().split())


class Proxy(Listening):
    """A proxy that lets tunnels through, or answers with a status; it remembers what it could read."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.heads = status, [b""][:0]
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            self.heads.append(head)
            if self.status != 200:
                connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.status)
                return
            host, _, port = head.split()[1].partition(b":")
            with socket.create_connection((host.decode(), int(port))) as other:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(other, connection), daemon=True)
                back.start()
                _pump(connection, other)
                back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxies() -> Iterator[Callable[..., Proxy]]:
    started: list[Proxy] = []

    def start(status: int = 200) -> Proxy:
        started.append(Proxy(status))
        return started[-1]

    yield start
    for proxy in started:
        proxy.close()


def test_an_authority_that_is_named_is_trusted_and_no_other(
    folder: Path, serving: Callable[..., Server], authority: trustme.CA
) -> None:
    server = serving(authority.issue_cert("127.0.0.1"))
    assert send(folder, server.url, "--ca-file", "ca.pem").returncode == 0
    assert len(server.ledger.stored) == 3
    other = serving(trustme.CA().issue_cert("127.0.0.1"))
    assert send(folder, other.url, "--ca-file", "ca.pem").returncode == 4
    assert not other.ledger.seen


YESTERDAY = datetime.now(tz=UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "until", "said"),
    [
        ("127.0.0.1", YESTERDAY, "certificate has expired"),
        ("other.example", None, "not valid for '127.0.0.1'"),
    ],
    ids=["expired", "of another host"],
)
def test_a_certificate_that_does_not_fit_stops_the_run(
    folder: Path,
    serving: Callable[..., Server],
    authority: trustme.CA,
    name: str,
    until: datetime | None,
    said: str,
) -> None:
    server = serving(authority.issue_cert(name, not_after=until))
    done = send(folder, server.url, "--ca-file", "ca.pem")
    assert done.returncode == 4
    assert f"the certificate of 127.0.0.1:{server.port} cannot be trusted" in said_by(done)
    assert said in said_by(done)
    assert not server.ledger.seen


def test_what_the_environment_says_of_proxies_and_trust_does_not_matter(
    folder: Path, serving: Callable[..., Server], proxies: Callable[..., Proxy], authority: trustme.CA
) -> None:
    proxy, server = proxies(), serving(authority.issue_cert("127.0.0.1"))
    names = "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"
    environ = {
        **dict.fromkeys(names, f"http://{proxy.place}"),
        "SSLKEYLOGFILE": str(folder / "keys"),
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    done = send(folder, server.url, **environ)
    assert (done.returncode, server.ledger.seen) == (4, set()), "the authority was only named by the environment"
    assert "unable to get local issuer certificate" in said_by(done)
    assert send(folder, server.url, "--ca-file", "ca.pem", **environ).returncode == 0
    plain = serving()
    assert send(folder, plain.url, **environ).returncode == 0
    assert proxy.heads == []
    assert not (folder / "keys").exists()


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    context = trust()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_proxy_that_is_named_sees_where_it_leads_and_nothing_else(
    folder: Path, serving: Callable[..., Server], proxies: Callable[..., Proxy], authority: trustme.CA, how: str
) -> None:
    proxy, server = proxies(), serving(authority.issue_cert("127.0.0.1"))
    if how == "option":
        done = send(folder, server.url, "--ca-file", "ca.pem", "--proxy", f"http://{proxy.place}")
    else:
        url = f"http://someone:{PASSWORD}@{proxy.place}"
        done = send(folder, server.url, "--ca-file", "ca.pem", MAPPER_PROXY=url)
    assert done.returncode == 0, done.stderr
    assert len(server.ledger.stored) == 3
    [head] = proxy.heads
    assert head.startswith(b"CONNECT 127.0.0.1:%d " % server.port)
    assert SECRETS["META_ACCESS_TOKEN"].encode() not in head
    assert (b64encode(f"someone:{PASSWORD}".encode()) in head) is (how == "variable")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (407, 4, "does not let it through: 407"),
        (403, 4, "does not let it through: 403"),
        (502, 3, "does not let it through: 502"),
        (0, 3, "refuses connections: nobody listens there"),
    ],
)
def test_a_proxy_that_does_not_help_is_named(
    folder: Path, serving: Callable[..., Server], proxies: Callable[..., Proxy], status: int, code: int, said: str
) -> None:
    proxy, server = proxies(status), serving()
    if not status:
        proxy.close()
    url = server.url.replace("http:", "https:")
    done = send(folder, url, "--proxy", f"http://someone:{PASSWORD}@{proxy.place}")
    assert done.returncode == code
    assert f"the proxy {proxy.place} {said}" in said_by(done)
    assert not server.ledger.seen


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://nowhere.invalid", "the name of nowhere.invalid:443 cannot be resolved"),
        ("http://127.0.0.1:9", "127.0.0.1:9 refuses connections: nobody listens there"),
        ("plain", "does not speak TLS"),
    ],
)
def test_why_a_destination_cannot_be_reached_is_said(
    folder: Path, answering: Callable[..., Answering], url: str, said: str
) -> None:
    server = answering(taken)
    done = send(folder, server.url.replace("http:", "https:") if url == "plain" else url)
    assert not server.requests
    assert done.returncode == 3
    assert said in said_by(done)


def test_dead_letters_take_the_same_way(
    folder: Path, serving: Callable[..., Server], proxies: Callable[..., Proxy], authority: trustme.CA
) -> None:
    proxy, server = proxies(), serving(authority.issue_cert("127.0.0.1"))
    (folder / "r.jsonl").write_text(json.dumps(lead(1, at=int(time.time()) - 60, email="")) + "\n")
    assert send(folder, server.url, "--ca-file", "ca.pem").returncode == 1
    (folder / "m.yaml").write_text(SMALL.replace("{{ email }}", "{{ email or 'a@b.example' }}"))
    way = "--ca-file", "ca.pem", "--proxy", f"http://{proxy.place}"
    retry = "dead-letters", "retry", "m.yaml", "m.dead.jsonl", "--to", server.url
    done = run(*retry, *way, cwd=folder, **SECRETS)
    assert done.returncode == 0, done.stderr
    assert list(server.ledger.stored) == ["id-1"]
    assert len(proxy.heads) == 1
