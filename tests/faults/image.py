"""What a disk holds after a power cut, made from the log of what was done to it (``disk.c``).

What was synced is there, and so are names whose folder was synced. Of the rest anything may be there: nothing, all, the
first part, whole writes in any choice, or single sectors of them. What of a file was never written, although something
behind it was, is zeros; in a journal, whose rows and frames carry hashes, it may be anything.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECTOR: Final = 512
_HEAD: Final = struct.Struct("=iiqq")
LOSSES: Final = ("nothing stays", "all stays", "the first part stays", "some writes stay", "some sectors stay")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the log; ``end`` is where it ends in the log."""

    word: str
    descriptor: int
    at: int
    data: bytes
    end: int

    @property
    def names(self) -> list[str]:
        return self.data.decode().split("\0")


def read(log: Path) -> list[Entry]:
    """The records of a log; one that was cut off is left out."""
    data, found, place = log.read_bytes(), list[Entry](), 0
    while place + _HEAD.size <= len(data):
        word, descriptor, at, size = _HEAD.unpack_from(data, place)
        start = place + _HEAD.size
        place = start + size
        if place <= len(data):
            found.append(Entry(chr(word), descriptor, at, data[start:place], place))
    return found


@dataclass(slots=True)
class File:
    """What was done to a file: writes at an offset, and with None cuts to a length. The first ones are on the disk."""

    changes: list[tuple[int, bytes | None]] = field(default_factory=list)
    safe: int = 0


class Disk:
    """A folder, as the log tells of it."""

    def __init__(self, before: Path) -> None:
        """``before``: the folder as it was; all of it is on the disk."""
        self.names: dict[str, File] = {}
        self.now: dict[str, File] = {}
        self.moves: list[tuple[str, list[str], File | None]] = []
        self.safe_moves = 0
        for path in before.iterdir():
            self.names[path.name] = self.now[path.name] = File([(0, path.read_bytes())], 1)

    def play(self, entries: Sequence[Entry]) -> None:
        """Everything that a part of the log says."""
        files: dict[int, File | None] = {}
        syncs: dict[int, tuple[File | None, int]] = {}
        for entry in entries:
            word, known = entry.word, files.get(entry.descriptor)
            if word == "O":
                files[entry.descriptor] = self._opened(*entry.names, how=entry.at)
            elif word in "WT" and known is not None:
                known.changes.append((entry.at, entry.data if word == "W" else None))
            elif word == "S":
                syncs[entry.at] = known, len(self.moves if known is None else known.changes)
            elif word == "D":
                file, count = syncs[entry.at]
                if file is None:
                    self.safe_moves = max(self.safe_moves, count)
                else:
                    file.safe = max(file.safe, count)
            elif word in "RU":
                self._moved(word, entry.names, None)

    def _opened(self, name: str, *, how: int) -> File | None:
        """The file of a name, or None for the folder."""
        if not name:
            return None
        if how & 1:
            self._moved("O", [name], File())
        if how & 2:
            self.now[name].changes.append((0, None))
        return self.now[name]

    def _moved(self, word: str, names: list[str], file: File | None) -> None:
        self.moves.append((word, names, file))
        _move(self.now, word, names, file)

    def image(self, chance: random.Random, loss: str, *, hashed: str) -> dict[str, bytes]:
        """What is on the disk once the power is gone.

        loss     one of LOSSES: what becomes of that which was not synced
        hashed   how the names of files begin whose lost sectors may hold anything
        """
        names = dict(self.names)
        for place, move in enumerate(self.moves):
            if place < self.safe_moves or _stays(chance, loss):
                _move(names, *move)
        return {name: _content(file, chance, loss, name.startswith(hashed)) for name, file in names.items()}


def _move(names: dict[str, File], word: str, of: list[str], file: File | None) -> None:
    if word == "O" and file is not None:
        names[of[0]] = file
    elif of[0] in names:
        moved = names.pop(of[0])
        if word == "R":
            names[of[1]] = moved


def _stays(chance: random.Random, loss: str) -> bool:
    return loss == LOSSES[1] or (loss != LOSSES[0] and chance.random() < 0.5)


def _content(file: File, chance: random.Random, loss: str, is_hashed: bool) -> bytes:
    data = bytearray()
    first = chance.randint(file.safe, len(file.changes))
    for place, (at, change) in enumerate(file.changes):
        if place < file.safe or (loss == LOSSES[2] and place < first):
            _apply(data, at, change)
        elif loss == LOSSES[4] and change is not None:
            for start, sector in _sectors(at, change):
                _torn(data, start, sector, chance, is_hashed)
        elif loss != LOSSES[2] and _stays(chance, loss):
            _apply(data, at, change)
    return bytes(data)


def _sectors(at: int, change: bytes) -> Iterator[tuple[int, bytes]]:
    """A write by the sectors of the disk that it touches."""
    start = at
    while start < at + len(change):
        end = (start // SECTOR + 1) * SECTOR
        yield start, change[start - at : end - at]
        start = end


def _apply(data: bytearray, at: int, change: bytes | None) -> None:
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    if change is None:
        del data[at:]
    else:
        data[at : at + len(change)] = change


def _torn(data: bytearray, at: int, change: bytes, chance: random.Random, is_hashed: bool) -> None:
    """A sector: it is there, or it is not, or it is broken."""
    kind = chance.random()
    if kind < 0.5:
        _apply(data, at, change)
    elif is_hashed and kind < 0.6:
        _apply(data, at, chance.randbytes(len(change)))


__all__ = ["LOSSES", "Disk", "Entry", "read"]
