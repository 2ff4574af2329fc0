"""What the compiler builds on: scopes, loops, tables, constants, paths, and places in the file."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from mapper.compiler.projection import PathNode, walk_paths
from mapper.errors import Problem, RecordError, Span
from mapper.language.expression import (
    MISSING,
    Access,
    Lowering,
    Scope,
    Table,
    Value,
    parse_bare,
    parse_loop,
    parse_text,
    runtime_tables,
)

from .evaluation import Compiled, Refused, at, evaluate

TABLES: dict[str, Any] = {
    "names": {"order.paid": "Purchase", "5": "five", "true": "yes"},
    "codes": Table("codes", {"Ada ": 1, "KING": 2}, default=0, ignore_case=True),
}


def lowered(source: str, scope: Scope | None = None) -> Value:
    problems: list[Problem] = []
    parsed = parse_text(source, at, problems)
    assert parsed is not None
    value = Lowering(scope or Scope(PathNode()), at, {}, problems, [source]).text(parsed)
    assert problems == []
    return value


@pytest.mark.parametrize(
    ("source", "record", "result"),
    [
        ("type | lookup('names')", {"type": "order.paid"}, "Purchase"),
        ("type | lookup('names')", {"type": "order.lost"}, None),
        ("type | lookup('names')", {}, None),
        ("type | lookup('names')", {"type": 5}, "five"),
        ("type | lookup('names')", {"type": True}, "yes"),
        ("type | lookup(table='names')", {"type": "order.paid"}, "Purchase"),
        ("name | lookup('codes')", {"name": " ada"}, 1),
        ("name | lookup('codes')", {"name": "king"}, 2),
        ("name | lookup('codes')", {"name": "?"}, 0),
        ("name | lookup('codes')", {}, None),
    ],
)
def test_lookup(source: str, record: Any, result: Any) -> None:
    assert evaluate(source, record, bare=True, tables=TABLES) == result


def test_tables_have_names_of_ours() -> None:
    tables = {"a b": Table("a b", {}), "__class__": Table("__class__", {})}
    assert list(runtime_tables(tables)) == ["d_0", "d_1"]


@pytest.mark.parametrize(
    ("source", "const"),
    [
        ("website", "website"),
        ("", ""),
        ("{{ 'x' }}", "x"),
        ("{{ 5 }}", 5),
        ("{{ -5 }}", -5),
        ("{{ true }}", True),
        ("{{ ['a', 1] }}", ["a", 1]),
        ("a{{ 'b' }}{{ 1 }}", "ab1"),
        ("{{ 'a' ~ 'b' }}", "ab"),
        ("{{ a }}", MISSING),
        ("{{ 1 + 1 }}", MISSING),
    ],
)
def test_what_is_written_out_is_known(source: str, const: Any) -> None:
    assert lowered(source).const == const


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("{{ a.b.c }}", {"a.b.c"}),
        ("{{ a.b[0].c }}", {"a.b.c"}),
        ("{{ record['Order ID'] }}", {"record['Order ID']"}),
        ("{{ record }}", {"record"}),
        ("{{ coalesce(a, b).c }}", {"a.c", "b.c"}),
        ("{{ a if b else c | default(d) }}", {"a", "b", "c", "d"}),
        ("{{ a }} {{ b | replace(c, 'x') }}", {"a", "b", "c"}),
        ("{{ [a, {'k': b}] }}", {"a", "b"}),
        ("{{ a < b < c }}", {"a", "b", "c"}),
        ("{{ a[b] }}", {"a", "b"}),
        ("{{ (a | parse_json).b }}", {"a"}),
        ("plain", set()),
    ],
)
def test_paths(source: str, paths: set[str]) -> None:
    assert lowered(source).paths == paths


def test_bound_names_hide_keys_and_carry_their_origins() -> None:
    root = PathNode()
    scope = Scope(root)
    scope = scope.bind("buyer", "x_1", lowered("{{ coalesce(customer, guest) }}", scope))
    value = lowered("{{ buyer.email }}", scope)
    assert isinstance(value.ast, Access)
    assert isinstance(value.ast.value, ast.Name)
    assert value.ast.value.id == "x_1"
    assert {origin.label for origin in value.origins} == {"customer.email", "guest.email"}
    assert value.paths == {"customer.email", "guest.email"}


def test_loop_variables_step_into_members() -> None:
    root = PathNode()
    problems: list[Problem] = []
    parsed = parse_loop("item in order.lines", at, problems)
    assert parsed is not None
    name, expression = parsed
    members = Lowering(Scope(root), at, {}, problems).lower(expression)
    inner = Scope(root).bind(name, "x_2", members.element())
    assert name == "item"
    assert lowered("{{ item.sku }}", inner).paths == {"order.lines.sku"}
    lowered("{{ item }}", inner)
    assert list(walk_paths(root)) == [("order",), ("order", "lines"), ("order", "lines", "sku")]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("item", "loop"),
        ("in lines", "loop"),
        ("item of lines", "loop"),
        ("item, i in lines", "loop"),
        ("record in lines", "loop"),
        ("not in lines", "loop"),
        ("item in", "syntax"),
        ("{{ item in lines }}", "braces"),
        ("item in {{ lines }}", "syntax"),
        ("'a' in lines", "loop"),
        ("", "loop"),
    ],
)
def test_loops_that_cannot_be_read(source: str, code: str) -> None:
    problems: list[Problem] = []
    assert parse_loop(source, at, problems) is None
    assert [problem.code for problem in problems] == [code]


def test_all_problems_of_a_text_are_found_at_once() -> None:
    with pytest.raises(Refused) as refused:
        evaluate("{{ a | lowr }} {{ len(b) }} {{ c.get('d') }}")
    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["unknown-filter", "unknown-function", "method-call"]


def test_only_what_is_looked_at_as_a_whole_is_decoded_whole() -> None:
    for source, whole in [
        ("{{ order.id }}", []),
        ("{{ order.lines[0].sku }}", []),
        ("{{ (order.lines | first).sku }}", []),
        ("{{ order | tojson }}", ["order"]),
        ("{{ order.lines | length }}", ["order.lines"]),
        ("{{ order[key] }}", ["key", "order"]),
        ("{{ order.lines[-1].sku }}", ["order.lines"]),
        ("{{ [order] }}", ["order"]),
        ("{{ order ~ '' }}", ["order"]),
        ("{{ order == other }}", ["order", "other"]),
        ("{{ (parts or {'a': 1}).b }}", ["parts"]),
    ]:
        root = PathNode()
        lowered(source, Scope(root, retries=True))
        assert sorted(node.label for node in nodes(root) if node.is_whole) == whole, source


def nodes(node: PathNode) -> Iterator[PathNode]:
    yield node
    for child in node.children.values():
        yield from nodes(child)


def test_emptiness_decodes_whole_unless_the_caller_retries() -> None:
    for retries, whole in ((False, ["customer"]), (True, [])):
        root = PathNode()
        lowered("{{ coalesce(customer, guest).email }}", Scope(root, retries=retries))
        assert [node.label for node in nodes(root) if node.is_whole] == whole


def test_every_node_points_at_its_characters() -> None:
    source = "ä {{ first ~ (n / zero) }}"
    compiled = Compiled(source)
    with pytest.raises(RecordError) as failed:
        compiled({"first": "Ada", "n": 1, "zero": 0})
    frames = [frame for frame in traceback.extract_tb(failed.value.__traceback__) if frame.filename == "test.yaml"]
    frame = frames[-1]
    line = source.encode()
    assert line[frame.colno : frame.end_colno].decode() == "n / zero"


def test_places_follow_the_locator() -> None:
    def elsewhere(start: int, end: int) -> Span:
        return Span("mapping.yaml", 7, 20 + start, 20 + end)

    problems: list[Problem] = []
    text = parse_text("{{ a | lowr }}", elsewhere, problems)
    assert text is not None
    Lowering(Scope(PathNode()), elsewhere, {}, problems).text(text)
    assert [str(problem.span) for problem in problems] == ["mapping.yaml:7:27"]
    assert problems[0].span.end == 31


def test_conditions_are_true_or_false() -> None:
    problems: list[Problem] = []
    for source in ("a", "a or b", "a and not b", "a == 'x' or b > 1", "1", "a | length", "a if b else c"):
        parsed = parse_bare(source, at, problems)
        assert parsed is not None
        tree = Lowering(Scope(PathNode()), at, {}, problems).condition(parsed)
        called = isinstance(tree, ast.Call) and ast.dump(tree.func) == ast.dump(ast.Name("v_truth", ast.Load()))
        assert called or isinstance(tree, ast.BoolOp | ast.Constant), source
    assert problems == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("(" * 60 + "a" + ")" * 60, "limit"),
        ("-" * 400 + "a", "limit"),
        ("not " * 400 + "a", "limit"),
        ("a" + ".b" * 400, "limit"),
        ("a" + "[0]" * 400, "limit"),
        ("a" + " + a" * 1200, "limit"),
        ("a" + " | lower" * 400, "limit"),
        (" if a else ".join(["a"] * 400), "limit"),
        ("[" + ", ".join(["1"] * 2500) + "]", "limit"),
        ("a" * 9000, "limit"),
        ("1" * 400, "limit"),
        ("0x" + "f" * 298, "limit"),
        ("1e999", "limit"),
    ],
    ids=lambda text: text[:20],
)
def test_size_of_an_expression_is_bounded(source: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        Compiled(source, bare=True)
    assert [problem.code for problem in refused.value.problems] == [code]
