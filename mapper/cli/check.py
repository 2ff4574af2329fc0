"""``mapper check``"""

from __future__ import annotations

import sys

import click

import mapper

from .. import diagnostics
from ..errors import MappingError, Problem
from ..program import load
from ..specs import check_tests
from .main import coloured, say

HELP = """\b
Examples:
  mapper check mappings/storefront.yaml
  mapper check mappings/*.yaml --format github

Find everything that is wrong with mappings, before any record is read. Each problem is shown with its file, line and
column, what was expected, and what to do. Exits with 1 if there are errors; warnings alone are no failure."""


@click.command("check", help=HELP)
@click.argument("mappings", nargs=-1, required=True, type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text", help="How to say it."
)
@click.option("--strict", is_flag=True, help="Warnings are failures, too.")
def command(mappings: tuple[str, ...], form: str, strict: bool) -> int:
    """Compile mappings and show what is wrong."""
    problems: list[Problem] = []
    good = 0
    for path in mappings:
        try:
            program = load(path)
        except MappingError as error:
            problems += error.problems
            continue
        found = [*program.warnings, *check_tests(program)]
        problems += found
        good += not any(problem.level == "error" for problem in found)
    _show(problems, form, good, len(mappings))
    failed = any(problem.level == "error" or strict for problem in problems)
    return 1 if failed else 0


def _show(problems: list[Problem], form: str, good: int, count: int) -> None:
    if form == "json":
        click.echo(diagnostics.as_json(problems))
    elif form == "github":
        click.echo(diagnostics.as_github(problems), nl=bool(problems))
    elif form == "sarif":
        click.echo(diagnostics.as_sarif(problems, mapper.__version__))
    else:
        if problems:
            click.echo(diagnostics.render(problems, colour=coloured(sys.stdout)))
        if good:
            say(f"{good} of {count} mapping{'s' if count > 1 else ''} can be used.")
