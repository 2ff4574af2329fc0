"""Reads a request: its body within limits of size and time, its parameters from wherever they stand, its events.

Meta takes parameters from the query, from a JSON object and from a form. ``data`` may be a list, the JSON text of a
list, or a list of JSON texts, which is what Meta's own SDKs send.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

MAX_BODY: Final = 16 * 1024 * 1024
"""Bytes of a body, unpacked. Ours: Meta documents no limit."""

MAX_EVENT: Final = 512 * 1024
"""Bytes of one event. Ours."""

MAX_MEMBERS: Final = 1_000_000
"""Members of all lists and objects of a body, so that a body within its limit cannot become far larger in memory."""

SECONDS: Final = 30.0
"""For a whole body to arrive."""

_FIELDS: Final = 100
_INDEXED: Final = re.compile(r"data\[([0-9]{0,4})\]\Z")
_texts = msgspec.json.Decoder(str).decode
_lists = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BodyError(Exception):
    """A body that cannot be read: ``status`` is the answer's, the message says why and holds nothing of the body."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


_DRAINED: Final = 4
_TOO_LARGE: Final = BodyError(413, "The request is too large")


class _Envelope(msgspec.Struct):
    """What is looked at of a JSON body; everything else is skipped without being built."""

    data: msgspec.Raw = msgspec.Raw(b"")
    access_token: msgspec.Raw = msgspec.Raw(b"")
    appsecret_proof: msgspec.Raw = msgspec.Raw(b"")
    test_event_code: msgspec.Raw = msgspec.Raw(b"")
    partner_agent: msgspec.Raw = msgspec.Raw(b"")


_envelope = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request says besides its path.

    form   ``json``, ``form``, ``multipart``, or "" for a body that is none of them and counts as absent
    data   the JSON text of the events, or b""
    """

    form: str
    data: bytes = field(default=b"", repr=False)
    access_token: str = field(default="", repr=False)
    appsecret_proof: str = field(default="", repr=False)
    test_event_code: str = ""
    partner_agent: str = ""


async def read(request: Request, limit: int = MAX_BODY, seconds: float = SECONDS) -> bytes:
    """The body, unpacked. Of one that is too large the rest is read and dropped, so that the answer can be read.

    raises  BodyError: too large, too slow, or packed in a way that is not known
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise BodyError(415, "The Content-Encoding is not known: send the body as it is, or gzip")
    unpacker = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    data = bytearray()
    seen = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                seen += len(chunk)
                if seen > _DRAINED * limit:
                    raise _TOO_LARGE
                if len(data) <= limit:
                    data += unpacker.decompress(chunk, limit + 1 - len(data)) if unpacker is not None else chunk
    except TimeoutError:
        raise BodyError(408, "The body did not arrive in time") from None
    except zlib.error:
        raise BodyError(400, "The body is not valid gzip") from None
    if len(data) > limit:
        raise _TOO_LARGE
    if unpacker is not None and not unpacker.eof:
        raise BodyError(400, "The body is not valid gzip: it ends too early")
    return bytes(data)


async def parameters(request: Request, body: bytes) -> Parameters:
    """What the request says: the query, overridden by the body.

    raises  BodyError if the body is not what its Content-Type says
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    query = {name: value for name, value in request.query_params.items() if name in _NAMES}
    if body.count(b",") > MAX_MEMBERS:
        raise BodyError(413, "The request has too many members")
    try:
        if not body:
            form, said = _FORMS.get(kind, ""), {}
        elif kind == "application/json":
            form, said = "json", _from_json(body)
        elif kind == "application/x-www-form-urlencoded":
            form, said = "form", _from_form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
        elif kind == "multipart/form-data":
            form, said = "multipart", _from_form(await _multipart(request.headers, body))
        else:
            form, said = "", {}
    except MultiPartException:
        raise BodyError(400, "The form cannot be read") from None
    except (ValueError, RecursionError):
        raise BodyError(400, _WRONG.get(kind, "The body cannot be read")) from None
    merged: dict[str, Any] = query | said
    if isinstance(merged.get("data"), str):
        merged["data"] = merged["data"].encode("utf-8", "replace")
    return Parameters(form, **merged)


_NAMES: Final = ("data", "access_token", "appsecret_proof", "test_event_code", "partner_agent")
_FORMS: Final = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
}
_WRONG: Final = {"application/json": "The body is not valid JSON", "multipart/form-data": "The form cannot be read"}


def _from_json(body: bytes) -> dict[str, Any]:
    said = _envelope(body)
    found: dict[str, Any] = {"data": bytes(said.data)} if bytes(said.data) else {}
    for name in _NAMES[1:]:
        raw = bytes(getattr(said, name))
        if raw.startswith(b'"'):
            found[name] = _texts(raw)
    return found


def _from_form(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A form's fields. ``data[0]=…&data[1]=…`` is a list of JSON texts as well."""
    found: dict[str, Any] = {name: value for name, value in pairs if name in _NAMES}
    listed = [value for name, value in pairs if _INDEXED.match(name)]
    if listed and "data" not in found:
        found["data"] = msgspec.json.encode(listed)
    return found


async def _multipart(headers: Headers, body: bytes) -> list[tuple[str, str]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(headers, stream(), max_files=_FIELDS, max_fields=_FIELDS, max_part_size=MAX_BODY)
    form = await parser.parse()
    try:
        return [(name, await _field(value)) for name, value in form.multi_items()]
    finally:
        await form.close()


async def _field(value: UploadFile | str) -> str:
    return (await value.read()).decode() if isinstance(value, UploadFile) else value


def events_of(data: bytes) -> list[bytes] | None:
    """The JSON text of every event, or None if ``data`` is no list."""
    try:
        if data.lstrip()[:1] == b'"':
            data = _texts(data).encode()
        return [_unwrapped(bytes(raw)) for raw in _lists(data)]
    except (ValueError, RecursionError):
        return None


def _unwrapped(raw: bytes) -> bytes:
    """An event that is a JSON text is what the text says."""
    if raw[:1] != b'"':
        return raw
    try:
        return _texts(raw).encode()
    except ValueError:
        return b""
