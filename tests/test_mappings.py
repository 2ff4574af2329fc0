"""The shipped mappings compile without a warning, pass their tests, and have the samples that the generator writes."""

from __future__ import annotations

from pathlib import Path

import pytest

import mapper
from mapper.authoring.specs import run_tests

from . import samples
from .conftest import ROOT

MAPPINGS = sorted((ROOT / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_compiles_without_a_warning(path: Path) -> None:
    assert mapper.load(path).warnings == ()


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_its_tests_pass(path: Path) -> None:
    outcomes = list(run_tests(mapper.load(path)))
    assert len(outcomes) >= 10
    assert [(outcome.name, outcome.differences) for outcome in outcomes if not outcome.passed] == []


@pytest.mark.parametrize(("name", "kind", "seed", "count"), samples.SAMPLES, ids=[one[0] for one in samples.SAMPLES])
def test_samples_are_what_the_generator_writes(name: str, kind: object, seed: int, count: int) -> None:
    written = "".join(f"{line}\n" for line in samples.written(kind, seed, count))  # type: ignore[arg-type]
    assert (ROOT / "mappings" / "samples" / name).read_text(encoding="utf-8") == written


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_projected_and_whole_decoding_give_the_same(path: Path) -> None:
    projected, whole = mapper.load(path), mapper.load(path, full=True)
    assert not projected.compiled.projection.is_full
    assert whole.compiled.projection.is_full
    lines = (ROOT / "mappings" / "samples" / f"{path.stem}.jsonl").read_bytes().splitlines()
    expected = [whole.map(line, samples.RECORDED) for line in lines]
    assert [projected.map(line, samples.RECORDED) for line in lines] == expected
    projected._ignores_most = True
    assert list(projected.map_lines(lines, samples.RECORDED)) == expected


def test_the_waitlist_requires_what_the_setup_page_lists() -> None:
    always = {"event_time", "event_name", "event_source_url", "action_source", "user_data.client_user_agent"}
    person = {"user_data.em", "user_data.fn", "user_data.ln"}
    program = mapper.load(ROOT / "mappings" / "waitlist.yaml")
    required = {event.key: {path for path, _ in event.required} for event in program.spec.events}
    assert required == {
        "ViewContent": always,
        "Lead": always | person | {"event_id", "user_data.client_ip_address"},
        "WaitlistSignupStarted": always | person,
        "WaitlistModalOpened": always | person,
    }


def test_the_shop_makes_every_event_it_is_there_for() -> None:
    program = mapper.load(ROOT / "mappings" / "storefront.yaml")
    lines = (ROOT / "mappings" / "samples" / "storefront.jsonl").read_bytes().splitlines()
    names = {event.name for result in program.map_lines(lines, samples.RECORDED) for event in result.events}
    assert names == {
        "PageView", "ViewContent", "Search", "AddToCart", "InitiateCheckout", "AddPaymentInfo", "Purchase",
        "CompleteRegistration",
    }  # fmt: skip
