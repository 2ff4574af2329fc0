"""``mapper fmt``"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ..authoring.formatting import format_text
from ..documents.document import decoded, read
from ..errors import MappingError
from ..showing import visible
from .main import announced, coloured, say, tell
from .saving import save

HELP = """\b
Examples:
  mapper fmt mappings/*.yaml
  mapper fmt --check mappings/*.yaml
  mapper fmt --diff mappings/shop.yaml
  mapper fmt - < mappings/shop.yaml

Write mapping files in one layout. Comments are kept and the meaning stays. With --check nothing is written: exits with
1 if a file would change. '-' reads standard input and writes to standard output, as editors like it."""


@click.command("fmt", help=HELP)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; fail if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def command(files: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Format files in place."""
    changed = 0
    problems = []
    for path in files:
        try:
            before = _typed() if str(path) == "-" else read(path).text
            after = format_text(before, _name(path))
        except MappingError as error:
            problems += error.problems
            continue
        if str(path) == "-" and not (check or diff):
            click.echo(after, nl=False)
            continue
        if before == after:
            continue
        changed += 1
        if diff:
            tell("\n".join(_difference(before, after, _name(path))))
        elif not check:
            save(path, after)
        say(f"{'would change' if check or diff else 'changed'} {_name(path)}")
    if problems:
        raise MappingError(problems)
    if [str(path) for path in files] != ["-"]:
        say(f"{changed} of {len(files)} files {'would change' if check or diff else 'changed'}")
    return 1 if changed and (check or diff) else 0


def _name(path: Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _typed() -> str:
    announced(["-"], "a mapping")
    return decoded(sys.stdin.buffer.read(), "standard input")


def _difference(before: str, after: str, name: str) -> Iterator[str]:
    """What would change, as `diff -u` shows it."""
    shades = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"} if coloured(sys.stdout) else {}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name} (formatted)", lineterm="")
    for number, line in enumerate(lines):
        shade = "\x1b[1m" if number < 2 and shades else shades.get(line[:1], "")
        yield f"{shade}{visible(line)}\x1b[0m" if shade else visible(line)
