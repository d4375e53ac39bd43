"""Rows pulled from a database, landed as Parquet of text by the transport; the table is known by its name there."""

from __future__ import annotations

from dataclasses import replace

from connectors.contract import Feed
from connectors.readers.received import Parsed, ReadableFile, columns_of, create_received, recognise
from warehouse.quoting import literal, quoted


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads one landed table."""
    con, location = file.con, literal(file.location)
    received = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM read_parquet({location})").fetchall()]
    table, matched = recognise(
        feed if file.table is None else _only(feed, file.table),
        file.name,
        [name for name in received if name != "row_number"],
    )
    relation = create_received(con, table)
    by_contract = {contract: source for source, contract in matched.items()}
    selected = ", ".join(quoted(by_contract[name]) if name in by_contract else "NULL" for name in columns_of(table))
    unknown = [name for name in received if name not in matched and name != "row_number"]
    extra = (
        "json_object(" + ", ".join(f"{literal(name)}, {quoted(name)}" for name in unknown) + ")::VARCHAR"
        if unknown
        else "NULL"
    )
    con.execute(
        f"INSERT INTO {relation} SELECT row_number, {selected}, {extra}, NULL, NULL FROM read_parquet({location})"
    )
    return [Parsed(table, relation, columns=tuple(name for name in received if name != "row_number"))]


def _only(feed: Feed, table: str) -> Feed:
    return replace(feed, tables=tuple(t for t in feed.tables if t.name.lower() == table.lower()))
