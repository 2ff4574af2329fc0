"""How ``mapper check --sample --format html`` shows what records give: one page to open, keep, or send to a colleague.

The page needs nothing else: no script, no font, no image from elsewhere, and its policy forbids them. Every name that
comes from a mapping or from records is escaped; values of records are not in a ``Coverage``, so they cannot be here.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from ..authoring.coverage import Coverage, EventCoverage, ParameterCoverage
from ..delivery.report import Reason
from ..showing import visible
from .coverage import lists, share, why
from .summary import percent

_STYLE: Final = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430; --soft: #5b6675; --line: #e3e7ec;
  --good: #1f8a4c; --some: #c07a00; --none: #c2372b; --rest: #c9d0d9; }
@media (prefers-color-scheme: dark) { :root { --page: #14181e; --card: #1c222b; --text: #e6eaf0; --soft: #9aa6b5;
  --line: #2e3742; --good: #4cc27f; --some: #e0a63a; --none: #f07466; --rest: #46515f; } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 0 }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem }
p { margin: .2rem 0 1rem } .soft, small { color: var(--soft) } small { font-size: .82rem }
section, .tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
section { padding: 1rem 1.2rem; margin-top: 1rem; overflow-x: auto }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .8rem; margin: 1rem 0 }
.tiles div { padding: .7rem 1rem } .tiles b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100% }
th { font-size: .82rem; font-weight: 600; color: var(--soft) }
td, th { text-align: left; padding: .4rem .9rem .4rem 0; vertical-align: top; border-bottom: 1px solid var(--line) }
tr:last-child td { border-bottom: 0 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { font: .82rem ui-monospace, monospace; overflow-wrap: anywhere } td:first-child { white-space: nowrap }
td:first-child small { display: block }
em { font: 600 .7rem system-ui, sans-serif; color: var(--soft); border: 1px solid var(--line); border-radius: .5rem;
  padding: 0 .35rem; margin-left: .2rem } a { color: inherit }
svg { width: 8rem; height: .6rem; border-radius: .3rem; display: block; margin-top: .45rem }
.track { fill: var(--line) } .good { fill: var(--good); color: var(--good) }
.some { fill: var(--some); color: var(--some) }
.none { fill: var(--none); color: var(--none) } .rest { fill: var(--rest); color: var(--soft) }
ul { margin: .3rem 0; padding-left: 1.2rem } li { margin: .2rem 0 }
@media print { body { background: none } section { break-inside: avoid } }
"""
_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)


def as_html(coverage: Coverage, title: str) -> str:
    """The whole page. ``title`` is the mapping's name."""
    return "\n".join(_page(coverage, title)) + "\n"


def _page(coverage: Coverage, title: str) -> Iterator[str]:
    yield "<!doctype html>"
    yield "<html lang=en><head><meta charset=utf-8>"
    yield f'<meta http-equiv=Content-Security-Policy content="{_POLICY}">'
    yield "<meta name=viewport content='width=device-width, initial-scale=1'><meta name=referrer content=no-referrer>"
    yield f"<title>{_safe(title)}: what records give</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{_safe(title)}</h1><p class=soft>What {coverage.records:,} records give.</p>"
    yield from _tiles(coverage)
    yield from _overview(coverage)
    for number, event in enumerate(coverage.events.values()):
        yield from _event(event, number)
    if coverage.warnings:
        yield "<section><h2>Left out, or worth improving, in events that were made</h2>"
        yield from _reasons(coverage.warnings)
        yield "</section>"
    for name, rows in lists(coverage):
        listed = "".join(f"<li><code>{_safe(row.strip())}</code>" for row in rows)
        yield f"<section><h2>{_safe(name)}</h2><ul>{listed}</ul></section>"
    yield "</main></body></html>"


def _tiles(coverage: Coverage) -> Iterator[str]:
    tiles = (
        ("records read", coverage.records, ""),
        ("mapped", coverage.mapped, "good"),
        ("ignored, on purpose", coverage.ignored, "rest"),
        ("dead, with a reason", coverage.dead, "none" if coverage.dead else "rest"),
    )
    shown = (f"<div><b class='{shade}'>{count:,}</b><small>{name}</small></div>" for name, count, shade in tiles)
    yield f"<div class=tiles>{''.join(shown)}</div>"


def _overview(coverage: Coverage) -> Iterator[str]:
    yield "<section><table><tr><th>Event<th class=n>Made<th class=n>Refused<th>Made of those that were meant</tr>"
    for number, event in enumerate(coverage.events.values()):
        total = event.made + event.refused
        name = f"<a href='#e{number}'>{_safe(event.key)}</a>"
        yield f"<tr><td>{name}<td class=n>{event.made:,}<td class=n>{event.refused:,}<td>{_bar(event.made, total)}</tr>"
    yield "</table></section>"


def _event(event: EventCoverage, number: int) -> Iterator[str]:
    yield f"<section id=e{number}><h2>{_safe(event.key)}</h2>"
    if event.when:
        yield f"<small>made when <code>{_safe(event.when)}</code></small>"
    if not event.made + event.refused:
        yield "<p class=some>No record is meant for it.</p></section>"
        return
    yield f"<p class=soft>{event.made:,} made, {event.refused:,} refused</p>"
    yield "<table><tr><th>Parameter<th class=n>Filled<th><th>When it is empty</tr>"
    yield from map(_row, event.parameters.values())
    yield "</table>"
    if event.reasons:
        yield "<h3>Refused</h3>"
        yield from _reasons(event.reasons)
    yield "</section>"


def _row(one: ParameterCoverage) -> str:
    total = one.filled + one.empty
    filled = "always" if one.literal else f"{percent(one.filled, total)}%" if total else ""
    required = " <em>required</em>" if one.required else ""
    name = f"{_safe(one.label or one.path)}{required}<small><code>{_safe(one.path)}</code></small>"
    bar = _bar(1, 1) if one.literal else _bar(one.filled, total)
    return f"<tr><td>{name}<td class=n>{filled}<td>{bar}<td><small>{_safe(why(one))}</small></tr>"


def _bar(part: int, whole: int) -> str:
    """A share as a bar; the number stands beside it, so readers of screens pass over it."""
    if not whole:
        return ""
    width = percent(part, whole)
    shade = share(part, whole)
    return (
        "<svg viewBox='0 0 100 8' preserveAspectRatio=none aria-hidden=true><rect class=track width=100 height=8 />"
        f"<rect class={shade} width={width} height=8 /></svg>"
    )


def _reasons(counts: Mapping[Reason, int]) -> Iterator[str]:
    yield "<ul>"
    for one, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        parameter = f"{one.parameter}: " if one.parameter and one.parameter not in one.message else ""
        place = f" <small>{_safe(one.place)}</small>" if one.place else ""
        yield f"<li>{count:,} × {_safe(parameter + one.message)} <code>{_safe(one.code)}</code>{place}"
    yield "</ul>"


def _safe(text: Any) -> str:
    return html.escape(visible(str(text)), quote=True)
