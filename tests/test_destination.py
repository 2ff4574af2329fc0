"""Destination files: Meta's own, those that extend it, those that stand alone, and those that are refused."""

from __future__ import annotations

import hmac
import json
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mapper
from mapper.destinations import declared
from mapper.destinations.declaration import FILE_RULES
from mapper.destinations.destination import bundled_destinations, load_destination
from mapper.destinations.fields import KINDS
from mapper.destinations.request import PATH_FORMATS, Setting
from mapper.documents import document, schema
from mapper.errors import MappingError
from mapper.showing import printable

SPECS = Path(__file__).parent / "specs"
VALUES = {"PIXEL_ID": "1234567890", "ACCESS_TOKEN": "secret-token", "API_VERSION": "v25.0"}


def spec(name: str) -> Any:
    return document.read(SPECS / name).value


def write(folder: Path, text: str, name: str = "acme.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


EXTENSION = """
destination: shop
extends: meta
title: Meta, as our shop uses it
fields:
  custom_data:
    fields:
      loyalty_tier: {label: Loyalty tier, allowed: [gold, silver], about: Our own.}
  opt_out: null
rules:
  M15: {level: error}
  SHOP1:
    title: Purchases have order numbers
    source: https://shop.example/rules
    parts:
      - {when: {event_name: Purchase}, require: [custom_data.order_id], message: "a purchase needs {path}"}
batch: {max_events: 200}
request: {proof: null, token: {in: header}}
"""

OWN = """
destination: acme
title: Acme Analytics
settings:
  SITE: {env: ACME_SITE, format: word, required: true}
  KEY: {env: ACME_KEY, format: token, secret: true, required: true}
request:
  url: https://collect.acme.example/v1/{SITE}
  events: events
  token: {setting: KEY, in: header, header: X-Key}
batch: {max_events: 25, whole: false}
roles: {name: name}
fields:
  name: {required: true}
  email: {hash: sha256, clean: email}
responses:
  accepted: {status: 200, where: {code: [0, 20001]}}
  error: {code: code, message: [message]}
  table:
    - {code: 40100, means: throttled, wait: 10 s}
    - {code: present, means: refused, reason: invalid}
"""


# -- Meta -----------------------------------------------------------------------------------------------------------


def test_the_bundled_files_keep_their_own_format() -> None:
    for name in bundled_destinations():
        declared._check(document.read(declared.BUNDLED / f"{name}.yaml"))
        assert load_destination(name).name == name


def test_meta_declares_every_documented_parameter_with_its_type_and_hashing() -> None:
    meta = load_destination("meta")
    for place, kinds in spec("destination/parameters.yaml").items():
        if place == "about":
            continue
        prefix = "" if place in ("event", "envelope") else place + "."
        fields = meta.envelope if place == "envelope" else meta.fields
        for kind, names in kinds.items():
            for word in names.split():
                field = fields[prefix + word.rstrip("*")]
                assert field.many == word.endswith("*"), field.path
                assert (field.hash == "sha256") == (kind == "hashed"), field.path
                assert field.kind == {"hashed": "text", "never": "text"}.get(kind, kind), field.path
                assert place != "user_data" or field.never_hash or field.hash, field.path
        said = {word.rstrip("*") for names in kinds.values() for word in names.split()}
        above = meta.root if not prefix else meta.fields[place]
        children = set(meta.envelope if place == "envelope" else above.children or {})
        assert children == said, place


def test_every_parameter_says_what_it_is_and_where_that_stands() -> None:
    meta = load_destination("meta")
    for field in meta.fields.values():
        assert field.about, field.path
        assert field.source.startswith("https://"), field.path
        assert field.label, field.path
        assert field.section, field.path
        assert field.kind in KINDS
        assert field.is_leaf == (field.kind not in ("object", "list"))
    for event in meta.standard_events.values():
        assert event.about
        assert event.source.startswith("https://")
    for rule in meta.rules:
        assert rule.title
        assert rule.remedy or rule.kind == "fields", rule.id
        assert rule.source.startswith("https://"), rule.id
        assert all(path in meta.fields for path in rule.paths), rule.id
    assert sorted(meta.severities) == [f"M{i:02}" for i in range(1, 23)]


def test_labels_of_the_setup_page_lead_to_events_and_parameters() -> None:
    meta, labels = load_destination("meta"), spec("destination/labels.yaml")
    for text, name in labels["events"].items():
        assert meta.event_named(text) == name
    by_label = {
        label.casefold(): path
        for path, field in reversed(list(meta.fields.items()))
        for label in field.labels
        if field.section in ("event", "customer", "custom")
    }
    for text, path in labels["parameters"].items():
        assert by_label[text.casefold()] == path


def test_no_two_parameters_of_a_section_have_the_same_label() -> None:
    seen: dict[tuple[str, str], str] = {}
    for field in load_destination("meta").fields.values():
        for label in {label.casefold() for label in field.labels}:
            assert seen.setdefault((field.section, label), field.path) == field.path, label


def test_ages_and_the_last_moment() -> None:
    meta = load_destination("meta")
    assert meta.max_age({}) == 7 * 86_400
    assert meta.max_age({"action_source": "physical_store"}) == 62 * 86_400
    assert meta.expires({"event_time": 1000}) == 1000 + 7 * 86_400
    assert meta.expires({"event_time": "1000"}) is None
    appended = {
        "event_time": 500_000,
        "event_name": "AppendAttribution",
        "original_event_data": {"event_time": 400_000},
    }
    assert meta.expires(appended) == 400_000 + 48 * 3600
    assert (meta.margin, meta.future) == (300, 60)


def test_roles_limits_and_the_envelope() -> None:
    meta = load_destination("meta")
    assert (meta.roles.name, meta.roles.id, meta.roles.time) == ("event_name", "event_id", "event_time")
    assert meta.limited["data_processing_options"] == ["LDU"]
    assert meta.envelope_key == "data"
    assert (meta.batch.max_events, meta.batch.whole) == (1000, True)
    assert meta.checks["not-hashed"] == "M14"


def test_a_parameter_is_found_by_its_path_and_free_keys_are_parameters_too() -> None:
    meta = load_destination("meta")
    assert (meta.field("user_data.em") or meta.root).hash == "sha256"
    free = meta.field("custom_data.loyalty_tier")
    assert free is not None
    assert free.kind == "any"
    assert free.preparer()("gold", None) == "gold"
    assert meta.field("custom_data.contents.colour") is not None
    assert meta.field("user_data.email") is None
    assert meta.field("custom_data.mileage.value") is meta.fields["custom_data.mileage.value"]
    assert meta.suggest("user_data.mail") == "user_data.em" or meta.suggest("user_data.emm") == "user_data.em"
    assert meta.suggest("qqq") == ""


def test_levels_are_set_by_id() -> None:
    meta = load_destination("meta")
    other = meta.with_levels({"M15": "error", "M17": "off"})
    assert {rule.level for rule in other.rules if rule.id == "M15"} == {"error"}
    assert not [rule for rule in other.rules if rule.id == "M17"]
    assert (other.level("M15"), other.level("M17"), meta.level("M17")) == ("error", None, "warning")
    assert other.fingerprint != meta.fingerprint
    with pytest.raises(KeyError):
        meta.with_levels({"M99": "error"})


def test_a_destination_is_read_once_and_never_changes() -> None:
    meta = load_destination("meta")
    assert load_destination("meta") is meta
    with pytest.raises(FrozenInstanceError):
        meta.name = "other"  # type: ignore[misc]


# -- files of one's own -----------------------------------------------------------------------------------------------


def test_a_file_may_change_another(tmp_path: Path) -> None:
    write(tmp_path, EXTENSION, "destinations/shop.yaml")
    shop = load_destination("shop", near=tmp_path / "mapping.yaml")
    assert shop.title == "Meta, as our shop uses it"
    assert shop.fields["custom_data.loyalty_tier"].allowed == ("gold", "silver")
    assert "opt_out" not in shop.fields
    assert "user_data.em" in shop.fields
    assert shop.severities["M15"] == "error"
    assert [rule.level for rule in shop.rules if rule.id in ("M15", "SHOP1")] == ["error", "error"]
    assert (shop.batch.max_events, shop.batch.whole) == (200, True)
    assert shop.request.proof is None
    assert shop.request.prepare(VALUES).headers["Authorization"] == "Bearer secret-token"
    assert shop.request.url == load_destination("meta").request.url
    assert shop.fingerprint != load_destination("meta").fingerprint


def test_a_file_beside_the_mapping_may_stand_in_for_a_bundled_one(tmp_path: Path) -> None:
    write(tmp_path, "destination: meta\nextends: meta\nbatch: {max_events: 7}\n", "destinations/meta.yaml")
    assert load_destination("meta", near=tmp_path).batch.max_events == 7
    assert load_destination("meta").batch.max_events == 1000


def test_a_file_may_stand_alone(tmp_path: Path) -> None:
    acme = load_destination(str(write(tmp_path, OWN)))
    request = acme.request.prepare({"SITE": "shop", "KEY": "k"})
    assert (request.url, request.query) == ("https://collect.acme.example/v1/shop", {})
    assert request.headers["X-Key"] == "k"
    assert request.body([b'{"name":"a"}']) == b'{"events":[{"name":"a"}]}'
    assert acme.answer(200, b'{"code": 0}', 1).meaning == "accepted"
    assert acme.answer(200, b'{"code": 40100}', 1).meaning == "throttled"
    refused = acme.answer(200, b'{"code": 40002, "message": "bad"}', 1)
    assert (refused.meaning, refused.code, refused.message) == ("refused", "40002", "bad")
    assert acme.answer(200, b"no", 1).meaning == "retry"
    assert acme.answer(418, b"{}", 1).unclear
    assert (acme.max_age({}), acme.expires({})) == (None, None)


def test_paths_are_relative_to_the_mapping(tmp_path: Path) -> None:
    write(tmp_path / "sub", OWN, "own.yaml")
    assert load_destination("sub/own.yaml", near=tmp_path / "mapping.yaml").name == "acme"
    write(tmp_path, "destination: acme\nextends: sub/own.yaml\ntitle: Other\n", "other.yaml")
    assert load_destination("other.yaml", near=tmp_path).title == "Other"


@pytest.mark.parametrize("named", ["../own.yaml", "inside.yaml", "linked.yaml"])
def test_a_mapping_reads_no_destination_outside_its_folder(named: str, tmp_path: Path) -> None:
    outside = write(tmp_path, OWN, "own.yaml")
    write(tmp_path / "m", "destination: acme\nextends: ../own.yaml\n", "inside.yaml")
    (tmp_path / "m" / "linked.yaml").symlink_to(outside)
    with pytest.raises(MappingError) as caught:
        load_destination(named, near=tmp_path / "m")
    assert caught.value.problems[0].code == "outside"
    assert load_destination(tmp_path / "m" / "inside.yaml").name == "acme"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "169.254.169.254",
        "localhost",
        "[::1]",
        "a@b.example",
        "b.example:22",
        "B.example",
        "bücher.example",
    ],
)
def test_an_address_names_its_host_plainly(host: str, tmp_path: Path) -> None:
    path = write(tmp_path, OWN.replace("collect.acme.example", host))
    with pytest.raises(MappingError) as caught:
        load_destination(path)
    assert [one.code for one in caught.value.problems] == ["bad-url"]


