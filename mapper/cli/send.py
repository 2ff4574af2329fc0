"""``mapper send``"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import DeliveryError
from ..pipeline import CONCURRENCY, Switch, send
from ..program import Program, load
from ..report import Report, Tally
from ..source import inputs
from ..workers import cores
from .main import coloured, say, width
from .summary import summary

HELP = """\b
Examples:
  mapper send mappings/storefront.yaml mappings/samples/storefront.jsonl --to sandbox
  mapper send mappings/storefront.yaml orders.jsonl --dry-run
  mapper send mappings/storefront.yaml orders.jsonl --test-event-code TEST12345
  tail -F orders.jsonl | mapper send mappings/storefront.yaml -

Map records and deliver their events. Settings come from the environment: META_PIXEL_ID, META_ACCESS_TOKEN and, if you
like, META_API_VERSION.

\b
Exit codes: 0 everything was sent; 1 something was refused, nothing is pending;
2 wrong usage, or a mapping or input that cannot be used; 3 pending, run it again;
4 pending, a person must act (token, permission, pixel); 130, 143 interrupted."""


@click.command("send", help=HELP)
@click.argument("mapping", type=click.Path())
@click.argument("records", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "--to", "to", default="", metavar="NAME|sandbox|URL", help="Where to: the mapping's destination by default."
)
@click.option("--dry-run", is_flag=True, help="Do everything but send.")
@click.option("--test-event-code", metavar="CODE", help="Show the events in the destination's test tool.")
@click.option(
    "--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JSON."
)
@click.option(
    "--dead-letters", type=click.Path(path_type=Path), help="Where refused records go [MAPPING.dead.jsonl]; mode 0600."
)
@click.option("--batch-size", type=click.IntRange(1), help="Events a request; at most what the destination takes.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=CONCURRENCY, show_default=True, help="Requests at once."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that map large files [all cores].")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What is settled, so that a second run goes on [MAPPING.journal, for the real destination].",
)
@click.option("--no-journal", is_flag=True, help="Keep no journal: a second run sends everything again.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
def command(
    mapping: str,
    records: tuple[str, ...],
    to: str,
    quiet: bool,
    report_file: Path | None,
    no_journal: bool,
    **options: Any,
) -> int:
    """Map and deliver."""
    program = load(mapping)
    source = list(records) or ["-"]
    if not options["dead_letters"]:
        options["dead_letters"] = Path(f"{Path(mapping).stem}.dead.jsonl")
    _check_report(report_file)
    given = inputs(source)
    switch = Switch()
    with ExitStack() as stack:
        settings: Mapping[str, str] | None = None
        address = _address(program, to)
        if to == "sandbox" and not options["dry_run"]:
            sandbox = stack.enter_context(_sandbox(program))
            address, settings = sandbox.url, sandbox.settings
            if not quiet and sandbox.is_standing:
                say(f"Sending to the sandbox that stands: its page is {sandbox.url}")
        options["workers"] = options["workers"] or cores()
        is_real = not address and not options["dry_run"] and not options["test_event_code"]
        if no_journal:
            options["journal"] = None
        elif is_real and options["journal"] is None and any(one.path is not None for one in given):
            options["journal"] = Path(f"{Path(mapping).stem}.journal")
        for one in given:
            if one.path is not None and program.replay(one.path) is not None and not quiet:
                say(f"{one.name} is a sample: its times are moved as if it had been recorded just now.")
        stack.enter_context(_signals(switch))
        progress = stack.enter_context(_progress(quiet))
        report = send(program, source, to=address, settings=settings, on_progress=progress, switch=switch, **options)
    if report_file is not None:
        _write(report_file, report)
    if not quiet:
        say(summary(report, colour=coloured(sys.stderr), width=width(sys.stderr), mapping=mapping))
    return report.exit_code


def _address(program: Program, to: str) -> str:
    """What ``--to`` means: "" for the mapping's own destination, else an address."""
    if to in ("", "sandbox", program.destination.name):
        return "" if to != "sandbox" else "sandbox"
    if to.startswith(("https://", "http://")):
        return to
    message = f"the mapping is for '{program.destination.name}': it cannot be sent to '{to}'"
    raise DeliveryError("to", message, 2, f"Use --to {program.destination.name}, --to sandbox, or --to https://…")


def _sandbox(program: Program) -> Any:
    try:
        from ..sandbox import available
    except ModuleNotFoundError as error:
        hint = "pip install 'event-mapper[sandbox]'"
        raise DeliveryError("no-sandbox", f"the sandbox needs {error.name}, which is not installed", 2, hint) from None
    return available(program.destination)


@contextmanager
def _signals(switch: Switch) -> Iterator[None]:
    """SIGINT and SIGTERM end the run with everything recorded; a second one ends it at once."""

    def stop(number: int, frame: object) -> None:
        if switch.is_off():
            os._exit(128 + number)
        switch.stop(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A line that tells how far the run is, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading …") as status:

        def show(tally: Tally) -> None:
            records, events = tally.records, tally.events
            status.update(f"{records.read:,} records read, {events.sent:,} of {events.made:,} events sent")

        yield show


def _check_report(path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        raise DeliveryError("report", f"there is no folder {path.parent} for the report", 2)


def _write(path: Path, report: Report) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
