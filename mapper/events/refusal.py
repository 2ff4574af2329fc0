"""From a failure in generated code back to the place in the mapping that asked for it.

Generated code carries the positions of the YAML (docs/decisions/0001), so Python itself remembers them: an exception's
traceback holds the instruction, and the instruction its line and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from ..compiler.lowered import LINES
from ..documents.document import Document
from ..errors import Span


def place_of(error: BaseException, documents: Sequence[Document]) -> Span | None:
    """Where in the mapping the expression stands that failed, or None if the failure was not in one."""
    found: tuple[int, int, int] | None = None
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == documents[0].file and "__builtins__" in trace.tb_frame.f_globals:
            line, _, start, end = next(islice(code.co_positions(), trace.tb_lasti // 2, None))
            if line is not None and start is not None and end is not None:
                found = line, start, end
        trace = trace.tb_next
    if found is None:
        return None
    index, line = divmod(found[0], LINES)
    document = documents[index]
    text = document.lines[line - 1].encode()
    column = len(text[: found[1]].decode(errors="replace")) + 1
    end = len(text[: found[2]].decode(errors="replace")) + 1
    return Span(document.file, line, column, max(end, column + 1))
