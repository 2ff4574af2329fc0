"""The runner of `mapper test`: what it compares, how it says what differs, and what it writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

import mapper
from mapper.authoring.formatting import format_text
from mapper.authoring.rewriting import updated
from mapper.authoring.specs import Outcome, check_tests, mapping_of, run_tests, spec_files
from mapper.documents import document
from mapper.errors import MappingError
from mapper.events.results import REFUSALS

from .conftest import ROOT
from .test_cli import run

SPECS = Path(__file__).parent / "specs" / "tests"
Compile = Callable[..., mapper.Program]

MAPPING = """\
version: 1
destination: meta
ignore: [{when: type == 'internal'}]
events:
  Purchase:
    when: type == 'paid'
    required: [user_data.em]
    parameters:
      event_time: "{{ at }}"
      event_id: "o-{{ id }}"
      action_source: website
      event_source_url: https://shop.example/
      user_data:
        em: "{{ email }}"
        ph: "{{ phone }}"
        fn: "{{ first }}"
        zp: "{{ zip }}"
        country: "{{ country }}"
        client_user_agent: M
        client_ip_address: "{{ ip }}"
      custom_data:
        currency: EUR
        value: "{{ cents / 100 }}"
        gift: "{{ gift }}"
        contents:
          for: sku in skus
          each: {id: "{{ sku }}", quantity: 1}
"""
RECORD = {
    "type": "paid", "at": "2026-03-01T11:59:00Z", "id": 1, "email": "jane@example.com", "phone": "+4930901820",
    "first": "Jane", "zip": "10115", "country": "DE", "ip": "203.0.113.7", "cents": 1999, "gift": True,
    "skus": ["a", "b"],
}  # fmt: skip


def cases(name: str) -> list[Any]:
    found = document.read(SPECS / f"{name}.yaml").value["cases"]
    return [pytest.param(case, id=case["title"]) for case in found]


def with_tests(*tests: dict[str, Any]) -> str:
    """The mapping with tests, in JSON, which is YAML."""
    return MAPPING + "tests:\n" + "".join(f"  - {msgspec.json.encode(test).decode()}\n" for test in tests)


def written(outcome: Outcome) -> list[str]:
    """Differences as text: the message, and what stands at the place."""
    found = []
    for one in outcome.differences:
        line = Path(one.span.file).read_text(encoding="utf-8").split("\n")[one.span.line - 1]
        at = line[one.span.column - 1 : one.span.end - 1]
        found.append(f"{one.message} @ {at}")
    return found


def plain(text: str) -> str:
    """A place as the spec writes it: JSON without its quotes and blanks."""
    head, _, at = text.rpartition(" @ ")
    bare = re.sub('[ "]', "", at)
    return f"{head} @ {bare}"


@pytest.mark.parametrize("case", cases("compared"))
def test_comparisons(case: dict[str, Any], compiled: Compile) -> None:
    record = {"line": case["line"]} if "line" in case else {"record": {**RECORD, **case.get("record", {})}}
    test = {"name": case["title"], "now": "2026-03-01T12:00:00Z", **record, **case["test"]}
    [outcome] = run_tests(compiled(with_tests(test)))
    found = written(outcome)
    if "starts" in case:
        assert len(found) == len(case["starts"])
        assert all(one.startswith(start) for one, start in zip(found, case["starts"], strict=True)), found
    else:
        assert list(map(plain, found)) == list(map(plain, case.get("differences", [])))


@pytest.mark.parametrize("case", cases("declared"))
def test_declarations(case: dict[str, Any], compiled: Compile) -> None:
    program = compiled(with_tests(case["test"]))
    problems = check_tests(program)
    if "codes" in case:
        assert [problem.code for problem in problems] == case["codes"]
    else:
        assert [f"{problem.message} [{problem.code}]" for problem in problems] == case["problems"]
    if any(problem.level == "error" for problem in problems):
        with pytest.raises(MappingError):
            list(run_tests(program))


def test_a_record_may_stand_in_a_file_beside_the_mapping(compiled: Compile, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(RECORD))
    good = {"name": "x", "now": "2026-03-01T12:00:00Z", "record": "r.json", "events": [{"event_id": "o-1"}]}
    [outcome] = run_tests(compiled(with_tests(good)))
    assert outcome.passed
    for name in ("nowhere.json", "../outside.json", "/etc/hostname", "a\0b"):
        program = compiled(with_tests({**good, "record": name}))
        with pytest.raises(MappingError, match="no-such-file"):
            list(run_tests(program))


def test_only_the_tests_that_match(compiled: Compile) -> None:
    program = compiled(with_tests(*({"name": name, "record": {}, "events": []} for name in ("One", "two", "ONE more"))))
    assert [outcome.name for outcome in run_tests(program, match="one")] == ["One", "ONE more"]


SPEC = """\
about: Refunds and the like.
tests:
  - name: beside the mapping
    now: 2026-03-01T12:00:00Z
    record: {type: other}
    ignored: true
