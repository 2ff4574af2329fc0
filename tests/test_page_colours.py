"""The page's colours: every text can be read on every ground it stands on, light and dark (WCAG 2.2, level AA)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = files("mapper.sandbox").joinpath("assets/page.css").read_text()
THEMES = {"light": r":root \{(.*?)\n\}", "dark": r':root\[data-theme="dark"\] \{(.*?)\n\}'}
TEXTS = ("ink", "soft", "faint", "accent", "accepted", "refused", "held", "merged", "pixel")
GROUNDS = ("ground", "panel", "raised", "sunk")
FILLS = ("accepted-fill", "refused-fill", "held-fill", "merged-fill")


def colours(theme: str) -> dict[str, str]:
    block = re.search(THEMES[theme], STYLE, re.S)
    assert block is not None
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block[1]))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_texts_can_be_read(theme: str) -> None:
    found = colours(theme)
    softs = [name for name in found if name.endswith("-soft")]
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS]
    pairs += [(text, ground) for text in ("ink", "soft", "faint") for ground in softs]
    pairs += [(text, f"{text}-soft") for text in TEXTS if f"{text}-soft" in found]
    pairs += [("panel", "accent"), ("panel", "refused")]  # on the buttons of these colours
    weak = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_bars_can_be_told_from_their_ground(theme: str) -> None:
    found = colours(theme)
    weak = {fill: round(contrast(found[fill], found["panel"]), 2) for fill in FILLS}
    assert {fill: ratio for fill, ratio in weak.items() if ratio < 3} == {}


def test_the_dark_colours_are_the_same_whoever_asks_for_them() -> None:
    system = re.search(r':root:not\(\[data-theme="light"\]\) \{(.*?)\n  \}', STYLE, re.S)
    assert system is not None
    assert dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", system[1])) == colours("dark")
