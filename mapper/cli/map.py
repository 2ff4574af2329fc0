"""``mapper map``"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..dead_letters import DeadLetters
from ..program import Program, load
from ..report import Events, Reason, Records, refused, warned
from ..results import Refusal, Result
from ..source import Line, inputs, lines
from .main import coloured, data, say, width
from .summary import reasons, sum_of_records

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
@click.option("--now", type=float, help="The clock, in Unix seconds, for repeatable runs.")
@click.option("--quiet", "-q", is_flag=True, help="No summary on stderr.")
def command(mapping: str, records: tuple[str, ...], dead_letters: Path | None, now: float | None, quiet: bool) -> int:
    """Map and write."""
    program = load(mapping)
    given = inputs(list(records) or ["-"])
    run = _Mapping(program, DeadLetters(dead_letters), now)
    run.letters.check()
    with run.letters:
        for one in given:
            replay = program.replay(one.path) if one.path is not None else None
            if replay is not None and not quiet:
                say(f"{one.name} is a sample: its times are moved as if it had been recorded just now.")
            for line in lines(one):
                moment, shift = (now if now is not None else time.time()), 0
                if replay is not None:
                    moment, shift = replay.clock(moment)
                run.take(line, moment, shift)
    run.output.flush()
    if not quiet:
        run.say()
    return 1 if run.refused else 0


class _Mapping:
    def __init__(self, program: Program, letters: DeadLetters, now: float | None) -> None:
        self.program, self.letters = program, letters
        self.records, self.events = Records(), Events()
        self.refused: dict[Reason, int] = {}
        self.warnings: dict[Reason, int] = {}
        self.output = data()
        self.write = self.output.write

    def take(self, line: Line, now: float, shift: int) -> None:
        if not line.fault and not line.data.strip():
            self.records.blank += 1
            return
        self.records.read += 1
        if line.fault:
            result = Result(problems=(Refusal(line.fault, "the line is longer than 10 MiB"),))
        else:
            result = self.program.map(line.data, now, shift=shift)
        for event in result.events:
            self.events.made += 1
            self.write(event.encoded + b"\n")
        for problem in result.problems:
            reason = refused(problem)
            self.refused[reason] = self.refused.get(reason, 0) + 1
        self.letters.record(line, result.problems)
        for warning in result.warnings:
            reason = warned(self.program, warning)
            self.warnings[reason] = self.warnings.get(reason, 0) + 1
        if result.events:
            self.records.mapped += 1
        elif result.problems:
            self.records.dead += 1
        else:
            self.records.ignored += 1

    def say(self) -> None:
        """The summary."""
        colour = coloured(sys.stderr)
        say(sum_of_records(self.records, colour=colour))
        say(f"{self.events.made:>9,} events made")
        if said := reasons(self.refused, self.warnings, colour=colour, width=width(sys.stderr)):
            say(f"\n{said}")