"""


def test_tests_beside_the_mapping(compiled: Compile, tmp_path: Path) -> None:
    for name in ("m.spec.yaml", "m.refunds.spec.yaml", "other.spec.yaml"):
        (tmp_path / name).write_text(SPEC)
    program = compiled(MAPPING)
    assert [path.name for path in spec_files(program.files[0])] == ["m.refunds.spec.yaml", "m.spec.yaml"]
    assert mapping_of(tmp_path / "other.spec.yaml").name == "other.yaml"
    outcomes = list(run_tests(program))
    assert [(outcome.passed, Path(outcome.span.file).name) for outcome in outcomes] == [
        (True, "m.refunds.spec.yaml"),
        (True, "m.spec.yaml"),
    ]


def test_a_longer_name_takes_its_tests(compiled: Compile, tmp_path: Path) -> None:
    (tmp_path / "m.eu.yaml").write_text(MAPPING)
    (tmp_path / "m.eu.spec.yaml").write_text(SPEC)
    program = compiled(MAPPING)
    assert spec_files(program.files[0]) == []
    assert len(spec_files(tmp_path / "m.eu.yaml")) == 1


@pytest.mark.parametrize(
    ("text", "code"), [("tests: [", "unclosed-bracket"), ("test: []", "unknown-key"), ("[]", "wrong-type")]
)
def test_a_bad_file_of_tests_is_a_problem(text: str, code: str, compiled: Compile, tmp_path: Path) -> None:
    (tmp_path / "m.spec.yaml").write_text(text)
    assert code in [problem.code for problem in check_tests(compiled(MAPPING))]


BESIDE = """\
tests:
  - name: rewritten          # a comment that stays
    now: 2026-03-01T12:00:00Z
    record: &paid {type: paid, at: 2026-03-01T11:59:00Z, id: 1, email: jane@example.com, cents: 1999, ip: 203.0.113.7}
    events:
      - event_id: 'o-7'      # as quoted
        custom_data: {value: 5, currency: "USD"}
        user_data: {em: john@example.com}
"""


def test_expectations_are_rewritten_and_nothing_else(compiled: Compile, tmp_path: Path) -> None:
    spec = tmp_path / "m.spec.yaml"
    spec.write_text(BESIDE)
    [outcome] = run_tests(compiled(MAPPING))
    assert len(outcome.differences) == 4
    changed = updated(outcome.differences)
    assert changed == {
        str(spec): (
            BESIDE.replace("'o-7'", "o-1")
            .replace("value: 5", "value: 19.99")
            .replace('"USD"', "EUR")
            .replace("john", "jane"),
            4,
        )
    }
    spec.write_text(changed[str(spec)][0])
    [outcome] = run_tests(compiled(MAPPING))
    assert outcome.passed


SNAPSHOT = """\
tests:
  - name: everything          # stays
    now: 2026-03-01T12:00:00Z
    record: r.json
    events: []                # goes down
  - name: refused
    now: 2026-03-08T13:00:00Z
    record: r.json
    problems: [missing]
  - {name: on one line, now: 2026-03-01T12:00:00Z, record: r.json, events: []}
  - name: what is there, and is not
    now: 2026-03-01T12:00:00Z
    record: r.json
    events: [{user_data: {em: null, ct: Berlin}, custom_data: {contents: [{id: a}]}}]
  - name: ignored
    now: 2026-03-01T12:00:00Z
    record: {type: other}
    ignored: rule
