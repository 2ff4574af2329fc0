"""What could not be mapped or was refused, kept with its reason, so that nothing is lost.

One JSON object a line: where the record stands, every reason why it was refused, and the record itself as it was
read. The file holds personal data: only its owner may read it (mode 0600). It is made when there is something to
write, and added to when it is there already. What a run that died left of a letter is a line that is torn; nobody
takes it for more: the run that went on wrote the letter anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec

from ..destinations.answers import Answer
from ..errors import DeliveryError
from ..events.results import Refusal
from ..records.source import Line
from ..showing import visible
from .items import Item
from .syncing import Syncer, sync_names

_encode = msgspec.json.Encoder().encode
_END: Final = 253_402_300_800
"""The year 10,000, in Unix seconds: no clock shows a later moment."""
_MOST: Final = 1 << 63
_skim = msgspec.json.Decoder(msgspec.Raw).decode
"""Sees that something is JSON, without making objects of it."""
_BEGINNING: Final = b'{"file":'
_CONTROLS: Final = bytes(range(1, 0x20))


class DeadLetters:
    """A file of dead letters. ``path`` None keeps none; ``written`` counts.

    origin   gives for a line that was read the line that is written down
    """

    def __init__(self, path: Path | None, *, origin: Callable[[Line], Line] = lambda line: line) -> None:
        self.path = path
        self.written = 0
        self._origin = origin
        self._file: BinaryIO | None = None
        self._is_broken = False
        self._syncer: Syncer | None = None
        self._asked = self._brought = 0
        self._is_named = False

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
        if self.path.exists() and not _holds_letters(self.path):
            hint = "Name another file with --dead-letters."
            raise DeliveryError("dead-letters", f"{self.path} holds something else than dead letters", 2, hint)
        if not os.access(target, os.W_OK):
            hint = "Name another file with --dead-letters."
            raise DeliveryError("dead-letters", f"{self.path} cannot be written", 2, hint)

    def record(self, line: Line, problems: Sequence[Refusal], expires: int | None = None) -> None:
        """A record of which events could not be made, with every reason, and until when it can be sent."""
        if problems:
            said: dict[str, Any] = {"reasons": [_reason(problem) for problem in problems]}
            self._write(line, said if expires is None else {**said, "expires": expires})

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
        line = self._origin(line)
        letter = {"file": line.file, "line": line.number, "offset": line.offset, **said}
        try:
            if self._file is None:
                self._file = self._opened()
            self._file.write(_encode({**letter, **_kept(line.data)}) + b"\n")
        except OSError as error:
            raise self._broken(error) from None
        self.written += 1

    def _broken(self, error: OSError) -> DeliveryError:
        self._is_broken = True
        message = f"dead letters cannot be written to {self.path}: {error.strerror}"
        return DeliveryError("dead-letters", message, 5, "Make room, and run it again.")

    def _opened(self) -> BinaryIO:
        assert self.path is not None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o600)
        os.fchmod(descriptor, 0o600)
        if _ends_within_a_line(self.path):
            os.write(descriptor, b"\n")
        return os.fdopen(descriptor, "ab")

    def flush(self) -> None:
        """Hand everything to the operating system.

        raises  DeliveryError (exit code 5) if it does not take it
        """
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError as error:
            raise self._broken(error) from None

    def ask(self) -> int:
        """What has been written is to reach the disk: a number that ``is_safe`` and ``wait`` take."""
        if self._file is None or self.written == self._brought:
            return self._asked
        self._brought = self.written
        if self._syncer is None:
            self._syncer = Syncer(self._descriptor)
        self._asked = self._syncer.ask()
        return self._asked

    def _descriptor(self) -> int:
        """The open file; its name is on the disk."""
        assert self._file is not None
        assert self.path is not None
        if not self._is_named:
            sync_names(self.path.parent)
            self._is_named = True
        return self._file.fileno()

    def is_safe(self, number: int) -> bool:
        """Whether it has.

        raises  DeliveryError (exit code 5) if the disk does not take it
        """
        try:
            return self._syncer is None or self._syncer.is_done(number)
        except OSError as error:
            raise self._broken(error) from None

    def wait(self, number: int) -> None:
        """Wait until it has; raises as ``is_safe``."""
        try:
            if self._syncer is not None:
                self._syncer.wait(number)
        except OSError as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Let go of the file.

        raises  DeliveryError (exit code 5) if its end cannot be written, unless that was said before
        """
        if self._file is None:
            return
        if self._syncer is not None:
            self._syncer.close()
        was_broken = self._is_broken
        try:
            self._file.close()
        except OSError as error:
            if not was_broken:
                raise self._broken(error) from None

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holds_letters(path: Path) -> bool:
    """Whether a file is empty or begins with a dead letter, so that nobody's records are written to by mistake."""
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError:
        return True  # what is wrong with it is said when it is written
    return not first.strip() or read_letter(first) is not None or is_torn(first)


