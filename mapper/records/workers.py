"""Mapping on several cores: the same results in the same order as on one.

The parent reads and keeps order; workers map. A worker that dies is replaced and its tasks are done again: nothing of a
task counts before its answer is there. What is under way is bounded, and so is memory. Workers are started only once
an input has turned out to be large, and until they are ready the parent maps by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, TypeVar

import msgspec
from msgspec.structs import replace

from ..errors import DeliveryError
from ..events.program import Program
from .blocks import Mapped, Task, perform
from .worker import DEPTH, read_frame, write_frame

__all__ = ["SMALL", "Workers", "cores"]

SMALL: Final = 12 * 1024 * 1024
"""Bytes of input below which starting workers takes longer than they save."""

_TRIES: Final = 3
_PIPE: Final = 1 << 20
_START: Final = (
    "import sys; sys.path[:] = {path!r}; from mapper.records.worker import main; main({mapping!r}, {memo!r})"
)

Origin = TypeVar("Origin")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mapped).decode


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Maps tasks in order, on ``count`` processes once they are worth it. To be used in a ``with`` block."""

    def __init__(self, program: Program, count: int, *, size: int = 0, small: int | None = None) -> None:
        """No process is started yet.

        size    bytes that will be read, if somebody knows: then nobody has to wait until so many have been seen
        small   bytes from which on workers are worth it
        """
        self._program = program
        self._count = count if count > 1 else 0
        self._small = SMALL if small is None else small
        self._seen = size
        self._workers: list[_Worker] = []

    def map(
        self, tasks: Iterable[tuple[Origin, Task | None]], is_idle: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Origin, Mapped | None]]:
        """What became of each task, in their order; nothing of what is none.

        is_idle   whether the next task is not there yet: then everything under way is given out first
        raises    DeliveryError if a worker dies again and again (exit code 70), or if the mapping has changed (2)
        """
        waiting: deque[tuple[Origin, _Worker]] = deque()
        turn = 0
        for origin, task in tasks:
            if task is None:
                while waiting:
                    first, responsible = waiting.popleft()
                    yield first, responsible.answer()
                yield origin, None
            elif not self._are_up(task):
                yield origin, perform(self._program, task)
            else:
                worker = self._workers[turn % len(self._workers)]
                turn += 1
                while len(worker.tasks) >= DEPTH:
                    first, responsible = waiting.popleft()
                    yield first, responsible.answer()
                worker.give(task)
                waiting.append((origin, worker))
            while waiting and is_idle():
                first, responsible = waiting.popleft()
                yield first, responsible.answer()
        for first, responsible in waiting:
            yield first, responsible.answer()

    def _are_up(self, task: Task) -> bool:
        """Whether the workers are ready. They are started when enough has been seen."""
        if not self._count:
            return False
        if not self._workers:
            self._seen += len(task.block.data)
            if self._seen >= self._small:
                self._workers = [_Worker(self._program) for _ in range(self._count)]
        return bool(self._workers) and all(worker.ready.is_set() for worker in self._workers)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []


def widen(*pipes: IO[bytes]) -> None:
    """Let pipes hold a whole task, so that nobody is woken for every part of it. Only Linux can."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl

        for pipe in pipes:
            fcntl(pipe.fileno(), F_SETPIPE_SZ, _PIPE)
    except (ImportError, OSError):  # slower, but right
        pass


def without_secrets(program: Program) -> dict[str, str]:
    """The environment for those who map and do not send: they need neither a token nor the password of a proxy."""
    secret = {setting.env for setting in program.destination.settings.values() if setting.secret} | {"MAPPER_PROXY"}
    return {name: value for name, value in os.environ.items() if name not in secret}


class _Worker:
    """One process. ``tasks`` are those without an answer, the oldest first."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._deaths = 0
        self.tasks: deque[Task] = deque()
        self._start()

    def _start(self) -> None:
        code = _START.format(path=sys.path, mapping=self._program.files[0], memo=self._program.memo)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=pipe, stdout=pipe, bufsize=1 << 18, env=without_secrets(self._program)
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        widen(self._to, self._from)
        self._said: bytes | None = None
        self.ready = threading.Event()
        threading.Thread(target=self._greet, args=(self._from, self.ready), daemon=True).start()

    def _greet(self, stream: IO[bytes], ready: threading.Event) -> None:
        self._said = read_frame(stream)
        ready.set()

    def give(self, task: Task, *, whole: bool = False) -> None:
        """Send a task. That the worker is dead shows when the answer is asked for.

        whole   with the block's data, also if the worker could read them where they come from
        """
        self.tasks.append(task)
        if task.block.path and not whole:
            task = replace(task, block=replace(task.block, data=b""))
        with suppress(BrokenPipeError):
            write_frame(self._to, _encode(task))

    def answer(self) -> Mapped:
        """The answer to the oldest task; waits for it."""
        while True:
            self.ready.wait()
            if self._said is not None and self._said.decode() != self._program.fingerprint:
                hint = "Run it again."
                raise DeliveryError("mapping-changed", "the mapping was changed while it was in use", 2, hint)
            frame = read_frame(self._from) if self._said is not None else None
            if frame is not None:
                self._deaths = 0
                self.tasks.popleft()
                return _decode(frame)
            self._replace()

    def _replace(self) -> None:
        """Start another process in place of one that died, and give it all that is without an answer."""
        self._deaths += 1
        self.end()
        if self._deaths >= _TRIES:
            block = self.tasks[0].block
            where = f" over the lines from {block.file}:{block.number}"
            hint = "Is there enough memory? Try again with --workers 1."
            raise DeliveryError("worker", f"worker processes died {self._deaths} times{where}", 70, hint)
        self._start()
        tasks, self.tasks = self.tasks, deque()
        for task in tasks:
            self.give(task, whole=True)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        for stream in (self._to, self._from):
            with suppress(OSError):
                stream.close()
        self._process.wait()
