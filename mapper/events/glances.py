"""What a few paths of a record can tell: when its events happened, and whether any event is meant for it.

Compiled only when it is asked for, by the same compiler, with a decoder of its own that reads less.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..compiler import nodes
from ..compiler.assembling import Assembler
from ..compiler.compiler import DROPPED, IGNORED, Compiler
from ..compiler.mapping import MappingSpec
from ..compiler.projection import Projection
from ..compiler.trees import Leaf
from ..destinations.destination import Destination
from ..errors import RecordError
from ..language.effort import renew
from ..language.scope import MISSING, Access
from ..language.values import Context, Undecided
from ..language.walking import within
from .results import BY_CONSENT, BY_RULE, NO_EVENT, Result, is_crowded

__all__ = ["Glance", "Times", "compile_glance", "compile_times"]


@dataclass(frozen=True, slots=True)
class Times:
    """When events happened, worked out alone: for records of which no event could be made.

    functions  event -> ``(record, context)`` -> Unix seconds or None; events of a loop have none
    """

    projection: Projection
    functions: Mapping[str, Callable[..., Any]]


def compile_times(spec: MappingSpec, destination: Destination) -> Times:
    """Compile only what gives each event its time."""
    compiler = Compiler(spec, destination, [])
    for name, place in spec.lets:
        compiler.expressions.declare(name, place)
    role, bodies = destination.roles.time, {}
    for event in spec.events:
        leaf = event.parameters.children.get(role or "")
        if not isinstance(leaf, Leaf) or event.part("for") is not None:
            continue
        expression = compiler.expressions.value(leaf.place, compiler.expressions.top)
        if expression is not None and expression.constant is MISSING:
            expression.whole()
            bodies[event.key] = compiler.prepared(destination.fields[role or ""], leaf, expression)
    lets = [let.expression.node for let in compiler.expressions.lets.values()]
    projection = Projection(compiler.root, within([*bodies.values(), *lets], Access), full=False)
    assembler = Assembler(compiler.expressions, projection, compiler.functions, spec.document.file)
    functions = {key: assembler.function("time", ("r", "ctx"), [[nodes.give(body)]], 1) for key, body in bodies.items()}
    return Times(projection, functions)


Glance = Callable[[bytes, Context], Result | None]
"""``(line, context)`` -> the result of a record that gives no event on purpose, told from its conditions alone.

None if it may give one, or if only the long way can tell: for what is wrong with a record, say.
"""


def compile_glance(spec: MappingSpec, destination: Destination) -> Glance | None:
    """Compile only the conditions; None if an event has none, for then every record concerns it."""
    whens = [event.part("when") for event in spec.events]
    compiler = Compiler(spec, destination, [])
    for name, place in spec.lets:
        compiler.expressions.declare(name, place)
    gate = compiler.gate()
    matches: list[ast.stmt] = []
    for when in whens:
        condition = compiler.expressions.condition(when, compiler.expressions.top) if when is not None else None
        if condition is None:
            return None
        matches.append(nodes.when(condition.node, [nodes.give(nodes.constant(True))]))
    matches.append(nodes.give(nodes.constant(False)))
    lets = [let.expression.node for let in compiler.expressions.lets.values()]
    projection = Projection(compiler.root, within([*gate, *matches, *lets], Access), full=False)
    assembler = Assembler(compiler.expressions, projection, compiler.functions, spec.document.file)
    return _glance(
        projection,
        assembler.function("gate", ("r", "ctx"), [gate], 1) if gate else None,
        assembler.function("matches", ("r", "ctx"), [[statement] for statement in matches], 1),
    )


def _glance(projection: Projection, gate: Callable[..., int] | None, matches: Callable[..., bool]) -> Glance:
    """The conditions, compiled, as one function.

    gate     what an ``ignore:`` rule or consent says of a record; None if the mapping has neither
    matches  whether the condition of any event holds
    """
    decode = projection.decoder.decode

    def glance(line: bytes, context: Context) -> Result | None:
        renew()
        if is_crowded(line):  # said where the others are said
            return None
        try:
            if not line.isascii():
                line.decode()
            data = decode(line)
            if gate is not None:
                answer = gate(data, context)
                if answer in (IGNORED, DROPPED):
                    return BY_RULE if answer == IGNORED else BY_CONSENT
            if not matches(data, context):
                return NO_EVENT
        except (ValueError, TypeError, OverflowError, RecursionError, RecordError, Undecided):
            pass
        context.reset()
        return None

    return glance
