"""Landing rows: every received row ends as landed, unchanged, superseded or quarantined, in one transaction per unit.

Raw tables hold text as received and are append-only: a later version closes the earlier one, nothing is overwritten.
This module knows raw tables and received rows, no feed's meaning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import duckdb

from warehouse.engine import columns_of, define
from warehouse.quoting import quoted
from warehouse.schema import RAW_COLUMNS


@dataclass(frozen=True)
class RawTable:
    """A raw table: `name` within schema raw, the contract's columns, the key, and the column that orders versions.

    `withdraws` is SQL of what is true of a row that says only that its key is no more.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    version: str | None = None
    owner: str | None = None
    withdraws: str | None = None
    # Of two rows of a file that say the same both are kept, for rules that are held against the whole return.
    as_it_came: bool = False

    @property
    def relation(self) -> str:
        return f'raw."{self.name}"'


@dataclass(frozen=True)
class Arrived:
    """Where received rows came from: their load, file and delivery."""

    load_id: str
    load_seq: int
    agency: str
    feed: str
    file_id: str
    file_name: str
    scope: str
    extracted_at: dt.datetime


@dataclass(frozen=True)
class Books:
    """Received rows by what became of them; they must balance."""

    received: int = 0
    landed: int = 0
    unchanged: int = 0
    superseded: int = 0
    quarantined: int = 0
    refused: int = 0  # rows of somebody who was erased

    def __add__(self, other: Books) -> Books:
        return Books(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def balanced(self) -> bool:
        return self.received == self.landed + self.unchanged + self.superseded + self.quarantined + self.refused


class UnbalancedBooksError(Exception):
    """Rows were lost or counted twice: a fault of Tessera, never of the data. The load must not be published."""


def joined(parts: Sequence[str]) -> str:
    """SQL that joins the parts of a key so that no two keys of as many parts give one text, whatever stands in them.

    An empty part keeps its place, and a slash within a part is told from one between parts.
    """
    return " || '/' || ".join(rf"replace(replace(coalesce({part}, ''), '\', '\\'), '/', '\/')" for part in parts)


def source_key(raw: RawTable, scope: str) -> str:
    """SQL of a received row's key, scope first; `scope` is SQL for the delivery's scope."""
    trimmed = [f"nullif(trim({quoted(name)}), '')" for name in raw.key]
    # A single key of a feed without scopes is all there is and stays as it was sent.
    parts = joined(trimmed)
    key = f"CASE WHEN {scope} = '' THEN {trimmed[0]} ELSE {parts} END" if len(trimmed) == 1 else parts
    keyless = " OR ".join(f"{name} IS NULL" for name in trimmed)
    return f"CASE WHEN {keyless} THEN NULL ELSE concat_ws('/', nullif({scope}, ''), {key}) END"


def row_hash(raw: RawTable) -> str:
    """SQL of the fingerprint over a row as received."""
    content = ", ".join(rf"coalesce({quoted(name)}, E'\x1E')" for name in (*raw.columns, "extra"))
    return rf"md5(concat_ws(E'\x1F', {content}))"


def ensure_raw_tables(con: duckdb.DuckDBPyConnection, feed: str, raws: Collection[RawTable]) -> None:
    """Creates raw tables of a feed that are not there yet, and adds columns that its contract has learnt since.

    `raws` are all of the feed's. To be called within a transaction.
    """
    kept = ", ".join(f'"{field.name}" {field.type}' for field in RAW_COLUMNS)
    tables = [
        f"CREATE TABLE IF NOT EXISTS {raw.relation} ({', '.join(f'{quoted(name)} VARCHAR' for name in raw.columns)}, {kept})"
        for raw in raws
    ]
    if not define(con, f"raw_{feed}", tables):
        return
    for raw in raws:
        present = columns_of(con, raw.relation)
        for name in raw.columns:
            if name not in present:
                con.execute(f"ALTER TABLE {raw.relation} ADD COLUMN {quoted(name)} VARCHAR")


def land(con: duckdb.DuckDBPyConnection, raw: RawTable, received: str, arrived: Arrived) -> Books:
    """Lands one temporary table of received rows (see connectors.readers) and says what became of each.

    The newest version of a key wins: by the source's own version where it has one, else by order of arrival. Where that is a row that
    withdraws, it lands closed: nothing is current of its key until a later version comes. Runs within the caller's transaction.
    """
    rows = con.execute(f"SELECT count(*) FROM {received}").fetchall()[0][0]
    if not rows:
        return Books()
    withdraws = f"coalesce({raw.withdraws}, false)" if raw.withdraws else "false"
    version = (
        f"coalesce(strftime(read_office_instant({quoted(raw.version)}), '%Y-%m-%dT%H:%M:%S.%g'), {quoted(raw.version)})"
        if raw.version
        else "NULL"
    )
    current = f"{raw.relation} WHERE superseded_seq IS NULL AND scope = $scope"
    # What came last of a key that is no more still says which versions are later.
    gone = (
        f"""
            UNION ALL
            SELECT source_key, max_by(row_hash, row(load_seq, version_at)), max_by(version_at, row(load_seq, version_at))
            FROM {raw.relation}
            WHERE superseded_seq = load_seq AND {withdraws} AND scope = $scope AND source_key IN (SELECT source_key FROM ranked)
              AND source_key NOT IN (SELECT source_key FROM {current})
            GROUP BY source_key"""
        if raw.withdraws
        else ""
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE disposed AS
        WITH keyed AS (
            SELECT rowid AS place, row_number,
                   CASE WHEN _problem IS NULL THEN {source_key(raw, "$scope")} END AS source_key,
                   {row_hash(raw)} AS row_hash, {version} AS version_at, {withdraws} AS withdraws
            FROM {received}
        ),
        ranked AS (
            SELECT *, row_number() OVER newest AS _place, first_value(row_hash) OVER newest AS _newest_hash
            FROM keyed
            WINDOW newest AS (PARTITION BY source_key ORDER BY version_at DESC NULLS LAST, row_number DESC)
        ),
        current AS (
            SELECT source_key, row_hash AS current_hash, version_at AS current_version FROM {current}{gone}
        ),
        known AS (
            SELECT DISTINCT source_key, row_hash FROM {raw.relation} WHERE source_key IN (SELECT source_key FROM ranked WHERE _place > 1)
        )
        SELECT ranked.place, ranked.row_number, ranked.source_key, ranked.row_hash, ranked.version_at, ranked.withdraws,
               concat_ws(':', $table, $seq, $file_id, ranked.row_number) AS raw_row_id,
               CASE WHEN ranked.source_key IS NULL THEN 'quarantined'
                    WHEN _place = 1 AND current.source_key IS NULL THEN 'landed'
                    WHEN _place = 1 AND ranked.row_hash = current_hash THEN 'unchanged'
                    WHEN _place = 1 AND ranked.version_at < current_version THEN 'superseded'
                    WHEN _place = 1 THEN 'landed'
                    WHEN known.source_key IS NOT NULL THEN 'unchanged'
                    WHEN ranked.row_hash = _newest_hash AND NOT $as_it_came THEN 'unchanged'
                    ELSE 'superseded' END AS disposition
        FROM ranked
        LEFT JOIN current ON current.source_key = ranked.source_key
        LEFT JOIN known ON _place > 1 AND known.source_key = ranked.source_key AND known.row_hash = ranked.row_hash
        """,
        {
            "scope": arrived.scope,
            "table": raw.table,
            "file_id": arrived.file_id,
            "seq": arrived.load_seq,
            "as_it_came": raw.as_it_came,
        },
    )
    counts = dict(con.execute("SELECT disposition, count(*) FROM temp.disposed GROUP BY disposition").fetchall())
    books = Books(
        sum(counts.values()),
        **{name: counts.get(name, 0) for name in ("landed", "unchanged", "superseded", "quarantined")},
    )
    # Only what there is something to do for: in a small file a statement's planning is all it costs.
    if books.landed:
        _supersede(con, raw, arrived)
    if books.unchanged:
        _welcome_back(con, raw, arrived)
    if books.landed or books.superseded:
        _append(con, raw, received, arrived)
    if books.quarantined:
        _quarantine(con, raw, received, arrived)
    if not books.balanced or books.received != rows:
        raise UnbalancedBooksError(
            f"{arrived.agency}.{arrived.feed}, {raw.table}: {rows} rows received, accounted for {books}"
        )
    return books


def _supersede(con: duckdb.DuckDBPyConnection, raw: RawTable, arrived: Arrived) -> None:
    con.execute(
        f"UPDATE {raw.relation} AS r SET superseded_seq = $seq FROM temp.disposed d "
        "WHERE d.disposition = 'landed' AND r.source_key = d.source_key AND r.superseded_seq IS NULL AND r.scope = $scope",
        {"seq": arrived.load_seq, "scope": arrived.scope},
    )


def _welcome_back(con: duckdb.DuckDBPyConnection, raw: RawTable, arrived: Arrived) -> None:
    """A key that was missing from a full delivery and is back is no longer vanished."""
    con.execute(
        f"UPDATE {raw.relation} AS r SET vanished_seq = NULL FROM temp.disposed d WHERE d.disposition = 'unchanged' "
        "AND r.source_key = d.source_key AND r.superseded_seq IS NULL AND r.vanished_seq IS NOT NULL AND r.scope = $scope",
        {"scope": arrived.scope},
    )


def _append(con: duckdb.DuckDBPyConnection, raw: RawTable, received: str, arrived: Arrived) -> None:
    names = ", ".join(quoted(name) for name in raw.columns)
    columns = ", ".join(f"r.{quoted(name)}" for name in raw.columns)
    # Not ordered: in DuckDB 1.5 an ordered insert of no rows makes a later large insert into the same empty table, within one
    # transaction, vanish without an error (tests/integration/test_versions.py holds the case).
    con.execute(
        f"""
        INSERT INTO {raw.relation} ({names}, raw_row_id, load_id, load_seq, file_id, row_number, scope, source_key, row_hash,
                                    version_at, extracted_at, superseded_seq, vanished_seq, extra)
        SELECT {columns}, d.raw_row_id, $load_id, $seq, $file_id, d.row_number, $scope, d.source_key, d.row_hash, d.version_at,
               $extracted_at, CASE WHEN d.disposition = 'superseded' OR d.withdraws THEN $seq END, NULL, r.extra
        FROM temp.disposed d JOIN {received} r ON r.rowid = d.place WHERE d.disposition IN ('landed', 'superseded')
        """,
        {
            "load_id": arrived.load_id,
            "seq": arrived.load_seq,
            "file_id": arrived.file_id,
            "scope": arrived.scope,
            "extracted_at": arrived.extracted_at,
        },
    )


def _quarantine(con: duckdb.DuckDBPyConnection, raw: RawTable, received: str, arrived: Arrived) -> None:
    """Holds rows back whole; the same bytes sent again are held once."""
    columns = ", ".join(f"'{name}', r.{quoted(name)}" for name in raw.columns)
    as_json = f"CASE WHEN r.extra IS NULL THEN json_object({columns}) ELSE json_object({columns}, 'extra', r.extra::JSON) END::VARCHAR"
    needed = ", ".join(raw.key)
    con.execute(
        f"""
        INSERT INTO quarantine
        SELECT concat_ws(':', $table, nullif($scope, ''), $file_id, d.row_number) AS held, $load_id, $agency, $feed, $table, $file_id,
               d.row_number,
               $name || ', ' || coalesce(r._problem, 'row ' || d.row_number || ': the key ({needed}) is empty, so it cannot be told '
               || 'which row it is; ask for it again with the key, or repair and release it'),
               coalesce(r._content, {as_json}), NULL, NULL, NULL
        FROM temp.disposed d JOIN {received} r ON r.rowid = d.place
        WHERE d.disposition = 'quarantined' AND held NOT IN (SELECT quarantine_id FROM quarantine)
        """,
        {
            "load_id": arrived.load_id,
            "agency": arrived.agency,
            "feed": arrived.feed,
            "table": raw.table,
            "file_id": arrived.file_id,
            "name": arrived.file_name,
            "scope": arrived.scope,
        },
    )


def mark_vanished(
    con: duckdb.DuckDBPyConnection,
    raw: RawTable,
    received_keys: str,
    scope: str,
    load_seq: int,
    owners: RawTable | None,
) -> int:
    """After a full delivery: keys that it no longer holds. Nothing is deleted.

    A row whose owner (the child) is still in the delivery was withdrawn by the agency: its version is closed, and what was
    made of it is retracted. A row whose owner is gone too is only marked: somebody vanished from the extract, which is an
    alarm and not an end of anything. Of a table kept as it came, a row beaten by another of its
    file is marked once its key comes no more than once.
    `received_keys` is a relation with columns source_key and rows, how often it came. Returns how many vanished.
    """
    vanished = (
        f"r.superseded_seq IS NULL AND r.scope = $scope AND r.vanished_seq IS NULL "
        f"AND r.source_key NOT IN (SELECT source_key FROM {received_keys} WHERE source_key IS NOT NULL)"
    )
    parameters = {"scope": scope, "seq": load_seq}
    if owners is not None and raw.owner is not None and owners.name != raw.name:
        con.execute(
            f"UPDATE {raw.relation} AS r SET vanished_seq = $seq, superseded_seq = $seq WHERE {vanished} "
            f"AND trim(r.{quoted(raw.owner)}) IN (SELECT trim({quoted(owners.key[0])}) FROM {owners.relation} o "
            "WHERE o.superseded_seq IS NULL AND o.vanished_seq IS NULL AND o.scope = $scope)",
            parameters,
        )
    con.execute(f"UPDATE {raw.relation} AS r SET vanished_seq = $seq WHERE {vanished}", parameters)
    counted = con.execute(
        f"SELECT count(*) FROM {raw.relation} WHERE vanished_seq = $seq AND scope = $scope", parameters
    )
    count = int(counted.fetchall()[0][0])
    if raw.as_it_came:
        con.execute(
            f"UPDATE {raw.relation} AS r SET vanished_seq = $seq WHERE superseded_seq = load_seq AND load_seq < $seq "
            f"AND scope = $scope AND vanished_seq IS NULL "
            f"AND source_key IN (SELECT source_key FROM {received_keys} WHERE rows = 1)",
            parameters,
        )
    return count
