"""``mapper test``"""

from __future__ import annotations

import sys

import click

from ..diagnostics import excerpt
from ..program import load
from ..specs import Outcome, run_tests
from .main import coloured

HELP = """\b
Examples:
  mapper test mappings/storefront.yaml
  mapper test mappings/*.yaml -k purchase

Run the tests that stand in mappings (under 'tests:'). Exits with 1 if one fails, or if there is none to run."""


@click.command("test", help=HELP)
@click.argument("mappings", nargs=-1, required=True, type=click.Path())
@click.option("-k", "match", default="", help="Only tests whose name contains this.")
@click.option("--verbose", "-v", is_flag=True, help="Name the tests that pass, too.")
def command(mappings: tuple[str, ...], match: str, verbose: bool) -> int:
    """Run tests and show what differs."""
    passed = failed = 0
    for path in mappings:
        for outcome in run_tests(load(path), match=match):
            passed += outcome.passed
            failed += not outcome.passed
            if verbose or not outcome.passed:
                _show(outcome)
    if not passed + failed:
        click.echo("There is no test to run." if not match else f"No test has '{match}' in its name.")
        return 1
    click.echo(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def _show(outcome: Outcome) -> None:
    if outcome.passed:
        click.echo(f"ok    {outcome.name}")
        return
    colour = coloured(sys.stdout)
    click.echo(f"FAIL  {outcome.name}\n      {outcome.span}")
    for difference in outcome.differences:
        click.echo(f"\n      {difference.message}")
        for line in excerpt(difference.span, colour=colour):
            click.echo(f"  {line}")
    click.echo("")
