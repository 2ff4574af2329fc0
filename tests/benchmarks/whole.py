"""Whole commands: start-up, compiling, cores, memory, growth, and sending. See ``python -m tests.benchmarks``."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import mapper

from .contenders import MAPPING, sdk_events
from .records import NOW, workload

MAPPER = [sys.executable, "-m", "mapper"]
MAPPINGS = Path(__file__).parents[2] / "mappings"


def cpu(*arguments: str, rounds: int = 5) -> float:
    """The least CPU seconds that a command took, its modules being compiled to byte code as an installed one's are."""
    best = float("inf")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [*MAPPER, *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def compiling(folder: Path) -> float:
    """Seconds to compile 200 events of twenty parameters."""
    parameters = "".join(f'        p{i}: "{{{{ order.part_{i} | lower }}}}"\n' for i in range(16))
    event = (
        "  E{0}:\n    when: type == 'e{0}'\n    parameters:\n      event_time: 1772366400\n      event_id: x\n"
        '      action_source: other\n      user_data: {{em: "{{{{ email }}}}"}}\n      custom_data:\n'
    )
    path = folder / "large.yaml"
    path.write_text(
        "version: 1\ndestination: meta\nevents:\n" + "".join(event.format(i) + parameters for i in range(200))
    )
    mapper.load(MAPPING)
    started = time.perf_counter()
    mapper.load(path)
    return time.perf_counter() - started


def mapping(source: Path, workers: int) -> tuple[float, list[int]]:
    """Seconds of a ``mapper map``, and its resident memory in kB, looked at ten times a second."""
    command = [*MAPPER, "map", str(MAPPING), str(source), "--now", str(NOW), "--workers", str(workers), "-q"]
    sizes: list[int] = []
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.1)
            try:
                status = Path(f"/proc/{process.pid}/statm").read_text().split()
                sizes.append(int(status[1]) * os.sysconf("SC_PAGE_SIZE") // 1024)
            except (OSError, IndexError):
                pass
    return time.perf_counter() - started, sizes


@contextmanager
def endpoint() -> Iterator[str]:
    """A server that only reads and answers, in a process of its own."""
    code = "from tests.benchmarks.whole import answer; answer()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def answer() -> None:
    """Run such a server until killed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = b'{"events_received":%d,"messages":[],"fbtrace_id":"A"}' % body.count(b"event_name")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def sent(source: Path, url: str, folder: Path, journal: bool) -> float:
    """Seconds of a ``mapper.send``."""
    program = mapper.load(MAPPING)
    started = time.perf_counter()
    report = mapper.send(
        program,
        source,
        to=url,
        settings={"PIXEL_ID": "1", "ACCESS_TOKEN": "t"},
        now=NOW,
        workers=len(os.sched_getaffinity(0)),
        journal=folder / f"{time.time()}.journal" if journal else None,
    )
    assert report.events.sent == report.records.read, report.as_dict()
    return time.perf_counter() - started


def sent_by_sdk(lines: list[bytes], url: str) -> float:
    """Seconds in which Meta's SDK makes the same events and sends them in batches of 1,000, one after the other."""
    from facebook_business.adobjects.serverside.event_request import EventRequest
    from facebook_business.api import FacebookAdsApi
    from facebook_business.session import FacebookSession

    FacebookSession.GRAPH = url
    FacebookAdsApi.init(access_token="t", crash_log=False)
    events = sdk_events()
    started = time.perf_counter()
    for at in range(0, len(lines), 1000):
        request = EventRequest(pixel_id="1", events=events(lines[at : at + 1000]), access_token="t")
        assert request.execute().events_received
    return time.perf_counter() - started


def growth(source: Path) -> tuple[float, float]:
    """Microseconds of CPU a record of a thousandth of a file, and of the whole file."""
    program = mapper.load(MAPPING)

    def took(count: int) -> float:
        with source.open("rb") as file:
            started = time.process_time()
            made = sum(len(result.events) for result in program.map_lines(islice(file, count), NOW))
            assert made
            return (time.process_time() - started) / made * 1e6

    with source.open("rb") as file:
        count = sum(1 for _ in file)
    took(1_000)
    few = sorted(took(max(count // 1000, 100)) for _ in range(25))[12]
    return few, took(count)


def spin(count: int = 3_000_000) -> float:
    """Seconds of plain Python."""
    started = time.perf_counter()
    total = 0
    for number in range(count):
        total += number * number % 7
    return time.perf_counter() - started


def ceiling() -> float:
    """How many times as much two processes of plain Python do at once as one: what this machine's cores give."""
    with ProcessPoolExecutor(2) as pool:
        ratios = [2 * spin() / max(pool.map(_spin, range(2))) for _ in range(5)]
    return sorted(ratios)[2]


def _spin(_: int) -> float:
    return spin()


def in_turn(*runs: Callable[[], float], rounds: int = 3) -> list[float]:
    """The median of each, measured in turn."""
    times = [[run() for run in runs] for _ in range(rounds)]
    return [sorted(column)[rounds // 2] for column in zip(*times, strict=True)]


def main(count: int) -> None:
    """Print everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"mapper --help: {cpu('--help'):.2f} s of CPU")
        shipped = [str(path) for path in sorted(MAPPINGS.glob("*.yaml"))]
        print(f"mapper check of the shipped mappings: {cpu('check', *shipped):.2f} s of CPU")
        print(f"compiling 200 events of 20 parameters: {min(compiling(folder) for _ in range(3)):.2f} s")
        some = workload("narrow", 20_000)
        source = folder / "records.jsonl"
        with source.open("wb") as file:
            for _ in range(count // len(some)):
                file.write(b"\n".join(some) + b"\n")
        sizes: list[int] = []

        def one() -> float:
            took, seen = mapping(source, 1)
            sizes.extend(size for size in seen[len(seen) // 10 :] if size)
            return took

        rounds = 3 if count <= 1_000_000 else 1
        few, many = growth(source)
        print(f"map, a record: {few:.2f} \N{MICRO SIGN}s of {count // 1000:,}, {many:.2f} of {count:,}")
        alone, both = in_turn(one, lambda: mapping(source, 2)[0], rounds=rounds)
        print(f"map, {count:,} records: {alone:.1f} s; two workers {both:.1f} s: {alone / both:.2f} times as fast")
        print(f"  two processes of plain Python do {ceiling():.2f} times what one does")
        print(f"memory after the first tenth: {min(sizes) // 1024} to {max(sizes) // 1024} MB")
        with endpoint() as url:
            plain, kept, theirs = in_turn(
                lambda: sent(source, url, folder, journal=False),
                lambda: sent(source, url, folder, journal=True),
                lambda: sent_by_sdk(some, url) * (count // len(some)),
                rounds=rounds,
            )
        print(f"send to a server that only answers: {count / plain:,.0f} events a second")
        print(f"  with a journal: {(kept / plain - 1) * 100:+.1f} % of the time")
        print(f"  Meta's SDK, batches of 1,000 in turn: {count / theirs:,.0f}; ours {theirs / plain:.1f} times as many")
