"""What a destination says for those who begin a mapping: its setup page, what events usually say, names in records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final

from .assembly import Assembly

_PAGE: Final = "a setup page"
_EVENT: Final = ("event",)


@dataclass(frozen=True, slots=True)
class Hints:
    """Nothing of it changes what is sent.

    page      what the page is called that says which events and parameters are wanted
    sections  the words before "parameters" in the headings of the page's lists
    usual     parameters that most events have, and their constant values
    records   path of a parameter -> names that fields of records have for it, see ``is_called``
    """

    page: str = _PAGE
    sections: tuple[str, ...] = _EVENT
    usual: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def called(self, path: str) -> str:
        """The commonest name of a record's field for a parameter, or "" if the file says none."""
        return next((name for name in self.records.get(path, ()) if "*" not in name), "")


def read_hints(parts: Assembly) -> Hints:
    """The hints of a file, every path checked."""
    said = parts.value.get("hints") or {}
    for key in ("usual", "records"):
        for path in said.get(key) or {}:
            parts.known(("hints", key, path), path)
    records = {path: tuple(names) for path, names in (said.get("records") or {}).items()}
    return Hints(
        said.get("page", _PAGE),
        tuple(said.get("sections", _EVENT)),
        MappingProxyType(dict(said.get("usual") or {})),
        MappingProxyType(records),
    )


def is_called(field_name: str, names: tuple[str, ...]) -> bool:
    """Whether a record's field has one of the names: ``firstName`` is ``first_name``, ``*`` stands for any letters."""
    written = snake(field_name)
    return any(_pattern(name).match(written) for name in names)


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """``View content`` and ``ViewContent`` as ``view_content``."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(translate(name))
