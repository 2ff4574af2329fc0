"""``mapper check``"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

import mapper

from ..authoring import diagnostics
from ..authoring.specs import check_tests
from ..destinations.destination import load_destination
from ..errors import MappingError, Problem
from ..events.program import Program, load
from ..records.source import inputs, lines
from .clock import now_option
from .main import announced, coloured, say, tell, width
from .test import named

HELP = """\b
Examples:
  mapper check mappings/storefront.yaml
  mapper check mappings/*.yaml --format github
  mapper check mappings/storefront.yaml --sample orders.jsonl
  mapper check mappings/storefront.yaml --sample orders.jsonl --format html > coverage.html
  mapper check mappings/waitlist.yaml --setup setup.txt
  mapper check mappings/storefront.yaml --pixel

Find everything that is wrong with mappings or destination files, before any record is read. Each problem is shown
with its file, line and column, what was expected, and what to do. With --sample, records say how often each
parameter comes out, which field was missing when it did not, and what they hold that nobody reads. Exits with 1 if
there are errors; warnings alone are no failure."""


@click.command("check", help=HELP)
@click.argument("mappings", nargs=-1, required=True, type=click.Path())
@click.option("--sample", multiple=True, type=click.Path(allow_dash=True), help="Records to try the mapping on.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif", "html"]),
    default="text",
    help="The form of the findings; html only with --sample.",
)
@click.option(
    "--setup",
    type=click.Path(),
    help="The text of the destination's setup page (Events Manager's, for Meta) to compare the mapping with.",
)
@click.option("--pixel", is_flag=True, help="Say what the page's pixel must send so that no event counts twice.")
@now_option
@click.option("--strict", is_flag=True, help="Warnings are failures, too.")
def command(
    mappings: tuple[str, ...],
    sample: tuple[str, ...],
    form: str,
    setup: str | None,
    pixel: bool,
    now: float | None,
    strict: bool,
) -> int:
    """Compile mappings and show what is wrong."""
    mappings = tuple(named(mappings))
    _check_usage(mappings, sample, form, pixel, now)
    problems: list[Problem] = []
    programs: list[Program] = []
    destinations = 0
    for path in mappings:
        try:
            program = load(path)
        except MappingError as error:
            if (found := _as_destination(path, error)) is None:
                problems += error.problems
            elif sample or setup is not None or pixel:
                raise click.UsageError(
                    f"{path} is a destination: --sample, --setup and --pixel are for mappings."
                ) from None
            else:
                destinations += not found
                problems += found
            continue
        found = [*program.warnings, *check_tests(program)]
        problems += found
        if not any(problem.level == "error" for problem in found):
            programs.append(program)
    if setup is not None:
        problems += _compared(setup, programs)
    failed = any(problem.level == "error" or strict for problem in problems)
    if sample and programs:
        if problems:
            say(diagnostics.render(problems, colour=coloured(sys.stderr), width=width(sys.stderr)))
        _try(programs[0], sample, form, now)
        return 1 if failed else 0
    _show(problems, form, {"mapping": len(programs), "destination": destinations}, len(mappings))
    if pixel:
        from ..authoring.deduplication import explained

        for program in programs:
            tell("\n".join(explained(program)))
    return 1 if failed else 0


def _as_destination(path: str, error: MappingError) -> list[Problem] | None:
    """What is wrong with a file as a destination; None if it is none."""
    if [(problem.code, problem.span.file) for problem in error.problems] != [("no-mapping", path)]:
        return None
    try:
        load_destination(f"./{path}" if not Path(path).is_absolute() else path)
    except MappingError as wrong:
        return wrong.problems
    return []


def _compared(setup: str, programs: list[Program]) -> list[Problem]:
    """What a setup page asks for and the mappings do not give."""
    from ..authoring.instructions import compare, read_setup, unread
    from .init import read_text

    problems: list[Problem] = []
    text = read_text(setup)
    for program in programs:
        page = read_setup(text, program.destination)
        problems += compare(page, program)
        problems += [one for one in unread(page, setup) if one not in problems]
    return problems


def _check_usage(mappings: tuple[str, ...], sample: tuple[str, ...], form: str, pixel: bool, now: float | None) -> None:
    """Options that make no sense together."""
    if sample and len(mappings) != 1:
        raise click.UsageError("--sample tries one mapping at a time.")
    if form == "html" and not sample:
        raise click.UsageError("--format html shows what records give: name some with --sample.")
    if form in ("github", "sarif") and sample:
        raise click.UsageError(f"--format {form} shows problems of mappings: leave --sample away.")
    if now is not None and not sample:
        raise click.UsageError("--now is the clock for records: name some with --sample.")
    if pixel and form != "text":
        raise click.UsageError("--pixel is for people: leave --format away.")


def _try(program: Program, sample: tuple[str, ...], form: str, now: float | None) -> None:
    """Map sample records and show what they give."""
    from ..authoring.coverage import cover

    coverage = cover(program, _lines(program, sample, now))
    if form == "json":
        click.echo(diagnostics.to_json(coverage.as_dict()))
    elif form == "html":
        from .coverage_page import as_html

        click.echo(as_html(coverage, Path(program.files[0]).name), nl=False)
    else:
        from .coverage import show

        tell(show(coverage, width=width(sys.stdout) or 120, colour=coloured(sys.stdout)))
    old = sum(count for reason, count in coverage.reasons.items() if reason.code == "too-old")
    if now is None and old * 4 > coverage.records:
        say("Many of these records are too old by now. To try them as on their own day: --now 2026-11-20, say.")


def _lines(program: Program, sample: tuple[str, ...], now: float | None) -> Iterator[tuple[bytes, float, int]]:
    for one in inputs(announced(sample)):
        replay = program.replay(one.path) if one.path is not None else None
        clock = time.time() if now is None else now
        moment, shift = replay.clock(clock) if replay is not None else (clock, 0)
        for line in lines(one):
            if line.data.strip():
                yield line.data, moment, shift


def _show(problems: list[Problem], form: str, good: Mapping[str, int], count: int) -> None:
    if form == "json":
        click.echo(diagnostics.as_json(problems))
    elif form == "github":
        click.echo(diagnostics.as_github(problems), nl=bool(problems))
    elif form == "sarif":
        click.echo(diagnostics.as_sarif(problems, mapper.__version__))
    else:
        if problems:
            tell(diagnostics.render(problems, colour=coloured(sys.stdout), width=width(sys.stdout)))
        usable = [f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in good.items() if number]
        if usable:
            said = " and ".join(usable) if sum(good.values()) == count else f"{sum(good.values())} of {count} files"
            say(f"{said} can be used.")
