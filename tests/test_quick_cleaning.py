"""The common case of each cleaning gives what the whole cleaning gives, warnings included."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapper import cleaning
from mapper.values import Context

TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=" \t\n\x1c\x85\xa0+()0123456789-./", max_size=36),
    st.text(alphabet="aZK@.-_:+1é \u212a\n", max_size=30),
    st.from_regex(r"[A-Za-z0-9._+-]{1,8}@[A-Za-z0-9.-]{1,12}", fullmatch=True),
    st.from_regex(r"\s?https?://[a-zA-Z0-9.:-]{0,8}[/?#]?[ -~é]{0,8}\s?", fullmatch=True),
    st.from_regex(r"fb\.[0-9]{1,3}\.[0-9]{1,4}\.[a-z.A]{0,6}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True),
    st.from_regex(r"[0-9a-fA-F]{31,32}|[0-9a-fA-F]{63,65}", fullmatch=True),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.integers(0, 10**15).map(lambda cents: cents / 100),
    st.integers(0, 10**8).map(lambda tenths: tenths / 10_000),
    st.floats(0, 1e15),
)
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.lists(TEXTS, max_size=2), st.just({}))

PARAMETERS = {
    "email": ("text", {"clean": "email", "hash": "sha256", "many": True}),
    "phone": ("text", {"clean": "phone", "hash": "sha256", "many": True}),
    "external_id": ("text", {"clean": "external_id", "hash": "sha256", "many": True}),
    "one e-mail": ("text", {"clean": "email", "hash": "sha256"}),
    "ip_address": ("text", {"clean": "ip_address"}),
    "web_url": ("text", {"clean": "web_url"}),
    "fbp": ("text", {"clean": "fbp"}),
    "amount": ("number", {"clean": "amount", "min": 0}),
    "number": ("number", {"min": 0}),
    "any number": ("number", {}),
    "from ten": ("number", {"min": 10}),
    "integer": ("integer", {"min": 0}),
    "time": ("time", {}),
}


@pytest.mark.parametrize("name", PARAMETERS)
@settings(max_examples=120, deadline=None)
@given(value=VALUES)
@example(value="+1 ( 0 ) 2 345 6789")
@example(value="+44 (\t0) 20 7946 0018")
@example(value="+44 (0)20 7946 0018")
@example(value="172.32.0.1")
@example(value="203.0.113.7\0")
@example(value="https://shop.example/a\n")
@example(value=0.1 + 0.2)
@example(value=1.005)
@example(value=-0.0)
@example(value=5e-324)
@example(value=2**63)
def test_quick_and_whole_are_one(name: str, value: Any) -> None:
    kind, said = PARAMETERS[name]
    declared = cleaning.declare(kind, said)
    whole = cleaning.prepare(declared, {}, "p")
    both = [(whole, Context(1e9, 3)), (cleaning.shortened(declared, {}, whole), Context(1e9, 3))]
    made = [(repr(prepare(value, context)), context.warnings) for prepare, context in both]
    assert made[0] == made[1]


def test_an_option_leaves_the_whole_cleaning() -> None:
    declared = cleaning.declare("text", PARAMETERS["email"][1])
    options = {"prehashed": True}
    whole = cleaning.prepare(declared, options, "p")
    assert cleaning.shortened(declared, options, whole) is whole
