"""``mapper sandbox``"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import click

from ..destinations.destination import load_destination
from ..errors import DeliveryError
from .main import say

HELP = """\b
Examples:
  mapper sandbox
  mapper sandbox --open --strict
  mapper sandbox --store events.db --port 9000
  mapper sandbox --fault throttle-80004:rate=0.1,seconds=5 --fault latency:seconds=0.3

Run a local endpoint that speaks Meta's /events: it takes what Meta takes, refuses what Meta refuses, and says why.
Its page, at the same address, shows events as they arrive. While it stands, 'mapper send … --to sandbox' sends to it;
other clients get the address, pixel and token that it prints. Ctrl-C ends it."""


@click.command("sandbox", help=HELP)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8111,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; beyond loopback, everyone can see what arrives.",
)
@click.option("--allow-host", "allow_hosts", multiple=True, metavar="NAME", help="Answer under this name, too.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--token", help="The access token to expect; a new one by default.")
@click.option("--pixel", metavar="ID", help="The number of the pixel that it is.")
@click.option(
    "--destination", metavar="NAME", default="meta", show_default=True, help="The destination whose rules hold."
)
@click.option("--strict", is_flag=True, help="Refuse also for what Meta reports only later.")
@click.option("--production", is_flag=True, help="Refuse test event codes.")
@click.option("--terse", is_flag=True, help="Answer as sparingly as Meta: neither the place nor the rule.")
@click.option("--proof", is_flag=True, help="Ask for appsecret_proof, made with the secret in META_APP_SECRET.")
@click.option(
    "--store", type=click.Path(dir_okay=False, path_type=Path), help="Keep what arrives in this file; mode 0600."
)
@click.option("--keep", type=click.IntRange(1), default=100_000, show_default=True, help="How many events to keep.")
@click.option("--keep-hours", type=click.FloatRange(0, min_open=True), help="For how many hours to keep them.")
@click.option("--fault", "faults", multiple=True, metavar="KIND[:KEY=N,…]", help="Inject a fault; see docs/sandbox.md.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which requests a fault with a rate hits.")
def command(
    token: str | None,
    pixel: str | None,
    destination: str,
    store: Path | None,
    keep: int,
    keep_hours: float | None,
    faults: tuple[str, ...],
    proof: bool,
    host: str,
    open_page: bool,
    **options: Any,
) -> int:
    """Stand until interrupted."""
    try:
        from ..sandbox import Fault, FaultError, Store, serve
        from ..sandbox.server import PIXEL_ID, is_loopback
    except ModuleNotFoundError as error:
        hint = "pip install 'event-mapper[sandbox]'"
        raise DeliveryError("no-sandbox", f"the sandbox needs {error.name}, which is not installed", 2, hint) from None
    try:
        found = [Fault.parse(text) for text in faults]
    except FaultError as error:
        raise click.UsageError(f"--fault: {error}") from None
    if proof:
        options["app_secret"] = _secret()
    pixel = pixel or PIXEL_ID
    if not (pixel.isascii() and pixel.isdigit()):
        raise click.UsageError("--pixel: a pixel is a number")
    if not is_loopback(host):
        say(f"Warning: everyone who reaches {host} can see what is sent, send more, and clear it.")

    def started(url: str) -> None:
        say(f"The sandbox is at {url}")
        say(f"  META_PIXEL_ID={pixel} META_ACCESS_TOKEN={'(the one you gave)' if token else made}")
        say("  mapper send MAPPING RECORDS --to sandbox")
        if open_page:
            click.launch(url)

    made = secrets.token_urlsafe(24)
    memory = Store(store, keep=keep, age=keep_hours * 3600 if keep_hours else None)
    rules = load_destination(destination)
    serve(
        rules,
        host=host,
        token=token or made,
        pixel_id=pixel,
        store=memory,
        faults=found,
        on_start=started,
        announce=not token,
        **options,
    )
    return 0


def _secret() -> str:
    secret = os.environ.get("META_APP_SECRET", "")
    if not secret:
        raise DeliveryError("settings", "META_APP_SECRET is not set, and --proof needs it", 2)
    return secret
