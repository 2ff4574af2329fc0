"""Whole mapping files at random: each is a program or says what is wrong with it, and no record makes a program fail.

Files are made of the language's own keys, with values that fit and values that do not; and of the shipped mappings,
with lines and words changed as a slip of the hand would. ``MAPPER_EXAMPLES`` tries more of them than usual.
"""

from __future__ import annotations

import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mapper
from mapper.authoring.diagnostics import render
from mapper.authoring.formatting import format_text
from mapper.authoring.specs import check_tests, run_tests
from mapper.destinations.destination import load_destination
from mapper.destinations.fields import Field
from mapper.errors import MappingError, Problem

from . import fuzz
from .conftest import NOW, ROOT

FIELDS = load_destination("meta").fields
PLAIN = [
    path for path in FIELDS if path.count(".") < 2 and path != "event_name" and not path.startswith("user_data.em")
]
SHIPPED = [path.read_text("utf-8") for path in sorted((ROOT / "mappings").glob("*.yaml"))]
EXAMPLES = settings(
    max_examples=int(os.environ.get("MAPPER_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1_760_433_452_000, 10**17, "", " ", "x", "a.b", "{{", "{{ }}", "{% if a %}",
    "{{ a | uper }}",
    "{{ a }} and {{ b", [], {}, [None], [[]], ["{{ a }}", {}], {"a": {"b": []}}, {"for": "a"}, {"value": "{{ a }}"},
    {"...": "{{ a }}"}, {"each": 1, "for": "x in a"}, "no", "01234", "\ud800", "\u2028", "a" * 300,
]  # fmt: skip
"""Values that hardly fit where they stand."""

WORDS = [
    "version", "destination", "events", "event_name", "when", "for", "if", "each", "let", "tables", "defaults",
    "include", "ignore", "consent", "rules", "required", "parameters", "tests", "samples", "value", "file",
    "values", "prehashed",
    "meta", "null", "&a", "*a", "<<", "|", ">", "-", "{", "}", "[", "]", '"', "'", ":", "#", "{{",
    "}}", "%", "\t", "!!x",
]  # fmt: skip
"""Words and signs that mean something in a mapping file."""


class Maker:
    """Makes mapping files. Most of a file is right, so that what is behind a mistake is reached, too."""

    def __init__(self, seed: int, slip: float) -> None:
        self.make, self.slip = random.Random(seed), slip

    def odd(self, usual: Any) -> Any:
        """The usual value, or now and then one that hardly fits."""
        return copy.deepcopy(self.make.choice(ODD)) if self.make.random() < self.slip else usual

    def odd_name(self, usual: str) -> str:
        return self.make.choice(["if", "a-b", "", "record"]) if self.make.random() < self.slip else usual

    def bare(self) -> str:
        return fuzz.expression(self.make, self.make.randrange(4))

    def text(self) -> str:
        said = f"{{{{ {self.bare()} }}}}"
        return self.make.choice([said, said, said, f"x-{said}", f"{said}/{said}", "plain", "website"])

    def value(self, depth: int) -> Any:
        """A parameter as it may be written: text, a list, an object, a loop, a value with options."""
        kind = self.make.randrange(10 if depth else 5)
        if kind < 6:
            return self.odd(self.text())
        if kind == 6:
            return self.odd([self.value(depth - 1) for _ in range(self.make.randrange(3))])
        if kind == 7:
            each = self.value(depth - 1)
            return {"for": self.odd(f"i in {self.bare()}"), "if": self.odd(self.bare()), "each": each}
        if kind == 8:
            return {"value": self.text(), self.make.choice(["if", "prehashed", "country"]): self.odd(self.bare())}
        return self.odd({self.make.choice(fuzz.KEYS): self.value(depth - 1) for _ in range(2)})

    def parameters(self) -> dict[str, Any]:
        """Parameters of the destination as nested keys."""
        found: dict[str, Any] = {
            "event_time": self.odd("{{ at }}"),
            "action_source": self.odd("other"),
            "user_data": self.odd({"em": self.odd("{{ mail }}")}),
        }
        for path in self.make.sample(PLAIN, 4):
            *above, last = path.split(".")
            target = found
            for step in above:
                inner = target.setdefault(step, {})
                target = inner if isinstance(inner, dict) else {}
            target[last] = self.fitting(FIELDS[path])
        return found

    def fitting(self, known: Field) -> Any:
        """A value of the kind that a parameter takes; now and then another."""
        if self.make.random() < self.slip * 3:
            return self.value(2)
        if not known.is_leaf:
            each = {name: f"{{{{ {self.bare()} }}}}" for name, child in (known.children or {}).items() if child.is_leaf}
            return {"for": f"i in {self.bare()}", "if": self.bare(), "each": each} if known.many else each
        one = f"{{{{ {self.bare()} }}}}" if known.kind != "text" or known.allowed else self.text()
        if not known.many:
            return one
        return self.make.choice([one, [one, self.odd(one)], {"for": f"i in {self.bare()}", "each": one}])

    def event(self) -> Any:
        said: dict[str, Any] = {"parameters": self.odd(self.parameters())}
        if self.make.random() < 0.7:
            said["when"] = self.odd(self.bare())
        if self.make.random() < 0.2:
            said |= {"for": self.odd(f"line in {self.bare()}"), "if": self.odd(self.bare())}
        if self.make.random() < 0.2:
            said["event_name"] = self.odd(self.text())
        if self.make.random() < 0.2:
            said["required"] = self.odd(self.make.sample(PLAIN, 1))
        if self.make.random() < self.slip:
            said[self.make.choice(WORDS)] = copy.deepcopy(self.make.choice(ODD))
        return self.odd(said)

    def file(self) -> dict[str, Any]:
        """A whole mapping, as data."""
        names = self.make.sample(["Lead", "Donate", "Own", "View content"], self.make.randrange(1, 3))
        if self.make.random() < self.slip:
            names.append(self.make.choice(["x" * 51, "", "Purchase", "lead"]))
        said: dict[str, Any] = {
            "version": self.odd(1),
            "destination": "meta",
            "events": {n: self.event() for n in names},
        }
        more = {
            "let": {name: self.text() for name in [self.odd_name("one"), self.odd_name("two")]},
            "tables": {"t": self.odd({"x": "y", "a": 1})},
            "defaults": self.odd({"event_id": self.text(), "custom_data": self.odd({"value": self.value(1)})}),
            "ignore": self.odd([{"when": self.odd(self.bare())}]),
            "consent": self.odd(f"'send' if {self.bare()} else 'limited'"),
            "rules": {self.make.choice(["M04", "M09", "M15"]): self.odd("off")},
            "tests": self.odd([{"name": "t", "record": self.odd({"a": 1}), "events": self.odd([])}]),
            "include": self.odd(["gone.yaml"]),
            self.make.choice(WORDS): copy.deepcopy(self.make.choice(ODD)),
        }
        for key in self.make.sample(list(more), self.make.randrange(4)):
            if key not in ("include", *WORDS[-22:]) or self.make.random() < self.slip:
                said.setdefault(key, more[key])
        return said

    def slipped(self, text: str) -> str:
        """A text with some lines and words of it changed."""
        lines = text.split("\n")
        for _ in range(self.make.randrange(1, 4)):
            at = self.make.randrange(len(lines))
            words = lines[at].split(" ")
            words[self.make.randrange(len(words))] = self.make.choice([*WORDS, "", self.text(), self.bare()])
            changed = [
                " ".join(words),
                lines[at] + self.make.choice(WORDS),
                " " + lines[at],
                lines[at][1:],
                lines[at][:-1],
            ]
            lines[at : at + 1] = self.make.choice([[one] for one in changed] + [[], [lines[at], lines[at]]])
        return "\n".join(lines)

    def records(self) -> list[Any]:
        return [{**fuzz.record(self.make), "at": NOW - 60, "mail": "jane@example.com"} for _ in range(4)]


def check_told(problems: list[Problem]) -> None:
    """Problems that have a place each, and can be shown."""
    assert problems
    for one in problems:
        assert one.span.line >= 1, one
        assert 1 <= one.span.column < one.span.end, one
    assert render(problems)


def tried(text: str, folder: Path, records: list[Any]) -> bool:
    """Whether a file is a program. Anything but problems that can be shown, and results, is raised."""
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        program = mapper.load(path)
    except MappingError as error:
        check_told(error.problems)
        return False
    lines = [json.dumps(record).encode() for record in records] * 20  # enough for the short way
    found = list(program.map_lines(lines, NOW))
    assert (
        found[: len(records)]
        == found[-len(records) :]
        == [program.map(record, NOW) for record in lines[: len(records)]]
    )
    for result in found:
        assert result.events or result.problems or result.ignored
    if not any(problem.level == "error" for problem in check_tests(program)):
        list(run_tests(program))
    path.write_text(format_text(text, str(path)), encoding="utf-8")
    assert mapper.load(path).fingerprint == program.fingerprint
    return True


@EXAMPLES
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.2]))
def test_a_file_made_of_the_languages_keys(tmp_path: Path, seed: int, slip: float) -> None:
    maker = Maker(seed, slip)
    tried(json.dumps(maker.file()), tmp_path, maker.records())


@EXAMPLES
@given(st.integers(0, 2**32), st.sampled_from(SHIPPED))
def test_a_shipped_mapping_after_slips_of_the_hand(tmp_path: Path, seed: int, text: str) -> None:
    maker = Maker(seed, 0)
    tried(maker.slipped(text), tmp_path, maker.records())


@pytest.mark.parametrize("slip", [0.0, 0.02])
def test_some_of_them_are_programs(tmp_path: Path, slip: float) -> None:
    made = [Maker(seed, slip) for seed in range(60)]
    taken = [tried(json.dumps(maker.file()), tmp_path, maker.records()) for maker in made]
    assert 5 < sum(taken) < 60
