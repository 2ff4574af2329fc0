"""The function that builds an event, rewritten to one that writes its bytes: see ``writing``, which makes use of it.

A function that builds puts members into objects, one after the other, and does nothing else with them; those few forms
of statements are told from their trees. An object of which anything else is done is built all the same and encoded as a
whole, as are lists.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any, Final, Protocol

import msgspec

from ..compiler import nodes
from ..compiler.assembling import Transform
from ..destinations.cleaning import remembered
from ..destinations.destination import Destination
from ..destinations.rules import Condition, Rule
from ..language.walking import Rewriter, within
from .forms import Put, assigned_to, is_object, members_of, put_of, returned_from, stored_in
from .results import Event

__all__ = ["LONG", "Member", "Memos", "Rewriting", "function"]

LONG: Final = False
"""What a writer gives where only the long way can tell."""

_encode = msgspec.json.Encoder().encode
_THERE: Final = frozenset({"require", "one_of", "not_only"})
"""Kinds of rules that only ask which parameters are there."""
_PRESENCE: Final = frozenset({"present", "absent"})
_SOMETHING: Final = "\x00"
"""Stands for the value of a parameter of which only is known that it is there."""


class Memos(Protocol):
    """What writers remember."""

    def of(self, what: str, prepare: Callable[..., Any], prefix: bytes) -> Any:
        """The fragments that a preparation gives under one key; ``what`` names the preparation."""


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter that a writer knows of: always there with a known value, always there, or there if a bit is set."""

    path: tuple[str, ...]
    value: Any = _SOMETHING
    bit: int = 0


@dataclass(slots=True)
class _Object:
    """An object that is written member by member.

    path      the keys that lead to it from the event
    is_sure   whether its first member is always there, so that a comma need not stand before it
    """

    path: tuple[str, ...] = ()
    pieces: list[bytes | ast.expr] = field(default_factory=list)
    is_sure: bool = True

    def prefix(self, key: str, *, is_sure: bool) -> bytes:
        """What stands before the value of the next member."""
        comma = b"," if self.pieces or not is_sure else b""
        if not self.pieces:
            self.is_sure = is_sure
        return comma + _encode(key) + b":"

    def add(self, *pieces: bytes | ast.expr) -> None:
        """Put pieces at the end; those that are the same for every event become one."""
        for piece in pieces:
            last = self.pieces[-1] if self.pieces else None
            if isinstance(piece, bytes) and isinstance(last, bytes):
                self.pieces[-1] = last + piece
            else:
                self.pieces.append(piece)

    def joined(self) -> ast.expr:
        """All pieces in one."""
        pieces = [ast.Constant(piece) if isinstance(piece, bytes) else piece for piece in self.pieces]
        return nodes.call("join", ast.Tuple(pieces, ast.Load()))


class _Instead(Rewriter):
    """Puts something in place of a node that reads the record."""

    def __init__(self, node: ast.Attribute, other: ast.expr) -> None:
        self._like = ast.dump(node)
        self._other = other

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self._other if ast.dump(node) == self._like else node


