"""What is empty, true, equal, ordered; arithmetic and text; all of it bounded, for any values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.documents.document import read
from mapper.errors import RecordError
from mapper.language import values
from mapper.language.values import Context, Undecided

SPECS = Path(__file__).parent / "specs" / "values"


def cases(name: str) -> list[Any]:
    found: list[Any] = read(SPECS / f"{name}.yaml").value["cases"]
    return found


@pytest.mark.parametrize("case", cases("text"), ids=lambda case: repr(case["value"]))
def test_text(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(RecordError) as failed:
            values.piece(case["value"])
        assert failed.value.code == case["error"]
    else:
        assert values.piece(case["value"]) == case["text"]


@pytest.mark.parametrize("case", cases("empty"), ids=lambda case: repr(case["value"]))
def test_empty_and_true(case: dict[str, Any]) -> None:
    value = case["value"]
    assert values.is_empty(value) is case["empty"]
    assert values.is_void(value) is case["empty"]
    assert values.truth(value) is case["truth"]
    assert values.holds(value) is case["truth"]


@pytest.mark.parametrize("case", cases("pruned"), ids=lambda case: repr(case["value"]))
def test_pruned(case: dict[str, Any]) -> None:
    assert values.pruned(case["value"]) == case["pruned"]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1e22, "10000000000000000000000"),
        (1e-7, "0.0000001"),
        (2**70, str(2**70)),
        (1e15, "1000000000000000"),
        (-0.0, "0"),
    ],
)
def test_numbers_are_written_without_an_exponent(number: float, written: str) -> None:
    assert values.text(number) == written


def test_loops_count_their_steps() -> None:
    context = Context(0.0)
    assert values.each(None, context) == []
    assert values.each(" ", context) == []
    assert values.each({"a": 1}, context) == [{"a": 1}]
    assert values.each([1, None], context) == [1, None]
    assert context.steps == 3
    with pytest.raises(RecordError, match="10,000"):
        values.each([0] * values.MAX_STEPS, context)
    context.warn("unusable", "user_data.em")
    assert context.warnings == [("unusable", "user_data.em")]
    context.reset()
    assert (context.steps, context.warnings) == (0, [])


class Partly(msgspec.Struct):
    k0: Any = None


def test_a_partly_decoded_object_may_be_undecided() -> None:
    assert values.is_void(Partly(1)) is False
    assert values.holds(Partly(1)) is True
    assert values.visited(Partly(1), Context(0.0)) == [Partly(1)]
    for ask in (values.is_void, values.holds, lambda value: values.visited(value, Context(0.0))):
        with pytest.raises(Undecided):
            ask(Partly())  # type: ignore[operator]


def test_messages_name_kinds_not_values() -> None:
    with pytest.raises(RecordError) as failed:
        values.gt("jane@example.com", 5)
    assert "jane" not in str(failed.value)
    assert failed.value.code == "wrong-type"
    assert "text cannot be compared with a number" in failed.value.message


def test_deep_values_are_refused() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    for act in (values.pruned, lambda value: values.eq(value, deep[:])):
        with pytest.raises(RecordError) as failed:
            act(deep)
        assert failed.value.code == "limit"


scalars = (
    st.none() | st.booleans() | st.integers(-(2**1100), 2**1100) | st.integers(-9, 9) | st.floats(allow_nan=False)
    | st.sampled_from(["", " ", "a", "b", "5"])
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
BINARY = (
    values.add, values.sub, values.mul, values.repeat, values.div, values.floordiv, values.mod, values.power,
    values.gt, values.ge, values.lt, values.le, values.eq, values.ne, values.contains, values.step,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(anything, anything)
def test_operators_give_a_value_or_a_record_error(a: Any, b: Any) -> None:
    for operate in BINARY:
        try:
            result = operate(a, b)
        except RecordError as error:
            assert error.code in ("limit", "wrong-type", "division-by-zero")  # noqa: PT017
            continue
        if type(result) is float and type(a) is not float and operate is not values.step:
            assert math.isfinite(result)
        if values.is_empty(a) or values.is_empty(b):
            assert result is None or type(result) is bool or operate is values.step
    assert values.eq(a, a)
    assert values.eq(a, b) is values.eq(b, a)
    assert values.eq(a, b) is not values.ne(a, b)
