"""``mapper payload``"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from ..destination import Destination, load_destination
from ..diagnostics import counted, to_json
from ..errors import DeliveryError
from ..payload import check_payload, commented, sample_payload
from .clock import now_option
from .main import coloured, say, tell

HELP = """\b
Examples:
  mapper payload check body.json
  pbpaste | mapper payload check -
  mapper payload sample Purchase
  mapper payload sample Purchase --action-source physical_store --plain

Look at what is sent: check a request body from anywhere, or print a correct one. A body, an event, a list of events and
JSON lines of events are all understood."""


@click.group("payload", help=HELP)
def command() -> None:
    """The payload helper."""


@command.command("check")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--destination", default="meta", show_default=True, help="Whose rules hold.")
@click.option("--strict", is_flag=True, help="Say also what is taken today, but matches or reports badly.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to say it.")
@now_option
def check(file: str, destination: str, strict: bool, form: str, now: float | None) -> int:
    """Check a request body (- for standard input)."""
    body = _read(file)
    findings = check_payload(load_destination(destination), body, now or time.time(), strict=strict)
    errors = sum(finding.level == "error" for finding in findings)
    if form == "json":
        names = ("path", "rule", "level", "message", "remedy")
        click.echo(to_json([{name: getattr(one, name) for name in names} for one in findings]))
        return 1 if errors else 0
    bold, red, yellow, end = ("\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m") if coloured(sys.stdout) else ("",) * 4
    for finding in findings:
        shade = red if finding.level == "error" else yellow
        tell(f"{bold}{finding.path or 'body'}{end}: {shade}{finding.level}{end}: {finding.message} [{finding.rule}]")
        if finding.remedy:
            tell(f"   help: {finding.remedy}")
    warnings = len(findings) - errors
    say(counted(errors, warnings) if findings else "Nothing is wrong with it.")
    return 1 if errors else 0


@command.command("sample")
@click.argument("event")
@click.option("--action-source", default="website", show_default=True, help="Where the event took place.")
@click.option("--destination", default="meta", show_default=True, help="For which destination.")
@click.option("--plain", is_flag=True, help="JSON without comments.")
def sample(event: str, action_source: str, destination: str, plain: bool) -> int:
    """Print a correct, complete example of an event."""
    found = load_destination(destination)
    name = found.event_named(event) or event
    body = sample_payload(found, name, _given(found, action_source), now=int(time.time()))
    click.echo(json.dumps(body, indent=2, ensure_ascii=False) if plain else commented(found, body), nl=plain)
    return 0


def _given(destination: Destination, action_source: str) -> dict[str, str]:
    known = destination.field("action_source")
    if known is None:
        return {}
    if known.allowed and action_source not in known.allowed:
        allowed = ", ".join(map(str, known.allowed))
        raise DeliveryError(
            "action-source", f"there is no action source '{action_source}'", 2, f"There are: {allowed}."
        )
    return {"action_source": action_source}


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise DeliveryError("unreadable", f"{file} cannot be read: {error.strerror}", 2) from None
