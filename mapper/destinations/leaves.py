"""The checks of single values as they are sent, one function per parameter, with every finding prepared beforehand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import Level
from ..language.values import Context
from .fields import KINDS, Field

Fault = tuple[str, Level, str, str]
"""Rule, level, message, remedy: a finding without its path."""

Leaf = Callable[[Any], Fault | None]

NOTHING_HASHED: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of the empty text: everybody without a value would become the same person."""

MILLISECONDS: Final = 100_000_000_000
"""A time from here on can only be milliseconds: as seconds it would be in the year 5138."""

_HASH: Final = re.compile(r"[0-9a-f]{64}(?:\.(?:[A-Za-z0-9_-]{8}|[A-Z][QAgw]))?\Z")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}\Z")
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}\Z")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?\Z")


class Faults:
    """Makes findings for one destination: the ids of the engine's checks and their levels; None for what is off."""

    def __init__(self, checks: Mapping[str, str], level: Callable[[str], Level | None], strict: bool) -> None:
        self._checks = checks
        self._level = level
        self.strict = strict
        remedy = "Leave the parameter out."
        self.nothing = self.make(self.id("empty-values"), "an empty value says nothing", remedy)
        number = "this number cannot be written in JSON"
        self.infinite = self.make(self.id("empty-values"), number, remedy, level="error")
        self.deep = self.make(self.id("types"), "objects and lists lie too deep in one another", "Send less.")

    def id(self, check: str) -> str:
        return self._checks.get(check, check)

    def make(self, rule: str, message: str, remedy: str, *, level: Level | None = None) -> Fault | None:
        set_level = "warning" if rule == "empty-values" else self._level(rule)
        return None if set_level is None else (rule, level or set_level, message, remedy)

    def of(self, field: Field) -> str:
        """The rule under which a wrong value of a parameter is reported."""
        return field.rule or self.id("types")

    def wrong(self, rule: str, message: str, remedy: str) -> Fault | None:
        return self.make(rule or self.id("types"), message, remedy)

    def wrong_kind(self, field: Field, wanted: str) -> Fault | None:
        return self.make(self.of(field), f"{field.name} must be {wanted}", f"Send {wanted}.")

    def lenient(self, field: Field, is_sent: str) -> Fault | None:
        """For what is accepted although another type is documented."""
        message = f"{field.name} is {is_sent} where {KINDS[field.kind]} is documented"
        return self.make(self.id("types"), message, f"Send {KINDS[field.kind]}.", level="warning")

    def missing(self, field: Field, rule: str = "") -> Fault | None:
        message = f"{field.name} is missing"
        return self.make(rule or self.of(field), message, f"Send {field.name}: {field.about or field.label}")

    def empty(self, field: Field) -> Fault | None:
        return self.make(self.id("empty-values"), f"{field.name} is empty", "Leave the parameter out.")

    def unknown(self, field: Field) -> Fault | None:
        rule = self.id("unknown-keys")
        where = f"in {field.name or field.label}"
        known = ", ".join(list(field.children or {})[:8])
        return self.make(
            rule, f"there is no such parameter {where}", f"Known are {known} and others; check the spelling."
        )


class _Muted(Context):
    """A context whose warnings nobody reads."""

    __slots__ = ()

    def warn(self, code: str, path: str) -> None:
        return None


def free_fault(value: Any, faults: Faults) -> Fault | None:
    """What is wrong with a single value of a key of one's own."""
    if type(value) is str:
        return None if value else faults.nothing
    if value is None or value == [] or value == {}:
        return faults.nothing
    return faults.infinite if type(value) is float and not math.isfinite(value) else None


def leaf(field: Field, faults: Faults) -> Leaf:
    """The check of one value of a parameter."""
    if field.hash:
        return _hashed(field, faults)
    if field.kind == "text":
        return _text(field, faults)
    if field.kind in ("number", "integer", "time"):
        return _numeric(field, faults)
    if field.kind in ("boolean", "flag"):
        return _boolean(field, faults)
    return lambda value: free_fault(value, faults)


def _hashed(field: Field, faults: Faults) -> Leaf:
    rule = faults.id("not-hashed")
    empty = faults.empty(field)
    remedy = "Clean the value as documented and send its SHA-256 in lower-case hex."
    plain = faults.make(rule, f"{field.name} is not a SHA-256 hash in lower-case hex", remedy)
    nothing = faults.make(
        rule, f"{field.name} is the hash of an empty text", "Never hash an empty value: leave it out."
    )
    raw = faults.make(rule, f"{field.name} is not hashed", remedy, level="warning") if faults.strict else None
    is_hash = _HASH.match

    def check(value: Any) -> Fault | None:
        if type(value) is str:
            if is_hash(value):
                return nothing if value == NOTHING_HASHED else None
            if not value:
                return empty
            return raw if field.may_be_raw and not _HEX.match(value) else plain
        return empty if value is None or value == [] else plain

    return check


