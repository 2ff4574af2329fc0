"""A compiled mapping: records in, events out.

``Program.map`` never raises for what a record holds. What could not be made is in ``Result.problems``, with the
place in the mapping that asked for it and the path in the record that was empty; a record's values appear nowhere.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from ..compiler import mapping
from ..compiler.assembling import Transform
from ..compiler.compiler import DROPPED, IGNORED, LIMITED, Compiled, compile_mapping
from ..compiler.mapping import SampleSpec
from ..compiler.projection import walk_paths
from ..compiler.trees import Place
from ..destinations.destination import Destination, Rule
from ..destinations.personal import may_name_somebody
from ..documents import document
from ..errors import MapperError, Problem, RecordError
from ..language import effort
from ..language.values import Context, Undecided
from .glances import Glance, Times, compile_glance, compile_times
from .making import Made
from .matching import MatchKeys
from .results import (
    BY_CONSENT,
    BY_RULE,
    CROWDED,
    NO_EVENT,
    NOT_AN_OBJECT,
    Dropped,
    Event,
    Replay,
    Result,
    is_crowded,
    unreadable,
)
from .writing import ShortWay, compile_short_way

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_WARM = 64
"""Records of one input after which it is worth while to compile the short way."""

_FUTILE = 0.5
"""Where a larger share of the records has to go the long way all the same, the short one is not tried."""

_TELLING, _MOST = 32, 0.6
"""Where a larger share of so many records is ignored, a glance at the next ones saves more than it costs."""


class Program:
    """A mapping, compiled. Made by ``load``; may be used from several threads.

    program = mapper.load("mapping.yaml")
    for event in program.map(record).events:
        print(event.name, event.parameters)
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._decode = compiled.projection.decoder.decode
        self._transforms = compiled.transforms
        self._gate = compiled.gate
        self.match_keys = MatchKeys(compiled.destination)
        self._needs_object = compiled.projection.is_full
        self._ignores_most = False

    @property
    def destination(self) -> Destination:
        """Where the events go."""
        return self._compiled.destination

    @property
    def memo(self) -> bool:
        """Whether what comes again and again is remembered with its hash."""
        return self.destination.root.memo

    @property
    def warnings(self) -> Sequence[Problem]:
        """What the compiler found odd, but not wrong."""
        return self._compiled.warnings

    @property
    def transforms(self) -> Sequence[Transform]:
        """The compiled events, in the order of the mapping."""
        return self._transforms

    @property
    def tests(self) -> Sequence[Place]:
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

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """Every path of the record that the mapping reads, as keys from the record down."""
        return tuple(dict.fromkeys(walk_paths(self._compiled.projection.root)))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the mapping means: comments and layout do not change it."""
        return self._compiled.fingerprint()

    @cached_property
    def _glance(self) -> Glance | None:
        return None if self._needs_object else compile_glance(self.spec, self.destination)

    @cached_property
    def _times(self) -> Times:
        return compile_times(self.spec, self.destination)

    def expires(self, line: bytes, events: Iterable[str]) -> int | None:
        """The last moment (Unix seconds) at which an event of a record that was refused can be sent, if it is known.

        events  the mapping's names of the events; the earliest of their ends counts
        """
        times = self._times
        wanted = {transform.key: transform for transform in self._transforms if transform.key in set(events)}
        found: list[int] = []
        if is_crowded(line):
            return None
        try:
            data = times.projection.decoder.decode(line)
            for key, transform in wanted.items():
                moment = times.functions[key](data, Context(0.0)) if key in times.functions else None
                known = {one.path: one.place.value for one in transform.parameters if one.literal}
                end = self.destination.windows.end(known, moment) if type(moment) is int else None
                found += [end] if end is not None else []
        except (RecordError, Undecided, ValueError, TypeError, OverflowError, RecursionError):
            return None
        return min(found, default=None)

    def replay(self, path: Path | str) -> Replay | None:
        """The recorded clock of ``path`` if the mapping declares it as a sample, else None."""
        wanted = Path(path).resolve()
        for sample in self.samples:
            if sample.file.resolve() == wanted:
                return Replay(sample.recorded)
        return None

    def map(
        self, record: dict[str, Any] | bytes | str, now: float | datetime | None = None, *, shift: int = 0
    ) -> Result:
        """Map one record.

        record   a dict, or one line of JSON
        now      the current time, in Unix seconds or as a datetime with a zone; the clock's if not given
        shift    seconds to add to the times of events (see ``Replay``)
        raises   MapperError for a ``now`` without a zone; never for what a record is or holds
        """
        return self._map(record, Context(_seconds(now), shift))

    def map_lines(
        self, lines: Iterable[bytes | str], now: float | datetime | None = None, *, shift: int = 0
    ) -> Iterator[Result]:
        """Map an iterable of lines of JSON, one result a line, in their order.

        lines    a file that is open, a list, a generator; ends of lines do not matter
        """
        if isinstance(lines, bytes | bytearray | memoryview | str):  # would be taken for a sequence of characters
            raise TypeError("map_lines takes an iterable of lines; for one line there is map")
        fixed = None if now is None else _seconds(now)
        context = Context(0.0 if fixed is None else fixed, shift)
        glance = self._glance if self._ignores_most else None
        short: ShortWay | None = None if shift else self.__dict__.get("_short_way")
        count = ignored = missed = 0
        for line in lines:
            count += 1
            if fixed is None:
                context.now = time.time()
            if context.steps or context.warnings:
                context.reset()
            if glance is not None and type(line) is bytes:
                unwanted = glance(line, context)
                if unwanted is not None:
                    ignored += 1
                    yield unwanted
                    continue
            if short is not None and type(line) is bytes:
                result = short(line, context)
                if result is not None:
                    if result.reason:
                        ignored += 1
                    yield result
                    continue
                context.reset()
                missed += 1
                if missed > _TELLING and missed > count * _FUTILE:
                    short = None
            elif count == _WARM and not shift:
                short = self._short_way
            result = self._map(line, context)
            if result.reason:
                ignored += 1
            yield result
        if count >= _TELLING:
            self._ignores_most = ignored > count * _MOST

    @cached_property
    def _short_way(self) -> ShortWay | None:
        """From a line to its events at once, for what is usual; None if the mapping has none."""
        return compile_short_way(self._compiled, self.match_keys)

    def _map(self, record: dict[str, Any] | bytes | str, context: Context) -> Result:
        try:
            return self._projected(record, context)
        except Undecided:  # whether an object is empty can only be told by keys that were not decoded
            context.reset()
            return self._whole._projected(record, context)

    @cached_property
    def _whole(self) -> Program:
        """The same mapping, decoding every record whole."""
        return Program(compile_mapping(self.spec, full=True, memo=self.memo))

    def _projected(self, record: dict[str, Any] | bytes | str, context: Context) -> Result:
        effort.renew()
        try:
            line = record if type(record) is bytes else _as_line(record)
            if not line.isascii():
                line.decode()
            if is_crowded(line):
                return Result(problems=(CROWDED,))
            data = self._decode(line)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            return Result(problems=(unreadable(record, error),))
        if self._needs_object and type(data) is not dict:
            return Result(problems=(NOT_AN_OBJECT,))
        limited = False
        if self._gate is not None:
            try:
                answer = self._gate(data, context)
            except RecordError as error:
                return Result(problems=(Made(context, line).failed("", error, self._compiled, ()),))
            if answer == IGNORED:
                return BY_RULE
            if answer == DROPPED:
                return BY_CONSENT
            limited = answer == LIMITED
        return self._through(data, context, line, limited)

    def _through(self, data: Any, context: Context, line: bytes, limited: bool) -> Result:
        """A record through all events."""
        made = Made(context, line, limited)
        for transform in self._transforms:
            self._transform(transform, data, made)
        if not made.events and not made.problems:
            return NO_EVENT
        return Result(tuple(made.events), tuple(made.problems), tuple(made.warnings))

    def _transform(self, transform: Transform, data: Any, made: Made) -> None:
        context = made.context
        if transform.items is None:
            try:
                event = transform.function(data, context)
            except RecordError as error:
                made.problems.append(made.failed(transform.key, error, self._compiled, transform.parameters))
            else:
                if event is not None:
                    self._finish(transform, event, made)
            if context.warnings:
                context.reset()
            return
        try:
            items = transform.items(data, context)
        except RecordError as error:
            made.problems.append(made.failed(transform.key, error, self._compiled, ()))
            return
        for item in items or ():
            context.reset()
            try:
                event = transform.function(data, context, item)
            except RecordError as error:
                made.problems.append(made.failed(transform.key, error, self._compiled, transform.parameters))
                continue
            if event is not None:
                self._finish(transform, event, made)
        context.reset()

    def _finish(self, transform: Transform, event: dict[str, Any] | list[int], made: Made) -> None:
        """An event as built: its time and rules are checked, then it is encoded; or the reasons why there is none."""
        if isinstance(event, list):
            made.incomplete(transform, event)
            return
        destination = self.destination
        if made.limited:
            event = {**destination.limited, **event}
        roles = destination.roles
        now = made.context.now + made.context.shift
        moment = event.get(roles.time or "")
        if type(moment) is int and moment > now:
            if moment > now + destination.future:
                made.refused(transform, "in-the-future", f"{roles.time} lies in the future", roles.time)
                return
            event[roles.time or ""] = moment = int(now)
        if transform.max_age is not None and type(moment) is int:
            expires: int | None = moment + transform.max_age
        else:
            expires = destination.expires(event)
        if expires is not None and now > expires - destination.margin:
            days = (destination.max_age(event) or 0) // 86400
            how = "more than" if now > expires else "almost"
            made.refused(transform, "too-old", f"{roles.time} is {how} {days} days ago", roles.time)
            return
        encoded = self._encoded(transform, event, made)
        if encoded is None:
            return
        rules = transform.rules
        if transform.suspicions and may_name_somebody(encoded):
            rules += transform.suspicions
        for rule in rules:
            if not self._kept(rule, transform, event, made):
                return
        for code, path in made.context.warnings:
            made.warnings.append(Dropped(code, path, transform.key))
        identity = event.get(roles.id or "")
        name = transform.name or str(event.get(roles.name, ""))
        identity = identity if identity is None or type(identity) is str else str(identity)
        carries = self.match_keys.carried(event)
        made.events.append(Event(name, identity, moment, expires, encoded, transform.key, carries, made.limited))

    def _encoded(self, transform: Transform, event: dict[str, Any], made: Made) -> bytes | None:
        """An event as JSON; None if it cannot be written, or is more than one record may give."""
        try:
            if (made.context.steps + len(transform.parameters)) * len(made.line) > effort.MOST:
                effort.weigh(event)
            encoded = _encode(event)
            effort.spend(len(encoded))
        except RecordError as error:
            made.refused(transform, error.code, error.message, "")
            return None
        except (OverflowError, ValueError, TypeError):
            made.refused(transform, "number-range", "a number is too large for JSON", "")
            return None
        return encoded

    def _kept(self, rule: Rule, transform: Transform, event: dict[str, Any], made: Made) -> bool:
        """Whether an event keeps a rule, or breaks it only so far that it is a warning."""
        if rule.holds(event):
            return True
        faults = rule.faults(event)
        if rule.level == "error":
            made.refused(transform, rule.id, rule.explain(faults), faults[0] if faults else "")
            return False
        made.warnings.append(Dropped(rule.id, faults[0] if faults else "", transform.key))
        return True


def load(path: str | Path, *, full: bool = False, memo: bool = True) -> Program:
    """Read and compile a mapping file.

    path     the YAML file
    full     decode every record whole instead of only what the mapping reads: the same events, only slower
    memo     remember names, cities, countries and the like with their hashes, the last few thousand of each, while the
             program lives; without it nothing of a record outlives its mapping
    raises   MappingError with every problem of the file and of all that it includes
    """
    with _undisturbed():
        return Program(compile_mapping(mapping.read_mapping(document.read(path)), full=full, memo=memo))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the collector of cycles for the moment: a compiler makes many objects and keeps them, and the collector
    looks through all of them again and again, which takes as long as the compiler itself."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _seconds(now: float | datetime | None) -> float:
    if now is None:
        return time.time()
    if not isinstance(now, datetime):
        if isinstance(now, bool) or not isinstance(now, int | float) or not math.isfinite(now):
            raise MapperError("now is Unix seconds, or a datetime with a time zone")
        return now
    if now.tzinfo is None:
        raise MapperError("now needs a time zone: datetime.now(tz=UTC)")
    return now.timestamp()


def _as_line(record: Any) -> bytes:
    """A record that is no bytes yet. A dict is mapped as the JSON that it stands for."""
    if isinstance(record, str):
        return record.encode()
    if isinstance(record, bytes | bytearray | memoryview):
        return bytes(record)
    if isinstance(record, dict):
        return _encode(record)
    raise TypeError("a record is a dict, or a line of JSON")
