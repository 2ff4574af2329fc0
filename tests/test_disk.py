"""Disks that fail, run full, or lose the power: a part of ``python -m tests.faults --disk`` and ``--power-cuts``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .faults import disk
from .faults.failing import every_failure
from .faults.power import power_cuts

pytestmark = pytest.mark.needs("cc" if sys.platform == "linux" else "linux")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[disk.Runner]:
    with disk.running(tmp_path_factory.mktemp("disk")) as up:
        yield up


def test_the_power_may_go_at_any_moment(runner: disk.Runner, tmp_path: Path) -> None:
    told = list(power_cuts(runner, tmp_path, 12, is_calm=True))
    assert sum(story.cuts for story in told) == 12
    assert [(story.kind, story.wrong) for story in told if story.wrong] == []


@pytest.mark.parametrize("mutant", disk.MUTANTS)
def test_a_client_that_only_a_power_cut_shows_to_be_wrong_is_caught(
    mutant: str, runner: disk.Runner, tmp_path: Path
) -> None:
    kind = "pipe-that-is-gone" if mutant == "kept-unsynced" else "file"
    told = power_cuts(runner, tmp_path, 80, is_calm=True, mutant=mutant, kinds=[kind])
    assert any(story.wrong for story in told), "nobody noticed"


def test_a_disk_may_fail_or_run_full(runner: disk.Runner, tmp_path: Path) -> None:
    found = list(every_failure(runner, tmp_path, stride=211))
    assert len(found) > 8
    assert [one for one in found if one[2]] == []
