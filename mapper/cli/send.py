"""``mapper send``"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click

from ..authoring.diagnostics import to_json
from ..delivery.dispatch import CONCURRENCY, Notify, Switch
from ..delivery.items import PATIENCE
from ..delivery.metrics import write
from ..delivery.pipeline import send
from ..delivery.report import Tally
from ..delivery.settings import address_of as address_named
from ..delivery.transport import DEADLINE
from ..errors import DeliveryError, MappingError
from ..events.program import Program, load
from ..records.source import Input, inputs
from ..records.workers import cores
from .clock import moment
from .live import STOPPING, Metrics, Show, is_live, log, progress
from .main import coloured, say, sources, width
from .summary import stop, summary

HELP = """\b
Examples:
  mapper send mappings/storefront.yaml mappings/samples/storefront.jsonl --to sandbox
  mapper send mappings/storefront.yaml orders.jsonl --dry-run
  mapper send mappings/storefront.yaml orders.jsonl --test-event-code TEST12345
  mapper send mappings/storefront.yaml orders.jsonl --follow
  tail -F orders.jsonl | mapper send mappings/storefront.yaml -

Map records and deliver their events. Settings come from the environment: META_PIXEL_ID, META_ACCESS_TOKEN and, if you
like, META_API_VERSION.

\b
Exit codes: 0 everything was sent; 1 something was refused, nothing is pending;
2 wrong usage, or a mapping or input that cannot be used; 3 pending, run it again;
4 pending, a person must act (token, permission, pixel); 5 a file of ours cannot
be written; 130, 143 interrupted."""


PROXY: Final = click.option(
    "--proxy",
    metavar="URL",
    envvar="MAPPER_PROXY",
    help="Send through http://HOST:PORT; in MAPPER_PROXY if it has a password. Other variables do not matter.",
)
CA_FILE: Final = click.option(
    "--ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Trust the authorities in this file (PEM), and no others.",
)

ON_UNCLEAR: Final = click.option(
    "--on-unclear",
    type=click.Choice(["resend", "hold"]),
    default="resend",
    show_default=True,
    help="What to do with events that may have arrived: send the same again, or hold them until you decide.",
)


@click.command("send", help=HELP)
@click.argument("mapping", type=click.Path())
@click.argument("records", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "--to", "to", default="", metavar="NAME|sandbox|URL", help="Where to send; the mapping's destination by default."
)
@click.option("--dry-run", is_flag=True, help="Do everything but send.")
@click.option("--test-event-code", metavar="CODE", help="Show the events in the destination's test tool.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after so many records.")
@click.option(
    "--since", metavar="WHEN", help="Leave out events from before 2026-11-20, 2026-11-20T08:00:00Z, or 36h ago."
)
@click.option("--follow", is_flag=True, help="When the last file ends or is rotated, wait for more, until stopped.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="How many events to send in a second at most."
)
@click.option(
    "--max-wait",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Send a batch after so long even if it is not full [live inputs: 1].",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="How many events to put into a request [as many as the destination takes].",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=CONCURRENCY,
    show_default=True,
    help="How many requests to send at once.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=DEADLINE,
    show_default=True,
    help="How many seconds a request may take.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=PATIENCE,
    show_default=True,
    help="How many seconds to wait for a destination in trouble before giving up for now.",
)
@ON_UNCLEAR
@PROXY
@CA_FILE
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes map a large file [all cores].")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Note here what is settled, so that the next run goes on there [MAPPING.journal; none for pipes and --to].",
)
@click.option("--no-journal", is_flag=True, help="Keep no journal: the next run sends everything again.")
@click.option("--resume", is_flag=True, help="Standard input begins where it began before: pass over what is settled.")
@click.option(
    "--dead-letters", type=click.Path(path_type=Path), help="Where refused records go [MAPPING.dead.jsonl]; mode 0600."
)
@click.option(
    "--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JSON."
)
@click.option(
    "--metrics", type=click.Path(dir_okay=False, path_type=Path), help="Keep counts in this file, for Prometheus."
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="json: a line of JSON for each thing that happens.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary; only why a run stopped.")
def command(mapping: str, records: tuple[str, ...], log_format: str, quiet: bool, **options: Any) -> int:
    """Map and deliver."""
    if log_format == "text":
        return _send(mapping, records, quiet=quiet, notify=None, **options)
    try:
        return _send(mapping, records, quiet=True, notify=log, **options)
    except MappingError as error:
        for problem in error.problems:
            log("error", {"code": problem.code, "message": problem.message, "place": str(problem.span)})
        return 2
    except DeliveryError as error:
        log("error", {"code": error.code, "message": error.message, "exit_code": error.exit_code})
        return error.exit_code


def _send(
    mapping: str,
    records: tuple[str, ...],
    *,
    to: str,
    quiet: bool,
    notify: Notify | None,
    report_file: Path | None,
    metrics: Path | None,
    no_journal: bool,
    **options: Any,
) -> int:
    program = load(mapping)
    source = sources(records)
    options["dead_letters"] = options["dead_letters"] or Path(f"{Path(mapping).stem}.dead.jsonl")
    options["since"] = moment(options["since"], time.time()) if options["since"] else None
    options["workers"] = options["workers"] or cores()
    for path, what in ((report_file, "report"), (metrics, "metrics")):
        _check_folder(path, what)
    given = inputs(source, follow=options["follow"])
    address = address_of(program, to)
    is_real = not address and not options["dry_run"] and not options["test_event_code"]
    options["journal"] = _journal(options["journal"], no_journal, is_real, mapping, given)
    if options["resume"] and options["journal"] is None:
        raise DeliveryError("journal-stream", "--resume needs the journal of the run before", 2, "Name it: --journal.")
    counts = Metrics(metrics, program.destination.name) if metrics is not None else None
    switch = Switch()
    with ExitStack() as stack:
        settings: Mapping[str, str] | None = None
        if to == "sandbox" and not options["dry_run"]:
            sandbox = stack.enter_context(sandbox_for(program))
            address, settings = sandbox.url, sandbox.settings
            if not quiet:
                say(_told(sandbox))
        for one in given:
            if one.path is not None and program.replay(one.path) is not None and not quiet:
                say(f"{one.name} is a sample: its times are moved as if it had been recorded just now.")
        stack.enter_context(signals(switch, quiet=quiet))
        shown = [stack.enter_context(progress(quiet=quiet, switch=switch)), counts.show if counts is not None else None]
        options["on_progress"] = _all([show for show in shown if show is not None])
        tell = notify or (None if quiet else warn)
        report = send(program, source, to=address, settings=settings, on_note=tell, switch=switch, **options)
    if notify is not None:
        notify("finished", {key: said for key, said in report.as_dict().items() if key not in ("repeated", "held")})
    if not quiet:
        shape: dict[str, Any] = {"colour": coloured(sys.stderr), "width": width(sys.stderr)}
        say(summary(report, mapping=mapping, is_journalled=options["journal"] is not None, **shape))
    elif notify is None and (said := stop(report)):
        say(said)
    if report_file is not None:  # after it was told: a disk that is full must not take the outcome with it
        write(report_file, to_json(report.as_dict()) + "\n", "report", 0o600)
    if counts is not None:
        counts.finish(report)
    return report.exit_code


def warn(word: str, fields: Mapping[str, Any]) -> None:
    """Of what happens in a run, what a person should know at once."""
    if word == "warning":
        say(f"Warning: {fields['message']}.")


def _all(shown: Sequence[Show]) -> Show | None:
    """Several who want to see the progress, as one."""
    if not shown:
        return None

    def show(tally: Tally) -> None:
        for one in shown:
            one(tally)

    return show


def _journal(named: Path | None, no_journal: bool, is_real: bool, mapping: str, given: Sequence[Input]) -> Path | None:
    """Files that go to the real destination have a journal unless it is refused; anything else if it is named."""
    if no_journal or named is not None:
        return None if no_journal else named
    return Path(f"{Path(mapping).stem}.journal") if is_real and any(one.path is not None for one in given) else None


def address_of(program: Program, to: str) -> str:
    """What ``--to`` means: "" for the mapping's own destination, else an address, or ``sandbox``."""
    return to if to == "sandbox" else address_named(program.destination, to) or ""


