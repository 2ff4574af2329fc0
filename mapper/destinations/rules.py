"""The rules of a destination that look at more than one parameter: closed kinds, declared as data.

A rule sees an event as it is sent: a dict, cleaned and hashed. It can be asked three things: whether it applies
(``decide`` when compiling, ``applies`` for an event), whether an event could ever keep it (``satisfiable``), and
where an event breaks it (``faults``). It names parameters, never their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import Level
from .personal import looks_personal, personal_query

Event = Mapping[str, Any]
Getter = Callable[[Event], Any]
Faults = Callable[[Event, float | None], tuple[str, ...]]

ENGINE_KINDS: Final = frozenset(
    {
        "fields",
        "unknown-keys",
        "empty-values",
        "hashed-by-mistake",
        "not-hashed",
        "types",
        "batch",
        "test-code",
    }
)
"""Checks that are carried out elsewhere (cleaning, validation, sending); the rule only gives them an id and a level."""


_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, [None], [""])


class _Absent:
    """What a mapping knows of a parameter that it never produces."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def is_nothing(value: Any) -> bool:
    """Whether a sent value says nothing: null, empty text, empty list, empty object."""
    return not value and (value is None or value == "" or value == [] or value == {})


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of a ``when``: a parameter is one of some values, is none of them, is present, or is absent.

    A list counts as each of its members.
    """

    path: str
    test: str
    values: tuple[Any, ...] = ()
    get: Getter = field(compare=False, default=lambda event: None)

    def of(self, value: Any) -> bool:
        """Whether the condition holds for the parameter's value (None or ABSENT for an absent one)."""
        test = self.test
        if value is ABSENT or (not value and is_nothing(value)):
            return test == "absent" or test == "not"
        if test == "present" or test == "absent":
            return test == "present"
        found = any(v in self.values for v in value) if isinstance(value, list) else value in self.values
        return found == (test == "is")

    def holds(self, event: Event) -> bool:
        """Whether the condition holds for an event."""
        return self.of(self.get(event))

    @property
    def needs_it(self) -> bool:
        """Whether the condition can only hold for an event that has the parameter."""
        return self.test in ("is", "present")


@dataclass(frozen=True, slots=True)
class Rule:
    """One part of a rule. Several may share an ``id``; levels are set by id.

    kind      what it demands: ``require``, ``one_of``, ``not_only``, ``values``, ``spelling``, ``order``, ``age``,
              ``fresh``, ``personal``, or one of ``ENGINE_KINDS``
    paths     the parameters it demands or looks at
    when      all of these must hold for the rule to apply
    add       parameters with which a new mapping keeps it
    """

    id: str
    level: Level
    kind: str
    title: str
    message: str = ""
    remedy: str = ""
    source: str = ""
    when: tuple[Condition, ...] = ()
    paths: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    add: tuple[str, ...] = ()
    find: Faults = field(compare=False, repr=False, default=lambda event, now: ())

    @property
    def engine(self) -> bool:
        """Whether the check is carried out elsewhere, so that there is nothing to call here."""
        return self.kind in ENGINE_KINDS

    def decide(self, known: Mapping[str, Any]) -> bool | None:
        """Whether the rule applies, as far as a mapping alone tells.

        known    path -> the literal that is always sent, or ABSENT for a parameter that is never produced
        returns  True, False, or None if it depends on the record
        """
        answer: bool | None = True
        for condition in self.when:
            if condition.path not in known:
                answer = None
            elif not condition.of(known[condition.path]):
                return False
        return answer

    def applies(self, event: Event) -> bool:
        """Whether an event's conditions hold, so that the rule has something to say of it."""
        return all_hold(self.when, event)

    def faults(self, event: Event, now: float | None = None) -> tuple[str, ...]:
        """The paths at fault; empty if the rule is kept or does not apply. Rules of time hold if ``now`` is None."""
        return self.find(event, now) if self.applies(event) else ()

    def holds(self, event: Event, now: float | None = None) -> bool:
        """Whether an event keeps the rule, or the rule has nothing to say of it."""
        return not self.faults(event, now)

    def satisfiable(self, paths: Set[str]) -> bool:
        """Whether an event could keep the rule that has no parameters but ``paths``."""
        if self.kind == "require":
            return all(_within(path, paths) for path in self.paths)
        if self.kind == "one_of":
            return any(all(_within(path, paths) for path in group) for group in self.groups)
        if self.kind == "not_only":
            prefix = self.paths[0] + "."
            names = {path[len(prefix) :].split(".")[0] for path in paths if path.startswith(prefix)}
            return not any(names <= set(group) for group in self.groups)
        return True

    def explain(self, faults: Iterable[str]) -> str:
        """The rule's message for these paths."""
        return self.message.replace("{path}", " and ".join(dict.fromkeys(faults)))


def _within(path: str, paths: Set[str]) -> bool:
    return path in paths or any(other.startswith(path + ".") for other in paths)


def getter(path: str) -> Getter:
    """A function that takes the parameter at a dotted path out of an event; None if it is not there."""
    first, *rest = path.split(".")
    if not rest:
        return lambda event: event.get(first)
    if len(rest) == 1:
        second = rest[0]

        def of_two(event: Event) -> Any:
            inner = event.get(first)
            return inner.get(second) if type(inner) is dict else None

        return of_two

    def of_many(event: Event) -> Any:
        value: Any = event
        for name in (first, *rest):
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return of_many


