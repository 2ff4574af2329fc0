"""What people write from habit, and what to write instead.

Every hint here answers an expression that is valid in another language: JavaScript, SQL, Python, or Jinja's
own statements. The functions return ``(start, end, code, message, hint)`` in characters of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from jinja2.lexer import Token

Complaint = tuple[int, int, str, str, str]

_CHARACTERS: Final = {
    "&": ("'&' is not an operator", "Write 'and'."),
    "!": ("'!' is not an operator", "Write 'not'."),
    "?": ("'?' is not an operator", "Write: a if condition else b. For a stand-in write: a or b."),
    "$": ("'$' is not part of a name", "Names are the record's keys: write order.id."),
    "@": ("'@' is not part of a name", "For a key that is no name write record['the key']."),
    "#": ("'#' is not part of a name", "For a key that is no name write record['the key']."),
    "`": ("'`' does not quote text", "Put text between ' and '."),
    "\\": ("a backslash stands outside of a text", "Put text between ' and '."),
    "^": ("'^' is not an operator", "A power is a ** 2."),
    ";": ("';' ends no expression", "An expression is one value; write one only."),
    "“": ("typographic quotes do not quote text", "Use straight quotes: ' or \"."),
    "”": ("typographic quotes do not quote text", "Use straight quotes: ' or \"."),
    "‘": ("typographic quotes do not quote text", "Use straight quotes: ' or \"."),
    "’": ("typographic quotes do not quote text", "Use straight quotes: ' or \"."),
    "„": ("typographic quotes do not quote text", "Use straight quotes: ' or \"."),
}

METHODS: Final = {
    "split": "{0} | split(',')",
    "get": "{0}.key, or {0}['a key']; for a stand-in: {0}.key | default('…')",
    "lower": "{0} | lower",
    "upper": "{0} | upper",
    "title": "{0} | title",
    "strip": "{0} | trim",
    "trim": "{0} | trim",
    "lstrip": "{0} | trim",
    "rstrip": "{0} | trim",
    "replace": "{0} | replace('old', 'new')",
    "startswith": "{0} startswith 'text'",
    "startsWith": "{0} startswith 'text'",
    "endswith": "{0} endswith 'text'",
    "endsWith": "{0} endswith 'text'",
    "includes": "{0} contains 'text'",
    "contains": "{0} contains 'text'",
    "join": "list | join(',')",
    "format": "'text ' ~ {0}, or the text with {{{{ }}}} in it",
    "items": "{0} | entries",
    "keys": "{0} | entries | map(attribute='key')",
    "values": "{0} | entries | map(attribute='value')",
    "count": "{0} | length",
    "index": "{0}[0], or 'text' in {0}",
    "append": "a list in the mapping, member by member",
    "update": "{0} | merge(other)",
    "pop": "{0} | omit('key')",
    "copy": "{0}",
    "encode": "{0}",
    "toString": "{0} | string",
    "toLowerCase": "{0} | lower",
    "toUpperCase": "{0} | upper",
    "toFixed": "{0} | round(2)",
    "isdigit": "{0} is matches '^[0-9]+$'",
    "map": "{0} | map(attribute='key')",
    "filter": "{0} | selectattr('key')",
    "slice": "{0}[0:10]",
    "substring": "{0}[0:10]",
    "timestamp": "{0} | to_time",
    "isoformat": "{0}",
}

FUNCTIONS: Final = {
    "len": "{0} | length",
    "str": "{0} | string",
    "String": "{0} | string",
    "int": "{0} | int",
    "Number": "{0} | float",
    "parseInt": "{0} | int",
    "parseFloat": "{0} | float",
    "float": "{0} | float",
    "bool": "{0} | bool",
    "round": "{0} | round(2)",
    "abs": "{0} | abs",
    "sum": "{0} | sum",
    "min": "{0} | min",
    "max": "{0} | max",
    "sorted": "{0} | sort",
    "set": "{0} | unique",
    "upper": "{0} | upper",
    "lower": "{0} | lower",
    "trim": "{0} | trim",
    "join": "{0} | join(',')",
    "replace": "{0} | replace('old', 'new')",
    "split": "{0} | split(',')",
    "defined": "{0} is defined",
    "isset": "{0} is defined",
    "empty": "{0} is empty",
    "lookup": "key | lookup('table')",
    "dict": "{{'key': value}}",
    "list": "[{0}]",
    "concat": "a ~ b",
    "if": "a if condition else b",
    "range": "a loop over a list of the record",
    "namespace": "a name under 'let:'",
    "uuid": "stable_id(order.id, 'Purchase')",
    "uuid4": "stable_id(order.id, 'Purchase')",
    "random": "stable_id(order.id, 'Purchase')",
    "time": "now()",
    "env": "settings of the destination; a mapping reads the record only",
    "getenv": "settings of the destination; a mapping reads the record only",
}

FILTERS: Final = {
    "strip": "trim",
    "lowercase": "lower",
    "downcase": "lower",
    "uppercase": "upper",
    "upcase": "upper",
    "d": "default",
    "count": "length",
    "size": "length",
    "len": "length",
    "str": "string",
    "to_string": "string",
    "to_int": "int",
    "to_number": "float",
    "number": "float",
    "to_float": "float",
    "to_json": "tojson",
    "to_date": "to_time",
    "date": "to_time",
    "timestamp": "to_time",
    "from_json": "parse_json",
    "fromjson": "parse_json",
    "hash": "sha256",
    "items": "entries",
    "dictsort": "entries",
    "filter": "select",
    "where": "selectattr",
    "uniq": "unique",
    "compact": "select",
    "regex_search": "regex_match",
    "regex_findall": "regex_extract",
    "match": "regex_match",
    "regex": "regex_match",
    "without": "omit",
    "exclude": "omit",
    "only": "pick",
    "combine": "merge",
    "phone": "e164('DE')",
    "urlparam": "query_param",
    "strftime": "format_time('%Y-%m-%d', zone='Europe/Berlin')",
    "dateformat": "format_time('%Y-%m-%d', zone='Europe/Berlin')",
    "datetimeformat": "format_time('%Y-%m-%d', zone='Europe/Berlin')",
    "strptime": "parse_time('%d.%m.%Y', zone='Europe/Berlin')",
    "pprint": "tojson",
    "urlquote": "urlencode",
    "url_encode": "urlencode",
    "snakecase": "lower | replace(' ', '_')",
}

_AS_IT_IS = "Text is sent as it is, so there is nothing to escape: take it away."

INSTEAD: Final = {
    "attr": "Write value.key, or value['the key'].",
    "batch": "Write value[0:10] for a part of a list.",
    "center": "Values are sent, not laid out: take it away.",
    "e": _AS_IT_IS,
    "escape": _AS_IT_IS,
    "forceescape": _AS_IT_IS,
    "format": "Write 'text ' ~ value, or the text with {{ }} in it.",
    "groupby": "Write selectattr('key', 'eq', 'value') for the members of one group.",
    "indent": "Values are sent, not laid out: take it away.",
    "random": "The same record gives the same event: write stable_id(order.id, 'Purchase').",
    "safe": _AS_IT_IS,
    "slice": "Write value[0:10] for a part of a list.",
    "striptags": "Write regex_replace('<[^>]*>', '').",
    "truncate": "Write value[0:100].",
    "wordcount": "Write split | length.",
    "wordwrap": "Values are sent, not laid out: take it away.",
}
"""Jinja's own filters, and others, that are said in another way here."""

