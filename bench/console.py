"""Fifty people at once in the console over a whole hub, while a load publishes.

The console is the real process that `tessera console` starts; the people are threads of this one, each with a session of its own, each
doing what its role does and waiting five to fifteen seconds before the next page, as somebody who reads it would. A page is what somebody
waits for: the answer with the redirects that lead to it. Publishing is publish() over the same core, again and again, in a process of its
own on the same processors.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import pyotp

from bench import hub
from bench.isolated import run
from bench.results import Result, Row

TITLE = "Fifty people at once in the console, while a load publishes"
# Who is at work at once in a hub of this size. Whoever is on the data team or in governance is there for a minute now and then.
PEOPLE = {"practitioner": 26, "reviewer": 8, "quality": 12, "engineer": 2, "governance": 2}
THINKS = (5.0, 15.0)
_PASSWORD = "three unusual words"
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_KNOWN = re.compile(r'name="known" value="([^"]*)"')
_ROOT = Path(__file__).parent.parent

Step = tuple[str, str, dict[str, str] | None]  # what it is called, its path, its form if it has one


def measure(work: Path, *, quick: bool) -> Result:
    children, lasts, people = (2_000, 20.0, dict.fromkeys(PEOPLE, 1)) if quick else (1_000_000, 180.0, PEOPLE)
    run("bench.hub:make", folder=work / "hub", children=children)
    alone, beside = (drive(work / "hub", lasts, people, publishes=publishes) for publishes in (False, True))
    rows = []
    for what, found, target in (
        ("nothing else runs", alone, ""),
        ("a load publishes", beside, "p95 ≤ 300 ms, 0 errors, ≤ 500 MB"),
    ):
        rows.append(
            Row(
                f"{sum(people.values())} people, {children:,} children, {what}: a page",
                f"median {found.at(50):.0f} ms, p95 {found.at(95):.0f} ms, p99 {found.at(99):.0f} ms; {len(found.all()):,} pages in "
                f"{lasts:.0f} s, {found.errors} errors; CPU {found.cpu_per_page * 1000:.0f} ms a page, {found.peak_mb:,.0f} MB",
                target=target,
            )
        )
    more = (
        "By page, while a load publishes:",
        ["page", "times", "median ms", "p95 ms", "slowest ms"],
        [
            [name, str(len(waits)), f"{median(waits) * 1000:.0f}", f"{_at(waits, 95):.0f}", f"{max(waits) * 1000:.0f}"]
            for name, waits in sorted(beside.waits.items())
        ],
    )
    return Result(
        "console",
        TITLE,
        [" ".join((__doc__ or "").split("\n\n", 1)[1].split())],
        f"{children:,} children, {sum(people.values())} people: p95 {beside.at(95):.0f} ms while a load publishes, "
        f"{beside.errors} errors, {beside.peak_mb:,.0f} MB",
        rows,
        1,
        [more],
    )


@dataclass
class Found:
    """Seconds waited for each page, by what it is; errors are answers that are no page, and connections that broke."""

    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    cpu_per_page: float = 0.0
    peak_mb: float = 0.0

    @property
    def errors(self) -> int:
        return len(self.wrong)

    def all(self) -> list[float]:
        return [wait for waits in self.waits.values() for wait in waits]

    def at(self, percent: int) -> float:
        return _at(self.all(), percent)


def _at(waits: list[float], percent: int) -> float:
    """Milliseconds that so many in a hundred wait at most."""
    ordered = sorted(waits)
    return 1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("nan")


def drive(folder: Path, lasts: float, people: dict[str, int], *, publishes: bool) -> Found:
    """Starts the console over the hub, lets people work in it for so many seconds, and stops it."""
    mark = secrets.token_hex(3)  # who was here before has accounts of the same roles
    names = {f"{role}-{mark}-{number}": role for role, count in people.items() for number in range(count)}
    app = run("bench.hub:accounts", folder=folder, roles=names, password=_PASSWORD)["app"]
    children = run("bench.hub:sample", folder=folder, number=500)["children"]
    port, found = _free_port(), Found()
    console = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "console", "--config", str(hub.settings(folder)), "--port", str(port)],
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stop = threading.Event()
    try:
        visitors = [Visitor(name, role, port, children, found, stop) for name, role in names.items()]
        _wait_for(port)
        for visitor in visitors:
            visitor.sign_in(app)
        before = _cpu(console.pid)
        threads = [threading.Thread(target=visitor.work) for visitor in visitors]
        if publishes:
            threads.append(threading.Thread(target=_publish_until, args=(folder, stop)))
        for thread in threads:
            thread.start()
        stop.wait(lasts)
        stop.set()
        for thread in threads:
            thread.join()
        found.cpu_per_page = (_cpu(console.pid) - before) / max(1, len(found.all()))
        found.peak_mb = _peak_mb(console.pid)
    finally:
        console.send_signal(signal.SIGINT)
        console.wait(30)
    return found


def _publish_until(folder: Path, stop: threading.Event) -> None:
    while not stop.is_set():
        run("bench.hub:publish", folder=folder)


@dataclass
class Visitor:
    """One person at a browser: keeps a connection and cookies, follows redirects, and sends what a page's form would."""

    name: str
    role: str
    port: int
    children: list[dict[str, str]]
    found: Found
    stop: threading.Event
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""
    connection: http.client.HTTPConnection | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.name.partition("-")[0] + self.name.rpartition("-")[2])

    def sign_in(self, app: str) -> None:
        self._go("/sign-in", None)
        self._go("/sign-in", {"name": self.name, "password": _PASSWORD})
        status = self._go("/sign-in/code", {"code": pyotp.TOTP(app).now()})
        if status != 200 or "Sign out" not in self.page:
            raise RuntimeError(f"{self.name} could not sign in: {status}")

    def work(self) -> None:
        self.stop.wait(self.random.uniform(0, THINKS[1]))  # people do not begin together
        steps: Iterator[Step] = iter(())
        while not self.stop.is_set():
            step = next(steps, None)
            if step is None:
                steps = WORK[self.role](self)
                continue
            what, path, form = step
            began = time.perf_counter()
            try:
                status = self._go(path, form)
            except (OSError, http.client.HTTPException) as error:
                status = 0
                self.page = type(error).__name__
            took = time.perf_counter() - began
            self.found.waits[what].append(took)
            if status != 200:
                self.found.wrong.append(f"{what}: {status or self.page}")
            self.stop.wait(self.random.uniform(*THINKS))

    def _go(self, path: str, form: dict[str, str] | None) -> int:
        # Within a page one connection; after five seconds without a word the server ends it, and a browser begins another.
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as self.connection:
            return self._follow(path, form)

    def _follow(self, path: str, form: dict[str, str] | None) -> int:
        status, onward = self._ask(path, form)
        for _ in range(4):
            if status != 303:
                break
            status, onward = self._ask(onward, None)
        return status

    def _ask(self, path: str, form: dict[str, str] | None) -> tuple[int, str]:
        assert self.connection is not None
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            token = _TOKEN.search(self.page)
            body = urlencode({"form_token": token[1] if token else "", **form})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request("GET" if form is None else "POST", path, body, headers)
        answer = self.connection.getresponse()
        self.page = answer.read().decode()
        for cookie in answer.headers.get_all("set-cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("location", "")


# What each role does


def _practitioner(visitor: Visitor) -> Iterator[Step]:
    child = visitor.random.choice(visitor.children)
    asked = visitor.random.choice(
        [
            f"{child['given_names']} {child['family_name']} {child['born']}",
            f"{child['given_names']} {child['family_name']}",
            child["postcode"] or child["nhs_number"],
            child["nhs_number"],
        ]
    )
    why = {"purpose": "strategy discussion"}
    yield "find a child", "/children", None
    yield "search", "/children/search", {"said": asked, **why}
    yield "a child", "/children/open", {"person_id": child["person_id"], **why}
    yield "a child, one agency", f"/children/{child['person_id']}?agency=health", None
    if visitor.random.random() < 0.3:
        yield "a child, as known on a day", f"/children/{child['person_id']}?as_of=2026-11-16", None


def _reviewer(visitor: Visitor) -> Iterator[Step]:
    yield "questions", "/review", None
    for _ in range(10):
        yield "the next pair", "/review/next", None
        known, address = _KNOWN.search(visitor.page), re.search(r'action="(/review/pairs/[0-9a-f]+)', visitor.page)
        if address:
            yield (
                "an answer",
                address[1],
                {"of": "queue", "answer": "different", "note": "", "known": known[1] if known else ""},
            )
    yield "my answers", "/review/answers", None


def _quality(visitor: Visitor) -> Iterator[Step]:
    yield "what fails", "/quality", None
    yield "a feed", "/quality/school.census", None
    yield "the worst standard", "/quality/school.census/worst", None
    yield "a page of its rows", f"/quality/school.census/worst?page={visitor.random.randrange(2, 1000)}", None
    small = f"/quality/health.fhir/standard%20{visitor.random.randrange(hub.OTHER_STANDARDS)}"
    yield "a standard", small, None
    row = re.search(r'name="(row-[^"]+)" value="([^"]+)"', visitor.page)
    if row and visitor.random.random() < 0.5:
        said = {"kind": "waive", "until": "2026-12-24", "reason": "the school closes", "of": "rows", row[1]: row[2]}
        yield "a waiver", small, said


def _engineer(visitor: Visitor) -> Iterator[Step]:
    yield "tonight", "/tonight", None
    yield "nights of a feed", "/tonight/school.census", None


def _governance(visitor: Visitor) -> Iterator[Step]:
    yield "governance", "/governance", None
    yield "ask for looks", "/governance/looks", None
    child = visitor.random.choice(visitor.children)
    yield (
        "looks at a child",
        "/governance/looks",
        {"about": child["person_id"], "role": "", "who": "", "since": "", "purpose": "her father asks"},
    )
    yield "waivers", "/governance/waivers", None


WORK: dict[str, Callable[[Visitor], Iterator[Step]]] = {
    "practitioner": _practitioner,
    "reviewer": _reviewer,
    "quality": _quality,
    "engineer": _engineer,
    "governance": _governance,
}


# The console's process


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the console did not start")


def _cpu(pid: int) -> float:
    said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    said = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(said[1]) * 1024 / 1e6 if said else 0.0


def report(folder: str, lasts: float, publishes: bool) -> dict[str, Any]:
    """For a terminal: how long each page took."""
    found = drive(Path(folder), lasts, PEOPLE, publishes=publishes)
    pages = {
        name: [len(waits), round(median(waits) * 1000), round(_at(waits, 95)), round(max(waits) * 1000)]
        for name, waits in sorted(found.waits.items())
    }
    return {
        "p50": found.at(50),
        "p95": found.at(95),
        "p99": found.at(99),
        "errors": found.wrong[:20],
        "cpu_ms": found.cpu_per_page * 1000,
        "mb": found.peak_mb,
        "pages": pages,
    }
