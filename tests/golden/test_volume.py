"""What is usual, and what is not: cases that somebody who does not program can read and add (volume.yaml)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from connectors.contract import Column, Feed, Table
from expectations import volume
from warehouse.schema import OPERATIONS

FRIDAY = dt.date(2026, 11, 27)
FEED = Feed(
    "toy",
    "news",
    "News",
    "csv",
    (Table("t", "rows", ("k",), (Column("c", "Code", allowed=("A", "B")),)),),
    conform=lambda _: [],
)
CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("volume.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_usual(case: dict[str, Any]) -> None:
    con = duckdb.connect()
    for name in ("night", "feed_measure"):
        con.execute(OPERATIONS[name].ddl())
    kind = next(kind for kind in ("before", "shares", "matches") if kind in case)
    told = [*case[kind], case["now"]]
    days = case.get("days", [])
    of = case.get("of", 1000)
    for seq, value in enumerate(told, start=1):
        con.execute(
            "INSERT INTO night (load_id, load_seq, date) VALUES (?, ?, ?)", [str(seq), seq, _date(seq, len(told), days)]
        )
        if kind == "before":
            rows = [("rows", "", "", "", value, value)]
        elif kind == "shares":
            rows = [("code", "t", "c", "A", round(value * of), of), ("code", "t", "c", "B", of - round(value * of), of)]
        else:
            rows = [("matched", "", "", "", round(value * of), of)]
        for row in rows:
            con.execute("INSERT INTO feed_measure VALUES (?, 'toy', 'news', ?, ?, ?, ?, ?, ?)", [str(seq), *row])
    assert _judged(con, case, kind, len(told)) == case["says"]


def _judged(con: duckdb.DuckDBPyConnection, case: dict[str, Any], kind: str, newest: int) -> str:
    feed = replace(FEED, delivery="full") if case.get("full") else FEED
    if kind == "before":
        return volume.of_rows(con, feed, newest).status
    if kind == "shares":
        return volume.of_codes(con, feed, newest).status
    return volume.of_matches(con, feed, newest).status


def _date(seq: int, last: int, days: list[int]) -> dt.date:
    if not days:
        return FRIDAY - dt.timedelta(days=7 * (last - seq))
    monday = dt.date(2026, 1, 5) + dt.timedelta(weeks=seq)
    return monday + dt.timedelta(days=days[seq - 1] - 1)
