"""``mapper fmt``"""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from ..document import read
from ..errors import MappingError
from ..formatting import format_text
from .main import say

HELP = """\b
Examples:
  mapper fmt mappings/*.yaml
  mapper fmt --check mappings/*.yaml
  mapper fmt --diff mappings/shop.yaml

Write mapping files in one layout. Comments are kept and the meaning stays. With --check nothing is written: exits with
1 if a file would change."""


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
            before = read(path).text
            after = format_text(before, str(path))
        except MappingError as error:
            problems += error.problems
            continue
        if before == after:
            continue
        changed += 1
        if diff:
            lines = difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), str(path), f"{path} (formatted)"
            )
            click.echo("".join(lines), nl=False)
        elif not check:
            path.write_text(after, encoding="utf-8")
        say(f"{'would change' if check or diff else 'changed'} {path}")
    if problems:
        raise MappingError(problems)
    say(f"{changed} of {len(files)} files {'would change' if check or diff else 'changed'}")
    return 1 if changed and (check or diff) else 0