def _ends_within_a_line(path: Path) -> bool:
    """Whether the last run died, or its disk was full, before its last letter was written to its end."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def is_torn(data: bytes) -> bool:
    """Whether a line that is no letter is what is left of one.

    Its end was not written, or the power was cut while it was: then some of it may be zeros, which no text holds.
    """
    text = data.rstrip(b"\r\n")
    is_piece = b"\0" in text and len(text.translate(None, _CONTROLS)) == len(text)
    return is_piece or text.startswith(_BEGINNING) or _BEGINNING.startswith(text)


def _reason(problem: Refusal) -> dict[str, str]:
    said = {
        "code": problem.code,
        "message": problem.message,
        "event": problem.event,
        "parameter": problem.parameter,
        "mapping": visible(str(problem.span)) if problem.span else "",
    }
    return {key: value for key, value in said.items() if value}


class Letter(msgspec.Struct, frozen=True):
    """One dead letter as it stands in its file.

    reasons  each with ``code`` and ``message``, and where it is known ``event``, ``parameter`` and ``mapping``
    expires  the last moment (Unix seconds) at which what it is about can be sent
    answer   what the destination said, if it was the destination that refused
    record   the record as JSON, or its ``text``, or its ``bytes`` in hexadecimal digits; nothing if it was not kept
    """

    file: str
    line: int
    offset: int
    reasons: tuple[dict[str, str], ...]
    expires: int | None = None
    answer: dict[str, Any] = {}
    sent: msgspec.Raw = msgspec.Raw()
    record: msgspec.Raw = msgspec.Raw()
    text: str = ""
    bytes: str = ""

    @property
    def events(self) -> frozenset[str]:
        """The mapping's names of the events that it is about; empty if the record itself was at fault."""
        named = [reason.get("event", "") for reason in self.reasons]
        return frozenset(named) if all(named) else frozenset()


def bytes_of(letter: Letter) -> bytes:
    """The record of a letter."""
    if letter.record:
        return bytes(letter.record)
    return letter.text.encode() if letter.text else bytes.fromhex(letter.bytes)


_decode = msgspec.json.Decoder(Letter).decode


def read_letter(data: bytes) -> Letter | None:
    """A line of a file of dead letters, or None if it is none."""
    try:
        letter = _decode(data)
        bytes_of(letter)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    is_sound = 0 <= letter.line < _MOST and 0 <= letter.offset < _MOST and 0 <= (letter.expires or 0) < _END
    return letter if is_sound and all("code" in reason for reason in letter.reasons) else None


def opened(data: bytes) -> Line | None:
    """The line that a dead letter was written for, or None if ``data`` is no dead letter."""
    letter = read_letter(data)
    return None if letter is None else Line(letter.file, letter.line, letter.offset, bytes_of(letter))


def as_bytes(record: Any) -> bytes:
    """A record that a program hands over, as it is kept; empty if nothing can say it."""
    if isinstance(record, bytes | str):
        return record if isinstance(record, bytes) else record.encode("utf-8", "surrogatepass")
    try:
        return _encode(record)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""


def _kept(data: bytes) -> dict[str, Any]:
    """The record as it was: as JSON if it is, else as text; bytes that are no UTF-8 as their hexadecimal digits."""
    if not data:  # it came through a pipe in an earlier run
        return {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"bytes": data.hex()}
    try:
        _skim(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return {"text": text}
    return {"record": msgspec.Raw(data)}
