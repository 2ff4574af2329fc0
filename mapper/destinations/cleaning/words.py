"""Names of states, countries, currencies and genders (``destinations/tables/words.yaml``), read when first needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...documents.document import read

_FILE = Path(__file__).parent.parent / "tables" / "words.yaml"
_NOT_LETTERS = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True)
class Words:
    """What is written in the wild, and what it stands for."""

    states: Mapping[str, str]
    countries: Mapping[str, str]
    country_codes: frozenset[str]
    genders: Mapping[str, str]
    currencies: frozenset[str]

    def country(self, text: str) -> str | None:
        """The two-letter code of a country, from its code, its name or its three-letter code; None if it is none."""
        letters = _NOT_LETTERS.sub("", text.lower())
        if letters in self.countries:
            return self.countries[letters]
        return letters if letters in self.country_codes else None


@lru_cache(maxsize=1)
def words() -> Words:
    """The tables."""
    value = read(_FILE).value
    genders = {**dict.fromkeys(value["male"], "m"), **dict.fromkeys(value["female"], "f")}
    return Words(
        states=value["states"],
        countries=value["countries"],
        country_codes=frozenset(value["country_codes"]),
        genders=genders,
        currencies=frozenset(value["currencies"]),
    )
