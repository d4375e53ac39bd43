"""One row held against the standards of its columns before it is sent: what a form says to whoever fills it in.

The conditions are those of suite.py, which judge the row again when it has landed. What must not live here: a condition of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from connectors.contract import Feed, Table
from expectations.suite import VALUE, Standard, suite_for


def failing(con: duckdb.DuckDBPyConnection, feed: Feed, table: Table, row: Mapping[str, str]) -> list[Standard]:
    """The standards of a table's columns that a row would fail, in the order of the contract. A column that is not in it is blank.

    `con` is any connection on which connectors.reading is installed; nothing is written to it.
    """
    standards = [standard for standard in suite_for(feed, table) if standard.holds]
    conditions = []
    for standard in standards:
        value = f"nullif(trim(said.\"{standard.column}\"), '')"
        conditions.append(f"coalesce(({standard.holds.replace(VALUE, value)}), true)")
    given = ", ".join(f'?::VARCHAR AS "{column}"' for column in table.names())
    held = con.execute(
        f"WITH said AS (SELECT {given}) SELECT {', '.join(conditions)} FROM said",
        [row.get(column, "") for column in table.names()],
    ).fetchone()
    assert held is not None
    return [standard for standard, holds in zip(standards, held, strict=True) if not holds]
