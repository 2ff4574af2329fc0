"""One event, explained: its parameters under Meta's own names, what is wrong with it, what would match it better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..destinations.destination import Destination
from ..destinations.rules import is_nothing
from .judging import Judge
from .masking import mapping_of
from .records import Stored

_WORTH: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (("em",), "high", "The strongest key there is: most people have one address for everything."),
    (("ph",), "high", "Finds people who use another address with you."),
    (("client_ip_address", "client_user_agent"), "high", "Together they recognise a browser."),
    (("fn", "ln"), "high", "Together they tell people with the same address apart."),
    (("fbc",), "high", "Ties the event to the very click on an ad, if there was one."),
    (("fbp",), "medium", "Ties the event to what the pixel saw in the same browser."),
    (("external_id",), "medium", "Your own id for the person; helps once another event of theirs was matched."),
    (("ct", "st", "zp", "country"), "medium", "Help beside a name."),
    (("db",), "low", "Helps beside a name."),
    (("ge",), "low", "Helps beside a name."),
)
"""Match keys, how much Meta makes of them, and why. Source: Meta, "Best practices for the Conversions API", which names
what is of high quality; it publishes no weights."""


def explained(one: Stored, judge: Judge) -> dict[str, Any]:
    """Everything that can be said about an event that is not in its row."""
    destination = judge.destination
    body = one.parameters
    findings = judge.findings(body, one.at) if one.source == "server" else []
    return {
        "body": body,
        "parameters": list(_parameters(destination, body)),
        "findings": [_finding(destination, one, found) for found in findings],
        "better": list(_better(destination, body)) if one.source == "server" else [],
        "unused": list(_unused(destination, body, one.name)) if one.source == "server" else [],
        "label": next((event.label for name, event in destination.standard_events.items() if name == one.name), ""),
    }


def _finding(destination: Destination, one: Stored, found: Any) -> dict[str, Any]:
    rule = next((rule for rule in destination.rules if rule.id == found.rule), None)
    return {
        "path": found.path,
        "rule": found.rule,
        "level": found.level,
        "message": found.message,
        "remedy": found.remedy,
        "title": rule.title if rule is not None else "",
        "source": rule.source if rule is not None else "",
        "decisive": one.verdict == "refused" and (found.rule, found.path) == (one.rule, one.path),
    }


def _parameters(destination: Destination, body: Any) -> Iterator[dict[str, Any]]:
    """The event's parameters, one level down, each with the name that Meta's pages show."""
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        field = destination.field(name)
        if isinstance(value, dict) and field is not None and field.kind == "object":
            for inner in value:
                yield _parameter(destination, f"{name}.{inner}", value[inner])
        else:
            yield _parameter(destination, name, value)


def _parameter(destination: Destination, path: str, value: Any) -> dict[str, Any]:
    field = destination.field(path)
    known = field is not None and field.kind != "any"
    return {
        "path": path,
        "label": field.label if field is not None and known else "",
        "about": field.about if field is not None and known else "",
        "hashed": bool(field is not None and field.hash),
        "known": known,
        "section": field.section if field is not None else "",
        "value": value,
    }


def _better(destination: Destination, body: Any) -> Iterator[dict[str, Any]]:
    """Match keys that the event lacks, the most useful first."""
    if not isinstance(body, dict) or body.get("action_source") == "business_messaging":
        return
    user = mapping_of(body, "user_data")
    for keys, worth, why in _WORTH:
        missing = [key for key in keys if is_nothing(user.get(key))]
        if missing:
            labels = [field.label for key in missing if (field := destination.field(f"user_data.{key}")) is not None]
            yield {"keys": missing, "labels": labels, "worth": worth, "why": why}


def _unused(destination: Destination, body: Any, name: str) -> Iterator[dict[str, str]]:
    """Parameters that Meta lists for the standard event and that it does not carry."""
    event = destination.standard_events.get(name)
    for path in event.parameters if event is not None else ():
        if is_nothing(_at(body, path)):
            field = destination.field(path)
            yield {"path": path, "label": field.label if field is not None else ""}


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
