"""No rule of any book breaks, whatever stands in any column: it finds a row or lets it pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from connectors.contract import Feed
from connectors.registry import feeds
from connectors.rulebooks import rule_books
from expectations.rules import Workings
from tests.golden.test_rules import OPTIONS, TODAY, Received, _as_of

# What people and programs leave in cells: words for nothing, the ends of what a type holds, dates that are none, JSON that is half, signs.
EXTREMES = (
    " ", "\u00a0", "NULL", "N/A", "nan", "inf", "-inf", "1e308", "-1", "0", "1.0", "12.5", "2147483648", "99999999999999999999",
    "0001-01-01", "01/01/0001", "9999-12-31", "31/12/9999", "29/02/2023", "2024-02-29", "99999-01-01", "infinity", "epoch",
    "2025-03-31T00:00:00", "2025-04-01 24:00:00", "25:61", "01/01/1677", "01/01/2263", "5881580-07-10", "0044-03-15 (BC)", "zz/zz/zzzz",
    "[", "{}", '["a", 1, null, {}]', '[[["a"]]]', '"x"', "%", "_", "{x}", "\\", "'", "é" * 300, "1" * 5000, "٣", "²", "😀",
)  # fmt: skip
ANYTHING = st.one_of(
    st.sampled_from(EXTREMES),
    st.dates().map(str),
    st.integers().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
)
VALUES = st.lists(ANYTHING, min_size=16, max_size=24, unique=True)
# The rules that break are named; to look for fewer values that break them too takes minutes.
ONCE = settings(derandomize=True, deadline=None, database=None, phases=[Phase.generate])
FEEDS = [feed for feed in feeds().values() if rule_books(feed)]


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with duckdb.connect(config={"threads": 1}) as con:
        yield Received(con)


@settings(ONCE, max_examples=1)
@given(values=VALUES)
def test_no_rule_breaks_on_what_no_column_should_hold(received: Received, values: list[str]) -> None:
    assert not {name: why for feed in FEEDS for name, why in broken(received, feed, values).items()}


@pytest.mark.slow
@settings(ONCE, max_examples=25)
@given(values=VALUES)
def test_no_rule_breaks_on_much_that_no_column_should_hold(received: Received, values: list[str]) -> None:
    assert not {name: why for feed in FEEDS for name, why in broken(received, feed, values).items()}


def broken(received: Received, feed: Feed, values: list[str]) -> dict[str, str]:
    """The rules of a feed's books that raise, and what, where each table of the delivery and of the one before holds the values."""
    with_tables = _as_of(feed, OPTIONS)
    period = with_tables.period(OPTIONS)
    said = _said_in_cases(feed)
    cell = count()
    received.empty(with_tables)
    for first, scope in enumerate([period.scope, period.before] if period else [""]):
        given = {
            table.name: tuple(
                {
                    # A few of whom all tables tell, so that what joins them has rows; and good values between the others.
                    column: "ABC"[row]
                    if column in table.key[:1] and row < 3
                    else (*said.get((table.name, column), ()), *values)[
                        next(cell) * 7 % (len(said.get((table.name, column), ())) + len(values))
                    ]
                    for column in table.names()
                }
                for row in range(4)
            )
            for table in with_tables.tables
        }
        received.add(with_tables, given, scope, first=1_000 * first)
    present = frozenset(table.name for table in with_tables.tables)
    found = {}
    with Workings(received.con, with_tables, OPTIONS, TODAY, present, beaten=present) as workings:
        for rule in (rule for book in rule_books(feed) for rule in book.rules if rule.sql):
            try:
                sql = workings.sql(rule.sql, rows=f"raw.{with_tables.raw(rule.tables[0])}", quarantine="held")
                received.con.execute(f"SELECT DISTINCT raw_row_id FROM ({sql}\n)").fetchall()
            except duckdb.Error as error:
                found[rule.name] = str(error)
    return found


def _said_in_cases(feed: Feed) -> dict[tuple[str, str], tuple[str, ...]]:
    """What the rules' own examples have in each column."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for rule in (rule for book in rule_books(feed) for rule in book.rules):
        for case in rule.cases:
            for given_rows in (case.given, case.last_year):
                for table, rows in given_rows.items():
                    for row in rows:
                        for column, value in row.items():
                            found.setdefault((table, column), {})[value] = None
    return {place: tuple(values) for place, values in found.items()}
