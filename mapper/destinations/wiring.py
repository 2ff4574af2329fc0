"""How a destination is talked to, from its file as declared: settings, requests, and what answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .answers import Answers, Codes, Culprit, Row, Usage, Verdicts
from .assembly import Assembly
from .declared import Steps
from .rendering import rendering
from .request import NAMED, PATH_FORMATS, Batch, Proof, Request, Setting, Token

_URL: Final = re.compile(r"https://(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*(?:/[A-Za-z0-9._~{}/-]*)\Z")
_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})\Z")
_HUNDRED: Final = re.compile(r"([1-5])xx\Z")
_ALL: Final = Codes(any_code=True)


def read_settings(parts: Assembly) -> dict[str, Setting]:
    """The settings, by name."""
    found: dict[str, Setting] = {}
    for name, one in (parts.value.get("settings") or {}).items():
        if parts.has(("settings", name), one, "env"):
            found[name] = Setting(name, **one)
    return found


def read_request(parts: Assembly, settings: Mapping[str, Setting]) -> Request:
    """How a request is made; the address and its settings are checked for safety."""
    said = parts.value.get("request") or {}
    url = said.get("url", "")
    if not _URL.match(url):
        hint = "Write https://, the host's name, and a path in which settings may stand in braces."
        parts.refuse(("request", "url"), "bad-url", "this address cannot be used", hint)
    for name in NAMED.findall(url):
        if name not in settings:
            parts.refuse(("request", "url"), "unknown-setting", f"there is no setting '{name}'")
        elif settings[name].format not in PATH_FORMATS:
            message = f"setting '{name}' may hold text that changes the address"
            hint = f"Give it a format: {', '.join(sorted(PATH_FORMATS))}."
            parts.refuse(("settings", name), "unsafe-setting", message, hint)
    for key in ("body", "query"):
        _constants(parts, ("request", key), said.get(key), settings)
    token = said.get("token")
    proof = said.get("proof")
    for key, one in (("token", token), ("proof", proof)):
        needed = ("setting", "in") if key == "token" else ("setting", "name")
        if one is not None and not parts.has(("request", key), one, *needed):
            token = proof = None
        elif one is not None and one["setting"] not in settings:
            steps = ("request", key, "setting")
            parts.refuse(steps, "unknown-setting", f"there is no setting '{one['setting']}'")
    return Request(
        method=said.get("method", "POST"),
        url=url if _URL.match(url) else "https://invalid.invalid/",
        events=said.get("events", "data"),
        token=_token(token) if token is not None else None,
        proof=Proof(**proof) if proof is not None else None,
        test_code=said.get("test_code"),
        headers=said.get("headers") or {},
        body=said.get("body") or {},
        query=said.get("query") or {},
        rendering=rendering(parts.root),
    )


def _constants(parts: Assembly, steps: Steps, said: Any, settings: Mapping[str, Setting]) -> None:
    """Refuse settings that are declared nowhere."""
    for key, inner in said.items() if isinstance(said, Mapping) else ():
        _constants(parts, (*steps, key), inner, settings)
    named = NAMED.fullmatch(said) if isinstance(said, str) else None
    if named is not None and named[1] not in settings:
        parts.refuse(steps, "unknown-setting", f"there is no setting '{named[1]}'")


def read_batch(parts: Assembly) -> Batch:
    """How many events fit into a request."""
    return Batch(**(parts.value.get("batch") or {}))


def read_answers(parts: Assembly) -> Answers:
    """What answers mean."""
    said = parts.value.get("responses") or {}
    taken, error = said.get("accepted") or {"status": "2xx"}, said.get("error") or {}
    names = {name for path in parts.fields for name in (path, path.rpartition(".")[2])}
    return Answers(
        accepted=_codes(parts, ("responses", "accepted", "status"), taken.get("status", "2xx")) or _ALL,
        where=tuple((path, tuple(wanted)) for path, wanted in (taken.get("where") or {}).items()),
        received=taken.get("received"),
        messages=taken.get("messages"),
        error=error.get("object"),
        code=error.get("code"),
        subcode=error.get("subcode"),
        transient=error.get("transient"),
        message=tuple(error.get("message", ())),
        trace=tuple(error.get("trace", ())),
        culprits=tuple(_culprit(parts, i, one) for i, one in enumerate(said.get("culprits", ()))),
        verdicts=_verdicts(parts, said.get("verdicts")),
        usage=tuple(
            Usage(u["header"].lower(), frozenset(u["percent"]), u.get("seconds", ""), u.get("minutes", ""))
            for u in said.get("usage", ())
        ),
        table=tuple(_row(parts, i, row) for i, row in enumerate(said.get("table", ()))),
        words=frozenset(names),
    )


def _culprit(parts: Assembly, i: int, said: Mapping[str, Any]) -> Culprit:
    if ("index" in said) == ("after" in said and "before" in said):
        hint = (
            "For a text say what stands before and behind the position; for a list of objects, the key of the position."
        )
        steps = ("responses", "culprits", i)
        parts.refuse(steps, "missing-key", "a culprit has 'after' and 'before', or 'index'", hint)
    return Culprit(said["in"], said.get("after", ""), said.get("before", ""), said.get("index", ""))


def _verdicts(parts: Assembly, said: Mapping[str, Any] | None) -> Verdicts | None:
    if not said:
        return None
    refused = {
        key: None if wanted == "present" else tuple(wanted) for key, wanted in (said.get("refused") or {}).items()
    }
    status = _codes(parts, ("responses", "verdicts", "status"), said["status"]) or _ALL
    return Verdicts(status, said["list"], said.get("index"), refused, tuple(said.get("message", ())))


def _row(parts: Assembly, i: int, said: Mapping[str, Any]) -> Row:
    steps = ("responses", "table", i)
    codes = {
        key: _codes(parts, (*steps, key), said[key]) if key in said else None for key in ("status", "code", "subcode")
    }
    return Row(
        said["means"],
        said.get("reason", ""),
        **codes,
        transient=said.get("transient"),
        remedy=said.get("remedy", ""),
        unclear=said.get("unclear", False),
        wait=float(parts.seconds((*steps, "wait"), said["wait"])) if "wait" in said else None,
        tries=said.get("tries"),
        then=said.get("then", "stop"),
    )


def _codes(parts: Assembly, steps: Steps, said: Any) -> Codes | None:
    """``200``, ``5xx``, ``200-299``, ``present``, or a list of such."""
    single: set[int] = set()
    ranges: list[tuple[int, int]] = []
    for one in said if isinstance(said, list) else [said]:
        if one == "present":
            return _ALL
        if type(one) is int:
            single.add(one)
        elif match := _RANGE.match(str(one)):
            ranges.append((int(match[1]), int(match[2])))
        elif match := _HUNDRED.match(str(one)):
            ranges.append((int(match[1]) * 100, int(match[1]) * 100 + 99))
        else:
            hint = "Write a number, a range such as 200-299, 5xx, present, or a list of these."
            parts.refuse(steps, "bad-code", "this is no code", hint)
    return Codes(frozenset(single), tuple(ranges))


def _token(said: Mapping[str, Any]) -> Token:
    return Token(
        said["setting"], said["in"], said.get("query"), said.get("header"), said.get("scheme", ""), said.get("body")
    )
