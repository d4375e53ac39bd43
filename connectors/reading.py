"""How received text is read: the macros of reading.sql and one macro per crosswalk of crosswalks.csv.

A crosswalk macro is named as_<crosswalk>(code): the common-model value, or NULL for a code it does not know. The code
as received is always kept beside it; an unmapped code is flagged, never coerced (docs/sources.md 10, check 6).
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from warehouse.quoting import literal

_HERE = Path(__file__).parent


def crosswalks() -> dict[str, dict[str, str]]:
    """Every crosswalk: code (upper case) → value."""
    found: dict[str, dict[str, str]] = {}
    with (_HERE / "crosswalks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["crosswalk"], {})[row["code"].upper()] = row["value"]
    return found


@cache
def definitions() -> tuple[str, ...]:
    """The statements that create the reading macros in a connection's current database."""
    as_values = (
        f"CREATE OR REPLACE MACRO as_{name}(code) AS map_extract_value("
        f"MAP([{', '.join(map(literal, codes))}], [{', '.join(map(literal, codes.values()))}]), upper(tidy(code)))"
        for name, codes in crosswalks().items()
    )
    macros = (_HERE / "reading.sql").read_text(encoding="utf-8").replace("{no_break_space}", "\N{NO-BREAK SPACE}")
    return (macros, *as_values)
