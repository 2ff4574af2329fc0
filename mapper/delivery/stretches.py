"""What a journal speaks of: stretches of inputs, what is kept of them, and what is known of a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..records.source import Block
from .items import Item


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes ``start`` to ``end`` of a file, with so many lines that are not blank.

    mark   for a pipe, a hash of everything before ``end``
    """

    start: int
    end: int
    lines: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that must not be lost although its record cannot be read again; the so manyth of its stretch."""

    number: int
    line: int
    name: str
    key: str
    time: int | None
    expires: int | None
    encoded: bytes

    @classmethod
    def of(cls, number: int, item: Item) -> Kept:
        origin = item.origin
        return cls(number, origin.line.number, origin.name, origin.key, origin.time, item.expires, item.encoded)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Records that may have been accepted twice: the offset of the first, and the lines of the first and the last."""

    start: int
    line: int
    last: int


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What an earlier run kept and did not settle.

    first_sent   when it was first on its way, Unix seconds; None if it cannot have arrived
    """

    file: int
    stretch: Stretch
    kept: tuple[Kept, ...]
    first_sent: float | None = None


@dataclass(slots=True)
class Progress:
    """What is known of one file: everything before ``settled`` is done, and so are the stretches in ``done``.

    open   stretches that were on their way when an earlier run ended, each with the moment at which it was first sent
    mark   for a pipe, a hash of everything before ``settled``
    """

    file: int
    settled: int = 0
    lines: int = 0
    done: list[Stretch] = field(default_factory=list)
    open: list[tuple[Stretch, float]] = field(default_factory=list)
    mark: str = ""

    def touches(self, block: Block) -> bool:
        """Whether an earlier run has been at any line of a block."""
        stretches = (*self.done, *(one for one, _ in self.open))
        return block.offset < self.settled or any(one.start < block.end and block.offset < one.end for one in stretches)

    def is_done(self, offset: int) -> bool:
        """Whether the line at an offset is settled."""
        return offset < self.settled or (bool(self.done) and any(one.start <= offset < one.end for one in self.done))

    def first_sent(self, offset: int) -> float | None:
        """When the line at an offset was first on its way, if it was when an earlier run ended."""
        if not self.open:
            return None
        return min((sent for one, sent in self.open if one.start <= offset < one.end), default=None)
