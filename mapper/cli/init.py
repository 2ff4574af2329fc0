"""``mapper init``"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ..authoring.drafts import added, skeleton, too_broad
from ..authoring.guessing import read_sample
from ..authoring.instructions import read_setup
from ..destinations.destination import load_destination
from ..destinations.pasted import text_of
from ..errors import DeliveryError
from ..records.source import inputs, lines
from .main import announced, say

HELP = """\b
Examples:
  mapper init --from setup.txt -o mappings/shop.yaml
  mapper init --from setup.txt --sample records.jsonl
  pbpaste | mapper init --from -

Make a mapping from the destination's setup page, such as Events Manager's: copy the page's text into a file. Each
event comes with what the page requires and an expression to fill in. With --sample, expressions are proposed from
your records, each marked with how sure it is."""


@click.command("init", help=HELP)
@click.option(
    "--from",
    "setup",
    required=True,
    type=click.Path(allow_dash=True),
    help="A file with the setup page's text (- for stdin).",
)
@click.option("--sample", type=click.Path(), help="Records (JSON lines) to propose expressions from.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to make; stdout by default."
)
@click.option(
    "--destination", metavar="NAME", default="meta", show_default=True, help="The destination whose page it is."
)
def command(setup: str, sample: str | None, output: Path | None, destination: str) -> int:
    """Write a mapping to begin with."""
    found = load_destination(destination)
    page = read_setup(read_text(setup), found)
    for unknown in page.unknown:
        nearest = f" Is it '{unknown.nearest}'?" if unknown.nearest else ""
        say(f"{setup}:{unknown.line}: '{unknown.text[:60]}' is no parameter that is known.{nearest}")
    if not page.events:
        hint = "Copy the whole page, from 'Set up … event' on."
        raise DeliveryError("no-setup", f"{setup} describes no event", 2, hint)
    seen = read_sample(_records(sample) if sample else ())
    named = _named(destination, output)
    text = skeleton(page, found, seen.parameters(found), seen.conditions(page.events), named)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
    counts = (len(page.events), "event"), (page.count, "required parameter"), (len(page.unknown), "unknown line")
    say(", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts))
    for event in page.events:
        if (rule := too_broad(found, event)) is not None:
            say(
                f"warning: {event.display}, as the page asks for it, can only make events that are refused [{rule.id}]."
            )
            more = " and ".join(added(rule))
            say(f"   help: {f'{more} is added, the least that will do.' if more else rule.remedy}")
    say(f"Next: fill in the {text.count('FILL IN') - 1} places marked FILL IN, then: mapper check {output or 'FILE'}")
    return 1 if page.unknown else 0


def _named(destination: str, output: Path | None) -> str:
    """How the mapping names its destination: a path starts at the mapping's own folder."""
    if not Path(destination).is_file():
        return destination
    folder = output.parent if output is not None else Path()
    try:
        return str(Path(destination).resolve().relative_to(folder.resolve()))
    except ValueError:
        say(
            f"Copy {destination} into a folder 'destinations' beside the mapping: it reads no files outside its folder."
        )
        return ""


def read_text(file: str) -> str:
    """The text of a setup page."""
    announced([file], "the setup page's text")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise DeliveryError("unreadable", f"{file} cannot be read: {error.strerror}", 2) from None
    return text_of(data)


def _records(sample: str) -> Iterator[bytes]:
    for one in inputs(sample):
        for line in lines(one):
            yield line.data


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise DeliveryError("exists", f"{output} is there already", 2, "Name a new file.") from None
    except OSError as error:
        raise DeliveryError("unreadable", f"{output} cannot be written: {error.strerror}", 2) from None
