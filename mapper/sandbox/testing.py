"""For the tests of applications that send to Meta: a pytest fixture that is Meta, and remembers.

# conftest.py
from mapper.sandbox.testing import conversions_api, conversions_api_server

# test_shop.py
def test_an_order_reaches_meta(conversions_api):
    place_order(capi_url=conversions_api.url, environ=conversions_api.environ)
    purchase = conversions_api.one("Purchase")
    assert purchase.parameters["custom_data"]["value"] == 42.0
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..destinations.destination import Destination
from .records import Stored
from .server import Sandbox, running


class ConversionsApi:
    """What a test sees of the sandbox: where to send to, what arrived, and what to break."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def url(self) -> str:
        """Stands for ``https://graph.facebook.com``."""
        return self._sandbox.url

    @property
    def pixel_id(self) -> str:
        return self._sandbox.pixel_id

    @property
    def token(self) -> str:
        return self._sandbox.token

    @property
    def environ(self) -> dict[str, str]:
        """``META_PIXEL_ID`` and ``META_ACCESS_TOKEN``."""
        return self._sandbox.environ

    def accepted(self, name: str | None = None, **parameters: Any) -> list[Stored]:
        """The events that Meta would have taken, oldest first.

        name        only events of this name
        parameters  only events that have these at the top: ``event_id="order-1"``
        """
        return _fitting(self._sandbox.events(name), parameters)

    def refused(self, name: str | None = None, **parameters: Any) -> list[Stored]:
        """The events that Meta would have refused; ``rule``, ``path`` and ``message`` say why."""
        return _fitting(self._sandbox.refused(name), parameters)

    def one(self, name: str, *, within: float = 0.0, **parameters: Any) -> Stored:
        """The one accepted event that fits.

        within  seconds to wait for it, for an application that sends in the background
        raises  AssertionError that says what arrived instead
        """
        deadline = time.monotonic() + within
        while not (found := self.accepted(name, **parameters)) and time.monotonic() < deadline:
            time.sleep(0.01)
        if len(found) != 1:
            raise AssertionError(self._told(name, len(found)))
        return found[0]

    def inject(self, *faults: str) -> None:
        """Break something: ``"503:times=2"``, ``"throttle-80004:seconds=1,times=1"``, ``"cut-after:times=1"``."""
        self._sandbox.inject(*faults)

    def clear(self) -> None:
        """Forget all events and faults."""
        self._sandbox.clear()

    def _told(self, name: str, count: int) -> str:
        """Why an assertion failed: names, rules and places, no values."""
        lines = [f"{count} accepted events '{name}', expected one"]
        others = sorted({event.name for event in self.accepted()} - {name})
        lines += [f"  accepted were: {', '.join(others)}"] if others else []
        lines += [f"  refused {event.name}: {event.message} at {event.path} [{event.rule}]" for event in self.refused()]
        last = self._sandbox.store.requests[-1:]
        lines += [f"  the last request was answered with {one.status}: {one.message}" for one in last if one.code]
        return "\n".join(lines)


def _fitting(events: list[Stored], parameters: dict[str, Any]) -> list[Stored]:
    if not parameters:
        return events
    return [one for one in events if parameters.items() <= {**one.parameters, "event_id": one.event_id}.items()]


@contextmanager
def conversions_api_running(destination: Destination | None = None, **options: Any) -> Iterator[ConversionsApi]:
    """A sandbox for tests without pytest; takes what ``mapper.sandbox.running`` takes."""
    with running(destination, **options) as sandbox:
        yield ConversionsApi(sandbox)


@pytest.fixture(scope="session")
def conversions_api_server() -> Iterator[ConversionsApi]:
    """One sandbox for the whole session."""
    with conversions_api_running() as api:
        yield api


@pytest.fixture
def conversions_api(conversions_api_server: ConversionsApi) -> ConversionsApi:
    """The session's sandbox, empty and without faults at the start of every test."""
    conversions_api_server.clear()
    return conversions_api_server
