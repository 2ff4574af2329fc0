"""Every filter, function and test does what its examples say; its page in the docs is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mapper.errors import RecordError
from mapper.filters import FILTERS, FUNCTIONS, TESTS, Fails, Filter, reference

from .evaluation import Refused, evaluate

DECLARED = [*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()]
EXAMPLES = [(spec, expression, result) for spec in DECLARED for expression, result in spec.examples]


DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_in_the_docs_is_up_to_date() -> None:
    """Make it anew with ``mapper.filters.reference()``."""
    assert (DOCS / "filters.md").read_text(encoding="utf-8") == reference()


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
