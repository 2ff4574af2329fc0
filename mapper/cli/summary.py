"""What a run says at its end: both sums, why something was refused, and what to do next."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..delivery.report import Reason, Records, Report
from ..destinations.cleaning import CODES
from ..showing import visible

GREEN, RED, YELLOW, DIM, BOLD, _END = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
_MOST: Final = 12
_MOST_PLACES: Final = 3
_INDENT: Final = " " * 11
_REST: Final = "--report FILE has them all"
Paint = Callable[[str, str], str]
_IGNORED: Final = {
    "rule": "ignored: by an 'ignore' rule",
    "no-event": "ignored: no event is meant for them",
    "consent": "ignored: consent was withheld",
    "torn": "left out: what a run that died left of letters",
    "since": "left out: they happened before --since",
}


@dataclass(slots=True)
class _Group:
    """One reason, whatever the event: the events that it concerns, by the place in the mapping."""

    message: str
    code: str
    total: int = 0
    places: dict[str, Counter[str]] = field(default_factory=dict)


def summary(report: Report, *, colour: bool, width: int = 0, mapping: str = "", is_journalled: bool = True) -> str:
    """A finished run.

    width    columns to wrap long reasons at; 0 for no wrapping
    mapping  the mapping's file, to say how to look into a refused record
    is_journalled  whether the next run knows what this one did
    """
    paint = painter(colour)
    events = report.events
    lines = [
        sum_of_records(report.records, colour=colour),
        _sum(
            "events made",
            events.made,
            (
                ("sent", events.sent, GREEN),
                ("rejected", events.rejected, RED),
                ("pending", events.pending, YELLOW),
            ),
            paint,
        ),
        *_counts(report, paint),
    ]
    carried = match_keys(report.by_event, report.match_keys, width)
    lines += ["", carried] if carried else []
    said = reasons(report.refused, report.warnings, colour=colour, width=width, rest=_REST)
    lines += ["", said] if said else []
    if report.rejected:
        lines += ["", paint(RED, "Rejected by the destination:"), *_grouped(report.rejected, paint, width, _REST)]
    lines += ["", *_ending(report, paint, width, mapping, is_journalled)]
    return "\n".join(lines)


def stop(report: Report) -> str:
    """Why a run ended before its input did, for those who want to hear of nothing else; without the other side's words.

    Empty if it came to its end, or was interrupted by whoever now reads this.
    """
    stopped = report.stopped
    if stopped is None or stopped.code == "interrupted":
        return ""
    said = f"mapper: stopped: {stopped.code}; pending events: {report.events.pending:,}"
    return f"{said}\n  help: {stopped.hint}" if stopped.hint else said


def sum_of_records(records: Records, *, colour: bool) -> str:
    """``8 records read = 5 mapped + 1 ignored + 2 dead``"""
    parts = (("mapped", records.mapped, GREEN), ("ignored", records.ignored, DIM), ("dead", records.dead, RED))
    blank = f"  ({records.blank:,} blank line{'s' if records.blank > 1 else ''} skipped)" if records.blank else ""
    paint = painter(colour)
    return _sum("records read", records.read, parts, paint) + paint(DIM, blank)


def _counts(report: Report, paint: Paint) -> Iterator[str]:
    """How many of each event were made, and why records were ignored."""
    for name, count in sorted(report.by_event.items(), key=lambda item: (-item[1], item[0])):
        yield f"    {count:>8,}  {name}"
    if report.events.limited:
        yield f"    {report.events.limited:>8,}  of them with limited data use"
    for reason, count in sorted(report.ignored.items()):
        yield paint(DIM, f"    {count:>8,}  {_IGNORED.get(reason, reason)}")


def match_keys(by_event: Mapping[str, int], carried: Mapping[str, Mapping[str, int]], width: int = 0) -> str:
    """How many in a hundred events carry each parameter about the person; keys that no event carries are left out.

    width  columns to fit into, by several tables if one is too wide; 0 for one however wide
    """
    if not by_event:
        return ""
    names = [name for name, _ in sorted(by_event.items(), key=lambda item: (-item[1], item[0]))]
    longest = max(map(len, names))
    lines = ["Match keys, in percent of the events:"]
    for keys in _fitting(_merged_order(carried.values()), width - longest - 6 if width else 10_000):
        lines.append(f"    {'':<{longest}}" + "".join(f"  {key:>3}" for key in keys))
        for name in names:
            cells = (
                f"  {percent(carried.get(name, {}).get(key, 0), by_event[name]):>{max(len(key), 3)}}" for key in keys
            )
            lines.append(f"    {name:<{longest}}" + "".join(cells))
    return "\n".join(lines)


def _merged_order(carried: Iterable[Mapping[str, int]]) -> list[str]:
    """The keys of all events in one order, which is that of the destination for each of them."""
    merged: list[str] = []
    for keys in carried:
        at = 0
        for key in keys:
            if key in merged:
                at = merged.index(key) + 1
            else:
                merged.insert(at, key)
                at += 1
    return merged


def _fitting(keys: Sequence[str], room: int) -> Iterator[list[str]]:
    """The keys in stretches that fit."""
    part: list[str] = []
    for key in keys:
        if part and sum(max(len(one), 3) + 2 for one in [*part, key]) > room:
            yield part
            part = []
        part.append(key)
    if part:
        yield part


def percent(part: int, whole: int) -> int:
    """A share that says 0 and 100 only if it is none and all."""
    share = round(100 * part / whole)
    return min(max(share, 1), 99) if 0 < part < whole else share


def reasons(
    refused: Mapping[Reason, int], warnings: Mapping[Reason, int], *, colour: bool, width: int = 0, rest: str = ""
) -> str:
    """Why records or events were refused, the most frequent first, each with its place in the mapping.

    rest   where those are told that are left off
    """
    paint = painter(colour)
    lines: list[str] = []
    if refused:
        lines += [paint(RED, "Refused:"), *_grouped(refused, paint, width, rest)]
    left_out = {reason: count for reason, count in warnings.items() if reason.code in CODES}
    others = {reason: count for reason, count in warnings.items() if reason.code not in CODES}
    titles = ("Left out of events that were made all the same:", left_out), ("Worth improving in events:", others)
    for title, found in titles:
        if found:
            lines += [""] if lines else []
            lines += [paint(YELLOW, title), *_grouped(found, paint, width, rest)]
    return "\n".join(lines)


def _grouped(counts: Mapping[Reason, int], paint: Paint, width: int, rest: str) -> Iterator[str]:
    """Reasons with their places, the same reason of several events told once."""
    groups: dict[tuple[str, str], _Group] = {}
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        message = reason.message
        if reason.parameter and reason.parameter.split("[")[0] not in message:
            message = f"{reason.parameter}: {message}"
        group = groups.setdefault((reason.code, message), _Group(message, reason.code))
        group.total += count
        group.places.setdefault(reason.place, Counter())[reason.event] += count
    ordered = sorted(groups.values(), key=lambda group: (-group.total, group.message))
    for group in ordered[:_MOST]:
        first, *more = _wrapped(visible(f"{group.message} [{group.code}]"), width)
        for line in (f"{group.total:>9,}  {first}", *(f"{_INDENT}{line}" for line in more)):
            said, code, _ = line.partition(f"[{group.code}]")
            yield said + paint(DIM, code)
        for place in _places(group.places):
            yield from (paint(DIM, f"{_INDENT}{line}") for line in _wrapped(visible(place), width))
    if len(ordered) > _MOST:
        yield f"{_INDENT}and {len(ordered) - _MOST} more reasons" + (f": {rest}" if rest else "")


def _places(places: Mapping[str, Counter[str]]) -> Iterator[str]:
    """``mappings/shop.yaml:36:9  Purchase 19, Lead 3``"""
    for place, events in list(places.items())[:_MOST_PLACES]:
        named = ", ".join(f"{event} {count:,}" for event, count in events.most_common(4) if event)
        more = f" and {len(events) - 4} more" if len(events) > 4 else ""
        if place or named:
            yield "  ".join(filter(None, (place, named + more)))
    if len(places) > _MOST_PLACES:
        yield f"and {len(places) - _MOST_PLACES} more places"


def _wrapped(text: str, width: int) -> list[str]:
    if not width:
        return [text]
    return textwrap.wrap(text, max(width - len(_INDENT), 40), break_long_words=False, break_on_hyphens=False) or [text]


def _sum(label: str, total: int, parts: Iterable[tuple[str, int, str]], paint: Paint) -> str:
    said = " + ".join(paint(shade, f"{count:,} {name}") if count else f"0 {name}" for name, count, shade in parts)
    return f"{paint(BOLD, f'{total:>9,} {label:<12}')} = {said}"


def _ending(report: Report, paint: Paint, width: int, mapping: str, is_journalled: bool) -> Iterator[str]:
    """What happened to the run itself, and what to do next."""
    if report.stopped is not None:
        yield from (paint(RED, line) for line in _sentence(f"Stopped: {report.stopped.message}", width))
        if report.stopped.hint:
            yield from _sentence(f"  help: {report.stopped.hint}", width)
    if report.events.pending and not report.dry_run:
        yield from _sentence(_pending(report, is_journalled), width)
    if report.dead_letters_written:
        alone, file, mapping = report.dead_letters_written == 1, visible(report.dead_letters), visible(mapping)
        letters = "1 dead letter" if alone else f"{report.dead_letters_written:,} dead letters"
        yield f"{letters} in {file}; {'it holds the record' if alone else 'they hold the records'}"
        steps = [("by reason, and how long they can still be sent", f"mapper dead-letters list {file}")]
        if mapping:
            steps.append(("once it is mended", f"mapper dead-letters retry {mapping} {file}"))
            steps.append(("why, step by step", f"mapper explain {mapping} {file} --line 1"))
        for label, command in steps:
            is_wide = width and len(label) + len(command) + 4 > width
            lines = (f"  {label}:", f"    {command}") if is_wide else (f"  {label}: {command}",)
            yield from (paint(DIM, line) for line in lines)
    if report.settled_before:
        records = "record" if report.settled_before == 1 else "records"
        yield f"{report.settled_before:,} {records} passed over: settled by an earlier run."
    if report.events.maybe_twice:
        events = "event" if report.events.maybe_twice == 1 else "events"
        said = (
            f"{report.events.maybe_twice:,} {events} sent again because no clear answer had come, under the same ids."
        )
        yield from _sentence(said, width)
        yield paint(DIM, "  which they are: --report FILE lists them")
    for message in sorted(report.sending.messages):
        yield from _sentence(f"{report.destination} says: {message}", width)
    if report.dry_run:
        yield "A dry run: nothing was sent."
    else:
        yield from (paint(DIM, line) for line in _sentence(_effort(report), width))


def _pending(report: Report, is_journalled: bool) -> str:
    """What is pending, what of it may have arrived, and how it goes on."""
    count, away = report.events.pending, report.tally.in_flight
    said = f"{'1 event is' if count == 1 else f'{count:,} events are'} pending: not accepted, and not refused."
    if away:
        said += f" {away:,} of them {'was' if away == 1 else 'were'} still on their way, and may have arrived."
    if not is_journalled:
        return f"{said} Without a journal the next run sends everything again."
    if report.stopped is not None and report.stopped.code in ("interrupted", "held"):
        return said  # how it goes on stands there
    return f"{said} Run it again" + ("." if report.exit_code == 3 else " when that is done.")


def _sentence(text: str, width: int) -> list[str]:
    """Lines that fit; those after the first stand a little further in."""
    if not width:
        return [text]
    further = "  " + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def _effort(report: Report) -> str:
    """``12 requests, 2 of them again, 3 split, to meta in 3.2 s, of which 1.0 s waiting (rate-limit)``"""
    sending = report.sending
    said = [f"{sending.requests:,} request{'s' if sending.requests != 1 else ''}"]
    if sending.retries:
        said.append(f"{sending.retries:,} of them again")
    if sending.halvings:
        said.append(f"{sending.halvings:,} split to find what is wrong")
    waits = [f"{reason} {seconds:.1f} s" for reason, seconds in sorted(sending.waited.items()) if seconds >= 0.05]
    waited = f"; batches waited: {', '.join(waits)}" if waits else ""
    return f"{', '.join(said)} to {report.to} in {report.seconds:.1f} s{waited}"


def _plain(shade: str, text: str) -> str:
    return text


def painter(colour: bool) -> Paint:
    """What puts text in a shade, or leaves it as it is."""
    return (lambda shade, text: f"{shade}{text}{_END}" if text else "") if colour else _plain
