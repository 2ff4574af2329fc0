"""Lines and answers as an attacker would make them: what is well formed, mutilated at random; and the laws for both.

``python -m tests.fuzz lines SECONDS`` and ``answers SECONDS`` try them for as long as one likes.
"""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mapper
from mapper.delivery.transport import Connection
from mapper.destinations.answers import MAX_BODY, Answer
from mapper.destinations.destination import load_destination

from .answering import NOW, SETTINGS, Listening, lead
from .conftest import ROOT, SMALL

MARK = b"PIIMARK"
"""Stands in values; nothing that is said may hold it."""

TOKENS = [
    MARK, b"{{7*7}}", b"\\u0000", b"\\ud800", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"1e400", b"-0",
    b"NaN", b"9" * 40, b"1" * 5000, b"[" * 60, b"]", b"{", b"}", b'"', b"\\", b",", b":", b"null", b"true", b"\x00",
    b"\x1b[2J", b"\r\n", b"\xe2\x80\xa8", b'{"a":' * 1100, b"[" * 5000, b'"id":"x",', b"-1", b"1.5", b'""', b"{}",
    b"[]", b"0x10", b"\xc2\x9b", b'"z":' + b"1" * 5000 + b",", b'"z":' + b"[" * 950 + b"]" * 950 + b",",
]  # fmt: skip

SENT = 3
"""Events in the requests that hostile answers are given to."""

DEADLINE = 0.4
"""Seconds for an exchange with a hostile server."""

Script = list[bytes | float]
"""What a server does with a request: bytes to write, and seconds to wait."""


def mutilated(make: random.Random, data: bytes, tokens: Sequence[bytes] = TOKENS) -> bytes:
    """Bytes with a few things cut, doubled, exchanged, turned over, or put in."""
    for _ in range(make.choice([0, 1, 1, 1, 2, 3, 8])):
        place = make.randrange(len(data) + 1)
        end = min(len(data), place + make.choice([0, 1, 1, 2, 5, 20, 200]))
        kind = make.randrange(6)
        if kind == 0:
            data = data[:place] + data[end:]
        elif kind == 1:
            data = data[:end] + data[place:]
        elif kind == 2 and place < len(data):
            data = data[:place] + bytes([data[place] ^ 1 << make.randrange(8)]) + data[place + 1 :]
        elif kind == 3:
            data = data[:place]
        else:
            data = data[:place] + make.choice(tokens) + data[end if kind == 4 else place :]
    return data


# Lines


def programs(folder: Path) -> Iterator[tuple[mapper.Program, list[bytes], float]]:
    """Programs, with lines that they can do something with and the time at which these were written."""
    (folder / "m.yaml").write_text(SMALL)
    yield (
        mapper.load(folder / "m.yaml"),
        [json.dumps(lead(n, email=f"PIIMARK{n}@b.example")).encode() for n in range(3)],
        NOW,
    )
    for name in ("storefront", "waitlist"):
        lines = (ROOT / "mappings" / "samples" / f"{name}.jsonl").read_bytes().splitlines()
        yield mapper.load(ROOT / "mappings" / f"{name}.yaml"), lines, NOW


def check_line(program: mapper.Program, line: bytes, good: bytes, now: float) -> str:
    """The laws of one line; returns what became of it."""
    started = time.perf_counter()
    result = program.map(line, now)
    assert time.perf_counter() - started < 2, "a line takes its time"
    assert [event.encoded for event in program.map(line, now).events] == [event.encoded for event in result.events]
    for event in result.events:
        assert isinstance(json.loads(event.encoded, parse_constant=float), dict)
        assert b"\n" not in event.encoded
        assert b"NaN" not in event.encoded or b'"' in event.encoded
    for problem in (*result.problems, *result.warnings):
        said = f"{problem}{getattr(problem, 'message', '')}"
        assert MARK.decode() not in said, said
        assert getattr(problem, "message", "x").isprintable()
    first, _, last = program.map_lines([good, line, good], now)
    assert first.events == last.events, "a line costs the lines beside it"
    return "mapped" if result.events else "dead" if result.problems else f"ignored: {result.reason}"


