"""The floor: DuckDB merely reading the same bytes into tables. Nothing is checked, keyed, compared, encrypted or accounted for.

Defined once for every bench: a new unencrypted DuckDB database file on the same disk, default settings, one table a file, every
column text, closed at the end. CSV by read_csv; NDJSON by read_json, one column of text a line; a JSON document, XML and a workbook
as one value of text or bytes (DuckDB has no native reader here; so the floor does not parse them); SQLite table by table through
Python's sqlite3 (DuckDB's own scanner has to be downloaded). CSV that is not UTF-8 is read as Latin-1, and as bytes if it is not that.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import duckdb


def read(folder: str, into: str, files: list[str] | None = None) -> dict[str, Any]:
    """Reads every file below a folder (or only those named) into a new database; seconds, bytes and rows."""
    paths = (
        [Path(name) for name in files] if files else sorted(path for path in Path(folder).rglob("*") if path.is_file())
    )
    database = Path(into)
    for stale in (database, database.with_name(database.name + ".wal")):
        stale.unlink(missing_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    con = duckdb.connect(str(database))
    rows = sum(_read(con, path, f"t{number}") for number, path in enumerate(paths))
    con.close()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "bytes": sum(path.stat().st_size for path in paths),
        "rows": rows,
        "files": len(paths),
    }


def warm_and_read(folder: str, into: str, files: list[str] | None = None) -> dict[str, Any]:
    """As read, after once for nothing: the second time, neither imports nor the disk's first touch are in it."""
    read(folder, into, files)
    return read(folder, into, files)


def _read(con: duckdb.DuckDBPyConnection, path: Path, table: str) -> int:
    match path.suffix.lower():
        case ".csv" | ".txt":
            return _csv(con, path, table)
        case ".ndjson" | ".jsonl":
            return _create(
                con,
                table,
                "SELECT * FROM read_json(?, format = 'newline_delimited', records = false, columns = {'line': 'JSON'})",
                path,
            )
        case ".sqlite" | ".sqlite3" | ".db":
            return _sqlite(con, path, table)
        case ".json" | ".xml":
            return _create(con, table, "SELECT content FROM read_text(?)", path)
        case _:
            return _create(con, table, "SELECT content FROM read_blob(?)", path)


def _create(con: duckdb.DuckDBPyConnection, table: str, select: str, path: Path) -> int:
    return int(con.execute(f"CREATE TABLE {table} AS {select}", [str(path)]).fetchall()[0][0])


def _csv(con: duckdb.DuckDBPyConnection, path: Path, table: str) -> int:
    try:
        return _create(con, table, "SELECT * FROM read_csv(?, all_varchar = true, header = true)", path)
    except duckdb.Error:
        pass
    try:
        return _create(
            con, table, "SELECT * FROM read_csv(?, all_varchar = true, header = true, encoding = 'latin-1')", path
        )
    except duckdb.Error:
        return _create(con, table, "SELECT content FROM read_blob(?)", path)


def _sqlite(con: duckdb.DuckDBPyConnection, path: Path, table: str) -> int:
    import pyarrow as pa

    total = 0
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    names = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    for number, name in enumerate(names):
        cursor = source.execute(f'SELECT * FROM "{name}"')
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        texts = [
            pa.array([None if v is None else str(v) for v in column], pa.string()) for column in zip(*rows, strict=True)
        ]
        arrow = (
            pa.table(texts, names=columns)
            if rows
            else pa.table({column: pa.array([], pa.string()) for column in columns})
        )
        con.register("arriving", arrow)
        total += int(con.execute(f"CREATE TABLE {table}_{number} AS SELECT * FROM arriving").fetchall()[0][0])
        con.unregister("arriving")
    source.close()
    return total
