"""Text to Jinja's syntax tree.

Jinja's own parser reads the expressions, so that they mean what people know; what it says when it cannot is turned
into what to write instead (``habits``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from ..errors import Problem
from .habits import expected, unexpected_tokens
from .tokens import ENVIRONMENT, MAX_DEPTH, MAX_NODES, MAX_SOURCE, WORDS, Locator, Refused, Tokens


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: Jinja's node and the tokens that know where it stands."""

    node: nodes.Expr
    tokens: Tokens

    @property
    def extent(self) -> tuple[int, int]:
        """The first character of it in its text, and the one after its last."""
        return self.tokens.extent(self.node)

    @property
    def text(self) -> str:
        """What the mapping says."""
        return self.tokens.source[slice(*self.extent)]

    @property
    def is_path(self) -> bool:
        """Whether it only names a place in the record, or a name of the mapping's."""
        node = self.node
        while isinstance(node, nodes.Getattr) or (
            isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const)
        ):
            node = node.node
        return isinstance(node, nodes.Name)

    def chain(self) -> list[tuple[str, Expression]]:
        """Its filters one after the other, what they are given first: each with the words that it adds."""
        found: list[Expression] = [self]
        while isinstance(node := found[0].node, nodes.Filter) and node.node is not None:
            found.insert(0, Expression(node.node, self.tokens))
        ends = [found[0].extent[0], *(part.extent[1] for part in found)]
        return [(self.tokens.source[ends[i] : ends[i + 1]].strip(), part) for i, part in enumerate(found)]

    def operands(self) -> tuple[str, list[Expression]]:
        """The parts of a condition: ``and`` or ``or`` with all that it joins, ``not`` with its one part, else ""."""
        node = self.node
        if isinstance(node, nodes.Not):
            return "not", [Expression(node.node, self.tokens)]
        if not isinstance(node, nodes.And | nodes.Or):
            return "", []
        found: list[nodes.Expr] = [node]
        while isinstance(found[0], type(node)):
            found[:1] = [found[0].left, found[0].right]
        return "and" if isinstance(node, nodes.And) else "or", [Expression(part, self.tokens) for part in found]


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed text: plain parts and expressions, in their order."""

    parts: tuple[str | Expression, ...]

    @property
    def literal(self) -> str | None:
        """The text itself if it holds no expression."""
        if any(isinstance(part, Expression) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def single(self) -> Expression | None:
        """The expression if the text is one expression and nothing else: its value keeps its type."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0]
        return None


class _Parser(Parser):
    """Jinja's parser over tokens that were made here."""

    def __init__(self, stream: TokenStream) -> None:
        self.environment = ENVIRONMENT
        self.stream = stream
        self.name = None
        self.filename = None
        self.closed = False
        self.extensions = {}
        self._last_identifier = 0
        self._tag_stack = []
        self._end_token_stack = []


def parse_text(source: str, at: Locator, problems: list[Problem]) -> Text | None:
    """A text with ``{{ … }}``; None after adding what is wrong with it to ``problems``."""
    try:
        _bounded(source)
        return Text(tuple(_parts(source)))
    except Refused as refused:
        problems.append(refused.problem(at))
        return None


def parse_bare(source: str, at: Locator, problems: list[Problem]) -> Expression | None:
    """An expression without braces; None after adding what is wrong with it to ``problems``."""
    try:
        _bounded(source)
        _without_braces(source)
        return _expression(Tokens(source, 0, closed=False))
    except Refused as refused:
        problems.append(refused.problem(at))
        return None


def parse_loop(source: str, at: Locator, problems: list[Problem]) -> tuple[str, Expression] | None:
    """``item in order.lines`` as the variable's name and the list; None after adding to ``problems``."""
    try:
        _bounded(source)
        _without_braces(source)
        tokens = Tokens(source, 0, closed=False)
        words = [token.value for token in tokens.tokens[:2]]
        if len(words) < 2 or tokens.tokens[0].type != "name" or words[1] != "in" or words[0] in WORDS:
            end = len(source.rstrip()) or 1
            hint = "Write a name for one member, 'in' and the list: item in order.lines."
            raise Refused(0, end, "loop", "a loop is 'NAME in LIST'", hint)
        if words[0] in ("record", "true", "false", "none"):
            message = f"{words[0]!r} cannot name a member of a list"
            raise Refused(0, len(words[0]), "loop", message, "Choose another name, such as 'item'.")
        del tokens.tokens[:2]
        return str(words[0]), _expression(tokens)
    except Refused as refused:
        problems.append(refused.problem(at))
        return None


