"""Conform: current raw rows of the units that changed → rows of the common model, staged for load.

A unit is what is replaced as a whole when any of its rows is new, changed or withdrawn (Output.unit). This module runs the
outputs that a feed declares; it knows no agency. Staged rows stand in schema `staged` of the core until load takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import duckdb

from connectors.contract import Feed, Lookup, Output
from warehouse.land import joined
from warehouse.schema import COMMON_MODEL, GIVEN_BY_LOAD, Relation

_WITHDRAWN = {
    "full": "it is no longer in the agency's full delivery",
    "delta": "the agency deleted it, or tells it of something else",
}


class ConformError(Exception):
    """A feed's conform() does not fit the common model: a fault of the connector, named with its output."""


def conform(con: duckdb.DuckDBPyConnection, feed: Feed, options: Mapping[str, Any], loaded_seq: int) -> int:
    """Stages what every unit that changed since load `loaded_seq` now says. Returns the number of staged rows.

    Writes staged.<agency>_<feed>_units (group, source_key, retracted, reason) and staged.<agency>_<feed>_<table> per
    common-model table. Runs within the caller's transaction.
    """
    prefix = f"{feed.agency}_{feed.name}"
    con.execute(
        f'CREATE OR REPLACE TABLE staged."{prefix}_units" (source_key VARCHAR, retracted BOOLEAN, reason VARCHAR)'
    )
    for relation in COMMON_MODEL.values():
        con.execute(
            f'CREATE OR REPLACE TABLE staged."{prefix}_{relation.name}" AS '
            f'SELECT {", ".join(_staged(relation))} FROM "{relation.name}" LIMIT 0'
        )
    staged = 0
    lookups = Lookups(con, feed, feed.lookups(options), loaded_seq)
    groups: dict[tuple[str, tuple[str, ...], str], list[Output]] = {}
    for output in feed.outputs(options):
        _check_reads(feed, output)
        unit = output.unit or ("scope", *feed.table(output.reads).key)
        groups.setdefault((output.reads, tuple(name.lower() for name in unit), output.where or "true"), []).append(
            output
        )
    for (table, unit, where), outputs in groups.items():
        if not _select_rows(con, feed, table, unit, where, outputs, lookups, loaded_seq):
            continue
        for output in outputs:
            staged += _stage(con, feed, output, lookups)
        con.execute(
            f'INSERT INTO staged."{prefix}_units" SELECT u.source_key, u.retracted, u.reason FROM temp.touched_units u'
        )
    lookups.drop()
    return staged


class Lookups:
    """What outputs look up: the feed's current raw rows, and its lookups, each made when it is first read."""

    def __init__(self, con: duckdb.DuckDBPyConnection, feed: Feed, lookups: Sequence[Lookup], loaded_seq: int) -> None:
        self._con, self._feed, self._loaded_seq = con, feed, loaded_seq
        self._news: dict[str, bool] = {}
        self._sql = {lookup.name: lookup.sql for lookup in lookups}
        self._places = {f"raw_{table.name}": _current(feed, table.name) for table in feed.tables}
        self._made: list[str] = []

    def place(self, sql: str) -> str:
        """The SQL with every raw table and lookup it names in its place."""
        for name in self._sql:
            if "{" + name + "}" in sql and name not in self._made:
                self._make(name)
        for name in self._made:
            sql = sql.replace("{" + name + "}", f'temp."lookup_{name}"')
        for name, place in self._places.items():
            sql = sql.replace("{" + name + "}", place)
        return sql

    def has_news(self, table: str) -> bool:
        """Whether any row of a raw table came or went since the feed was loaded."""
        if table not in self._news:
            found = self._con.execute(
                f'SELECT 1 FROM raw."{self._feed.raw(table)}" WHERE load_seq > $seq OR superseded_seq > $seq LIMIT 1',
                {"seq": self._loaded_seq},
            ).fetchone()
            self._news[table] = found is not None
        return self._news[table]

    def tables_read(self, sql: str) -> list[str]:
        """The raw tables that some SQL looks things up in, itself or through a lookup."""
        read = sql + "".join(self.tables_sql(name) for name in self._sql if "{" + name + "}" in sql)
        return [table.name for table in self._feed.tables if "{raw_" + table.name + "}" in read]

    def tables_sql(self, name: str) -> str:
        own = self._sql[name]
        return own + "".join(self.tables_sql(other) for other in self._sql if "{" + other + "}" in own)

    def drop(self) -> None:
        for name in self._made:
            self._con.execute(f'DROP TABLE temp."lookup_{name}"')

    def _make(self, name: str) -> None:
        sql = self.place(self._sql[name])
        try:
            self._con.execute(f'CREATE OR REPLACE TEMP TABLE "lookup_{name}" AS {sql}')
        except duckdb.Error as error:
            raise ConformError(f"{self._feed.id}: the lookup {name} fails: {_first_line(error)}") from None
        self._made.append(name)


