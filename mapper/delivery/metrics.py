"""A run's counts in Prometheus's text format, for a node exporter's textfile collector or a push gateway.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import DeliveryError
from .report import Tally, by_event

_Labels = Mapping[str, str]


def prometheus(tally: Tally, destination: str, seconds: float, exit_code: int | None = None) -> str:
    """The counts so far; with ``exit_code`` those of a run that is over."""
    return "".join(f"{line}\n" for line in _lines(tally, destination, seconds, exit_code))


def write(path: Path, text: str, what: str, mode: int = 0o644) -> None:
    """Put a file in its place in one step: whoever reads it sees the old one or the new one, also after a power cut.

    A link is replaced, never followed; what is no file, such as ``/dev/stdout``, is written to.

    what    ``report`` or ``metrics``
    mode    who may read it
    raises  DeliveryError (exit code 5)
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as there:
                there.write(text)
        else:
            _replace(path, text, mode)
    except OSError as error:
        message = f"the {what} cannot be written to {path}: {error.strerror}"
        raise DeliveryError(what, message, 5, "Make room, or name another file.") from None


def _replace(path: Path, text: str, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())  # else its name may be on the disk before it is
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _lines(tally: Tally, destination: str, seconds: float, exit_code: int | None) -> Iterator[str]:
    for name, help_text, samples in _counters(tally):
        yield from _family(name, help_text, samples, destination)
    gauges: list[tuple[str, str, float | None]] = [
        ("mapper_pending_events", "Events made and neither sent nor rejected yet.", _pending(tally)),
        ("mapper_held_events", "Pending events that wait for somebody's decision.", tally.events.held),
        ("mapper_in_flight_events", "Events on their way.", tally.in_flight),
        ("mapper_run_seconds", "How long the run has taken.", round(seconds, 3)),
        (
            "mapper_oldest_event_timestamp_seconds",
            "When the oldest event that was sent happened.",
            tally.sending.oldest,
        ),
        ("mapper_exit_code", "How the run ended; absent while it goes on.", exit_code),
    ]
    for name, help_text, value in gauges:
        if value is not None:
            yield from _family(name, help_text, [({}, value)], destination, kind="gauge")


def _pending(tally: Tally) -> int:
    return tally.events.made - tally.events.sent - tally.events.rejected


def _counters(tally: Tally) -> Iterator[tuple[str, str, list[tuple[_Labels, float]]]]:
    """Name, explanation, and the numbers with their labels."""
    records, events, sending = tally.records, tally.events, tally.sending
    fates: list[tuple[_Labels, float]] = [
        ({"fate": "sent"}, events.sent),
        ({"fate": "rejected"}, events.rejected),
    ]
    read: list[tuple[_Labels, float]] = [
        ({"fate": fate}, getattr(records, fate)) for fate in ("mapped", "ignored", "dead")
    ]
    yield "mapper_records_total", "Records read, by what became of them.", read
    yield "mapper_events_total", "Events made, by what became of them.", fates
    named = sorted(by_event(tally.carried).items())
    yield "mapper_events_made_total", "Events made, by name.", [({"event": name}, count) for name, count in named]
    refused: list[tuple[_Labels, float]] = [
        ({"code": reason.code, "event": reason.event, "parameter": reason.parameter}, count)
        for reason, count in sorted(tally.refused.items())
    ]
    yield "mapper_refused_total", "Why records gave no event, or lacked one.", refused
    answers: list[tuple[_Labels, float]] = [
        ({"meaning": meaning, "code": code}, count) for (meaning, code), count in sorted(sending.answers.items())
    ]
    yield "mapper_answers_total", "Answers of the destination, by meaning and code.", answers
    waited: list[tuple[_Labels, float]] = [
        ({"reason": reason}, round(seconds, 3)) for reason, seconds in sorted(sending.waited.items())
    ]
    yield "mapper_waited_seconds_total", "Seconds that batches waited, by reason.", waited
    yield "mapper_requests_total", "Requests sent.", [({}, sending.requests)]
    yield "mapper_retries_total", "Requests sent again.", [({}, sending.retries)]
    yield "mapper_halvings_total", "Requests split to find an event that is wrong.", [({}, sending.halvings)]
    yield "mapper_sent_bytes_total", "Bytes of the events in all requests.", [({}, sending.size)]
    yield "mapper_maybe_twice_total", "Events whose first answer was lost.", [({}, events.maybe_twice)]


def _family(
    name: str, help_text: str, samples: list[tuple[_Labels, float]], destination: str, kind: str = "counter"
) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        said = ",".join(f'{key}="{_escaped(text)}"' for key, text in {"destination": destination, **labels}.items())
        yield f"{name}{{{said}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
