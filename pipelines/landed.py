"""Landed files as rows: read by their feed's reader or, where somebody was erased from one, from what is left of it.

What must not live here: what becomes of the rows (feed_landing.py), and which of them are an erased person's (warehouse/erase.py).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as parquet

from connectors.contract import Feed
from connectors.readers import Parsed, ReadableFile, UnreadableFile, read
from connectors.readers.received import columns_of, create_received
from warehouse import erase
from warehouse.landing import Landing

if TYPE_CHECKING:
    from pipelines.line import Line


def read_landed(line: Line, feed: Feed, name: str, sha256: str, table: str | None) -> list[Parsed]:
    """The rows of one landed file in temporary tables. Raises UnreadableFile and UnrecognisedFile as readers do."""
    if line.landing.is_redacted(sha256):
        return _read_redacted(line, feed, name, sha256)
    file = ReadableFile(
        con=line.con,
        name=name,
        location=f"landing://{sha256}",
        open=lambda: line.landing.open(sha256),
        offer=line.filesystem.offer,
        table=table,
    )
    try:
        return read(feed, file)
    finally:
        line.filesystem.withdraw(sha256)


def reading_of(feed: Feed) -> str:
    """A fingerprint of the contract that a feed's files are read by."""
    return hashlib.md5(repr((feed.format, feed.tables)).encode(), usedforsecurity=False).hexdigest()


def left_out(landing: Landing, sha256: str) -> dict[str, int]:
    """How many rows of each table are no longer in a landed file, because they were an erased person's."""
    return dict(landing.redacted(sha256)[0]["refused"]) if landing.is_redacted(sha256) else {}


def take_out(line: Line, feed: Feed, sha256: str, scope: str, parsed: list[Parsed]) -> dict[str, int]:
    """Takes rows of erased people out of what was read of a landed file, and out of the file itself.

    Returns how many rows of each table are not there, those of earlier erasures included. The file is written anew before anything is
    made of its rows: killed in between, it is read again without them.
    """
    refused, changed = left_out(line.landing, sha256), False
    for part in parsed if line.landing.standing else ():
        raw = line.raw_table(feed, part.table)
        gone, emptied = erase.take_out(line.con, raw, part.relation, scope, sha256[:16])
        refused[raw.table] = refused.get(raw.table, 0) + gone
        changed = changed or bool(gone or emptied)
    if changed:
        # Numbered, since two sheets of a workbook can be of one table.
        parts = {str(number): _as_parquet(line, part.relation) for number, part in enumerate(parsed)}
        read_as = {
            str(number): {"table": part.table.name, "notes": part.notes, "columns": part.columns}
            for number, part in enumerate(parsed)
        }
        line.landing.redact(sha256, _said(line, refused, read_as), parts)
    return {table: count for table, count in refused.items() if count}


def remove(line: Line, sha256: str) -> None:
    """Leaves nothing of a landed file that could not be read as rows."""
    line.landing.redact(sha256, _said(line, {}, {}), {})


# What landing cannot give any more once somebody is gone from it; of what fails, what agencies do not agree on, which rests on the links.
_LEDGER = {
    "person": "true",
    "link": "true",
    "identity_change": "true",
    "potential_match": "true",
    "household": "true",
    "linkage_cluster": "true",
    "linkage_question": "true",
    "quality_spell": "starts_with(expectation, 'between.')",
}


def keep_ledger(line: Line, load_id: str) -> None:
    """Lands who is who after that load."""
    there = {
        name
        for (name,) in line.con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'").fetchall()
    }
    parts = {}
    for table in _LEDGER.keys() & there:
        stream = io.BytesIO()
        rows = line.con.execute(f'SELECT * FROM "{table}" WHERE {_LEDGER[table]} ORDER BY rowid')
        parquet.write_table(rows.to_arrow_table(), stream)
        parts[table] = stream.getvalue()
    line.landing.put_ledger(load_id, parts)


def take_ledger(line: Line, load_id: str) -> bool:
    """In a rebuild: what was landed of who is who after that load takes the place of what was worked out. False where nothing was."""
    from linkage.memory import REMEMBERED

    parts = line.landing.ledger(load_id)
    with line.warehouse.transaction() as con:
        for table, content in (parts or {}).items():
            if table not in _LEDGER:  # an earlier version had it
                continue
            con.register("kept_rows", parquet.read_table(io.BytesIO(content)))
            con.execute(f'DELETE FROM "{table}" WHERE {_LEDGER[table]}')
            con.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM kept_rows')
            con.unregister("kept_rows")
        for table in REMEMBERED if parts else ():
            con.execute(f'DROP TABLE IF EXISTS "{table}"')
    return parts is not None


def _said(line: Line, refused: Mapping[str, int], read_as: Mapping[str, Any]) -> dict[str, Any]:
    return {"erasures": sorted(line.landing.standing), "refused": refused, "read_as": read_as}


def _as_parquet(line: Line, relation: str) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(line.con.execute(f"SELECT * FROM {relation} ORDER BY rowid").to_arrow_table(), stream)
    return stream.getvalue()


def _read_redacted(line: Line, feed: Feed, name: str, sha256: str) -> list[Parsed]:
    said, parts = line.landing.redacted(sha256)
    if not parts:
        raise UnreadableFile(
            f"{name}: it could not be read as rows and held somebody who was erased; nothing of it was kept"
        )
    known = {table.name: table for table in feed.tables}
    found = []
    for number, content in parts.items():
        read_as = said["read_as"][number]
        table_name = read_as["table"]
        if table_name not in known:
            raise UnreadableFile(f"{name}: it holds {table_name}, which is no table of {feed.id} any more")
        table = known[table_name]
        relation = create_received(line.con, table)
        stored = parquet.read_table(io.BytesIO(content))
        line.con.register("redacted_rows", stored)
        # A column that the contract has learnt since was kept beside the known ones then.
        names = ", ".join(
            f'"{column}"' if column in stored.column_names else f'extra ->> \'$."{column}"\' AS "{column}"'
            for column in ("row_number", *columns_of(table), "extra", "_problem", "_content")
        )
        line.con.execute(f"INSERT INTO {relation} SELECT {names} FROM redacted_rows")
        line.con.unregister("redacted_rows")
        found.append(Parsed(table, relation, tuple(read_as["notes"]), tuple(read_as["columns"])))
    return found
