"""Settings of a destination: from the environment, checked all at once before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..destinations.destination import Destination
from ..errors import DeliveryError


class Settings(Mapping[str, str]):
    """Setting name to text. Shows the names of what it holds, never the values.

    doubts   what is odd about values that can be used
    """

    def __init__(self, values: Mapping[str, str], doubts: Sequence[str] = ()) -> None:
        self._values = dict(values)
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
    environ = os.environ if environ is None else environ
    given = given or {}
    values: dict[str, str] = {}
    faults: list[str] = []
    doubts: list[str] = []
    for name, setting in destination.settings.items():
        value = given.get(name) or given.get(setting.env) or environ.get(setting.env) or setting.default
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
    if faults:
        count = "a setting" if len(faults) == 1 else f"{len(faults)} settings"
        message = f"{destination.title} needs {count}:\n" + "\n".join(f"  {fault}" for fault in faults)
        raise DeliveryError("settings", message, 2, "Set them in the environment; a mapping file is no place for them.")
    return Settings(values, doubts)


def address_of(destination: Destination, to: str) -> str | None:
    """The address that events go to in place of the destination's own; None for its own.

    to      "", the destination's name, or an address
    raises  DeliveryError (exit code 2) for anything else: what is meant for a sandbox must not reach the real one
    """
    if to in ("", destination.name):
        return None
    if to.startswith(("https://", "http://")):
        return to
    hint = f"It goes to {destination.name}, to a sandbox, or to an address: https://…"
    if to == "sandbox":
        hint = "Give its address and its settings: to=sandbox.url, settings=sandbox.settings."
    message = f"the mapping is for '{destination.name}': it cannot be sent to '{to}'"
    raise DeliveryError("to", message, 2, hint)


def _where(text: str) -> str:
    return f"Find it in: {text}" if text else ""


def _pasted(env: str, value: str, secret: bool) -> str:
    """What comes along when a value is copied: quotes around it, the word Bearer."""
    if value[0] in "\"'" or value[-1] in "\"'":
        return f"{env} begins or ends with a quote: leave it out"
    if secret and value.lower().startswith("bearer"):
        return f"{env} begins with 'Bearer': leave the word out"
    return ""
