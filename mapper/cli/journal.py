"""``mapper journal``"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import click

from ..authoring.diagnostics import to_json
from ..delivery.inspection import STATES, Contents, Pending, Source, State, decide, look
from ..showing import visible
from .main import tell

HELP = """\b
Examples:
  mapper journal show storefront.journal
  mapper journal resend storefront.journal
  mapper journal drop storefront.journal

What is settled, what is pending, and what may have arrived twice; and decide about what may have arrived so long ago
that the destination would count a copy."""

SHOW_HELP = """\b
Examples:
  mapper journal show storefront.journal
  mapper journal show storefront.journal --format json

What a journal says: for each input what is settled, what is pending and what will be done with it, and which records
may have arrived twice. It can be looked into while a run goes on. Exit codes: 0 nothing waits for a decision;
4 something does."""

RESEND_HELP = """\b
Examples:
  mapper journal resend storefront.journal
  mapper journal resend storefront.journal --all

Let the next run send again what is held: it may have arrived, so long ago that the destination would count a copy.
Look into the destination's own log first. With --all also what may have arrived lately, which a run with the same
mapping sends again by itself: after that it is mapped by today's mapping."""

DROP_HELP = """\b
Examples:
  mapper journal drop storefront.journal
  mapper journal drop storefront.journal --all

Take what is held as settled: it has arrived, or does not matter. The next run passes it over. With --all also what may
have arrived lately."""

_MOST: Final = 20


@click.group("journal", help=HELP)
def command() -> None:
    """The verbs for journals."""


@command.command("show", help=SHOW_HELP)
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="The form of the output.")
def show(journal: Path, form: str) -> int:
    """Say what stands in it."""
    found = look(journal)
    if form == "json":
        click.echo(to_json(dataclasses.asdict(found)))
    else:
        for line in _told(journal, found):
            tell(line)
    return 4 if found.count("held") else 0


@command.command("resend", help=RESEND_HELP)
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what may have arrived lately.")
def resend(journal: Path, everything: bool) -> int:
    """Decide that it is sent again."""
    count = decide(journal, resend=True, everything=everything)
    tell(f"{_records(count)} will be sent again by the next run." if count else _nothing(journal, everything))
    return 0


@command.command("drop", help=DROP_HELP)
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what may have arrived lately.")
def drop(journal: Path, everything: bool) -> int:
    """Decide that it has arrived."""
    count = decide(journal, resend=False, everything=everything)
    tell(f"{_records(count)} will not be sent again." if count else _nothing(journal, everything))
    return 0


def _nothing(journal: Path, everything: bool) -> str:
    lately = look(journal).count("open")
    more = f" {_records(lately)} may have arrived lately: --all decides about them, too." if lately else ""
    return f"Nothing is held in {journal}: there is nothing to decide.{'' if everything else more}"


def _told(journal: Path, found: Contents) -> Iterator[str]:
    yield visible(f"{journal}: " + (f"events for {found.target}" if found.target else "nothing stands in it yet"))
    for source in found.sources:
        yield ""
        yield from _source(source)
    if not found.count(*STATES):
        yield ""
        yield "Nothing is on its way, and nothing waits for a decision."
    if found.count("held"):
        yield ""
        yield "Look into the destination's own log, then decide:"
        yield f"  it has arrived: mapper journal drop {journal}"
        yield f"  it has not:     mapper journal resend {journal}"


def _source(source: Source) -> Iterator[str]:
    yield visible(source.name) if source.name else "records that can be read only once (a pipe, or handed over)"
    place = f", up to byte {source.settled:,}" if source.name and (source.settled or not source.records) else ""
    yield f"{_count(source.records)} settled{place}"
    state: State
    for state, meaning in STATES.items():
        pending = [one for one in source.pending if one.state == state]
        if not pending:
            continue
        yield f"{_count(sum(one.records for one in pending))} {meaning}"
        places = _places(pending) if source.name and state != "due" else []
        yield from (f"{'':13}{place}" for place in places[:_MOST])
        if len(places) > _MOST:
            yield f"{'':13}and {len(places) - _MOST} more places: --format json has them all"
    if source.kept:
        yield f"{source.kept:>9,} events kept for that"
    for twice in source.twice[:_MOST]:
        lines = f"{twice.first_line:,}"
        lines += f" to {twice.last_line:,}" if twice.last_line > twice.first_line else ""
        yield f"{'':11}may have arrived twice: line {lines}, accepted {_moment(twice.at)}"
    if len(source.twice) > _MOST:
        yield f"{'':11}and {len(source.twice) - _MOST} more such places: --format json has them all"


def _places(pending: Sequence[Pending]) -> list[str]:
    """Where they stand: those that were first sent at the same moment together."""
    found: dict[str, list[Pending]] = {}
    for one in pending:
        found.setdefault(_moment(one.since), []).append(one)
    return [
        f"bytes {ones[0].start:,} to {ones[-1].end:,}"
        + (f" in {len(ones):,} places" if any(one.end != other.start for one, other in pairwise(ones)) else "")
        + f", first sent {moment}"
        for moment, ones in found.items()
    ]


def _count(count: int) -> str:
    return f"{count:>9,} {'record' if count == 1 else 'records'}"


def _records(count: int) -> str:
    return _count(count).strip()


def _moment(moment: float) -> str:
    hours = int(time.time() - moment) // 3600
    ago = f", {hours} hours ago" if hours > 1 else ""
    return f"{datetime.fromtimestamp(moment, tz=UTC):%Y-%m-%d %H:%M} UTC{ago}"
