"""Writes the sample records of ``mappings/samples``: made-up people, the same bytes every time.

    python -m tests.samples

Most records are good. Some are rightly refused: nobody in particular, no e-mail address, eight days old, broken JSON, a
currency that is none. The moment at which they were "recorded" stands in the mappings.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

# ruff: noqa: E501 - real browsers have long names
RECORDED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FOLDER = Path(__file__).parent.parent / "mappings" / "samples"

PEOPLE = [
    ("José", "García Márquez", "ES", "Madrid", "M", "28013", "+34 600 100 {n}"),
    ("Zoë", "O'Byrne", "IE", "Dublin", "Leinster", "D02 X285", "+353 20 910 0{n}"),
    ("Jean-Luc", "Lefèvre", "FR", "Paris", "Île-de-France", "75011", "+33 6 39 98 0{n}"),
    ("Anna", "Müller", "DE", "München", "Bayern", "80331", "0171/39200{n}"),
    ("Łukasz", "Wójcik", "PL", "Kraków", "małopolskie", "30-001", "+48 500 600 {n}"),
    ("João", "da Silva", "BR", "São Paulo", "SP", "01310-100", "+55 (11) 99999-0{n}"),
    ("Mary", "O’Neil", "US", "Saint Louis", "Missouri", "63101-2201", "(314) 555-01{m}"),
    ("Robert", "Smith Jr.", "us", "New York", "ny", "10001", "1-212-555-01{m}"),
    ("Aiko", "山田", "JP", "東京", "東京都", "100-0001", "+81 70-0000-0{n}"),
    ("Siân", "ap Rhys", "United Kingdom", "Caerdydd", "Wales", "CF10 1EP", "+44 (0)7700 900{n}"),
    ("Dvořáková", "Eliška", "CZ", "Brno", "Jihomoravský kraj", "602 00", "00420 601 000 {n}"),
    ("Noor", "Al-Fārisī", "AE", "Dubai", "Dubai", "", "+971 50 000 0{n}"),
    ("D'Angelo", "Russo", "Italy", "L'Aquila", "Abruzzo", "67100", "+39 320 000 0{n}"),
    ("Ngọc", "Nguyễn", "VN", "Hà Nội", "Hà Nội", "100000", "+84 90 000 0{n}"),
    ("Chloe", "Tremblay", "CA", "Montréal", "Quebec", "H2Y 1C6", "+1 514 555 01{m}"),
    ("Olá", "", "PT", "Porto", "", "4000-322", "+351 910 000 {n}"),
]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
]
PRODUCTS = [
    ("MUG-1", "Mug", 1250, "Kitchen"),
    ("PST-7", "Poster “Café”", 3500, "Prints"),
    ("PEN-2", "Pen", 295, "Paper"),
    ("LMP-3", "Lamp", 8999, "Home"),
    ("SOK-9", "Socks", 799, "Clothes"),
    ("BAG-4", "Bag", 4599, "Clothes"),
]
ZONES = [UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))]


class Maker:
    """One stream of made-up records."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def when(self) -> datetime:
        """Within six days before the recording; now and then eight days, which is too old."""
        if self.chance(90):
            return RECORDED - timedelta(days=8, seconds=self.random.randrange(7200))
        return RECORDED - timedelta(seconds=self.random.randrange(120, 6 * 86400))

    def iso(self) -> str:
        moment = self.when().astimezone(self.random.choice(ZONES))
        return moment.isoformat(timespec="milliseconds" if self.chance(3) else "seconds")

    def person(self) -> dict[str, Any]:
        first, last, country, city, state, postcode, phone = self.random.choice(PEOPLE)
        self.count += 1
        number = self.random.randrange(100, 1000)
        plain = "".join(c for c in f"{first}.{last.split(' ')[0]}".lower() if c.isascii() and (c.isalnum() or c == "."))
        email = f"{plain.strip('.') or 'someone'}{self.count}@example.{self.random.choice(['com', 'org', 'net'])}"
        if self.chance(4):
            email = f" {email.title()} "
        return {
            "id": 7_000_000_000 + self.count,
            "first": first,
            "last": last or None,
            "email": None if self.chance(25) else "not given" if self.chance(60) else email,
            "phone": phone.format(n=number, m=number % 90 + 10) if not self.chance(3) else None,
            "country": country,
            "city": city,
            "state": state or None,
            "postcode": postcode or None,
        }

    def ip(self) -> str:
        if self.chance(4):
            return f"2001:db8:{self.random.randrange(16**4):x}::{self.random.randrange(1, 16**4):x}"
        block = self.random.choice(["192.0.2", "198.51.100", "203.0.113"])
        return f"{block}.{self.random.randrange(1, 255)}"

    def fbp(self) -> str | None:
        if self.chance(3):
            return None
        seen = int(RECORDED.timestamp() * 1000) - self.random.randrange(10**9)
        return f"fb.1.{seen}.{self.random.randrange(10**9)}"

    def fbc(self) -> str | None:
        if not self.chance(4):
            return None
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
        click = "".join(self.random.choice(letters) for _ in range(32))
        return f"fb.1.{int(RECORDED.timestamp() * 1000) - self.random.randrange(10**8)}.IwAR{click}"

    def lines(self) -> list[tuple[str, str, int, str, int]]:
        chosen = self.random.sample(PRODUCTS, self.random.randrange(1, 4))
        return [(*product, self.random.choice([1, 1, 1, 2, 3])) for product in chosen]


