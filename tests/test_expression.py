"""The expression language, by tables: names, operators, comparisons, texts, habits, ways out, and bounds."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.compiler.projection import PathNode
from mapper.documents.document import load, read
from mapper.errors import Problem, RecordError
from mapper.language.expression import CODES, RECORD_CODES, RUNTIME, Lowering, Scope, parse_bare, parse_loop, parse_text
from mapper.language.filters import FILTERS, FUNCTIONS, TESTS
from mapper.language.values import Undecided, pruned

from .evaluation import Compiled, Refused, at, evaluate, outcome
from .grammar import ASKED, CALLS, KEYS, LITERALS, OPERATORS, PATHS, SHAPES, TEXTS

SPECS = Path(__file__).parent / "specs" / "expressions"


def cases(*names: str) -> list[Any]:
    found = []
    for name in names:
        spec = read(SPECS / f"{name}.yaml").value
        for case in spec["cases"]:
            title = case.get("expression", case.get("text"))
            found.append(pytest.param({"record": spec.get("record", {}), **case}, id=f"{name}: {title}"))
    return found


def run(case: dict[str, Any]) -> Any:
    if "text" in case:
        return evaluate(case["text"], case["record"])
    return evaluate(case["expression"], case["record"], bare=True)


@pytest.mark.parametrize("case", cases("names", "operators", "comparisons", "texts", "habits", "bounds"))
def test_spec(case: dict[str, Any]) -> None:
    check(case)


def check(case: dict[str, Any]) -> None:
    if "problem" in case:
        with pytest.raises(Refused) as refused:
            run(case)
        check_problem(case, refused.value.problems)
    elif "error" in case:
        with pytest.raises(RecordError) as failed:
            run(case)
        assert failed.value.code == case["error"]
        assert case["error"] in RECORD_CODES
    elif "length" in case:
        assert len(run(case)) == case["length"]
    else:
        found = run(case)
        assert found == case["result"]
        assert type(found) is type(case["result"])


def check_problem(case: dict[str, Any], problems: list[Problem]) -> None:
    first = problems[0]
    source = case.get("text", case.get("expression"))
    assert first.code == case["problem"]
    assert first.code in CODES
    if "at" in case:
        assert source[first.span.column - 1 : first.span.end - 1] == case["at"]
    assert case.get("hint") or "" in first.hint


def documented() -> list[Any]:
    """Every example of the page about expressions: in braces it is a text, else a bare expression."""
    found = []
    for page in ("expressions.md", "coming-from.md"):
        text = (SPECS.parents[2] / "docs" / page).read_text(encoding="utf-8")
        for block in re.findall(r"^```yaml expressions\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for example in load(block, f"docs/{page}").value:
                key = "text" if example["expression"].startswith("{") or "{{" in example["expression"] else "expression"
                found.append({"record": {}, **example, key: example["expression"]})
    return found


@pytest.mark.parametrize("case", documented(), ids=lambda case: case["expression"])
def test_documented_example(case: dict[str, Any]) -> None:
    check(case)


@pytest.mark.parametrize("source", read(SPECS / "security.yaml").value["cases"])
def test_ways_out_are_refused_or_empty(source: str) -> None:
    for bare in (True, False):
        text = source if bare else f"{{{{ {source} }}}}"
        try:
            found = evaluate(text, {"a": 1}, bare=bare, tables={"t": {}})
        except (Refused, RecordError):
            continue
        assert pruned(found) in (None, False)


ALLOWED = {*RUNTIME, "r", "ctx", "p_field", "p_item", "type"}
OURS = re.compile(r"(?:[xydtn]_?|[SE])[0-9]+")


def assert_closed(tree: ast.AST) -> None:
    """Generated code reads attributes ``k<n>`` and names of ours, and has no other way to reach anything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert re.fullmatch("k[0-9]+", node.attr)
        elif isinstance(node, ast.Name):
            assert node.id in ALLOWED or OURS.fullmatch(node.id), node.id
        elif isinstance(node, ast.keyword):
            assert node.arg in PARAMETERS
        elif isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
        elif isinstance(node, ast.Constant):
            assert node.value is None or type(node.value) in (bool, int, float, str)
        else:
            assert not isinstance(node, FORBIDDEN), ast.dump(node)


PARAMETERS = {
    parameter.name
    for registry in (FILTERS, FUNCTIONS, TESTS)
    for spec in registry.values()
    for parameter in spec.parameters
}
FORBIDDEN = (ast.Lambda, ast.comprehension, ast.Import, ast.ImportFrom, ast.Subscript, ast.Starred, ast.Await)

scalars = st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats(-1e6, 1e6) | st.sampled_from(TEXTS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions of smaller ones: the shapes of the grammar, filled."""
    words = {"operator": st.sampled_from(OPERATORS), "call": st.sampled_from(CALLS), "test": st.sampled_from(ASKED)}
    return st.one_of([st.builds(shape.format, *[inner] * shape.count("{}"), **words) for shape in SHAPES])


expressions = st.recursive(st.sampled_from(PATHS + LITERALS), grown, max_leaves=8)


@settings(max_examples=400, deadline=None)
@given(expressions, st.lists(records, min_size=1, max_size=3))
def test_every_expression_gives_the_same_from_projected_and_full_decoding(source: str, found: list[Any]) -> None:
    try:
        projected = Compiled(source, bare=True, tables={"t": {"x": 1}})
    except Refused:
        return
    full = Compiled(source, bare=True, tables={"t": {"x": 1}}, full=True)
    assert_closed(projected.tree)
    for record in found:
        agree(projected, full, record)


def agree(projected: Compiled, full: Compiled, record: Any) -> None:
    second = outcome(full, record)
    try:
        first = outcome(projected, record)
    except Undecided:
        return
    if isinstance(first, RecordError):
        assert isinstance(second, RecordError)
        assert first.code == second.code
        assert first.code in RECORD_CODES
    elif first != "an object":
        assert repr(first) == repr(second)


pieces = st.sampled_from(
    ["{{", "}}", "{%", "{#", "'", '"', "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "=", "==", "!", "&", "~", "-",
     "**", "//", "\\", "\n", " ", "a", "b.c", "1", "2.5", "0x", "is", "not", "in", "if", "else", "and", "or", "lower",
     "default(1)", "é", "٣", "\r", "\x00", "\u2028", "startswith", "for", "1_0", "1e5", "#", "$", "is not", "none", "`"]
)  # fmt: skip
nonsense = (
    st.lists(pieces, max_size=25).map("".join) | st.lists(pieces, max_size=12).map(" ".join) | st.text(max_size=30)
)


@settings(max_examples=600, deadline=None)
@given(nonsense)
def test_no_text_is_more_than_refused(source: str) -> None:
    scope = Scope(PathNode())
    for parse in (parse_text, parse_bare, parse_loop):
        problems: list[Problem] = []
        parsed = parse(source, at, problems)  # type: ignore[operator]
        lowering = Lowering(scope, at, {}, problems, source.split("\n"))
        if parsed is not None:
            if parse is parse_text:
                lowering.text(parsed)
            else:
                lowering.condition(parsed[1] if parse is parse_loop else parsed)
        for problem in problems:
            assert problem.code in CODES
            assert 1 <= problem.span.column < problem.span.end <= max(len(source), 1) + 2
            assert problem.message


def test_many_pairs_at_random() -> None:
    """A few of what ``python -m tests.fuzz`` tries."""
    from .fuzz import pairs

    compiled, _ = pairs(5_000, seed=7)
    assert compiled > 200
