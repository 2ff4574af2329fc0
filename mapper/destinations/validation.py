"""Does an event, as it is sent, keep the rules of its destination?

A ``Validator`` is compiled from a destination once: one function per parameter, each with its findings ready, so that
an event that is fine costs little more than a look at its values. A finding names places and rules, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ..errors import Level
from .destination import Destination
from .fields import Field
from .leaves import Fault, Faults, Leaf, free_fault, leaf
from .personal import shown
from .rules import Condition, Rule, all_hold, is_nothing

_MAX_DEPTH: Final = 8

Check = Callable[[Any, str, "list[Finding]"], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with an event.

    path     where, from the event on: ``custom_data.contents[2].id``; "" for the event itself
    rule     the id of the rule
    message  what is wrong; names parameters, never values
    remedy   what to do about it
    """

    path: str
    rule: str
    level: Level
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.rule}]" if self.path else f"{self.message} [{self.rule}]"


def validate(destination: Destination, event: Any, now: float, *, strict: bool = False) -> list[Finding]:
    """Every finding for one event.

    event    as it is sent: cleaned and hashed
    now      the current time, Unix seconds; limits of age are the documented ones, without a margin
    strict   also what is accepted today but matches or reports badly
    """
    return validator(destination, strict).check(event, now)


@lru_cache(maxsize=16)
def validator(destination: Destination, strict: bool = False) -> Validator:
    """The compiled rules of a destination."""
    return Validator(destination, strict)


class Validator:
    """The rules of one destination, compiled. May be used from several threads."""

    def __init__(self, destination: Destination, strict: bool = False) -> None:
        self.destination = destination
        self._faults = Faults(destination.checks, destination.level, strict)
        self._event = self._object(destination.root)
        self._rules = _Index(destination)

    def check(self, event: Any, now: float) -> list[Finding]:
        """Every finding for one event as it is sent; see ``validate``."""
        found: list[Finding] = []
        if type(event) is not dict:
            fault = self._faults.wrong("", "an event is an object", "Send an object of parameters.")
            _report(found, "", fault)
            return found
        self._event(event, "", found)
        for rule, conditions in self._rules.of(event):
            if all_hold(conditions, event):
                for path in rule.find(event, now):
                    found.append(Finding(path, rule.id, rule.level, rule.explain([path]), rule.remedy))
        return (
            list({(one.path, one.rule, one.level): one for one in reversed(found)}.values())[::-1] if found else found
        )

    # -- one function per parameter ------------------------------------------------------------------------------

    def _object(self, field: Field) -> Check:
        """The check of an object: its known keys, keys it must have, keys it must not have."""
        table = {name: self._member(child) for name, child in (field.children or {}).items()}
        missing = {
            name: self._faults.missing(child)
            for name, child in (field.children or {}).items()
            if child.required and self._faults.missing(child) is not None
        }
        unknown = None if field.additional else self._faults.unknown(field)
        free = _free(self._faults)

        def check(value: Any, path: str, found: list[Finding]) -> None:
            for name, inner in value.items():
                entry = table.get(name)
                if entry is None:
                    where = f"{path}.{shown(name)}" if path else shown(name)
                    if unknown is not None:
                        _report(found, where, unknown)
                    elif field.additional:
                        free(inner, where, found)
                    continue
                test, deep = entry
                if deep is None:
                    if test is not None and (fault := test(inner)) is not None:
                        _report(found, f"{path}.{name}" if path else name, fault)
                elif test is None or type(inner) is not list or len(inner) != 1 or test(inner[0]) is not None:
                    deep(inner, f"{path}.{name}" if path else name, found)
            for name, fault in missing.items():
                inner = value.get(name)
                if not inner and is_nothing(inner):
                    _report(found, f"{path}.{name}" if path else name, fault)

        return check

    def _member(self, field: Field) -> tuple[Leaf | None, Check | None]:
        """A plain test for a single value; a check that builds paths for everything else.

        With both, the test of the one value of a list comes first, and the check is for all that is not so simple.
        """
        if field.kind == "object":
            return None, self._objects(field)
        if field.kind == "list":
            return None, self._positional(field)
        test = leaf(field, self._faults)
        return test, self._many(field, test) if field.many else None

    def _objects(self, field: Field) -> Check:
        inner = self._object(field)
        empty = self._faults.empty(field)
        wrong = self._faults.wrong_kind(field, "a list of objects" if field.many else "an object")

        def check_one(value: Any, path: str, found: list[Finding]) -> None:
            if type(value) is not dict:
                _report(found, path, empty if value is None or value == "" else wrong)
            elif value:
                inner(value, path, found)
            else:
                _report(found, path, empty)

        def check_all(value: Any, path: str, found: list[Finding]) -> None:
            if type(value) is not list:
                _report(found, path, empty if value is None or value == "" else wrong)
            elif not value:
                _report(found, path, empty)
            else:
                for i, one in enumerate(value):
                    check_one(one, f"{path}[{i}]", found)

        return check_all if field.many else check_one

    def _many(self, field: Field, test: Leaf) -> Check:
        empty = None if field.keep_empty else self._faults.empty(field)

        def check(value: Any, path: str, found: list[Finding]) -> None:
            if type(value) is not list:
                if (fault := test(value)) is not None:
                    _report(found, path, fault)
            elif not value:
                _report(found, path, empty)
            else:
                for i, one in enumerate(value):
                    if (fault := test(one)) is not None:
                        _report(found, f"{path}[{i}]", fault)

        return check

    def _positional(self, field: Field) -> Check:
        count = len(field.positions)
        tests = tuple(
            (leaf(place, self._faults), self._faults.missing(place, field.rule) if place.required else None)
            for place in field.positions
        )
        wrong = self._faults.wrong_kind(field, f"a list of exactly {count} places")
        empty = self._faults.empty(field)

        def check(value: Any, path: str, found: list[Finding]) -> None:
            if type(value) is not list or len(value) != count:
                _report(found, path, empty if value is None or value == "" or value == [] else wrong)
                return
            for i, ((test, missing), one) in enumerate(zip(tests, value, strict=True)):
                if one == "":
                    _report(found, f"{path}[{i}]", missing)
                elif (fault := test(one)) is not None:
                    _report(found, f"{path}[{i}]", fault)

        return check


