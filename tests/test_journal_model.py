"""The journal against a model of it: a dictionary that says what became of each line, and of each event that is kept.

Whatever is begun, settled in whole or in part, decided, and wherever a run dies: the next one finds in the journal what
the dictionary holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mapper.delivery import inspection
from mapper.delivery.items import DECIDED
from mapper.delivery.job import joined
from mapper.delivery.journal import Journal
from mapper.delivery.stretches import Kept, Stretch
from mapper.records.source import Line

WIDTH: Final = 10
"""Bytes of each line."""
WINDOW: Final = 1000
LINES: Final = 60


@dataclass(slots=True)
class Pipe:
    """A stretch of a pipe as it should be found: its state, since when it may have arrived, and what is kept of it."""

    state: str
    sent: float
    kept: set[int] = field(default_factory=set)


class Journals(RuleBasedStateMachine):
    """Runs that come and go, with one file, of which new lines may come, and one pipe."""

    def __init__(self) -> None:
        super().__init__()
        # What is tried here is what is written, not whether a disk keeps it.
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.path = self.folder / "r.jsonl"
        self.now = 1_000_000.0
        self.count = 0
        self.fates: dict[int, float | None] = {}
        """Of each line that is not new: since when it may have arrived, None if it is settled."""
        self.running: list[list[int]] = []
        """The lines of each stretch of the file that is on its way."""
        self.pipes: dict[tuple[int, int], Pipe] = {}
        self.settled = 0
        self.journals = 0
        self.grow(30)
        self._open()

    def _open(self) -> None:
        self.place = self.folder / f"journal-{self.journals}"
        self.journal = Journal(self.place, mapping="m", target="t", window=WINDOW, clock=lambda: self.now)
        self.file = self.journal.progress(self.path).file
        self.stream = self.journal.stream().file
        self.running, self.cursor, self.read = [], 0, 0

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    @staticmethod
    def _stretch(lines: list[int]) -> Stretch:
        return Stretch(lines[0] * WIDTH, (lines[-1] + 1) * WIDTH, len(lines))

    @rule(count=st.integers(1, 20))
    @precondition(lambda self: self.count < LINES)
    def grow(self, count: int) -> None:
        """The file grows."""
        with self.path.open("a") as file:
            file.write("".join(f"{number:09}\n" for number in range(self.count, self.count + count)))
        self.count += count

    @rule(seconds=st.sampled_from([1.0, 100.0, 2000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    # -- a file ----------------------------------------------------------------------------------------------------

    @rule(most=st.integers(1, 12))
    @precondition(lambda self: self.cursor < self.count)
    def begin(self, most: int) -> None:
        """Read on: what is settled is passed over, and ends a stretch."""
        lines: list[int] = []
        while self.cursor < self.count and len(lines) < most:
            is_settled = self.fates.get(self.cursor, 0.0) is None
            if is_settled and lines:
                break
            if not is_settled:
                lines.append(self.cursor)
            self.cursor += 1
        if not lines:
            return
        self.now += 1
        self.journal.begin(self.file, self._stretch(lines))
        known = [sent for line in lines if (sent := self.fates.get(line)) is not None and sent != DECIDED]
        self.fates |= dict.fromkeys(lines, min(known, default=self.now))
        self.running.append(lines)

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def settle(self, data: Any) -> None:
        """A stretch comes to its end, not always in the order in which they were begun."""
        lines = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.journal.settle(self.file, [self._stretch(lines)], self.path)
        self.fates |= dict.fromkeys(lines)

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def settle_a_part(self, data: Any) -> None:
        """Some lines are settled, some may have arrived, and the others have not: they are as good as new."""
        lines = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        fates = [data.draw(st.sampled_from(["settled", "unclear", "decided", "new"])) for _ in lines]
        of = {fate: [line for line, one in zip(lines, fates, strict=True) if one == fate] for fate in fates}
        done = joined(Line("f", line, line * WIDTH, b"", end=(line + 1) * WIDTH) for line in of.get("settled", ()))
        moment = self.now - 500
        unclear = [(self._stretch([line]), moment) for line in of.get("unclear", ())]
        unclear += [(self._stretch([line]), DECIDED) for line in of.get("decided", ())]
        self.journal.settle(self.file, done, self.path, of=self._stretch(lines), unclear=unclear)
        for line in lines:
            self.fates.pop(line)
        self.fates |= dict.fromkeys(of.get("settled", ()))
        self.fates |= dict.fromkeys(of.get("unclear", ()), moment)
        self.fates |= dict.fromkeys(of.get("decided", ()), DECIDED)

    # -- a pipe ----------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 5), is_sent=st.booleans())
    def keep(self, count: int, is_sent: bool) -> None:
        """Something is read from a pipe, and kept before it is sent."""
        self.now += 1
        start, self.read = self.read, self.read + WIDTH
        kept = [Kept(number, number, "Lead", "Lead", None, None, b"{}") for number in range(count)]
        number = self.journal.begin(self.stream, Stretch(start, self.read, 1), kept, is_sent=is_sent)
        self.journal.wait_until_safe(number)
        self.pipes[self.stream, start] = Pipe("open" if is_sent else "due", self.now, set(range(count)))

    @rule(data=st.data(), what=st.sampled_from(["sending", "returned", "settle", "erase"]))
    @precondition(lambda self: self.pipes)
    def handle_kept(self, data: Any, what: str) -> None:
        """What is kept is sent, comes back, is settled, or some of its events are."""
        self.now += 1
        file, start = key = data.draw(st.sampled_from(sorted(self.pipes)))
        pipe = self.pipes[key]
        if what == "sending":
            self.journal.sending(file, [start])
            if pipe.state != "open":
                pipe.state, pipe.sent = "open", self.now
        elif what == "returned":
            self.journal.returned(file, [start])
            pipe.state = "due"
        elif what == "settle":
            self.journal.settle(file, [Stretch(start, start + WIDTH, 1)])
            del self.pipes[key]
        else:
            gone = set(data.draw(st.lists(st.sampled_from(sorted(pipe.kept)), max_size=3))) if pipe.kept else set()
            self.journal.settle(file, (), erased=[(start, number) for number in gone])
            pipe.kept -= gone

    # -- the ends of runs ------------------------------------------------------------------------------------------

    @rule(is_death=st.booleans())
    def next_run(self, is_death: bool) -> None:
        """The run ends; or it dies, and what the next one finds is what was on the disk at that moment."""
        old = self.place
        self.journals += 1
        new = self.folder / f"journal-{self.journals}"
        if not is_death:
            self.journal.close()
        for part in ("", "-wal"):
            if (found := old.with_name(old.name + part)).exists():
                shutil.copy(found, new.with_name(new.name + part))
        if is_death:
            self.journal.close()
        self._open()

    @rule(is_resent=st.booleans(), everything=st.booleans())
    def decide(self, is_resent: bool, everything: bool) -> None:
        """Between two runs somebody decides about what may have arrived long ago, or at all."""
        self.journal.close()
        inspection.decide(self.place, resend=is_resent, everything=everything, clock=lambda: self.now)
        earliest = float("inf") if everything else self.now - WINDOW
        for line, sent in self.fates.items():
            if sent is not None and sent != DECIDED and sent <= earliest:
                self.fates[line] = DECIDED if is_resent else None
        for key, pipe in [*self.pipes.items()]:
            if pipe.state == "open" and pipe.sent <= earliest:
                pipe.state = "again"
                if not is_resent:
                    del self.pipes[key]
        self._open()

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def what_is_known_of_the_file_is_true(self) -> None:
        known = self.journal.progress(self.path)
        for line in range(self.count):
            offset = line * WIDTH
            assert known.is_done(offset) == (self.fates.get(line, 0.0) is None), f"line {line}"
            if not known.is_done(offset):
                assert known.first_sent(offset) == self.fates.get(line), f"line {line}"
        assert known.settled >= self.settled, "what is settled stays settled"
        self.settled = known.settled
        done = sum(sent is None for sent in self.fates.values())
        assert known.lines + sum(stretch.lines for stretch in known.done) == done

    @invariant()
    def what_is_kept_is_there(self) -> None:
        found = {
            (left.file, left.stretch.start): ({one.number for one in left.kept}, left.first_sent)
            for left in self.journal.left_over()
        }
        first = {"due": None, "again": DECIDED}
        assert found == {key: (one.kept, first.get(one.state, one.sent)) for key, one in self.pipes.items()}


def told(examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    chosen = settings(max_examples=examples, stateful_step_count=40, deadline=None, phases=phases, derandomize=True)
    run_state_machine_as_test(Journals, settings=chosen)


def test_a_journal_holds_what_a_dictionary_would() -> None:
    told(40)


def _forgets_the_first_time(self: Journal, file: int, stretch: Stretch, genuine: Any = Journal._take_over) -> None:
    genuine(self, file, stretch)


WRONG: list[tuple[str, str, Any]] = [
    ("forgets since when something may have arrived", "_take_over", _forgets_the_first_time),
    ("leaves what it takes over", "_take_over", lambda self, file, stretch: None),
    ("calls what came back sent", "returned", lambda self, file, starts: None),
    ("takes a decision for the first attempt", "_when", lambda self, state, sent: None if state == "due" else sent),
]


@pytest.mark.parametrize(("name", "wrong"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_journal_that_is_wrong_is_caught(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, name, wrong)
    with pytest.raises(AssertionError):
        told(200, [Phase.generate])