def _select_rows(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    table: str,
    unit: tuple[str, ...],
    where: str,
    outputs: Sequence[Output],
    lookups: Lookups,
    loaded_seq: int,
) -> bool:
    """temp.touched_units and temp.unit_rows: the units that changed, and their current rows with lineage.

    False, and nothing made, when no unit changed: a night costs what changed.
    """
    raw = f'raw."{feed.raw(table)}"'
    label = (
        table
        if set(unit) == {"scope", *(name.lower() for name in feed.table(table).key)}
        else f"{table}.{'.'.join(unit)}"
    )
    columns = ", ".join(f'"{name}"' for name in unit)
    columns_r = ", ".join(f'r."{name}"' for name in unit)
    named = [name for name in unit if name != "scope"]
    key = {
        alias: f"concat_ws('/', '{label}', "
        + (f"nullif({alias}.scope, ''), " if "scope" in unit else "")
        + joined([f"nullif(trim({alias}.\"{name}\"), '')" for name in named])
        + ")"
        for alias in ("t", "r")
    }
    same = " AND ".join(f't."{name}" IS NOT DISTINCT FROM r."{name}"' for name in unit)
    retracting = {(output.retracts, output.retract_reason) for output in outputs if output.retracts}
    retracted = " OR ".join(f"({condition})" for condition, _ in retracting) or "false"
    reason = next(iter(retracting))[1] if retracting else ""
    # What was looked up elsewhere may read differently now.
    anew = feed.delivery == "full" and any(
        lookups.has_news(name) for output in outputs for name in lookups.tables_read(output.sql)
    )
    if not anew and not lookups.has_news(table):
        return False
    touched = f"SELECT {columns} FROM {raw} WHERE (load_seq > $seq OR superseded_seq > $seq) AND ({where})"
    if anew:
        touched += f" UNION SELECT {columns} FROM {raw} WHERE superseded_seq IS NULL AND ({where})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE touched AS SELECT DISTINCT * FROM ({touched})", {"seq": loaded_seq})
    if con.execute("SELECT 1 FROM temp.touched LIMIT 1").fetchone() is None:
        return False
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unit_rows_all AS "
        f"SELECT r.rowid AS place, r.raw_row_id, {columns_r}, "
        f"struct_pack(source_key := {key['r']}, raw_row_id := r.raw_row_id, extracted_at := r.extracted_at) AS lineage, "
        f"coalesce({retracted}, false) AS is_retracted FROM {raw} r SEMI JOIN temp.touched t ON {same} "
        f"WHERE r.superseded_seq IS NULL AND ({where})"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW unit_rows AS SELECT r.*, u.lineage FROM temp.unit_rows_all u JOIN {raw} r ON r.rowid = u.place "
        "WHERE NOT u.is_retracted"
    )
    con.execute(
        "CREATE OR REPLACE TEMP VIEW unit_lineages AS SELECT raw_row_id, lineage FROM temp.unit_rows_all WHERE NOT is_retracted"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE touched_units AS "
        f"SELECT {key['t']} AS source_key, bool_and(coalesce(r.is_retracted, true)) AS retracted, "
        f"CASE WHEN bool_or(r.is_retracted) THEN $entered_in_error ELSE $withdrawn END AS reason "
        f"FROM temp.touched t LEFT JOIN temp.unit_rows_all r ON {same} GROUP BY ALL",
        {"entered_in_error": reason, "withdrawn": _WITHDRAWN[feed.delivery]},
    )
    return True