def waitlist(make: Maker) -> dict[str, Any]:
    """What a product's back end would log."""
    make.count += 1
    known = make.person()
    event = make.random.choices(
        ["page_viewed", "contact_form_sent", "waitlist_signup_started", "waitlist_modal_opened", "internal_job"],
        [10, 4, 4, 4, 1],
    )[0]
    if event == "internal_job":
        return {"id": f"ev-{make.count}", "at": make.iso(), "event": event, "job": "reindex"}
    kind = make.random.choice(["landing", "article", "product", "product", "imprint"])
    record: dict[str, Any] = {
        "id": f"ev-{make.count}",
        "at": make.iso() if make.chance(2) else int(make.when().timestamp()),
        "event": event,
        "visitor_id": None if make.chance(12) else f"v-{make.random.randrange(10**6)}",
        "page": {
            "url": f"https://waitlist.example/{kind}/{make.random.randrange(40)}",
            "kind": kind,
            "title": f"About {kind}s",
        },
        "browser": {
            "ip": None if make.chance(15) else "10.1.2.3" if make.chance(60) else make.ip(),
            "user_agent": None if make.chance(60) else make.random.choice(AGENTS),
            "cookies": None if make.chance(5) else {"_fbp": make.fbp(), "_fbc": make.fbc(), "theme": "dark"},
        },
        "build": "2026.02.27-1",
    }
    if event == "page_viewed":
        record["page"]["referrer"] = "https://search.example/" if make.chance(2) else None
    else:
        record["person"] = None if make.chance(30) else {
            "email": known["email"],
            "first_name": known["first"],
            "last_name": known["last"],
            "phone": known["phone"],
            "country": known["country"],
        }  # fmt: skip
    return record


def order(make: Maker) -> dict[str, Any]:
    """An order as a shop's webhook tells of it: prices are text."""
    known = make.person()
    lines = make.lines()
    total = sum(price * quantity for _, _, price, _, quantity in lines)
    address = {
        "first_name": known["first"],
        "city": known["city"],
        "province": known["state"],
        "zip": known["postcode"],
        "country_code": known["country"],
    }
    return {
        "topic": "orders/paid",
        "id": 820_982_911_946_000_000 + make.count,
        "name": f"#{1000 + make.count}",
        "email": known["email"],
        "phone": None,
        "created_at": make.iso(),
        "processed_at": None,
        "landing_url": "https://shop.example/checkout/thank-you",
        "currency": "COINS" if make.chance(40) else make.random.choice(["EUR", "USD", "GBP", "PLN"]),
        "total_price": f"{total / 100:.2f}",
        "test": make.chance(40),
        "client_details": {"browser_ip": make.ip(), "user_agent": make.random.choice(AGENTS), "session_hash": None},
        "customer": {
            "id": known["id"],
            "first_name": known["first"],
            "last_name": known["last"],
            "phone": known["phone"],
            "tags": "",
        },
        "billing_address": None if make.chance(8) else address,
        "line_items": [
            {"id": i, "sku": None if make.chance(12) else sku, "variant_id": 7000 + i, "title": title, "quantity": quantity,
             "price": f"{price / 100:.2f}", "gift_card": False, "properties": []}
            for i, (sku, title, price, _, quantity) in enumerate(lines)
        ],
        "note_attributes": [],
        "tax_lines": [{"rate": 0.19, "title": "VAT", "price": f"{total * 0.19 / 100:.2f}"}],
    }  # fmt: skip


