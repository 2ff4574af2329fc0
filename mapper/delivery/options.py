"""How a run goes about it, as far as whoever starts it may choose."""

from __future__ import annotations

<<<<<<< HEAD
from collections.abc import Callable, Mapping
from dataclasses import dataclass
=======
from dataclasses import dataclass, field
>>>>>>> 47587d8 (A proxy and authorities are only those that are named; what the environment says does not matter; why nobody was reached is said)
from pathlib import Path
from typing import TypedDict

from .delivery import PATIENCE
from .dispatch import CONCURRENCY
from .transport import DEADLINE, Client


@dataclass(frozen=True, slots=True)
class Options:
<<<<<<< HEAD
    """The options of a run; what each of them means stands at ``pipeline.send``."""
=======
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
    proxy        ``http://[user:password@]host:port``, through which requests go; none is taken from the environment
    ca_file      authorities to trust, as PEM, in place of the usual ones
    """
>>>>>>> 47587d8 (A proxy and authorities are only those that are named; what the environment says does not matter; why nobody was reached is said)

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
<<<<<<< HEAD


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
=======
    proxy: str | None
    ca_file: str | Path | None
>>>>>>> 47587d8 (A proxy and authorities are only those that are named; what the environment says does not matter; why nobody was reached is said)
