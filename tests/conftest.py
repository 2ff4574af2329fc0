"""What the tests share: the repository's folders, a sandbox that is up, and mappings written in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mapper
from mapper.sandbox import Sandbox, running

ROOT = Path(__file__).parent.parent

NOW = 1_772_366_400.0
"""2026-03-01T12:00:00Z, the clock of most tests."""

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


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that stays up for the whole session."""
    with running() as up:
        yield up


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., mapper.Program]:
    """Compile a mapping from its text."""

    def compile_text(text: str = SMALL, name: str = "m.yaml") -> mapper.Program:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return mapper.load(path)

    return compile_text
