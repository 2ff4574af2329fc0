"""Some seconds of what ``python -m tests.fuzz lines`` and ``answers`` try for as long as one likes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mapper
from mapper.events.explain import explain

from .answering import NOW, lead
from .hostile import connected, exchanges, lines, meanings, raw


def test_no_line_breaks_anything(tmp_path: Path) -> None:
    found = lines(tmp_path, 1.5, 7)
    assert {"mapped", "dead", "ignored: no-event"} <= found.keys()


def test_every_answer_means_something() -> None:
    found = meanings(0.8, 7)
    assert found.keys() == {"accepted", "refused", "too-large", "retry", "throttled", "stop"}


def test_no_server_holds_up_or_deceives() -> None:
    assert exchanges(1.5, 7).total() > 2


@pytest.mark.parametrize("odd", ["1" * 5000, "[" * 900 + "]" * 900, "[" * 985 + "]" * 985, "1e-400"])
def test_what_is_not_read_does_not_matter_when_something_is_missing(
    odd: str, compiled: Callable[..., mapper.Program]
) -> None:
    """What a refused record lacks is looked up in all of it: a part that nobody could decode must not end the run."""
    line = f'{json.dumps(lead(1, email=None))[:-1]}, "unread": {odd}}}'.encode()
    program = compiled()
    result = program.map(line, NOW)
    assert [problem.code for problem in result.problems] in (["missing"], ["not-json"])
    assert explain(program, line, NOW).result.problems == result.problems


@pytest.mark.parametrize(
    "header",
    [b"Location: https:+/evil.example/", b"Location: htt\x01", b"Set-Cookie: a=b\x1b[\xef\xbb\xbf", b"Location: \xff"],
)
def test_nothing_is_done_with_an_answer_but_reading_it(header: bytes) -> None:
    """A client would look at where a redirect leads even if it follows none, and send cookies with the next request."""
    body = b'{"events_received": 3}'
    whole = b"HTTP/1.1 %d OK\r\n%s\r\nContent-Length: %d\r\n\r\n%s"
    told = [whole % (200, header, len(body), body), whole % (307, header, len(body), body)]
    with raw(lambda: ([told.pop(0)], "stay")) as server:
        connection = connected(server)
        assert [connection.send([b"{}"] * 3).meaning for _ in range(2)] == ["accepted", "stop"]
        connection.close()


def test_what_looks_like_an_expression_in_a_record_is_sent_as_it_is(compiled: Callable[..., mapper.Program]) -> None:
    text = "{{ 7 * 7 }}{% for x in y %}${7*7}#{7*7}<%= 7*7 %>"
    [event] = compiled().map(lead(1, id=f"id {text}", agent=text), NOW).events
    said = json.loads(event.encoded)
    assert said["user_data"]["client_user_agent"] == text
    assert said["event_id"] == f"id {text}"
