"""`mapper check --sample`: what records give, what stays empty and why, and what nobody reads."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import mapper
from mapper.authoring.coverage import Coverage, cover
from mapper.cli.coverage import show
from mapper.cli.coverage_page import as_html

from .conftest import NOW, SMALL
from .test_cli import run

Compile = Callable[..., mapper.Program]
GOOD: dict[str, Any] = {
    "type": "lead", "at": NOW - 60, "id": "a", "email": "jane@example.com", "url": "https://a.example/",
    "agent": "M", "ip": "203.0.113.7", "customer": {"phone_number": "1", "notes": "x"},
}  # fmt: skip


def covered(program: mapper.Program, *records: Any) -> Coverage:
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return cover(program, [(line, NOW, 0) for line in lines])


def test_how_often_each_parameter_comes_out(compiled: Compile) -> None:
    found = covered(
        compiled(),
        GOOD,
        {**GOOD, "ip": None},
        {**GOOD, "email": "nonsense"},
        {key: value for key, value in GOOD.items() if key != "email"},
        {**GOOD, "at": 1},
        {"type": "other"},
        b"not json",
    )
    assert (found.records, found.mapped, found.ignored, found.dead) == (7, 2, 1, 4)
    event = found.events["Lead"]
    assert (event.made, event.refused) == (2, 3)
    email = event.parameters["user_data.em"]
    assert (email.filled, email.empty, email.required) == (3, 2, True), "also in the event that is too old"
    assert dict(email.missing) == {"email": 1}
    assert dict(email.unusable) == {"bad-email": 1}
    ip = event.parameters["user_data.client_ip_address"]
    assert (ip.filled, ip.empty, dict(ip.missing)) == (4, 1, {"ip": 1}), "also in events that lack something else"
    assert event.parameters["action_source"].literal
    assert event.parameters["event_time"].filled == 5, "it has a value, though it is too old"
    assert {reason.code for reason in event.reasons} == {"missing", "bad-email", "too-old"}
    assert [reason.code for reason in found.reasons if not reason.event] == ["not-json"]


def test_an_expression_that_fails_and_an_event_for_each_item(compiled: Compile) -> None:
    loop = SMALL.replace("    when:", "    for: item in items\n    when:").replace("{{ email }}", "{{ item.email }}")
    found = covered(
        compiled(loop.replace("{{ ip }}", "{{ ip | int }}")),
        {**GOOD, "ip": None, "items": [{"email": "a@b.example"}, {"email": ""}, {"email": "c@d.example"}]},
        {**GOOD, "ip": "none", "items": {"email": "a@b.example"}},
    )
    event = found.events["Lead"]
    assert (event.made, event.refused) == (2, 2)
    email, ip = event.parameters["user_data.em"], event.parameters["user_data.client_ip_address"]
    assert (email.filled, email.empty) == (2, 1), "nothing is known of the others of an event whose expression fails"
    assert (ip.filled, ip.empty, dict(ip.unusable)) == (0, 4, {"not-a-number": 1})


def test_fields_that_no_record_has_and_their_nearest(compiled: Compile) -> None:
    found = covered(
        compiled(SMALL.replace("{{ email }}", "{{ customer.phonenumber }}").replace("{{ ip }}", "{{ xyz }}")), GOOD
    )
    assert found.unknown == {"customer.phonenumber": "customer.phone_number", "xyz": ""}


def test_a_name_that_is_part_of_another_is_near_it(compiled: Compile) -> None:
    names = {"{{ email }}": "{{ firstemail }}", "{{ ip }}": "{{ phone }}", "{{ agent }}": "{{ ua }}"}
    text = SMALL
    for known, other in names.items():
        text = text.replace(known, other)
    assert covered(compiled(text), GOOD).unknown == {
        "firstemail": "email",
        "phone": "customer.phone_number",
        "ua": "",
    }


def test_fields_that_look_useful_and_nobody_reads(compiled: Compile) -> None:
    found = covered(compiled(), GOOD, {**GOOD, "items": [{"sku": "a"}, {"sku": "b"}]})
    assert found.unread == {"customer.phone_number": 2, "items.sku": 1}


def test_without_records_nothing_is_said_of_fields(compiled: Compile) -> None:
    found = covered(compiled())
    assert found.unknown == {}
    assert found.unread == {}
    assert "0 records read" in show(found, width=80, colour=False)


def test_records_of_any_shape(compiled: Compile) -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = {"a": [deep]}
    odd = [b"[]", b"1", b'"x"', b"null", json.dumps(deep).encode(), b"[" * 50_000, b"\xff", b'{"a": 1e999}']
    found = covered(compiled(), *odd)
    assert found.records == len(odd)
    assert found.records == found.mapped + found.ignored + found.dead


def test_no_value_of_a_record_is_kept(compiled: Compile) -> None:
    secret = "jane.sentinel"
    found = covered(compiled(), {**GOOD, "email": f"{secret}@", "agent": secret, "id": secret, "at": secret})
    told = show(found, width=100, colour=False) + as_html(found, "m.yaml") + json.dumps(found.as_dict())
    assert secret not in told


def test_a_page_escapes_what_it_shows(compiled: Compile) -> None:
    evil = "<script>alert(1)</script>"
    found = covered(compiled(SMALL.replace("{{ email }}", f"{{{{ record['{evil}'] }}}}")), {**GOOD, f"email{evil}": 1})
    page = as_html(found, f"{evil}.yaml")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_page_allows_nothing_but_its_own_style(compiled: Compile) -> None:
    page = as_html(covered(compiled(), GOOD), "m.yaml")
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{allowed}'" in page
    assert " style=" not in page


TABLE = """\
        2 records read = 1 mapped + 0 ignored + 1 dead