def condition(path: str, expected: Any) -> Condition:
    """One line of a ``when`` as declared: a value, a list of values, ``present``, ``absent``, or ``{not: …}``."""
    get = getter(path)
    if expected in ("present", "absent"):
        return Condition(path, expected, (), get)
    if isinstance(expected, dict):
        unwanted = expected["not"]
        return Condition(path, "not", tuple(unwanted if isinstance(unwanted, list) else [unwanted]), get)
    return Condition(path, "is", tuple(expected if isinstance(expected, list) else [expected]), get)


def all_hold(when: Iterable[Condition], event: Event) -> bool:
    """Whether an event fulfils every condition."""
    for condition in when:  # noqa: SIM110 - a generator costs more than the conditions
        if not condition.of(condition.get(event)):
            return False
    return True


def conditions(when: Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """The lines of a ``when`` as declared."""
    return tuple(condition(path, expected) for path, expected in (when or {}).items())


def require(paths: Iterable[str]) -> Faults:
    """Every parameter is there; below a list, in each of its items."""
    wanted = tuple((getter(path), path.split(".")) for path in paths)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        faults: tuple[str, ...] = ()
        for get, names in wanted:
            value = get(event)
            if not value and is_nothing(value) and not _is_there(event, names):
                faults += _missing(event, names, "")
        return faults

    return find


def _is_there(value: Any, names: Sequence[str]) -> bool:
    """Whether there is something at the end of the way along ``names``, in every item of a list that lies on it."""
    for place, name in enumerate(names):
        if type(value) is list:
            rest = names[place:]
            return bool(value) and all(_is_there(item, rest) for item in value)
        if type(value) is not dict:
            return False
        value = value.get(name)
    return not is_nothing(value)


def _missing(value: Any, names: list[str], at: str) -> tuple[str, ...]:
    """Where on the way along ``names`` something is missing, with the positions of list items."""
    if not names:
        return (at,) if is_nothing(value) else ()
    if isinstance(value, list) and value:
        found = [_missing(item, names, f"{at}[{i}]") for i, item in enumerate(value)]
        return tuple(path for paths in found for path in paths)
    inner = value.get(names[0]) if isinstance(value, dict) else None
    here = f"{at}.{names[0]}" if at else names[0]
    if is_nothing(inner):
        return (".".join([here, *names[1:]]),)
    return _missing(inner, names[1:], here)


def one_of(groups: Iterable[Iterable[str]]) -> Faults:
    """At least one group of parameters is complete."""
    wanted = tuple(tuple(group) for group in groups)
    checks = tuple(require(group) for group in wanted)
    said = " or ".join(" with ".join(group) for group in wanted)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        return (said,) if all(check(event, now) for check in checks) else ()

    return find


def not_only(path: str, sets: Iterable[Iterable[str]]) -> Faults:
    """The keys of an object are more than any one of these sets; no keys at all are always too few."""
    narrow = tuple(frozenset(names) for names in sets)
    broad = frozenset[str]().union(*narrow)
    get = getter(path)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        inner = get(event)
        if type(inner) is not dict:
            return (path,)
        names = set()
        for name, value in inner.items():
            if value not in _EMPTY:
                if name not in broad:
                    return ()
                names.add(name)
        return (path,) if not names or any(names <= few for few in narrow) else ()

    return find


def values(allowed: Mapping[str, Iterable[Any]]) -> Faults:
    """Each parameter, if present, has one of its values."""
    wanted = tuple((path, getter(path), frozenset(names)) for path, names in allowed.items())

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        return tuple(
            path
            for path, get, names in wanted
            if not is_nothing(value := get(event)) and not (type(value) in (str, int) and value in names)
        )

    return find


def spelling(path: str, names: Iterable[str]) -> Faults:
    """The text does not differ from one of ``names`` in upper and lower case alone."""
    get = getter(path)
    exact = {name.lower(): name for name in names}

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        value = get(event)
        return (path,) if type(value) is str and exact.get(value.lower(), value) != value else ()

    return find


def order(earlier: str, later: str) -> Faults:
    """The first time is not after the second."""
    first, second = getter(earlier), getter(later)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        before, after = first(event), second(event)
        known = isinstance(before, int | float) and isinstance(after, int | float)
        return (earlier,) if known and before > after else ()

    return find


def age(path: str, oldest: Callable[[Event], int | None], future: int, always: float) -> Faults:
    """The time is within what the destination takes: not too old, not in the future.

    oldest  the age up to which an event is taken, in seconds; None for any
    always  the age up to which every event is
    """
    get = getter(path)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        when = get(event)
        if now is None or type(when) is not int or -future <= now - when <= always:
            return ()
        limit = oldest(event)
        return (path,) if when > now + future or (limit is not None and now - when > limit) else ()

    return find


def fresh(path: str, within: int) -> Faults:
    """The time is at most so many seconds ago."""
    get = getter(path)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        when = get(event)
        return (path,) if now is not None and type(when) is int and now - when > within else ()

    return find


def personal(objects: Iterable[str], urls: Iterable[str], keys: Iterable[str]) -> Faults:
    """No key or value of these objects, and no query of these addresses, looks like personal data."""
    inside = tuple((path, getter(path)) for path in objects)
    addresses = tuple((path, getter(path)) for path in urls)
    words = frozenset(keys)

    def find(event: Event, now: float | None) -> tuple[str, ...]:
        found: list[str] = []
        for path, get in inside:
            value = get(event)
            if value:
                found += looks_personal(value, path, words)
        found += [path for path, get in addresses if personal_query(get(event), words)]
        return tuple(found)

    return find
