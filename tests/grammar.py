"""The words of the expression language, for whoever makes expressions at random."""

from __future__ import annotations

from mapper.language.filters import FILTERS, TESTS

KEYS = ["a", "b", "c", "items", "__class__", "Order ID", "k0", "r"]
TEXTS = [
    "", " ", "abc", "5", "1e5", "2025-10-14T09:17:32Z", '{"a":1}', "https://x.example/?a=b", "+49 30 901820", "é",
]  # fmt: skip
PATHS = ["a", "b", "a.b", "a.items", "c[0]", "c[0].a", "record['Order ID']", "a.b.c", "record", "c[-1]", "a['b']"]
LITERALS = ["'x'", "''", "0", "1", "2.5", "true", "none", "[]", "['a', 1]", "{'a': 1}", "'5'", "-1"]
CALLS = [
    *(name for name, spec in FILTERS.items() if not any(p.required for p in spec.parameters) and name != "map"),
    "default(1)", "join(',')", "split(',')", "map(attribute='a')", "map('upper')", "omit('a')", "pick('a.b')",
    "merge({'a': 2})", "round(1)", "sort(attribute='a')", "selectattr('a')", "select('gt', 1)", "int(0)",
    "regex_match('a+')", "regex_replace('a', 'b')", "lookup('t')", "parse_json(none)", "to_time(zone='UTC')",
    "e164('DE')", "query_param('a')", "replace('a', 'bb')", "truncate", "unique(attribute='a')", "flatten('_')",
]  # fmt: skip
ASKED = [*(f"is {name}" for name, spec in TESTS.items() if not spec.parameters)]
ASKED += ["is startswith 'a'", "is contains 'a'", "is in([1])"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "and", "or"]
SHAPES = [
    "({} {operator} {})", "({} | {call})", "({} {test})", "({} if {} else {})", "(not {})", "(-{})", "({}).a",
    "({})[0].b", "({})[{}]", "coalesce({}, {})", "stable_id({}, 'x')", "[{}, {}]", "{{'a': {}, 'b': {}}}",
]  # fmt: skip
"""How larger expressions are made of smaller ones (``{}``) and of words."""
