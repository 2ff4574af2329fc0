"""The common case of each cleaning gives what the whole cleaning gives, warnings included."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mapper
from mapper.compiler.parts import Building
from mapper.compiler.shortcuts import Shortcuts
from mapper.destinations import cleaning
from mapper.language.values import Context

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
@example(value="2001:db8::1")
@example(value="2001:db8::1%eth0")
@example(value="3fff:ffff::203.0.113.7")
@example(value="::ffff:10.0.0.1")
@example(value="::1")
@example(value="fd00::1")
@example(value="2001:db8::1 ")
@example(value="2001:db8:::1")
@example(value="2001:0db8:0000:0000:0000:0000:0000:0001:0001")
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


CENTS = """\
version: 1
destination: meta
events:
  Lead:
    parameters:
      event_time: "{{ at }}"
      action_source: website
      event_source_url: https://shop.example/
      event_id: "1"
      user_data: {client_user_agent: "{{ agent }}", em: "{{ email }}"}
      custom_data:
        value: "{{ cents / DIVISOR }}"
        contents:
          for: line in lines
          each:
            id: "{{ line.sku }}"
            quantity: "{{ line.quantity }}"
            item_price: "{{ line.cents / DIVISOR }}"
            title: mug
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[mapper.Program, mapper.Program]]:
    """By divisor: a program as it is, and one whose generated code takes no short way."""
    folder, found = tmp_path_factory.mktemp("cents"), {}
    for divisor in (1, 3, 4, 100, 1000):
        path = folder / f"{divisor}.yaml"
        path.write_text(CENTS.replace("DIVISOR", str(divisor)))
        with pytest.MonkeyPatch.context() as patch:
            short = mapper.load(path)
            patch.setattr(Shortcuts, "visit", lambda self, node: node)
            patch.setattr(Building, "_at_once", lambda self, target, whole, otherwise: [*whole.statements, *otherwise])
            found[divisor] = short, mapper.load(path)
    return found


AMOUNTS = st.one_of(st.integers(-5, 10**17), st.integers(0, 10**7), NUMBERS, st.none(), st.text(max_size=3))
LINES = st.fixed_dictionaries(
    {}, optional={"sku": st.sampled_from(["a", " b ", "", None, 7]), "quantity": AMOUNTS, "cents": AMOUNTS}
)


@settings(max_examples=400, deadline=None)
@given(cents=AMOUNTS, lines=st.lists(LINES, max_size=3), divisor=st.sampled_from([1, 3, 4, 100, 1000]))
@example(cents=10**15 - 1, lines=[{"sku": "a", "quantity": 1, "cents": 999}], divisor=100)
@example(cents=10**13, lines=[{"sku": "a", "quantity": 0, "cents": 0}], divisor=1)
def test_generated_code_may_take_short_ways_but_none_that_changes_anything(
    both: dict[int, tuple[mapper.Program, mapper.Program]], cents: Any, lines: list[dict[str, Any]], divisor: int
) -> None:
    record = {"at": 1_760_433_512, "agent": "A", "email": "a@b.example", "cents": cents, "lines": lines}
    short, long = both[divisor]
    assert short.fingerprint != long.fingerprint
    try:
        line = msgspec.json.encode(record)
    except UnicodeEncodeError:
        return
    assert short.map(line, 1_760_433_512) == long.map(line, 1_760_433_512)
