"""Every rule of every agency's books finds the rows that its own examples say, and no other. A new rule is found by itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import duckdb
import pytest

from connectors import reading
from connectors.contract import Feed, Rule, RuleCase
from connectors.registry import feeds
from connectors.rulebooks import rule_books
from expectations.rules import Workings
from warehouse.engine import define
from warehouse.schema import RAW_COLUMNS

TODAY = dt.date(2026, 11, 10)
# What a source must say for its feed to know its period; a case says otherwise where that matters.
OPTIONS = {"collection_year": "2025/26", "authority": "801", "term": "autumn", "year": 2025}
RULES = [(feed, rule) for feed in feeds().values() for book in rule_books(feed) for rule in book.rules if rule.sql]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        define(con, "reading", reading.definitions())
        con.execute("CREATE SCHEMA raw")
        con.execute("CREATE TABLE held (quarantine_id VARCHAR, content VARCHAR)")
        yield con


@pytest.mark.parametrize(("feed", "rule"), RULES, ids=[rule.name for _, rule in RULES])
def test_a_rule_finds_what_its_examples_say(con: duckdb.DuckDBPyConnection, feed: Feed, rule: Rule) -> None:
    assert any(case.expect for case in rule.cases), "no example shows what the rule finds"
    assert any(_rows(case) > len(case.expect) for case in rule.cases), "no example shows what the rule lets pass"
    for number, case in enumerate(rule.cases, start=1):
        options = OPTIONS | dict(case.options)
        with_tables = _as_of(feed, options)
        con.execute("DELETE FROM held")
        period = with_tables.period(options)
        _receive(con, with_tables, case.given, period.scope if period else "")
        if period:
            _receive(con, with_tables, case.last_year, period.before, first=1_000)
        present = frozenset(table.name for table in with_tables.tables)
        with Workings(con, with_tables, options, TODAY, present, beaten=present) as workings:
            sql = workings.sql(rule.sql, rows=f"raw.{with_tables.raw(rule.tables[0])}", quarantine="held")
            found = {row for (row,) in con.execute(f"SELECT DISTINCT raw_row_id FROM ({sql}\n)").fetchall()}
        assert found == set(case.expect), f"{rule.name}, case {number}"
        for table in with_tables.tables:
            con.execute(f"DROP TABLE raw.{with_tables.raw(table.name)}")


def _as_of(feed: Feed, options: Mapping[str, object]) -> Feed:
    return replace(feed, tables=feed.tables_for(options)) if feed.tables_for else feed


def _rows(case: RuleCase) -> int:
    return sum(map(len, case.given.values()))


def _receive(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    given: Mapping[str, tuple[Mapping[str, str], ...]],
    scope: str,
    first: int = 0,
) -> None:
    """Puts rows where landing would: a row whose whole key is said to be blank is held back."""
    assert set(given) <= {table.name for table in feed.tables}, (
        "a case gives rows of a table that the feed does not have"
    )
    for table in feed.tables:
        declared = [f'"{name.lower()}" VARCHAR' for name in table.names()]
        declared += [f'"{field.name}" {field.type}' for field in RAW_COLUMNS]
        name = f"raw.{feed.raw(table.name)}"
        con.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(declared)})")
        for number, row in enumerate(given.get(table.name, ()), start=first + 1):
            unknown = set(row) - set(table.names())
            assert not unknown, f"{table.name} has no column {', '.join(sorted(unknown))}"
            if table.key and all(row.get(column) == "" for column in table.key):
                content = json.dumps({column.lower(): value or None for column, value in row.items()})
                con.execute("INSERT INTO held VALUES (?, ?)", [f"{table.name} {number}", content])
                continue
            values = {
                **{column.lower(): value or None for column, value in row.items()},
                "raw_row_id": f"{table.name} {number}",
                "load_seq": 1,
                "row_number": number + 1,
                "scope": scope,
                "source_key": f"{scope}/{number}",
            }
            columns, marks = '", "'.join(values), ", ".join("?" * len(values))
            con.execute(f'INSERT INTO {name} ("{columns}") VALUES ({marks})', list(values.values()))
