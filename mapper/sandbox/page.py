"""The page's files: part of the package, no build step, nothing from elsewhere.

Nothing but the page's own files may run or be loaded: no inline script, no inline style, no other origin, and no text
may become markup (trusted types), whatever an event holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def routes() -> list[Route]:
    """The page at ``/`` and its files below ``/page/``."""
    return [Route("/", _index), Route("/page/{name}", _file)]


@cache
def _files() -> Mapping[str, tuple[bytes, str]]:
    found = (one for one in files(__package__).joinpath("assets").iterdir() if one.is_file())
    return {one.name: (one.read_bytes(), _TYPES["." + one.name.rpartition(".")[2]]) for one in found}


async def _index(request: Request) -> Response:
    return _served("index.html")


async def _file(request: Request) -> Response:
    return _served(request.path_params["name"])


def _served(name: str) -> Response:
    found = _files().get(name)
    if found is None:
        return Response(status_code=404)
    body, kind = found
    return Response(body, media_type=kind, headers={"Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"})
