"""The command's frame: which verbs there are, how it ends, and what an error looks like.

stdout is data; everything else goes to stderr. Exit codes are a contract (docs/command.md).
"""

from __future__ import annotations

import importlib
import io
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Final, NoReturn

import click

from .. import __version__
from ..errors import DeliveryError, MapperError, MappingError

VERBS: Final = {
    "init": "Make a mapping from the text of a setup page, such as Events Manager's.",
    "check": "Find everything that is wrong with mappings, before any record is read.",
    "map": "Map records: JSON lines in, events as JSON lines out.",
    "test": "Run the tests that stand in mappings.",
    "explain": "Say why a record becomes an event, or does not.",
    "send": "Map records and deliver their events.",
    "dead-letters": "Look into what was refused, and send it again once it is mended.",
    "journal": "Look into what is settled and what is pending, and decide about what may have arrived.",
    "fmt": "Write mapping files in one layout.",
    "schema": "Write a JSON Schema for editors.",
    "payload": "Check a request body from anywhere, or print a correct one.",
    "sandbox": "Run a local endpoint that takes and refuses what the real one does.",
}
"""The verbs, in the order in which they are needed."""


HABITS: Final = {
    **dict.fromkeys(("lint", "validate", "compile", "verify", "preview", "coverage"), "check"),
    **dict.fromkeys(("transform", "convert", "dry-run"), "map"),
    **dict.fromkeys(("run", "deliver", "dispatch", "upload", "push", "sync"), "send"),
    **dict.fromkeys(("retry", "replay", "resend", "dlq", "deadletters"), "dead-letters"),
    **dict.fromkeys(("emulate", "emulator", "serve", "server", "mock"), "sandbox"),
    **dict.fromkeys(("why", "trace", "debug"), "explain"),
    **dict.fromkeys(("new", "create", "scaffold", "generate"), "init"),
    "format": "fmt",
    "generate-schema": "schema",
    "help": "--help",
    "version": "--version",
}
"""What other tools call a verb, and what it is called here."""


class ReaderGoneError(Exception):
    """Whoever reads our output has enough (``| head``)."""


class Verbs(click.Group):
    """Imports a verb when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f".{name.replace('-', '_')}", __package__).command
        return _plain(command)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end with 1, which means findings
            raise ReaderGoneError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            raise click.UsageError(f"There is no command '{args[0]}'. {_meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)


def _meant(name: str) -> str:
    """What somebody may have meant by a command that there is not."""
    import difflib

    close = [HABITS[name]] if name in HABITS else difflib.get_close_matches(name, VERBS, 1)
    return f"Did you mean '{close[0]}'?" if close else f"There are: {', '.join(VERBS)}."


def _plain(command: click.Command) -> click.Command:
    """A command whose help calls a number N, as people do, and whose inner commands are listed by what they do."""
    for option in command.params:
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
            option.metavar = option.metavar or "N"
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _plain(inner)
        _, _, about = (inner.help or "").partition("\n\n")  # behind the examples
        inner.short_help = inner.short_help or re.split(r"[.:;](?:\s|$)", " ".join(about.split()))[0] + "."
    return command


EXAMPLES: Final = """\b
Examples:
  mapper check mappings/storefront.yaml
  mapper map mappings/storefront.yaml orders.jsonl | head
  mapper send mappings/storefront.yaml orders.jsonl --to sandbox
  mapper send mappings/storefront.yaml orders.jsonl

Map records to conversion events in YAML, and deliver them. 'mapper COMMAND --help' begins with examples of each."""


@click.group(cls=Verbs, help=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="event-mapper", prog_name="mapper", message="%(prog)s %(version)s")
@click.pass_context
def group(ctx: click.Context) -> None:
    """The command."""
    if _forced():
        ctx.color = True  # click takes colours out of what goes to a file or a pipe, unless it is told


def main() -> NoReturn:
    """Run the command and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name is no reason to fail
    _keep_no_cores()
    sys.exit(_run(sys.argv[1:]))


