"""Events that Meta's own Python SDK builds from the same inputs carry the same hashes.

Left out are inputs of which the SDK makes something else than Meta's pages, or than Meta's Parameter Builder, do:

- names with punctuation or blanks inside (the SDK keeps them; the pages say: no punctuation)
- cities with accents or digits (it keeps the one and deletes the other), and states written out (no abbreviation)
- phone numbers with dots or an extension (it raises), and without a country code
- postal codes of another country in the United States (only five characters of those are hashed)
- countries that are not two letters (it raises)
- external ids (it does not hash them)
- lists: it forgets their order, so they are compared as sets
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.user_data import UserData

import mapper

from .answering import NOW

HASHED = {"em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"}
MAPPING = """\
version: 1
destination: meta
events:
  Purchase:
    parameters:
      event_time: "{{ at }}"
      event_id: "{{ id }}"
      action_source: website
      event_source_url: "{{ url }}"
      user_data:
        em: "{{ emails }}"
        ph: "{{ phones }}"
        fn: "{{ first }}"
        ln: "{{ last }}"
        ge: "{{ gender }}"
        db: "{{ born }}"
        ct: "{{ city }}"
        st: "{{ state }}"
        zp: "{{ zip }}"
        country: "{{ country }}"
        client_user_agent: "{{ agent }}"
        client_ip_address: "{{ ip }}"
        fbp: "{{ fbp }}"
        subscription_id: "{{ subscription }}"
      custom_data: {currency: "{{ currency }}", value: "{{ value }}", order_id: "{{ id }}"}
"""
FIRST = ["Jane", "ADA", "José", "Zoë", "Siân", "Noor", "Đorđe", "Łukasz", "Øystein", "정", "花子", "Ægir"]
LAST = ["Lovelace", "SMITH", "Müller", "Wójcik", "Russo", "Tremblay", "Lefèvre", "Gonçalves", "김", "山田", "Ng"]
CITIES = ["New York", "St. Louis", "Saint-Denis", "BERLIN", "Port of Spain", "Rio", "Los Angeles", "York"]
STATES = ["CA", "ny", " TX ", "Wa", "bc", "qc", "BY"]
ZIPS = ["94025", "10001-1234", "SW1A 1AA", "80331", " 75001 ", "m5v3l9", "00950"]
COUNTRIES = ["US", "de", "Gb", "fr", "BR", "jp", "CA"]
PHONES = ["+1 212 555 {:04}", "1-212-555-{:04}", "+1 (212) 555-{:04}", "+44 20 7946 {:04}", "+49 301 555{:04}"]
MAILS = ["Person.{}@Example.com", " jane+{}@mail.example.co.uk ", "o_{}@EXAMPLE.org", "a-{}@sub-domain.example.io"]


def some(make: random.Random, chances: float, choose: Callable[[], Any]) -> Any:
    return choose() if make.random() < chances else None


def customer(number: int) -> dict[str, Any]:
    """A record of somebody who bought something; parts are missing, and there may be several addresses."""
    make = random.Random(number)
    country = some(make, 0.9, lambda: make.choice(COUNTRIES))
    zips = [code for code in ZIPS if code[0].isdigit()] if country == "US" else ZIPS
    phones = [make.choice(PHONES).format(make.randrange(10_000)) for _ in range(make.choice([1, 1, 1, 2]))]
    return {
        "at": int(NOW) - make.randrange(1, 500_000),
        "id": f"order-{number}",
        "url": f"https://shop.example/{number}",
        "emails": [make.choice(MAILS).format(number) for _ in range(make.choice([1, 1, 2, 3]))],
        "phones": some(make, 0.8, lambda: phones),
        "first": some(make, 0.9, lambda: make.choice([" ", ""]) + make.choice(FIRST)),
        "last": some(make, 0.9, lambda: make.choice(LAST) + make.choice(["\n", ""])),
        "gender": some(make, 0.5, lambda: make.choice(["f", "m"])),
        "born": some(
            make, 0.5, lambda: f"{make.randrange(1930, 2005)}{make.randrange(1, 13):02}{make.randrange(1, 29):02}"
        ),
        "city": some(make, 0.8, lambda: make.choice(CITIES)),
        "state": some(make, 0.7, lambda: make.choice(STATES)),
        "zip": some(make, 0.8, lambda: make.choice(zips)),
        "country": country,
        "agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "ip": f"203.0.113.{make.randrange(1, 255)}",
        "fbp": some(make, 0.5, lambda: f"fb.1.1772361400000.{make.randrange(10**9)}"),
        "subscription": some(make, 0.3, lambda: f"sub-{number}"),
        "currency": make.choice(["EUR", "usd", "GBP"]),
        "value": make.randrange(100_000) / 100,
    }


def by_sdk(record: dict[str, Any]) -> dict[str, Any]:
    """The event as the SDK's documentation builds it."""
    gender = {"f": Gender.FEMALE, "m": Gender.MALE, None: None}[record["gender"]]
    user = UserData(
        emails=record["emails"],
        phones=record["phones"],
        first_name=record["first"],
        last_name=record["last"],
        gender=gender,
        date_of_birth=record["born"],
        city=record["city"],
        state=record["state"],
        zip_code=record["zip"],
        country_code=record["country"],
        client_user_agent=record["agent"],
        client_ip_address=record["ip"],
        fbp=record["fbp"],
        subscription_id=record["subscription"],
    )
    custom = CustomData(currency=record["currency"], value=record["value"], order_id=record["id"])
    event = Event(
        event_name="Purchase",
        event_time=record["at"],
        event_id=record["id"],
        event_source_url=record["url"],
        user_data=user,
        custom_data=custom,
    )
    made: dict[str, Any] = event.normalize()
    return made


def as_sets(user: dict[str, Any]) -> dict[str, Any]:
    """Lists as sets, and one value as a set of one."""
    return {
        key: frozenset(value if isinstance(value, list) else [value]) if key in HASHED else value
        for key, value in user.items()
    }


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> mapper.Program:
    path = tmp_path_factory.mktemp("sdk") / "m.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return mapper.load(path)


@pytest.mark.parametrize("number", range(240))
def test_both_build_the_same_event(number: int, program: mapper.Program) -> None:
    record = customer(number)
    result = program.map(record, NOW)
    assert not result.problems
    ours, theirs = result.events[0].parameters, by_sdk(record)
    assert as_sets(ours.pop("user_data")) == as_sets(theirs.pop("user_data"))
    assert ours.pop("action_source") == "website"
    theirs["custom_data"]["currency"] = theirs["custom_data"]["currency"].upper()
    assert ours == theirs


def test_they_are_varied(program: mapper.Program) -> None:
    keys = {frozenset(program.map(customer(number), NOW).events[0].parameters["user_data"]) for number in range(240)}
    assert len(keys) > 60
    assert frozenset.union(*keys) >= HASHED
