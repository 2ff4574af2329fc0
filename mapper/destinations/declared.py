"""A destination file as declared: read, checked, laid over the file that it extends, every word with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..documents import document, schema
from ..documents.document import Document
from ..errors import MappingError, Problem, Span
from .declaration import FIELD_RULES, FILE_RULES, PART_RULES, POSITION_RULES, ROW_RULES, TABLES

BUNDLED: Final = Path(__file__).parent
_SUFFIXES: Final = (".yaml", ".yml", ".json")

OUTSIDE: Final = "Files that a mapping names stay below its own folder: copy the file there."

_OWN: Final = frozenset({"extends", "fields", "request", "responses", "settings", "envelope", "roles"})
"""Keys of a destination file that no mapping has."""

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files say together. ``documents`` has the file itself first, then what it extends."""

    documents: tuple[Document, ...]
    value: Mapping[str, Any]

    @property
    def file(self) -> str:
        return self.documents[0].file

    @property
    def is_bundled(self) -> bool:
        return Path(self.file).parent == BUNDLED

    def span(self, *steps: str | int, key: bool = False) -> Span:
        """The place of what stands at ``steps``, or of the nearest thing above it that is written down."""
        for length in range(len(steps), -1, -1):
            for one in self.documents:
                if length and _stands(one.value, steps[:length]):
                    return one.span(steps[:length], key=key and isinstance(steps[length - 1], str))
        return self.documents[0].span(())

    def problem(self, steps: Steps, code: str, message: str, hint: str = "") -> Problem:
        return Problem(self.span(*steps), code, message, hint)


def is_declaration(value: Any) -> bool:
    """Whether a file's value is that of a destination, or of one in the making, and not of a mapping."""
    return isinstance(value, dict) and "version" not in value and not _OWN.isdisjoint(value)


def bundled() -> tuple[str, ...]:
    """The names of the destinations that come with the package."""
    return tuple(sorted(path.stem for path in BUNDLED.glob("*.yaml")))


def folder_of(near: Path | None) -> Path | None:
    """The folder of a mapping, from its file or itself."""
    return None if near is None else near if near.is_dir() else near.parent


def locate(name: str, near: Path | None) -> Path | None:
    """The file that a destination's name or path means, or None.

    near   the mapping file (or its folder) that names it. A bare name is looked up in ``destinations/`` beside it
           first, then among the bundled ones.
    """
    folder = folder_of(near) or Path()
    if "/" in name or "\\" in name or name.endswith(_SUFFIXES):
        path = folder / name
        return path if path.is_file() else None
    for path in (folder / "destinations" / f"{name}.yaml", BUNDLED / f"{name}.yaml"):
        if path.is_file():
            return path
    return None


def is_within(root: Path | None, path: Path) -> bool:
    """Whether a file may be read for a mapping in ``root``: bundled, or below that folder. Without a root any may."""
    return root is None or path.parent == BUNDLED or path.resolve().is_relative_to(root.resolve())


def read(path: Path, root: Path | None = None) -> Declared:
    """Read a destination file and the files that it extends.

    root    the folder of the mapping that names it: no file outside of it is read
    raises  MappingError with every problem that Cerberus finds in any of them
    """
    documents: list[Document] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        seen.append(following.resolve())
        one = document.read(following)
        if following.parent != BUNDLED:
            _check(one)
        documents.append(one)
        following = _extended(one, following, seen, root)
    value: Any = {}
    for one in reversed(documents):
        value = _laid_over(value, one.value)
    return Declared(tuple(documents), value)


def _extended(one: Document, path: Path, seen: list[Path], root: Path | None) -> Path | None:
    """The file that this one extends. Its own name means the bundled file, which it stands in for."""
    name = one.value.get("extends")
    if name is None:
        return None
    found = locate(name, path)
    if found is not None and found.resolve() == path.resolve() and name in bundled():
        found = BUNDLED / f"{name}.yaml"
    span = one.span(("extends",))
    if found is None:
        hint = f"Bundled destinations: {', '.join(bundled())}. A path is relative to this file."
        raise MappingError([Problem(span, "unknown-destination", "there is no such destination to extend", hint)])
    if not is_within(root, found):
        raise MappingError([Problem(span, "outside", "this leaves the mapping's folder", OUTSIDE)])
    if found.resolve() in seen:
        drawn = " -> ".join([*(p.name for p in seen), found.name])
        raise MappingError([Problem(span, "extends-cycle", f"files extend each other: {drawn}", "Break the circle.")])
    return found


def _laid_over(below: Any, above: Any) -> Any:
    """``above`` over ``below``, key by key; null takes a key away; a list replaces a list."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _laid_over(below.get(key), value)
    return merged


def _stands(value: Any, steps: Steps) -> bool:
    for step in steps:
        if isinstance(value, dict):
            if step not in value:
                return False
        elif not isinstance(value, list) or not isinstance(step, int) or step >= len(value):
            return False
        value = value[step]
    return True


def _check(one: Document) -> None:
    """Cerberus over the whole file, part by part, so that every problem has its place."""
    if not isinstance(one.value, dict):
        hint = "Start with 'destination:' and 'fields:', or with 'extends: meta'."
        raise MappingError([Problem(one.span(()), "wrong-type", "a destination file is an object of keys", hint)])
    if "version" in one.value and _OWN.isdisjoint(one.value):
        hint = (
            "A destination file declares 'fields', or what it 'extends'. Name the destination that the mapping is for."
        )
        raise MappingError([Problem(one.span(()), "no-destination", "this is a mapping, not a destination file", hint)])
    problems = schema.check(one, FILE_RULES)
    if not problems:
        for steps, rules in _parts(one.value):
            problems += schema.check(one, rules, path=steps)
    if problems:
        raise MappingError(problems)


def _parts(value: Mapping[str, Any]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Every entry of every table, with the rules for its keys."""
    for section, rules in TABLES.items():
        for name, entry in (value.get(section) or {}).items():
            if entry is None:
                continue
            yield (section, name), rules
            if rules is FIELD_RULES:
                yield from _below((section, name), entry)
            elif section == "rules" and isinstance(entry, dict):
                yield from (((section, name, "parts", i), PART_RULES) for i in _places(entry, "parts"))
    table = (value.get("responses") or {}).get("table") or ()
    yield from ((("responses", "table", i), ROW_RULES) for i in range(len(table)))


def _below(steps: Steps, entry: Any) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """A field's own fields and places, however deep."""
    if not isinstance(entry, dict):
        return
    yield from (((*steps, "positions", i), POSITION_RULES) for i in _places(entry, "positions"))
    fields = entry.get("fields")
    for name, inner in fields.items() if isinstance(fields, dict) else ():
        if inner is not None:
            yield (*steps, "fields", name), FIELD_RULES
            yield from _below((*steps, "fields", name), inner)


def _places(entry: Mapping[str, Any], key: str) -> range:
    value = entry.get(key)
    return range(len(value)) if isinstance(value, list) else range(0)