def lines(folder: Path, seconds: float, seed: int) -> Counter[str]:
    """Try mutilated lines for so long; returns how often each fate came."""
    make, found = random.Random(seed), Counter[str]()
    known = list(programs(folder))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        program, good, now = make.choice(known)
        line = mutilated(make, make.choice(good)).replace(b"\n", b" ")
        try:
            found[check_line(program, line, good[0], now)] += 1
        except BaseException:
            print(f"seed {seed}, line {line!r}")
            raise
    return found


# Answers


def error(**more: Any) -> bytes:
    return json.dumps(
        {"error": {"message": "m", "type": "OAuthException", "code": 100, "fbtrace_id": "A", **more}}
    ).encode()


BODIES = [
    json.dumps({"events_received": SENT, "messages": [], "fbtrace_id": "A"}).encode(),
    json.dumps({"events_received": SENT - 1}).encode(),
    b"",
    b"<html>busy</html>",
    b"[3]",
    error(),
    error(code=190, error_subcode=463),
    error(code="100", error_subcode=[1], message={"a": [1]}, error_user_msg="x" * 3000, is_transient="yes"),
    error(code=[100], error_data='{"blame_field_specs": [["data", 1, "user_data"]]}'),
    error(error_data={"error_user_msg": "$['data'][1]['user_data']"}, error_user_msg="data[99999999999]"),
    error(message="\x1b[2J\u202e\r\n::error::"),
    b'{"error":' * 1100 + b"1" + b"}" * 1100,
    b'{"events_received": 3, "events_received": 2}',
    b'{"events_received": 3.0}',
    b'{"events_received": true}',
    b'{"events_received": 3, "error": null}',
    b'{"events_received": 3, "error": {}}',
    b'{"events_received": 3, "x": "' + b"a" * MAX_BODY + b'"}',
]

STATUSES = [
    200,
    200,
    200,
    201,
    204,
    206,
    299,
    300,
    302,
    307,
    400,
    401,
    403,
    408,
    413,
    429,
    500,
    502,
    503,
    504,
    599,
    600,
]
STATUSES += [999, 0]

HEADERS = [
    b"Retry-After: 3", b"Retry-After: -1", b"Retry-After: " + b"9" * 20, b"Retry-After: Sun, 01 Mar 2026 12:00:10 GMT",
    b"Retry-After: Sun, 99 Mar 99999 12:00:10 GMT", b"Date: nonsense", b'X-App-Usage: {"call_count": 1e308}',
    b'X-Business-Use-Case-Usage: {"1":[{"call_count":101,"estimated_time_to_regain_access":1e300}]}',
    b"X-App-Usage: " + b"[" * 5000, b"Location: https://evil.example/", b"Content-Encoding: gzip", b"Set-Cookie: a=b",
    b"Content-Encoding: br", b"Connection: close", b"X: \xff\xfe", b"X: " + b"a" * 90_000, b"Content-Length: 5",
    b"Transfer-Encoding: chunked", b"Content-Length: -1", b"X y: z", b": z", b"X", b"\x00: \x00",
]  # fmt: skip


def check_meaning(answer: Answer, body: bytes, status: int) -> None:
    """The laws of what an answer means, whatever came."""
    if answer.meaning == "accepted":
        value = json.loads(body)
        assert (status, value["events_received"], value.get("error")) == (200, SENT, None)
        assert type(value["events_received"]) is int
    assert all(0 <= place < SENT for place in answer.culprits)
    assert answer.retry_after is None or 0 <= answer.retry_after <= 86_400
    for text in (answer.message, answer.trace_id, *answer.messages):
        assert len(text) <= 300
        assert text.isprintable()


