"""What a value means to a mapping: when it is empty or true, how values compare, add up and become text.

A value is what JSON holds: None, a boolean, a number, text, a list or an object with text keys. *Empty* is
one thing with many faces: None (absent and null alike), text that is blank once trimmed, a list without
members, an object without keys. ``0`` and ``False`` are values. Everything here costs a bounded amount of
time and memory, and never puts a value into a message.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

from ..errors import RecordError
from .effort import LARGE, MANY, MEMBER, spend, spend_on

MAX_STEPS: Final = 10_000  # members that loops may visit in one record
MAX_ITEMS: Final = 10_000  # members of one list or object that an expression makes
MAX_TEXT: Final = 1_048_576  # characters of one text that an expression makes
MAX_REPEATED: Final = 65_536  # characters of text repeated with ``*``
MAX_BITS: Final = 1_024  # size of a whole number
MAX_EXPONENT: Final = 64
MAX_DEPTH: Final = 64  # objects in objects that comparing and pruning follow


@dataclass(slots=True)
class Context:
    """What one record's expressions share besides the record.

    ``now`` is the time in Unix seconds, ``shift`` the seconds added to the times of events (samples that are
    replayed), ``steps`` how many members loops have visited, ``warnings`` pairs of a code and the path of a
    parameter.
    """

    now: float
    shift: float = 0
    steps: int = 0
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def warn(self, code: str, path: str) -> None:
        """Note that the value for ``path`` was left out, and why."""
        self.warnings.append((code, path))

    def reset(self) -> None:
        """Forget steps and warnings, before the next event."""
        self.steps = 0
        self.warnings = []


def kind(value: Any) -> str:
    """What a message calls a value: its type, never the value."""
    if is_empty(value):
        return "nothing"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")


def is_empty(value: Any) -> bool:
    """Whether a value counts as absent: None, blank text, ``[]`` or ``{}``; never 0 or False."""
    if value is None:
        return True
    found = type(value)
    if found is str:
        return not value or value.isspace()
    return (found is list or found is dict) and not value


def truth(value: Any) -> bool:
    """Whether a condition holds: not if empty, ``False`` or 0. The text ``"false"`` is text: true."""
    if value is None or value is False:
        return False
    found = type(value)
    if found is str:
        return bool(value) and not value.isspace()
    if found is list or found is dict or found is int or found is float:
        return bool(value)
    return True


class Undecided(Exception):  # noqa: N818  (no error: a reason to decode a record again)
    """Of an object, no key was decoded that it has: whether it is empty shows only when it is decoded whole."""


def is_void(value: Any) -> bool:
    """``is_empty`` for a value that may be an object of which only some keys are decoded.

    raises  Undecided if the object has none of those
    """
    if not isinstance(value, msgspec.Struct):
        return is_empty(value)
    for key in value.__struct_fields__:
        if getattr(value, key) is not None:
            return False
    raise Undecided


def holds(value: Any) -> bool:
    """``truth`` for a value that may be an object of which only some keys are decoded; raises as ``is_void``."""
    return truth(value) and (type(value) in _SCALARS or not is_void(value))


def visited(value: Any, context: Context, weight: int = MEMBER) -> list[Any]:
    """``each`` for a value that may be an object of which only some keys are decoded; raises as ``is_void``."""
    if type(value) is not list:
        is_void(value)
    return each(value, context, weight)


def each(value: Any, context: Context, weight: int = MEMBER) -> list[Any]:
    """What a loop visits: the members of a list, nothing if empty, and anything else as a list of one.

    weight   what is done for one member, in the units of ``effort``
    raises   RecordError "limit" once the loops of an event have visited 10,000 members, or those of a record have done
             too much
    """
    if type(value) is not list:
        value = [] if is_empty(value) else [value]
    items: list[Any] = value
    context.steps += len(items)
    if context.steps > MAX_STEPS:
        raise RecordError("limit", f"the loops of one record visit more than {MAX_STEPS:,} members")
    spend(len(items) * weight)
    return items


def eq(a: Any, b: Any) -> bool:
    """Equal: both empty, or of one kind and the same. ``True`` is not 1, nor is ``"1"``; ``1.0`` is."""
    return _same(a, b, MAX_DEPTH)


def ne(a: Any, b: Any) -> bool:
    """Not equal."""
    return not _same(a, b, MAX_DEPTH)


def _same(a: Any, b: Any, depth: int) -> bool:
    kind_a, kind_b = type(a), type(b)
    if kind_a is str and kind_b is str:
        return a == b or (is_empty(a) and is_empty(b))
    if is_empty(a) or is_empty(b):
        return is_empty(a) and is_empty(b)
    if depth == 0:
        raise RecordError("limit", f"values nested deeper than {MAX_DEPTH} cannot be compared")
    if kind_a is list or kind_a is dict:
        spend((len(a) + 1) * MEMBER)
    if kind_a is list and kind_b is list:
        return len(a) == len(b) and all(_same(x, y, depth - 1) for x, y in zip(a, b, strict=True))
    if kind_a is dict and kind_b is dict:
        return a.keys() == b.keys() and all(_same(a[key], b[key], depth - 1) for key in a)
    if kind_a is bool or kind_b is bool:
        return a is b
    return bool(a == b)


def gt(a: Any, b: Any) -> bool:
    """``a > b`` for two numbers or two texts; False if either is empty."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        return bool(a > b)
    return _orderable(a, b) and bool(a > b)