@pytest.mark.parametrize("name", ["mets", "nowhere/meta.yaml", "../meta.yaml"])
def test_a_destination_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        load_destination(name, near=tmp_path)
    assert caught.value.problems[0].code == "unknown-destination"
    assert "meta" in caught.value.problems[0].hint


def test_files_that_extend_each_other(tmp_path: Path) -> None:
    write(tmp_path, "destination: a\nextends: b.yaml\n", "a.yaml")
    write(tmp_path, "destination: b\nextends: a.yaml\n", "b.yaml")
    with pytest.raises(MappingError, match=r"a\.yaml -> b\.yaml -> a\.yaml"):
        load_destination("a.yaml", near=tmp_path)


@pytest.mark.parametrize("case", spec("destination/refused.yaml")["cases"], ids=lambda case: case["title"])
def test_what_is_wrong_is_said_with_its_place(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        load_destination(str(write(tmp_path, case["file"])))
    said = [f"{p.span.line}:{p.span.column} {p.code}" for p in caught.value.problems]
    assert sorted(said) == sorted(case["problems"])
    assert all(p.message and p.span.file.endswith("acme.yaml") for p in caught.value.problems)


def test_every_key_of_the_format_says_what_it_means() -> None:
    def check(rules: dict[str, Any]) -> None:
        for key, rule in rules.items():
            assert rule["meta"]["about"].endswith((".", ":", "s")), key
            inner = rule.get("schema")
            if rule.get("type") == "dict" and inner:
                check(inner)

    check(FILE_RULES)
    assert schema.check(document.load("destination: a\n", "a.yaml"), FILE_RULES) == []


# -- requests ------------------------------------------------------------------------------------------------


def test_a_request_as_documented() -> None:
    request = load_destination("meta").request.prepare(VALUES, test_code="TEST1")
    assert (request.method, request.url) == ("POST", "https://graph.facebook.com/v25.0/1234567890/events")
    assert request.query == {"access_token": "secret-token"}
    body = json.loads(request.body([b'{"event_name":"Lead"}', b"{}"]))
    assert body == {"data": [{"event_name": "Lead"}, {}], "test_event_code": "TEST1"}


@pytest.mark.parametrize(
    ("place", "query", "header", "body"),
    [
        ("query", {"access_token": "secret-token"}, None, {"data": []}),
        ("header", {}, "Bearer secret-token", {"data": []}),
        ("body", {}, None, {"data": [], "access_token": "secret-token"}),
    ],
)
def test_the_token_goes_where_one_wants(
    place: str, query: dict[str, str], header: str | None, body: dict[str, Any]
) -> None:
    request = load_destination("meta").request.prepare(VALUES, token_in=place)
    assert request.query == query
    assert request.headers.get("Authorization") == header
    assert json.loads(request.body([])) == body
    assert "secret-token" not in repr(request) + request.url


def test_a_proof_of_the_app_secret_and_another_host() -> None:
    request = load_destination("meta").request.prepare(
        {**VALUES, "APP_SECRET": "app"}, base="http://127.0.0.1:8080/", envelope={"partner_agent": "x"}
    )
    assert request.url == "http://127.0.0.1:8080/v25.0/1234567890/events"
    expected = hmac.new(b"app", b"secret-token", "sha256").hexdigest()
    assert request.query["appsecret_proof"] == expected
    assert json.loads(request.body([]))["partner_agent"] == "x"
    with pytest.raises(ValueError, match="query, header, body"):
        load_destination("meta").request.prepare(VALUES, token_in="cookie")


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        ("PIXEL_ID", "123456789012345", True),
        ("PIXEL_ID", "1/../me", False),
        ("PIXEL_ID", "1?x=", False),
        ("PIXEL_ID", "1#", False),
        ("PIXEL_ID", "1\r\n", False),
        ("PIXEL_ID", "１２３", False),
        ("PIXEL_ID", "", False),
        ("API_VERSION", "v25.0", True),
        ("API_VERSION", "v24.0/../", False),
        ("API_VERSION", "27.0", False),
        ("ACCESS_TOKEN", "EAAB123|x-y_z", True),
        ("ACCESS_TOKEN", "EAAB\n", False),
        ("ACCESS_TOKEN", "EA AB", False),
        ("ACCESS_TOKEN", "EAÄB", False),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_without_being_shown(name: str, value: str, fine: bool) -> None:
    problem = load_destination("meta").settings[name].problem(value)
    assert (problem == "") == fine
    if problem:
        assert problem.startswith(f"META_{name} ")
        assert not value.strip() or value not in problem


def test_formats_that_may_stand_in_an_address() -> None:
    for name in PATH_FORMATS:
        assert Setting("X", "X", name).problem("../x")
        assert Setting("X", "X", name).problem("a b")


# -- answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "is_old"), [("v9.0", True), ("v20.0", True), ("v21.0", False), ("v100.1", False)])
def test_a_version_out_of_service_can_be_used_and_is_doubted(version: str, is_old: bool) -> None:
    setting = load_destination("meta").settings["API_VERSION"]
    assert setting.problem(version) == ""
    assert (version in setting.doubt(version)) == is_old


def test_a_secret_of_another_destination_is_noticed_in_a_mapping(tmp_path: Path) -> None:
    """How it looks, and which variable it belongs into, is the destination's to say."""
    (tmp_path / "own.yaml").write_text(
        "destination: own\nextends: meta\nsettings:\n"
        "  ACCESS_TOKEN: {env: OWN_KEY, format: token, secret: true, begins: own-live_}\n"
    )
    path = tmp_path / "m.yaml"
    path.write_text("version: 1\ndestination: own.yaml\nx-key: own-live_0123456789abcdefghij\nevents: {}\n")
    with pytest.raises(MappingError) as refused:
        mapper.load(path)
    (found,) = [one for one in refused.value.problems if one.code == "secret-in-file"]
    assert found.span.line == 3
    assert "environment (OWN_KEY)" in found.hint
    assert "0123456789" not in str(refused.value)


@pytest.mark.parametrize("case", spec("answers/meta.yaml")["cases"], ids=lambda case: case["title"])
def test_an_answer_is_understood(case: dict[str, Any]) -> None:
    text = case["text"] if "text" in case else json.dumps(case["body"])
    answer = load_destination("meta").answer(case["status"], text.encode(), 2, case.get("headers"))
    assert answer.status == case["status"]
    told = {
        "means": answer.meaning,
        "trace": answer.trace_id,
        "messages": list(answer.messages),
        "culprits": list(answer.culprits),
        **{
            key: getattr(answer, key)
            for key in ("reason", "code", "message", "unclear", "retry_after", "tries", "then")
        },
        "usage": answer.usage,
    }
    for key, value in case.items():
        if key not in ("title", "status", "body", "text", "headers"):
            assert told[key] == value, key
    if "unclear" not in case:
        assert not answer.unclear


def test_no_answer_at_all() -> None:
    answers = load_destination("meta").answers
    assert (answers.lost(written=False).meaning, answers.lost(written=False).unclear) == ("retry", False)
    assert (answers.lost(written=True).meaning, answers.lost(written=True).unclear) == ("retry", True)


def test_an_answer_without_end_is_not_believed() -> None:
    body = b'{"events_received": 1, "x": "' + b"a" * (1 << 20) + b'"}'
    assert load_destination("meta").answer(200, body, 1).meaning == "retry"
    deep = b'{"error":' + b"[" * 100_000
    assert load_destination("meta").answer(400, deep, 1).meaning in ("stop", "retry")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["message", "code", "error_subcode", "is_transient", "error_data", "fbtrace_id"]


@settings(max_examples=150, deadline=None)
@given(
    status=st.integers(100, 599),
    error=JSON | st.dictionaries(st.sampled_from(KEYS), JSON),
    received=JSON,
    usage=st.text(max_size=20) | JSON.map(json.dumps),
)
def test_whatever_comes_is_given_a_meaning_and_shown_on_one_line(
    status: int, error: Any, received: Any, usage: str
) -> None:
    body = json.dumps({"error": error, "events_received": received, "fbtrace_id": error}).encode()
    headers = {"X-App-Usage": usage, "Retry-After": usage, "Date": usage}
    answer = load_destination("meta").answer(status, body, 3, headers)
    if answer.meaning == "accepted":
        assert (status, received, error) == (200, 3, None)
        assert received is not True
    for text in (answer.message, answer.trace_id, *answer.messages):
        assert len(text) <= 300
        assert text.isprintable()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400))
def test_foreign_text_is_shown_short_and_printable(text: str) -> None:
    shown = printable(text, 50)
    assert len(shown) <= 50
    assert shown.isprintable()