def _text(field: Field, faults: Faults) -> Leaf:
    empty = faults.empty(field)
    wrong = faults.wrong_kind(field, "text")
    number = faults.lenient(field, "a number")
    long = faults.make(faults.of(field), f"{field.name} is longer than {field.max_length} characters", "Shorten it.")
    listed = ", ".join(map(str, field.allowed[:12])) + (", …" if len(field.allowed) > 12 else "")
    other = faults.make(faults.of(field), f"{field.name} is none of the values it may have", f"Send one of: {listed}.")
    rule = faults.id("hashed-by-mistake")
    hashed = faults.make(rule, f"{field.name} looks hashed, but must not be", "Send the value as it is.")
    allowed, longest, never_hash = frozenset(field.allowed), field.max_length or 1 << 30, field.never_hash
    form = _form(field, faults)

    def check(value: Any) -> Fault | None:
        if type(value) is not str:
            if value is None or value == [] or value == {}:
                return empty
            return number if type(value) in (int, float) and not allowed else wrong
        if not value:
            return empty
        if allowed:
            return None if value in allowed else other
        if len(value) > longest:
            return long
        if never_hash and len(value) == 64 and _HEX.match(value):
            return hashed
        return form(value) if form is not None else None

    return check


def _form(field: Field, faults: Faults) -> Leaf | None:
    """For a parameter with cleaning steps: whether they can use the value, and whether they leave it as it is."""
    if not field.cleaned:
        return None
    prepare = field.preparer()
    unusable = faults.make(faults.of(field), f"{field.name} does not have the form it needs", f"Send: {field.about}")
    message = f"{field.name} is not in the form that is recommended"
    changed = faults.make(faults.id("types"), message, "Let the destination's cleaning do it.", level="warning")
    other = changed if faults.strict else None
    muted = _Muted(0.0)

    def check(value: Any) -> Fault | None:
        prepared = prepare(value, muted)
        if prepared == value:
            return None
        return unusable if prepared is None else other

    return check


def _numeric(field: Field, faults: Faults) -> Leaf:
    whole = field.kind != "number"
    wanted = KINDS[field.kind]
    empty, wrong, text = faults.empty(field), faults.wrong_kind(field, wanted), faults.lenient(field, "text")
    fraction = faults.lenient(field, "a number with a point")
    infinite = faults.infinite
    milliseconds = faults.make(
        faults.of(field), f"{field.name} can only be in milliseconds", "Send seconds: divide by 1000."
    )
    beyond = faults.make(faults.of(field), f"{field.name} is not {_range(field)}", f"Send {_range(field)}.")
    low = -math.inf if field.min is None else field.min
    high = math.inf if field.max is None else field.max
    allowed, is_time = frozenset(field.allowed), field.kind == "time"
    digits = (_INTEGER if whole else _NUMBER).match

    def number(value: float) -> Fault | None:
        if is_time and abs(value) >= MILLISECONDS:
            return milliseconds
        return None if low <= value <= high and (not allowed or value in allowed) else beyond

    def check(value: Any) -> Fault | None:
        kind = type(value)
        if kind is int:
            return number(value)
        if kind is float:
            if not math.isfinite(value):
                return infinite
            if whole:
                return (number(value) or fraction) if value == int(value) and not is_time else wrong
            return number(value)
        if value is None or value == "" or value == [] or value == {}:
            return empty
        if kind is str and not is_time and digits(value):
            return number(float(value)) or text
        return wrong

    return check


def _range(field: Field) -> str:
    if field.allowed:
        return "one of " + ", ".join(map(str, field.allowed))
    if field.min is not None and field.max is not None:
        return f"between {field.min} and {field.max}"
    return f"at least {field.min}" if field.max is None else f"at most {field.max}"


def _boolean(field: Field, faults: Faults) -> Leaf:
    empty, wrong = faults.empty(field), faults.wrong_kind(field, KINDS[field.kind])
    lenient = faults.lenient(field, "written otherwise")
    fine: tuple[type, ...] = (bool,) if field.kind == "boolean" else (bool, int)

    def check(value: Any) -> Fault | None:
        if type(value) in fine:
            return None if value in (0, 1) else wrong
        if value is None or value == "" or value == []:
            return empty
        return lenient if value in (0, 1, "0", "1", "true", "false") else wrong

    return check
