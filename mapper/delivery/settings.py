"""Settings of a destination: from the environment, checked all at once before anything is read."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..destinations.destination import Destination
from ..errors import DeliveryError

_ADDRESS: Final = re.compile(
    r"https?://(?:(?P<name>[A-Za-z0-9_.-]{1,253})|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[A-Za-z0-9._~-]*)*\Z"
)
"""What an address looks like; a name beyond ASCII is written as ``xn--``, so that nobody is taken in by its look."""


class Unshown(str):
    """Text that no repr shows: a password, for whoever prints the variables of a frame along with an exception."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


class Settings(Mapping[str, str]):
    """Setting name to text. Shows the names of what it holds, never the values.

    doubts   what is odd about values that can be used
    """

    def __init__(self, values: Mapping[str, str] | None = None, doubts: Sequence[str] = ()) -> None:
        self._values = dict(values or {})
        self.doubts = tuple(doubts)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(self._values)})"

    def __reduce__(self) -> Any:
        raise TypeError("settings hold secrets and are not pickled")


def resolve(
    destination: Destination, given: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings that a destination needs.

    given    values by setting name (``PIXEL_ID``) or variable (``META_PIXEL_ID``); they win over the environment
    environ  the environment, ``os.environ`` if not given
    raises   DeliveryError (exit code 2) that names everything that is missing or cannot be used
    """
    found, faults = _read(destination, Settings(given), environ)
    if faults:
        count = "a setting" if len(faults) == 1 else f"{len(faults)} settings"
        message = f"{destination.title} needs {count}:\n" + "\n".join(f"  {fault}" for fault in faults)
        raise DeliveryError("settings", message, 2, "Set them in the environment; a mapping file is no place for them.")
    return found


def _read(destination: Destination, given: Settings, environ: Mapping[str, str] | None) -> tuple[Settings, list[str]]:
    """The settings, and what is wrong with them. Raises nothing: its variables hold secrets."""
    variables = os.environ if environ is None else environ
    values: dict[str, str] = {}
    faults: list[str] = []
    doubts: list[str] = []
    for name, setting in destination.settings.items():
        value = given.get(name) or given.get(setting.env) or variables.get(setting.env) or setting.default
        if value and setting.secret:
            value = value.rstrip("\r\n")  # files of secrets end with a line end, and some tools pass it on
        if not value:
            if setting.required:
                faults.append(f"{setting.env} is not set. {setting.about} {_where(setting.where)}".rstrip())
            continue
        problem = setting.problem(value) or _pasted(setting.env, value, setting.secret)
        if problem:
            faults.append(problem)
        elif doubt := setting.doubt(value):
            doubts.append(doubt)
        values[name] = value
    return Settings(values, doubts), faults


def address_of(destination: Destination, to: str) -> str | None:
    """The address that events go to in place of the destination's own; None for its own.

    to      "", the destination's name, or an address
    raises  DeliveryError (exit code 2) for anything else: what is meant for a sandbox must not reach the real one
    """
    if to in ("", destination.name):
        return None
    if to.startswith(("https://", "http://")):
        if why := _fault(to):
            hint = "Write it as https://host, https://host:port or https://host:port/path."
            raise DeliveryError("to", f"the address to send to cannot be used: {why}", 2, hint)
        return to
    hint = f"It goes to {destination.name}, to a sandbox, or to an address: https://…"
    if to == "sandbox":
        hint = "Give its address and its settings: to=sandbox.url, settings=sandbox.settings."
    message = f"the mapping is for '{destination.name}': it cannot be sent to '{to}'"
    raise DeliveryError("to", message, 2, hint)


def _fault(address: str) -> str:
    """Why an address cannot be used, or "". It is not quoted: there may be a password in it."""
    place = address.split("://", 1)[1]
    if "@" in place:
        return "it holds a name or a password"
    if "?" in place or "#" in place:
        return "it holds a ? or a #, where the path would have to follow"
    if not place.isascii():
        return "it holds a character that is not ASCII; a host's name is then written with xn--"
    found = _ADDRESS.match(address)
    if found is None:
        return "it is not written as one"
    if found["port"] is not None and not 0 < int(found["port"]) < 65536:
        return "there is no such port"
    if any(step in (".", "..") for step in place.split("/")[1:]):
        return "its path holds . or .."
    if found["name"] is not None:
        return "" if all(0 < len(label) < 64 for label in found["name"].split(".")) else "there is no such host"
    try:
        ipaddress.IPv6Address(found["six"])
    except ValueError:
        return "there is no such host"
    return ""


def _where(text: str) -> str:
    return f"Find it in: {text}" if text else ""


def _pasted(env: str, value: str, secret: bool) -> str:
    """What comes along when a value is copied: quotes around it, the word Bearer."""
    if value[0] in "\"'" or value[-1] in "\"'":
        return f"{env} begins or ends with a quote: leave it out"
    if secret and value.lower().startswith("bearer"):
        return f"{env} begins with 'Bearer': leave the word out"
    return ""