def _bounded(source: str) -> None:
    if len(source) > MAX_SOURCE:
        message = f"a text with expressions is longer than {MAX_SOURCE:,} characters"
        raise Refused(MAX_SOURCE, MAX_SOURCE + 1, "limit", message)


def _without_braces(source: str) -> None:
    start = source.find("{{")
    if start >= 0 and not source[:start].strip():
        hint = f"It is an expression already. Write it bare: {source.strip(' {}')}"
        raise Refused(start, start + 2, "braces", "there are braces around a bare expression", hint)
    start = source.find("{%")
    if start >= 0:
        raise Refused(*_statement(source, start))


def _parts(source: str) -> Iterator[str | Expression]:
    position = 0
    while position < len(source):
        start = source.find("{", position)
        while start >= 0 and source[start : start + 2] not in ("{{", "{%", "{#"):
            start = source.find("{", start + 1)
        plain = source[position : start if start >= 0 else len(source)]
        closing = plain.find("}}")
        if closing >= 0:
            offset = position + closing
            hint = "Write {{ before the expression; two braces in a plain text are {{ '}}' }}."
            raise Refused(offset, offset + 2, "unopened", "'}}' closes no expression", hint)
        if plain:
            yield plain
        if start < 0:
            return
        if source[start + 1] != "{":
            raise Refused(*_statement(source, start))
        tokens = Tokens(source, start + 2, closed=True)
        if not tokens.tokens:
            hint = "Write the name of a field between them."
            raise Refused(start, tokens.end, "syntax", "there is nothing between the braces", hint)
        yield _expression(tokens)
        position = tokens.end


def _statement(source: str, start: int) -> tuple[int, int, str, str, str]:
    if source[start + 1] == "#":
        return (
            start,
            start + 2,
            "unsupported",
            "'{#' is no comment here",
            "Write comments in YAML, after '#'.",
        )
    end = source.find("%}", start)
    end = end + 2 if end >= 0 else start + 2
    word = (source[start + 2 : end].strip("-+ ").split() or [""])[0]
    hints = {
        "if": "Write {{ a if condition else b }}, or give the event 'when:' or the list 'if:'.",
        "for": "Write 'for: item in list' and 'each:' in the mapping, or use map, select, join and sum.",
        "set": "Give the value a name under 'let:'.",
    }
    hint = hints.get(word, "Only expressions in {{ }} are allowed.")
    return start, end, "statement", "statements ({% … %}) are not part of the mapping language", hint


def _expression(tokens: Tokens) -> Expression:
    for complaint in unexpected_tokens(tokens.source, tokens.tokens):
        raise Refused(*complaint)
    parser = _Parser(tokens.stream())
    if not tokens.tokens:
        raise Refused(0, len(tokens.source) or 1, "syntax", "an expression is missing here")
    try:
        node = parser.parse_expression()
        rest = parser.stream.current
        if rest.type != "eof":
            raise TemplateSyntaxError(f"unexpected {rest.type}", rest.lineno)
    except TemplateSyntaxError as error:
        last = max((t.lineno for t in tokens.tokens), default=0)
        start = parser.stream.current.lineno if parser.stream.current.type != "eof" else last
        end = tokens.end_of(start)
        is_end = parser.stream.current.type == "eof"
        raise Refused(start, end, *expected(str(error.message), tokens.source[start:end], is_end)) from None
    except RecursionError:
        tokens.too_deep(tokens.tokens[-1])
    _measured(node, tokens)
    return Expression(node, tokens)


def _measured(expression: nodes.Expr, tokens: Tokens) -> None:
    """Refuse what is too deep or too large, without recursion."""
    waiting: list[tuple[nodes.Node, int]] = [(expression, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            tokens.too_deep(tokens.tokens[0])
        if count > MAX_NODES:
            first = tokens.tokens[0].lineno
            raise Refused(first, first + 1, "limit", f"an expression has more than {MAX_NODES:,} parts")
        waiting += ((child, depth + 1) for child in node.iter_child_nodes())