class Rewriting:
    """One function that builds an event, on its way to one that writes it.

    members   what is known of the event's parameters, for the rules that ask which are there
    known     what the new function needs beside what the old one does
    """

    def __init__(self, transform: Transform, destination: Destination, memos: Memos) -> None:
        self.members: list[Member] = []
        self.known: dict[str, Any] = {"made": Event, "join": b"".join, "encode": _encode}
        self._transform = transform
        self._functions = transform.function.__globals__
        self._roles = destination.roles
        self._memos = memos
        self._objects: dict[str, _Object] = {}
        self._statements: list[ast.stmt] = []
        self._names = self._bits = 0

    def body(self) -> list[ast.stmt] | None:
        """The statements of the writer; None if the event has to be built as a whole."""
        built = nodes.copied(self._transform.tree.body)
        start = next(place for place, one in enumerate(built) if assigned_to(one) == "m")
        head, rest, last = built[:start], built[start + 1 : -1], built[-1]
        root = returned_from(last)
        self._objects = _objects(root, rest)
        if root not in self._objects:
            return None
        waiting = list(reversed(rest))
        while waiting:
            self._rewrite(waiting.pop(), waiting)
        end = self._end(root)
        begun = [nodes.assign(name, nodes.NONE) for name in ("m", "i", "t")]
        return [*head, *begun, nodes.assign("b", nodes.constant(self._bits)), *self._statements, *end]

    def can_tell(self, rule: Rule) -> bool:
        """Whether a rule can be decided by which parameters are there."""
        opaque = {member.path for member in self.members if member.value == _SOMETHING}

        def is_open(path: str) -> bool:
            keys = tuple(path.split("."))
            return all(keys[:depth] not in opaque for depth in range(1, len(keys)))

        def is_told(asked: Condition) -> bool:
            return is_open(asked.path) and (asked.test in _PRESENCE or tuple(asked.path.split(".")) not in opaque)

        named = [*rule.paths, *(path for group in rule.groups for path in group)]
        return rule.kind in _THERE and all(map(is_told, rule.when)) and all(map(is_open, named))

    def _rewrite(self, statement: ast.stmt, rest: list[ast.stmt]) -> None:
        """Rewrite a statement, and with it the next one of ``rest`` (which begins at its end) if the two are one."""
        name = assigned_to(statement)
        put = put_of(rest[-1]) if rest and name else None
        if name in self._objects:
            for key, value in members_of(statement):
                self._certain(self._objects[name], key, value)
        elif put is not None and put.value == name and put.target in self._objects:
            assert isinstance(statement, ast.Assign)
            rest.pop()
            self._member(put, statement.value)
        elif (put := put_of(statement)) is not None and put.target in self._objects:
            if put.value in self._objects:
                self._inner(put)
            else:
                self._member(put, None)
        elif isinstance(statement, ast.Assign) and (stored := stored_in(statement)) and stored[0] in self._objects:
            self._certain(self._objects[stored[0]], stored[1], statement.value)
        else:
            self._statements.append(statement)

    def _certain(self, into: _Object, key: str, value: ast.expr) -> None:
        """A member that is there in every event."""
        prefix = into.prefix(key, is_sure=True)
        role = self._role(into, key)
        try:
            constant = ast.literal_eval(value)
        except ValueError:
            piece = self._piece(value)
            self._statements += self._of_role(role, piece)
            into.add(prefix, self._piece(nodes.call("encode", piece)))
            self.members.append(Member((*into.path, key)))
        else:
            if role:
                self._statements += self._of_role(role, self._piece(value))
            into.add(prefix + _encode(constant))
            self.members.append(Member((*into.path, key), constant))

    def _role(self, into: _Object, key: str) -> str:
        """The key of the event's time or id, else ""."""
        return key if not into.path and key in (self._roles.time, self._roles.id) else ""

    def _member(self, put: Put, value: ast.expr | None) -> None:
        """A member that is there if its value is; ``value`` has been assigned before if it is None."""
        into = self._objects[put.target]
        role = self._role(into, put.key)
        is_sure = put.is_required or (role != "" and role == self._roles.time)
        prefix = into.prefix(put.key, is_sure=is_sure)
        found = None if role else self._remembered(value, prefix)
        if found is not None:
            piece = self._piece(found)
            into.add(piece)
            otherwise = _LONG if is_sure else [self._less(into, put.key)]
            self._statements.append(nodes.when(nodes.negated(piece), otherwise))
        else:
            if value is not None:
                self._statements += self._value(put.value, value)
            self._encoded(put, into, prefix, is_sure=is_sure)
            self._statements += self._of_role(role, nodes.name(put.value))
        if is_sure:
            self.members.append(Member((*into.path, put.key)))

    def _encoded(self, put: Put, into: _Object, prefix: bytes, *, is_sure: bool) -> None:
        """Encode a value that is there, and do without one that is not."""
        variable = nodes.name(put.value)
        test = variable if put.gathers else nodes.is_not_none(variable)
        encoded = nodes.call("encode", variable)
        if is_sure:
            self._statements.append(
                nodes.when(nodes.negated(variable) if put.gathers else nodes.is_none(variable), _LONG)
            )
            into.add(prefix, self._piece(encoded))
            return
        piece = self._name("f")
        there = nodes.assign(piece, ast.BinOp(ast.Constant(prefix), ast.Add(), encoded))
        empty = nodes.assign(piece, ast.Constant(b""))
        self._statements.append(nodes.when(test, [there], [empty, self._less(into, put.key)]))
        into.add(nodes.name(piece))

    def _inner(self, put: Put) -> None:
        """An object that has been written becomes a member of the one above it, unless there is nothing in it."""
        into, inner = self._objects[put.target], self._objects[put.value]
        if inner.pieces and inner.is_sure:
            into.add(into.prefix(put.key, is_sure=True) + b"{", *inner.pieces, b"}")
            return
        joined = self._piece(inner.joined())
        rest = ast.Subscript(joined, ast.Slice(ast.Constant(1)), ast.Load())
        prefix = into.prefix(put.key, is_sure=put.is_required) + b"{"
        if put.is_required:
            self._statements.append(nodes.when(nodes.negated(joined), _LONG))
            into.add(prefix, self._piece(rest), b"}")
            return
        whole = ast.BinOp(ast.BinOp(ast.Constant(prefix), ast.Add(), rest), ast.Add(), ast.Constant(b"}"))
        into.add(self._piece(ast.IfExp(joined, whole, ast.Constant(b""))))

    def _of_role(self, role: str, variable: ast.expr) -> Iterator[ast.stmt]:
        """The event's time has to lie in the window, and its id has to be text; both are said of the event."""
        if role and role == self._roles.time:
            is_odd = ast.Compare(nodes.call("type", variable), [ast.IsNot()], [nodes.name("int")])
            bounds = ast.Compare(nodes.name("earliest"), [ast.LtE(), ast.LtE()], [variable, nodes.name("latest")])
            yield nodes.when(ast.BoolOp(ast.Or(), [is_odd, nodes.negated(bounds)]), _LONG)
            yield nodes.assign("t", variable)
        elif role and role == self._roles.id:
            is_odd = ast.Compare(nodes.call("type", variable), [ast.IsNot()], [nodes.name("str")])
            yield nodes.when(nodes.all_of([nodes.is_not_none(variable), is_odd]), _LONG)
            yield nodes.assign("i", variable)

    def _end(self, root: str) -> Iterator[ast.stmt]:
        """What is to be asked of the whole, and the event."""
        if any(name.id == "m" for name in within(self._statements, ast.Name)):
            yield nodes.when(nodes.is_not_none(nodes.name("m")), _LONG)
        yield nodes.assign("c", ast.Subscript(nodes.name("masks"), nodes.name("b"), ast.Load()))
        yield nodes.when(nodes.is_none(nodes.name("c")), _LONG)
        whole = _Object()
        whole.add(b"{", *self._objects[root].pieces, b"}")
        encoded = whole.joined()
        expires = ast.BinOp(nodes.name("t"), ast.Add(), ast.Constant(self._transform.max_age))
        name, key = ast.Constant(self._transform.name), ast.Constant(self._transform.key)
        yield nodes.give(
            nodes.call("made", name, nodes.name("i"), nodes.name("t"), expires, encoded, key, nodes.name("c"))
        )

    def _value(self, variable: str, value: ast.expr) -> Iterator[ast.stmt]:
        """A value under its name. A time that is a number already needs no look: its window is asked anyway."""
        match value:
            case ast.Call(func=ast.Name(id=name), args=[of, ast.Name(id="ctx") as context]) if (
                getattr(self._functions.get(name), "shortcut", "") == "moment"
            ):
                yield nodes.assign(variable, of)
                is_odd = ast.Compare(nodes.call("type", nodes.name(variable)), [ast.IsNot()], [nodes.name("int")])
                yield nodes.when(is_odd, [nodes.assign(variable, nodes.call(name, nodes.name(variable), context))])
            case _:
                yield nodes.assign(variable, value)

    def _remembered(self, value: ast.expr | None, prefix: bytes) -> ast.expr | None:
        """A look at what is remembered in place of a preparation and of what leads to it; None if nothing is."""
        match value:
            case ast.Call(func=ast.Name(id=name), args=[of, ast.Name(id="ctx"), *companion]):
                prepare = self._functions.get(name)
                what = remembered(prepare)
                if prepare is None or what is None:
                    return None
                by = of
                if not companion and (inner := self._of_one(of)) is not None:
                    by, prepare = inner[0], _after(inner[1], prepare)
                    what += ast.dump(of)
                memo = self._name("c")
                self.known[memo] = self._memos.of(what, prepare, prefix)
                key = ast.Tuple([by, *companion], ast.Load()) if companion else by
                return ast.Subscript(nodes.name(memo), key, ast.Load())
        return None

    def _of_one(self, value: ast.expr) -> tuple[ast.expr, Callable[[Any], Any]] | None:
        """The only part of the record that an expression reads, and the function from that to the expression's value.

        None if it reads none or several, or anything else beside it, or nothing but that part.
        """
        reads = within([value], ast.Attribute)
        if isinstance(value, ast.Attribute) or len(reads) != 1:
            return None
        names = within([value], ast.Name)
        own = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        read = reads[0].value
        if any(name.id not in own and name.id not in self._functions and name is not read for name in names):
            return None
        inner = _Instead(reads[0], nodes.name("q")).visit(nodes.copied(value))
        return reads[0], function("inner", ("q",), [nodes.give(inner)], self._functions, self._transform)

    def _less(self, into: _Object, key: str) -> ast.stmt:
        """Note that an optional member is not there."""
        bit = 1 << self._bits.bit_length()
        self._bits |= bit
        self.members.append(Member((*into.path, key), bit=bit))
        return nodes.assign("b", ast.BinOp(nodes.name("b"), ast.Sub(), ast.Constant(bit)))

    def _piece(self, value: ast.expr) -> ast.Name:
        """A value that is worked out now, under a name."""
        name = self._name("f")
        self._statements.append(nodes.assign(name, value))
        return ast.Name(name, ast.Load())

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}_{self._names}"


