"""What stands in an input file, packed or not: how its content begins, and what stands before a place.

By these a journal knows a file again, whatever it is called and however it is packed. A packed file can only be read
from its beginning; so it is kept open, and read on to each place that is asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import DeliveryError

START: Final = 65_536
"""Bytes of the beginning by which a file is known."""

_BEFORE: Final = 4_096
_PIECE: Final = 1 << 20
_PACKED: Final = b"\x1f\x8b"
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile)


class Files:
    """The files of one run. To be closed."""

    def __init__(self) -> None:
        self._packed: dict[Path, _Packed] = {}

    def start(self, path: Path, size: int = START) -> bytes:
        """How a file begins: so many bytes, or all that it has.

        raises  DeliveryError (exit code 5) if it cannot be read any more
        """
        with _opened(path) as file:
            if not _is_packed(file):
                return file.read(size)
            return b"".join(_unpacked(gzip.GzipFile(fileobj=file), size))

    def before(self, path: Path, end: int) -> str:
        """A hash of the last bytes before a place in a file; of fewer if it does not reach that far.

        raises  DeliveryError (exit code 5) if it cannot be read any more
        """
        with _opened(path) as file:
            if not _is_packed(file):
                file.seek(max(0, end - _BEFORE))
                return digest(file.read(min(_BEFORE, end)))
        known = self._packed.get(path)
        if known is None or known.position > end or not known.reaches(end):
            # Begun anew: also for what was added to a file that had come to its end.
            if known is not None:
                known.close()
            known = self._packed[path] = _Packed(path)
            known.reaches(end)
        return digest(known.last)

    def close(self) -> None:
        """Let go of the files."""
        for one in self._packed.values():
            one.close()
        self._packed.clear()


class _Packed:
    """A packed file that is read on and on. ``last`` are the last bytes before the place where it is."""

    def __init__(self, path: Path) -> None:
        with _opened(path):  # whose trouble is said in our words
            self._stream = gzip.open(path, "rb")  # noqa: SIM115 - closed with the others
        self.position = 0
        self.last = b""

    def reaches(self, end: int) -> bool:
        """Read on; whether there was enough."""
        for data in _unpacked(self._stream, end - self.position):
            self.position += len(data)
            self.last = (self.last + data)[-_BEFORE:]
        return self.position == end

    def close(self) -> None:
        self._stream.close()


def _unpacked(stream: gzip.GzipFile, size: int) -> Iterator[bytes]:
    """The next bytes of a stream; of one that breaks off, those that can be had."""
    while size:
        try:
            data = stream.read1(min(size, _PIECE))
        except _BROKEN:
            return
        if not data:
            return
        size -= len(data)
        yield data


def _is_packed(file: BinaryIO) -> bool:
    is_packed = file.read(2) == _PACKED
    file.seek(0)
    return is_packed


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:  # it was there when the run began
        message = f"{path} cannot be read any more: {error.strerror}"
        hint = "Put it back, and run it again. What was settled stays settled."
        raise DeliveryError("unreadable", message, 5, hint) from None


def digest(data: bytes) -> str:
    """A hash, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
