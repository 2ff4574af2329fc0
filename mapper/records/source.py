"""Lines of records from files, globs, gzip, standard input, or from a Python iterable.

Bytes are split at ``\\n`` only, as JSON lines are: a line keeps its file, its number and its offset, so that whatever
becomes of it can be found again. A line that is too long to be a record costs itself, not the run.
"""

from __future__ import annotations

import glob
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ..errors import DeliveryError
from ..showing import visible
from .streams import Growing, Idle, Pipe, Waiting

MAX_LINE: Final = 10 * 1024 * 1024
"""The longest line that is read, in bytes. A longer one is skipped and counted as no record."""

FAULTS: Final = {
    "too-long": "the line is longer than 10 MiB",
    "not-json": "the record holds something that JSON cannot say",
}
"""Why a line cannot be a record before anybody has looked at what it says."""

STDIN: Final = "standard input"

BLOCK: Final = 1024 * 1024
"""Bytes of a block: a few milliseconds of work."""

Source = str | Path | Iterable[Any]
"""A file, a glob, ``-`` for standard input, several of these, or an iterable of records (dicts, or lines of JSON)."""

_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile)
_BOM: Final = b"\xef\xbb\xbf"
_WRONG_FILES: Final = {
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as JSON lines",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
    b"PAR1": "a Parquet file: convert it to JSON lines",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: use gzip, or unpack it into a pipe",
    b"BZh": "compressed with bzip2: use gzip, or unpack it into a pipe",
}


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line as it was read.

    number   counted from 1
    offset   bytes before it in its file (unpacked)
    fault    why it cannot be a record, as a code, or ""
    end      the offset after it, which is where the next one begins
    """

    file: str
    number: int
    offset: int
    data: bytes
    fault: str = ""
    end: int = 0


class Block(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Some whole lines of one input.

    number   of the first line, counted from 1
    offset   bytes before them in their file (unpacked)
    data     the lines, each but perhaps the last with its end
    fault    why the one line that this stands for cannot be a record, as a code, or ""
    end      the offset after them
    path     a file in which the very same bytes stand from ``offset`` to ``end``, or ""
    """

    file: str
    number: int
    offset: int
    data: bytes
    fault: str = ""
    end: int = 0
    path: str = ""


