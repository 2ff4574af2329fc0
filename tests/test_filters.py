"""Every filter, function and test does what its examples say; its page in the docs is up to date."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mapper.errors import RecordError
from mapper.language.filters import FILTERS, FUNCTIONS, TESTS, Fails, Filter, reference

from .evaluation import Refused, evaluate

DECLARED = [*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()]
EXAMPLES = [(spec, expression, result) for spec in DECLARED for expression, result in spec.examples]


DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_in_the_docs_is_up_to_date() -> None:
    page = DOCS / "filters.md"
    if os.environ.get("MAPPER_WRITE_DOCS"):
        page.write_text(reference(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference(), "run the tests with MAPPER_WRITE_DOCS=1"


@pytest.mark.parametrize("spec", DECLARED, ids=lambda spec: spec.name)
def test_each_is_described_and_tried(spec: Filter) -> None:
    assert spec.doc.endswith((".", "`.", "months."))
    assert spec.examples or spec.name in ("lookup", "now")


@pytest.mark.parametrize(("spec", "expression", "result"), EXAMPLES, ids=[case[1] for case in EXAMPLES])
def test_example(spec: Filter, expression: str, result: Any) -> None:
    if isinstance(result, Fails):
        with pytest.raises((RecordError, Refused)) as caught:
            evaluate(expression, bare=True)
        error = caught.value
        codes = [error.code] if isinstance(error, RecordError) else [p.code for p in error.problems]
        assert codes == [result.code]
    else:
        found = evaluate(expression, bare=True)
        assert found == result
        assert type(found) is type(result)


@pytest.mark.parametrize(
    ("forwarded", "remote", "cookie", "taken"),
    [
        ("2001:db8::2", None, "2001:db8::1", "2001:db8::1"),
        ("2001:db8::2", None, "203.0.113.7", "2001:db8::2"),
        ("203.0.113.8", None, "203.0.113.7.AQ", "203.0.113.7"),
        ("203.0.113.8", None, "192.168.1.1", "203.0.113.8"),
        ("203.0.113.8", "203.0.113.9", None, "203.0.113.8"),
        ("10.0.0.1, 203.0.113.8", "203.0.113.9", None, None),
        ("  ", "203.0.113.9", "\t", "203.0.113.9"),
        (None, "fe80::1", "203.0.113.7.AQYBAQAA.AQYBAQAA", "203.0.113.7"),
        ("[2001:db8::2]:443", None, None, "2001:db8::2"),
        ("unknown", "203.0.113.9", "203.0.113.7.XX", None),
        ("::ffff:10.0.0.1", None, None, None),
        ("a" * 1000, None, "nobody", None),
    ],
)
def test_whose_address_is_taken(
    forwarded: str | None, remote: str | None, cookie: str | None, taken: str | None
) -> None:
    assert FUNCTIONS["client_ip"].function(forwarded, remote, cookie) == taken
