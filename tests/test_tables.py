"""Look-up tables: what keys give, and why a table cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mapper
from mapper.documents import document
from mapper.language.values import is_empty

SPECS = Path(__file__).parent / "specs" / "tables"
CASES = document.read(SPECS / "files.yaml").value["cases"]
MAPPING = (
    "version: 1\ndestination: meta\ntables:\n  t: TABLE\nevents:\n  Lead:\n    parameters:\n"
    "      event_time: 1772366000\n      action_source: other\n      event_id: x\n"
    "      user_data: {em: a@b.example}\n      custom_data: {found: \"{{ key | lookup('t') }}\"}\n"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["title"]))
def test_a_table(case: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (tmp_path / "t.csv").write_text("a,b\n")
    declared = case["table"]
    if "text" in case:
        (folder / declared["file"]).write_bytes(case["text"].encode())
    elif "hex" in case:
        (folder / declared["file"]).write_bytes(bytes.fromhex(case["hex"]))
    elif "repeat" in case:
        (folder / declared["file"]).write_text(case["repeat"]["text"] * case["repeat"]["times"])
    path = folder / "m.yaml"
    path.write_text(MAPPING.replace("TABLE", mapping_text(declared)), encoding="utf-8")
    if "problem" in case:
        with pytest.raises(mapper.MappingError) as raised:
            mapper.load(path)
        assert [(one.code, one.span.line) for one in raised.value.problems] == [(case["problem"], 4)]
        return
    program = mapper.load(path)
    for key, expected in case["gives"].items():
        (event,) = program.map({"key": key}, 1772366400).events
        found = event.parameters.get("custom_data", {}).get("found")
        assert found == expected or (is_empty(found) and is_empty(expected))


def mapping_text(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{mapping_text(key)}: {mapping_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else '"' + str(value) + '"'
