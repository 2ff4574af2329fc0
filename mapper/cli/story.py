"""How ``mapper explain`` tells what became of a record: for people, and as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ..events.explain import (  # fmt: skip
    DROPPED,
    EMPTY,
    FAILED,
    LITERAL,
    SENT,
    SKIPPED,
    EventTrace,
    Explanation,
    ParameterTrace,
)
from ..events.results import Refusal
from ..events.stepping import Decision, Held, Step
from ..showing import visible

_SHADES: Final = {"good": "\x1b[32m", "bad": "\x1b[31m", "odd": "\x1b[33m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
_END: Final = "\x1b[0m"
_OUTCOMES: Final = {
    SENT: ("good", "sent"),
    LITERAL: ("good", "sent"),
    EMPTY: ("dim", "left out"),
    SKIPPED: ("dim", "left out"),
    DROPPED: ("bad", "left out"),
    FAILED: ("bad", "failed"),
}
_IGNORED: Final = {
    "rule": "ignored: an 'ignore' rule matches it",
    "no-event": "ignored: no event is meant for it",
    "consent": "ignored: consent is withheld",
}
_LONGEST: Final = 240
_MOST: Final = 4
Paint = Callable[[str, str], str]


def told(explanation: Explanation, parameter: str = "", *, values: bool, colour: bool) -> Iterator[str]:
    """An explanation, line by line; with ``parameter`` only what concerns it."""
    paint: Paint = (lambda kind, text: f"{_SHADES[kind]}{text}{_END}") if colour else (lambda kind, text: text)
    story = _Story(paint, values, parameter)
    if not parameter:
        yield from story.gate(explanation)
    for event in explanation.events:
        yield from story.event(event, explanation)
    if not parameter:
        yield ""
        yield from story.end(explanation)


class _Story:
    def __init__(self, paint: Paint, values: bool, parameter: str) -> None:
        self.paint, self.values, self.parameter = paint, values, parameter

    def gate(self, explanation: Explanation) -> Iterator[str]:
        for rule in explanation.ignore:
            if rule.answer or rule.failed:
                yield f"\n{self.paint('bold', 'ignore')}  {self._dim(str(rule.span))}"
                yield from self._because(rule)
        if explanation.consent is not None:
            yield f"\n{self.paint('bold', 'consent')}"
            yield f"  {self._step(explanation.consent)}"
        if explanation.lets:
            yield f"\n{self.paint('bold', 'let')}"
        for let in explanation.lets:
            got = self.paint("bad", visible(let.failed)) if let.failed else self._shown(let.got, let.value)
            yield f"  {visible(let.name)}  {got}  {self._dim(str(let.span))}"
            yield from self._reads([one for one in let.reads if not one.empty], "      ")

    def event(self, event: EventTrace, explanation: Explanation) -> Iterator[str]:
        """One event: its condition, its parameters, and what became of it."""
        traces = [(item, [one for one in item.parameters if self.wanted(one)]) for item in event.items]
        if self.parameter and not any(found for _, found in traces):
            return
        yield f"\n{self.paint('bold', visible(event.key))}  {self._dim(str(event.span))}"
        if event.when is not None and event.when.answer:
            yield f"  when {visible(_short(event.when.text))}: {self.paint('good', 'true')}"
        elif event.when is not None:
            word = self.paint("bad", "fails") if event.when.failed else self.paint("odd", "false")
            yield f"  when {visible(_short(event.when.text))}: {word}"
            yield from self._because(event.when, whole=True)
        if event.loop is not None:
            yield f"  for {self._step(event.loop)}"
        for item, parameters in traces:
            if item.number is not None:
                yield f"  item {item.number}:"
            if item.condition is not None and not item.condition.answer:
                yield from self._because(item.condition)
            for trace in parameters:
                yield from self._parameter(trace)
        if not self.parameter:
            yield f"\n  {self._became(event, explanation)}" if event.items else f"  {self._became(event, explanation)}"

    def wanted(self, trace: ParameterTrace) -> bool:
        """Whether a parameter was asked for: by its path, with or without positions, or by that of an object above."""
        path, asked = trace.known.path, self.parameter
        return asked in ("", path, trace.path) or f"{path}.".startswith(f"{asked}.")

    def _parameter(self, trace: ParameterTrace) -> Iterator[str]:
        label = trace.known.label if "[" not in trace.path else ""
        about = "  ".join(filter(None, (label, "required" if trace.required else "", str(trace.span))))
        yield f"\n  {self.paint('bold', visible(trace.path))}  {self._dim(visible(about))}"
        text = visible(_short(trace.text))
        alone = len(trace.reads) == 1 and not trace.steps
        filled = [one for one in trace.reads if not one.empty]
        if alone and filled:
            yield f"      {text}  {self._shown(filled[0].about, filled[0].value)}"
        else:
            yield f"      {text}"
            yield from self._reads(filled if trace.outcome != EMPTY else trace.reads, "      ")
        if trace.condition is not None and trace.condition.text != trace.text:
            yield f"      if {visible(_short(trace.condition.text))}: {str(bool(trace.condition.answer)).lower()}"
        if trace.outcome != EMPTY:
            yield from self._steps(trace)
        yield f"      {self._ending(trace)}"

    def _steps(self, trace: ParameterTrace) -> Iterator[str]:
        lacking = [one.path for one in trace.reads if one.empty]
        if lacking and len(trace.reads) > 1:
            more = f" and {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
            yield self._dim(f"      empty: {visible(', '.join(lacking[:_MOST]))}{more}")
        for step in trace.steps:
            if len(trace.steps) > 1 or step.failed:
                yield f"      {self._step(step)}"
            else:
                yield f"      gives {self._shown(step.about, step.value)}"

    def _ending(self, trace: ParameterTrace) -> str:
        shade, word = _OUTCOMES[trace.outcome]
        if trace.outcome == EMPTY and trace.required:
            shade = "bad"
        if trace.reason:
            return f"{self.paint(shade, f'= {word}')}: {visible(trace.reason)}"
        said = f" as {_json(trace.sent)}" if self.values else ""
        cleaned = f", {trace.cleaned}" if trace.cleaned and trace.outcome != LITERAL else ""
        return f"{self.paint(shade, f'= {word}')}{said}{self._dim(visible(_short(cleaned)))}"

    def _reads(self, reads: Sequence[Held], indent: str) -> Iterator[str]:
        width = min(max((len(visible(one.path)) for one in reads), default=0), 48)
        for one in reads:
            about = self._dim(visible(one.about)) if one.empty else self._shown(one.about, one.value)
            yield f"{indent}{visible(one.path):<{width}}  {about}"

    def _step(self, step: Step) -> str:
        text = visible(_short(step.text))
        return (
            f"{text}  {self.paint('bad', visible(step.failed)) if step.failed else self._shown(step.about, step.value)}"
        )

    def _because(self, decision: Decision, *, whole: bool = False) -> Iterator[str]:
        """The parts of a condition that decided, and what they read; ``whole``: the condition was just told."""
        deciding = [part for part in decision.parts if part.failed or part.answer is decision.answer]
        if deciding and len(decision.parts) > 1:
            for part in deciding:
                yield from self._because(part)
            return
        if not whole:
            word = self.paint("odd", "true" if decision.answer else "false")
            word = self.paint("bad", "fails") if decision.failed else word
            yield f"    because {visible(_short(decision.text))}: {word}"
        if decision.failed:
            yield f"      {self.paint('bad', visible(decision.failed))}"
        yield from self._reads([one for part in decision.parts or (decision,) for one in part.reads], "      ")

    def _shown(self, about: str, value: Any) -> str:
        return f"{self._dim(about)}: {_json(value)}" if self.values else self._dim(visible(about))

    def _dim(self, text: str) -> str:
        return self.paint("dim", text)

    def _became(self, event: EventTrace, explanation: Explanation) -> str:
        """What the whole came to, in one line."""
        result = explanation.result
        made = sum(one.key == event.key for one in result.events)
        reasons = [one for one in result.problems if one.event == event.key]
        if made and not reasons:
            return self.paint("good", "= made" if made == 1 else f"= made {made} times")
        if reasons:
            lines = "".join(f"\n      {_reason(one)}" for one in reasons)
            return self.paint("bad", f"= {f'made {made} times, and ' if made else ''}refused:") + lines
        return self._dim("= not made")

    def end(self, explanation: Explanation) -> Iterator[str]:
        result = explanation.result
        if result.ignored:
            yield self.paint("dim", f"The record is {_IGNORED[result.reason]}.")
        for problem in result.problems:
            if not problem.event:
                yield self.paint("bad", f"The record is dead: {_reason(problem)}")
        if result.events:
            yield self.paint("good", f"The record is mapped: {', '.join(visible(one.name) for one in result.events)}.")
        elif any(problem.event for problem in result.problems):
            yield self.paint("bad", "The record is dead: no event could be made of it.")


def _reason(problem: Refusal) -> str:
    return visible(f"{problem.message} [{problem.code}]" + (f"  {problem.span}" if problem.span else ""))


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _json(value: Any) -> str:
    return visible(_short(json.dumps(value, ensure_ascii=False, default=str)))


# Plain values


def as_dict(explanation: Explanation, parameter: str = "", *, values: bool) -> dict[str, Any]:
    """An explanation as plain values, for JSON; what the record holds only with ``values``."""
    result = explanation.result
    story = _Story(lambda kind, text: text, values, parameter)
    return {
        "outcome": "ignored" if result.ignored else "mapped" if result.events else "dead",
        "reason": result.reason,
        "problems": [_problem(one) for one in result.problems],
        "ignore": [_decided(one, values) for one in explanation.ignore],
        "let": [
            {"name": one.name, "place": str(one.span), "text": one.text, "got": one.got, "failed": one.failed,
             "reads": [_held(read, values) for read in one.reads], **({"value": one.value} if values else {})}
            for one in explanation.lets
        ],
        "events": [_event(one, story) for one in explanation.events],
    }  # fmt: skip


def _event(event: EventTrace, story: _Story) -> dict[str, Any]:
    values = story.values
    items = [
        {
            "item": item.number,
            "if": _decided(item.condition, values) if item.condition else None,
            "parameters": [_traced(one, values) for one in item.parameters if story.wanted(one)],
        }
        for item in event.items
    ]
    when = _decided(event.when, values) if event.when is not None else None
    return {"event": event.key, "place": str(event.span), "when": when, "items": items}


def _traced(trace: ParameterTrace, values: bool) -> dict[str, Any]:
    said = {
        "parameter": trace.path,
        "label": trace.known.label,
        "place": str(trace.span),
        "text": trace.text,
        "required": trace.required,
        "outcome": trace.outcome,
        "reason": trace.reason,
        "reads": [_held(one, values) for one in trace.reads],
        "steps": [
            {"text": one.text, "got": one.about, "failed": one.failed, **({"value": one.value} if values else {})}
            for one in trace.steps
        ],
        "got": trace.got,
        "cleaned": trace.cleaned,
    }
    return {**said, "value": trace.value, "sent": trace.sent} if values else said


def _held(held: Held, values: bool) -> dict[str, Any]:
    said = {"path": held.path, "holds": held.about, "empty": held.empty}
    return {**said, "value": held.value} if values else said


def _decided(decision: Decision, values: bool) -> dict[str, Any]:
    return {
        "text": decision.text,
        "place": str(decision.span),
        "answer": decision.answer,
        "failed": decision.failed,
        "reads": [_held(one, values) for one in decision.reads],
        "parts": [_decided(part, values) for part in decision.parts],
    }


def _problem(problem: Refusal) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "event": problem.event,
        "parameter": problem.parameter,
        "place": str(problem.span) if problem.span else "",
    }
