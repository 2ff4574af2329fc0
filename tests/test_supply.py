"""What the package depends on: few packages, and none in a version with a weakness that is known and mended."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires, version

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from .conftest import ROOT

DECLARED: dict[str, Requirement] = {
    found.name: found
    for group in (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"],
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["sandbox"],
    )
    for found in map(Requirement, group)
}

MENDED = {
    "certifi": ("2024.7.4", "CVE-2024-39689: an authority that is not trusted any more"),
    "idna": ("3.7", "CVE-2024-3651: a host name that takes for ever"),
    "jinja2": ("3.1.6", "CVE-2025-27516: a way out of the sandbox; we only use the parser"),
    "python-multipart": (
        "0.0.22",
        "CVE-2024-53981, CVE-2026-24486: a body without end, a file elsewhere",
    ),
    "pyyaml": ("6.0.1", "CVE-2020-14343: code in a file, and wheels that can be built"),
    "starlette": ("0.49.1", "CVE-2025-54121, CVE-2025-62727: a body, a range that take for ever"),
}
"""Since which version a weakness is mended that we know of."""


@pytest.mark.parametrize("name", MENDED)
def test_nothing_older_is_taken_than_what_is_mended(name: str) -> None:
    mended, why = MENDED[name]
    lowest = next(Version(one.version) for one in DECLARED[name].specifier if one.operator == ">=")
    assert lowest >= Version(mended), why
    assert Version(version(name)) >= lowest


def test_the_parser_of_answers_takes_no_bad_chunks() -> None:
    """CVE-2025-43859: h11 before 0.16 took what is no chunk for one. We name httpcore, which names h11."""
    assert not DECLARED["httpcore"].specifier.contains("1.0.8")
    [wanted] = [one for one in map(Requirement, requires("httpcore") or []) if one.name == "h11" and not one.marker]
    assert not wanted.specifier.contains("0.15.0")


def test_nothing_unpacks_or_reads_answers_but_what_is_needed() -> None:
    """Each extra of the HTTP client brings a parser or an unpacker for what a stranger sends."""
    assert not [found for found in DECLARED.values() if found.extras]
    assert len(DECLARED) <= 17
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in DECLARED)


def test_what_cannot_be_decoded_is_a_value_error() -> None:
    """As it is from msgspec 0.21 on: what catches the one catches the other, and is written so everywhere."""
    assert not DECLARED["msgspec"].specifier.contains("0.20.0")
    assert issubclass(msgspec.DecodeError, ValueError)
