"""The contenders: each makes events, as JSON bytes, of lines of JSON. What they all make is the same."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson

import mapper
from mapper.destinations.cleaning.people import BLANKS
from mapper.destinations.cleaning.words import words

from .records import NOW

MAPPING: Final = Path(__file__).parent / "mapping.yaml"
Contender = Callable[[Iterable[bytes]], list[bytes]]


def ours() -> Contender:
    """The compiled mapping."""
    program = mapper.load(MAPPING)

    def run(lines: Iterable[bytes]) -> list[bytes]:
        return [event.encoded for result in program.map_lines(lines, NOW) for event in result.events]

    return run


_BLANK: Final = re.compile(f"[{BLANKS}]+")
_NAME: Final = re.compile(f"[{BLANKS}{re.escape(string.punctuation)}]+")
_EMAIL: Final = re.compile(
    r"[a-z0-9_!#$%&'*+/=?^`{|}~.\-]+@(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z0-9-]+", re.ASCII
)
_DIGITS: Final = re.compile(r"[^0-9]+")
_ALNUM: Final = re.compile(r"[^a-z0-9]+")
_LETTERS: Final = re.compile(r"[^a-z]+")
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FBP: Final = re.compile(r"fb\.[0-9]+\.[0-9]+\.[^.]+", re.ASCII)
_PRIVATE: Final = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]


def by_hand() -> Contender:
    """What a careful engineer would write: orjson, hashlib, compiled patterns, the same rules."""
    sha256 = hashlib.sha256
    known = words()

    def text(value: Any) -> str:
        if not isinstance(value, str):
            return ""
        return (value if value.isascii() else unicodedata.normalize("NFC", value)).strip(BLANKS)

    def hashed(value: str) -> list[str] | None:
        if not value:
            return None
        return [value if _HASH.fullmatch(value) else sha256(value.encode()).hexdigest()]

    def email(value: Any) -> list[str] | None:
        cleaned = text(value).lower()
        return hashed(cleaned) if _EMAIL.fullmatch(cleaned) else None

    def phone(value: Any) -> list[str] | None:
        return hashed(_DIGITS.sub("", text(value)).lstrip("0"))

    def state(value: Any) -> list[str] | None:
        letters = _LETTERS.sub("", text(value).lower())
        if len(letters) == 2:
            return hashed(letters)
        return hashed(known.states.get(letters) or _ALNUM.sub("", text(value).lower()))

    def ip(value: Any) -> str | None:
        try:
            address = ipaddress.ip_address(text(value))
        except ValueError:
            return None
        return None if any(address in network for network in _PRIVATE) else str(value)

    def person(customer: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        address = customer.get("address") or {}
        country = known.country(text(address.get("country")))
        code = _BLANK.sub("", text(address.get("zip"))).lower().partition("-")[0]
        fbp = text(request.get("fbp"))
        found = {
            "em": email(customer.get("email")),
            "ph": phone(customer.get("phone")),
            "fn": hashed(_NAME.sub("", text(customer.get("first_name"))).lower()),
            "ln": hashed(_NAME.sub("", text(customer.get("last_name"))).lower()),
            "ct": hashed(_ALNUM.sub("", text(address.get("city")).lower())),
            "st": state(address.get("state")),
            "zp": hashed(code[:5] if country == "us" else code),
            "country": hashed(country or ""),
            "external_id": hashed(_BLANK.sub("", text(customer.get("id"))).lower()),
            "client_ip_address": ip(request.get("ip")),
            "client_user_agent": text(request.get("user_agent")) or None,
            "fbp": fbp if _FBP.fullmatch(fbp) else None,
        }
        return {key: value for key, value in found.items() if value}

    def event(record: dict[str, Any]) -> dict[str, Any] | None:
        if record.get("type") != "order.paid":
            return None
        order = record.get("order") or {}
        user = person(record.get("customer") or {}, record.get("request") or {})
        currency = text(record.get("currency")).upper()
        url = text((record.get("page") or {}).get("url"))
        moment = record.get("created_at")
        total = record.get("total_cents")
        if not (
            "em" in user and "client_user_agent" in user and order.get("id") and url and currency in known.currencies
        ):
            return None
        if not isinstance(moment, int) or NOW - moment > 7 * 86400 - 60 or not isinstance(total, int):
            return None
        contents = [
            {"id": line["sku"], "quantity": line["quantity"], "item_price": round(line["price_cents"] / 100, 4)}
            for line in order.get("lines") or ()
            if line.get("quantity", 0) > 0
        ]
        custom = {"currency": currency, "value": round(total / 100, 4), "order_id": order["id"]}
        if contents:
            custom["contents"] = contents
        return {
            "event_name": "Purchase",
            "event_time": moment,
            "event_id": order["id"],
            "action_source": "website",
            "event_source_url": url,
            "user_data": user,
            "custom_data": custom,
        }

    def run(lines: Iterable[bytes]) -> list[bytes]:
        made = (event(orjson.loads(line)) for line in lines)
        return [orjson.dumps(one) for one in made if one is not None]

    return run


def sdk() -> Contender:
    """Meta's Python SDK, as its documentation shows it, without sending."""
    events = sdk_events()
    return lambda lines: [orjson.dumps(event.normalize()) for event in events(lines)]


