"""Destinations that want more than a list of events: whole runs to two of them, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapper
from mapper.destinations.destination import Destination, load_destination
from mapper.destinations.payload import check_payload, sample_payload
from mapper.destinations.rendering import Rendering, Tagged, in_unit
from mapper.errors import MappingError

from .answering import NOW, Answering, sums_hold

FILES = Path(__file__).parent / "destinations"
VISITS = {"STREAM": "G-1", "SECRET": "sentinel-of-a-secret"}
MATCHES = {"TAG": "42", "TOKEN": "sentinel-of-a-token"}
THEN = int(NOW) - 60

MAPPINGS = {
    "visits": """\
version: 1
destination: destinations/visits.yaml
events:
  page_view:
    parameters:
      client_id: "{{ client }}"
      user_id: "{{ user }}"
      timestamp_micros: "{{ at }}"
      params: {value: "{{ n }}"}
""",
    "matches": """\
version: 1
destination: destinations/matches.yaml
events:
  Bought:
    parameters:
      eventId: "{{ id }}"
      happenedAt: "{{ at }}"
      email: "{{ emails }}"
      click: "{{ click }}"
      user: {ip: "{{ ip }}", country: "{{ country }}"}
""",
}


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], mapper.Program]:
    def compiled(name: str) -> mapper.Program:
        folder = tmp_path / "destinations"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text((FILES / f"{name}.yaml").read_text("utf-8"), encoding="utf-8")
        path = tmp_path / f"{name}-mapping.yaml"
        path.write_text(MAPPINGS[name], encoding="utf-8")
        return mapper.load(path)

    return compiled


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    servers: list[Answering] = []

    def start(answer: Callable[[Any], tuple[int, Any]]) -> Answering:
        servers.append(Answering(answer, whole=True))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_who_it_was_stands_beside_the_events_of_one_visitor(
    program: Callable[[str], mapper.Program], answering: Callable[..., Answering]
) -> None:
    server = answering(lambda body: (204, b""))
    visitors = ["a", "b", "a", "c", "a", "b", "c"]
    records = [{"client": one, "user": one.upper(), "at": THEN + n, "n": n} for n, one in enumerate(visitors)]
    report = mapper.send(program("visits"), records, to=server.url, settings=VISITS, now=NOW, concurrency=1)
    sums_hold(report)
    assert (report.events.sent, report.requests, report.exit_code) == (7, 3, 0)
    assert server.requests == [
        {
            "events": [
                {"name": "page_view", "timestamp_micros": (THEN + n) * 1_000_000, "params": {"value": n}}
                for n, other in enumerate(visitors)
                if other == one
            ],
            "client_id": one,
            "user_id": one.upper(),
        }
        for one in "abc"
    ]
    assert {path.partition("?")[2] for path in server.paths} == {"stream=G-1&api_secret=sentinel-of-a-secret"}


def test_ids_are_tagged_members_of_a_list_and_constants_stand_around(
    program: Callable[[str], mapper.Program], answering: Callable[..., Answering]
) -> None:
    server = answering(lambda body: (200, {}))
    record = {"id": "1", "at": THEN, "emails": ["A@b.example", "c@d.example"], "click": "x", "ip": "203.0.113.7"}
    report = mapper.send(
        program("matches"),
        [record, {"id": "2", "at": THEN, "click": "y", "country": "de"}],
        to=server.url,
        settings=MATCHES,
        test_event_code="T1",
        now=NOW,
    )
    assert (report.events.sent, report.exit_code) == (2, 0)
    hashes = [sha256(text.encode()).hexdigest() for text in ("a@b.example", "c@d.example")]
    assert server.requests == [
        {
            "data": {
                "elements": [
                    {
                        "conversion": "Bought",
                        "eventId": "1",
                        "happenedAt": THEN * 1000,
                        "user": {
                            "userIds": [
                                *({"idType": "SHA256_EMAIL", "idValue": one} for one in hashes),
                                {"idType": "CLICK_ID", "idValue": "x"},
                                {"idType": "IP", "idValue": "203.0.113.7"},
                            ]
                        },
                    },
                    {
                        "conversion": "Bought",
                        "eventId": "2",
                        "happenedAt": THEN * 1000,
                        "user": {"country": "de", "userIds": [{"idType": "CLICK_ID", "idValue": "y"}]},
                    },
                ],
                "partner": "mapper",
                "test_id": "T1",
            },
            "tag": "42",
            "continueOnError": True,
        }
    ]
    assert server.headers[0]["matches-version"] == "202603"


def bought(count: int) -> list[dict[str, Any]]:
    return [{"id": f"id-{n}", "at": THEN, "click": str(n)} for n in range(count)]


def test_a_verdict_on_each_event_costs_only_those_that_are_wrong(
    program: Callable[[str], mapper.Program], answering: Callable[..., Answering], tmp_path: Path
) -> None:
    def judge(body: Any) -> tuple[int, Any]:
        ids = [event["eventId"] for event in body["data"]["elements"]]
        results = [
            {"index": n, "status": "failed" if one in ("id-3", "id-7") else "ok", "error": {"text": f"bad {one}"}}
            for n, one in enumerate(ids)
        ]
        return 422, {"results": results}

    server, letters = answering(judge), tmp_path / "dead.jsonl"
    report = mapper.send(program("matches"), bought(10), to=server.url, settings=MATCHES, now=NOW, dead_letters=letters)
    sums_hold(report)
    assert (report.events.sent, report.events.rejected, report.requests, report.exit_code) == (8, 2, 1, 1)
    kept = [json.loads(line) for line in letters.read_text().splitlines()]
    assert sorted(letter["record"]["id"] for letter in kept) == ["id-3", "id-7"]


def test_if_each_event_is_refused_it_is_the_setup(
    program: Callable[[str], mapper.Program], answering: Callable[..., Answering]
) -> None:
    def refuse(body: Any) -> tuple[int, Any]:
        return 200, {"results": [{"index": n, "status": "failed"} for n in range(len(body["data"]["elements"]))]}

    report = mapper.send(program("matches"), bought(5), to=answering(refuse).url, settings=MATCHES, now=NOW)
    sums_hold(report)
    assert (report.events.sent, report.events.rejected, report.events.pending, report.exit_code) == (0, 0, 5, 4)


@pytest.mark.parametrize(
    "said",
    [
        {"errors": [{"position": 4, "text": "x"}, {"position": 4, "text": "y"}]},
        {"message": "Index: 4, ERROR :: /amount :: wrong"},
    ],
    ids=["in a list", "in a text"],
)
def test_an_answer_that_names_the_position_of_the_wrong_event(
    said: dict[str, Any], program: Callable[[str], mapper.Program], answering: Callable[..., Answering]
) -> None:
    def whole(body: Any) -> tuple[int, Any]:
        return (400, said) if any(one["eventId"] == "id-4" for one in body["data"]["elements"]) else (200, {})

    report = mapper.send(program("matches"), bought(9), to=answering(whole).url, settings=MATCHES, now=NOW)
    assert (report.events.sent, report.events.rejected, report.requests) == (8, 1, 3)


def test_groups_that_are_refused_are_searched_one_by_one(
    program: Callable[[str], mapper.Program], answering: Callable[..., Answering]
) -> None:
    def picky(body: Any) -> tuple[int, Any]:
        return (400, {}) if any(one["params"]["value"] == 13 for one in body["events"]) else (204, b"")

    server = answering(picky)
    records = [{"client": f"c{n % 3}", "at": THEN, "n": n} for n in range(24)]
    report = mapper.send(program("visits"), records, to=server.url, settings=VISITS, now=NOW)
    sums_hold(report)
    assert (report.events.sent, report.events.rejected) == (23, 1)
    for body in server.requests:
        assert {f"c{event['params']['value'] % 3}" for event in body["events"]} == {body["client_id"]}


def test_a_request_beside_whose_events_something_stands_can_be_checked() -> None:
    visits = load_destination(str(FILES / "visits.yaml"))
    event = {"name": "page_view", "params": {"value": 1}}
    assert check_payload(visits, {"client_id": "a", "events": [event]}, NOW) == []
    found = check_payload(visits, {"clientid": "a", "events": [event]}, NOW)
    assert [(one.path, one.level) for one in found] == [("clientid", "error"), ("events[0].client_id", "error")]
    body = sample_payload(visits, "page_view", {"client_id": "a"}, now=NOW)
    assert body == {"events": [{"name": "page_view"}], "client_id": "a"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("fields: {user: {fields: {country: {in: request}}}}", "misplaced"),
        ("fields: {eventId: {into: ids, wrap: {id: x}}}", "misplaced"),
        ("fields: {eventId: {wrap: {id: $value}}}", "misplaced"),
        ("fields: {click: {in: request}}", "misplaced"),
        ("fields: {eventId: {unit: ms}}", "wrong-kind"),
        ("fields: {happenedAt: {unit: minutes}}", "not-allowed"),
        ('request: {body: {data: {partner: "{PARTNER}"}}}', "unknown-setting"),
        ('request: {query: {tag: "{PARTNER}"}}', "unknown-setting"),
        ("responses: {culprits: [{in: errors}]}", "missing-key"),
        ("responses: {verdicts: {list: results}}", "missing-key"),
    ],
)
def test_what_cannot_be_is_refused(change: str, code: str, tmp_path: Path) -> None:
    base = FILES / "matches.yaml"
    (tmp_path / "matches.yaml").write_text(base.read_text("utf-8"), encoding="utf-8")
    path = tmp_path / "other.yaml"
    path.write_text(f"destination: matches\nextends: matches.yaml\n{change}\n", encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_destination(str(path))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_meta_needs_none_of_this() -> None:
    meta: Destination = load_destination("meta")
    assert meta.request.rendering is None


VALUES = st.integers(0, 3)


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}, optional={"c": VALUES}), max_size=12))
def test_groups_part_the_events_by_what_stands_beside_them(events: list[dict[str, int]]) -> None:
    rendering = Rendering(beside=("a", "c"))
    groups = rendering.groups([json.dumps(event).encode() for event in events])
    assert sorted(place for group in groups for place in group) == list(range(len(events)))
    keys = [{(events[place]["a"], events[place].get("c")) for place in group} for group in groups]
    assert all(len(key) == 1 for key in keys)
    assert len({next(iter(key)) for key in keys}) == len(groups)
    assert all(group == sorted(group) for group in groups)


def test_units_and_empty_objects() -> None:
    assert [in_unit(1_760_433_452, unit) for unit in ("s", "ms", "us")] == [
        1_760_433_452,
        1_760_433_452_000,
        1_760_433_452_000_000,
    ]
    assert in_unit(1_760_433_452, "iso8601") == "2025-10-14T09:17:32Z"
    tagged = Rendering(tagged=(Tagged("user.id", "ids", {"k": ["$value", {"n": 1}]}),))
    assert tagged.render({"user": {"id": 5}}) == ({}, {"ids": [{"k": [5, {"n": 1}]}]})
    assert tagged.render({"user": "x"}) == ({}, {"user": "x"})
