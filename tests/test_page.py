"""The sandbox's page in a real browser: events appear as they arrive and can be opened, and faults be injected."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mapper.sandbox import Sandbox, running

from .answering import lead
from .chromium import NAMES, Browser, Page, browsing
from .command import MAPPER
from .conftest import SMALL
from .sandbox_requests import event

pytestmark = pytest.mark.needs(*NAMES)

# The sender is told to send what it would keep back, so that it is the endpoint that refuses.
MAPPING = SMALL.replace("events:", "rules: {M09: warning}\nevents:", 1).replace("    required: [user_data.em]\n", "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as up:
        yield up


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as up:
        yield up


@pytest.fixture
def page(browser: Browser, sandbox: Sandbox) -> Iterator[Page]:
    tab = browser.page()
    tab.goto(sandbox.url)
    tab.until("document.querySelector('#live-text').textContent === 'Live'")
    tab.js("window.since = 'it was opened'")
    yield tab
    assert tab.js("window.since") == "it was opened", "the page was loaded again"
    assert tab.errors == []


def send(folder: Path, sandbox: Sandbox, name: str, bad: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    """``mapper send`` of a thousand records, some of them with nothing that could match anybody."""
    now = int(time.time()) - 60
    records = [
        lead(n, at=now, id=f"{name}-{n}") | ({"email": None, "ip": None} if n in bad else {}) for n in range(1000)
    ]
    (folder / "m.yaml").write_text(MAPPING)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    command = [*MAPPER, "send", "m.yaml", f"{name}.jsonl", "--to", sandbox.url, "--report", "r.json"]
    environ = {**os.environ, **sandbox.environ}
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def figure(page: Page, kind: str) -> str:
    return f"document.querySelector('.figure.{kind} b').textContent"


def test_events_appear_are_opened_and_filtered_and_faults_slow_the_sender(
    page: Page, sandbox: Sandbox, tmp_path: Path
) -> None:
    page.shows("Waiting for the first event")
    with send(tmp_path, sandbox, "a", bad=(7, 250, 999)) as sender:
        _, said = sender.communicate(timeout=60)
    assert sender.returncode == 1, said
    page.until(f"{figure(page, 'accepted')} === '997' && {figure(page, 'refused')} === '3'")

    page.click(".chip.refused")
    page.until("document.querySelectorAll('.row.event').length === 3")
    page.shows("M09", "#list", times=3)
    page.press("ArrowDown")
    assert page.js("document.querySelector('.row.active').id") == "row-0"
    page.press("Enter")
    page.until("!document.querySelector('#detail').hidden")
    page.shows("too broad", "#detail")
    page.shows("Rule M09", "#detail")
    page.press("Escape")
    page.until("document.querySelector('#detail').hidden")

    page.click(".chip")
    page.press("/")
    page.type("a-250")
    page.until("document.querySelectorAll('.row.event').length === 1")
    page.shows("a-250", "#list")
    page.js("document.querySelector('#search').blur()")
    page.press("Escape")
    page.until("document.querySelectorAll('.row.event').length > 10")

    page.click("#faults-button")
    page.until("document.querySelector('#faults').open")
    page.click("#inject")
    page.until("document.querySelector('#fault-count').textContent === '1'")
    page.press("Escape")
    page.until("!document.querySelector('#faults').open")
    started = time.monotonic()
    with send(tmp_path, sandbox, "b") as sender:
        page.until("document.querySelector('#fault-count').hidden")  # it has struck
        _, said = sender.communicate(timeout=60)
    assert sender.returncode == 0, said
    assert time.monotonic() - started > 2, "the sender did not slow down"
    assert json.loads((tmp_path / "r.json").read_text())["retries"] == 1
    page.until(f"{figure(page, 'accepted')} === '1,997'")
    page.press("r")
    page.until("document.querySelector('.row.request .fault') !== null")
    page.shows("throttle-80004", "#list")

    page.click(".row.request:has(.fault)")
    page.shows("Struck by a fault: throttle-80004", "#detail")
    page.shows("were not looked at", "#detail")
    page.press("Escape")
    page.until("document.querySelector('#detail').hidden")


def test_a_request_is_opened_and_leads_to_its_events(page: Page, sandbox: Sandbox, tmp_path: Path) -> None:
    with send(tmp_path, sandbox, "a", bad=(7,)) as sender:
        sender.communicate(timeout=60)
    page.press("r")
    page.until("document.querySelector('.row.request.refused') !== null")
    page.click(".row.request.refused")
    page.shows("Insufficient Customer Information", "#detail")
    page.shows("2804050", "#detail")
    page.shows("M09", "#detail")
    page.shows(sandbox.store.requests[-1].trace, "#detail")
    page.click("#detail .remarks button")
    page.shows("too broad", "#detail")
    assert page.js("document.querySelector('#tab-events').getAttribute('aria-selected')") == "true"


def test_the_keys_are_explained(page: Page) -> None:
    page.press("?")
    page.shows("next and previous event", "#help")
    page.shows("newest, oldest", "#help")
    assert "[object" not in page.text("#help")
    page.press("Escape")
    page.until("!document.querySelector('#help').open")


ODD = ["W" * 50, "شراء مخصص", "🎉 Party 🎉", "<img src=x onerror=alert(1)>", "a\u202eb\u001b[31mc"]


def test_names_of_any_kind_are_shown_as_texts(page: Page, sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/v25.0/{sandbox.pixel_id}/events"
    made = [
        event(event_name=name, event_id=f"odd-{place}", event_time=int(time.time())) for place, name in enumerate(ODD)
    ]
    made[0]["custom_data"] = {"value": 123456789012.5, "currency": "EUR", "note": "</script><b>bold</b>"}
    httpx.post(url, params={"access_token": sandbox.token}, json={"data": made}, trust_env=False)
    page.until(f"{figure(page, 'accepted')} === '{len(ODD)}'")
    page.shows("<img src=x onerror=alert(1)>", "#list")
    page.shows("123,456,789,012.50 EUR", "#list")
    assert page.js("document.querySelectorAll('#list img, #side img').length") == 0
    assert page.js("/[\\u001b\\u202e]/.test(document.body.innerText)") is False
    page.click(".row.event:last-child")
    page.shows("</script><b>bold</b>", "#detail")
    for width in (360, 768, 1600):
        page.size(width, 800, mobile=width < 500)
        page.until(f"document.documentElement.scrollWidth <= {width}")


def test_what_had_arrived_is_there_when_the_page_is_drawn_first(browser: Browser, sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/v25.0/{sandbox.pixel_id}/events"
    made = [event(event_name="Lead", event_id=f"early-{n}", event_time=int(time.time())) for n in range(3)]
    httpx.post(url, params={"access_token": sandbox.token}, json={"data": made}, trust_env=False)
    tab = browser.page()
    silent = "window.EventSource = class { addEventListener() {} }; window.fetch = () => new Promise(() => {})"
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=silent)
    tab.goto(sandbox.url)
    assert tab.js("document.querySelectorAll('.row.event').length") == 3
    assert tab.js(figure(tab, "accepted")) == "3"


def test_it_connects_again_when_the_sandbox_is_started_again(browser: Browser, tmp_path: Path) -> None:
    tab = browser.page()
    with running() as first:
        port = int(first.url.rpartition(":")[2])
        tab.goto(first.url)
        with send(tmp_path, first, "a") as sender:
            sender.communicate(timeout=60)
        tab.until(f"{figure(tab, 'accepted')} === '1,000'")
    tab.until("document.querySelector('#live-text').textContent === 'Not connected'")
    with running(port=port) as second:
        tab.until("document.querySelector('#live-text').textContent === 'Live'")
        tab.until(f"{figure(tab, 'accepted')} === '0'")
        tab.shows("Waiting for the first event")
        with send(tmp_path, second, "b", bad=(3,)) as sender:
            sender.communicate(timeout=60)
        tab.until(f"{figure(tab, 'accepted')} === '999'")
        tab.shows("b-999", "#list")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1600])
def test_it_fits_any_screen(page: Page, sandbox: Sandbox, tmp_path: Path, scheme: str, width: int) -> None:
    page.colours(scheme)
    page.size(width, 800, mobile=width < 500)
    with send(tmp_path, sandbox, "a", bad=(5,)) as sender:
        sender.communicate(timeout=60)
    page.until(f"{figure(page, 'accepted')} === '999'")
    page.click(".row.event:not(.waiting)")
    page.until("!document.querySelector('#detail').hidden")
    page.until(f"document.documentElement.scrollWidth <= {width}")
    red = "parseInt(getComputedStyle(document.body).backgroundColor.split('(')[1])"
    page.until(f"({red} < 60) === {json.dumps(scheme == 'dark')}")


def test_a_hundred_thousand_events_are_scrolled_through(page: Page, sandbox: Sandbox, tmp_path: Path) -> None:
    with send(tmp_path, sandbox, "a") as sender:
        sender.communicate(timeout=60)
    columns = [row[1] for row in sandbox.store.db.execute("PRAGMA table_info(events)") if row[1] != "id"]
    copied = ", ".join(columns)
    for _ in range(7):
        sandbox.store.db.execute(f"INSERT INTO events ({copied}) SELECT {copied} FROM events")
    count = sandbox.store.db.execute("SELECT count(*) FROM events").fetchone()[0]
    assert count >= 100_000
    page.press("e")
    page.until("document.querySelector('#list').scrollHeight > 1e6")  # all of them, and not those it had before
    page.until("document.querySelectorAll('.row.event:not(.waiting)').length > 10")
    page.js("document.querySelector('#list').focus()")
    page.press("End")
    page.until("document.querySelector('#list').scrollTop > 1e6")
    page.until("document.querySelectorAll('.row.event').length > 10 && !document.querySelector('.row.waiting')")
    assert page.js("document.querySelectorAll('.row').length") < 100
    page.shows("a-0", "#list")