def _keep_no_cores() -> None:
    """A process that dies leaves no image of its memory behind: records and the token are in it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _run(arguments: list[str]) -> int:
    try:
        code = group.main(arguments, prog_name="mapper", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and "token" in error.option_name:
            say("  help: Others can read a command line. A token belongs into the environment: META_ACCESS_TOKEN.")
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        say("Interrupted.")
        return 130
    except (BrokenPipeError, ReaderGoneError):
        return _quiet()
    except MappingError as error:
        from ..authoring.diagnostics import render

        say(render(error.problems, colour=coloured(sys.stderr), width=width(sys.stderr)))
        return 2
    except DeliveryError as error:
        say(f"mapper: {error.message}" + (f"\n  help: {error.hint}" if error.hint else ""))
        return error.exit_code
    except MapperError as error:
        say(f"mapper: {error}")
        return 2
    except OSError as error:  # a full disk, say: the message of the system, which names files and no values
        why = error.strerror or "the system refused"  # our own files are named; without a name it is our output
        say(f"mapper: {why}: {error.filename}" if error.filename else f"mapper: standard output: {why}")
        _quiet()
        return 5
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever comes here is a mistake of ours
        return _short_of_memory() if _is_shortage(error) else _bug(error)


def _is_shortage(error: Exception) -> bool:
    """Whether there was no memory for an object, or for a thread."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "start new thread" in str(error))


def _short_of_memory() -> int:
    say("mapper: there is not enough memory. Nothing that was recorded is lost: with a journal the next run goes on.")
    say("  help: Give it more; or use less of it: --workers 1 --concurrency 1.")
    return 3


def _quiet() -> int:
    """Nobody takes our output any more: end without a word about it, as other tools do."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + getattr(signal, "SIGPIPE", 13)


def _bug(error: Exception) -> int:
    """A mistake of ours. Code and places are shown; the exception's text may hold a value, so it is left out."""
    import traceback

    frames = "".join(
        f"  {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in traceback.extract_tb(error.__traceback__)
    )
    say(f"mapper: internal error: {type(error).__name__}. This is a mistake of ours, not of your records.")
    say("Nothing that was recorded is lost. Please report it with these lines; they hold no record and no token:")
    say(f"{frames}  mapper {__version__}, Python {sys.version.split()[0]}, {sys.platform}")
    return 70


def say(text: str) -> None:
    """Write to stderr what is safe to show; if nobody listens there, that is no reason to fail."""
    from ..authoring.diagnostics import safe

    columns = width(sys.stderr)
    if columns and "\n" not in text and len(text) > columns:  # a sentence, which may break between words
        text = textwrap.fill(text, columns, subsequent_indent=" " * 2, break_long_words=False, break_on_hyphens=False)
    try:
        click.echo(_drawn(safe(text), sys.stderr), err=True, color=coloured(sys.stderr))
    except OSError:
        return


def tell(text: str) -> None:
    """Write to stdout what is safe to show."""
    from ..authoring.diagnostics import safe

    click.echo(_drawn(safe(text), sys.stdout), color=coloured(sys.stdout))


_PLAIN: Final = str.maketrans({"█": "#", "░": ".", "─": "-", "…": "...", "×": "x"})


def _drawn(text: str, stream: Any) -> str:
    """``text`` with signs of ASCII for bars and lines where a stream has no others."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text


def sources(records: Sequence[str]) -> list[str]:
    """What to read: the files that are named, or else a pipe.

    raises  click.UsageError if neither is there: somebody at a keyboard forgot to name a file
    """
    if not records and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("No records: name a file, or pipe them in. '-' reads them from the keyboard.")
    return announced(records or ["-"])


def announced(files: Sequence[str], what: str = "records, one JSON object a line,") -> list[str]:
    """``files`` as they are; if the keyboard is among them, say so, for else it looks as if nothing happened."""
    if "-" in files and sys.stdin is not None and sys.stdin.isatty():
        say(f"Reading {what} from the keyboard; Ctrl-D ends.")
    return list(files)


def data() -> BinaryIO:
    """Where data goes: stdout, as bytes.

    raises  DeliveryError if it is closed
    """
    if sys.stdout is None:
        raise DeliveryError("no-output", "standard output is closed, so the events have nowhere to go", 2)
    return sys.stdout.buffer


def width(stream: Any) -> int:
    """The columns of a terminal; 0 for a file or a pipe, which know no columns."""
    return shutil.get_terminal_size().columns if stream is not None and stream.isatty() else 0


def coloured(stream: Any) -> bool:
    """Whether a stream is a terminal that wants colour, or colour is asked for whatever it is."""
    return _forced() or (not _refused() and stream is not None and bool(stream.isatty()))


def _forced() -> bool:
    return not _refused() and os.environ.get("FORCE_COLOR", "") not in ("", "0")


def _refused() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
