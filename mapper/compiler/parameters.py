"""Declared parameters to the statements that build one event."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..destinations.cleaning import CODES
from ..destinations.cleaning.options import OPTIONS
from ..destinations.destination import Field
from ..errors import Problem
from ..language.scope import MISSING, Scope
from ..language.values import Context, is_empty
from . import nodes
from .lists import ListBuilding
from .lowered import Expression
from .parts import Part, Requirement, Whole, long_form, names_field, placed
from .projection import Path
from .shaping import copier, shaper
from .trees import COPIED, Branch, Items, Leaf, ParameterSpec, Place, as_leaf


class Builder(ListBuilding):
    """Builds one event."""

    def event(self, scope: Scope, role: str, named: Part | None) -> list[ast.stmt]:
        """The statements that give the event, or the requirements that came out empty."""
        first = {} if named is None else {role: named}
        part = self.object(self.tree, self.destination.root, scope, first)
        self._check_required()
        assert isinstance(part.value, ast.Name)
        complete = nodes.is_none(nodes.name("m"))
        answer = nodes.give(ast.IfExp(complete, part.value, nodes.name("m")))
        return [nodes.assign("m", nodes.NONE), *part.statements, answer]

    def named(self, name: str, place: Place, known: Field) -> Part | None:
        """The event's name as the mapping's own key says it."""
        return self._literal(name, Leaf(place), known, is_key=True)

    def _check_required(self) -> None:
        for path, asked in self.required.items():
            if path in self.produced:
                continue
            known = self.destination.field(path)
            about = known.about if known is not None else ""
            message = f"{path} is required, and nothing in the mapping gives it"
            self.problems.append(
                Problem(asked.span, "missing-parameter", message, f"Add it below 'parameters'. {about}")
            )

    def object(self, spec: Branch, into: Field, scope: Scope, first: Mapping[str, Part] | None = None) -> Part:
        """An object of parameters; each child is put in when it is not empty.

        first   parts that are made already, which the object begins with
        """
        target = self._fresh("d")
        constants: dict[str, Any] = {}
        statements: list[ast.stmt] = []
        copied = self._copied(spec, into, scope) if COPIED in spec.children else None
        whole: Whole | None = Whole([], {}) if spec is self._item and COPIED not in spec.children else None
        for key, part in (first or {}).items():
            self.produced.add(key)
            if part.constant is not MISSING:
                constants[key] = part.constant
            else:
                statements += self._stored(target, key, key, part, spec.place)
        for key, child in spec.children.items():
            if key in (first or {}) or key == COPIED:
                continue
            path = f"{into.path}.{key}" if into.path else key
            known = self._child(into, key, path)
            if known is None:
                self._unknown(key, child.place, into)
                continue
            before = len(self.problems)
            made = self.parameter(child, known, scope)
            if made is None:
                if len(self.problems) > before:  # it is there, if wrong: nothing is missing
                    self.produced.add(path)
                    self._open_children(known)
                continue
            part = made
            self.produced.add(path)
            if whole is not None:
                whole, part = self._named(whole, key, path, part, child.place)
                if whole is not None and part is not made:
                    statements.append(whole.statements[-1])
            if part.constant is not MISSING and not statements and copied is None:
                constants[key] = part.constant
            else:
                statements += self._stored(target, key, path, part, child.place)
        begun = nodes.assign(target, copied.value if copied is not None else nodes.constant(constants))
        if copied is not None:
            return Part(nodes.name(target), [begun, *statements], gathers=True, paths=copied.paths)
        if whole is not None and whole.statements:
            rest = [one for one in statements if not any(one is named for named in whole.statements)]
            return Part(nodes.name(target), [begun, *rest], gathers=True, whole=whole)
        return Part(nodes.name(target), [begun, *statements], gathers=True)

    def _child(self, into: Field, key: str, path: str) -> Field | None:
        """The parameter behind a key of an object, or None if there is none."""
        if into.kind == "any":  # below a free key everything is free
            return replace(into, path=path, name=key, many=False)
        return (into.children or {}).get(key) or (self.destination.field(path) if into.additional else None)

    def _copied(self, spec: Branch, into: Field, scope: Scope) -> Part | None:
        """``...: expression``: what the object begins with. Keys whose value is null are not copied."""
        copied = spec.children[COPIED]
        expression = self.expressions.value(copied.place, scope) if isinstance(copied, Leaf) else None
        if isinstance(copied, Leaf) and expression is None:
            self._open_children(into)
            return None  # wrong, and said so
        if not into.path or not isinstance(copied, Leaf) or expression is None or expression.constant is not MISSING:
            message = f"'{COPIED}' takes an expression that gives an object, whose keys are copied"
            hint = f'Write: {COPIED}: "{{{{ properties }}}}".'
            if not into.path:
                message = f"'{COPIED}' cannot stand at the top of an event"
                hint = "It copies keys into an object of the event, such as custom_data."
            self.problems.append(Problem(copied.place.span(), "wrong-type", message, hint))
            return None
        expression.whole()
        self.open.add(into.path)
        self._open_children(into)
        self.declare(into, copied, expression)
        taken = [key for key, child in spec.children.items() if isinstance(child, Leaf) and child.value is None]
        begin = self.prepared(copier(into, taken))
        value = placed([nodes.assign("v", nodes.call(begin, expression.node, nodes.name("ctx")))], copied.place.span())
        assert isinstance(value[0], ast.Assign)
        return Part(value[0].value, paths=expression.paths)

    def _named(self, whole: Whole, key: str, path: str, part: Part, place: Place) -> tuple[Whole | None, Part]:
        """``part`` as one of an object that may be written down in one step; None if it cannot be."""
        if part.constant is not MISSING:
            return Whole(whole.statements, {**whole.values, key: nodes.constant(part.constant)}), part
        if part.statements or part.gathers or path in self.open or isinstance(part.value, ast.Name):
            return None, part
        variable = nodes.name(self._fresh("w"))
        named = placed([nodes.assign(variable.id, part.value)], place.span())
        return Whole([*whole.statements, *named], {**whole.values, key: variable}), replace(
            part, value=nodes.name(variable.id)
        )

    def _stored(self, target: str, key: str, path: str, part: Part, place: Place) -> list[ast.stmt]:
        """``part`` put into an object unless it is empty; where it is required, that is noted instead."""
        if part.constant is not MISSING:
            return [nodes.put(target, key, nodes.constant(part.constant))]
        copied = path.rpartition(".")[0] in self.open  # what is copied may have it: asked for when all is there
        otherwise = [] if copied else self._missed(path, place, part.paths)
        statements = list(part.statements)
        if isinstance(part.value, ast.Name):
            variable = part.value.id
        else:
            variable = "v"
            statements.append(nodes.assign(variable, part.value))
        value = nodes.name(variable)
        test = value if part.gathers else nodes.is_not_none(value)
        statements.append(nodes.when(test, [nodes.put(target, key, value)], otherwise))
        if path in self.open:
            statements += self._missed_inside(path, target, place, part.paths)
        elif part.gathers:
            statements += self._missed_children(path, variable, place)
        return placed(statements, place.span())

    def _missed(self, path: str, place: Place, paths: tuple[Path, ...]) -> list[ast.stmt]:
        asked = self.required.get(path)
        if asked is None:
            return []
        span = asked.span if asked.rule == "" and not paths else place.span()
        self.requirements.append(Requirement(path, span, asked.rule, paths))
        return [nodes.assign("m", nodes.call("miss", nodes.name("m"), nodes.constant(len(self.requirements) - 1)))]

    def _missed_inside(self, path: str, target: str, place: Place, paths: tuple[Path, ...]) -> list[ast.stmt]:
        """Required parameters of an object whose keys are known only when a record is mapped."""
        statements: list[ast.stmt] = []
        asked = {one.parameter for one in self.requirements}
        for inner in self.required:
            if inner.startswith(f"{path}.") and inner not in asked:
                self.produced.add(inner)
                keys = (path.rpartition(".")[2], *inner[len(path) + 1 :].split("."))
                lacking = nodes.call("lacks", nodes.name(target), *map(nodes.constant, keys))
                statements.append(nodes.when(lacking, self._missed(inner, place, paths)))
        return statements

    def _missed_children(self, path: str, variable: str, place: Place) -> list[ast.stmt]:
        """What the destination requires of an object that is there (an item without its id)."""
        known = self.destination.field(path)
        if known is None or known.many or not known.children:
            return []
        checks = self._incomplete(known, variable, place)
        return [nodes.when(nodes.name(variable), checks)] if checks else []

    def _unknown(self, key: str, place: Place, into: Field) -> None:
        if key in self.destination.envelope and not into.path:
            hint = (
                "Say it when you send: --test-event-code."
                if "test" in key
                else "It belongs to a request, not to an event."
            )
            message = f"'{key}' does not belong in a mapping"
            self.problems.append(Problem(place.key_span(), "request-parameter", message, hint))
            return
        names = list(into.children or {})
        close = _nearest(key, into)
        elsewhere = [path for path in self.destination.fields if path.rpartition(".")[2] == key]
        if elsewhere:
            above = elsewhere[0].rpartition(".")[0]
            hint = f"{self.destination.title} has it as {elsewhere[0]}: indent it below '{above}'."
            if "." not in elsewhere[0]:
                hint = f"{self.destination.title} has it at the top of the event, not in {into.path}."
        elif close is not None:
            label = f" ({close.label})" if close.label and close.label.lower() != close.name else ""
            hint = f"Did you mean '{close.name}'{label}?"
        elif own := [name for name, child in (into.children or {}).items() if child.additional and not child.many]:
            hint = f"A parameter of your own goes below '{own[0]}'."
        else:
            hint = f"'{into.path}' takes: {', '.join(sorted(names))}."
        where = f"in '{into.path}'" if into.path else "at the top of an event"
        message = f"{self.destination.title} has no parameter '{key}' {where}"
        self.problems.append(Problem(place.key_span(), "unknown-parameter", message, hint))

    def parameter(self, spec: ParameterSpec, known: Field, scope: Scope) -> Part | None:
        """One declared parameter, or None if it says nothing or is wrong (the problem is noted)."""
        if isinstance(spec, Branch):
            if self._is_broken_loop(spec, known):
                return None
            long = long_form(spec, known)
            if long is not None:
                return self.leaf(long, known, scope)
            if known.kind == "list":
                return self._by_position(spec, known, scope)
            if known.kind not in ("object", "any"):
                return self._wrong(spec, known, "an object")
            part = self.object(spec, known, scope)
            if not known.many or known.kind == "any":
                return part
            return self._list_of_one(part, known, spec)
        if isinstance(spec, Leaf):
            return self.leaf(spec, known, scope)
        if isinstance(spec, Items):
            if known.kind == "list":
                return self._positional(list(spec.members), known, scope, spec)
            if not known.many and known.kind != "any":
                return self._wrong(spec, known, "a list")
            return self._members(spec, known, scope)
        if not known.many and known.kind != "any":
            return self._wrong(spec, known, "a list (for … each)")
        return self._loop(spec, known, scope)

    def leaf(self, spec: Leaf, known: Field, scope: Scope) -> Part | None:
        """One value: prepared now if it is literal, else when a record is mapped."""
        self._check_options(spec, known)
        expression = self.expressions.value(spec.place, scope)
        if expression is None:
            return None
        condition = None
        if spec.condition is not None:
            condition = self.expressions.condition(spec.condition, scope)
        literal = self.declare(known, spec, expression)
        if literal and known.kind == "time":
            self._fit(expression.constant, spec, known)
        elif literal and condition is None and known.companion is None:
            return self._literal(expression.constant, spec, known)
        if not known.is_leaf:
            if literal:
                return self._wrong(spec, known, "text")
            expression.whole()
            self.open.add(known.path)
            self._open_children(known)
            value = nodes.call(self.prepared(shaper(known)), expression.node, nodes.name("ctx"))
        else:
            expression.whole()
            value = self._prepared(expression, spec, known, scope)
        if condition is not None:
            value = ast.IfExp(condition.node, value, nodes.NONE)
        return Part(value, paths=expression.paths)

    def _prepared(self, expression: Expression, spec: Leaf, known: Field, scope: Scope) -> ast.expr:
        prepare = self.prepared(known.preparer(spec.options))
        arguments = [expression.node, nodes.name("ctx")]
        if known.companion is not None:
            other = self._companion(known.companion, scope)
            if other is not None:
                arguments.append(other)
        return nodes.call(prepare, *arguments)

    def _companion(self, path: str, scope: Scope) -> ast.expr | None:
        """The value that another parameter is made from (a postal code is read by its country)."""
        spec: ParameterSpec | None = self.tree
        for key in path.split("."):
            spec = spec.children.get(key) if isinstance(spec, Branch) else None
        if isinstance(spec, Branch):
            spec = as_leaf(spec)
        if not isinstance(spec, Leaf):
            return None
        expression = self.expressions.value(spec.place, scope)
        if expression is None:
            return None
        expression.whole()
        return nodes.constant(expression.constant) if expression.constant is not MISSING else expression.node

    def _literal(self, value: Any, spec: Leaf, known: Field, *, is_key: bool = False) -> Part | None:
        if not known.is_leaf:
            if is_empty(value):
                return None
            return self._wrong(spec, known, "a single value")
        prepared = self._fit(value, spec, known, is_key=is_key)
        if prepared is None:
            return None
        self.literals[known.path] = prepared
        return Part(constant=prepared)

    def _fit(self, value: Any, spec: Leaf, known: Field, *, is_key: bool = False) -> Any:
        """A value that is written out, prepared; None if it is empty or cannot be sent, which is noted.

        is_key   whether it is not the value at its place, but the key
        """
        context = Context(0.0)
        prepared = known.preparer(spec.options)(value, context)
        if not context.warnings and (prepared is not None or is_empty(value)):
            return prepared
        code = context.warnings[0][0] if context.warnings else "bad-value"
        message = f"{known.path} cannot take this value: {CODES.get(code, code)}"
        hint = f"{known.about}" if not known.allowed else f"It is one of: {', '.join(map(str, known.allowed))}."
        if code == "too-long":
            hint = f"At most {known.max_length} characters. {known.about}"
        elif isinstance(value, str) and (names_field(value) or (value.isidentifier() and not known.allowed)):
            hint = f'For the field of the record write "{{{{ {value.strip()} }}}}".'
        span = spec.place.key_span() if is_key else spec.place.span()
        self.problems.append(Problem(span, "bad-literal", message, hint))
        return None

    def _check_options(self, spec: Leaf, known: Field) -> None:
        for option, given in spec.options.items():
            place = Place(spec.place.document, (*spec.place.path[:-1], option))
            if option not in known.options:
                names = sorted({"value", "if", *known.options})
                close = difflib.get_close_matches(option, names, 1)
                hint = f"Did you mean '{close[0]}'?" if close else f"Beside 'value' it takes: {', '.join(names)}."
                message = f"{known.path} has no option '{option}'"
                self.problems.append(Problem(place.key_span(), "unknown-option", message, hint))
            elif option in OPTIONS and not OPTIONS[option].fits(given):
                message = f"'{option}' takes {OPTIONS[option].takes}"
                computed = isinstance(given, str) and "{{" in given
                self.problems.append(place.problem("bad-option", message, OPTIONS[option].instead if computed else ""))

    def _open_children(self, known: Field) -> None:
        for path in self.destination.fields:
            if path.startswith(f"{known.path}."):
                self.produced.add(path)


def _nearest(key: str, into: Field) -> Field | None:
    """The parameter whose name, or whose name on the destination's own pages, is spelt most like ``key``."""
    spelt: dict[str, Field] = {}
    for child in (into.children or {}).values():
        for text in (*child.labels, child.label, child.name):
            spelt[_letters(text)] = child
    close = difflib.get_close_matches(_letters(key), [text for text in spelt if text], 1, 0.6)
    return spelt[close[0]] if close else None


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
