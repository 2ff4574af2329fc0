"""How a run goes about it, as far as whoever starts it may choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from .delivery import PATIENCE
from .dispatch import CONCURRENCY
from .transport import DEADLINE, Client


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run; what each of them means stands at ``pipeline.send``."""

    batch_size: int | None = None
    concurrency: int = CONCURRENCY
    workers: int = 1
    max_wait: float | None = None
    rate: float | None = None
    limit: int | None = None
    since: float | None = None
    follow: bool = False
    resume: bool = False
    timeout: float = DEADLINE
    patience: float = PATIENCE
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | Path | None = None


class AsKeywords(TypedDict, total=False):
    """``Options`` as keyword arguments."""

    batch_size: int | None
    concurrency: int
    workers: int
    max_wait: float | None
    rate: float | None
    limit: int | None
    since: float | None
    follow: bool
    resume: bool
    timeout: float
    patience: float
    proxy: str | None
    ca_file: str | Path | None


class SenderOptions(TypedDict, total=False):
    """The keyword arguments of a ``Sender``."""

    to: str
    settings: Mapping[str, str] | None
    test_event_code: str | None
    dead_letters: str | Path | None
    journal: str | Path | None
    batch_size: int | None
    concurrency: int
    max_wait: float
    rate: float | None
    max_open: int
    clock: Callable[[], float]
    client: Client | None
