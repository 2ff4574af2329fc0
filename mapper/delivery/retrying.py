"""Dead letters, sent again: their records are mapped anew by today's mapping.

A file of dead letters is only ever added to. What of it has been tried again stands in a journal beside it, so that
nothing is sent twice; what is refused once more is written to its end, with today's reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from ..errors import DeliveryError
from ..events.program import Program
from ..events.results import Refusal, Result
from ..records.source import Line, inputs, lines
from .dead_letters import DeadLetters, Letter, bytes_of, is_torn, opened, read_letter
from .dispatch import Notify, Switch
from .inspection import settled
from .options import AsKeywords, Options
from .pipeline import execute
from .report import Report
from .run import Run
from .sending import OnProgress
from .settings import Settings

_NO_LETTER = Refusal("no-letter", "the line is no dead letter")
_TORN = Result(reason="torn")
_NO_RECORD = Refusal("no-record", "the record was not kept: it had come through a pipe, in a run that was killed")


class Retrying(Program):
    """A program that takes dead letters for records, and makes only the events that they are about."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.compiled)
        self._program = program

    def map(
        self, record: dict[str, Any] | bytes | str, now: float | datetime | None = None, *, shift: int = 0
    ) -> Result:
        [result] = self.map_lines([record if isinstance(record, bytes | str) else b""], now, shift=shift)
        return result

    def map_lines(
        self, lines: Iterable[bytes | str], now: float | datetime | None = None, *, shift: int = 0
    ) -> Iterator[Result]:
        for line in lines:
            letter = read_letter(_as_bytes(line))
            if letter is None:
                yield _TORN if is_torn(_as_bytes(line)) else Result(problems=(_NO_LETTER,))
            elif record := bytes_of(letter):
                yield _narrowed(self._program.map(record, now, shift=shift), letter)
            else:
                yield Result(problems=(_NO_RECORD,))

    def expires(self, line: bytes, events: Iterable[str]) -> int | None:
        letter = read_letter(line)
        return None if letter is None else self._program.expires(bytes_of(letter), events)


def _as_bytes(line: bytes | str) -> bytes:
    return line.encode() if isinstance(line, str) else line


def _narrowed(result: Result, letter: Letter) -> Result:
    """Only what the letter is about: the record's other events had been sent."""
    if not letter.events:
        return result
    events = [event for event in result.events if event.key in letter.events]
    problems = [problem for problem in result.problems if problem.event in ("", *letter.events)]
    warnings = [warning for warning in result.warnings if warning.event in letter.events]
    reason = result.reason if events or problems else result.reason or "no-event"
    return Result(events, problems, warnings, reason)


def journal_of(letters: Path) -> Path:
    """The journal that says what of a file of dead letters has been tried again."""
    return letters.with_name(f"{letters.name}.journal")


def open_letters(path: Path, on_torn: Callable[[Line], None] = lambda line: None) -> Iterator[tuple[Line, Letter]]:
    """The letters of a file that have not been sent or replaced since, with the lines where they stand.

    on_torn  called with each line that is only what a run that died left of a letter
    raises  DeliveryError if the file cannot be read, or if a line of it is no dead letter
    """
    [given] = inputs(path)
    known = settled(journal_of(path), path)
    for line in lines(given):
        if not line.data.strip() or (known is not None and known.is_done(line.offset)):
            continue
        letter = read_letter(line.data)
        if letter is None and is_torn(line.data):
            on_torn(line)
            continue
        if letter is None:
            hint = "A file of dead letters is written by `mapper send` and `mapper map`."
            raise DeliveryError("no-letter", f"{path}:{line.number} is no dead letter", 2, hint)
        yield line, letter


def retry(
    program: Program,
    path: str | Path,
    *,
    plan: bool = False,
    trial: bool = False,
    to: str = "",
    settings: Mapping[str, str] | None = None,
    test_event_code: str | None = None,
    now: float | None = None,
    on_progress: OnProgress | None = None,
    on_note: Notify | None = None,
    switch: Switch | None = None,
    **options: Unpack[AsKeywords],
) -> Report:
    """Map the records in dead letters again and deliver what is valid now.

    path   the file of dead letters; what is refused once more is added to it
    plan   only say what would be done
    trial  send, but note nothing of it: to a sandbox, say
    raises DeliveryError as ``send`` does, and if a line of the file is no dead letter; the rest is as for ``send``
    """
    settings, chosen = Settings(settings), Options(**options)
    del options  # whose proxy may hold a password: see Unshown
    path = Path(path)
    for _ in open_letters(path):  # all of it, before anything is sent
        pass
    given = [replace(one, until=path.stat().st_size) for one in inputs(path)]
    is_real = not (plan or trial or test_event_code is not None)
    letters = DeadLetters(path if is_real else None, origin=lambda line: opened(line.data) or line)
    run = Run(Retrying(program), replace(chosen, workers=1), letters, now)
    run.sending.heed(on_progress, on_note, switch)
    run.passed = settled(journal_of(path), path)
    run.letters.check()
    return execute(
        run,
        given,
        to=to,
        settings=settings,
        test_event_code=test_event_code,
        dry_run=plan,
        journal=journal_of(path) if is_real else None,
    )


__all__ = ["Retrying", "journal_of", "open_letters", "retry"]
