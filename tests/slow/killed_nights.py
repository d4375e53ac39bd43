"""Runs nights in forked children that kill themselves, and compares what is left. Used by test_killed_night.

A child counts, step by step, its calls into DuckDB and SQLite and its renames and file syncs (the points at which anything can
reach the disk), and kills itself with SIGKILL before one of them. Nothing in Tessera knows of it. The clock stands still, so that
every column of every table can be compared.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb_sqlalchemy  # noqa: F401 - imported before forking, so that each child need not
import splink  # noqa: F401
import sqlglot  # noqa: F401

import pipelines.line
import pipelines.night
import pipelines.settings
from connectors.rulebooks import rule_books
from expectations import gx_duckdb
from pipelines.line import open_line
from pipelines.night import locked, run_night
from pipelines.settings import Settings, load_settings
from warehouse import query
from warehouse.keys import ROLES

# How many steps of the night have begun, and the how-manieth counted call since. A night that carries on goes quickly through the
# steps that are done, so that of any night over the same extracts a place is the same place.
Place = tuple[int, int]
NOWHERE: Place = (sys.maxsize, 0)

STATEMENTS = {"execute", "commit", "checkpoint"}
FILES = {os.fsync, os.rename, os.replace}
# Every reader and kind of delivery is there without them: files of these are read as others are, by the same steps.
LEFT_OUT = {"social_care.cin", "school.incidents", "police.encompass", "police.missing"}
FROZEN = dt.datetime(2026, 11, 17, 2, 0)


def settings_for(world: Path, data: Path, night: str) -> Settings:
    settings = load_settings(world / "tessera.yaml", {"NIGHT": night})
    sources = {name: source for name, source in settings.sources.items() if name not in LEFT_OUT}
    return settings.model_copy(update={"data_dir": data, "sources": sources})


def date_of(night: str) -> dt.date:
    return dt.date(2026, 11, 15 + int(night[-1]))


def known_before_forking(settings: Settings) -> None:
    """Reads what no night changes, so that each child need not: feeds and their rule books."""
    gx_duckdb.load()
    for source in settings.feeds().values():
        rule_books(source)


def run(world: Path, data: Path, night: str, kill_at: Place | None = None) -> list[int]:
    """Runs one night; kills itself before the counted call at a place, or the first after it. Returns how many calls each step made.

    NOWHERE only counts; None does not, which is faster by a fifth.
    """
    pipelines.line.utc_now = lambda: FROZEN
    pipelines.night.utc_now = lambda: FROZEN
    calls = [0]

    def begin(_subject: str, _step: str) -> None:
        calls.append(0)

    def count(_frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and (called.__name__ in STATEMENTS or called in FILES):
            calls[-1] += 1
            if kill_at is not None and (len(calls) - 1, calls[-1]) >= kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    settings = settings_for(world, data, night)
    with locked(settings), open_line(settings, {}) as line:
        sys.setprofile(None if kill_at is None else count)
        try:
            report = run_night(line, date_of(night), say=begin)
        finally:
            sys.setprofile(None)
    assert report.published
    return calls


def forked(action: Callable[[], list[int]]) -> tuple[int, list[int] | None]:
    """(exit status, result) of an action run in a forked child."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        try:
            os.write(write, json.dumps(action()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(child, 0)
    return status, json.loads(result) if result else None


def is_over(world: Path, data: Path, night: str) -> bool:
    """Whether a night had been published when it was killed: then there is nothing to carry on."""
    with open_line(settings_for(world, data, night), {}) as line:
        return bool(
            line.con.execute(
                "SELECT 1 FROM publication JOIN night USING (load_id) WHERE date = ?", [date_of(night)]
            ).fetchone()
        )


# When a mart was published and which file it is in is the clock's and the disk's business, not the night's.
_NOT_COMPARED = {"publication", "marts_base"}


def contents(world: Path, data: Path) -> dict[str, str]:
    """A fingerprint of every table of the core and every view of every mart."""
    found: dict[str, str] = {}
    settings = settings_for(world, data, "night1")
    with open_line(settings, {}) as line:
        tables = line.con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'core' ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            if table not in _NOT_COMPARED:
                found[f"core.{schema}.{table}"] = _fingerprint(line.con, f'core."{schema}"."{table}"')
        keys = line.keys
    for role in ROLES:
        with query.open_mart(settings.marts_path, keys, role) as con:
            for (view,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall():
                found[f"{role}.{view}"] = _fingerprint(con, f'"{view}"')
    return found


def _fingerprint(con: Any, relation: str) -> str:
    rows = sorted(repr(row) for row in con.execute(f"SELECT * FROM {relation}").fetchall())
    return f"{len(rows)} rows, {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"
