"""The tokens of one expression, each with the place of its characters.

Jinja's own lexer rules find them. Two things differ from Jinja's tokens: they carry the offset of their first
character where Jinja puts a line number, so that each node of the syntax tree can point at its characters; and
``a startswith b`` becomes ``a is startswith b``, which Jinja's grammar has no place for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NoReturn

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, ignored_tokens, operators

from ..errors import Problem, Span
from .habits import unexpected_character

Locator = Callable[[int, int], Span]
"""Characters from ``start`` to ``end`` of a scalar's text, as a place in the file."""

MAX_SOURCE: Final = 8_192  # characters of one expression or text
MAX_BRACKETS: Final = 25  # brackets in brackets: Jinja's parser recurses
MAX_PREFIXES: Final = 50  # ``not``, ``else`` and signs, which make it recurse as well
MAX_DEPTH: Final = 50
MAX_NODES: Final = 2_000
MAX_DIGITS: Final = 300

INFIX: Final = frozenset(("startswith", "endswith", "contains", "matches"))
WORDS: Final = frozenset(("and", "or", "not", "in", "is", "if", "else"))
_OPENING: Final = {"lparen": "rparen", "lbracket": "rbracket", "lbrace": "rbrace"}
_ESCAPES: Final = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}

ENVIRONMENT: Final = Environment(keep_trailing_newline=True, optimized=False, autoescape=False)


class Refused(Exception):  # noqa: N818  (control flow within this module and its callers; never leaves them)
    """A text is no expression: the problem has been found."""

    def __init__(self, start: int, end: int, code: str, message: str, hint: str = "") -> None:
        self.start, self.end, self.code, self.message, self.hint = start, end, code, message, hint
        super().__init__(message)

    def problem(self, at: Locator) -> Problem:
        return Problem(at(self.start, self.end), self.code, self.message, self.hint)


