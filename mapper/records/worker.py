"""A process that maps what it is given: started by ``workers``, one for each core.

Frames go both ways, each with its length before it. The first answer is the fingerprint of the mapping, or nothing if
it can no longer be loaded; then comes one answer for each task, in their order. Tasks are read ahead in a thread, so
that whoever sends them never waits for one who waits for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import Queue
from typing import IO, Final

import msgspec
from msgspec.structs import replace

from ..errors import MapperError
from ..events.program import load
from .blocks import Task, perform

__all__ = ["DEPTH", "main", "read_frame", "write_frame"]

DEPTH: Final = 3
"""Tasks that may be under way at once: one is mapped while the next one waits."""

_SWITCH: Final = 0.0005
"""Seconds after which the mapping thread lets the reading one go on, which needs very little time."""


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame, or None at the end or if the other side broke off in the middle of one."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    data = stream.read(size)
    return data if len(data) == size else None


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Send a frame."""
    stream.write(len(data).to_bytes(8, "little"))
    stream.write(data)
    stream.flush()


def _with_data(task: Task) -> Task:
    """A task with its block's data, which are read where they come from if they did not come along.

    If they are no longer there the process ends: whoever gave the task gives it to another one, data and all.
    """
    block = task.block
    if not block.path or block.data:
        return task
    with open(block.path, "rb", buffering=0) as file:
        file.seek(block.offset)
        data = file.read(block.end - block.offset)
    if len(data) != block.end - block.offset:
        os._exit(1)
    return replace(task, block=replace(block, data=data))


def main(mapping: str, memo: bool) -> None:
    """Load the mapping, say what it means, and map until there is nothing more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides what an interruption means
    sys.setswitchinterval(_SWITCH)
    given, taken = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", 1 << 18)  # buffered, whatever the environment says
    try:
        program = load(mapping, memo=memo)
    except MapperError:
        write_frame(taken, b"")
        return
    write_frame(taken, program.fingerprint.encode())
    tasks: Queue[bytes | None] = Queue(DEPTH)

    def ahead() -> None:
        while (frame := read_frame(given)) is not None:
            tasks.put(frame)
        tasks.put(None)

    threading.Thread(target=ahead, daemon=True).start()
    decode, encode = msgspec.msgpack.Decoder(Task).decode, msgspec.msgpack.Encoder().encode
    try:
        while (frame := tasks.get()) is not None:
            write_frame(taken, encode(perform(program, _with_data(decode(frame)))))
    except BrokenPipeError:  # nobody wants the answers any more
        os._exit(0)