def meanings(seconds: float, seed: int) -> Counter[str]:
    """Ask for so long what mutilated bodies and headers mean; returns how often each meaning came."""
    make, found, destination = random.Random(seed), Counter[str](), load_destination("meta")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body, status = mutilated(make, make.choice(BODIES)), make.choice(STATUSES)
        pairs = [
            mutilated(make, make.choice(HEADERS)).decode("latin-1").partition(": ") for _ in range(make.randrange(3))
        ]
        headers = {name: value for name, _, value in pairs}
        try:
            answer = destination.answer(status, body, SENT, headers)
            check_meaning(answer, body, status)
        except BaseException:
            print(f"seed {seed}, status {status}, headers {headers!r}, body {body[:500]!r}")
            raise
        found[answer.meaning] += 1
    return found


def script(make: random.Random) -> Script:
    """What a hostile server does with one request."""
    body = BODIES[0] if make.random() < 0.3 else make.choice(BODIES)
    status = 200 if make.random() < 0.5 else make.choice(STATUSES)
    head = [b"HTTP/1.1 %03d OK" % status, *make.sample(HEADERS, make.choice([0, 0, 1, 2]))]
    kind = make.randrange(40)
    if kind == 0:
        return [b"HTTP/1.1 100 Continue\r\n\r\n" * 2000] * 50
    if kind == 1:
        return [*([b"H", 0.03] * 20), b"TTP/1.1 200 OK\r\n\r\n"]
    if kind == 2:
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *([b"a" * 65_536] * 40)]
    if kind == 3:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:]) if part)
        return [mutilated(make, b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", pieces + b"0\r\n\r\n"]))]
    if kind == 4:
        return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", *([b"X: y\r\n" * 1000] * 30)]
    if kind == 5:
        return [make.randbytes(make.choice([1, 50, 5000]))]
    if kind == 6:
        return [make.uniform(0, 2 * DEADLINE)]
    length = len(body) + make.choice([0, 0, 0, 1, -1, 5])
    whole = b"\r\n".join([*head, b"Content-Length: %d" % max(0, length), b"", body])
    cut = make.randrange(len(whole))
    return [mutilated(make, whole)] if kind < 36 else [whole[:cut], make.choice([0.0, 0.01, 2 * DEADLINE]), whole[cut:]]


class Raw(Listening):
    """A server that answers each request with what it is told, then goes on, closes or resets."""

    def __init__(self, next_script: Callable[[], tuple[Script, str]]) -> None:
        self._next = next_script
        self.written = b""
        super().__init__()
        self.url = f"http://{self.place}"

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._read(connection):
                steps, end = self._next()
                self.written = b"".join(step for step in steps if isinstance(step, bytes))
                for step in steps:
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    else:
                        time.sleep(step)
                if end == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if end != "stay":
                    return

    def _read(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65_536)):
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(found[1]) - len(body) if found else 0
        while left > 0 and (more := connection.recv(65_536)):
            left -= len(more)
        return True


@contextmanager
def raw(next_script: Callable[[], tuple[Script, str]]) -> Iterator[Raw]:
    server = Raw(next_script)
    try:
        yield server
    finally:
        server.close()


def connected(server: Raw) -> Connection:
    """A connection that sends events to a server."""
    destination = load_destination("meta")
    prepared = destination.request.prepare({**SETTINGS, "API_VERSION": "v25.0"}, base=server.url)
    return Connection(destination, prepared, deadline=DEADLINE)


def exchanges(seconds: float, seed: int) -> Counter[str]:
    """Send requests to a hostile server for so long; returns how often each meaning came."""
    make, found = random.Random(seed), Counter[str]()
    until, events = time.monotonic() + seconds, [b'{"event_name":"Lead"}'] * SENT
    with raw(lambda: (script(make), make.choice(["stay", "stay", "close", "reset"]))) as server:
        connection = connected(server)
        while time.monotonic() < until:
            started = time.monotonic()
            try:
                answer = connection.send(events)
                took = time.monotonic() - started
                assert took < DEADLINE + 2, f"it took {took:.1f} s"
                if answer.meaning == "accepted":
                    assert b"200" in server.written
                    assert re.search(rb'"events_received"\s*:\s*%d\b' % SENT, server.written)
            except BaseException:
                print(f"seed {seed}, written {server.written[:500]!r}")
                raise
            found[answer.meaning] += 1
        connection.close()
    return found
