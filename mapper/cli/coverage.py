"""How ``mapper check --sample`` shows what records give: a table for each event."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from rich.cells import cell_len

from ..authoring.coverage import Coverage, EventCoverage, ParameterCoverage
from ..authoring.diagnostics import safe
from ..delivery.report import Records
from ..destinations.cleaning import CODES
from ..showing import visible
from .summary import BOLD, DIM, GREEN, RED, YELLOW, painter, percent, reasons, sum_of_records

Cells = tuple[str, str, str, str]

_REST: Final = "--format json has them all"
_ENOUGH: Final = 0.95
"""From which share on a parameter counts as filled."""
_SHADES: Final = {"good": GREEN, "some": YELLOW, "none": RED}
_MOST: Final = 20
_NAMES: Final = 110
"""From how many columns on there is room for what a parameter is called."""
_ROOM: Final = 30
"""Columns that reasons need beside a table; with less they stand below each parameter."""


def show(coverage: Coverage, *, width: int, colour: bool) -> str:
    """Tables for people."""
    return "\n".join(line.rstrip() for line in safe("\n".join(_told(coverage, width, colour))).split("\n"))


def _told(coverage: Coverage, width: int, colour: bool) -> Iterator[str]:
    paint = painter(colour)
    yield sum_of_records(Records(coverage.records, coverage.mapped, coverage.ignored, coverage.dead), colour=colour)
    for event in coverage.events.values():
        yield ""
        yield from _event(event, width, colour)
    if any(one.required for event in coverage.events.values() for one in event.parameters.values()):
        yield paint(DIM, "\n* required: without it the event is not sent")
    if coverage.warnings:
        yield ""
        yield reasons({}, coverage.warnings, colour=colour, width=width, rest=_REST)
    for title, rows in lists(coverage):
        yield f"\n{paint(BOLD, title)}"
        yield from (f"  {row}" for row in rows)


def _event(event: EventCoverage, width: int, colour: bool) -> Iterator[str]:
    paint = painter(colour)
    total = event.made + event.refused
    counted = f"{event.made:,} made, {event.refused:,} refused" if total else "no record is meant for it"
    yield paint(BOLD, visible(f"{event.key}: {counted}"))
    if not total:
        if event.when:
            yield paint(DIM, visible(f"  when: {' '.join(event.when.split())}"))
        return
    yield from _table(event, width, paint)
    if event.reasons:
        yield ""
        without = Counter({replace(reason, event=""): count for reason, count in event.reasons.items()})
        yield reasons(without, {}, colour=colour, width=width, rest=_REST)


def _table(event: EventCoverage, width: int, paint: Callable[[str, str], str]) -> Iterator[str]:
    """One event's parameters. Their names are never cut: what has no room beside them stands below."""
    rows = [(one, _cells(one, with_name=width >= _NAMES)) for one in event.parameters.values()]
    head: Cells = ("parameter", "its name" if width >= _NAMES else "", "filled", "")
    widths = [max(cell_len(cells[column]) for cells in (head, *(found for _, found in rows))) for column in range(4)]
    at = 2 + sum(taken + 2 for taken in widths if taken)
    room = width - at if width - at >= _ROOM else 0
    said = _line("  ", head, widths, paint, DIM) + (paint(DIM, "when it is empty") if room else "")
    yield from (said, paint(DIM, "  " + "─" * (width - 2 if room else at - 4)))
    for one, cells in rows:
        line = _line("* " if one.required else "  ", cells, widths, paint, _shade(one))
        words = textwrap.wrap(visible(why(one)), room or max(width - 6, 20), break_on_hyphens=False)
        yield line + paint(DIM, "".join(words[:1])) if room else line
        yield from (" " * (at if room else 6) + paint(DIM, word) for word in (words[1:] if room else words))


def _line(mark: str, cells: Cells, widths: list[int], paint: Callable[[str, str], str], shade: str) -> str:
    """The columns of a row; those that are empty in every row take no room."""
    path, name, filled, bar = (
        (" " * (width - cell_len(cell)) + cell if column == 2 else cell + " " * (width - cell_len(cell))) + "  "
        if width
        else ""
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"{mark}{path}{paint(DIM, name)}{paint(shade, filled + bar)}"


def _cells(one: ParameterCoverage, *, with_name: bool) -> Cells:
    total = one.filled + one.empty
    filled = "always" if one.literal else f"{percent(one.filled, total)}%" if total else "-"
    tenths = 10 if one.literal else percent(one.filled, total) // 10 if total else 0
    bar = "█" * tenths + "░" * (10 - tenths)
    return visible(one.path), visible(one.label) if with_name else "", filled, bar


def _shade(one: ParameterCoverage) -> str:
    total = one.filled + one.empty
    return DIM if one.literal or not total else _SHADES[share(one.filled, total)]


def share(part: int, whole: int) -> str:
    """How a share is to be seen: ``good``, ``some``, ``none``."""
    return "none" if not part else "good" if part >= _ENOUGH * whole else "some"


def why(one: ParameterCoverage) -> str:
    """Why a parameter is empty when it is, in one line: fields that records lack, values that are unusable."""
    together: dict[int, list[str]] = {}
    for path, count in one.missing.most_common(12):
        together.setdefault(count, []).append(path)
    parts = [_lacking(paths, count) for count, paths in list(together.items())[:2]]
    parts += [f"{CODES.get(code, f'it fails [{code}]')} ({count:,})" for code, count in one.unusable.most_common(2)]
    return "; ".join(parts)


def _lacking(paths: list[str], count: int) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    listed = ", ".join(paths[:3])
    return f"no {listed} ({count:,})" if len(paths) == 1 else f"none of {listed}{more} ({count:,})"


def lists(coverage: Coverage) -> Iterator[tuple[str, list[str]]]:
    """What is told beside the events: lines that are no records, fields that are read in vain, fields that are not."""
    unmapped = [
        f"{count:>7,}  {reason.message} [{reason.code}]"
        for reason, count in coverage.reasons.items()
        if not reason.event
    ]
    if unmapped:
        yield "Lines that are no records", unmapped
    if coverage.unknown:
        rows = [path + (f"  (did you mean {near}?)" if near else "") for path, near in coverage.unknown.items()]
        yield "The mapping reads these, and no record has them", rows
    if coverage.unread:
        rows = [f"{count:>7,}  {path}" for path, count in list(coverage.unread.items())[:_MOST]]
        more = len(coverage.unread) - len(rows)
        yield "Records have these, and nobody reads them", rows + ([f"and {more} more: {_REST}"] if more > 0 else [])
