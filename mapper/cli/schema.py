"""``mapper schema``"""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..authoring.editor import json_schema
from ..destinations.destination import load_destination

HELP = """\b
Examples:
  mapper schema > mapping.schema.json
  mapper schema --destination meta -o .vscode/mapping.schema.json

Write a JSON Schema of mapping files. Editors complete and check with it: begin a mapping with the line
'# yaml-language-server: $schema=mapping.schema.json'."""


@click.command("schema", help=HELP)
@click.option(
    "--destination",
    metavar="NAME",
    default="meta",
    show_default=True,
    help="The destination whose parameters and events it knows.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; stdout by default."
)
def command(destination: str, output: Path | None) -> int:
    """Write the schema."""
    text = json.dumps(json_schema(load_destination(destination)), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    return 0
