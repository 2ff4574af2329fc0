"""What the tests share: the repository's folders, a sandbox that is up, and mappings written in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import mapper
from mapper.sandbox import Sandbox, running

from .answering import NOW, Answering

__all__ = ["NOW", "ROOT", "SMALL"]

ROOT = Path(__file__).parent.parent

SMALL = """\
version: 1
destination: meta
events:
  Lead:
    when: type == 'lead'
    required: [user_data.em]
    parameters:
      event_time: "{{ at }}"
      event_id: "{{ id }}"
      action_source: website
      event_source_url: "{{ url }}"
      user_data:
        em: "{{ email }}"
        client_user_agent: "{{ agent }}"
        client_ip_address: "{{ ip }}"
"""


LEFT_OUT = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): takes a program beside Python, under one of these names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes a program that this machine lacks, and say so; with MAPPER_REQUIRE_PROGRAMS nothing is."""
    config.stash[LEFT_OUT] = lacking = dict[str, int]()
    if os.environ.get("MAPPER_REQUIRE_PROGRAMS"):
        return
    left: list[pytest.Item] = []
    for item in items:
        mark = item.get_closest_marker("needs")
        if mark is not None and not any(map(shutil.which, mark.args)):
            lacking[mark.args[0]] = lacking.get(mark.args[0], 0) + 1
            left.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for program, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"{count} tests were left out: they take {program}, which is not here", yellow=True)


@pytest.fixture(scope="session", autouse=True)
def _no_sandbox_of_somebody_else(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """``--to sandbox`` of a test does not send to one that stands on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that stays up for the whole session."""
    with running() as up:
        yield up


@pytest.fixture(scope="module")
def standing() -> Iterator[Sandbox]:
    """A sandbox of the file's own, whose clock stands still at NOW."""
    with running(clock=lambda: NOW) as up:
        yield up


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of the file's own."""
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., mapper.Program]:
    """Compile a mapping from its text."""

    def compile_text(text: str = SMALL, name: str = "m.yaml") -> mapper.Program:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return mapper.load(path)

    return compile_text


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    """Start servers that answer as they are told."""
    servers: list[Answering] = []

    def start(answer: Callable[[list[dict[str, Any]]], tuple[int, Any]]) -> Answering:
        servers.append(Answering(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
