"""How long each row has been failing: spells, opened when a row begins to fail a standard and ended when it no longer does.

A row is known by its key, so that one sent again and still wrong goes on failing, and one put right is told from one
withdrawn. Nothing is ever deleted. What must not live here: what fails (run.py), and what is done about it.

Cost follows what changed: only failures without a spell and spells without a failure are looked up among the raw rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from connectors.contract import Feed
from warehouse.quoting import literal

if TYPE_CHECKING:
    import duckdb

_SAID = ("severity", "raw_row_id", "source_file", "row_number", "local_id", "column_name", "value", "hint")
_OPEN = "agency = $agency AND feed = $feed AND ended_load_id IS NULL"


def record(
    con: duckdb.DuckDBPyConnection, feed: Feed, *, load_id: str, tables: Collection[str], as_before: Collection[str]
) -> None:
    """Brings the spells of a feed up to the failures that stand. Runs within the caller's transaction.

    `tables` are those that exist; `as_before` names the standards that ask what they asked at the last load.
    """
    of_feed = {"agency": feed.agency, "feed": feed.name}
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unmatched AS
        SELECT f.rowid AS failure, f.expectation, f.table_name, f.raw_row_id FROM quality_failure f
        ANTI JOIN (SELECT expectation, raw_row_id FROM quality_spell WHERE {_OPEN}) s
          ON s.expectation = f.expectation AND s.raw_row_id = f.raw_row_id
        WHERE f.agency = $agency AND f.feed = $feed
        """,
        of_feed,
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE lapsed AS
        SELECT s.rowid AS spell, s.expectation, s.table_name, s.row_key, s.raw_row_id FROM quality_spell s
        ANTI JOIN (SELECT expectation, raw_row_id FROM quality_failure WHERE agency = $agency AND feed = $feed) f
          ON s.expectation = f.expectation AND s.raw_row_id = f.raw_row_id
        WHERE {_OPEN}
        """,
        of_feed,
    )
    counted = con.execute("SELECT (SELECT count(*) FROM temp.unmatched) + (SELECT count(*) FROM temp.lapsed)")
    if counted.fetchall()[0][0]:
        _open_and_go_on(con, feed, load_id, tables)
        _end(con, feed, load_id, tables, as_before)
    con.execute("DROP TABLE temp.unmatched")
    con.execute("DROP TABLE temp.lapsed")


def _open_and_go_on(con: duckdb.DuckDBPyConnection, feed: Feed, load_id: str, tables: Collection[str]) -> None:
    """A failure of a row that failed before is the same spell, whatever version of the row it is."""
    tables = _named_in(con, "unmatched", tables)
    # A row that lost against another of its own file is no version of the key: it is known by itself, as a row held back is.
    keys = (
        _union(
            f"SELECT raw_row_id, CASE WHEN superseded_seq = load_seq THEN raw_row_id ELSE source_key END AS row_key "
            f"FROM {_raw(feed, table)} WHERE raw_row_id IN (SELECT raw_row_id FROM named WHERE table_name = {literal(table)})"
            for table in tables
        )
        or "SELECT NULL::VARCHAR AS raw_row_id, NULL::VARCHAR AS row_key LIMIT 0"
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE beginning AS
        WITH named AS MATERIALIZED (SELECT DISTINCT table_name, raw_row_id FROM temp.unmatched)
        SELECT u.failure, coalesce(k.row_key, u.raw_row_id) AS row_key, l.spell
        FROM temp.unmatched u
        LEFT JOIN ({keys}) k ON k.raw_row_id = u.raw_row_id
        LEFT JOIN temp.lapsed l ON l.expectation = u.expectation AND l.table_name = u.table_name
             AND l.row_key = coalesce(k.row_key, u.raw_row_id)
        """
    )
    con.execute(
        f"UPDATE quality_spell AS s SET {', '.join(f'{name} = f.{name}' for name in _SAID)} "
        "FROM temp.beginning b JOIN quality_failure f ON f.rowid = b.failure WHERE b.spell = s.rowid"
    )
    con.execute("DELETE FROM temp.lapsed WHERE spell IN (SELECT spell FROM temp.beginning)")
    con.execute(
        f"INSERT INTO quality_spell BY NAME SELECT agency, feed, table_name, expectation, row_key, {', '.join(_SAID)}, "
        "$load_id AS failing_since FROM temp.beginning b JOIN quality_failure f ON f.rowid = b.failure WHERE spell IS NULL",
        {"load_id": load_id},
    )
    con.execute("DROP TABLE temp.beginning")


def _end(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    load_id: str,
    tables: Collection[str],
    as_before: Collection[str],
) -> None:
    """Ends what no longer fails, saying how; a standard that changed its mind is no repair."""
    tables = _named_in(con, "lapsed", tables)
    current = (
        _union(
            f"SELECT {literal(table)} AS table_name, source_key AS row_key, raw_row_id FROM {_raw(feed, table)} "
            f"WHERE superseded_seq IS NULL AND source_key IN (SELECT row_key FROM temp.lapsed)"
            for table in tables
        )
        or "SELECT NULL::VARCHAR AS table_name, NULL::VARCHAR AS row_key, NULL::VARCHAR AS raw_row_id LIMIT 0"
    )
    con.execute(
        f"""
        UPDATE quality_spell AS s SET ended_load_id = $load_id, ended = CASE
            WHEN q.released THEN 'released'
            WHEN NOT list_contains($as_before, s.expectation) THEN 'standard_changed'
            WHEN c.raw_row_id IS NULL AND q.released IS NULL THEN 'withdrawn'
            WHEN c.raw_row_id = s.raw_row_id OR NOT q.released THEN 'repaired_elsewhere'
            ELSE 'repaired' END
        FROM temp.lapsed l
        LEFT JOIN ({current}) c ON c.table_name = l.table_name AND c.row_key = l.row_key
        LEFT JOIN (SELECT quarantine_id, released_load_id IS NOT NULL AS released FROM quarantine
                   WHERE agency = $agency AND feed = $feed) q ON q.quarantine_id = l.raw_row_id
        WHERE l.spell = s.rowid
        """,
        {"load_id": load_id, "as_before": list(as_before), "agency": feed.agency, "feed": feed.name},
    )


def _named_in(con: duckdb.DuckDBPyConnection, failures: str, tables: Collection[str]) -> list[str]:
    """Those of the tables that these failures are of: a feed can have thirty, and looking into each costs."""
    named = {row[0] for row in con.execute(f"SELECT DISTINCT table_name FROM temp.{failures}").fetchall()}
    return [table for table in tables if table in named]


def _union(selects: Iterable[str]) -> str:
    return " UNION ALL ".join(selects)


def _raw(feed: Feed, table: str) -> str:
    return f'raw."{feed.raw(table)}"'
