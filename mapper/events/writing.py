"""The short way from a record to the bytes of an event: the function that builds it, rewritten to one that writes it.

Nearly every event of a mapping has the same keys in the same order. So its bytes are put together of pieces: what is
the same for all of them is one piece, and what comes again and again is encoded once and remembered.

    d2 = {}                                    # builds
    v = p_5(n2.k16, ctx)
    if v is not None: d2['fn'] = v
    if d2: d1['user_data'] = d2

    f5 = c_5[n2.k16]                           # writes: b',"fn":["…"]', or nothing
    if not f5: b -= 32                         # which of the optional parameters are there
    return Event(…, join((b'{"event_name":"Lead","user_data":{', …, f5, b'}}')), …, masks[b])

A writer decides nothing by itself: whatever is not quite usual (a requirement that came out empty, a value that had to
be left out, a time outside the window) it gives back as ``LONG``, and the function that builds is asked. A property
test holds the two together, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ..compiler.assembling import Transform
from ..compiler.compiler import DROPPED, IGNORED, SEND, Compiled
from ..destinations.destination import Destination
from ..destinations.personal import may_name_somebody
from ..destinations.rules import Rule
from ..errors import RecordError
from ..language.effort import renew
from ..language.values import Context, Undecided
from .fusing import Member, Rewriting, function
from .matching import MatchKeys
from .results import BY_CONSENT, BY_RULE, NO_EVENT, Event, Result

__all__ = ["ShortWay", "compile_short_way"]

Write = Callable[[Any, Context, float, float], Event | bool | None]
"""``(record, context, earliest, latest)`` -> the event, None if the record is none of it, or ``LONG``."""

ShortWay = Callable[[bytes, Context], Result | None]
"""``(line, context)`` -> what the record gives, or None if only the long way can tell."""

_encode = msgspec.json.Encoder().encode
_MEMO_SIZE: Final = 8192
_MASKS: Final = 1024
_LONG_LINE: Final = 32_768
_IGNORED: Final = {IGNORED: BY_RULE, DROPPED: BY_CONSENT}


class _UncommonError(Exception):
    """A value about which there is something to say."""


_UNCOMMON: Final = (_UncommonError, RecordError, Undecided, ValueError, TypeError, OverflowError, RecursionError)
"""What comes up over records that only the long way can tell apart: it then says what is wrong with them."""


class _Fragments(dict[Any, bytes]):
    """A value as a record has it -> the member of an object that it becomes, or nothing. Bounded; text only."""

    def __init__(self, prepare: Callable[..., Any], prefix: bytes) -> None:
        super().__init__()
        self._prepare = prepare
        self._prefix = prefix

    def __missing__(self, value: Any) -> bytes:
        """Clean, hash and encode a value that is not known.

        value   what stands in the record; with what it is read by, as a pair, if there is such a parameter
        raises  _UncommonError if the value cannot be used, TypeError if it is a list or an object
        """
        of, *companion = value if type(value) is tuple else (value,)
        context = Context(0.0)
        prepared = self._prepare(of, context, *companion)
        if context.warnings:
            raise _UncommonError
        found = b"" if prepared is None else self._prefix + _encode(prepared)
        if all(part is None or type(part) is str for part in (of, *companion)):
            if len(self) >= _MEMO_SIZE:
                self.clear()
            self[value] = found
        return found


class _Memos:
    """The fragments that the writers of one program remember; events share them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], _Fragments] = {}

    def of(self, what: str, prepare: Callable[..., Any], prefix: bytes) -> _Fragments:
        """The fragments that a preparation gives under one key; ``what`` names the preparation."""
        return self._known.setdefault((what, prefix), _Fragments(prepare, prefix))


class _Masks(dict[int, "int | None"]):
    """Which optional parameters are there, a bit each -> which of them are about the person (see ``MatchKeys``).

    None if the event breaks a rule: the long way says which.
    """

    def __init__(self, members: Sequence[Member], rules: Sequence[Rule], match_keys: MatchKeys) -> None:
        super().__init__()
        self._members = members
        self._rules = rules
        self._match_keys = match_keys

    def __missing__(self, mask: int) -> int | None:
        event: dict[str, Any] = {}
        for member in self._members:
            if member.bit & mask or not member.bit:
                *parents, last = member.path
                target = event
                for key in parents:
                    target = target.setdefault(key, {})
                target[last] = member.value
        is_kept = all(rule.holds(event) for rule in self._rules)
        if len(self) >= _MASKS:
            self.clear()
        found = self[mask] = self._match_keys.carried(event) if is_kept else None
        return found


@dataclass(frozen=True, slots=True)
class _Writer:
    """One event's writer.

    window        seconds before now in which the event may have happened
    is_doubtful   whether the event has plain text in which somebody may be named, of which a rule would warn
    """

    write: Write
    window: int
    is_doubtful: bool


def compile_short_way(compiled: Compiled, match_keys: MatchKeys) -> ShortWay | None:
    """The short way through all events of a mapping, or None if one of them can only be built."""
    memos = _Memos()
    writers = [_writer(transform, compiled.destination, match_keys, memos) for transform in compiled.transforms]
    ready = tuple((one.write, one.window, one.is_doubtful) for one in writers if one is not None)
    if len(ready) < len(writers) or compiled.projection.is_full:
        return None
    decode, gate = compiled.projection.decoder.decode, compiled.gate

    def short_way(line: bytes, context: Context) -> Result | None:
        renew()
        if len(line) > _LONG_LINE:  # what comes of it may be too much: see ``effort``
            return None
        try:
            if not line.isascii():
                line.decode()
            record = decode(line)
            if gate is not None:
                answer = gate(record, context)
                if answer != SEND:
                    return _IGNORED.get(answer)
            latest = context.now
            events: tuple[Event, ...] = ()
            for write, window, is_doubtful in ready:
                event = write(record, context, latest - window, latest)
                if event is None:
                    continue
                if not isinstance(event, Event) or context.warnings:
                    return None
                if is_doubtful and may_name_somebody(event.encoded):
                    return None
                events = (*events, event)
        except _UNCOMMON:
            return None
        if context.warnings:
            return None
        return Result(events) if events else NO_EVENT

    return short_way


def _writer(transform: Transform, destination: Destination, match_keys: MatchKeys, memos: _Memos) -> _Writer | None:
    """The writer of one event, or None if it has to be built: its name or its age depend on the record, a loop makes
    several of it, or a rule looks at its values."""
    if transform.items is not None or not transform.name or transform.max_age is None:
        return None
    rewriting = Rewriting(transform, destination, memos)
    body = rewriting.body()
    if body is None or not all(map(rewriting.can_tell, transform.rules)):
        return None
    masks = _Masks(rewriting.members, transform.rules, match_keys)
    known = {**transform.function.__globals__, **rewriting.known, "masks": masks}
    write = function("write", ("r", "ctx", "earliest", "latest"), body, known, transform)
    return _Writer(write, transform.max_age - destination.margin, bool(transform.suspicions))