"""


def test_what_came_out_is_written_down(compiled: Compile, tmp_path: Path) -> None:
    spec = tmp_path / "m.spec.yaml"
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(RECORD))
    spec.write_text(SNAPSHOT)
    differences = [one for outcome in run_tests(compiled(MAPPING)) for one in outcome.differences]
    [(text, count)] = updated(differences).values()
    assert count == 7
    spec.write_text(text)
    assert [outcome.name for outcome in run_tests(compiled(MAPPING)) if not outcome.passed] == []
    assert "      - event_name: Purchase\n        event_time: 1772366340\n" in text
    assert "        user_data:\n          em: jane@example.com\n" in text, "personal data is written in plain text"
    assert "    problems: [{code: too-old, parameter: event_time}]\n" in text
    assert "{user_data: {em: jane@example.com, ct: null}, custom_data: {contents: [{id: a, quantity: 1}, {id: b" in text
    assert all(comment in text for comment in ("# stays", "events:                # goes down\n"))
    assert format_text(text, "m.spec.yaml") == text


def test_codes_that_tests_may_expect_are_all_that_there_are() -> None:
    raised = set()
    for name in ("events/program", "events/making", "events/results", "records/source"):
        tree = ast.parse((ROOT / "mapper" / f"{name}.py").read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            told = getattr(call.func, "id", getattr(call.func, "attr", ""))
            at = {"Refusal": 0, "refused": 1, "Line": 4, "Block": 4}.get(told)
            code = call.args[at] if at is not None and len(call.args) > at else None
            raised |= {code.value} if isinstance(code, ast.Constant) and isinstance(code.value, str) else set()
    assert raised - {""} == REFUSALS.keys() - {"missing"}, "what is missing has its code from a variable"


@pytest.mark.parametrize("value", ["a: b", "no", "1", "- x", "{", "a # b", "é", " x", "it's", 'say "x"', "a, b", "~"])
def test_what_is_rewritten_reads_back(value: str, compiled: Compile, tmp_path: Path) -> None:
    record = {**RECORD, "gift": value}
    test = {"name": "x", "now": "2026-03-01T12:00:00Z", "record": record, "events": [{"custom_data": {"gift": "old"}}]}
    [outcome] = run_tests(compiled(with_tests(test)))
    for text, _ in updated(outcome.differences).values():
        (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
        [again] = run_tests(mapper.load(tmp_path / "m.yaml"))
        assert again.passed
        break
    else:
        pytest.fail("nothing was rewritten")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    good = {"name": "good", "record": {"type": "other"}, "ignored": True}
    bad = {"name": "bad <&>", "record": {"type": "other"}, "ignored": "rule"}
    (tmp_path / "m.yaml").write_text(with_tests(good, bad))
    (tmp_path / "good.yaml").write_text(with_tests(good))
    (tmp_path / "none.yaml").write_text(MAPPING)
    (tmp_path / "none.spec.yaml").write_text(SPEC)
    return tmp_path


def test_the_command_shows_failures_with_their_place(folder: Path) -> None:
    found = run("test", "m.yaml", "-v", cwd=folder)
    assert found.returncode == 1
    said = found.stdout.decode().splitlines()
    assert said[:3] == ["ok    good", "FAIL  bad <&>", "      m.yaml:30:13"]
    assert said[4].strip() == "the record is ignored (no-event)"
    assert said[5].startswith("     30 |   - {")
    assert said[6].rstrip().endswith("^^^^^^")
    assert said[-1] == "1 passed, 1 failed"


def test_the_command_runs_files_beside_the_mapping_once(folder: Path) -> None:
    assert run("test", "none.yaml", "none.spec.yaml", cwd=folder).stdout == b"1 passed\n"
    assert run("check", "none.yaml", "none.spec.yaml", cwd=folder).returncode == 0


def test_the_command_writes_junit(folder: Path) -> None:
    found = run("test", "m.yaml", "good.yaml", "--junit", "out.xml", cwd=folder)
    assert found.returncode == 1
    suites = ElementTree.parse(folder / "out.xml").getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        ("m.yaml", "2", "1"),
        ("good.yaml", "1", "0"),
    ]
    failure = suites[0][1][0]
    assert suites[0][1].get("name") == "bad <&>"
    assert failure.get("message") == "the record is ignored (no-event)"
    assert failure.text is not None
    assert failure.text.startswith("m.yaml:30:")


def test_a_mapping_that_cannot_be_used_is_an_error_in_junit(folder: Path) -> None:
    (folder / "bad.yaml").write_text(MAPPING.replace("em:", "emm:"))
    found = run("test", "bad.yaml", "good.yaml", "--junit", "out.xml", cwd=folder)
    assert found.returncode == 2
    bad, good = ElementTree.parse(folder / "out.xml").getroot()
    assert (bad.get("errors"), good.get("tests")) == ("1", "1")
    assert "no parameter 'emm'" in (bad[0][0].get("message") or "") + (bad[0][0].text or "")


def test_a_link_stays_a_link_and_nothing_else_is_left(folder: Path) -> None:
    (folder / "inner").mkdir()
    real = folder / "inner" / "tests.yaml"
    real.write_text(BESIDE.replace("john@", "jane@"))
    real.chmod(0o640)
    (folder / "good.yaml").write_text(MAPPING)
    (folder / "good.spec.yaml").symlink_to(real)
    assert run("test", "good.yaml", "--update", cwd=folder).returncode == 0
    assert (folder / "good.spec.yaml").is_symlink()
    assert "event_id: o-1" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["tests.yaml"]


def test_the_command_updates_on_demand(folder: Path) -> None:
    (folder / "m.yaml").write_text(MAPPING)
    (folder / "m.spec.yaml").write_text(BESIDE.replace("john@", "jane@"))
    assert run("test", "m.yaml", cwd=folder).returncode == 1
    found = run("test", "m.yaml", "--update", cwd=folder)
    assert found.returncode == 0, found.stdout
    assert b"m.spec.yaml: 3 expectations rewritten" in found.stderr
    assert "# a comment that stays" in (folder / "m.spec.yaml").read_text()
