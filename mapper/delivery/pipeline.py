"""``mapper.send``: puts a run together from a program, its inputs, a destination and the files that it keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

from ..destinations.request import Prepared
from ..errors import DeliveryError
from ..events.program import Program
from ..records.source import Input, Source, inputs
from . import report as reports
from .dead_letters import DeadLetters
from .dispatch import Notify, Switch
from .journal import Journal
from .options import AsKeywords, Options, window
from .report import Report
from .run import Run
from .sending import OnProgress
from .settings import Settings, Unshown, address_of, resolve
from .transport import Connection


def send(
    program: Program,
    source: Source,
    *,
    to: str = "",
    settings: Mapping[str, str] | None = None,
    test_event_code: str | None = None,
    dry_run: bool = False,
    dead_letters: str | Path | None = None,
    now: float | None = None,
    on_progress: OnProgress | None = None,
    on_note: Notify | None = None,
    switch: Switch | None = None,
    journal: str | Path | None = None,
    **options: Unpack[AsKeywords],
) -> Report:
    """Map records and deliver their events.

        report = mapper.send(program, "orders.jsonl", journal="shop.journal", dead_letters="shop.dead.jsonl")

    program          the mapping, as ``mapper.load`` gives it
    source           a file, a glob, ``-``, a list of these, or an iterable of records (dicts, or lines of JSON)
    to               an address, ``https://host``, in place of the destination's own, or just the destination's name
    settings         settings by name or variable, over those of the environment
    test_event_code  routes the events to the destination's test tool
    dry_run          do everything but send
    dead_letters     a file for what is refused, with the records as they were: mode 0600
    now              the clock, in Unix seconds, for tests and repeated runs
    on_progress      called now and then with the counts so far
    on_note          called with what happens, a word and its fields; also from other threads
    switch           ends the run early
    journal          a file that keeps what is settled: a run that was killed goes on where it was, and a finished one
                     sends nothing again. What comes through a pipe is kept in it until it is settled. Not for an
                     iterable of records, of which nobody knows whether it is the same: that is what a Sender is for
    batch_size       events a request, at most what the destination takes
    concurrency      requests on their way at once
    workers          processes that map files once they have turned out to be large
    max_wait         seconds after which a batch is sent although it is not full; for live inputs one if not given
    rate             events a second at most
    limit            records to read at most
    since            events that happened before this moment (Unix seconds) are left out
    follow           read on where the last file ends, also when it is rotated, until the run is stopped
    resume           standard input begins as in the last run with this journal: what is settled is passed over
    timeout          seconds for a whole exchange: connecting, sending up to 1,000 events, and the answer
    patience         seconds of waiting for one batch before the run gives up for now
    on_unclear       "resend": what may have arrived is sent again, under the same ids; "hold": it is not, and somebody
                     decides with `mapper journal`. That takes a journal
    proxy            ``http://[user:password@]host:port`` to send through; none is taken from the environment
    ca_file          authorities to trust, as PEM, in place of the usual ones
    raises           DeliveryError if nothing can be sent at all; what ends a run midway is in the report
    """
    run = Run(program, Options(**options), DeadLetters(Path(dead_letters) if dead_letters else None), now)
    del options  # whose proxy may hold a password: see Unshown
    settings, given = Settings(settings), inputs(source, follow=run.options.follow)
    run.sending.heed(on_progress, on_note, switch)
    _check_journal(given, journal, run.options, dry_run=dry_run)
    run.check(given, is_test=test_event_code is not None or _is_elsewhere(program, to, dry_run=dry_run))
    return execute(
        run, given, to=to, settings=settings, test_event_code=test_event_code, dry_run=dry_run, journal=journal
    )


def _check_journal(given: Sequence[Input], journal: str | Path | None, options: Options, *, dry_run: bool) -> None:
    """What a journal cannot do, and what cannot be done without one."""
    if journal is not None and any(one.records is not None for one in given):
        hint = "Name a file, or hand the records to a mapper.Sender, which keeps what it was given."
        raise DeliveryError("journal-records", "a journal is for files and pipes, not for records in memory", 2, hint)
    if options.resume and all(one.path is not None or one.records is not None for one in given):
        hint = "Leave it away: files are known by their content."
        raise DeliveryError("resume", "--resume is for standard input, and none is read", 2, hint)
    if options.on_unclear == "hold" and journal is None and not dry_run:
        hint = "Name one with --journal, or journal=… in Python."
        raise DeliveryError("journal-hold", "events can only be held if a journal keeps them in mind", 2, hint)


def _is_elsewhere(program: Program, to: str, *, dry_run: bool) -> bool:
    """Whether events go to another address than the destination's own; in a dry run none has to be given."""
    if dry_run:
        return to not in ("", program.destination.name)
    return address_of(program.destination, to) is not None


def execute(
    run: Run,
    given: Sequence[Input],
    *,
    to: str,
    settings: Mapping[str, str] | None,
    test_event_code: str | None,
    dry_run: bool,
    journal: str | Path | None,
) -> Report:
    """Carry a run out; the arguments are those of ``send``."""
    destination = run.program.destination
    base = address_of(destination, to) if not dry_run else None
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(run.letters)
        if not dry_run:
            found = resolve(destination, settings)
            for doubt in found.doubts:
                run.sending.on_note("warning", {"code": "settings", "message": doubt})
            prepared = destination.request.prepare(found, test_code=test_event_code, base=base)
            _connect(run, prepared, Path(journal) if journal is not None else None, stack)
        run.go(given)
    return reports.made(
        run.program,
        run.sending.tally,
        to=to or destination.name,
        dry_run=dry_run,
        seconds=time.monotonic() - started,
        letters=run.letters,
        files=[one.name for one in given],
    )


def _connect(run: Run, prepared: Prepared, journal: Path | None, stack: ExitStack) -> None:
    """Give a run what it sends with, for as long as the stack lasts."""
    options = run.options
    connection = Connection(
        run.program.destination,
        prepared,
        connections=options.concurrency,
        deadline=options.timeout,
        proxy=Unshown(options.proxy) if options.proxy else None,
        ca_file=options.ca_file,
    )
    stack.callback(connection.close)
    if journal is not None:
        program = run.program
        opened = Journal(
            journal,
            mapping=program.fingerprint,
            target=prepared.url,
            window=window(program.destination.memory, options.on_unclear),
            clock=run.clock,
        )
        run.sending.journal = stack.enter_context(opened)
    run.sending.dispatcher = run.sending.made_dispatcher(connection.send)
    stack.callback(run.sending.dispatcher.close)


__all__ = ["OnProgress", "Options", "Switch", "execute", "send"]