def lt(a: Any, b: Any) -> bool:
    """``a < b`` for two numbers or two texts; False if either is empty."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        return bool(a < b)
    return _orderable(a, b) and bool(a < b)


def ge(a: Any, b: Any) -> bool:
    """``a >= b`` for two numbers or two texts; False if either is empty."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        return bool(a >= b)
    return _orderable(a, b) and bool(a >= b)


def le(a: Any, b: Any) -> bool:
    """``a <= b`` for two numbers or two texts; False if either is empty."""
    if type(a) in _NUMBERS and type(b) in _NUMBERS:
        return bool(a <= b)
    return _orderable(a, b) and bool(a <= b)


def contains(container: Any, item: Any) -> bool:
    """``item in container``: part of a text, member of a list, key of an object; False if either is empty."""
    if is_empty(container) or is_empty(item):
        return False
    found = type(container)
    if found is list or found is str:
        spend_on(container)
    if found is list:
        return any(_same(member, item, MAX_DEPTH) for member in container)
    if type(item) is str and (found is str or found is dict):
        return item in container
    raise RecordError("wrong-type", f"{kind(container)} cannot contain {kind(item)}")


def step(value: Any, key: Any) -> Any:
    """``value[key]``: behind a key of an object, at an index of a list or a text; None where nothing is."""
    if type(value) is dict:
        return value.get(key if type(key) is str else piece(key))
    if (type(value) is list or type(value) is str) and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else None
    return None


def cut(value: Any, start: Any, stop: Any) -> Any:
    """``value[start:stop]`` of a list or a text; None if the value is empty."""
    if is_empty(value):
        return None
    if type(value) is not list and type(value) is not str:
        raise RecordError("wrong-type", f"{kind(value)} has no parts; a slice is of a list or of text")
    for bound in (start, stop):
        if bound is not None and type(bound) is not int:
            raise RecordError("wrong-type", "the bounds of a slice are whole numbers")
    return value[start:stop]


def add(a: Any, b: Any) -> Any:
    """``a + b``: two numbers, two texts or two lists; None if either is empty."""
    if type(a) is type(b) and type(a) in (str, list) and not is_empty(a) and not is_empty(b):
        return sized(a + b)
    return _calculate("add", operator.add, a, b)


def sub(a: Any, b: Any) -> Any:
    """``a - b`` of two numbers; None if either is empty."""
    return _calculate("subtract", operator.sub, a, b)


def mul(a: Any, b: Any) -> Any:
    """``a * b`` of two numbers; None if either is empty. Text is not repeated: ``"2.5" * 2`` is an error."""
    return _calculate("multiply", operator.mul, a, b)


def repeat(a: Any, b: Any) -> Any:
    """``'ab' * 3``, a text that is written out, repeated up to 65,536 characters; None if either is empty."""
    written, count = (a, b) if type(a) is str else (b, a)
    if type(count) is not int or type(written) is not str or is_empty(written):
        return _nothing("multiply", a, b)
    if len(written) * count > MAX_REPEATED:
        raise RecordError("limit", f"repeated text is longer than {MAX_REPEATED:,} characters")
    return written * max(count, 0)


def div(a: Any, b: Any) -> Any:
    """``a / b`` of two numbers, with a fraction: ``7 / 2`` is 3.5; None if either is empty."""
    return _calculate("divide", operator.truediv, a, b)


def floordiv(a: Any, b: Any) -> Any:
    """``a // b``: how many whole times ``b`` goes into ``a``; None if either is empty."""
    return _calculate("divide", operator.floordiv, a, b)


def mod(a: Any, b: Any) -> Any:
    """``a % b``: the rest of the division; None if either is empty. Never formats text."""
    return _calculate("divide", operator.mod, a, b)