TESTS: Final = {
    "equalto": "eq",
    "sameas": "eq",
    "equal": "eq",
    "greaterthan": "gt",
    "lessthan": "lt",
    "sequence": "list",
    "iterable": "list",
    "array": "list",
    "dict": "mapping",
    "object": "mapping",
    "text": "string",
    "integer": "number",
    "float": "number",
    "null": "none",
    "None": "none",
    "blank": "empty",
    "match": "matches",
    "search": "matches",
    "regex": "matches",
    "includes": "contains",
    "exists": "defined",
    "present": "defined",
    "divisibleby": "even, or ask x % 5 == 0",
    "callable": "defined",
    "filter": "defined",
}


def nearest(name: str, known: Sequence[str]) -> str:
    """ "Did you mean 'x'?" for the known name that is nearest, or ""."""
    close = get_close_matches(name, known, 1, 0.6) or get_close_matches(name.lower(), known, 1, 0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def unexpected_character(source: str, offset: int, message: str) -> Complaint:
    """What to say of a character that no token starts with; ``message`` is the lexer's own."""
    character = source[offset : offset + 1]
    if character in ("'", '"'):
        end = len(source.rstrip())
        return (
            offset,
            max(end, offset + 1),
            "unclosed",
            f"the text after {character} is never closed",
            f"Write {character} after its last character.",
        )
    if character in (")", "]", "}") and ", expected " in message:
        closing = message.rstrip("'")[-1]
        opening = {")": "(", "]": "[", "}": "{"}[closing]
        said = f"{opening!r} is not closed before {character!r}"
        return offset, offset + 1, "unclosed", said, f"Write {closing!r} first."
    if character in (")", "]", "}"):
        return (
            offset,
            offset + 1,
            "unopened",
            f"{character!r} closes no bracket",
            "Take it away, or open one.",
        )
    if source[offset : offset + 2] == "&&":
        return offset, offset + 2, "syntax", "'&&' is not an operator", "Write 'and'."
    if source[offset : offset + 2] == "??":
        return offset, offset + 2, "syntax", "'??' is not an operator", "Write: coalesce(a, b), or a or b."
    said, hint = _CHARACTERS.get(character, (f"{character!r} has no meaning in an expression", ""))
    return offset, offset + 1, "syntax", said, hint


def unexpected_tokens(source: str, tokens: Sequence[Token]) -> Iterator[Complaint]:
    """Two tokens that never stand together here, but do in other languages."""
    depth = 0
    for token, following in pairwise([*tokens, Token(len(source), "eof", "")]):
        start, end = token.lineno, following.lineno
        depth += (token.type == "lparen") - (token.type == "rparen")
        near = end - start
        if token.type == "pipe" and following.type == "pipe" and near == 1:
            yield start, end + 1, "syntax", "'||' is not an operator", "Write 'or'."
        elif token.type == "eq" and following.type == "assign" and near == 2:
            yield start, end + 1, "syntax", "'===' is not an operator", "Write '=='."
        elif token.type == "ne" and following.type == "assign" and near == 2:
            yield start, end + 1, "syntax", "'!==' is not an operator", "Write '!='."
        elif token.type == "assign" and following.type in ("gt", "gteq"):
            yield start, end + 1, "syntax", "there are no arrow functions", "Use map, select or selectattr."
        elif token.type == "assign" and depth == 0:
            yield start, start + 1, "syntax", "'=' compares nothing", "Write '=='."
        elif token.type == "lt" and following.type == "gt" and near == 1:
            yield start, end + 1, "syntax", "'<>' is not an operator", "Write '!='."
        elif token.type == "name" and following.type == "string" and near == 1 and token.value in "frbu":
            hint = "Write 'Order ' ~ order.id, or the text with {{ order.id }} in it."
            yield start, start + 1, "syntax", f"there are no {token.value}-strings", hint


def expected(message: str, written: str, at_end: bool) -> tuple[str, str, str]:
    """Code, message and hint for what Jinja's parser says."""
    if at_end:
        return "syntax", "the expression ends too early", "Something is missing after its last word."
    upper = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "IS": "is", "LIKE": "contains"}
    if written in upper:
        return "syntax", f"{written!r} is not an operator", f"Operators are in lower case: {upper[written]}."
    if "chain multiple tests" in message:
        return "syntax", "'is' stands twice", "Join two tests with 'and'."
    if written == ",":
        return "syntax", "a comma joins nothing here", "A list is [a, b]; text is joined with ~."
    if written in ("then", "else", "if"):
        return "syntax", f"{written!r} stands in the wrong place", "Write: a if condition else b."
    if written == "|":
        return "syntax", "a filter needs a value before it", "Write: value | lower."
    return "syntax", f"{written!r} does not belong here", "Join values with an operator: and, or, ~, +, ==."
