"""What becomes of every kind of value on its way to Meta: tables of known answers, and properties of all the others."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.destinations.cleaning import CODES
from mapper.destinations.destination import Field, load_destination
from mapper.documents import document
from mapper.language.values import Context

SPECS = Path(__file__).parent / "specs" / "cleaning"
META = load_destination("meta")
NOW = 1_760_433_600.0
HASH = "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PEOPLE = ["em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country", "external_id"]


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document.read(SPECS / f"{name}.yaml").value
    return found


def tables(name: str) -> list[Any]:
    return [
        pytest.param(parameter, case, id=f"{parameter}: {case['value']!r}")
        for parameter, cases in read(name)["parameters"].items()
        for case in cases
    ]


def spelled(value: Any) -> Any:
    """`$hash` and its like as what they stand for."""
    if isinstance(value, str):
        return value.replace("$hash", HASH).replace("$HASH", HASH.upper()).replace("$nothing", NOTHING)
    return value


def cleaned(field: Field, value: Any, options: dict[str, Any], companion: Any = None) -> tuple[Any, list[str]]:
    """What is sent for a value, and the codes of the warnings; tried twice, for the second time is remembered."""
    prepare = field.preparer(options)
    for _ in range(2):
        context = Context(NOW)
        sent = prepare(value, context, companion)
    assert all(path == field.path for _, path in context.warnings)
    return sent, [code for code, _ in context.warnings]


def hashes(texts: str | list[str]) -> list[str]:
    return [sha256(text.encode()).hexdigest() for text in ([texts] if isinstance(texts, str) else texts)]


@pytest.mark.parametrize(("parameter", "case"), tables("people"))
def test_people_are_cleaned_and_hashed(parameter: str, case: dict[str, Any]) -> None:
    companion = next(iter(case.get("with", {}).values()), None)
    sent, codes = cleaned(META.fields[f"user_data.{parameter}"], case["value"], case.get("options", {}), companion)
    assert sent == (hashes(case["as"]) if "as" in case else None)
    assert codes == ([case["code"]] if "code" in case else [])
    assert set(codes) <= CODES.keys()


@pytest.mark.parametrize("case", read("hashed")["cases"], ids=lambda case: f"{case['parameter']}: {case['value']}")
def test_what_was_hashed_before_is_recognised(case: dict[str, Any]) -> None:
    field = META.fields[f"user_data.{case['parameter']}"]
    sent, codes = cleaned(field, spelled(case["value"]), case.get("options", {}))
    expected = (
        hashes(spelled(case["hashes"])) if "hashes" in case else [spelled(case["sent"])] if "sent" in case else None
    )
    assert sent == expected
    assert codes == ([case["code"]] if "code" in case else [])


@pytest.mark.parametrize(("parameter", "case"), tables("plain"))
def test_what_is_never_hashed_is_checked(parameter: str, case: dict[str, Any]) -> None:
    sent, codes = cleaned(META.fields[parameter], spelled(case["value"]), {})
    assert sent == case.get("sent")
    assert type(sent) is type(case.get("sent"))
    assert codes == ([case["code"]] if case.get("code") else [])


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(ANY, st.sampled_from(sorted(path for path, field in META.fields.items() if field.is_leaf)), ANY)
def test_no_value_raises(value: Any, path: str, companion: Any) -> None:
    sent, codes = cleaned(META.fields[path], value, {}, companion)
    assert sent not in ("", [], {})
    assert set(codes) <= CODES.keys()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from(PEOPLE))
def test_a_hash_is_not_hashed_again(text: str, name: str) -> None:
    field = META.fields[f"user_data.{name}"]
    once, _ = cleaned(field, text, {})
    if once is not None:
        assert len(once) == 1
        assert len(once[0]) == 64
        assert once[0] != NOTHING
        assert cleaned(field, once, {}) == (once, [])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=12) | st.none(), max_size=5), st.sampled_from(PEOPLE))
def test_several_values_are_those_of_each_without_copies(values: list[Any], name: str) -> None:
    field = META.fields[f"user_data.{name}"]
    each = [sent for value in values for sent in cleaned(field, value, {})[0] or []]
    assert (cleaned(field, values, {})[0] or []) == list(dict.fromkeys(each))
