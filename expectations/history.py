"""Every failure of a standard: a spell, opened when a row begins to fail and ended when it no longer does.

A row is known by its key, so that one sent again and still wrong goes on failing, and one put right is told from one
withdrawn. Nothing is ever deleted, and what stands as it stood is not written again. What must not live here: what fails (run.py),
and what is done about it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from connectors.contract import Feed
from warehouse.quoting import literal

if TYPE_CHECKING:
    import duckdb

# A row that lost against another of its own file is no version of the key: it is known by itself, as a row held back is.
ROW_KEY = "CASE WHEN superseded_seq = load_seq THEN raw_row_id ELSE source_key END AS row_key"
# Of a feed, the rows that fail.
OPEN = "agency = $agency AND feed = $feed AND ended_load_id IS NULL"
_KEY = ("expectation", "table_name", "row_key")
_SAID = ("severity", "raw_row_id", "source_file", "row_number", "local_id", "column_name", "value", "hint")


def begin(con: duckdb.DuckDBPyConnection) -> None:
    """Makes temp.failing, for what is found to fail tonight."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE failing AS SELECT agency, feed, {', '.join(_KEY + _SAID)} FROM quality_spell LIMIT 0"
    )


def record(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    *,
    load_id: str,
    tables: Collection[str],
    as_before: Collection[str],
    doubtful: str,
    parameters: Mapping[str, Any],
) -> None:
    """Brings the spells of a feed up to what fails by temp.failing. Runs within the caller's transaction.

    `tables` are those that exist; `as_before` names the standards that ask what they asked at the last load. `doubtful`, with its
    `parameters`, is a condition on open spells: they end unless temp.failing has them. All that it has is doubtful or new.
    """
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE lapsed AS SELECT rowid AS spell, {', '.join(_KEY)}, raw_row_id FROM quality_spell "
        f"WHERE {OPEN} AND ({doubtful})",
        {"agency": feed.agency, "feed": feed.name, **parameters},
    )
    con.execute(
        "INSERT INTO quality_spell BY NAME SELECT *, $load_id AS failing_since FROM temp.failing "
        f"ANTI JOIN temp.lapsed USING ({', '.join(_KEY)})",
        {"load_id": load_id},
    )
    if con.execute("SELECT count(*) FROM temp.lapsed").fetchall()[0][0]:
        _go_on(con, load_id)
        _end(con, feed, load_id, tables, as_before)
    con.execute("DROP TABLE temp.lapsed")
    con.execute("DROP TABLE temp.failing")


def _go_on(con: duckdb.DuckDBPyConnection, load_id: str) -> None:
    """A failure of a row that failed before is the same spell, whatever version of the row it is."""
    con.execute(
        f"UPDATE quality_spell AS s SET {', '.join(f'{name} = f.{name}' for name in _SAID)}, "
        "sent_again_load_id = CASE WHEN s.raw_row_id = f.raw_row_id THEN s.sent_again_load_id ELSE $load_id END "
        f"FROM temp.failing f JOIN temp.lapsed l USING ({', '.join(_KEY)}) "
        f"WHERE l.spell = s.rowid AND ({_row_of('s')}) IS DISTINCT FROM ({_row_of('f')})",
        {"load_id": load_id},
    )
    con.execute(f"DELETE FROM temp.lapsed WHERE ({', '.join(_KEY)}) IN (SELECT ({', '.join(_KEY)}) FROM temp.failing)")


def _row_of(relation: str) -> str:
    return ", ".join(f"{relation}.{name}" for name in _SAID)


def _end(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    load_id: str,
    tables: Collection[str],
    as_before: Collection[str],
) -> None:
    """Ends what no longer fails, saying how; a standard that changed its mind is no repair."""
    named = {row[0] for row in con.execute("SELECT DISTINCT table_name FROM temp.lapsed").fetchall()}
    # A feed can have thirty tables, and looking into each costs.
    current = (
        " UNION ALL ".join(
            f"SELECT {literal(table)} AS table_name, source_key AS row_key, raw_row_id FROM {_raw(feed, table)} "
            f"WHERE superseded_seq IS NULL AND source_key IN (SELECT row_key FROM temp.lapsed)"
            for table in tables
            if table in named
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


def _raw(feed: Feed, table: str) -> str:
    return f'raw."{feed.raw(table)}"'