def sdk_events() -> Callable[[Iterable[bytes]], list[Any]]:
    """The same records as objects of Meta's SDK."""
    from facebook_business.adobjects.serverside.content import Content
    from facebook_business.adobjects.serverside.custom_data import CustomData
    from facebook_business.adobjects.serverside.event import Event
    from facebook_business.adobjects.serverside.user_data import UserData

    def run(lines: Iterable[bytes]) -> list[Any]:
        made: list[Any] = []
        for line in lines:
            record = orjson.loads(line)
            if record["type"] != "order.paid" or not record["customer"]["email"]:
                continue
            customer, request = record["customer"], record["request"]
            address = customer["address"]
            user = UserData(
                email=customer["email"],
                phone=customer["phone"],
                first_name=customer["first_name"],
                last_name=customer["last_name"],
                city=address["city"],
                state=address["state"] or None,
                zip_code=address["zip"],
                country_code=address["country"] if len(address["country"]) == 2 else "br",
                external_id=customer["id"],
                client_ip_address=request["ip"],
                client_user_agent=request["user_agent"],
                fbp=request["fbp"],
            )
            contents = [
                Content(product_id=one["sku"], quantity=one["quantity"], item_price=one["price_cents"] / 100)
                for one in record["order"]["lines"]
                if one["quantity"] > 0
            ]
            custom = CustomData(
                currency=record["currency"],
                value=record["total_cents"] / 100,
                order_id=record["order"]["id"],
                contents=contents,
            )
            event = Event(
                event_name="Purchase",
                event_time=record["created_at"],
                event_id=record["order"]["id"],
                action_source=None,
                event_source_url=record["page"]["url"],
                user_data=user,
                custom_data=custom,
            )
            made.append(event)
        return made

    return run


def jinja() -> Contender:
    """One ``compile_expression`` a field, and the same cleaning: how mappings are often run."""
    import jinja2
    import yaml

    from mapper.destinations.destination import load_destination
    from mapper.language.values import Context

    environment = jinja2.Environment()
    destination = load_destination("meta")
    event = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))["events"]["Purchase"]
    when = environment.compile_expression(event["when"])

    def compiled(value: Any, path: str) -> Any:
        if isinstance(value, dict) and "for" in value:
            variable, _, source = value["for"].partition(" in ")
            each = {key: compiled(inner, f"{path}.{key}") for key, inner in value["each"].items()}
            return (variable, environment.compile_expression(source), environment.compile_expression(value["if"]), each)
        if isinstance(value, dict):
            return {key: compiled(inner, f"{path}.{key}".strip(".")) for key, inner in value.items()}
        field = destination.fields[path]
        if not value.startswith("{{"):
            return value
        return environment.compile_expression(value[2:-2].strip()), field.preparer()

    tree = compiled(event["parameters"], "")

    def filled(node: Any, names: dict[str, Any], context: Context) -> Any:
        if isinstance(node, dict):
            found = {key: filled(inner, names, context) for key, inner in node.items()}
            return {key: value for key, value in found.items() if value not in (None, {}, [])}
        if isinstance(node, str):
            return node
        if len(node) == 2:
            return node[1](node[0](**names), context)
        variable, source, condition, each = node
        scopes = ({**names, variable: item} for item in source(**names))
        return [filled(each, scope, context) for scope in scopes if condition(**scope)]

    def run(lines: Iterable[bytes]) -> list[bytes]:
        made: list[bytes] = []
        for line in lines:
            record = orjson.loads(line)
            if when(**record):
                event = filled(tree, record, Context(NOW))
                if "em" in event["user_data"]:
                    made.append(orjson.dumps({"event_name": "Purchase", **event}))
        return made

    return run


CONTENDERS: Final[dict[str, Callable[[], Contender]]] = {
    "mapper": ours,
    "by hand": by_hand,
    "Meta's SDK": sdk,
    "one Jinja expression a field": jinja,
}
