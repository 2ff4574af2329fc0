"""``mapper dead-letters``"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from ..authoring.diagnostics import to_json
from ..delivery.dead_letters import Letter, bytes_of
from ..delivery.dispatch import Switch
from ..delivery.metrics import write
from ..delivery.retrying import open_letters, retry
from ..events.program import load
from ..events.results import general
from ..records.source import Line
from ..showing import visible
from .live import progress
from .main import coloured, say, tell, width
from .send import CA_FILE, ON_UNCLEAR, PROXY, address_of, sandbox_for, signals, warn
from .summary import stop, summary

HELP = """\b
Examples:
  mapper dead-letters list storefront.dead.jsonl
  mapper dead-letters show storefront.dead.jsonl --code bad-email
  mapper dead-letters retry mappings/storefront.yaml storefront.dead.jsonl --plan
  mapper dead-letters retry mappings/storefront.yaml storefront.dead.jsonl

Look into what was refused, and send it again once the mapping or the records' source is mended."""

LIST_HELP = """\b
Examples:
  mapper dead-letters list storefront.dead.jsonl
  mapper dead-letters list storefront.dead.jsonl --format json

What was refused, by reason: how often, for which events, and how long it can still be sent."""

SHOW_HELP = """\b
Examples:
  mapper dead-letters show storefront.dead.jsonl
  mapper dead-letters show storefront.dead.jsonl --code missing --event Purchase
  mapper dead-letters show storefront.dead.jsonl --line 3 --show-values

Letter by letter: where the record stood, every reason, what the destination said, and how long it can still be sent.
The records themselves hold personal data, and are left out unless you ask for them with --show-values."""

RETRY_HELP = """\b
Examples:
  mapper dead-letters retry mappings/storefront.yaml storefront.dead.jsonl --plan
  mapper dead-letters retry mappings/storefront.yaml storefront.dead.jsonl --to sandbox
  mapper dead-letters retry mappings/storefront.yaml storefront.dead.jsonl

Map the records again with today's mapping, and send what is valid now, in time, and was not sent before. Only the
events that the letters are about: the others of the same record had been sent. What is refused once more is added to
the file with today's reasons; a journal beside it keeps what has been tried, so that nothing is sent twice. --plan only
says what would be done. Exit codes are those of `mapper send`."""

_MOST: Final = 20


@dataclass(slots=True)
class _Group:
    """Letters with one reason."""

    code: str
    message: str
    parameter: str
    letters: int = 0
    events: dict[str, int] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)


@click.group("dead-letters", help=HELP)
def command() -> None:
    """The verbs for dead letters."""


@command.command("list", help=LIST_HELP)
@click.argument("letters", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="The form of the output.")
def list_letters(letters: Path, form: str) -> int:
    """Group by reason."""
    now = int(time.time())
    torn: list[Line] = []
    groups, count = _grouped(letter for _, letter in open_letters(letters, torn.append))
    _say_torn(torn)
    if form == "json":
        click.echo(json.dumps({"letters": count, "reasons": [_plain(group, now) for group in groups]}, indent=2))
        return 0
    tell(f"{count:,} open {'letter' if count == 1 else 'letters'} in {visible(str(letters))}")
    for group in groups:
        events = ", ".join(f"{event} {number:,}" for event, number in group.events.items())
        tell(visible(f"{group.letters:>9,}  {group.message} [{group.code}]"))
        if events:
            tell(visible(f"{'':11}{events}"))
        tell(f"{'':11}{_time_left(group, now)}")
    return 0


@command.command("show", help=SHOW_HELP)
@click.argument("letters", type=click.Path(path_type=Path))
@click.option("--code", metavar="CODE", help="Only letters with this reason.")
@click.option("--event", metavar="NAME", help="Only letters about this event of the mapping.")
@click.option("--line", type=click.IntRange(1), help="Only the letter in this line.")
@click.option(
    "--limit", type=click.IntRange(1), default=_MOST, show_default=True, help="How many letters to show at most."
)
@click.option("--show-values", is_flag=True, help="Show the records, too: they hold personal data.")
def show(letters: Path, code: str | None, event: str | None, line: int | None, limit: int, show_values: bool) -> int:
    """Letter by letter."""
    shown, more, torn = 0, 0, list[Line]()
    for stands, letter in open_letters(letters, torn.append):
        if code is not None and all(reason["code"] != code for reason in letter.reasons):
            continue
        if (event is not None and event not in letter.events) or (line is not None and line != stands.number):
            continue
        if shown == limit:
            more += 1
            continue
        shown += 1
        for text in _told(letters, stands.number, letter, int(time.time()), values=show_values):
            tell(text)
    _say_torn(torn)
    if more:
        say(f"{more:,} more: --limit {shown + more} shows all.")
    if not shown:
        say("No open letter is like that.")
    return 0


