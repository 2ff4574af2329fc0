"""``mapper map``"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from ..delivery.dead_letters import DeadLetters
from ..delivery.report import Tally, by_event
from ..events.program import Program, load
from ..records.blocks import Mapped, Task
from ..records.source import Block, Input, blocks, inputs, is_idle
from ..records.workers import Workers, cores
from .clock import now_option
from .live import progress
from .main import coloured, data, say, sources, width
from .summary import match_keys, reasons, sum_of_records

HELP = """\b
Examples:
  mapper map mappings/storefront.yaml orders.jsonl
  zcat orders.jsonl.gz | mapper map mappings/storefront.yaml - | jq .event_name
  mapper map mappings/storefront.yaml 'logs/*.jsonl' --dead-letters refused.jsonl > events.jsonl

Map records: JSON lines in, events as JSON lines out, cleaned and hashed as they would be sent, in the order of the
input. Why records gave no event is said on stderr. Exits with 1 if something was refused."""


@click.command("map", help=HELP)
@click.argument("mapping", type=click.Path())
@click.argument("records", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "--dead-letters", type=click.Path(path_type=Path), help="Keep refused records here (with their content; mode 0600)."
)
@now_option
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes map a large input [all cores].")
@click.option("--quiet", "-q", is_flag=True, help="No summary on stderr.")
def command(
    mapping: str,
    records: tuple[str, ...],
    dead_letters: Path | None,
    now: float | None,
    workers: int | None,
    quiet: bool,
) -> int:
    """Map and write."""
    program = load(mapping)
    given = inputs(sources(records))
    run = _Mapping(program, DeadLetters(dead_letters), now)
    run.letters.check()
    for one in given:
        if one.path is not None and program.replay(one.path) is not None and not quiet:
            say(f"{one.name} is a sample: its times are moved as if it had been recorded just now.")
    hidden = quiet or sys.stdout is None or sys.stdout.isatty()  # the events themselves show how far it is
    size = sum(one.path.stat().st_size for one in given if one.path is not None)
    with (
        run.letters,
        Workers(program, workers or cores(), size=size) as pool,
        progress(quiet=hidden, sends=False) as show,
    ):
        for one in given:
            for block, mapped in pool.map(run.tasks(one), partial(is_idle, one)):
                assert isinstance(mapped, Mapped)
                run.take(block, mapped)
                if show is not None:
                    show(run.tally)
    run.output.flush()
    if not quiet:
        run.say()
    return 1 if run.tally.refused else 0


class _Mapping:
    """One run: what it writes, what it counts, and the dead letters."""

    def __init__(self, program: Program, letters: DeadLetters, now: float | None) -> None:
        self.program, self.letters, self.now = program, letters, now
        self.tally = Tally()
        self.output = data()

    def tasks(self, one: Input) -> Iterator[tuple[Block, Task]]:
        """An input's blocks, each with its clock."""
        replay = self.program.replay(one.path) if one.path is not None else None
        for block in blocks(one):
            now, shift = (self.now if self.now is not None else time.time()), 0
            if replay is not None:
                now, shift = replay.clock(now)
            yield block, Task(now, shift, block)

    def take(self, block: Block, mapped: Mapped) -> None:
        """Write what a block gave, and count it."""
        self.output.write(mapped.output)
        self.tally.block(self.program, mapped)
        if self.letters.path is None:
            return
        for odd in mapped.odd:
            if odd.problems:
                line = odd.line(block)
                expires = self.program.expires(line.data, [problem.event for problem in odd.problems])
                self.letters.record(line, odd.problems, expires)

    def say(self) -> None:
        """The summary."""
        tally, colour = self.tally, coloured(sys.stderr)
        say(sum_of_records(tally.records, colour=colour))
        limited = f", {tally.events.limited:,} of them limited" if tally.events.limited else ""
        say(f"{tally.events.made:>9,} events made{limited}")
        counts = self.program.match_keys.counts(tally.carried)
        if carried := match_keys(by_event(tally.carried), counts, width(sys.stderr)):
            say(f"\n{carried}")
        if said := reasons(tally.refused, tally.warnings, colour=colour, width=width(sys.stderr)):
            say(f"\n{said}")
