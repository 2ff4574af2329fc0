"""Which field of the records could fill which parameter: by its name and by the shape of its values.

A guess is only made where both speak for it (confidence high) or the name is telling (low), and it is always marked
as a guess. Only names, counts, and words that are the name of an event leave this module.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ..compiler.projection import Path, label
from ..destinations.cleaning.words import words as words_of
from ..destinations.destination import Destination, Field
from ..destinations.hints import is_called, snake
from .drafts import NONE, Guess
from .instructions import SetupEvent

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_CLICK_ID: Final = re.compile(r"fb\.[0-9]\.[0-9]+\..+", re.ASCII)
_WORDS: Final = frozenset({"text", "name", "currency"})
_CODES: Final = _WORDS | {"number", "phone"}
_FITTING: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("name", "city", "state", "country", "gender"), _WORDS),
    **dict.fromkeys(("postal_code", "external_id", "text"), _CODES),
    "email": frozenset({"email"}),
    "phone": frozenset({"phone"}),
    "birth_date": frozenset({"phone", "time", "text"}),
    "ip_address": frozenset({"ip"}),
    "user_agent": frozenset({"agent"}),
    "web_url": frozenset({"url"}),
    "fbc": frozenset({"click"}),
    "fbp": frozenset({"click"}),
    "currency": frozenset({"currency"}),
    "amount": frozenset({"number"}),
    "number": frozenset({"number"}),
    "integer": frozenset({"number"}),
    "boolean": frozenset({"boolean"}),
    "time": frozenset({"time"}),
}
"""How a parameter is cleaned, or else its kind -> the shapes (see ``_shape``) that values for it have."""
_TELLING: Final = frozenset({"email", "user_agent"})
"""Values that are known by their shape alone."""
_KIND: Final = re.compile(r"type|event|name|action|kind|topic", re.I)
_WORD: Final = re.compile(r"\w[\w .:/-]{0,59}", re.ASCII)
_MAX_RECORDS: Final = 2000
_MAX_WORDS: Final = 200
_SURE: Final = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample of records is like.

    shapes   path -> how often its values have which shape
    words    path -> its texts and how often each is there; only of paths with few different ones
    """

    shapes: Mapping[Path, Counter[str]]
    words: Mapping[Path, Counter[str]]

    def parameters(self, destination: Destination) -> dict[str, Guess]:
        """An expression for each parameter that the records can fill, but for members of lists."""
        found: dict[str, Guess] = {}
        for wanted, known in destination.fields.items():
            if not known.is_leaf or any(one.many for one in destination.above(wanted)):
                continue
            names = destination.hints.records.get(wanted) or (snake(known.name),)
            scored = ((_score(path, counts, names, known), path) for path, counts in self.shapes.items())
            (sureness, _), path = max(scored, default=((0, 0.0), ()))
            if sureness:
                found[wanted] = Guess(label(path), "high" if sureness == _SURE else "low")
        return found

    def conditions(self, events: Iterable[SetupEvent]) -> dict[str, Guess]:
        """By which records each event is made: the field whose values are the events' names tells it."""
        wanted = list(events)
        named = {path: _by_event(wanted, words) for path, words in self.words.items()}
        best = max(named, key=lambda path: (len(named[path]), bool(_KIND.search(path[-1])), -len(path)), default=())
        if not best or not named[best]:
            return {}
        confidence = "high" if _KIND.search(best[-1]) else "low"
        return {
            event.name: Guess(f"{label(best)} == '{named[best][event.name]}'", confidence)
            if event.name in named[best]
            else Guess(f"{label(best)} == '{snake(event.name)}'", NONE)
            for event in wanted
        }


def read_sample(lines: Iterable[bytes]) -> Sample:
    """Look at records, as JSON lines; what is none is passed over."""
    shapes: dict[Path, Counter[str]] = defaultdict(Counter)
    words: dict[Path, Counter[str]] = defaultdict(Counter)
    for count, line in enumerate(lines):
        if count >= _MAX_RECORDS:
            break
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        _observe(record, (), shapes, words, 0)
    few = {path: counts for path, counts in words.items() if len(counts) <= _MAX_WORDS}
    return Sample(dict(shapes), few)


def _by_event(events: Iterable[SetupEvent], words: Counter[str]) -> dict[str, str]:
    """The word that stands for each event, where there is one: it differs in case and marks only."""
    known: dict[str, str] = {}
    for word, _ in words.most_common():
        known.setdefault(_plain(word), word)
    names = {event.name: (_plain(event.name), _plain(event.display)) for event in events}
    return {name: known[one] for name, plains in names.items() for one in reversed(plains) if one in known}


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def _score(path: Path, counts: Counter[str], names: tuple[str, ...], known: Field) -> tuple[int, float]:
    """How sure it is: 1 if the name is telling, 2 if the values have the shape as well; then how good a field it is.

    Of two, that which is there more often is better, and the shorter path.
    """
    total = counts.total()
    step = known.cleaning.step or known.kind
    fitting = sum(counts[shape] for shape in _FITTING.get(step, _CODES)) / total if total else 0.0
    if fitting < 0.5:
        return 0, 0.0
    named = is_called(path[-1], names)
    if not named and not (step in _TELLING and fitting > 0.8):
        return 0, 0.0
    return _SURE if named and fitting > 0.8 else 1, min(total, 900) / 1000 - 0.01 * len(path)


def _observe(
    value: Any, path: Path, shapes: dict[Path, Counter[str]], words: dict[Path, Counter[str]], depth: int
) -> None:
    if isinstance(value, dict) and depth < 8:
        for key, inner in value.items():
            if len(shapes) < 2000 or (*path, key) in shapes:
                _observe(inner, (*path, key), shapes, words, depth + 1)
    elif path and value is not None and not isinstance(value, dict | list) and value != "":
        shapes[path][_shape(value)] += 1
        if type(value) is str and _WORD.fullmatch(value) and len(words[path]) <= _MAX_WORDS:
            words[path][value] += 1


def _shape(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "time" if 1_000_000_000 <= value < 10_000_000_000 else "number"
    value = value.strip()
    if _EMAIL.fullmatch(value):
        return "email"
    if _ISO.fullmatch(value):
        return "time"
    if value.startswith(("http://", "https://")):
        return "url"
    if _CLICK_ID.fullmatch(value):
        return "click"
    if value.startswith("Mozilla/"):
        return "agent"
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*", value):
        return "ip"
    if re.fullmatch(r"\+?[0-9][0-9 ()./-]{6,18}", value):
        return "phone"
    if len(value) == 3 and value.upper() in words_of().currencies and (value.isupper() or value.islower()):
        return "currency"
    if re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", value):
        return "number"
    return "name" if re.fullmatch(r"[^\W\d_][^\d_@/:]{0,60}", value) else "text"