@command.command("retry", help=RETRY_HELP)
@click.argument("mapping", type=click.Path())
@click.argument("letters", type=click.Path(path_type=Path))
@click.option("--plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--to", default="", metavar="NAME|sandbox|URL", help="Where to send; the mapping's destination by default."
)
@click.option("--test-event-code", metavar="CODE", help="Show the events in the destination's test tool.")
@ON_UNCLEAR
@PROXY
@CA_FILE
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary; only why a run stopped.")
def retry_letters(
    mapping: str, letters: Path, plan: bool, to: str, report: Path | None, quiet: bool, **options: Any
) -> int:
    """Map and deliver again."""
    program, switch = load(mapping), Switch()
    address, settings = address_of(program, to), None
    with ExitStack() as stack:
        if address == "sandbox" and not plan:
            sandbox = stack.enter_context(sandbox_for(program))
            address, settings = sandbox.url, sandbox.settings
        stack.enter_context(signals(switch, quiet=quiet))
        shown = stack.enter_context(progress(quiet=quiet, switch=switch))
        found = retry(
            program,
            letters,
            plan=plan,
            trial=to == "sandbox",
            to=address,
            settings=settings,
            on_progress=shown,
            on_note=None if quiet else warn,
            switch=switch,
            **options,
        )
    if plan and not quiet:
        tell(_planned(found.events.made, found.records.read, found.records.dead, found.records.ignored))
    if not quiet:
        say(summary(found, colour=coloured(sys.stderr), width=width(sys.stderr)))
    elif said := stop(found):
        say(said)
    if report is not None:  # after it was told: a disk that is full must not take the outcome with it
        write(report, to_json(found.as_dict()) + "\n", "report", 0o600)
    return found.exit_code


def _say_torn(torn: Sequence[Line]) -> None:
    """A run that is killed, or whose disk is full, leaves a part of a letter; the run that goes on writes it anew."""
    if torn:
        first = f"line {torn[0].number:,}"
        which = f"{first} is" if len(torn) == 1 else f"{len(torn):,} lines, from {first} on, are"
        say(f"Left out: {which} what a run that died left of a letter: the run that went on has written it anew.")


def _planned(events: int, read: int, dead: int, ignored: int) -> str:
    said = f"Of {read:,} open letters {read - dead - ignored:,} can be sent now, as {events:,} events"
    said += f"; {dead:,} would be refused again" if dead else ""
    said += f"; {ignored:,} are not meant for any event now" if ignored else ""
    return f"{said}."


def _grouped(letters: Iterator[Letter]) -> tuple[list[_Group], int]:
    groups: dict[tuple[str, str], _Group] = {}
    count = 0
    for letter in letters:
        count += 1
        for reason in letter.reasons:
            code, message = reason["code"], general(reason.get("message", ""))
            group = groups.setdefault((code, message), _Group(code, message, reason.get("parameter", "")))
            group.letters += 1
            if event := reason.get("event", ""):
                group.events[event] = group.events.get(event, 0) + 1
            group.ends += [letter.expires] if letter.expires is not None else []
    return sorted(groups.values(), key=lambda group: (-group.letters, group.message)), count


def _plain(group: _Group, now: int) -> Mapping[str, Any]:
    alive = [end for end in group.ends if end > now]
    return {
        "count": group.letters,
        "code": group.code,
        "message": group.message,
        "parameter": group.parameter,
        "events": group.events,
        "too_old": len(group.ends) - len(alive),
        "first_expires": min(alive, default=None),
        "last_expires": max(alive, default=None),
    }


def _time_left(group: _Group, now: int) -> str:
    """``5 too old by now; the first of the others in 2 d 3 h, the last in 6 d 20 h``"""
    if not group.ends:
        return "nobody knows when they happened"
    alive = [end for end in group.ends if end > now]
    gone = len(group.ends) - len(alive)
    said = [f"{gone:,} too old by now"] if gone else []
    if len(alive) == 1:
        said.append(f"can be sent for {_duration(alive[0] - now)}")
    elif alive:
        said.append(
            f"the first can be sent for {_duration(min(alive) - now)}, the last for {_duration(max(alive) - now)}"
        )
    return "; ".join(said)


def _duration(seconds: int) -> str:
    minutes = seconds // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _told(path: Path, number: int, letter: Letter, now: int, *, values: bool) -> Iterator[str]:
    yield visible(f"{path}:{number}  from {letter.file}:{letter.line}")
    for reason in letter.reasons:
        where = "  ".join(filter(None, (reason.get("event", ""), reason.get("mapping", ""))))
        yield visible(f"    {reason.get('message', '')} [{reason['code']}]" + (f"  {where}" if where else ""))
    if letter.answer:
        yield visible("    answered: " + ", ".join(f"{name} {value}" for name, value in letter.answer.items()))
    if letter.expires is not None:
        left = letter.expires - now
        at = datetime.fromtimestamp(letter.expires, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
        yield f"    can be sent until {at}" + (f", for {_duration(left)}" if left > 0 else ": that is over")
    if values:
        yield visible(f"    {bytes_of(letter).decode('utf-8', 'backslashreplace') or 'the record was not kept'}")