def power(a: Any, b: Any) -> Any:
    """``a ** b`` with an exponent from -64 to 64; None if either is empty."""
    if type(b) in _NUMBERS and not -MAX_EXPONENT <= b <= MAX_EXPONENT:
        raise RecordError("limit", f"an exponent lies between -{MAX_EXPONENT} and {MAX_EXPONENT}")
    return _calculate("raise to a power", operator.pow, a, b)


def neg(a: Any) -> Any:
    """``-a`` of a number; None if it is empty."""
    return -a if type(a) in _NUMBERS else _nothing("negate", a)


def text(value: Any) -> str:
    """A text, number or boolean as text.

    Numbers are written as people write them: no exponent, no ``.0``, no noise behind the fifteenth digit
    (``0.1 + 0.2`` is ``0.3``). Booleans are ``true`` and ``false``.

    raises  RecordError "wrong-type" for a list or an object
    """
    found = type(value)
    if found is str:
        return str(value)
    if found is int:
        return str(value)
    if found is float:
        return _decimal(value)
    if found is bool:
        return "true" if value else "false"
    raise RecordError("wrong-type", f"{kind(value)} cannot become text by itself; use join or tojson")


def piece(value: Any) -> str | None:
    """A value as a part of a text, or None if it is empty."""
    if type(value) is str:
        return value if value and not value.isspace() else None
    return None if is_empty(value) else text(value)


def together(texts: Sequence[str]) -> str:
    """Many texts as one, measured before they are put together."""
    if sum(map(len, texts)) > MAX_TEXT:
        raise RecordError("limit", f"a text is longer than {MAX_TEXT:,} characters")
    return str(sized("".join(texts)))


def pruned(value: Any) -> Any:
    """A copy without empty members at any depth; None if nothing is left."""
    return _pruned(value, MAX_DEPTH)


def _pruned(value: Any, depth: int) -> Any:
    if is_empty(value):
        return None
    if type(value) is str and len(value) > MANY:
        spend(len(value))
    if type(value) is not dict and type(value) is not list:
        return value
    if depth == 0:
        raise RecordError("limit", f"a value is nested deeper than {MAX_DEPTH}")
    spend((len(value) + 5) * MEMBER)  # always: the same small list may stand in it a million times
    if type(value) is dict:
        members = ((key, _pruned(member, depth - 1)) for key, member in value.items())
        return {key: member for key, member in members if member is not None} or None
    return [kept for kept in (_pruned(member, depth - 1) for member in value) if kept is not None] or None


def sized(value: Any) -> Any:
    """The value itself, if it is no larger than an expression may make it; else RecordError "limit"."""
    if type(value) is str:
        if len(value) > MAX_TEXT:
            raise RecordError("limit", f"a text is longer than {MAX_TEXT:,} characters")
        if len(value) > LARGE:
            spend(len(value))
    elif len(value) > MAX_ITEMS:
        raise RecordError("limit", f"a list or object has more than {MAX_ITEMS:,} members")
    else:
        spend_on(value)
    return value


def is_number(value: Any) -> bool:
    """Whether a value is a number; a boolean is none."""
    return type(value) in _NUMBERS


_NUMBERS: Final = frozenset((int, float))
_SCALARS: Final = frozenset((str, bool, int, float))


def _orderable(a: Any, b: Any) -> bool:
    if is_empty(a) or is_empty(b):
        return False
    if type(a) is str and type(b) is str:
        return True
    hint = "; convert text with | int or | float" if {type(a), type(b)} & _NUMBERS else ""
    raise RecordError("wrong-type", f"{kind(a)} cannot be compared with {kind(b)}{hint}")


def _calculate(verb: str, operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
        return _nothing(verb, a, b)
    try:
        result = operation(a, b)
    except ZeroDivisionError:
        raise RecordError("division-by-zero", "a number is divided by zero") from None
    except OverflowError:
        raise RecordError("limit", "a number becomes too large") from None
    if type(result) is complex:
        raise RecordError("wrong-type", "a negative number has no such power")
    if result.bit_length() > MAX_BITS if type(result) is int else not math.isfinite(result):
        raise RecordError("limit", "a number becomes too large")
    return result


def _nothing(verb: str, *operands: Any) -> None:
    """None if an operand is empty; else the operands are of the wrong type."""
    if not any(map(is_empty, operands)):
        _refuse(verb, *operands)


def _refuse(verb: str, *operands: Any) -> NoReturn:
    hint = "; convert text with | int or | float" if str in map(type, operands) else ""
    raise RecordError("wrong-type", f"cannot {verb} {' and '.join(map(kind, operands))}{hint}")


def _decimal(number: float) -> str:
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    written = format(number, ".15g")
    return format(Decimal(written), "f") if "e" in written else written
