"""``mapper test``"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..authoring.comparing import Difference
from ..authoring.diagnostics import excerpt
from ..authoring.rewriting import updated
from ..authoring.specs import SUFFIX, Outcome, mapping_of, run_tests
from ..errors import MappingError, Problem
from ..events.program import load
from ..showing import visible
from .main import coloured, say, width
from .saving import save

HELP = """\b
Examples:
  mapper test mappings/storefront.yaml
  mapper test mappings/*.yaml -k purchase
  mapper test mappings/*.yaml --junit tests.xml
  mapper test mappings/storefront.yaml --update

Run a mapping's tests: those under 'tests:', and those in files beside it (shop.spec.yaml for shop.yaml). Exits with 1
if one fails, or if there is none to run."""


@click.command("test", help=HELP)
@click.argument("mappings", nargs=-1, required=True, type=click.Path())
@click.option("-k", "match", default="", help="Only tests whose name contains this.")
@click.option("--verbose", "-v", is_flag=True, help="Name the tests that pass, too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
@click.option("--update", is_flag=True, help="Rewrite what tests expect to what came out; read the diff.")
def command(mappings: tuple[str, ...], match: str, verbose: bool, junit: Path | None, update: bool) -> int:
    """Run tests and show what differs."""
    outcomes: list[Outcome] = []
    problems: list[Problem] = []
    for path in named(mappings):
        try:
            found = list(run_tests(load(path), match=match))
        except MappingError as error:
            problems += error.problems
            continue
        if update and _update(found):
            found = list(run_tests(load(path), match=match))
        for outcome in found:
            if verbose or not outcome.passed:
                _show(outcome)
        outcomes += found
    if junit is not None:
        junit.write_text("".join(_junit(outcomes, problems)), encoding="utf-8")
    if problems:
        raise MappingError(problems)
    passed = sum(outcome.passed for outcome in outcomes)
    if not outcomes:
        click.echo("There is no test to run." if not match else f"No test has '{visible(match)}' in its name.")
        return 1
    failed = len(outcomes) - passed
    click.echo(f"{passed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def named(paths: Iterable[str]) -> list[str]:
    """The mappings that paths name, each once: a file of tests stands for its mapping."""
    found = (str(mapping_of(Path(path))) if path.endswith(SUFFIX) else path for path in paths)
    return list(dict.fromkeys(found))


def _update(outcomes: list[Outcome]) -> bool:
    """Write what came out into the expectations; whether any file changed."""
    changed = updated(difference for outcome in outcomes for difference in outcome.differences)
    for file, (text, count) in changed.items():
        save(Path(file), text)
        say(f"{file}: {count} expectation{'s' if count > 1 else ''} rewritten")
    return bool(changed)


def _show(outcome: Outcome) -> None:
    if outcome.passed:
        click.echo(f"ok    {visible(outcome.name)}")
        return
    colour = coloured(sys.stdout)
    red, end = ("\x1b[1;31m", "\x1b[0m") if colour else ("", "")
    click.echo(f"{red}FAIL{end}  {visible(outcome.name)}\n      {visible(str(outcome.span))}")
    for difference in outcome.differences:
        click.echo("")
        for line in _sides(difference, colour):
            click.echo(f"      {line}")
        for line in excerpt(difference.span, colour=colour, width=width(sys.stdout)):
            click.echo(f"  {line}")
    click.echo("")


def _sides(difference: Difference, colour: bool) -> Iterator[str]:
    """What differs; both sides one below the other, so that the eye finds where they part."""
    first, *more = difference.about.split("\n")
    yield visible(first)
    yield from (visible(line.strip()) for line in more)
    if difference.expected:
        green, red, end = ("\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("", "", "")
        yield f"  expected  {green}{visible(difference.expected)}{end}"
        yield f"  got       {red}{visible(difference.got)}{end}"


def _junit(outcomes: list[Outcome], problems: list[Problem]) -> Iterator[str]:
    """JUnit's XML: one suite a file; a mapping that cannot be used, or a test that is badly declared, is an error."""
    from xml.sax.saxutils import escape, quoteattr

    yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n'
    for file in dict.fromkeys(problem.span.file for problem in problems):
        said = [visible(str(problem)) for problem in problems if problem.span.file == file]
        name = quoteattr(visible(file))
        yield f'  <testsuite name={name} tests="1" failures="0" errors="1" time="0">\n'
        yield f'    <testcase classname={name} name="can be used" time="0">\n'
        yield f"      <error message={quoteattr(said[0])}>{escape(chr(10).join(said))}</error>\n"
        yield "    </testcase>\n  </testsuite>\n"
    for file in dict.fromkeys(outcome.span.file for outcome in outcomes):
        suite = [outcome for outcome in outcomes if outcome.span.file == file]
        failed = sum(not outcome.passed for outcome in suite)
        seconds = sum(outcome.seconds for outcome in suite)
        counts = f'tests="{len(suite)}" failures="{failed}" errors="0" time="{seconds:.6f}"'
        yield f"  <testsuite name={quoteattr(visible(file))} {counts}>\n"
        for outcome in suite:
            about = f"classname={quoteattr(visible(file))} name={quoteattr(visible(outcome.name))}"
            yield f'    <testcase {about} line="{outcome.span.line}" time="{outcome.seconds:.6f}">'
            if not outcome.passed:
                said = [f"{one.span}: {one.message}".replace("\n", "; ") for one in outcome.differences]
                first = quoteattr(visible(outcome.differences[0].message.replace("\n", "; ")))
                yield f"\n      <failure message={first}>{escape(chr(10).join(map(visible, said)))}</failure>\n    "
            yield "</testcase>\n"
        yield "  </testsuite>\n"
    yield "</testsuites>\n"
