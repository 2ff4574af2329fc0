"""How a request to a destination is put together: settings, address, token, body. Decided without I/O.

A secret is only in ``Prepared.query``, ``headers`` and the body; no repr shows it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from ..errors import DeliveryError
from .rendering import Rendering

TokenPlace = Literal["query", "header", "body"]

_FORMATS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "digits": (re.compile(r"[0-9]{1,30}\Z"), "digits only"),
    "word": (re.compile(r"[A-Za-z0-9_-]{1,100}\Z"), "letters, digits, - and _ only"),
    "version": (re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}\Z"), "a version such as v25.0"),
    "token": (re.compile(r"[!-~]{1,4096}\Z"), "printable characters without blanks"),
    "text": (re.compile(r"[ -~]{1,1000}\Z"), "printable ASCII characters on one line"),
}

FORMATS: Final = tuple(_FORMATS)
NAMED: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
"""A setting in an address or among constants."""

PATH_FORMATS: Final = frozenset({"digits", "word", "version"})
"""Formats whose text cannot change the meaning of an address."""

_encode = msgspec.json.Encoder().encode

_SLOT: Final = "\0events"
_SLOT_BYTES: Final = _encode(_SLOT)
"""Where the events belong in a body that is put together; no setting and no constant of a file can be this text."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that comes from the environment, such as the id of a pixel or a token.

    name     as in the address template
    env      the environment variable
    format   one of ``FORMATS``
    begins   what a secret begins with, or ""
    oldest   of a version: the oldest that is in service, or ""
    where    how a person finds the value
    """

    name: str
    env: str
    format: str = "text"
    required: bool = False
    secret: bool = False
    begins: str = ""
    default: str | None = None
    oldest: str = ""
    about: str = ""
    where: str = ""

    def problem(self, value: str) -> str:
        """Why ``value`` cannot be used, or "". It is never quoted."""
        pattern, wanted = _FORMATS[self.format]
        if pattern.match(value):
            return ""
        if not value.strip():
            return f"{self.env} is empty"
        return f"{self.env} must be {wanted}{_seen(value)}"

    def doubt(self, value: str) -> str:
        """What is odd about a value that can be used, or ""."""
        if not self.oldest or _release(value) >= _release(self.oldest):
            return ""
        return f"{self.env} is {value}, which is not in service any more: the oldest that is, is {self.oldest}"


def _release(version: str) -> tuple[int, ...]:
    """``v25.0`` as ``(25, 0)``: v9.0 is older than v25.0."""
    return tuple(map(int, re.findall(r"[0-9]+", version)))


def _seen(value: str) -> str:
    """What catches the eye in a value that cannot be used; the value itself may be a secret."""
    if any(sign in "\r\n" for sign in value):
        return ": it holds the end of a line"
    if any(sign.isspace() for sign in value):
        return ": it holds a blank"
    if not value.isascii():
        return ": it holds a character that is not ASCII"
    return "" if value.isprintable() else ": it holds a control character"


@dataclass(frozen=True, slots=True)
class Token:
    """Where the token may go: the name of the query parameter, of the header with its scheme, of the body's key."""

    setting: str
    place: TokenPlace
    query: str | None = None
    header: str | None = None
    scheme: str = ""
    body: str | None = None

    @property
    def places(self) -> Mapping[TokenPlace, str]:
        """The places that the destination knows, with the name the token has there."""
        named: tuple[tuple[TokenPlace, str | None], ...] = (
            ("query", self.query),
            ("header", self.header),
            ("body", self.body),
        )
        return {place: name for place, name in named if name is not None}


