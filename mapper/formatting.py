"""One layout for mapping files. Comments stay, meaning stays, and formatting twice changes nothing more.

The layout: two blanks for each step, keys of a mapping and of an event in the order in which the reference page has
them, one blank line between sections and between events, no blanks at the ends of lines.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from .document import load
from .errors import MappingError, Problem, Span
from .mapping import EVENT_RULES, RULES

_TEXT: Final = Tag(suffix="tag:yaml.org,2002:str")
_TOP: Final = tuple(RULES)
_EVENT: Final = tuple(EVENT_RULES)
_WIDTH: Final = 1_000_000
"""Lines are never folded: where a long line is broken is the author's choice."""


def format_text(text: str, file: str) -> str:
    """The text of a mapping file in the one layout.

    raises  MappingError if the file cannot be read, or could not be formatted without changing what it means
    """
    before = load(text, file).value
    yaml = _yaml()
    try:
        data = yaml.load(text)
    except YAMLError:
        raise _lossy(file) from None
    if isinstance(data, CommentedMap):
        _sort(data, _TOP)
        events = data.get("events")
        for event in events.values() if isinstance(events, CommentedMap) else ():
            if isinstance(event, CommentedMap):
                _sort(event, _EVENT)
    out = io.StringIO()
    yaml.dump(data, out)
    formatted = _tidied(out.getvalue())
    if load(formatted, file).value != before:
        raise _lossy(file)
    return formatted


class _AsWritten(VersionedResolver):
    """Every scalar is text, so that it is written as it was read: no date, number or boolean is rewritten."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return _TEXT if kind is ScalarNode else super().resolve(kind, value, implicit)

    @property
    def versioned_resolver(self) -> Any:
        return {}


def _yaml() -> Any:
    yaml = YAML(typ="rt", pure=True)
    yaml.Resolver = _AsWritten
    yaml.preserve_quotes = True
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.version = None
    yaml.allow_duplicate_keys = True
    return yaml


def _sort(data: CommentedMap, order: tuple[str, ...]) -> None:
    """Put known keys in their order, after the author's own (``x-…``), which hold anchors.

    A comment belongs to what follows it, and the round-trip parser keeps it with what comes before: where there are
    comments, the order is left to the author.
    """
    keys = [str(key) for key in data]
    wanted = sorted(keys, key=lambda key: (order.index(key) if key in order else -1, keys.index(key)))
    if keys == wanted or _commented(data, 0):
        return
    for key in wanted:
        data.move_to_end(key)


def _commented(value: Any, depth: int) -> bool:
    """Whether there is a comment anywhere in a value; blank lines count as none."""
    notes = getattr(value, "ca", None)
    if notes is not None and "#" in str((notes.items, notes.comment, notes.end)):
        return True
    if depth > 60:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_commented(part, depth + 1) for part in inner)


def _tidied(text: str) -> str:
    """No blanks at the ends of lines, no more than one blank line, one line end at the end."""
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _lossy(file: str) -> MappingError:
    hint = "It stays as it is. Anchors and long texts in unusual places can be the reason."
    return MappingError([Problem(Span(file, 1, 1, 2), "not-formatted", "this file cannot be formatted safely", hint)])
