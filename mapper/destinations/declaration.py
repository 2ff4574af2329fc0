"""The format of destination files: the one declaration of their keys.

Cerberus checks files with it; the reference in ``docs/destinations.md`` is made from it. Every key says what it means.
"""

from __future__ import annotations

from typing import Any, Final

from .answers import MEANINGS
from .cleaning.options import OPTIONS
from .fields import KINDS
from .rendering import UNITS
from .request import FORMATS

Rules = dict[str, Any]

LEVELS: Final = ["error", "warning", "off"]
CODES: Final = ["integer", "string", "list"]


def _key(about: str, **rules: Any) -> Rules:
    return {**rules, "meta": {"about": about}}


def _text(about: str, **rules: Any) -> Rules:
    return _key(about, type="string", **rules)


def _texts(about: str, **rules: Any) -> Rules:
    return _key(about, type="list", schema={"type": "string"}, **rules)


def _flag(about: str) -> Rules:
    return _key(about, type="boolean")


SETTING_RULES: Final[Rules] = {
    "env": _text("The environment variable that holds the value.", regex="[A-Z][A-Z0-9_]*"),
    "format": _text("What the value may look like.", allowed=list(FORMATS)),
    "required": _flag("Whether nothing can be sent without it."),
    "secret": _flag("Whether it must never be shown."),
    "begins": _text("What a secret begins with: one in a mapping file is noticed.", regex="[A-Za-z0-9_-]{3,20}"),
    "default": _text("The value if the variable is not set."),
    "oldest": _text(
        "For a version: the oldest in service; older ones are warned of.", regex="v[0-9]{1,3}[.][0-9]{1,2}"
    ),
    "about": _text("What it is."),
    "where": _text("Where a person finds the value."),
}

REQUEST_RULES: Final[Rules] = {
    "method": _text("The HTTP method.", allowed=["POST", "PUT"]),
    "url": _text("The address, with settings in braces: https://host/{NAME}/events."),
    "events": _text("The path of the list of events in the body."),
    "body": _key("Constant members of the body; {NAME} alone stands for a setting.", type="dict"),
    "query": _key(
        "Constant parameters of the query; {NAME} alone stands for a setting.",
        type="dict",
        valuesrules={"type": "string"},
    ),
    "test_code": _text("The path of what marks test events in the body."),
    "headers": _key("Constant headers.", type="dict", valuesrules={"type": "string"}),
    "token": _key(
        "The token and where it may go.",
        type="dict",
        nullable=True,
        schema={
            "setting": _text("The setting that holds it."),
            "in": _text("Where it goes unless the user chooses.", allowed=["query", "header", "body"]),
            "query": _text("Its name in the query."),
            "header": _text("The name of its header."),
            "scheme": _text("What stands before it in the header, such as Bearer."),
            "body": _text("Its key in the body."),
        },
    ),
    "proof": _key(
        "A hash of the token under another secret (HMAC-SHA256, hex).",
        type="dict",
        nullable=True,
        schema={
            "setting": _text("The setting that holds the secret."),
            "name": _text("The name under which it is sent."),
        },
    ),
}

BATCH_RULES: Final[Rules] = {
    "max_events": _key("How many events a request takes.", type="integer", min=1),
    "max_bytes": _key("How many bytes a body may have.", type="integer", min=1000),
    "whole": _flag("Whether one invalid event refuses the whole request."),
}

WINDOW_RULES: Final[Rules] = {
    "max_age": _text("How old an event may be: 7 days."),
    "max_age_when": _key(
        "Other ages for some events; the first that fits counts.",
        type="list",
        schema={
            "type": "dict",
            "schema": {
                "when": _key("Conditions.", type="dict", required=True),
                "max_age": _text("How old.", required=True),
            },
        },
    ),
    "max_future": _text("How far ahead of the clock a time may lie: 60 s."),
    "margin": _text("What is kept back from the limits: 60 s."),
}

