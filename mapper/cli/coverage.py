"""How ``mapper check --sample`` shows what records give: as tables on a terminal, or as one HTML page."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..cleaning import CODES
from ..coverage import Coverage, EventCoverage, ParameterCoverage
from ..diagnostics import safe, visible
from .summary import reasons


def show(coverage: Coverage, *, width: int, colour: bool) -> str:
    """Tables for people."""
    console = Console(
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        file=io.StringIO(),
        legacy_windows=False,
    )
    with console.capture() as captured:
        _print(coverage, console)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def _print(coverage: Coverage, console: Console) -> None:
    console.print(
        f"{coverage.records:,} records read = {coverage.mapped:,} mapped + {coverage.ignored:,} ignored "
        f"+ {coverage.dead:,} dead",
        highlight=False,
    )
    for event in coverage.events.values():
        console.print()
        console.print(_table(event))
        if event.reasons:
            said = reasons(event.reasons, {}, colour=not console.no_color, width=console.width)
            console.print(Text.from_ansi(safe(said)))
    if any(one.required for event in coverage.events.values() for one in event.parameters.values()):
        console.print()
        console.print(Text("* required: without it the event is not sent", style="dim"))
    for title, rows in _lists(coverage):
        console.print()
        console.print(Text(title, style="bold"))
        for row in rows:
            console.print(Text(visible(f"  {row}")))


def _table(event: EventCoverage) -> Table:
    title = Text(visible(f"{event.key}: {event.made:,} made, {event.refused:,} refused"), style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("parameter")
    table.add_column("filled", justify="right")
    table.add_column("")
    table.add_column("when it is empty")
    for one in event.parameters.values():
        share = _share(one)
        name = Text(visible(one.path) + (" *" if one.required else ""))
        shade = "dim" if one.literal else "green" if share >= 0.95 else "yellow" if share > 0 else "red"
        percent = "always" if one.literal else f"{share:.0%}"
        table.add_row(
            name, Text(percent, style=shade), Text(_bar(share), style=shade), Text(visible(_why(one)), style="dim")
        )
    return table


def _share(one: ParameterCoverage) -> float:
    total = one.filled + one.empty
    return one.filled / total if total else 0.0


def _bar(share: float) -> str:
    return "█" * round(share * 10) + "░" * (10 - round(share * 10))


def _why(one: ParameterCoverage) -> str:
    together: dict[int, list[str]] = {}
    for path, count in one.missing.most_common(12):
        together.setdefault(count, []).append(path)
    parts = [_lacking(paths, count) for count, paths in list(together.items())[:2]]
    parts += [f"{CODES.get(code, code)} ({count:,})" for code, count in one.unusable.most_common(2)]
    return "; ".join(parts)


def _lacking(paths: list[str], count: int) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    listed = ", ".join(paths[:3])
    return f"no {listed} ({count:,})" if len(paths) == 1 else f"none of {listed}{more} ({count:,})"


def _lists(coverage: Coverage) -> Iterator[tuple[str, list[str]]]:
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
        rows = [f"{count:>7,}  {path}" for path, count in list(coverage.unread.items())[:20]]
        yield "Records have these, and nobody reads them", rows


_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 15%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2.5rem } small { opacity: .7 }
table { border-collapse: collapse; width: 100% } .scroll { overflow-x: auto }
td, th { text-align: left; padding: .35rem .6rem .35rem 0; vertical-align: top; border-bottom: 1px solid var(--line) }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { font: 13px ui-monospace, monospace }
.bar { display: inline-block; width: 8rem; height: .6rem; border-radius: .3rem; background: var(--line) }
.bar { overflow: hidden }
.bar i { display: block; height: 100%; background: #2e9e5b }
.some i { background: #d99a1c } .none i { background: #c8402f }
"""


def as_html(coverage: Coverage, title: str) -> str:
    """One page that needs nothing else. Every name from the mapping and the records is escaped."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{_safe(title)}</title><style>{_STYLE}</style><h1>{_safe(title)}</h1>",
        f"<p>{coverage.records:,} records read = {coverage.mapped:,} mapped + {coverage.ignored:,} ignored "
        f"+ {coverage.dead:,} dead</p>",
    ]
    for event in coverage.events.values():
        parts.append(f"<h2>{_safe(event.key)} <small>{event.made:,} made, {event.refused:,} refused</small></h2>")
        parts.append("<div class=scroll><table><tr><th>Parameter<th>Name<th>Filled<th><th>When it is empty</tr>")
        parts += [_row(one) for one in event.parameters.values()]
        parts.append("</table></div>")
        if event.reasons:
            rows = "".join(
                f"<li>{count:,} × {_safe(one.message)} <code>{_safe(one.code)}</code>"
                for one, count in event.reasons.most_common()
            )
            parts.append(f"<ul>{rows}</ul>")
    for name, lines in _lists(coverage):
        listed = "".join(f"<li><code>{_safe(row.strip())}</code>" for row in lines)
        parts.append(f"<h2>{_safe(name)}</h2><ul>{listed}</ul>")
    return "\n".join(parts) + "\n"


def _row(one: ParameterCoverage) -> str:
    share = _share(one)
    kind = "" if share >= 0.95 or one.literal else "some" if share > 0 else "none"
    filled = "always" if one.literal else f"{share:.0%}"
    required = " <small>required</small>" if one.required else ""
    bar = f"<span class='bar {kind}'><i style='width:{100 if one.literal else share * 100:.0f}%'></i></span>"
    return (
        f"<tr><td><code>{_safe(one.path)}</code>{required}<td>{_safe(one.label)}<td class=n>{filled}<td>{bar}"
        f"<td><small>{_safe(_why(one))}</small></tr>"
    )


def _safe(text: Any) -> str:
    return html.escape(visible(str(text)), quote=True)
