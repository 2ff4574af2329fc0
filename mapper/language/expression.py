"""The mapping language's expressions: text in, Python syntax trees out.

Jinja's own parser reads them (``syntax``), an allow-list compiles them (``lowering``), and this module is
the whole of what other modules need. Jinja itself never runs: no template is rendered, nothing is optimised
or evaluated while compiling, and no text ever becomes Python source.
"""

from __future__ import annotations

from typing import Any, Final

from . import values
from .filters import FILTERS, FUNCTIONS, TESTS
from .lowering import Lowering
from .scope import MISSING, Access, Binding, Origin, Scope, Table, Value, runtime_tables
from .syntax import Expression, Text, parse_bare, parse_loop, parse_text
from .tokens import Locator

RUNTIME: Final[dict[str, Any]] = {
    **{f"f_{name}": spec.function for name, spec in FILTERS.items()},
    **{f"t_{name}": spec.function for name, spec in TESTS.items()},
    **{f"g_{name}": spec.function for name, spec in FUNCTIONS.items()},
    "v_truth": values.truth,
    "v_empty": values.is_empty,
    "v_each": values.each,
    "v_void": values.is_void,
    "v_holds": values.holds,
    "v_visited": values.visited,
    "v_eq": values.eq,
    "v_gt": values.gt,
    "v_ge": values.ge,
    "v_lt": values.lt,
    "v_le": values.le,
    "v_contains": values.contains,
    "v_get": values.step,
    "v_slice": values.cut,
    "v_add": values.add,
    "v_sub": values.sub,
    "v_mul": values.mul,
    "v_repeat": values.repeat,
    "v_div": values.div,
    "v_floordiv": values.floordiv,
    "v_mod": values.mod,
    "v_power": values.power,
    "v_neg": values.neg,
    "v_piece": values.piece,
    "v_sized": values.sized,
    "v_together": values.together,
}
"""Every name that a compiled expression can hold, besides ``r`` (the record), ``ctx`` (the ``values.Context``),
``x_<n>`` (bound names), ``y_<n>`` (its own) and ``d_<n>`` (tables: see ``runtime_tables``)."""

CODES: Final[dict[str, str]] = {
    "arguments": "A filter, test or function is given too many arguments, too few, or one it does not have.",
    "bad-argument": "An argument that is checked when the mapping is compiled is wrong, such as a regular expression.",
    "braces": "There are braces in an expression that is written bare: when, if, for, ignore, consent.",
    "limit": "An expression is too long, too deep, or holds a number that is too large.",
    "loop": "What stands in 'for:' is not 'NAME in LIST'.",
    "method-call": "A value is asked to run a method, such as name.split(','); filters do that.",
    "not-literal": "An argument that is checked when the mapping is compiled comes from the record.",
    "statement": "Jinja's statements ({% … %}) are not part of the mapping language.",
    "syntax": "An expression cannot be read.",
    "unclosed": "A brace, bracket or quote is opened and never closed.",
    "unknown-filter": "There is no such filter.",
    "unknown-function": "There is no such function.",
    "unknown-table": "There is no such look-up table in the mapping.",
    "unknown-test": "There is no such test.",
    "unopened": "A brace or bracket is closed that was never opened.",
    "unsupported": "Valid in Jinja, but not part of the mapping language.",
}
"""What each code of a problem in an expression means: found when the mapping is compiled."""

RECORD_CODES: Final[dict[str, str]] = {
    "division-by-zero": "A number is divided by zero.",
    "limit": "A number, a text, a list or a loop becomes too large.",
    "milliseconds": "A number is given as a time in seconds that can only be milliseconds: say | from_ms.",
    "no-zone": "A time has no offset, and no zone is given for it.",
    "not-a-boolean": "A value means neither true nor false.",
    "not-a-number": "A text is no plain number.",
    "not-a-time": "A text is no time, or not in the given format.",
    "not-json": "A text is no JSON.",
    "seconds": "A number is given as milliseconds that can only be seconds: leave | from_ms away.",
    "wrong-type": "A value is of a type with which nothing can be done here: text where a number is needed.",
}
"""What each code of an error of one record means: raised while an expression is computed."""

__all__ = [
    "CODES",
    "MISSING",
    "RECORD_CODES",
    "RUNTIME",
    "Access",
    "Binding",
    "Expression",
    "Locator",
    "Lowering",
    "Origin",
    "Scope",
    "Table",
    "Text",
    "Value",
    "parse_bare",
    "parse_loop",
    "parse_text",
    "runtime_tables",
]
