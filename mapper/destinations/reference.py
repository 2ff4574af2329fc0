"""The reference pages of destinations, made from the declarations themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .answers import Codes, Row
from .declaration import (
    BATCH_RULES,
    EVENT_RULES,
    FIELD_RULES,
    FILE_RULES,
    HINT_RULES,
    PART_RULES,
    POSITION_RULES,
    REQUEST_RULES,
    RESPONSE_RULES,
    ROW_RULES,
    RULE_RULES,
    SETTING_RULES,
    WINDOW_RULES,
)
from .destination import Destination
from .fields import KINDS, Field

_SECTIONS = {
    "Top level": FILE_RULES,
    "A setting": SETTING_RULES,
    "`request`": REQUEST_RULES,
    "`batch`": BATCH_RULES,
    "`windows`": WINDOW_RULES,
    "A parameter": FIELD_RULES,
    "A place of a positional list": POSITION_RULES,
    "A standard event": EVENT_RULES,
    "A rule": RULE_RULES,
    "A part of a rule": PART_RULES,
    "`hints`": HINT_RULES,
    "`responses`": RESPONSE_RULES,
    "A line of the table of answers": ROW_RULES,
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "float": "number",
    "boolean": "true or false",
    "list": "list",
    "dict": "object",
}


def reference(destination: Destination) -> str:
    """A destination's settings, parameters, events, rules and answers as Markdown."""
    parts = (
        ("Settings", _settings(destination)),
        ("Parameters of an event", _parameters(destination)),
        ("Parameters of a request", _envelope(destination)),
        ("Standard events", _events(destination)),
        ("Rules", _rules(destination)),
        ("Answers", _answers(destination)),
    )
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in parts) + "\n"


def format_reference() -> str:
    """Every key of a destination file as Markdown, section by section."""
    texts = []
    for title, rules in _SECTIONS.items():
        rows = [(f"`{key}`", _type(rule), _keys_about(rule)) for key, rule in rules.items()]
        texts.append(f"### {title}\n\n{_table(('Key', 'Value', 'Meaning'), rows)}")
    return "\n\n".join(texts) + "\n"


def _keys_about(rule: dict[str, Any]) -> str:
    about = str(rule["meta"]["about"])
    inner = rule.get("schema")
    if rule.get("type") == "list" and isinstance(inner, dict):
        inner = inner.get("schema")
    if not isinstance(inner, dict) or inner in _SECTIONS.values():
        return about
    keys = [f"`{key}` {_lowered(one['meta']['about'])}" for key, one in inner.items() if "meta" in one]
    return f"{about} Its keys: {'; '.join(keys)}." if keys else about


def _lowered(about: str) -> str:
    """To go on with in a sentence: a small letter first, unless the word is an abbreviation (HTTP)."""
    return about.rstrip(".") if about[1:2].isupper() else about[:1].lower() + about[1:].rstrip(".")


def _type(rule: dict[str, Any]) -> str:
    if "allowed" in rule:
        said = (str(word).lower() if isinstance(word, bool) else word for word in rule["allowed"])
        return ", ".join(f"`{word}`" for word in said)
    types = rule.get("type", [])
    return " or ".join(_TYPES[one] for one in ([types] if isinstance(types, str) else types)) or "anything"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _settings(destination: Destination) -> str:
    rows = []
    for setting in destination.settings.values():
        use = "required" if setting.required else f"`{setting.default}`" if setting.default else "optional"
        about = setting.about + (f" Found in {setting.where}" if setting.where else "")
        rows.append((f"`{setting.env}`", use, "yes" if setting.secret else "", about))
    return _table(("Environment variable", "Default", "Secret", "Meaning"), rows)


def _parameters(destination: Destination) -> str:
    groups: dict[str, list[Field]] = {"": []}
    for field in destination.fields.values():
        above = field.path[: -len(field.name)].rstrip(".")
        groups.setdefault(above, []).append(field)
    texts = []
    for above, fields in groups.items():
        title = f"### `{above}`\n\n" if above else ""
        texts.append(title + _table(("Parameter", "Shown as", "Type", "Meaning"), map(_parameter, fields)))
        texts += [_positions(field) for field in fields if field.positions]
    return "\n\n".join(texts)


def _parameter(field: Field) -> tuple[str, ...]:
    about = field.about.rstrip(".") + "."
    if field.allowed and field.kind == "text":
        about += " One of " + ", ".join(f"`{word}`" for word in field.allowed) + "."
    source = f" [Source]({field.source})" if field.source else ""
    return f"`{field.name}`", field.label, _kind(field), about + source


def _kind(field: Field) -> str:
    words = [KINDS[field.kind]] if field.kind != "object" else ["object"]
    if field.many:
        words[0] = f"list of {'objects' if field.kind == 'object' else words[0]}"
    if field.required:
        words.append("**required**")
    if field.hash:
        words.append("hashed, or plain on request" if field.may_be_raw else "hashed")
    if field.never_hash:
        words.append("never hashed")
    return ", ".join(words)


def _positions(field: Field) -> str:
    rows = [
        (str(i), place.name, place.about + (" **Required.**" if place.required else ""))
        for i, place in enumerate(field.positions)
    ]
    return f"The places of `{field.path}`:\n\n{_table(('Place', 'Name', 'Meaning'), rows)}"


def _envelope(destination: Destination) -> str:
    return _table(
        ("Key", "Type", "Meaning"), ((f"`{f.name}`", _kind(f), f.about) for f in destination.envelope.values())
    )


def _events(destination: Destination) -> str:
    rows = []
    for event in destination.standard_events.values():
        needed = ", ".join(f"`{path}`" for path in event.required)
        listed = ", ".join(f"`{path.rpartition('.')[2]}`" for path in event.parameters)
        rows.append((f"`{event.name}`", event.label, event.about, needed, listed))
    return _table(("Event", "Shown as", "Meaning", "Required", "Listed parameters"), rows)


def _rules(destination: Destination) -> str:
    rows: dict[str, tuple[str, ...]] = {}
    for rule in destination.rules:
        level = str(destination.severities[rule.id])
        source = f"[page]({rule.source})" if rule.source else ""
        remedy = rule.remedy or "Send the parameter as the table above says."
        if rule.id in rows:
            known = rows[rule.id][3]
            remedy = known if remedy in known else f"{known} {remedy}"
        rows[rule.id] = (f"`{rule.id}`", rule.title, level, remedy, source)
    return _table(("Rule", "Demands", "Level", "What to do", "Source"), rows.values())


def _answers(destination: Destination) -> str:
    rows = [(_when(row), row.meaning, row.reason, _then(row)) for row in destination.answers.table]
    return _table(("Answer", "Meaning", "Reason", "What follows"), rows)


def _when(row: Row) -> str:
    said: list[str] = []
    for name, codes in (("status", row.status), ("code", row.code), ("subcode", row.subcode)):
        if codes is not None:
            said.append(f"{name} {', '.join(_codes(codes))}")
    if row.transient is not None:
        said.append("says that it is transient" if row.transient else "says that it is not transient")
    return ", ".join(said) or "anything else"


def _codes(codes: Codes) -> Iterator[str]:
    if codes.any_code:
        yield "any"
    yield from map(str, sorted(codes.single))
    yield from (f"{low}-{high}" for low, high in codes.ranges)


def _then(row: Row) -> str:
    said = [row.remedy] if row.remedy else []
    if row.wait is not None:
        said.append(f"Wait at least {row.wait:.0f} s.")
    if row.tries is not None:
        said.append(f"After sending again {row.tries} times: {row.then}.")
    if row.unclear:
        said.append("The events may have been accepted.")
    return " ".join(said)