Piece = TypeVar("Piece", Line, Block)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read, or standard input (``path`` is None), another pipe, or records that Python gives (``records``).

    follow   the file grows: it is read on until another file takes its place
    stands   the device and the number there of the file that is meant, if another may take its place any moment
    until    bytes after which it is not read on, because what comes then is being written meanwhile
    """

    name: str
    path: Path | None = None
    records: Iterable[Any] | None = None
    follow: bool = False
    stands: tuple[int, int] | None = None
    until: int | None = None
    pipe: Pipe | None = None


def inputs(source: Source, *, follow: bool = False) -> list[Input]:
    """What a source stands for, checked before anything is read. A file that is named twice is one.

    follow  the last file is one that grows: it may not be there yet
    raises  DeliveryError (exit code 2) for a file that is not there, cannot be read, or is no text
    """
    if isinstance(source, str | Path):
        return _all_named([str(source)], follow=follow)
    if isinstance(source, Sequence) and source and all(map(_is_name, source)):
        return _all_named(list(map(str, source)), follow=follow)
    if isinstance(source, Mapping | bytes):
        raise TypeError(
            "a source is a file, a list of files, or an iterable of records; one record goes to Program.map"
        )
    return [Input("records", records=source)]


def _all_named(names: Sequence[str], *, follow: bool) -> list[Input]:
    last = names[-1]
    if follow and last != "-" and not any(sign in last for sign in "*?[") and not Path(last).exists():
        return [*(_all_named(names[:-1], follow=False) if names[:-1] else ()), Input(last, Path(last))]
    return _once([found for name in names for found in _named(name)])


def _once(found: Sequence[Input]) -> list[Input]:
    """Each file once, however often and under whichever names it was named: nothing in it is meant twice."""
    known = dict[tuple[int, int] | int, Input]()
    for place, one in enumerate(found):
        stands = one.path.stat() if one.path is not None else None
        known.setdefault(place if stands is None else (stands.st_dev, stands.st_ino), one)
    return list(known.values())


def _is_name(part: Any) -> bool:
    """Whether a part of a list is the name of a file; a line of JSON is text, too."""
    return isinstance(part, Path) or (isinstance(part, str) and part.lstrip()[:1] not in ("{", "["))


def _named(name: str) -> list[Input]:
    if name == "-":
        if sys.stdin is None:
            raise DeliveryError("no-input", "standard input is closed", 2, "Name a file of records.")
        return [Input(STDIN)]
    if not Path(name).exists() and any(sign in name for sign in "*?["):
        found = sorted(glob.glob(name, recursive=True))
        if not found:
            raise DeliveryError("no-such-file", f"no file matches {visible(name)}", 2)
        return [_checked(path) for path in found if not Path(path).is_dir()]
    return [_checked(name)]


def _checked(name: str) -> Input:
    path, shown = Path(name), visible(name)
    if path.exists() and not path.is_file() and not path.is_dir():  # looking into it would take from it
        return Input(shown, pipe=Pipe(path))
    if path.is_dir():
        raise DeliveryError("is-a-directory", f"{shown} is a directory", 2, f"Name its files: '{shown}/*.jsonl'.")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        raise DeliveryError("no-such-file", f"there is no file {shown}", 2) from None
    except OSError as error:
        raise DeliveryError("unreadable", f"{shown} cannot be read: {error.strerror}", 2) from None
    _refuse_wrong(shown, start)
    return Input(shown, path)


def _refuse_wrong(name: str, start: bytes) -> None:
    for magic, what in _WRONG_FILES.items():
        if start.startswith(magic):
            raise DeliveryError("wrong-file", f"{name} is {what}", 2)


def lines(given: Input, idle: Idle | None = None) -> Iterator[Line]:
    """The lines of one input, blank ones too.

    idle    called while nothing comes of an input that somebody is still writing; ends it if it says so
    raises  DeliveryError (exit code 2) if the file breaks off in the middle of its gzip stream, or is one JSON array
    """
    if given.records is not None:
        return _from_records(given)
    return _opened(given, _split, idle)


def blocks(given: Input) -> Iterator[Block]:
    """The same lines, many at once; of a live pipe, what is there. Not for records that Python gives."""
    return _opened(given, _blocks)


def lines_of(block: Block) -> Iterator[Line]:
    """The lines of a block one by one."""
    if block.fault:
        yield Line(block.file, block.number, block.offset, b"", block.fault, block.end)
        return
    start = 0
    for number, data in enumerate(block.data.split(b"\n"), block.number):
        after = min(start + len(data) + 1, len(block.data))
        if after > start:
            yield Line(block.file, number, block.offset + start, data.removesuffix(b"\r"), "", block.offset + after)
        start = after


def is_idle(given: Input) -> bool:
    """Whether nothing more is there at the moment of an input that somebody is still writing."""
    if given.path is not None or given.records is not None:
        return False
    try:
        import select

        return not select.select([_pipe(given)], [], [], 0)[0]
    except (OSError, ValueError):  # not a pipe, or a system that cannot tell
        return True


def _pipe(given: Input) -> Any:
    return given.pipe.stream if given.pipe is not None else sys.stdin.buffer


def _opened(
    given: Input, split: Callable[[str, Any, Idle], Iterator[Piece]], idle: Idle | None = None
) -> Iterator[Piece]:
    try:
        opened, was_cut = _stream(given, idle)
    except OSError as error:
        raise DeliveryError("unreadable", f"{given.name} cannot be read: {error.strerror}", 2) from None
    try:
        yield from split(given.name, _unpacked(given.name, opened), was_cut)
    except _BROKEN:
        message = f"{given.name} breaks off: its gzip data is damaged or incomplete"
        raise DeliveryError("broken-input", message, 2, "What came before was handled. Get the whole file.") from None
    except OSError as error:
        raise DeliveryError("broken-input", f"{given.name} could not be read on: {error.strerror}", 2) from None
    finally:
        if given.path is not None:
            opened.close()


def _stream(given: Input, idle: Idle | None) -> tuple[Any, Idle]:
    """What to read from, and whether the reading was ended before its end."""
    if idle is not None and given.path is not None and given.follow:
        growing = Growing(given.path, idle, given.stands)
        return io.BufferedReader(growing, 1 << 16), lambda: growing.was_cut
    if given.path is not None:
        return given.path.open("rb", buffering=BLOCK), _never
    pipe = _pipe(given)
    if idle is None:
        return pipe, _never
    try:
        waiting = Waiting(pipe.fileno(), idle)
    except (OSError, ValueError, AttributeError):  # somebody has put another object in its place
        return pipe, _never
    return io.BufferedReader(waiting, 1 << 16), lambda: waiting.was_cut


def _never() -> bool:
    return False


def _unpacked(name: str, opened: Any) -> Any:
    start = opened.peek(4)[:4]
    _refuse_wrong(name, start)
    return gzip.GzipFile(fileobj=opened) if start[:2] == b"\x1f\x8b" else opened


def _split(name: str, stream: Any, was_cut: Idle) -> Iterator[Line]:
    number, offset = 0, 0
    readline = stream.readline
    while data := readline(MAX_LINE + 1):
        number += 1
        size, fault = len(data), ""
        if size > MAX_LINE and data[-1:] != b"\n":
            size, fault = size + _skipped(readline), "too-long"
            data = b""
        if data[-1:] != b"\n" and was_cut():  # half a line: whoever reads on finds it whole
            return
        line = data.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            line = line.removeprefix(_BOM)
            _refuse_array(name, line)
        yield Line(name, number, offset, line, fault, offset + size)
        offset += size


def _blocks(name: str, stream: Any, was_cut: Idle) -> Iterator[Block]:
    number, offset = 1, 0
    file = getattr(stream, "name", None)
    path = str(file) if isinstance(stream, io.BufferedReader) and isinstance(file, Path) else ""
    while data := stream.read1(BLOCK):
        size, after = len(data), 0
        if data[-1:] != b"\n":
            begun = size - data.rfind(b"\n") - 1
            try:
                rest = stream.readline(MAX_LINE + 1 - begun)
            except _BROKEN:
                if whole := data[: size - begun]:
                    yield Block(name, number, offset, whole)
                raise
            data += rest
            size += len(rest)
            if begun + len(rest) > MAX_LINE and data[-1:] != b"\n":  # the last line is too long
                after = begun + len(rest) + _skipped(stream.readline)
                data = data[: size - begun - len(rest)]
                size = len(data)
        is_marked = offset == 0 and data.startswith(_BOM)
        if offset == 0 and data:
            _refuse_array(name, data.removeprefix(_BOM).partition(b"\n")[0])
            if is_marked:
                # What takes the mark's place is blank, so that every offset stays what it is in the file.
                data = b" " * len(_BOM) + data[len(_BOM) :]
        count = data.count(b"\n") + (data[-1:] not in (b"\n", b""))
        if data:
            yield Block(name, number, offset, data, "", offset + size, path if not is_marked else "")
        if after:
            yield Block(name, number + count, offset + size, b"", "too-long", offset + size + after)
            count += 1
        number, offset = number + count, offset + size + after


def _refuse_array(name: str, first: bytes) -> None:
    if first.strip() == b"[":
        hint = f"Write one object a line: jq -c '.[]' {name}"
        raise DeliveryError("json-array", f"{name} is one JSON array, not JSON lines", 2, hint)


def _skipped(readline: Any) -> int:
    """Read on to the end of a line that is too long, without keeping it; returns its length."""
    size = 0
    while rest := readline(1 << 20):
        size += len(rest)
        if rest[-1:] == b"\n":
            break
    return size


_encode = msgspec.json.Encoder().encode


def _from_records(given: Input) -> Iterator[Line]:
    assert given.records is not None
    for number, record in enumerate(given.records, 1):
        if isinstance(record, str):
            data = record.encode("utf-8", "surrogatepass")
        elif isinstance(record, bytes):
            data = record
        else:
            try:
                data = _encode(record)
            except (TypeError, ValueError, OverflowError, RecursionError):
                yield Line(given.name, number, 0, b"", "not-json")
                continue
        yield Line(given.name, number, 0, data.strip())
