"""A compiled mapping: records in, events out.

``Program.map`` never raises for what a record holds. What could not be made is in ``Result.problems``, with the
place in the mapping that asked for it and the path in the record that was empty; a record's values appear nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from . import document, mapping
from .compiler import Compiled, Refused, Transform, compile_mapping
from .destination import Destination, load_destination
from .errors import MappingError, Problem, RecordError, Span
from .mapping import SampleSpec
from .values import Context, is_empty

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, ready to send.

    name      the event's name as the destination will see it
    id        its id, by which the destination drops copies; None if the mapping gives none
    time      when it happened, Unix seconds; None for a destination without times
    expires   the last moment (Unix seconds) at which the destination still takes it; None if it never expires
    encoded   the event as JSON bytes, exactly as sent: cleaned and hashed
    key       the mapping's name for the event (under ``events:``)
    """

    name: str
    id: str | None
    time: int | None
    expires: int | None
    encoded: bytes
    key: str

    @property
    def parameters(self) -> dict[str, Any]:
        """What is sent, decoded anew at each call."""
        parameters: dict[str, Any] = _decode(self.encoded)
        return parameters


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one event of a record could not be made, or why a line is no record.

    code       a stable word, see the list of codes
    message    one sentence; names rules, types and paths, never a value
    event      the mapping's name for the event, or "" if the record itself is at fault
    parameter  the parameter at fault (``user_data.em``), or ""
    span       the place in the mapping that asked for it, or None
    missing    the paths in the record that were empty
    """

    code: str
    message: str
    event: str = ""
    parameter: str = ""
    span: Span | None = None
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.span}: " if self.span else ""
        return f"{where}{self.message} [{self.code}]"


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """A value that could not be used and was left out of an event that was made all the same, or a rule's warning."""

    code: str
    parameter: str
    event: str


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of one record.

    ``ignored`` says that nothing applied, on purpose; ``reason`` is then ``rule`` (an ``ignore:`` rule matched),
    ``no-event`` (no event's ``when`` was true) or ``consent``.
    """

    events: Sequence[Event] = ()
    problems: Sequence[Refusal] = ()
    warnings: Sequence[Dropped] = ()
    reason: str = ""

    @property
    def ignored(self) -> bool:
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Replay:
    """A file of samples and the moment (Unix seconds) at which it was recorded.

    ``clock(now)`` gives the two numbers that make it behave as if recorded at ``now``: the time to map with, and the
    seconds to add to every time of an event.
    """

    recorded: float

    def clock(self, now: float) -> tuple[float, int]:
        return self.recorded, int(now - self.recorded)


_IGNORED = Result(reason="no-event")
_IGNORED_BY_RULE = Result(reason="rule")
_IGNORED_BY_CONSENT = Result(reason="consent")


class Program:
    """A mapping, compiled. Made by ``load``; may be used from several threads."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._decode = compiled.projection.decoder.decode
        self._transforms = compiled.transforms
        self._gate = compiled.gate

    @property
    def destination(self) -> Destination:
        """Where the events go."""
        return self._compiled.destination

    @property
    def warnings(self) -> Sequence[Problem]:
        """What the compiler found odd, but not wrong."""
        return self._compiled.warnings

    @property
    def transforms(self) -> Sequence[Transform]:
        """The compiled events, in the order of the mapping."""
        return self._transforms

    @property
    def tests(self) -> Sequence[mapping.Place]:
        """The declared ``tests:``, each as the place where it stands."""
        return self._compiled.spec.tests

    @property
    def spec(self) -> mapping.MappingSpec:
        """The mapping as declared."""
        return self._compiled.spec

    @property
    def compiled(self) -> Compiled:
        """What the compiler made, for tools that explain it."""
        return self._compiled

    @property
    def samples(self) -> Sequence[SampleSpec]:
        """The sample files that the mapping declares."""
        return self._compiled.spec.samples

    @property
    def files(self) -> tuple[str, ...]:
        """The mapping file and everything that it includes."""
        return tuple(part.file for part in self._compiled.spec.documents)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the mapping means: comments and layout do not change it."""
        digest = sha256(self.destination.fingerprint.encode())
        for transform in (self._gate, *self._transforms):
            if transform is not None:
                digest.update(str(transform).encode())
        return digest.hexdigest()

    def replay(self, path: Path | str) -> Replay | None:
        """The recorded clock of ``path`` if the mapping declares it as a sample, else None."""
        wanted = Path(path).resolve()
        for sample in self.samples:
            if sample.file.resolve() == wanted:
                return Replay(sample.recorded)
        return None

    def map(
        self, record: dict[str, Any] | bytes | str, now: float | None = None, *, shift: int = 0
    ) -> Result:
        """Map one record.

        record   a dict, or one line of JSON
        now      the current time in Unix seconds; the clock's if not given
        shift    seconds to add to the times of events (see ``Replay``)
        """
        return self._map(record, Context(time.time() if now is None else now, shift))

    def map_lines(
        self, lines: Iterable[bytes | str], now: float | None = None, *, shift: int = 0
    ) -> Iterator[Result]:
        """Map an iterable of lines of JSON, one result a line, in their order."""
        for line in lines:
            yield self._map(line, Context(time.time() if now is None else now, shift))

    def _map(self, record: dict[str, Any] | bytes | str, context: Context) -> Result:
        try:
            line = record if type(record) is bytes else _as_line(record)
            if not line.isascii():
                line.decode()
            data = self._decode(line)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            return Result(problems=(_unreadable(error),))
        if self._compiled.projection.is_full and type(data) is not dict:
            return Result(problems=(_NOT_AN_OBJECT,))
        if self._gate is not None:
            closed = self._closed(data, context, line)
            if closed is not None:
                return closed
        events: list[Event] = []
        problems: list[Refusal] = []
        warnings: list[Dropped] = []
        for transform in self._transforms:
            items = (None,)
            try:
                if transform.loop is not None:
                    items = transform.loop(data, context)
            except RecordError as error:
                problems.append(transform.refusal(error, line))
                continue
            for item in items:
                self._make(transform, data, context, line, item, events, problems, warnings)
        if not events and not problems:
            return _IGNORED
        return Result(events, problems, warnings)