class Tokens:
    """The tokens of one expression, and where each node made of them stands."""

    def __init__(self, source: str, start: int, closed: bool) -> None:
        self.source = source
        self.start = start
        self.end = len(source)  # after the closing braces, or the end of the text
        self.tokens: list[Token] = []
        self._ends: dict[int, int] = {}
        self._read(start, closed)
        self._closings = self._match()
        self._by_offset = {token.lineno: token for token in self.tokens}
        self._following = {a.lineno: b for a, b in pairwise(self.tokens)}
        self._extents: dict[int, tuple[int, int]] = {}

    def _read(self, start: int, closed: bool) -> None:
        offset = start
        text = self.source[start:].replace("\r", "\n")
        try:
            for _, kind, written in ENVIRONMENT.lexer.tokeniter(text, None, None, "variable"):
                if kind == "variable_end":
                    self._close(offset, written, closed)
                    return
                self._ends[offset] = offset + len(written)
                if kind not in ignored_tokens:
                    self.tokens.append(self._token(offset, kind, written))
                offset += len(written)
        except TemplateSyntaxError as error:
            raise Refused(*unexpected_character(self.source, offset, str(error.message))) from None
        if closed:
            raise Refused(start - 2, start, "unclosed", "'{{' is never closed", "Write '}}' after the expression.")

    def _close(self, offset: int, written: str, closed: bool) -> None:
        if not closed:
            hint = "when, if, for, consent and ignore are bare: write type == 'a', not {{ type == 'a' }}."
            raise Refused(offset, offset + 2, "braces", "there are braces in a bare expression", hint)
        if written.startswith("-"):
            hint = "Texts are not trimmed around expressions; take the dash away."
            raise Refused(offset, offset + 3, "unsupported", "'-}}' is not part of the mapping language", hint)
        self.end = offset + 2

    def _token(self, offset: int, kind: str, written: str) -> Token:
        end = offset + len(written)
        if kind == "operator":
            return Token(offset, operators[written], written)
        if kind == "string":
            return Token(offset, kind, _unescaped(self.source[offset + 1 : end - 1]))
        if kind in ("integer", "float"):
            if len(written) > MAX_DIGITS:
                raise Refused(offset, end, "limit", f"a number has more than {MAX_DIGITS} digits")
            plain = written.replace("_", "")
            number = int(plain, 0) if kind == "integer" else float(plain)
            if isinstance(number, float) and not math.isfinite(number):
                raise Refused(offset, end, "limit", "a number is too large")
            return Token(offset, kind, number)  # type: ignore[arg-type]
        if kind == "name" and not written.isidentifier():
            hint = "For a key that is no name write record['the key']."
            raise Refused(offset, end, "syntax", f"{written!r} is neither a name nor a number", hint)
        return Token(offset, kind, written)

    def _match(self) -> dict[int, int]:
        """For each opening bracket, the offset after the one that closes it; brackets nest within a bound."""
        closings: dict[int, int] = {}
        waiting: list[Token] = []
        prefixes = 0
        for token in self.tokens:
            if token.type in _OPENING:
                waiting.append(token)
                if len(waiting) > MAX_BRACKETS:
                    self.too_deep(token)
            elif waiting and token.type == _OPENING[waiting[-1].type]:
                closings[waiting.pop().lineno] = self._ends[token.lineno]
            elif token.type == "name" and token.value in ("not", "else"):
                prefixes += 1
                if prefixes > MAX_PREFIXES:
                    self.too_deep(token)
        if waiting:
            start = waiting[-1].lineno
            raise Refused(start, start + 1, "unclosed", f"{waiting[-1].value!r} is never closed")
        self._bound_signs()
        return closings

    def _bound_signs(self) -> None:
        """A row of signs (``- - - 1``) makes the parser recurse."""
        row = 0
        for token in self.tokens:
            row = row + 1 if token.type in ("sub", "add") else 0
            if row > MAX_PREFIXES:
                self.too_deep(token)

    def too_deep(self, token: Token) -> NoReturn:
        """Refuse an expression for its depth."""
        message = f"an expression is nested deeper than {MAX_DEPTH}"
        hint = "Give a part of it a name under 'let:'."
        raise Refused(token.lineno, self._ends[token.lineno], "limit", message, hint)

    def end_of(self, offset: int) -> int:
        """The offset after the token that starts at ``offset``."""
        return self._ends.get(offset, offset + 1)

    def stream(self) -> TokenStream:
        """The tokens for Jinja's parser, with ``is`` put before an infix test."""
        return TokenStream(iter(list(self._with_is())), None, None)

    def _with_is(self) -> Iterator[Token]:
        tokens = self.tokens
        for index, token in enumerate(tokens):
            negated = token.value == "not" and token.type == "name"
            word = tokens[index + 1] if negated and index + 1 < len(tokens) else token
            before = tokens[index - 1] if index else None
            after = tokens[index + 2 if negated else index + 1 :][:1]
            infix = word.type == "name" and word.value in INFIX
            if infix and before is not None and _ends_operand(before) and after and _starts_operand(after[0]):
                yield Token(token.lineno, "name", "is")
            yield token

    def extent(self, node: nodes.Node) -> tuple[int, int]:
        """The first character of a node and the one after its last."""
        found = self._extents.get(id(node))
        if found is None:
            # Jinja gives a comparison the line of what follows it, which here is an offset: its operands tell instead.
            placed = node.lineno is not None and not isinstance(node, nodes.Compare)
            start, end = (node.lineno, self._own_end(node)) if placed else (len(self.source), 0)
            for child in node.iter_child_nodes():
                first, last = self.extent(child)
                start, end = min(start, first), max(end, last)
            found = self._extents[id(node)] = start, end
        return found

    def _own_end(self, node: nodes.Node) -> int:
        start = node.lineno
        if start in self._closings:
            return self._closings[start]
        end = self._ends.get(start, start)
        following = self._following.get(start)
        if isinstance(node, nodes.Getattr) and following is not None:
            return self._ends[following.lineno]
        if isinstance(node, nodes.Const):
            while following is not None and following.type == "string" and isinstance(node.value, str):
                end = self._ends[following.lineno]
                following = self._following.get(following.lineno)
        if isinstance(node, nodes.Filter | nodes.Test):
            end, following = self._name_end(node)
            return end if following is None else self._closings.get(following.lineno, end)
        return end

    def _name_end(self, node: nodes.Filter | nodes.Test) -> tuple[int, Token | None]:
        """The end of a filter's or test's own name, which may have dots in it, and the token behind it."""
        token: Token | None = self._by_offset[node.lineno]
        while token is not None and token.value in ("is", "not") and isinstance(node, nodes.Test):
            token = self._following.get(token.lineno)
        for _ in range(2 * node.name.count(".")):
            token = self._following.get(token.lineno) if token is not None else None
        if token is None:
            return len(self.source), None
        return self._ends[token.lineno], self._following.get(token.lineno)

    def name_extent(self, node: nodes.Node, name: str) -> tuple[int, int]:
        """Where ``name`` stands, the name of a filter, a test or a key that ends a path."""
        start, end = self.extent(node)
        if isinstance(node, nodes.Filter | nodes.Test) and name == node.name:
            last, _ = self._name_end(node)
            return last - len(name) if "." not in name else node.lineno, last
        for token in self.tokens:
            if node.lineno <= token.lineno < end and token.type == "name" and token.value == name:
                return token.lineno, self._ends[token.lineno]
        return start, end


def _unescaped(written: str) -> str:
    """A quoted text without its quotes: ``\\n``, ``\\t``, ``\\r``, ``\\\\`` and quotes; other backslashes stay."""
    if "\\" not in written:
        return written
    result: list[str] = []
    characters = iter(written)
    for character in characters:
        if character != "\\":
            result.append(character)
            continue
        following = next(characters, "")
        result.append(_ESCAPES.get(following, "\\" + following))
    return "".join(result)


def _ends_operand(token: Token) -> bool:
    if token.type == "name":
        return token.value not in WORDS
    return token.type in ("string", "integer", "float", "rparen", "rbracket", "rbrace")


def _starts_operand(token: Token) -> bool:
    if token.type == "name":
        return token.value not in WORDS
    return token.type in ("string", "integer", "float", "lparen", "lbracket", "lbrace")
