"""Points in time as people write them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ..errors import DeliveryError

_AGO: Final = {"m": 60, "h": 3600, "d": 86400}


def moment(text: str, now: float) -> float:
    """A point in time, in Unix seconds: an ISO time (UTC without a zone), a day, or ``36h`` ago.

    raises  DeliveryError (exit code 2)
    """
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1:] in _AGO and len(text) < 9:
        return now - int(text[:-1]) * _AGO[text[-1]]
    try:
        return _iso(text)
    except ValueError:
        hint = "Write a day (2026-11-20), a time (2026-11-20T08:00:00Z), or how long ago: 90m, 36h, 5d."
        raise DeliveryError("since", "--since does not say a moment", 2, hint) from None


def _iso(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


if TYPE_CHECKING:
    _Moment = click.ParamType[float]
else:  # before click 8.4 it says nothing of what it gives
    _Moment = click.ParamType


class Clock(_Moment):
    """The clock of a run: Unix seconds, or an ISO time (UTC without a zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            found = float(value)
        except ValueError:
            try:
                found = _iso(value)
            except ValueError:
                found = -1.0
        if not 0 <= found < _END:
            self.fail("Write a time (2026-11-20T08:00:00Z), a day (2026-11-20), or Unix seconds.", param, ctx)
        return found


_END: Final = 32_503_680_000.0
"""The year 3000: later ones are milliseconds by mistake."""

now_option = click.option(
    "--now", type=Clock(), metavar="TIME", help="The clock: 2026-11-20T08:00:00Z, 2026-11-20, or Unix seconds."
)
"""``--now`` of every verb that has it."""
