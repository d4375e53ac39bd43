"""Installs how received text is read: the macros of reading.sql and one macro per crosswalk of crosswalks.csv.

A crosswalk macro is named as_<crosswalk>(code): the common-model value, or NULL for a code it does not know. The code
as received is always kept beside it; an unmapped code is flagged, never coerced (docs/sources.md 10, check 6).
"""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb

from warehouse.quoting import literal

_HERE = Path(__file__).parent


def crosswalks() -> dict[str, dict[str, str]]:
    """Every crosswalk: code (upper case) → value."""
    found: dict[str, dict[str, str]] = {}
    with (_HERE / "crosswalks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["crosswalk"], {})[row["code"].upper()] = row["value"]
    return found


def install(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the reading macros in the connection's current database."""
    con.execute((_HERE / "reading.sql").read_text(encoding="utf-8"))
    for name, codes in crosswalks().items():
        keys = ", ".join(literal(code) for code in codes)
        values = ", ".join(literal(value) for value in codes.values())
        con.execute(
            f"CREATE OR REPLACE MACRO as_{name}(code) AS map_extract_value(MAP([{keys}], [{values}]), upper(tidy(code)))"
        )
