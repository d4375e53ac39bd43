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


class Received:
    """Raw tables and rows held back, of one case at a time. Tables stay: to make them anew takes longer than to judge a case."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self._columns: dict[str, list[str]] = {}
        self._filled = {"held"}
        define(con, "reading", reading.definitions())
        con.execute("CREATE SCHEMA raw")
        con.execute("CREATE TABLE held (quarantine_id VARCHAR, content VARCHAR)")

    def empty(self, feed: Feed) -> None:
        """The tables of the feed as its contract says, without a row."""
        for name in self._filled:
            self.con.execute(f"DELETE FROM {name}")
        self._filled = {"held"}
        for table in feed.tables:
            name = f"raw.{feed.raw(table.name)}"
            declared = [f'"{column.lower()}" VARCHAR' for column in table.names()]
            declared += [f'"{field.name}" {field.type}' for field in RAW_COLUMNS]
            if self._columns.get(name) != declared:  # other years, other columns
                self.con.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(declared)})")
                self._columns[name] = declared

    def add(self, feed: Feed, given: Mapping[str, tuple[Mapping[str, str], ...]], scope: str, first: int = 0) -> None:
        """Puts rows where landing would: a row whose whole key is said to be blank is held back."""
        tables = {table.name: table for table in feed.tables}
        assert set(given) <= set(tables), "a case gives rows of a table that the feed does not have"
        for table, rows in ((tables[name], rows) for name, rows in given.items()):
            name = f"raw.{feed.raw(table.name)}"
            self._filled.add(name)
            for number, row in enumerate(rows, start=first + 1):
                unknown = set(row) - set(table.names())
                assert not unknown, f"{table.name} has no column {', '.join(sorted(unknown))}"
                if table.key and all(row.get(column) == "" for column in table.key):
                    content = json.dumps({column.lower(): value or None for column, value in row.items()})
                    self.con.execute("INSERT INTO held VALUES (?, ?)", [f"{table.name} {number}", content])
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
                self.con.execute(f'INSERT INTO {name} ("{columns}") VALUES ({marks})', list(values.values()))


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with duckdb.connect(config={"threads": 1}) as con:
        yield Received(con)


@pytest.mark.parametrize(("feed", "rule"), RULES, ids=[rule.name for _, rule in RULES])
def test_a_rule_finds_what_its_examples_say(received: Received, feed: Feed, rule: Rule) -> None:
    assert any(case.expect for case in rule.cases), "no example shows what the rule finds"
    assert any(_rows(case) > len(case.expect) for case in rule.cases), "no example shows what the rule lets pass"
    for number, case in enumerate(rule.cases, start=1):
        options = OPTIONS | dict(case.options)
        with_tables = _as_of(feed, options)
        period = with_tables.period(options)
        received.empty(with_tables)
        received.add(with_tables, case.given, period.scope if period else "")
        if period:
            received.add(with_tables, case.last_year, period.before, first=1_000)
        present = frozenset(table.name for table in with_tables.tables)
        with Workings(received.con, with_tables, options, TODAY, present, beaten=present) as workings:
            sql = workings.sql(rule.sql, rows=f"raw.{with_tables.raw(rule.tables[0])}", quarantine="held")
            found = {row for (row,) in received.con.execute(f"SELECT DISTINCT raw_row_id FROM ({sql}\n)").fetchall()}
        assert found == set(case.expect), f"{rule.name}, case {number}"


def _as_of(feed: Feed, options: Mapping[str, object]) -> Feed:
    return replace(feed, tables=feed.tables_for(options)) if feed.tables_for else feed


def _rows(case: RuleCase) -> int:
    return sum(map(len, case.given.values()))
