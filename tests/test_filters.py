"""Every filter, function and test does what its examples say; its page in the docs is up to date."""

from __future__ import annotations

from typing import Any

import pytest

from mapper.errors import RecordError
from mapper.filters import FILTERS, FUNCTIONS, TESTS, Fails, Filter

from .evaluation import Refused, evaluate

DECLARED = [*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()]
EXAMPLES = [(spec, expression, result) for spec in DECLARED for expression, result in spec.examples]


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
