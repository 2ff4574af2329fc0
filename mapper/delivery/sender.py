"""Delivery for programs: records are handed over one by one, from any thread, and their events go out in batches.

    with mapper.Sender(program, journal="events.journal") as sender:
        receipt = sender.send(record)          # returns once the record is safe
        fate = receipt.wait()                  # if you want to know now what became of it

``send`` maps in the thread that calls it. A thread of the sender's puts batches together; the deliveries are carried
out by a few more (``dispatch``). Everything they share is behind one lock; there is no global state.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ..destinations.answers import Answer
from ..errors import DeliveryError, MapperError
from ..events.program import Program
from ..events.results import Result
from ..records.source import Line
from . import report as reports
from .dead_letters import DeadLetters, as_bytes
from .dispatch import CONCURRENCY, GRACE, Dispatcher, Notify, Switch
from .items import INTERNAL, INTERRUPTED, PENDING_LATER, Item, Origin, Outcome, Stop
from .journal import Journal
from .options import OnUnclear, check, window
from .receipts import Receipt
from .report import Report, Tally
from .settings import Settings, address_of, resolve
from .stretches import Kept, Stretch
from .transport import Client, Connection
from .unsettled import Group, Open, Unsettled

_MOST_OPEN: Final = 20_000
_AFTER_AN_OUTAGE: Final = 30.0
"""Seconds before what an outage left is tried again."""

_LAST: Final = 1.0
"""Seconds that what is on its way has at least to come in once a sender is closed."""

NAME: Final = "records"
"""What dead letters and reports call the source of records that are handed over."""


class Sender:
    """Takes records, one by one and from any thread, and delivers their events.

        with mapper.Sender(program, journal="events.journal") as sender:
            receipt = sender.send(record)   # the record is safe
            fate = receipt.wait(10)         # and this became of its events

    program       the mapping, as ``mapper.load`` gives it
    to, settings, test_event_code, dead_letters   as for ``mapper.send``
    journal       a file that keeps what is not settled: then a record is safe once ``send`` returns, even from a power
                  cut, and the next sender with this journal sends what this one could not
    batch_size    events a request, at most what the destination takes
    concurrency   requests on their way at once
    max_wait      seconds after which a batch is sent although it is not full
    rate          events a second at most
    on_unclear    "resend": what may have arrived is sent again, under the same ids; "hold": it is not, and the receipt
                  says that it is pending
    max_open      events that may be on their way or waiting; beyond that ``send`` waits
    on_note       called with what happens, a word and its fields, from any thread: "warning" (of a setting), "waiting",
                  "stopped". It must not use the sender
    clock         the time in Unix seconds
    client        your own HTTP client, with its proxies, certificates and logs. The token then goes into a header, if
                  the destination takes it there, because clients log addresses
    raises        DeliveryError if nothing can be sent
    """

    def __init__(
        self,
        program: Program,
        *,
        to: str = "",
        settings: Mapping[str, str] | None = None,
        test_event_code: str | None = None,
        dead_letters: str | Path | None = None,
        journal: str | Path | None = None,
        batch_size: int | None = None,
        concurrency: int = CONCURRENCY,
        max_wait: float = 1.0,
        rate: float | None = None,
        max_open: int = _MOST_OPEN,
        on_unclear: OnUnclear = "resend",
        on_note: Notify | None = None,
        clock: Callable[[], float] = time.time,
        client: Client | None = None,
    ) -> None:
        check({"batch_size": batch_size, "concurrency": concurrency, "max_wait": max_wait, "rate": rate})
        check({"max_open": max_open})
        settings, destination = Settings(settings), program.destination
        memory = window(destination.memory, on_unclear)
        self._program, self._clock = program, clock
        self._on_note = on_note or _unheard
        self._size = max(1, min(batch_size or destination.batch.max_events, destination.batch.max_events))
        self._max_wait, self._max_open = max_wait, max_open
        self._to = to or destination.name
        self._letters = DeadLetters(Path(dead_letters) if dead_letters is not None else None)
        self._letters.check()
        found = resolve(destination, settings)
        for doubt in found.doubts:
            self._on_note("warning", {"code": "settings", "message": doubt})
        prepared = destination.request.prepare(
            found,
            test_code=test_event_code,
            base=address_of(destination, to),
            token_in=destination.request.quietest if client is not None else None,
        )
        self._connection = Connection(destination, prepared, connections=concurrency, client=client)
        self._switch = Switch()
        self._dispatcher = Dispatcher(
            self._connection.send,
            clock=clock,
            margin=destination.margin,
            window=memory,
            concurrency=concurrency,
            switch=self._switch,
            rate=rate,
            notify=self._tell,
            rendering=destination.request.rendering,
        )
        self._tally, self._started = Tally(), time.monotonic()
        self._open, self._count, self._stream = Open(), 0, 0
        self._changed, self._closing = threading.Condition(), threading.Lock()
        self._is_closed = False
        self._process = os.getpid()
        self._journal = None if journal is None else self._opened(Path(journal), prepared.url, memory)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _opened(self, path: Path, target: str, window: int) -> Journal:
        """The journal, and what it says is left to do."""
        journal = Journal(path, mapping=self._program.fingerprint, target=target, window=window, clock=self._clock)
        self._stream = journal.stream().file
        self._take_over(journal)
        return journal

    # -- taking records --------------------------------------------------------------------------------------------

    def send(self, record: dict[str, Any] | bytes | str) -> Receipt:
        """Hand a record over. Returns once it is safe: in the journal, or without one in memory.

        record  a dict, or one line of JSON
        raises  DeliveryError if the sender is closed, or has stopped because a person must act, or cannot write
        """
        return self.send_all([record])[0]

    def send_all(self, records: Iterable[dict[str, Any] | bytes | str]) -> list[Receipt]:
        """Hand several records over; they are made safe together, which is much faster than one by one.

        returns  a receipt for each, in their order
        raises   DeliveryError as ``send``
        """
        self._refuse_elsewhere()
        now = self._clock()
        mapped = [(record, self._program.map(record, now)) for record in records]
        with self._changed:
            self._refuse_if_stopped()
            while len(self._open.unsettled) >= self._max_open:
                self._open.is_flushed = bool(self._open.waiting)  # a batch that is not full would keep us waiting
                self._changed.notify_all()
                self._changed.wait(1.0)
                self._refuse_if_stopped()
            receipts = [Receipt(result) for _, result in mapped]
            safe = self._begin(mapped, receipts)
        self._wait_until_safe(*safe)
        return receipts

    def _begin(self, mapped: Sequence[tuple[Any, Result]], receipts: Sequence[Receipt]) -> tuple[int, int]:
        """Write down what was handed over. Returns what says when the dead letters and the journal are on disk."""
        start = self._count
        items: list[tuple[Item, Receipt | None]] = []
        for (record, result), receipt in zip(mapped, receipts, strict=True):
            self._count += 1
            items += [(item, receipt) for item in self._taken(record, result)]
        self._letters.flush()
        letters, journalled = (self._letters.ask() if self._journal is not None else 0), 0
        if items:
            stretch = Stretch(start, self._count, self._count - start)
            if self._journal is not None:
                kept = [Kept.of(place, item) for place, (item, _) in enumerate(items)]
                journalled = self._journal.begin(self._stream, stretch, kept, is_sent=False)
            self._open.add(Group(self._stream, stretch, len(items)), items, range(len(items)))
            self._changed.notify_all()
        return letters, journalled

    def _wait_until_safe(self, letters: int, journalled: int) -> None:
        """Without the lock, so that threads which hand records over at the same time wait for one write to disk."""
        if self._journal is None:
            return
        try:
            self._letters.wait(letters)
            self._journal.wait_until_safe(journalled)
        except DeliveryError as error:
            self._stop(error)
            raise

    def _taken(self, record: Any, result: Result) -> list[Item]:
        """Count a record and write down why events of it could not be made; its events."""
        self._tally.record(self._program, result, result.events)
        line = Line(NAME, self._count, 0, as_bytes(record))
        if result.problems:
            events = {problem.event for problem in result.problems if problem.event}
            self._letters.record(line, result.problems, self._program.expires(line.data, events))
        return [
            Item(event.encoded, event.expires, Origin(line, event.name, event.key, event.time))
            for event in result.events
        ]

    def _take_over(self, journal: Journal) -> None:
        """What an earlier sender, or a run that read from a pipe, could not bring to its end."""
        for left in journal.left_over():
            items: list[tuple[Item, Receipt | None]] = []
            for kept in left.kept:
                origin = Origin(Line(NAME, kept.line, 0, b""), kept.name, kept.key, kept.time, left.first_sent)
                items.append((Item(kept.encoded, kept.expires, origin), None))
                self._tally.events.made += 1
                self._tally.carried[kept.name, 0] += 1
            with self._changed:
                self._open.add(Group(left.file, left.stretch, len(items)), items, [kept.number for kept in left.kept])
                self._changed.notify_all()

    def _refuse_elsewhere(self) -> None:
        """A process that was forked has none of the threads, and whatever lock was held then is held for ever."""
        if os.getpid() != self._process:
            raise MapperError("this sender belongs to another process: make one of your own after the fork")

    def _refuse_if_stopped(self) -> None:
        if self._is_closed:
            raise DeliveryError("closed", "this sender is closed", 2)
        if self._tally.stopped is not None:
            stopped = self._tally.stopped
            raise DeliveryError(stopped.code, stopped.message, stopped.exit_code, stopped.hint)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Put batches together until the sender is closed."""
        while True:
            with self._changed:
                while not self._is_closed and (self._is_stopped or not self._open.is_due(self._size, self._max_wait)):
                    self._changed.wait(None if self._is_stopped else self._open.patience(self._max_wait))
                if self._is_closed:
                    return
                batch = self._open.next_batch(self._size)
                self._tally.in_flight = self._open.in_flight
                with self._trouble_stops_it():
                    self._mark(batch, Journal.sending)
                delivery = self._dispatcher.submit(batch)
            delivery.add_done_callback(partial(self._delivered, batch))

    @contextmanager
    def _trouble_stops_it(self) -> Iterator[None]:
        """A disk that cannot be written to ends the sending."""
        try:
            yield
        except DeliveryError as error:
            self._stop(error)

    def _stop(self, error: DeliveryError) -> None:
        """A person must act: nothing more is sent, and the next ``send`` says why."""
        with self._changed:
            self._dispatcher.halt()
            self._tally.stop(error.code, error.message, error.hint, error.exit_code)
            self._changed.notify_all()
        self._tell("stopped", {"code": error.code, "message": error.message, "exit_code": error.exit_code})

    def _tell(self, word: str, fields: Mapping[str, Any]) -> None:
        """Tell the caller's function. One that raises ends the sending; what is on its way is settled all the same."""
        try:
            self._on_note(word, fields)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the next ``send`` says so
            with self._changed:
                self._dispatcher.halt()
                self._tally.stop("internal", f"on_note failed with {type(error).__name__}", "", INTERNAL)
                self._changed.notify_all()

    @property
    def _is_stopped(self) -> bool:
        return self._tally.stopped is not None

    def _mark(self, items: Iterable[Item], how: Callable[[Journal, int, Sequence[int]], None]) -> None:
        """Write down of the groups of some items that they are on their way, or that they came back."""
        if self._journal is None:
            return
        starts: dict[int, set[int]] = {}
        for item in items:
            group = self._open.group(item)
            starts.setdefault(group.file, set()).add(group.stretch.start)
        for file, found in starts.items():
            how(self._journal, file, sorted(found))

    def _delivered(self, batch: Sequence[Item], done: Future[Outcome]) -> None:
        error = done.exception()
        if error is None:
            try:
                self._finished(done.result(), batch)
            except Exception as bug:  # noqa: BLE001 - a mistake of ours, which nobody may wait for in vain
                self._stop(DeliveryError("internal", f"settling failed with {type(bug).__name__}", INTERNAL))
            return
        name, now = type(error).__name__, time.time()  # a clock that fails, say: told, and everything stays pending
        stop = Stop(Answer("stop", "internal", code=name, message=f"sending failed with {name}"), INTERNAL)
        unclear = [(item, now) for item in batch]
        self._finished(Outcome(pending=list(batch), unclear=unclear, stop=stop), batch)

    def _finished(self, outcome: Outcome, batch: Sequence[Item]) -> None:
        """A delivery is done: settle what can be; what an outage left waits for another time."""
        with self._changed:
            if self._is_closed:  # too late: it stays in the journal, and the next sender sends it again
                return
            self._open.in_flight -= len(batch)
            self._tally.in_flight = self._open.in_flight
            self._tally.outcome(outcome)
            with self._trouble_stops_it():
                self._settle(outcome)
                unclear = {self._open.group(item).stretch.start for item, _ in outcome.unclear}
                clear = [one for one in outcome.pending if self._open.group(one).stretch.start not in unclear]
                self._mark(clear, Journal.returned)
            self._open.take_back(outcome)
            stop = outcome.stop
            if stop is not None and stop.answer.reason != INTERRUPTED:
                if stop.exit_code == PENDING_LATER:
                    self._dispatcher.hold(max(_AFTER_AN_OUTAGE, stop.answer.retry_after or 0.0))
                else:
                    said = stop.answer.said
                    self._stop(DeliveryError(stop.answer.reason or "stopped", said, stop.exit_code, stop.answer.remedy))
            self._changed.notify_all()

    def _settle(self, outcome: Outcome) -> None:
        settled: list[tuple[Item, Answer | None]] = [(item, None) for item in outcome.accepted]
        settled += outcome.rejected
        done = [(self._open.unsettled.pop(id(item)), answer) for item, answer in settled]
        try:
            self._write_down([known for known, _ in done], outcome)
        finally:  # whoever waits is told what the destination said, even if there is no room to write it down
            for known, said in done:
                if known.receipt is not None:
                    known.receipt.take(said)

    def _write_down(self, done: Sequence[Unsettled], outcome: Outcome) -> None:
        """Dead letters first, and once they are safe, the journal."""
        for item, answer in outcome.rejected:
            self._letters.event(item, answer)
        self._letters.flush()
        if self._journal is not None:
            self._letters.wait(self._letters.ask())
        erased: dict[int, list[tuple[int, int]]] = {}
        whole: dict[int, list[Stretch]] = {}
        for known in done:
            group = known.group
            group.left -= 1
            erased.setdefault(group.file, []).append((group.stretch.start, known.place))
            if not group.left:
                whole.setdefault(group.file, []).append(group.stretch)
        if self._journal is not None:
            for file, rows in erased.items():
                self._journal.settle(file, whole.get(file, ()), erased=rows)

    # -- the end ---------------------------------------------------------------------------------------------------

    def flush(self, seconds: float | None = None) -> bool:
        """Send what waits without waiting for more. Whether everything was settled within so many seconds."""
        self._refuse_elsewhere()
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while self._open.unsettled and self._tally.stopped is None and not self._is_closed:
                self._open.is_flushed = True
                self._changed.notify_all()
                left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            return not self._open.unsettled

    def report(self) -> Report:
        """The counts so far, as they are at this moment."""
        self._refuse_elsewhere()
        with self._changed:
            tally = copy.deepcopy(self._tally)
        tally.finish()
        seconds = time.monotonic() - self._started
        return reports.made(
            self._program, tally, to=self._to, dry_run=False, seconds=seconds, letters=self._letters, files=[NAME]
        )

    def close(self, seconds: float = GRACE) -> Report:
        """Send what waits, for so many seconds at most, and end. What is not settled then is pending."""
        self._refuse_elsewhere()
        with self._closing:
            if not self._is_closed:
                self._close(seconds)
        return self.report()

    def _close(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.flush(seconds)
        self._switch.stop(0)
        until = max(until, time.monotonic() + _LAST)
        with self._changed:
            while self._open.in_flight and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)  # whatever ended the sending: what comes in is not sent again
            self._is_closed = True
            self._changed.notify_all()
            self._open.close()
        self._thread.join(1.0)
        self._dispatcher.close()
        self._connection.close()
        if self._journal is not None:
            self._journal.close()
        self._letters.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() == self._process:  # a child that leaves the block takes nothing from its parent
            self.close()


def _unheard(word: str, fields: Mapping[str, Any]) -> None:
    """Nobody wants to know."""
