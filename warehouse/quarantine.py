"""Releasing held-back rows: repaired if need be, they go through the line again with the next night."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from warehouse.engine import Warehouse
from warehouse.schema import RAW_COLUMNS, raw_table


class QuarantineError(Exception):
    """A row cannot be released; says why and what is allowed."""


def release(warehouse: Warehouse, quarantine_id: str, *, by: str, repairs: Mapping[str, str]) -> None:
    """Marks one row as released by a person, with the columns they repaired. The row itself stays as received.

    Raises QuarantineError for an unknown row, one released before, or a repair of a column the row does not have.
    """
    check(warehouse, quarantine_id, repairs)
    with warehouse.transaction() as con:
        con.execute(
            "UPDATE quarantine SET released_by = ?, repairs = ? WHERE quarantine_id = ?",
            [by, json.dumps(dict(repairs)), quarantine_id],
        )


def held_rows(warehouse: Warehouse, quarantine_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Rows held back or once held back, by quarantine_id: their feed, content, and who released them.

    Raises QuarantineError where one is not known.
    """
    found = {
        row["quarantine_id"]: row
        for row in warehouse.rows(
            "SELECT quarantine_id, agency || '.' || feed AS feed, content, released_by FROM quarantine "
            "WHERE list_contains(?::VARCHAR[], quarantine_id)",
            [quarantine_ids],
        )
    }
    unknown = [quarantine_id for quarantine_id in quarantine_ids if quarantine_id not in found]
    if unknown:
        raise QuarantineError(f"{', '.join(unknown[:4])}: no such row; see tessera quarantine list")
    return found


def check(warehouse: Warehouse, quarantine_id: str, repairs: Mapping[str, str]) -> None:
    """Raises QuarantineError unless this row can be released so."""
    held = warehouse.rows(
        "SELECT agency, feed, table_name, released_by FROM quarantine WHERE quarantine_id = ?", [quarantine_id]
    )
    if not held:
        raise QuarantineError(f"{quarantine_id}: no such row; see tessera quarantine list")
    if held[0]["released_by"] is not None:
        raise QuarantineError(f"{quarantine_id}: was released before, by {held[0]['released_by']}")
    table = raw_table(held[0]["agency"], held[0]["feed"], held[0]["table_name"])
    kept = {field.name for field in RAW_COLUMNS}
    present = [
        row["column_name"]
        for row in warehouse.rows(
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'raw' AND table_name = ?", [table]
        )
    ]
    columns = sorted(set(present) - kept)
    unknown = sorted(set(repairs) - set(columns))
    if unknown:
        raise QuarantineError(f"{quarantine_id}: no column(s) {', '.join(unknown)}; the row has {', '.join(columns)}")
