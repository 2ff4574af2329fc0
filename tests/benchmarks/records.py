"""Records for the benchmarks, made with a seed: narrow, wide, many lines, mostly ignored or refused, in all scripts."""

from __future__ import annotations

import json
import random
from typing import Any, Final

NOW: Final = 1_772_366_400
_FIRST: Final = ["Jane", "Ada", "José", "Zoë", "Anna", "Mary", "Robert", "Siân", "Noor", "Jean-Luc"]
_LAST: Final = ["O'Neil", "Lovelace", "García Márquez", "Müller", "Smith", "Wójcik", "Russo", "Tremblay", "Lefèvre"]
_PLACES: Final = [
    ("New York", "NY", "10001-1234", "US"),
    ("Saint Louis", "Missouri", "63101", "us"),
    ("München", "Bayern", "80331", "DE"),
    ("São Paulo", "SP", "01310-100", "Brazil"),
    ("London", "", "SW1A 1AA", "GB"),
]
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def order(make: random.Random, number: int, lines: int = 3) -> dict[str, Any]:
    """An order of about 0.9 kB."""
    city, state, code, country = make.choice(_PLACES)
    items = [
        {"sku": f"SKU-{make.randrange(500)}", "quantity": make.randrange(4), "price_cents": make.randrange(99, 9999)}
        for _ in range(lines)
    ]
    return {
        "type": "order.paid",
        "created_at": NOW - make.randrange(100, 500_000),
        "currency": make.choice(["eur", "usd", "gbp"]),
        "total_cents": make.randrange(100, 99999),
        "customer": {
            "id": f"C-{make.randrange(10**6)}",
            "email": f" Person.{number}@Example.com",
            "phone": f"+1 (212) 555-{make.randrange(1000, 9999)}",
            "first_name": make.choice(_FIRST),
            "last_name": make.choice(_LAST),
            "address": {"city": city, "state": state, "zip": code, "country": country},
        },
        "order": {"id": f"o-{number}", "lines": items, "note": None, "tags": ["web", "summer"]},
        "page": {"url": f"https://shop.example/thanks/{number}", "title": "Thank you"},
        "request": {
            "ip": f"203.0.113.{make.randrange(1, 255)}",
            "user_agent": _AGENT,
            "fbp": f"fb.1.{NOW - 5000}000.{make.randrange(10**9)}",
        },
    }


def _money(make: random.Random) -> dict[str, Any]:
    amount = f"{make.randrange(1, 99999) / 100:.2f}"
    return {
        "shop_money": {"amount": amount, "currency_code": "EUR"},
        "presentment_money": {"amount": amount, "currency_code": "EUR"},
    }


def _buried(make: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    """The same record among 8 kB of what nobody reads, such as shop systems send along with an order."""
    number = make.randrange(10**12)
    for name in ("subtotal", "total_discounts", "total_line_items", "total_price", "total_tax", "total_shipping"):
        record[f"{name}_set"] = _money(make)
    record |= {f"{word}_at": None for word in ("cancelled", "closed", "processed", "updated", "archived", "expires")}
    record |= {f"{word}_id": number + place for place, word in enumerate(("app", "cart", "device", "location", "user"))}
    record["fulfillments"], record["refunds"], record["note_attributes"] = [], [], []
    record["tax_lines"] = [{"title": "VAT", "rate": 0.19, "price_set": _money(make), "channel_liable": None}] * 2
    record["order"]["line_items"] = [
        {
            "id": number + place,
            "admin_graphql_api_id": f"gid://shop/LineItem/{number + place}",
            "fulfillable_quantity": 1,
            "fulfillment_service": "manual",
            "fulfillment_status": None,
            "gift_card": False,
            "grams": make.randrange(1000),
            "name": "A shirt of the summer - blue / M",
            "price_set": _money(make),
            "product_exists": True,
            "properties": [],
            "requires_shipping": True,
            "taxable": True,
            "total_discount_set": _money(make),
            "variant_inventory_management": "shop",
            "vendor": "Somebody",
            "discount_allocations": [],
            "duties": [],
            "tax_lines": [{"title": "VAT", "rate": 0.19, "price_set": _money(make), "channel_liable": None}],
        }
        for place in range(6)
    ]
    record["customer"]["history"] = [{"at": NOW - place, "page": f"/p/{place}", "ms": place * 7} for place in range(20)]
    record["shipping_lines"] = [{"title": "Post", "code": "post", "price_set": _money(make), "carrier": None}]
    return record


def workload(name: str, count: int = 2000, seed: int = 7) -> list[bytes]:
    """Lines of JSON for a workload."""
    make = random.Random(f"{name}-{seed}")
    records = [order(make, number, 200 if name == "many-lines" else 3) for number in range(count)]
    if name == "wide":
        records = [_buried(make, record) for record in records]
    if name == "mostly-ignored":
        for number, record in enumerate(records):
            record["type"] = "order.paid" if number % 20 == 0 else "page.viewed"
    if name == "mostly-refused":
        for number, record in enumerate(records):
            if number % 10:
                record["customer"]["email"] = None
    if name == "unicode-heavy":
        for record in records:
            record["customer"] |= {"first_name": "山田花子", "last_name": "Đặng Thị Ngọc", "note": "über " * 20}
    return [json.dumps(record, ensure_ascii=name != "unicode-heavy").encode() for record in records]


WORKLOADS: Final = ("narrow", "wide", "many-lines", "mostly-ignored", "mostly-refused", "unicode-heavy")
