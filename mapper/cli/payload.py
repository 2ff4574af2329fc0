"""``mapper payload``"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from ..authoring.diagnostics import counted, to_json
from ..destinations.destination import Destination, load_destination
from ..destinations.payload import check_payload, commented, sample_payload
from ..errors import DeliveryError
from .clock import now_option
from .main import announced, coloured, say, tell

HELP = """\b
Examples:
  mapper payload check body.json
  pbpaste | mapper payload check -
  mapper payload sample Purchase
  mapper payload sample Purchase --action-source physical_store --plain
  mapper payload sample Purchase --mapping mappings/storefront.yaml

Look at what is sent: check a request body from anywhere, or print a correct one. A body, an event, a list of events,
JSON lines of events, a form, and a page or a command with JSON in it are all understood."""

CHECK_HELP = """\b
Examples:
  mapper payload check body.json
  pbpaste | mapper payload check -
  mapper payload check events.jsonl --strict --now 2026-11-20

Check a request body: everything that the destination would refuse, each with its place in the body and what to do.
Exits with 1 if there is an error."""

SAMPLE_HELP = """\b
Examples:
  mapper payload sample Purchase
  mapper payload sample Lead --action-source system_generated
  mapper payload sample Purchase --mapping mappings/storefront.yaml
  mapper payload sample Purchase --plain | mapper payload check -

Print a correct, complete example of an event: what each parameter means stands beside it."""


@click.group("payload", help=HELP)
def command() -> None:
    """The payload helper."""


@command.command("check", help=CHECK_HELP)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--destination", metavar="NAME", default="meta", show_default=True, help="The destination whose rules hold."
)
@click.option("--strict", is_flag=True, help="Say also what is taken today, but matches or reports badly.")
@click.option("--production", is_flag=True, help="A test event code is an error.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="The form of the output.")
@now_option
def check(file: str, destination: str, strict: bool, production: bool, form: str, now: float | None) -> int:
    """Check a request body (- for standard input)."""
    body, clock = _read(file), time.time() if now is None else now
    findings = check_payload(load_destination(destination), body, clock, strict=strict, production=production)
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


@command.command("sample", help=SAMPLE_HELP)
@click.argument("event")
@click.option("--action-source", metavar="NAME", help="Where the event took place; website by default.")
@click.option("--destination", metavar="NAME", help="The destination that takes it; meta by default.")
@click.option("--mapping", type=click.Path(), help="A mapping: the example has what it gives for the event.")
@click.option("--plain", is_flag=True, help="JSON without comments.")
def sample(event: str, action_source: str | None, destination: str | None, mapping: str | None, plain: bool) -> int:
    """Print a correct, complete example of an event."""
    if mapping is not None:
        if destination is not None:
            raise click.UsageError("--mapping says which destination it is for: leave --destination away.")
        found, name, given, only = _mapped(mapping, event)
    else:
        found = load_destination(destination or "meta")
        name, given, only = found.event_named(event) or event, {}, None
    if action_source is not None:
        given["action_source"] = _known(found, action_source)
    given = {**found.hints.usual, **given}
    now = int(time.time())
    body = sample_payload(found, name, given, now=now, only=only)
    wrong = [one for one in check_payload(found, body, now) if one.level == "error"]
    if wrong:
        message = f"there is no correct {name} of this kind: {wrong[0].message} [{wrong[0].rule}]"
        raise DeliveryError("no-sample", message, 2, wrong[0].remedy)
    click.echo(json.dumps(body, indent=2, ensure_ascii=False) if plain else commented(found, body), nl=plain)
    return 0


def _known(found: Destination, value: str) -> str:
    source = found.field("action_source")
    if source is None:
        hint = "Leave --action-source away."
        raise DeliveryError("action-source", f"{found.title} has no parameter 'action_source'", 2, hint)
    if source.allowed and value not in source.allowed:
        allowed = ", ".join(map(str, source.allowed))
        raise DeliveryError("action-source", f"there is no action source '{value}'", 2, f"There are: {allowed}.")
    return value


def _mapped(mapping: str, event: str) -> tuple[Destination, str, dict[str, Any], list[str]]:
    """What a mapping says of an event: its name, the parameters that are fixed, and all that it gives."""
    from ..events.program import load

    program = load(mapping)
    transform = next((one for one in program.transforms if event in (one.key, one.name)), None)
    if transform is None:
        known = ", ".join(one.key for one in program.transforms)
        raise DeliveryError("no-event", f"{mapping} makes no event '{event}'", 2, f"It makes: {known}.")
    fixed = {one.path: one.place.value for one in transform.parameters if one.literal and one.condition is None}
    role = program.destination.roles.name
    given = {path: value for path, value in fixed.items() if path != role and isinstance(value, str | int | float)}
    return program.destination, transform.name or event, given, [one.path for one in transform.parameters]


def _read(file: str) -> bytes:
    if file == "-":
        announced([file], "a request body")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise DeliveryError("unreadable", f"{file} cannot be read: {error.strerror}", 2) from None
