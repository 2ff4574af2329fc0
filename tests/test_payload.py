"""The payload helper: what it says of requests from anywhere, and the examples it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.destinations.destination import load_destination
from mapper.destinations.payload import check_payload, commented, sample_event, sample_payload
from mapper.documents import document

from .command import run

SPECS = Path(__file__).parent / "specs" / "payload"
NOW = 1_760_433_512
META = load_destination("meta")
SOURCES = META.fields["action_source"].allowed
MESSAGING = ("Purchase", "InitiateCheckout", "AddToCart", "ViewContent")


@pytest.mark.parametrize("case", document.read(SPECS / "requests.yaml").value["cases"], ids=lambda case: case["title"])
@pytest.mark.parametrize("form", ["text", "bytes"])
def test_a_request_is_judged(case: dict[str, Any], form: str) -> None:
    body = case["text"].encode() if form == "bytes" else case["text"]
    found = check_payload(META, body, NOW, production=case.get("production", False))
    assert [f"{one.level} {one.path} {one.rule}" for one in found] == case["findings"]
    assert all(one.message and one.remedy for one in found)


def test_a_body_may_be_a_dict_and_bytes_may_begin_with_a_mark() -> None:
    body = sample_payload(META, "Lead", now=NOW)
    assert check_payload(META, body, NOW) == []
    assert check_payload(META, b"\xef\xbb\xbf" + json.dumps(body).encode(), NOW) == []
    assert check_payload(META, json.dumps(body).encode("utf-16"), NOW) == []
    assert [one.rule for one in check_payload(META, b"\xff\xfe", NOW)] == ["json"]


def test_a_request_of_a_thousand_events_is_full() -> None:
    event = sample_event(META, "Lead", now=NOW)
    assert check_payload(META, {"data": [event] * 1000}, NOW) == []
    found = check_payload(META, {"data": [event] * 1001}, NOW)
    assert [(one.path, one.rule, one.level) for one in found] == [("data", "M18", "error")]
    assert found[0].message == "1001 events in one request; the most is 1000"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [*META.standard_events, "WaitlistSignupStarted", "AppendAttribution"])
def test_every_example_is_correct_and_complete(name: str, source: str) -> None:
    if source == "business_messaging" and name not in MESSAGING:
        found = check_payload(META, sample_payload(META, name, {"action_source": source}, now=NOW), NOW)
        assert {one.rule for one in found} == {"M06"}
        return
    body = sample_payload(META, name, {"action_source": source}, now=NOW)
    assert check_payload(META, body, NOW, strict=True) == []
    event = body["data"][0]
    assert (event["event_name"], event["action_source"], event["event_time"]) == (name, source, NOW)
    listed = META.standard_events[name].parameters if name in META.standard_events else ()
    assert all(path.split(".")[1] in event["custom_data"] for path in listed)
    assert list(event) == [key for key in META.root.children or {} if key in event]


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram"])
def test_an_example_for_each_channel(channel: str) -> None:
    chosen = {"action_source": "business_messaging", "messaging_channel": channel}
    assert check_payload(META, sample_payload(META, "Purchase", chosen, now=NOW), NOW, strict=True) == []


def test_an_example_keeps_what_it_is_given() -> None:
    event = sample_event(META, "Lead", {"event_id": "mine", "custom_data.tier": "gold"}, now=NOW)
    assert (event["event_id"], event["custom_data"]["tier"]) == ("mine", "gold")
    with pytest.raises(KeyError):
        sample_event(META, "Lead", {"evnt_id": "mine"}, now=NOW)


def test_an_example_for_people_is_the_same_with_comments() -> None:
    body = sample_payload(META, "Purchase", now=NOW)
    text = commented(META, body)
    assert json.loads("\n".join(line.split("  // ")[0] for line in text.splitlines())) == body
    assert check_payload(META, text, NOW, strict=True) == []
    said = [line for line in text.splitlines() if '"id": "sku-1"' in line]
    assert said[0].endswith("// The product's id in your catalogue.")
    assert sum("//" in line for line in text.splitlines()) >= 20


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_no_text_is_too_strange(text: str | bytes) -> None:
    assert check_payload(META, text, NOW)


def test_deep_texts_are_refused() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, "[" * 5000 + "]" * 5000):
        assert check_payload(META, text, NOW)[0].rule in ("json", "M22")


MAPPINGS = Path(__file__).parent.parent / "mappings"


def called(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """`mapper payload` with these arguments: exit code, standard output, standard error."""
    done = run("payload", *arguments, cwd=MAPPINGS, stdin=stdin.encode())
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("form", [(), ("--plain",)])
def test_what_is_printed_can_be_checked(form: tuple[str, ...]) -> None:
    code, printed, _ = called("sample", "add to cart", "--action-source", "app", *form)
    assert (code, '"AddToCart"' in printed) == (0, True)
    assert called("check", "-", "--strict", stdin=printed) == (0, "", "Nothing is wrong with it.\n")


def test_an_example_of_an_event_of_a_mapping_has_what_the_mapping_gives() -> None:
    code, printed, _ = called("sample", "Purchase", "--mapping", "storefront.yaml", "--plain")
    event = json.loads(printed)["data"][0]
    assert code == 0
    assert event["action_source"] == "website"
    assert event["custom_data"]["contents"][0]["id"] == "sku-1"
    assert "ct" in event["user_data"]
    code, _, said = called("sample", "Refund", "--mapping", "storefront.yaml")
    assert code == 2
    assert "storefront.yaml makes no event 'Refund'" in said
    assert "It makes: PageView, " in said


def test_there_is_no_example_of_what_is_refused() -> None:
    code, printed, said = called("sample", "Lead", "--action-source", "business_messaging")
    assert (code, printed) == (2, "")
    assert "there is no correct Lead of this kind" in said
    assert "[M06]" in said
    assert "LeadSubmitted" in said


def test_a_test_code_is_an_error_in_production() -> None:
    body = json.dumps({"test_event_code": "TEST1", **sample_payload(META, "Lead", now=NOW)})
    assert called("check", "-", "--now", str(NOW), stdin=body)[0] == 0
    assert called("check", "-", "--now", str(NOW), "--production", stdin=body)[0] == 1
