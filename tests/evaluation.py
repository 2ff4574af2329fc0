"""Compile one expression or text and run it on a record, both ways of decoding at once."""

from __future__ import annotations

import ast
from typing import Any

import msgspec

from mapper.compiler.projection import Node, PathNode, Projection, Resolver
from mapper.errors import Problem, RecordError, Span
from mapper.language import effort
from mapper.language.expression import RUNTIME, Access, Lowering, Scope, Table, parse_bare, parse_text, runtime_tables
from mapper.language.values import Context, Undecided

NOW = 1_760_433_600.0


def at(start: int, end: int) -> Span:
    return Span("test.yaml", 1, start + 1, end + 1)


class Refused(Exception):
    """The text does not compile."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


class Compiled:
    """One text, compiled for projected decoding (or for full decoding)."""

    def __init__(self, source: str, *, bare: bool = False, tables: dict[str, Any] | None = None, full: bool = False):
        problems: list[Problem] = []
        self.root = PathNode()
        known = {key: value if isinstance(value, Table) else Table(key, value) for key, value in (tables or {}).items()}
        lowering = Lowering(Scope(self.root, retries=not full), at, known, problems, [source])
        parsed = (parse_bare if bare else parse_text)(source, at, problems)
        if parsed is not None:
            self.value = lowering.lower(parsed) if bare else lowering.text(parsed)
        if problems:
            raise Refused(problems)
        accesses = [node for node in ast.walk(self.value.ast) if isinstance(node, Access)]
        self.projection = Projection(self.root, accesses, full=full)
        resolver = Resolver(self.projection)
        made = resolver.visit(self.value.ast)
        body = [*resolver.hoisted, ast.Return(made)]
        arguments = ast.arguments([], [ast.arg("r"), ast.arg("ctx")], None, [], [], None, [])
        module = ast.Module([ast.FunctionDef("run", arguments, body, [])], [])
        ast.fix_missing_locations(module)
        self.tree = module
        namespace = {**RUNTIME, **self.projection.namespace, **runtime_tables(known)}
        exec(compile(module, "test.yaml", "exec"), namespace)  # noqa: S102
        self._run = namespace["run"]

    def __call__(self, record: Any, now: float = NOW) -> Any:
        data = self.projection.decoder.decode(msgspec.json.encode(record))
        effort.renew()
        return self._run(data, Context(now))

    def decode(self, record: Any) -> Any:
        return self.projection.decoder.decode(msgspec.json.encode(record))


def outcome(compiled: Compiled, record: Any) -> Any:
    """The result as plain values, or the error."""
    try:
        return plain(compiled(record))
    except RecordError as error:
        return error


def plain(value: Any) -> Any:
    """A value, or "an object" for one that is only partly decoded, because nothing looks at it as a whole."""
    members = value if type(value) is list else [value]
    return "an object" if any(isinstance(member, Node) for member in members) else value


def evaluate(source: str, record: Any = None, *, bare: bool = False, tables: dict[str, Any] | None = None) -> Any:
    """The value of a text for a record; the same for both ways of decoding, or an AssertionError."""
    projected = Compiled(source, bare=bare, tables=tables)
    full = Compiled(source, bare=bare, tables=tables, full=True)
    record = {} if record is None else record
    second = outcome(full, record)
    try:
        first = outcome(projected, record)
    except Undecided:
        first = second
    if isinstance(first, RecordError) and isinstance(second, RecordError):
        assert first.code == second.code
        raise first
    if first == "an object":
        return second
    assert first == second, f"{first!r} projected, {second!r} in full"
    assert type(first) is type(second)
    return first
