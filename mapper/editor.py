"""A JSON Schema of mapping files, for completion and checks in editors: made from the rules that check files.

    # yaml-language-server: $schema=mapping.schema.json

It knows the keys of mapping files, the destination's parameters with what they mean, and the names of its events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .destination import Destination
from .fields import Field
from .filters import FILTERS, FUNCTIONS
from .mapping import EVENT_RULES, RULES, TABLE_RULES
from .specs import TEST_RULES

_TYPES: Final = {"dict": "object", "list": "array", "float": "number"}
_LOOP: Final = {
    "type": "object",
    "required": ["for", "each"],
    "additionalProperties": False,
    "properties": {
        "for": {"type": "string", "description": "NAME in LIST"},
        "if": {"description": "Only items for which this is true."},
        "each": {"description": "What each item gives."},
    },
}


def json_schema(destination: Destination) -> dict[str, Any]:
    """The schema (draft-07) of mappings for a destination."""
    schema = _object(RULES)
    properties = schema["properties"]
    properties["defaults"] = _parameters(destination.root, destination, properties["defaults"])
    event = _object(EVENT_RULES)
    event["type"] = ["object", "null"]
    event["properties"]["parameters"] = _parameters(destination.root, destination, event["properties"]["parameters"])
    event["properties"]["required"]["items"] = {"type": "string", "anyOf": [{"enum": list(destination.fields)}, {}]}
    events = {
        name: {**event, "description": known.about} for name, known in sorted(destination.standard_events.items())
    }
    properties["events"] |= {"properties": events, "additionalProperties": event}
    level = properties["rules"]["additionalProperties"]
    properties["rules"]["properties"] = {one.id: {**level, "description": one.title} for one in destination.rules}
    properties["tables"] |= {
        "additionalProperties": {"type": "object"},
        "examples": [_object(TABLE_RULES)["properties"]],
    }
    properties["tests"]["items"] = _object(TEST_RULES)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A mapping for {destination.title}",
        "description": f"Filters: {', '.join(sorted(FILTERS))}. Functions: {', '.join(sorted(FUNCTIONS))}.",
        **schema,
        "patternProperties": {"^x-": {"description": "Yours: a place for anchors."}},
    }


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
        schema["items"] = _object(inner["schema"]) if "schema" in inner else _key(inner)
    elif inner is not None:
        schema |= _object(inner)
    if "valuesrules" in rule:
        schema["additionalProperties"] = _key(rule["valuesrules"])
    return schema


def _parameters(field: Field, destination: Destination, said: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an object, each with what it means; any value may be an expression or a loop."""
    properties = {name: _parameter(child, destination) for name, child in (field.children or {}).items()}
    return {**said, "type": "object", "properties": properties, "additionalProperties": field.additional}


def _parameter(field: Field, destination: Destination) -> dict[str, Any]:
    about = f"{field.label}. {field.about}".strip()
    if field.never_hash:
        about += " Never hashed."
    elif field.hash:
        about += " Written in plain text: it is hashed on the way out."
    said: dict[str, Any] = {"description": about}
    if field.kind == "object":
        inner = _parameters(field, destination, {})
        forms = [inner, {"type": ["string", "null"]}, *([_LOOP, {"type": "array"}] if field.many else [])]
        return {**said, "anyOf": forms}
    if field.allowed:
        said["examples"] = list(field.allowed)
    return said