def _stage(con: duckdb.DuckDBPyConnection, feed: Feed, output: Output, lookups: Lookups) -> int:
    relation = COMMON_MODEL.get(output.table)
    if relation is None:
        raise ConformError(f"{feed.id}: an output names {output.table}, which is no table of the common model")
    sql = output.sql.replace("{rows}", "temp.unit_rows").replace("{lineages}", "temp.unit_lineages")
    sql = sql.replace("{feed}", feed.id).replace("{agency}", feed.agency)
    sql = lookups.place(sql)
    ours = _given_by_conform(feed, relation)
    taken = ["lineage", *ours] + ["ref"] * _is_dated(relation)
    taken += ["source_person_id"] * ("source_person_id" not in relation.names())
    kept_back = ", ".join(f"'{name}'" for name in taken)
    try:
        inserted = con.execute(
            f'INSERT INTO staged."{feed.agency}_{feed.name}_{relation.name}" BY NAME '
            f"SELECT COLUMNS(name -> name NOT IN ({kept_back})), {', '.join(f'{sql} AS {name}' for name, sql in ours.items())} "
            f"FROM ({sql}) q"
        )
    except duckdb.Error as error:
        # What is wrong with the columns is told in the words of the contract; asked only now, since planning an output twice is dear.
        with suppress(duckdb.Error):
            given = [row[0] for row in con.execute(f"DESCRIBE {sql}").fetchall()]
            _check_columns(feed, output, relation, given)
        raise ConformError(
            f"{feed.id}: the output {output.table} of {output.reads} fails: {_first_line(error)}"
        ) from None
    return int(inserted.fetchall()[0][0])


def _first_line(error: duckdb.Error) -> str:
    """The kind of fault and, for faults found before any row is read, what the engine says of the statement.

    What it says of a row (a value that does not convert) could hold a person's value and is left out.
    """
    kind = type(error).__name__
    if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
        return f"{kind}: {str(error).splitlines()[0]}"
    if isinstance(error, duckdb.ConversionException):
        return f"{kind}: a received value does not fit its column; read it by the macros of connectors/reading.sql, which never fail"
    return kind


def _check_reads(feed: Feed, output: Output) -> None:
    tables = {table.name: table for table in feed.tables}
    if output.reads not in tables:
        raise ConformError(
            f"{feed.id}: the output {output.table} reads {output.reads}, which is no table of the feed; there are {', '.join(tables)}"
        )
    columns = {"scope", *(name.lower() for name in tables[output.reads].names())}
    unknown = [name for name in output.unit or () if name.lower() not in columns]
    if unknown:
        raise ConformError(
            f"{feed.id}: the unit of the output {output.table} names {', '.join(unknown)}, no column of {output.reads}"
        )


def _check_columns(feed: Feed, output: Output, relation: Relation, given: list[str]) -> None:
    needed = ["lineage", "source_person_id"] + ["ref"] * _is_dated(relation)
    kept_for_us = {*GIVEN_BY_LOAD, "source_key", "raw_row_id", "extracted_at", "record_id", "event_id", "span_id"}
    allowed = {*relation.names(), *needed} - {"event_id", "span_id"}
    unknown = [name for name in given if name not in allowed]
    missing = [name for name in needed if name not in given]
    if unknown or missing:
        wrong = [f"gives the unknown column(s) {', '.join(unknown)}"] if unknown else []
        wrong += [f"lacks {', '.join(missing)}"] if missing else []
        free = [name for name in relation.names() if name not in kept_for_us and name not in needed]
        raise ConformError(
            f"{feed.id}: the output {relation.name} of {output.reads} {' and '.join(wrong)}; "
            f"it gives {', '.join(needed)} and any of {', '.join(free)}"
        )


def _staged(relation: Relation) -> list[str]:
    return [name for name in relation.names() if name not in GIVEN_BY_LOAD]


def _is_dated(relation: Relation) -> bool:
    return relation.name in ("event", "span")


def _given_by_conform(feed: Feed, relation: Relation) -> dict[str, str]:
    """The columns that follow from an output's row `q`, which no output gives itself."""
    record_id = f"'{feed.id}:' || q.source_person_id"
    expressions = {
        "source_key": "q.lineage.source_key",
        "raw_row_id": "q.lineage.raw_row_id",
        "extracted_at": "q.lineage.extracted_at",
        "record_id": record_id,
        "event_id": f"'E' || left(md5(concat_ws(chr(31), {record_id}, q.event_type, q.lineage.source_key, q.ref)), 20)",
        "span_id": f"'S' || left(md5(concat_ws(chr(31), {record_id}, q.kind, q.lineage.source_key, q.ref)), 20)",
    }
    return {name: sql for name, sql in expressions.items() if name in _staged(relation)}


def _current(feed: Feed, table: str) -> str:
    return f'(SELECT * FROM raw."{feed.raw(table)}" WHERE superseded_seq IS NULL)'
