"""What is counted of every delivery, so that the next can be held against it: rows, codes, records that found others.

Counts alone, kept for good in feed_measure; a code outside its list is counted and not kept, since it may be anything.
What must not live here: what is usual (volume.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from connectors.contract import Column, Feed, Table
from warehouse.quoting import literal, quoted

if TYPE_CHECKING:
    import duckdb

BLANK, UNKNOWN = "(blank)", "(not in the list)"


def has_codes(feed: Feed) -> bool:
    """Whether any column of the feed has a list of codes."""
    return any(_coded(table) for table in feed.tables)


def count(con: duckdb.DuckDBPyConnection, feed: Feed, tables: Sequence[Table], load_id: str, load_seq: int) -> None:
    """Counts the delivery of this load, if there was one, in these tables. Within the caller's transaction; again changes nothing.

    What was sent before and came again unchanged is no delivery: running the same extracts twice counts nothing.
    """
    of_load = {"load_id": load_id, "agency": feed.agency, "feed": feed.name}
    con.execute(
        "DELETE FROM feed_measure WHERE load_id = $load_id AND agency = $agency AND feed = $feed AND measure <> 'matched'",
        of_load,
    )
    received, scope = con.execute(
        "SELECT sum(received), max(scope) FROM received_file "
        "WHERE load_id = $load_id AND agency = $agency AND feed = $feed AND status = 'landed'",
        of_load,
    ).fetchall()[0]
    if received is None:
        return
    if feed.delivery == "full":
        rows = f"superseded_seq IS NULL AND vanished_seq IS NULL AND coalesce(scope, '') = {literal(scope or '')}"
        counts = [f"SELECT {literal(table.name)}, count(*) FROM {_raw(feed, table)} WHERE {rows}" for table in tables]
    else:
        rows = f"load_seq = {int(load_seq)}"
        counts = [f"SELECT '', {int(received)}"]
    if counts:
        con.execute(
            "INSERT INTO feed_measure SELECT $load_id, $agency, $feed, 'rows', table_name, '', '', cases, cases "
            f"FROM ({' UNION ALL '.join(counts)}) counted (table_name, cases)",
            of_load,
        )
    coded = [(table, column) for table in tables for column in _coded(table)]
    if coded:
        _count_codes(con, feed, coded, rows, of_load)


def _count_codes(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    coded: Sequence[tuple[Table, Column]],
    rows: str,
    of_load: Mapping[str, str],
) -> None:
    """How often each code stands in each column. Texts are counted before they are read: there are few different ones."""
    texts = " UNION ALL ".join(
        _texts(_raw(feed, table), table, rows) for table in dict.fromkeys(table for table, _ in coded)
    )
    lists = [(table.name, column.name, code) for table, column in coded for code in column.allowed or ()]
    names, columns, codes = (list(each) for each in zip(*lists, strict=True))
    con.execute(
        f"""
        INSERT INTO feed_measure
        WITH known AS (SELECT unnest($names) AS table_name, unnest($columns) AS column_name, unnest($codes) AS code),
        texts AS (SELECT * REPLACE (tidy(said) AS said) FROM ({texts}))
        SELECT $load_id, $agency, $feed, 'code', texts.table_name, texts.column_name,
               CASE WHEN said IS NULL THEN '{BLANK}' WHEN code IS NULL THEN '{UNKNOWN}' ELSE code END AS counted,
               sum(cases)::BIGINT, (sum(sum(cases)) OVER (PARTITION BY texts.table_name, texts.column_name))::BIGINT
        FROM texts LEFT JOIN known
          ON known.table_name = texts.table_name AND known.column_name = texts.column_name AND known.code = texts.said
        GROUP BY texts.table_name, texts.column_name, counted
        """,
        {**of_load, "names": names, "columns": columns, "codes": codes},
    )


def _texts(raw: str, table: Table, rows: str) -> str:
    """How often each text stands in each column that has codes: in one pass, since a pass takes longer to plan than to run."""
    columns = _coded(table)
    texts = [quoted(column.name.lower()) for column in columns]
    # Of grouping() the bit of the one column that is grouped by is 0, the first column's being the highest.
    all_bits = 2 ** len(columns) - 1
    grouped = [all_bits - 2**bit for bit in reversed(range(len(columns)))]
    names = ", ".join(literal(column.name) for column in columns)
    return (
        f"SELECT {literal(table.name)} AS table_name, ([{names}])[list_position({grouped}, grouping({', '.join(texts)}))] AS column_name, "
        f"coalesce({', '.join(texts)}) AS said, count(*) AS cases FROM {raw} WHERE {rows} "
        f"GROUP BY GROUPING SETS ({', '.join(f'({text})' for text in texts)})"
    )


def count_matches(con: duckdb.DuckDBPyConnection, load_id: str) -> None:
    """Counts, for each feed that had a delivery, how many of its records share a person with a record of another feed."""
    con.execute("DELETE FROM feed_measure WHERE load_id = ? AND measure = 'matched'", [load_id])
    con.execute(
        """
        INSERT INTO feed_measure
        WITH records AS (
            SELECT r.agency, r.feed, l.person_id FROM person_record r JOIN link l ON l.record_id = r.record_id
            WHERE r.superseded_at IS NULL AND l.unlinked_at IS NULL
        ),
        known AS (SELECT person_id, count(DISTINCT agency || '.' || feed) AS feeds FROM records GROUP BY person_id)
        SELECT $load_id, agency, feed, 'matched', '', '', '', count(*) FILTER (known.feeds > 1), count(*)
        FROM records JOIN known USING (person_id)
        WHERE (agency, feed) IN (SELECT (agency, feed) FROM received_file WHERE load_id = $load_id AND status = 'landed')
        GROUP BY agency, feed
        """,
        {"load_id": load_id},
    )


def _coded(table: Table) -> list[Column]:
    return [column for column in table.columns if column.allowed]


def _raw(feed: Feed, table: Table) -> str:
    return f"raw.{quoted(feed.raw(table.name))}"
