"""What agencies must agree on: every rule finds what its own examples say, and no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest

from expectations import between

TODAY = dt.date(2026, 11, 10)
RULES = between.rules()
FRESH = ["health.fhir", "social_care.ssd", "school.census", "police.missing", "police.ppn"]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE link (record_id VARCHAR, person_id VARCHAR, unlinked_at TIMESTAMP)")
        lineage = "record_id VARCHAR, agency VARCHAR, feed VARCHAR, raw_row_id VARCHAR, superseded_at TIMESTAMP"
        con.execute(f"CREATE TABLE person_record ({lineage}, death_date DATE)")
        con.execute(
            f"CREATE TABLE event ({lineage}, retracted_at TIMESTAMP, event_type VARCHAR, occurred_from TIMESTAMP)"
        )
        con.execute(
            f"CREATE TABLE span ({lineage}, retracted_at TIMESTAMP, kind VARCHAR, started_on DATE, ended_on DATE)"
        )
        yield con


def _disagreeing(con: duckdb.DuckDBPyConnection, rule: between.Between, given, fresh=FRESH) -> set[str]:
    renamed = {"row": "raw_row_id", "happened_on": "occurred_from"}
    for table in ("link", "person_record", "event", "span"):
        con.execute(f"DELETE FROM {table}")
    for word, table in (("records", "person_record"), ("events", "event"), ("spans", "span")):
        for row in given.get(word, ()):
            values = {renamed.get(name, name): value for name, value in row.items() if name != "person"}
            values["record_id"] = f"{row['person']} {row['row']}"
            con.execute("INSERT INTO link VALUES (?, ?, NULL)", [values["record_id"], row["person"]])
            marks = ", ".join("?" for _ in values)
            con.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))
    found = con.execute(between.meaning(rule.sql, fresh, TODAY))
    columns = [column[0] for column in found.description]
    return {
        row["raw_row_id"]
        for row in (dict(zip(columns, each, strict=True)) for each in found.fetchall())
        if row["disagrees"]
    }


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_rule_finds_what_its_examples_say(con: duckdb.DuckDBPyConnection, rule: between.Between) -> None:
    assert any(case["expect"] for case in rule.cases)
    for number, case in enumerate(rule.cases, start=1):
        assert _disagreeing(con, rule, case["given"]) == set(case["expect"]), f"case {number}"


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_what_is_stale_is_compared_with_nothing(con: duckdb.DuckDBPyConnection, rule: between.Between) -> None:
    case = next(case for case in rule.cases if case["expect"])
    assert _disagreeing(con, rule, case["given"], fresh=[]) == set()
