"""What tests share: a deployment in a temporary folder, real encryption, real DuckDB; only the clock may be replaced."""

from __future__ import annotations

import datetime as dt
import gc
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Column, Feed, Kind, Output, Table
from pipelines.cli import GARBAGE_THRESHOLDS
from pipelines.line import Line, open_line
from pipelines.night import run_feed
from pipelines.settings import Settings


def pytest_configure() -> None:
    gc.set_threshold(*GARBAGE_THRESHOLDS)  # as every command does


def _mark_outputs(_: Mapping[str, object]) -> list[Output]:
    return [
        Output(
            "attendance",
            "mark",
            "SELECT lineage, upn AS source_person_id, read_iso_date(session_date) AS session_date, code AS mark FROM {rows}",
        ),
        Output(
            "person_record",
            "mark",
            "SELECT arg_max(lineage, session_date) AS lineage, upn AS source_person_id, 'child' AS role, "
            "arg_max(surname, session_date) AS family_name FROM {rows} GROUP BY upn",
            unit=("upn",),
        ),
        Output(
            "event",
            "mark",
            "SELECT lineage, upn AS source_person_id, 'mark' AS ref, 'note' AS event_type, 'fact' AS statement_kind FROM {rows}",
            retracts="code = 'Z'",
        ),
    ]


MARKS = Feed(
    agency="toy",
    name="marks",
    title="Marks of a made-up register",
    format="csv",
    tables=(
        Table(
            "mark",
            "one row per pupil and day",
            ("upn", "session_date"),
            (
                Column("upn", "Pupil", header="required"),
                Column("surname", "Family name"),
                Column("session_date", "Day", kind=Kind.DATE, header="required"),
                Column("code", "Mark"),
            ),
        ),
    ),
    conform=_mark_outputs,
)


def _list_outputs(_: Mapping[str, object]) -> list[Output]:
    return [
        Output(
            "person_record",
            "child",
            "SELECT lineage, upn AS source_person_id, 'child' AS role, surname AS family_name FROM {rows}",
        ),
        Output(
            "event",
            "visit",
            "SELECT lineage, upn AS source_person_id, 'visit' AS ref, 'note' AS event_type, what AS title FROM {rows}",
        ),
    ]


CHILDREN_LIST = Feed(
    agency="toy",
    name="list",
    title="A full list of children and visits",
    format="csv",
    tables=(
        Table(
            "child", "one row per child", ("upn",), (Column("upn", "Child"), Column("surname", "Name")), required=True
        ),
        Table(
            "visit",
            "one row per visit",
            ("visit_id",),
            (Column("visit_id", "Visit"), Column("upn", "Child", header="required"), Column("what", "What")),
            owner="upn",
        ),
    ),
    conform=_list_outputs,
    delivery="full",
    unit="set",
)


class Toy:
    """A deployment with one made-up feed; `send` puts a file where the source looks, `night` runs left of load."""

    def __init__(self, line: Line, inbox: Path, feed: Feed) -> None:
        self.line, self.inbox, self.feed = line, inbox, feed

    def send(self, name: str, content: str | bytes) -> None:
        (self.inbox / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def clear(self) -> None:
        for path in self.inbox.iterdir():
            path.unlink()

    def night(self, date: str = "2026-11-16") -> dict[str, object]:
        """Runs the feed for one load and returns its line in the books."""
        night = self.line.open_night(dt.date.fromisoformat(date))
        run_feed(self.line, night, self.feed.id)
        self.line.con.execute("UPDATE night SET status = 'published' WHERE load_id = ?", [night.load_id])
        self.line.con.execute("INSERT INTO publication VALUES (?, ?)", [night.load_id, night.started_at])
        return self.rows("SELECT * FROM feed_load WHERE load_id = ?", [night.load_id])[0]

    def rows(self, sql: str, parameters: list[object] | None = None) -> list[dict[str, object]]:
        return self.line.warehouse.rows(sql, parameters)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Callable[..., Toy]]:
    """Makes a deployment of one feed: toy(), toy(CHILDREN_LIST)."""
    made: list[Toy] = []
    with ExitStack() as stack:

        def make(feed: Feed = MARKS) -> Toy:
            if made:
                return made[0]
            inbox = tmp_path / "inbox"
            inbox.mkdir(exist_ok=True)
            settings = Settings.model_validate({"base": tmp_path, "sources": {}})
            line = stack.enter_context(open_line(settings, {}))
            line.settings = Settings.model_validate({"base": tmp_path, "sources": {feed.id: {"from": "inbox/"}}})
            line.feeds = {feed.id: feed}
            made.append(Toy(line, inbox, feed))
            return made[0]

        yield make


@pytest.fixture
def full_list() -> Feed:
    return CHILDREN_LIST


class Desk:
    """Somebody who listens at a webhook: `url`, and the notices that came."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                desk.notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()
