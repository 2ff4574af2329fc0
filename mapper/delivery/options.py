"""How a run goes about it, as far as whoever starts it may choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from .dispatch import CONCURRENCY, Notify
from .items import PATIENCE
from .transport import DEADLINE, Client

OnUnclear = Literal["resend", "hold"]
"""What is done with events that may have arrived: they are sent again, as the same bytes, or held for a decision."""


def window(memory: int, on_unclear: OnUnclear) -> int:
    """Seconds for which what may have arrived is sent again; ``memory``: for which the destination drops copies."""
    return 0 if on_unclear == "hold" else memory


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
    on_unclear: OnUnclear = "resend"
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | Path | None = None

    def __post_init__(self) -> None:
        check({name: getattr(self, name) for name in self.__slots__})


_AT_LEAST_ONE: Final = ("batch_size", "concurrency", "workers", "limit", "max_open")
_MORE_THAN_NOTHING: Final = ("rate", "timeout")
_NOT_LESS_THAN_NOTHING: Final = ("max_wait", "patience")


def check(options: Mapping[str, Any]) -> None:
    """Refuse what would wait for ever, or do nothing.

    raises  TypeError, ValueError
    """
    for name, value in options.items():
        if name not in (*_AT_LEAST_ONE, *_MORE_THAN_NOTHING, *_NOT_LESS_THAN_NOTHING) or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if name in _AT_LEAST_ONE else int | float):
            raise TypeError(f"{name} is a number, not {type(value).__name__}")
        if name in _AT_LEAST_ONE and value < 1:
            raise ValueError(f"{name} is 1 or more, not {value}")
        if name in _MORE_THAN_NOTHING and not value > 0:
            raise ValueError(f"{name} is more than 0, not {value}")
        if not value >= 0:
            raise ValueError(f"{name} is 0 or more, not {value}")


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
    on_unclear: OnUnclear
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
    on_unclear: OnUnclear
    on_note: Notify | None
    clock: Callable[[], float]
    client: Client | None