def sandbox_for(program: Program) -> Any:
    try:
        from ..sandbox import available
    except ModuleNotFoundError as error:
        hint = "pip install 'event-mapper[sandbox]'"
        raise DeliveryError("no-sandbox", f"the sandbox needs {error.name}, which is not installed", 2, hint) from None
    return available(program.destination)


def _told(sandbox: Any) -> str:
    """Where the page of a sandbox is, and for how long."""
    if sandbox.is_standing:
        return f"Sending to the sandbox that stands: its page is {sandbox.url}"
    return f"Sending to a sandbox of this run, {sandbox.url}; for one whose page stays: mapper sandbox"


@contextmanager
def signals(switch: Switch, *, quiet: bool = True) -> Iterator[None]:
    """SIGINT and SIGTERM end the run with everything recorded; a second one ends it at once."""

    def stop(number: int, frame: object) -> None:
        if switch.is_off():
            os._exit(128 + number)
        switch.stop(128 + number)
        if not quiet and not is_live():  # else the line of the progress says so
            with suppress(OSError):
                os.write(2, f"\n{STOPPING}\n".encode())

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_folder(path: Path | None, what: str) -> None:
    if path is not None and not path.parent.is_dir():
        raise DeliveryError(what, f"there is no folder {path.parent} for the {what}", 2)
