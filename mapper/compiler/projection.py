"""The paths a mapping reads, and a decoder that reads only those from a line of JSON.

While expressions are lowered, every step into the record is noted in a tree of ``PathNode``. The tree becomes
msgspec Struct types, each position a union (Struct | list of them | any scalar), so that any JSON is accepted,
what nobody reads is skipped by the parser, and a wrong shape is simply empty.

A key is one attribute name, ``k0``, ``k1``, …, in every Struct: generated code reads ``x.k3`` and nothing else,
so no name of an author's or a record's ever becomes a Python attribute.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..language.scope import Access
from ..language.values import is_empty
from ..language.walking import Rewriter, within

Path = tuple[str, ...]
"""Keys from the record down; a list on the way has no key of its own."""

Scalar = str | int | float | bool | None


class Node(msgspec.Struct, gc=False):
    """The base of every generated Struct: one JSON object of which only some keys were read."""


class PathNode:
    """One place in the record: an object, the list of such objects, or whatever stands there.

    A list and its elements are one node: a single object where a list is expected counts as a list of one,
    so whatever is read of the one is read of the other.
    """

    __slots__ = ("_forward", "children", "is_whole", "path")

    def __init__(self, path: Path = ()) -> None:
        self.path = path
        self.children: dict[str, PathNode] = {}
        self.is_whole = False
        self._forward: PathNode | None = None

    def child(self, key: str) -> PathNode:
        """The node behind ``key``; made when first asked for."""
        node = self.find()
        if key not in node.children:
            node.children[key] = PathNode((*node.path, key))
        return node.children[key].find()

    @property
    def label(self) -> str:
        """The path as an author writes it: ``order.lines``."""
        return label(self.path)

    def element(self) -> PathNode | Element:
        """What an index or a loop takes from the list that stands here."""
        return Element(self)

    def whole(self) -> None:
        """Decode everything below here to plain values: somebody reads it as a whole."""
        self.find().is_whole = True

    def find(self) -> PathNode:
        """The node that stands for this one after ``merge``."""
        node = self
        while node._forward is not None:
            node = node._forward
        return node

    def reaches(self, other: PathNode) -> bool:
        """Whether ``other`` is this node or below it."""
        return other is self or any(child.find().reaches(other) for child in self.children.values())


class Element:
    """An element of the list at ``node``. Its own elements (a list in a list) are decoded plainly."""

    __slots__ = ("node",)

    def __init__(self, node: PathNode) -> None:
        self.node = node

    @property
    def path(self) -> Path:
        return self.node.path

    @property
    def label(self) -> str:
        return f"{self.node.label}[]"

    def child(self, key: str) -> PathNode:
        return self.node.child(key)

    def element(self) -> Element:
        self.node.whole()
        return self

    def whole(self) -> None:
        self.node.whole()

    def find(self) -> PathNode:
        return self.node.find()


def label(path: Path) -> str:
    """A path as an author writes it: ``order.lines``, ``record['Order ID']``."""
    text = ""
    for key in path:
        if not text and key.isidentifier():
            text = key
            continue
        step = f".{key}" if key.isidentifier() else f"[{key!r}]"
        text = f"{text or 'record'}{step}"
    return text


def merge(nodes: Iterable[PathNode | Element]) -> PathNode:
    """Make one node of several whose values meet in one place (``coalesce(customer, guest)``).

    Where one lies inside another no finite type describes both, so both are decoded plainly.
    """
    first, *others = sorted({node.find() for node in nodes}, key=lambda node: node.label)
    for other in others:
        a, b = first.find(), other.find()
        if a is b:
            continue
        if a.reaches(b) or b.reaches(a):
            a.whole()
            b.whole()
            continue
        b._forward = a
        a.is_whole |= b.is_whole
        for key, child in b.children.items():
            if key in a.children:
                merge([a.children[key], child])
            else:
                a.children[key] = child
    return first.find()


class Projection:
    """The finished tree: Struct types, a decoder, and the Python that reads each path.

    ``full`` decodes the whole line to plain values, which must give the same events, only slower.
    """

    def __init__(self, root: PathNode, accesses: Iterable[Access], *, full: bool = False) -> None:
        self.root = root
        for access in accesses:
            if len(access.origins) > 1:
                merge(_nodes(access))
        if full:
            root.whole()
        self._plain: set[PathNode] = set()
        self._slots: dict[str, str] = {}
        self._structs: dict[PathNode, type[Node]] = {}
        self._spread(root.find(), plain=False)
        self.namespace: dict[str, Any] = {"p_field": field, "p_item": item}
        record_type = self._type(root.find()) if root.find() in self._plain else self._struct(root.find())
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(record_type)
        self.is_full = root.find() in self._plain

    def _spread(self, node: PathNode, plain: bool) -> None:
        """What lies below a plainly decoded place is plain too; so is a key that no Struct can carry."""
        if not node.is_whole:
            node.is_whole = not all(_carries(key) for key in node.children)
        plain = plain or node.is_whole
        if plain:
            self._plain.add(node)
        for child in node.children.values():
            self._spread(child.find(), plain)

    def _struct(self, node: PathNode) -> type[Node]:
        if node not in self._structs:
            slots = {self._slot(key): key for key in node.children}
            fields = [(self._slot(key), self._type(child.find()), None) for key, child in node.children.items()]
            made: Any = msgspec.defstruct(f"S{len(self._structs)}", fields, bases=(Node,), rename=slots, gc=False)
            self._structs[node] = made
        return self._structs[node]

    def _type(self, node: PathNode) -> Any:
        if node in self._plain or not node.children:
            return Any
        struct = self._struct(node)
        return struct | list[struct | list[Any] | Scalar] | Scalar  # type: ignore[valid-type]

    def _slot(self, key: str) -> str:
        return self._slots.setdefault(key, f"k{len(self._slots)}")

    def slot(self, node: PathNode | Element, key: str) -> tuple[str, str] | None:
        """How to read ``key`` of the object at ``node``: (name of its Struct type, attribute), or None if plain."""
        found = node.find()
        if found in self._plain or found not in self._structs:
            return None
        struct = self._structs[found]
        self.namespace[struct.__name__] = struct
        return struct.__name__, self._slots[key]

    def empty(self, struct_name: str) -> str:
        """The name of a Struct with nothing in it, to read from where the record has no object."""
        name = f"E{struct_name[1:]}"
        self.namespace.setdefault(name, self.namespace[struct_name]())
        return name


def _carries(key: str) -> bool:
    """Whether msgspec can rename an attribute to this key (it refuses what JSON would have to escape)."""
    return bool(key) and key.isprintable() and '"' not in key and "\\" not in key


def field(value: Any, key: str) -> Any:
    """Key ``key`` of a plainly decoded object; None for anything else."""
    return value.get(key) if type(value) is dict else None


def item(value: Any, index: int) -> Any:
    """Element ``index`` of a list, or character of a text; None where there is none."""
    if type(value) is not list and type(value) is not str:
        return None
    return value[index] if -len(value) <= index < len(value) else None


class Resolver(Rewriter):
    """Turns the ``Access`` placeholders of one generated function into Python.

    Objects on the way to a value (``order.customer`` of ``order.customer.email``) are looked up once, at
    ``hoisted``, and replaced by an empty Struct where the record has none: each read is then one attribute.
    """

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.hoisted: list[ast.stmt] = []
        self._locals: dict[tuple[str, ...], str] = {}
        self._temporaries = 0
        self._sure: dict[str, str] = {}

    def visit_Access(self, node: Access) -> ast.expr:
        if isinstance(node.key, int):
            call = ast.Call(_name("p_item"), [self.visit(node.value), ast.Constant(node.key)], [])
            return ast.copy_location(call, node)
        slot = self.projection.slot(_nodes(node)[0], node.key)
        if slot is None:
            call = ast.Call(_name("p_field"), [self.visit(node.value), ast.Constant(node.key)], [])
            return ast.copy_location(call, node)
        struct, attribute = slot
        path = _path(node.value)
        if path is not None:
            owner: ast.expr = _name(self._hoist(path, struct, node.value))
            return ast.copy_location(ast.Attribute(owner, attribute, ast.Load()), node)
        return self._checked(node, struct, attribute)

    def visit_For(self, node: ast.For) -> ast.For:
        """A loop over objects of which only keys are read: each item is made sure to be such an object, once."""
        node.iter = self.visit(node.iter)
        assert isinstance(node.target, ast.Name)
        variable = node.target.id
        struct = self._struct_of_items(variable, node.body)
        if struct is not None:
            self._sure[variable] = struct
        node.body = [self.visit(statement) for statement in node.body]
        if struct is not None:
            del self._sure[variable]
            test = ast.Compare(ast.Call(_name("type"), [_name(variable)], []), [ast.IsNot()], [_name(struct)])
            empty = ast.Assign([ast.Name(variable, ast.Store())], _name(self.projection.empty(struct)))
            node.body.insert(0, ast.copy_location(ast.If(test, [empty], []), node.body[0]))
        return node

    def _struct_of_items(self, variable: str, body: list[ast.stmt]) -> str | None:
        """The Struct type of a loop's items, if nothing but their keys is read; else None."""
        structs: set[str | None] = set()
        stepped: set[int] = set()
        names: set[int] = set()
        for node in within(body, (Access, ast.Name)):
            if isinstance(node, ast.Name) and node.id == variable:
                names.add(id(node))
            elif isinstance(node, Access) and isinstance(node.value, ast.Name) and node.value.id == variable:
                stepped.add(id(node.value))
                slot = self.projection.slot(_nodes(node)[0], node.key) if isinstance(node.key, str) else None
                structs.add(slot[0] if slot is not None else None)
        return structs.pop() if names == stepped and len(structs) == 1 else None

    def _checked(self, node: Access, struct: str, attribute: str) -> ast.expr:
        """``(t.k7 if type(t := value) is S3 else None)``: for values that are no fixed path of the record."""
        if isinstance(node.value, ast.Name) and self._sure.get(node.value.id) == struct:
            return ast.copy_location(ast.Attribute(node.value, attribute, ast.Load()), node)
        value: ast.expr = self.visit(node.value)
        subject = value
        if isinstance(value, ast.Name):
            owner = value.id
        else:
            self._temporaries += 1
            owner = f"t{self._temporaries}"
            subject = ast.NamedExpr(ast.Name(owner, ast.Store()), value)
        test = ast.Compare(ast.Call(_name("type"), [subject], []), [ast.Is()], [_name(struct)])
        read = ast.Attribute(_name(owner), attribute, ast.Load())
        return ast.copy_location(ast.IfExp(test, read, ast.Constant(None)), node)

    def _hoist(self, path: tuple[str, ...], struct: str, value: ast.expr) -> str:
        if not path:
            return "r"
        if path not in self._locals:
            read = self.visit(value)
            name = f"n{len(self._locals)}"
            self._locals[path] = name
            test = ast.Compare(ast.Call(_name("type"), [_name(name)], []), [ast.IsNot()], [_name(struct)])
            empty = ast.Assign([ast.Name(name, ast.Store())], _name(self.projection.empty(struct)))
            self.hoisted += [ast.Assign([ast.Name(name, ast.Store())], read), ast.If(test, [empty], [])]
        return self._locals[path]


def _nodes(access: Access) -> list[PathNode | Element]:
    """The places of the record that a step starts from: this module made them, and passed them out as origins."""
    return [origin for origin in access.origins if isinstance(origin, PathNode | Element)]


def _path(value: ast.expr) -> tuple[str, ...] | None:
    """The keys from the record to this value, or None if it is reached in any other way."""
    if isinstance(value, ast.Name):
        return () if value.id == "r" else None
    if isinstance(value, Access) and isinstance(value.key, str):
        above = _path(value.value)
        return None if above is None else (*above, value.key)
    return None


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def walk_paths(node: PathNode) -> Iterator[Path]:
    """Every path that is read, for reports on fields that nobody reads."""
    for child in node.children.values():
        found = child.find()
        yield found.path
        if not found.is_whole:
            yield from walk_paths(found)


def reads(value: Any, path: Path) -> bool:
    """Whether anything but emptiness stands at ``path`` of a plainly decoded record; of a list, in any element."""
    if type(value) is list:
        return any(reads(element, path) for element in value)
    if path:
        return type(value) is dict and reads(value.get(path[0]), path[1:])
    return not is_empty(value)