FIELD_RULES: Final[Rules] = {
    "kind": _text("What it holds.", allowed=list(KINDS)),
    "many": _flag("Whether it is a list of that."),
    "required": _flag("Whether its object must have it."),
    "label": _text("The name that the destination's own pages show."),
    "also": _texts("Other names for it."),
    "about": _text("What it is."),
    "source": _text("The page it comes from: an address, or a name under `sources`."),
    "section": _text("The heading under which the setup page lists it."),
    "clean": _key("Cleaning steps, by name.", type=["string", "list", "dict"]),
    "hash": _text("Whether it is sent hashed.", allowed=["sha256", "never"]),
    "options": _texts("What a mapping may say beside its value.", allowed=list(OPTIONS)),
    "companion": _text("The path of another parameter that cleaning looks at."),
    "in": _text("Whether it stands in the event or beside the events, in the request.", allowed=["event", "request"]),
    "into": _text("The path of a list into which its values go, each wrapped."),
    "wrap": _key("With `into`: the member of the list; $value stands for the value.", type="dict"),
    "unit": _text("For a time: the unit in which it is sent.", allowed=list(UNITS)),
    "allowed": _key("The only values it may have.", type="list"),
    "min": _key("The smallest number.", type=["integer", "float"]),
    "max": _key("The largest number.", type=["integer", "float"]),
    "max_length": _key("The longest text, in characters.", type="integer", min=1),
    "keep_empty": _flag("Whether an empty list says something."),
    "recommended": _key("Whether it should be there: true, or conditions.", type=["boolean", "dict"]),
    "rule": _text("The rule under which a wrong value is reported."),
    "example": _key("A value as it is sent.", nullable=True),
    "fields": _key("An object's parameters, by name.", type="dict"),
    "additional": _flag("Whether other names may stand beside them."),
    "positions": _key("A positional list's places, in order.", type="list", schema={"type": "dict"}),
}

POSITION_RULES: Final[Rules] = {
    "name": _text("What stands here.", required=True),
    "about": _text("What it is."),
    "required": _flag("Whether it must not be empty."),
    "allowed": _texts("The only values it may have."),
}

EVENT_RULES: Final[Rules] = {
    "label": _text("The name that the destination's own pages show."),
    "also": _texts("Other names for it."),
    "about": _text("What it is."),
    "source": _text("The page it comes from."),
    "parameters": _texts("The parameters that the destination lists for it."),
    "required": _texts("Those without which it is refused."),
}

PART_RULES: Final[Rules] = {
    "when": _key("Conditions; without them it always applies.", type="dict"),
    "level": _text("How serious this part is, if not as the rule.", allowed=LEVELS[:2]),
    "message": _text("What is wrong; {path} stands for the parameters."),
    "remedy": _text("What to do."),
    "require": _texts("Parameters that must be there."),
    "one_of": _key("Groups of parameters; one must be complete.", type="list", schema={"type": "list"}),
    "not_only": _text("An object whose keys must be more than any of the `sets`."),
    "sets": _key("Sets of keys that are too few.", type="list", schema={"type": "list"}),
    "add": _texts("Parameters that `mapper init` adds to an event that would break the rule otherwise."),
    "values": _key("Parameters and the values they may have.", type="dict", valuesrules={"type": "list"}),
    "spelling": _text("A parameter that must not be a standard event but for upper and lower case."),
    "order": _texts("Two times; the first must not be later.", minlength=2, maxlength=2),
    "age": _text("A time that must be within the windows."),
    "fresh": _text("A time that must not be longer ago than `within`."),
    "within": _text("How long ago."),
    "personal": _texts("Objects in which no personal data may stand."),
    "urls": _texts("With `personal`: addresses in whose query none may stand."),
    "keys": _texts("With `personal`: keys that give it away, in lower case."),
}

RULE_RULES: Final[Rules] = {
    "title": _text("What the rule wants, as a sentence."),
    "level": _text("How serious it is unless a mapping says otherwise.", allowed=LEVELS),
    "source": _text("The page it comes from."),
    "remedy": _text("What to do."),
    "check": _text(
        "A check of the engine that the rule names.",
        allowed=["unknown-keys", "empty-values", "hashed-by-mistake", "not-hashed", "types", "batch", "test-code"],
    ),
    "parts": _key("What it demands.", type="list", schema={"type": "dict"}),
}

ROW_RULES: Final[Rules] = {
    "means": _text("What the answer means.", allowed=list(MEANINGS), required=True),
    "reason": _text("A word for reports.", regex="[a-z][a-z-]*"),
    "status": _key("HTTP statuses: 200, 5xx, 200-299, or a list.", type=CODES),
    "code": _key("Codes of the body; `present` is any.", type=CODES),
    "subcode": _key("Subcodes of the body.", type=CODES),
    "transient": _flag("What the body says of itself."),
    "remedy": _text("What to do."),
    "unclear": _flag("Whether the events may have been accepted."),
    "wait": _text("How long to wait at least: 60 s."),
    "tries": _key("How often to send again because of it.", type="integer", min=0),
    "then": _text("What it means after that.", allowed=list(MEANINGS)),
}