Lead: 1 made, 1 refused
  parameter                    filled              when it is empty
  ────────────────────────────────────────────────────────────────────────────────────────
* event_time                     100%  ██████████
  event_id                       100%  ██████████
  action_source                always  ██████████
* event_source_url               100%  ██████████
* user_data.em                    50%  █████░░░░░  no email (1)
* user_data.client_user_agent    100%  ██████████
  user_data.client_ip_address      0%  ░░░░░░░░░░  it is an address inside a network, not
                                                   the visitor's own (2)

Refused:
        1  user_data.em is required and empty: the record has no email [missing]
           m.yaml:13:13

Search: no record is meant for it
  when: type == 'search'

* required: without it the event is not sent
"""


SEARCH = """\
  Search:
    when: type == 'search'
    parameters:
      event_time: "{{ at }}"
      action_source: website
      event_source_url: "{{ url }}"
      user_data: {em: "{{ email }}", client_user_agent: M}
"""


def test_a_table_that_a_person_can_read(compiled: Compile) -> None:
    program = compiled(SMALL + SEARCH)
    found = covered(program, {**GOOD, "ip": "10.0.0.1"}, {**GOOD, "email": None, "ip": "10.0.0.1"})
    shown = show(found, width=90, colour=False).replace(program.files[0], "m.yaml")
    assert shown.partition("\nLeft out")[0] == TABLE
    for width in (40, 60, 80, 120, 200):
        lines = show(found, width=width, colour=False).splitlines()
        assert all(len(line) <= max(width, 60) or "m.yaml" in line for line in lines)
        assert any(line.startswith("* user_data.client_user_agent ") for line in lines), "names are never cut"
    coloured = show(found, width=80, colour=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured).split() == show(found, width=80, colour=False).split()


def test_records_of_last_year_are_tried_as_on_their_own_day(compiled: Compile, tmp_path: Path) -> None:
    compiled()
    (tmp_path / "r.jsonl").write_text(json.dumps(GOOD))
    old = run("check", "m.yaml", "--sample", "r.jsonl", cwd=tmp_path)
    assert b"0 mapped" in old.stdout
    assert b"--now" in old.stderr
    day = datetime.fromtimestamp(NOW, UTC).isoformat()
    found = run("check", "m.yaml", "--sample", "r.jsonl", "--now", day, cwd=tmp_path)
    assert b"1 mapped" in found.stdout
    assert b"--now" not in found.stderr
    for now in ("yesterday", "1772366400000", "-1"):
        wrong = run("check", "m.yaml", "--sample", "r.jsonl", "--now", now, cwd=tmp_path)
        assert (wrong.returncode, b"Write a time" in wrong.stderr) == (2, True)
    for more in (["--now", day], ["--sample", "r.jsonl", "--format", "github"]):
        assert run("check", "m.yaml", *more, cwd=tmp_path).returncode == 2


def test_the_command(compiled: Compile, tmp_path: Path) -> None:
    compiled()
    (tmp_path / "r.jsonl").write_text(json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "email": None}))
    found = run("check", "m.yaml", "--sample", "r.jsonl", cwd=tmp_path)
    text = found.stdout.decode()
    assert "2 records read" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text
    as_json = json.loads(run("check", "m.yaml", "--sample", "r.jsonl", "--format", "json", cwd=tmp_path).stdout)
    assert as_json["records"]["read"] == 2
    assert as_json["events"][0]["event"] == "Lead"
    page = run("check", "m.yaml", "--sample", "r.jsonl", "--format", "html", cwd=tmp_path).stdout.decode()
    assert page.startswith("<!doctype html>")
    assert run("check", "m.yaml", "--format", "html", cwd=tmp_path).returncode == 2
    assert run("check", "m.yaml", "m.yaml", "--sample", "nowhere", cwd=tmp_path).returncode == 2
