"""A JSON Schema of mapping files, for completion and checks in editors: made from the rules that check files.

    # yaml-language-server: $schema=mapping.schema.json

It knows the keys of mapping files, the destination's parameters with what they mean, and the names of its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..compiler.mapping import EVENT_RULES, RULES, TABLE_RULES
from ..compiler.trees import COPIED
from ..destinations.cleaning.options import OPTIONS
from ..destinations.destination import Destination
from ..destinations.fields import Field
from ..language.filters import FILTERS, FUNCTIONS
from .specs import TEST_RULES

_EXPRESSION: Final = {"type": "string", "pattern": r"\{\{"}
_TYPES: Final = {"dict": "object", "list": "array", "float": "number"}


def json_schema(destination: Destination) -> dict[str, Any]:
    """The schema (draft-07) of mappings for a destination."""
    schema = _object(RULES)
    properties = schema["properties"]
    properties["defaults"] = _named("parameters", properties["defaults"])
    event = _object(EVENT_RULES)
    event["type"] = ["object", "null"]
    event["properties"]["parameters"] = _named("parameters", event["properties"]["parameters"])
    event["properties"]["required"]["items"] = {"type": "string", "anyOf": [{"enum": list(destination.fields)}, {}]}
    properties["events"] |= {
        "properties": {
            name: _named("event", {"description": known.about})
            for name, known in sorted(destination.standard_events.items())
        },
        "additionalProperties": _named("event", {}),
    }
    level = properties["rules"]["additionalProperties"]
    properties["rules"]["properties"] = {one.id: {**level, "description": one.title} for one in destination.rules}
    properties["tables"] |= {
        "additionalProperties": {"type": "object"},
        "examples": [_object(TABLE_RULES)["properties"]],
    }
    test = properties["tests"]["items"] = _object(TEST_RULES)
    test["properties"]["events"]["items"] = {"$ref": "#/definitions/expected"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A mapping for {destination.title}",
        "description": f"Filters: {', '.join(sorted(FILTERS))}. Functions: {', '.join(sorted(FUNCTIONS))}.",
        **schema,
        "patternProperties": {"^x-": {"description": "Yours: a place for anchors."}},
        "definitions": {
            "event": event,
            **_Definitions(destination).found,
            "expected": _expected(destination, destination.root),
        },
    }


def _named(definition: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What stands once below ``definitions``, with words of its own: beside a plain reference they would not count."""
    found = {"allOf": [{"$ref": f"#/definitions/{definition}"}]}
    return {**found, "description": said["description"]} if "description" in said else found


def _object(rules: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name, rule in rules.items() if rule.get("required")]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _key(rule) for name, rule in rules.items()},
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _key(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One key: its type, what it means, and what may stand in it."""
    said = rule.get("meta", {})
    schema: dict[str, Any] = {}
    kinds = rule.get("type")
    if kinds is not None:
        names = [_TYPES.get(kind, kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
        schema["type"] = names[0] if len(names) == 1 else names
    if "about" in said:
        schema["description"] = said["about"]
    if "examples" in said:
        schema["examples"] = list(said["examples"])
    if "allowed" in rule:
        schema["enum"] = list(rule["allowed"])
    inner = rule.get("schema")
    if rule.get("type") == "list" and inner is not None:
        schema["items"] = _key(inner)
    elif inner is not None:
        schema |= _object(inner) | ({"type": schema["type"]} if isinstance(kinds, list) else {})
    if "valuesrules" in rule:
        schema["additionalProperties"] = _key(rule["valuesrules"])
    return schema


def _expected(destination: Destination, field: Field) -> dict[str, Any]:
    """What a test may expect of an event: the same parameters, in plain text, whatever their values."""
    properties: dict[str, Any] = {}
    for child in (field.children or {}).values():
        inner = {"description": _about(child)}
        if not child.is_leaf and child.kind == "object" and not child.many:
            inner |= _expected(destination, child) | {"type": ["object", "null"]}
        properties[child.name] = inner
    if field is destination.root:
        names = sorted(destination.standard_events)
        properties[destination.roles.name] |= {"anyOf": [{"enum": names}, {"type": "string"}]}
    others: Any = field.additional or {"type": "null"}  # that something is not there may be expected of anything
    return {"type": "object", "properties": properties, "additionalProperties": others}


def _about(field: Field) -> str:
    return f"{field.label}. {field.about}".strip()


class _Definitions:
    """What is said once and referred to: objects of parameters by their path, and plain values."""

    def __init__(self, destination: Destination) -> None:
        self.named = destination.roles.name  # the event's name stands beside its parameters, not among them
        self.found: dict[str, Any] = {"value": {"type": ["string", "number", "boolean", "null"]}}
        self.found["parameters"] = self._object(destination.root)

    def _object(self, field: Field) -> dict[str, Any]:
        """The parameters of an object, each with what it means; any value may be an expression or a loop."""
        children = [child for child in (field.children or {}).values() if child.path != self.named]
        properties = {child.name: self._parameter(child) for child in children}
        if field.path:
            about = "An expression whose keys are copied; those that are written beside it win."
            properties[COPIED] = {"description": about, **_EXPRESSION}
        return {"type": "object", "properties": properties, "additionalProperties": field.additional}

    def _parameter(self, field: Field) -> dict[str, Any]:
        about = _about(field)
        if field.never_hash:
            about += " Never hashed."
        elif field.hash:
            about += " Written in plain text: it is hashed on the way out."
        if field.kind == "any":
            return {"description": about}
        forms: list[dict[str, Any]] = [{"type": "null"}]
        if field.kind == "object":
            self.found[field.path] = self._object(field)
            inner = {"$ref": f"#/definitions/{field.path}"}
            forms += [inner, _EXPRESSION, *([_loop(inner), {"type": "array", "items": inner}] if field.many else [])]
        elif field.kind == "list":
            positions = {one.name: {"description": one.about} for one in field.positions}
            placed = {"type": "object", "properties": positions, "additionalProperties": False}
            forms += [placed, _EXPRESSION, {"type": "array", "maxItems": len(field.positions)}]
        else:
            forms += _values(field)
        return {"description": about, "anyOf": forms}


def _values(field: Field) -> list[dict[str, Any]]:
    """The ways to say a value: written out, as an expression, with options; where there may be several, as a list."""
    plain: dict[str, Any] = {"$ref": "#/definitions/value"}
    if field.allowed:
        plain = {"anyOf": [{"enum": [*field.allowed, None]}, _EXPRESSION]}
    options = {name: _option(name) for name in sorted(field.options)}
    long = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": plain, "if": {"description": "Only when this is true."}, **options},
        "additionalProperties": False,
    }
    return [plain, long, *([_loop(plain), {"type": "array", "items": plain}] if field.many else [])]


def _option(name: str) -> dict[str, Any]:
    known = OPTIONS.get(name)
    return {} if known is None else {"description": known.about, **known.schema}


def _loop(each: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["for", "each"],
        "additionalProperties": False,
        "properties": {
            "for": {"type": "string", "description": "NAME in LIST"},
            "if": {"description": "Only items for which this is true."},
            "each": each,
        },
    }
