"""Which values of the record an expression passes on, as opposed to those that it only looks at.

``'known' if email is defined else 'guest'`` reads the e-mail address and says nothing of it; ``email | lower`` passes
it on. Only what is passed on can give personal data away.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from ..language.scope import Access
from ..language.walking import below, within

_LOOKS: Final = frozenset(["v_truth", "v_holds", "v_empty", "v_void", "f_length", "f_lookup"])
_PARTS: Final = frozenset(["v_get", "f_query_param", "f_regex_extract"])


def passed_on(tree: ast.expr) -> Iterator[tuple[Access | ast.Name, bool]]:
    """The steps into the record and the names whose values are in the result, each with whether only a part of it is:
    a member of what was decoded from text, one key of an address's query."""
    kept = {node.target.id: node.value for node in within([tree], ast.NamedExpr)}
    yield from _walk(tree, kept, False)


def _walk(node: ast.AST, kept: Mapping[str, ast.expr], part: bool) -> Iterator[tuple[Access | ast.Name, bool]]:
    match node:
        case Access():
            yield node, part
        case ast.Name(id=name) if name in kept:
            yield from _walk(kept[name], kept, part)
        case ast.Name():
            yield node, part
        case ast.IfExp(test=ast.Call(args=[ast.NamedExpr(target=tested)]), body=ast.Name(id=name)) if tested.id == name:
            yield from _walk(node.orelse, kept, part)  # ``y if v_empty(y := …) else …``: the first is empty
        case ast.IfExp():
            yield from _walk(node.body, kept, part)
            yield from _walk(node.orelse, kept, part)
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return
        case ast.Call(func=ast.Name(id=function)) if function in _LOOKS or function.startswith("t_"):
            return
        case ast.Call(func=ast.Name(id=function)) if function in _PARTS:
            yield from _walk(node.args[0], kept, True)
        case ast.Call():
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from _walk(argument, kept, part)
        case _:
            for child in below(node):
                yield from _walk(child, kept, part)
