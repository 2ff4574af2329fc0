"""``mapper sandbox``"""

from __future__ import annotations

import secrets

import click

from ..destination import load_destination
from ..errors import DeliveryError
from .main import say

HELP = """\b
Examples:
  mapper sandbox
  mapper sandbox --port 9000 --token secret-for-tests

Run a local endpoint that speaks Meta's /events: it takes what Meta takes, refuses what Meta refuses, and says why.
Point a client at it with the address, pixel and token that it prints. Ctrl-C ends it."""


@click.command("sandbox", help=HELP)
@click.option("--port", type=click.IntRange(0, 65535), default=8111, show_default=True, help="0 takes a free one.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; beyond loopback, everyone can send."
)
@click.option("--token", help="The access token to expect; a new one by default.")
@click.option("--destination", default="meta", show_default=True, help="Whose rules hold.")
def command(port: int, host: str, token: str | None, destination: str) -> int:
    """Stand until interrupted."""
    try:
        from ..sandbox import serve
        from ..sandbox.server import PIXEL_ID
    except ModuleNotFoundError as error:
        hint = "pip install 'event-mapper[sandbox]'"
        raise DeliveryError("no-sandbox", f"the sandbox needs {error.name}, which is not installed", 2, hint) from None
    token = token or secrets.token_urlsafe(24)
    say(f"The sandbox listens on http://{host}:{port}")
    say(f"  META_PIXEL_ID={PIXEL_ID} META_ACCESS_TOKEN={token}")
    say(f"  mapper send MAPPING RECORDS --to http://{host}:{port}")
    serve(load_destination(destination), host=host, port=port, token=token)
    return 0
