"""How a run goes about it, as far as whoever starts it may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from .delivery import PATIENCE
from .dispatch import CONCURRENCY
from .transport import DEADLINE


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it.

    batch_size   events a request, at most what the destination takes
    concurrency  requests on their way at once
    workers      processes that map files once they have turned out to be large
    max_wait     seconds after which a batch is sent although it is not full; for live inputs one second if not given
    rate         events a second at most
    limit        records to read at most
    since        events that happened before this moment (Unix seconds) are left out
    follow       read on where the last file ends, also when it is rotated, until the run is stopped
    resume       standard input begins as in the last run with this journal: what is settled is passed over
    timeout      seconds for a whole exchange: connecting, sending up to 1,000 events, and the answer
    patience     seconds of waiting for one batch before the run gives up for now
    """

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
