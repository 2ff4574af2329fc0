"""``mapper explain``"""

from __future__ import annotations

import difflib
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ..authoring.diagnostics import to_json
from ..delivery.dead_letters import opened
from ..errors import DeliveryError
from ..events.explain import explain
from ..events.program import Program, load
from ..events.results import Replay
from ..records.source import Line, inputs, lines
from ..showing import visible
from .clock import now_option
from .main import announced, coloured, say
from .story import as_dict, told

HELP = """\b
Examples:
  mapper explain mappings/storefront.yaml orders.jsonl
  mapper explain mappings/storefront.yaml orders.jsonl --line 17 --event Purchase
  mapper explain mappings/storefront.yaml orders.jsonl --parameter user_data.em --show-values
  mapper explain mappings/storefront.yaml storefront.dead.jsonl

Say why a record becomes an event or does not: each condition, and for each parameter its expression, what the record
holds, every filter, cleaning and hashing, and the outcome. Values are not shown unless you ask: they may be personal
data."""


@click.command("explain", help=HELP)
@click.argument("mapping", type=click.Path())
@click.argument("record", type=click.Path(allow_dash=True), required=False)
@click.option("--record", "named", type=click.Path(allow_dash=True), metavar="FILE", help="The same as RECORD.")
@click.option(
    "--line", "number", type=click.IntRange(1), default=1, show_default=True, help="The record's line in the file."
)
@click.option("--event", default="", metavar="NAME", help="Only this event, even if its condition is false.")
@click.option("--parameter", default="", metavar="PATH", help="Only this parameter, such as user_data.em.")
@click.option("--show-values", is_flag=True, help="Show what the record holds and what is sent.")
@now_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="The form of the output.")
def command(
    mapping: str,
    record: str | None,
    named: str | None,
    number: int,
    event: str,
    parameter: str,
    show_values: bool,
    now: float | None,
    form: str,
) -> int:
    """Explain one record."""
    if record is not None and named is not None:
        raise click.UsageError("Name the record once: as RECORD or with --record.")
    record = record or named
    if record is None:
        raise click.UsageError("Missing argument 'RECORD': a file of records, or - for standard input.")
    program = load(mapping)
    _check_event(program, event)
    _check_parameter(program, parameter)
    line, replay = _line(program, record, number)
    moment, shift = time.time() if now is None else now, 0
    if replay is not None:
        moment, shift = replay.clock(moment)
        say(f"{line.file} is a sample: its times are moved as if it had been recorded just now.")
    explanation = explain(program, line.data, moment, shift=shift, event=event)
    if form == "json":
        click.echo(to_json(as_dict(explanation, parameter, values=show_values)))
        return 0
    click.echo(visible(f"{line.file}:{line.number}"))
    shown = 0
    for text in told(explanation, parameter, values=show_values, colour=coloured(sys.stdout)):
        click.echo(text)
        shown += 1
    if parameter and not shown:
        say(f"No event that this record is meant for has the parameter '{parameter}'.")
    return 0


def _check_event(program: Program, event: str) -> None:
    names = [transform.key for transform in program.transforms]
    if event and event not in names:
        hint = _near(event, names) or f"There are: {', '.join(names)}."
        raise DeliveryError("no-such-event", f"the mapping has no event '{visible(event)}'", 2, hint)


def _check_parameter(program: Program, parameter: str) -> None:
    """Whether the mapping gives a parameter at all, or one below it; positions of items may be left out."""
    paths = {one.path for transform in program.transforms for one in transform.parameters}
    plain = re.sub(r"\[\d*\]", "", parameter)
    if parameter and not any(
        f"{path}.".startswith(f"{plain}.") or f"{plain}.".startswith(f"{path}.") for path in paths
    ):
        hint = _near(plain, sorted(paths)) or "mapper check MAPPING --sample RECORDS lists what it gives."
        raise DeliveryError("no-such-parameter", f"the mapping gives no parameter '{visible(parameter)}'", 2, hint)


def _near(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"Did you mean '{close[0]}'?" if close else ""


def _line(program: Program, record: str, number: int) -> tuple[Line, Replay | None]:
    """The line of a file, the record in a dead letter, or a whole file that is one JSON object over several lines."""
    [given, *_] = inputs(announced([record]))
    replay = program.replay(given.path) if given.path is not None else None
    last = 0
    for line in lines(given):
        last = line.number
        if line.number == number:
            letter = opened(line.data)
            if letter is None:
                return _whole(given.path, line), replay
            say(f"{record}:{number} is a dead letter: the record in it is explained.")
            return letter, program.replay(letter.file)
    has = f"has no line {number}: it has {last:,}" if last else "is empty"
    raise DeliveryError("no-such-line", f"{given.name} {has}", 2)


def _whole(path: Path | None, line: Line) -> Line:
    if path is None or line.data.strip() != b"{":
        return line
    return Line(line.file, 1, 0, path.read_bytes())