RESPONSE_RULES: Final[Rules] = {
    "accepted": _key(
        "The answer that took the events.",
        type="dict",
        schema={
            "status": _key("HTTP statuses.", type=CODES, required=True),
            "where": _key(
                "What the body must say: paths and lists of values.", type="dict", valuesrules={"type": "list"}
            ),
            "received": _text("The path of the number of events received."),
            "messages": _text("The path of warnings."),
        },
    ),
    "error": _key(
        "Where the body says what is wrong.",
        type="dict",
        schema={
            "object": _text("A path that is there only if something is wrong."),
            "code": _text("The path of a code."),
            "subcode": _text("The path of a subcode."),
            "transient": _text("The path of a boolean: try again."),
            "message": _texts("Paths of texts for people."),
            "trace": _texts("Paths of an id of the request."),
        },
    ),
    "culprits": _key(
        "Where a text of the body names the position of a wrong event.",
        type="list",
        schema={
            "type": "dict",
            "schema": {
                "in": _text("The path of the text, or of a list of objects.", required=True),
                "after": _text("In a text: what stands before the position."),
                "before": _text("In a text: what stands behind it."),
                "index": _text("In a list of objects: the key of the position."),
            },
        },
    ),
    "verdicts": _key(
        "A list in the body that says of each event whether it was taken. Those of which it says nothing were.",
        type="dict",
        schema={
            "status": _key("HTTP statuses of the answers that hold it.", type=CODES, required=True),
            "list": _text("The path of the list.", required=True),
            "index": _text("The key of an event's position. Without it, the list has one member for each event."),
            "refused": _key(
                "What a member says of an event that was not taken: keys and lists of values, or `present`.",
                type="dict",
                valuesrules={"type": ["list", "string"]},
            ),
            "message": _texts("Keys of texts for people."),
        },
    ),
    "usage": _key(
        "Headers (JSON) that report how much of a limit is used.",
        type="list",
        schema={
            "type": "dict",
            "schema": {
                "header": _text("The header, in lower case.", required=True),
                "percent": _texts("Keys of percentages.", required=True),
                "seconds": _text("The key of the seconds to wait."),
                "minutes": _text("The key of the minutes to wait."),
            },
        },
    ),
    "table": _key("What answers mean; the first line that fits counts.", type="list", schema={"type": "dict"}),
}

HINT_RULES: Final[Rules] = {
    "page": _text("What the page is called that says which events and parameters are wanted."),
    "sections": _texts('The words before "parameters" in the headings of that page\'s lists.'),
    "usual": _key("Parameters that most events have, and their constant values.", type="dict"),
    "records": _key(
        "For a parameter, names that the fields of records have for it. `*` stands for any letters; `firstName` and"
        " `First name` count as `first_name`. The first name without `*` stands in a new mapping.",
        type="dict",
        valuesrules={"type": "list", "schema": {"type": "string", "regex": "[a-z0-9_*]{1,40}"}},
    ),
}

FILE_RULES: Final[Rules] = {
    "destination": _text("The destination's name.", regex="[a-z][a-z0-9_-]*"),
    "extends": _text("Another destination, whose file this one changes: a name or a path."),
    "title": _text("Its name for people."),
    "about": _text("What it is for."),
    "sources": _key("Short names for pages.", type="dict", valuesrules={"type": "string", "nullable": True}),
    "settings": _key("Values from the environment, by name.", type="dict"),
    "request": _key("How a request is made.", type="dict", schema=REQUEST_RULES),
    "batch": _key("How many events fit into one.", type="dict", schema=BATCH_RULES),
    "windows": _key("How old an event may be.", type="dict", schema=WINDOW_RULES),
    "roles": _key(
        "Which parameters are the event's name, id and time.",
        type="dict",
        schema={
            "name": _text("The path of the name."),
            "id": _text("The path of the id.", nullable=True),
            "time": _text("The path of the time.", nullable=True),
        },
    ),
    "limited": _key("What is added to an event whose consent is limited.", type="dict"),
    "twin": _key(
        "The copy of an event that a page sends itself, of which the destination keeps one.",
        type="dict",
        nullable=True,
        schema={
            "window": _text(
                "How long apart both may arrive. The sender, too, repeats no event beyond it.", required=True
            ),
            "when": _key("Conditions: events that a page sends, too.", type="dict"),
            "standard": _text("The page's call for an event that the destination knows; {name}, {id}.", required=True),
            "custom": _text("The page's call for any other event.", required=True),
            "by": _text("What sends it, in a word: pixel."),
        },
    ),
    "hints": _key("What helps those who begin a mapping; nothing of it is sent.", type="dict", schema=HINT_RULES),
    "envelope": _key("Parameters of the body that are no part of an event.", type="dict"),
    "fields": _key("Parameters of an event, by name.", type="dict"),
    "events": _key("Standard events, by name.", type="dict"),
    "rules": _key("Rules across parameters, by id.", type="dict"),
    "responses": _key("What answers mean.", type="dict", schema=RESPONSE_RULES),
}

TABLES: Final[Rules] = {
    "settings": SETTING_RULES,
    "envelope": FIELD_RULES,
    "fields": FIELD_RULES,
    "events": EVENT_RULES,
    "rules": RULE_RULES,
}
"""Sections that are tables of names, with the keys of each entry. With ``extends``, null takes an entry away."""