_LONG: Final[list[ast.stmt]] = [nodes.give(nodes.constant(LONG))]


def _objects(root: str, built: Sequence[ast.stmt]) -> dict[str, _Object]:
    """The objects that can be written: whatever is done to them is putting members in, and putting them into others."""
    made = {
        name for one in built if (name := assigned_to(one)) and isinstance(one, ast.Assign) and is_object(one.value)
    }
    uses = Counter(name.id for name in within(built, ast.Name))
    above: dict[str, tuple[str, str]] = {}
    for one in built:
        put = put_of(one)
        if name := assigned_to(one):
            uses[name] -= 1
        elif put is not None:
            uses[put.target] -= 1
            uses[put.value] -= 2
            above[put.value] = put.target, put.key
        elif stored := stored_in(one):
            uses[stored[0]] -= 1
    found = {name: _Object() for name in made if not uses[name] and (name == root or name in above)}
    for name, known in found.items():
        at = name
        while at != root and at in above:
            at, key = above[at]
            known.path = (key, *known.path)
    return {name: known for name, known in found.items() if name == root or above[name][0] in found}


def function(
    name: str, arguments: Sequence[str], body: Sequence[ast.stmt], known: dict[str, Any], transform: Transform
) -> Callable[..., Any]:
    """A function that stands where its event stands in the mapping."""
    tree = nodes.function(name, arguments, body)
    tree.lineno = tree.end_lineno = transform.tree.lineno
    tree.col_offset = tree.end_col_offset = 0
    ast.fix_missing_locations(tree)
    code = compile(ast.Module([tree], []), transform.place.document.file, "exec", dont_inherit=True, optimize=0)
    return FunctionType(next(constant for constant in code.co_consts if isinstance(constant, CodeType)), known, name)


def _after(inner: Callable[[Any], Any], prepare: Callable[..., Any]) -> Callable[..., Any]:
    """A preparation of what a function gives."""
    return lambda value, context: prepare(inner(value), context)
