"""The pages about destinations: their tables are what the declarations say, and every example is a destination."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mapper.destinations.cleaning import declare
from mapper.destinations.destination import Destination, load_destination
from mapper.destinations.payload import sample_event
from mapper.destinations.reference import format_reference, reference
from mapper.destinations.validation import validate

DOCS = Path(__file__).parent.parent / "docs"
NOW = 1_760_433_512
MARK = "<!-- generated -->\n"
BLOCKS = re.findall(r"^```yaml destination\n(.*?)^```$", (DOCS / "destinations.md").read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", ["meta.md", "destinations.md"])
def test_the_tables_of_a_page_are_made_from_the_declarations(page: str) -> None:
    path = DOCS / page
    prose, _, written = path.read_text("utf-8").partition(MARK)
    made = reference(load_destination("meta")) if page == "meta.md" else format_reference()
    if os.environ.get("MAPPER_WRITE_DOCS"):
        path.write_text(f"{prose}{MARK}\n{made.strip()}\n", encoding="utf-8")
        return
    assert written.strip() == made.strip(), "run the tests with MAPPER_WRITE_DOCS=1"


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 2


def example(name: str, folder: Path) -> Destination:
    """The destination of that name on the page."""
    (block,) = (one for one in BLOCKS if one.startswith(f"destination: {name}\n"))
    path = folder / f"{name}.yaml"
    path.write_text(block, encoding="utf-8")
    return load_destination(str(path))


@pytest.mark.parametrize("name", [block.split()[1] for block in BLOCKS])
def test_every_example_is_a_destination(name: str, tmp_path: Path) -> None:
    assert example(name, tmp_path).title


def test_the_shop_of_the_page_wants_order_numbers(tmp_path: Path) -> None:
    shop = example("shop", tmp_path)
    event = sample_event(shop, "Purchase", {"custom_data.loyalty_tier": "gold"}, now=NOW)
    assert validate(shop, event, NOW) == []
    del event["custom_data"]["order_id"], event["event_id"]
    event["custom_data"]["loyalty_tier"] = "tin"
    said = [(one.path, one.rule, one.level) for one in validate(shop, event, NOW)]
    assert said == [
        ("custom_data.loyalty_tier", "M22", "error"),
        ("event_id", "M15", "error"),
        ("custom_data.order_id", "SHOP1", "error"),
    ]


def test_the_service_of_the_page_works_as_described(tmp_path: Path) -> None:
    acme = example("acme", tmp_path)
    order = {"total": 12.5, "currency": "EUR", "note": "mine", "lines": [{"sku": "a", "quantity": 1}]}
    event = {"name": "Bought", "id": "1", "at": NOW, "user": {"email": ["0" * 64]}, "order": order}
    assert validate(acme, event, NOW) == []
    assert [one.rule for one in validate(acme, event, NOW + 4 * 86_400)] == ["A1"]
    assert {one.rule for one in validate(acme, {**event, "order": {}, "x": 1}, NOW)} == {"A2", "A3", "empty-values"}
    request = acme.request.prepare({"SITE": "shop", "KEY": "k"})
    assert (request.url, request.headers["X-Acme-Key"]) == ("https://collect.acme.example/v1/shop/events", "k")
    meanings = [acme.answer(*one, 1).meaning for one in ((200, b'{"code": 0}'), (200, b'{"code": 7}'), (401, b""))]
    assert meanings == ["accepted", "refused", "stop"]


def test_every_cleaning_that_the_page_names_is_one() -> None:
    text = (DOCS / "destinations.md").read_text("utf-8")
    hashed, plain = re.search(r"\(`hash: sha256`\): (.*?)For plain values: (.*?)\. `hash", text, re.S).groups()  # type: ignore[union-attr]
    for name in re.findall(r"`(\w+)`", hashed):
        declare("text", {"clean": name, "hash": "sha256"})
    for name in re.findall(r"`(\w+)`", plain):
        declare("text", {"clean": name})
