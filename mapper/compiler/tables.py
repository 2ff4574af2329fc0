"""Look-up tables: inline, or from a CSV or JSON file beside the mapping.

    tables:
      event_names: {order.paid: Purchase, order.refunded: Refund}
      prices: {file: prices.csv, key: sku, value: price, ignore_case: true, default: 0}

Keys are text. A table is read once, when the mapping is compiled, and costs one dictionary look-up afterwards.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..documents import schema
from ..errors import Problem
from ..language.scope import Table
from .mapping import TABLE_RULES, inside
from .trees import Place

MAX_BYTES = 64 * 1024 * 1024
"""The largest table file, in bytes: it is held in memory whole."""


def read_tables(places: Mapping[str, Place], root: Path, problems: list[Problem]) -> dict[str, Table]:
    """Every declared table; what is wrong with one goes to ``problems``, and that table is then empty."""
    return {name: _read(name, place, root, problems) for name, place in places.items()}


def _read(name: str, place: Place, root: Path, problems: list[Problem]) -> Table:
    declared = place.value
    long = isinstance(declared.get("file"), str) or isinstance(declared.get("values"), dict)
    options: Mapping[str, Any] = declared if long else {}
    entries: Iterable[tuple[str, Any]] = ()
    if not long:
        entries = declared.items()
    elif found := schema.check(place.document, TABLE_RULES, path=place.path):
        problems += found
    elif "file" in declared and "values" in declared:
        hint = "Put the rows in the file, or in the mapping."
        problems.append(place.problem("two-sources", f"table '{name}' has both 'file' and 'values'", hint))
    elif "values" in declared:
        entries = declared["values"].items()
    else:
        entries = _from_file(place, root, problems)
    ignore_case = bool(options.get("ignore_case"))
    data: dict[str, Any] = {}
    for key, value in entries:
        folded = key.strip().casefold() if ignore_case else key
        if folded in data and data[folded] != value:
            message = f"table '{name}' gives two values for one key" + (" once case is ignored" if ignore_case else "")
            problems.append(place.problem("repeated-key", message, "Keep one row for each key."))
            break
        data[folded] = value
    return Table(name, data, default=options.get("default"), ignore_case=ignore_case)


def _from_file(place: Place, root: Path, problems: list[Problem]) -> Iterable[tuple[str, Any]]:
    at = place.child("file")
    path = inside(root, Path(place.document.file).parent / at.value)
    if path is None:
        hint = f"Files that a mapping names stay below its own folder, {root or '.'}."
        problems.append(at.problem("outside", "the table's file is outside the mapping's folder", hint))
        return ()
    if not path.is_file():
        problems.append(at.problem("no-such-file", f"there is no file {at.value!r} beside the mapping"))
        return ()
    if path.stat().st_size > MAX_BYTES:
        problems.append(at.problem("too-large", f"a table's file has at most {MAX_BYTES >> 20} MiB"))
        return ()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.append(at.problem("unreadable", f"the table's file cannot be read: {error.strerror}"))
        return ()
    except UnicodeDecodeError as error:
        message = f"the table's file is not UTF-8 at byte {error.start}"
        problems.append(at.problem("not-utf-8", message, "Save it as UTF-8 (Excel: 'CSV UTF-8')."))
        return ()
    return _from_json(at, text, problems) if path.suffix == ".json" else _from_csv(place, text, problems)


def _from_json(at: Place, text: str, problems: list[Problem]) -> Iterable[tuple[str, Any]]:
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        problems.append(at.problem("bad-json", f"the table's file is not JSON: {error}"))
        return ()
    except RecursionError:
        problems.append(at.problem("bad-json", "the table's file is nested too deeply"))
        return ()
    if not isinstance(data, dict):
        message = "a table's JSON file is one object: keys and what they give"
        problems.append(at.problem("wrong-type", message))
        return ()
    return data.items()


def _from_csv(place: Place, text: str, problems: list[Problem]) -> Iterable[tuple[str, Any]]:
    """Rows of a CSV file with a header; ``;`` and tabs are understood, as spreadsheets write them."""
    at = place.child("file")
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    entries: list[tuple[str, Any]] = []
    try:
        columns = [name.strip() for name in next(rows, [])]
        key, value = (_column(place, option, columns, i, problems) for i, option in enumerate(("key", "value")))
        if key is None or value is None:
            return ()
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns):
                message = f"line {rows.line_num} of the table's file has {len(row)} columns, its header {len(columns)}"
                problems.append(at.problem("bad-csv", message))
                return ()
            entries.append((row[key].strip(), row[value].strip()))
    except csv.Error as error:
        problems.append(at.problem("bad-csv", f"line {rows.line_num} of the table's file: {error}"))
        return ()
    return entries


def _column(place: Place, option: str, columns: list[str], default: int, problems: list[Problem]) -> int | None:
    if option in place.value:
        name = place.value[option]
        if name in columns:
            return columns.index(name)
        hint = "Its columns are: " + ", ".join(columns) + "."
        problems.append(place.child(option).problem("no-such-column", f"the table's file has no column {name!r}", hint))
        return None
    if default < len(columns):
        return default
    hint = "A table's CSV file has a header line and at least two columns."
    problems.append(place.child("file").problem("bad-csv", "the table's file has too few columns", hint))
    return None