def _report(found: list[Finding], path: str, fault: Fault | None) -> None:
    if fault is not None:
        found.append(Finding(path, *fault))


_Asked = tuple[Rule, tuple[Condition, ...]]


class _Index:
    """Finds the rules that can apply to an event, by one thing that each of them needs.

    That is a text of the event itself (``action_source: website``), or a parameter; some rules need neither.
    """

    def __init__(self, destination: Destination) -> None:
        children = (destination.root.children or {}).items()
        texts = {name for name, field in children if field.kind == "text" and not field.many}
        self._always: list[_Asked] = []
        self._by_key: dict[str, list[_Asked]] = {}
        self._by_value: dict[str, dict[str, list[_Asked]]] = {}
        for rule in destination.rules:
            if not rule.engine:
                self._add(rule, texts)

    def _add(self, rule: Rule, texts: Set[str]) -> None:
        needed = [one for one in rule.when if one.needs_it]
        for one in needed:
            if one.test == "is" and one.path in texts:
                rest = tuple(other for other in rule.when if other is not one)
                for value in one.values:
                    self._by_value.setdefault(one.path, {}).setdefault(value, []).append((rule, rest))
                return
        if needed:
            self._by_key.setdefault(needed[0].path.partition(".")[0], []).append((rule, rule.when))
        else:
            self._always.append((rule, rule.when))

    def of(self, event: Mapping[str, Any]) -> list[_Asked]:
        """The rules to ask about an event, each with the conditions that are still open."""
        found = self._always.copy()
        for name, rules in self._by_key.items():
            if name in event:
                found += rules
        for name, by_value in self._by_value.items():
            value = event.get(name)
            if type(value) is str:
                found += by_value.get(value, ())
        return found


def _free(faults: Faults) -> Check:
    """The check of a key of one's own: nothing empty, nothing that JSON cannot say, not too deep."""

    def check(value: Any, path: str, found: list[Finding], depth: int = _MAX_DEPTH) -> None:
        kind = type(value)
        if (kind is dict or kind is list) and value:
            if not depth:
                _report(found, path, faults.deep)
                return
            pairs = (
                ((f"{path}.{shown(name)}", inner) for name, inner in value.items())
                if kind is dict
                else ((f"{path}[{i}]", inner) for i, inner in enumerate(value))
            )
            for where, inner in pairs:
                check(inner, where, found, depth - 1)
        elif (fault := free_fault(value, faults)) is not None:
            _report(found, path, fault)

    return check
