"""What a run says at its end: both sums, why something was refused, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..report import Reason, Report

_GREEN, _RED, _YELLOW, _DIM, _BOLD, _END = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
_MOST: Final = 12
Paint = Callable[[str, str], str]
_IGNORED: Final = {
    "rule": "by an 'ignore' rule",
    "no-event": "no event is meant for them",
    "consent": "consent was withheld",
}


def summary(report: Report, *, colour: bool) -> str:
    """A finished run in a few lines."""
    records, events = report.records, report.events
    paint = _painter(colour)
    lines = [
        _sum("records read", records.read, (("mapped", records.mapped, _GREEN), ("ignored", records.ignored, _DIM),
             ("dead", records.dead, _RED)), paint),
        _sum("events made", events.made, (("sent", events.sent, _GREEN), ("rejected", events.rejected, _RED),
             ("pending", events.pending, _YELLOW)), paint),
    ]  # fmt: skip
    if records.blank:
        lines.append(f"  {records.blank:,} blank lines were skipped.")
    for name, count in sorted(report.by_event.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"    {count:>8,}  {name}")
    for reason, count in sorted(report.ignored.items()):
        lines.append(paint(_DIM, f"    {count:>8,}  ignored: {_IGNORED.get(reason, reason)}"))
    said = reasons(report.refused, report.warnings, colour=colour)
    if said:
        lines += ["", said]
    if report.rejected:
        lines += ["", paint(_RED, "Rejected by the destination:")]
        lines += [
            f"    {count:>8,}  {reason.event}: {reason.message} [{reason.code}]"
            for reason, count in report.rejected.items()
        ]
    lines += ["", *_ending(report, paint)]
    return "\n".join(lines)


def reasons(refused: Mapping[Reason, int], warnings: Mapping[Reason, int], *, colour: bool) -> str:
    """Why records or events were refused, the most frequent first, each with its place in the mapping."""
    paint = _painter(colour)
    lines: list[str] = []
    if refused:
        lines.append(paint(_RED, "Refused:"))
        lines += _listed(refused, paint)
    if warnings:
        lines.append(paint(_YELLOW, "Left out of events that were made all the same:"))
        ordered = sorted(warnings.items(), key=lambda item: (-item[1], item[0]))
        for reason, count in ordered[:_MOST]:
            lines.append(f"    {count:>8,}  {reason.parameter}: {reason.message} [{reason.code}]")
        lines += _more(len(ordered))
    return "\n".join(lines)


def _listed(refused: Mapping[Reason, int], paint: Paint) -> list[str]:
    lines: list[str] = []
    ordered = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_MOST]:
        event = f"{reason.event}: " if reason.event else ""
        lines.append(f"    {count:>8,}  {event}{reason.message} [{reason.code}]")
        if reason.place:
            lines.append(f"              {reason.place}")
    return lines + _more(len(ordered))


def _more(count: int) -> list[str]:
    return [f"              and {count - _MOST} more reasons: see --report"] if count > _MOST else []


def _sum(label: str, total: int, parts: tuple[tuple[str, int, str], ...], paint: Paint) -> str:
    said = " + ".join(paint(shade, f"{count:,} {name}") if count else f"0 {name}" for name, count, shade in parts)
    return f"{paint(_BOLD, f'{total:>9,} {label:<12}')} = {said}"


def _ending(report: Report, paint: Paint) -> list[str]:
    lines: list[str] = []
    if report.stopped is not None:
        lines.append(paint(_RED, f"Stopped: {report.stopped.message}"))
        if report.stopped.hint:
            lines.append(f"  help: {report.stopped.hint}")
        if report.events.pending:
            lines.append(f"  {report.events.pending:,} events are pending: nothing of them was accepted. Run it again.")
    if report.dead_letters_written:
        letters = "dead letter" if report.dead_letters_written == 1 else "dead letters"
        lines.append(f"{report.dead_letters_written:,} {letters} in {report.dead_letters}; they hold the records")
    if report.dry_run:
        lines.append("A dry run: nothing was sent.")
    requests = f"{report.requests:,} request{'s' if report.requests != 1 else ''}"
    retries = f", {report.retries:,} of them again" if report.retries else ""
    lines.append(paint(_DIM, f"{requests}{retries} to {report.to} in {report.seconds:.1f} s"))
    return lines


def _plain(shade: str, text: str) -> str:
    return text


def _painter(colour: bool) -> Paint:
    return (lambda shade, text: f"{shade}{text}{_END}") if colour else _plain