@dataclass(frozen=True, slots=True)
class Proof:
    """A keyed hash of the token that shows that the sender also has a secret of the app: HMAC-SHA256 in hex."""

    setting: str
    name: str

    def of(self, token: str, secret: str) -> str:
        return hmac.new(secret.encode(), token.encode(), sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """All of a request but its events.

    url      without query, and so without a secret
    body     ``prefix``, the encoded events joined by commas, ``suffix``; ``frame`` is both as an object
    secrets  what of it nobody may see, wherever it comes up again
    """

    method: str
    url: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    prefix: bytes = field(repr=False)
    suffix: bytes = field(repr=False)
    frame: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rendering: Rendering | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def body(self, events: Iterable[bytes]) -> bytes:
        """The body for these encoded events, which can share a request."""
        prefix, suffix = self.prefix, self.suffix
        if self.rendering is not None:
            beside, events = self.rendering.body(events)
            if beside:
                prefix, suffix = _around({**self.frame, **beside})
        return b"".join((prefix, b",".join(events), suffix))


def _around(frame: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """A body before and behind its events."""
    before, _, behind = _encode(frame).partition(_SLOT_BYTES)
    return before + b"[", b"]" + behind


@dataclass(frozen=True, slots=True)
class Request:
    """The request as a destination declares it.

    url         a template over settings: ``https://host/{API_VERSION}/{PIXEL_ID}/events``
    events      the path of the list of events in the body
    test_code   the path of a test code in the body, or None
    headers     constant headers
    body        constant members of the body, and ``query`` of the query: ``{NAME}`` alone stands for a setting
    rendering   what is done to events that do not stand in the body as they are
    """

    method: str
    url: str
    events: str
    token: Token | None = None
    proof: Proof | None = None
    test_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    rendering: Rendering | None = None

    @property
    def host(self) -> str:
        return self.url.split("/")[2]

    @property
    def quietest(self) -> TokenPlace | None:
        """Where a token is seen by the fewest: clients log addresses. None if there is no token."""
        places = self.token.places if self.token is not None else {}
        order: tuple[TokenPlace, ...] = ("header", "body", "query")
        return next((place for place in order if place in places), None)

    @property
    def envelope_key(self) -> str:
        return self.events

    def around(self, events: list[Any]) -> dict[str, Any]:
        """A body of nothing but these events."""
        body: dict[str, Any] = {}
        _put(body, self.events, events)
        return body

    def prepare(
        self,
        values: Mapping[str, str],
        *,
        token_in: str | None = None,
        test_code: str | None = None,
        envelope: Mapping[str, Any] | None = None,
        base: str | None = None,
    ) -> Prepared:
        """Put the request together.

        values     setting name -> text, already checked with ``Setting.problem``
        token_in   ``query``, ``header`` or ``body``; the destination's own choice if not given
        envelope   further keys of the body
        base       ``http://127.0.0.1:8080`` in place of the destination's scheme and host
        raises     ValueError if the destination does not take a token there
        """
        url = self.url
        for name, value in values.items():
            url = url.replace("{" + name + "}", value)
        if base is not None:
            url = base.rstrip("/") + "/" + url.split("/", 3)[3]
        query: dict[str, str] = _filled(self.query, values)
        headers = {"Content-Type": "application/json", **self.headers}
        body: dict[str, Any] = {}
        _put(body, self.events, _SLOT)
        _merge(body, {**_filled(self.body, values), **(envelope or {})})
        if test_code is not None and not test_code.strip():
            hint = "Copy it from Events Manager, Test Events; without one the events are real."
            raise DeliveryError("test-event-code", "the test event code is empty", 2, hint)
        if test_code is not None and self.test_code is not None:
            _put(body, self.test_code, test_code)
        secrets = self._authorise(values, token_in, query, headers, body)
        return Prepared(self.method, url, query, headers, *_around(body), body, self.rendering, secrets)

    def _authorise(
        self,
        values: Mapping[str, str],
        token_in: str | None,
        query: dict[str, str],
        headers: dict[str, str],
        body: dict[str, Any],
    ) -> tuple[str, ...]:
        """Put the token where it goes, and its proof; returns what is secret."""
        if self.token is None or self.token.setting not in values:
            return ()
        token = values[self.token.setting]
        place = token_in or self.token.place
        name = next((name for known, name in self.token.places.items() if known == place), None)
        if name is None:
            raise ValueError(f"the token cannot go there: it can be in {', '.join(self.token.places)}")
        if place == "query":
            query[name] = token
        elif place == "header":
            headers[name] = f"{self.token.scheme} {token}".lstrip()
        else:
            body[name] = token
        if self.proof is not None and self.proof.setting in values:
            proof = self.proof.of(token, values[self.proof.setting])
            (body if place == "body" else query)[self.proof.name] = proof
            return token, values[self.proof.setting], proof
        return (token,)


def _filled(said: Any, values: Mapping[str, str]) -> Any:
    """Constants with settings in place of their names; what names a setting that is not set is left out."""
    if isinstance(said, Mapping):
        filled = {key: _filled(inner, values) for key, inner in said.items()}
        return {key: inner for key, inner in filled.items() if inner is not None}
    named = NAMED.fullmatch(said) if isinstance(said, str) else None
    return said if named is None else values.get(named[1])


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *above, name = path.split(".")
    for step in above:
        body = body.setdefault(step, {})
    body[name] = value


def _merge(body: dict[str, Any], constants: Mapping[str, Any]) -> None:
    for key, value in constants.items():
        if isinstance(value, Mapping) and isinstance(body.get(key), dict):
            _merge(body[key], value)
        else:
            body.setdefault(key, value)


@dataclass(frozen=True, slots=True)
class Batch:
    """How many events a request takes.

    whole   whether one invalid event refuses the whole request
    """

    max_events: int = 1
    max_bytes: int | None = None
    whole: bool = True
