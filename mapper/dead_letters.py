"""What could not be mapped or was refused, kept with its reason, so that nothing is lost.

One JSON object a line: where the record stands, every reason why it was refused, and the record itself as it was
read. The file holds personal data: only its owner may read it (mode 0600). It is made when there is something to
write, and added to when it is there already.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

from .answers import Answer
from .delivery import Item
from .errors import DeliveryError
from .results import Refusal
from .source import Line

_encode = msgspec.json.Encoder().encode


class DeadLetters:
    """A file of dead letters. ``path`` None keeps none; ``written`` counts."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.written = 0
        self._file: BinaryIO | None = None

    def check(self) -> None:
        """See that the file could be written, before anything is sent.

        raises  DeliveryError (exit code 2)
        """
        if self.path is None:
            return
        folder = self.path.parent
        if not folder.is_dir():
            raise DeliveryError("dead-letters", f"there is no folder {folder} for dead letters", 2)
        target = self.path if self.path.exists() else folder
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise DeliveryError("dead-letters", f"{self.path} is no plain file", 2, "Name another with --dead-letters.")
        if not os.access(target, os.W_OK):
            hint = "Name another file with --dead-letters."
            raise DeliveryError("dead-letters", f"{self.path} cannot be written", 2, hint)

    def record(self, line: Line, problems: Sequence[Refusal]) -> None:
        """A record of which events could not be made, with every reason."""
        if problems:
            self._write(line, {"reasons": [_reason(problem) for problem in problems]})

    def event(self, item: Item, answer: Answer) -> None:
        """An event that the destination refused, as it was sent, with what the destination said."""
        reason = {"code": answer.reason or answer.code, "message": answer.message, "event": item.origin.key}
        said: dict[str, Any] = {"reasons": [reason], "sent": msgspec.Raw(item.encoded)}
        answered = {"status": answer.status, "code": answer.code, "trace_id": answer.trace_id}
        if any(answered.values()):
            said["answer"] = {name: value for name, value in answered.items() if value}
        if item.expires is not None:
            said["expires"] = item.expires
        self._write(item.origin.line, said)

    def _write(self, line: Line, said: dict[str, Any]) -> None:
        if self.path is None:
            return
        letter = {"file": line.file, "line": line.number, "offset": line.offset, **said}
        try:
            if self._file is None:
                self._file = self._opened()
            self._file.write(_encode({**letter, **_kept(line.data)}) + b"\n")
        except OSError as error:
            message = f"dead letters cannot be written to {self.path}: {error.strerror}"
            raise DeliveryError("dead-letters", message, 5, "Make room, and run it again.") from None
        self.written += 1

    def _opened(self) -> BinaryIO:
        assert self.path is not None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o600)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "ab")

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._file is not None:
            self._file.flush()

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _reason(problem: Refusal) -> dict[str, str]:
    said = {
        "code": problem.code,
        "message": problem.message,
        "event": problem.event,
        "parameter": problem.parameter,
        "mapping": str(problem.span) if problem.span else "",
    }
    return {key: value for key, value in said.items() if value}


def opened(data: bytes) -> Line | None:
    """The line that a dead letter was written for, or None if ``data`` is no dead letter."""
    try:
        letter = msgspec.json.decode(data, type=_Letter)
        kept = letter.text.encode() if letter.text else bytes.fromhex(letter.bytes)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return Line(letter.file, letter.line, letter.offset, bytes(letter.record) if letter.record else kept)


class _Letter(msgspec.Struct):
    file: str
    line: int
    offset: int
    reasons: list[dict[str, str]]
    record: msgspec.Raw = msgspec.Raw()
    text: str = ""
    bytes: str = ""


def _kept(data: bytes) -> dict[str, Any]:
    """The record as it was: as JSON if it is, else as text; bytes that are no UTF-8 as their hexadecimal digits."""
    if not data:  # it came through a pipe in an earlier run
        return {}
    try:
        msgspec.json.decode(data)
        return {"record": msgspec.Raw(data)}
    except (msgspec.DecodeError, RecursionError, ValueError):
        pass
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"bytes": data.hex()}