def tracked(make: Maker) -> dict[str, Any]:
    """A call of a tracking library."""
    known = make.person()
    make.count += 1
    call = make.random.choices(
        ["page", "Product Viewed", "Products Searched", "Product Added", "Checkout Started", "Payment Info Entered",
         "Signed Up", "identify"],
        [10, 8, 3, 5, 3, 2, 2, 1],
    )[0]  # fmt: skip
    logged_in = make.chance(2)
    nobody = make.chance(40)
    traits = {"email": known["email"], "firstName": known["first"], "lastName": known["last"], "phone": known["phone"],
              "address": {"city": known["city"], "state": known["state"], "country": known["country"],
                          "postalCode": known["postcode"]}}  # fmt: skip
    sku, title, price, category, quantity = make.lines()[0]
    product = {"product_id": sku, "name": title, "price": price / 100, "quantity": quantity, "category": category}
    products = [
        {"product_id": None if make.chance(30) else sku, "name": title, "price": price / 100, "quantity": quantity}
        for sku, title, price, _, quantity in make.lines()
    ]
    properties: dict[str, dict[str, Any]] = {
        "page": {"title": "Shop"},
        "Product Viewed": {**product, "quantity": None, "currency": "USD"},
        "Products Searched": {"query": make.random.choice(["blue mug", "Čaj", "gift “mum”", "лампа"])},
        "Product Added": {**product, "currency": "EUR"},
        "Checkout Started": {"value": 99.5, "currency": "EUR", "products": products},
        "Payment Info Entered": {"value": 99.5, "currency": "EUR", "products": products},
        "Signed Up": {"plan": make.random.choice(["Free", "Pro"])},
        "identify": {},
    }
    return {
        "type": call if call in ("page", "identify") else "track",
        "event": None if call in ("page", "identify") else call,
        "messageId": f"ajs-{make.random.randrange(16**12):012x}",
        "timestamp": make.iso(),
        "userId": f"u-{known['id']}" if logged_in else None,
        "anonymousId": f"{make.random.randrange(16**16):016x}",
        "context": {
            "ip": None if nobody else make.ip(),
            "userAgent": make.random.choice(AGENTS),
            "page": {
                "url": f"https://shop.example/p/{sku.lower()}",
                "path": "/p",
                "referrer": "https://search.example/",
            },
            "traits": None if nobody or not (logged_in or call == "Signed Up") else traits,
            "integrations": {"fbp": None if nobody else make.fbp(), "fbc": None if nobody else make.fbc()},
            "library": {"name": "analytics.js", "version": "2.11.1"},
            "locale": "en-GB",
        },
        "properties": properties[call],
    }


def session(make: Maker) -> dict[str, Any]:
    """A checkout session of a payment provider: money in cents, time in seconds."""
    known = make.person()
    lines = make.lines()
    return {
        "id": f"evt_{make.random.randrange(16**12):012x}",
        "object": "event",
        "type": "checkout.session.completed" if not make.chance(8) else "invoice.created",
        "created": int(make.when().timestamp()),
        "data": {
            "object": {
                "id": f"cs_test_{make.random.randrange(16**12):012x}",
                "payment_status": "unpaid" if make.chance(12) else "paid",
                "amount_total": sum(price * quantity for _, _, price, _, quantity in lines),
                "currency": make.random.choice(["eur", "usd", "sek"]),
                "client_reference_id": f"u-{known['id']}",
                "success_url": "https://shop.example/thanks",
                "customer_details": {
                    "email": known["email"],
                    "name": f"{known['first']} {known['last'] or ''}".strip(),
                    "phone": known["phone"],
                    "address": {"city": known["city"], "state": known["state"], "country": known["country"],
                                "postal_code": known["postcode"], "line1": "1 Example Street"},
                },
                "metadata": {"order_id": f"o-{make.count}", "ip": make.ip(), "user_agent": make.random.choice(AGENTS),
                             "fbp": make.fbp()},
                "line_items": {"object": "list", "data": [
                    {"quantity": quantity, "price": {"product": sku, "unit_amount": price}}
                    for sku, _, price, _, quantity in lines
                ]},
            }
        },
    }  # fmt: skip


def storefront(make: Maker) -> dict[str, Any]:
    maker: Callable[[Maker], dict[str, Any]] = make.random.choices([tracked, order, session], [7, 3, 2])[0]
    return maker(make)


def written(kind: Callable[[Maker], dict[str, Any]], seed: int, count: int) -> Iterator[str]:
    """Lines of JSON; a few are broken off, and a few are blank."""
    make = Maker(seed)
    for number in range(count):
        line = json.dumps(kind(make), ensure_ascii=make.chance(3), separators=(",", ":"))
        if number % 500 == 499:
            line = line[: len(line) // 2]
        yield line
        if number % 700 == 699:
            yield ""


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, kind, seed, count in SAMPLES:
        (FOLDER / name).write_text("".join(f"{line}\n" for line in written(kind, seed, count)), encoding="utf-8")


SAMPLES: list[tuple[str, Callable[[Maker], dict[str, Any]], int, int]] = [
    ("waitlist.jsonl", waitlist, 11, 2000),
    ("storefront.jsonl", storefront, 12, 2400),
]

if __name__ == "__main__":
    main()
