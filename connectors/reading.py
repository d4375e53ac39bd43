"""How received text is read: the macros of reading.sql and one macro per crosswalk of crosswalks.csv.

A crosswalk macro is named as_<crosswalk>(code): the common-model value, or NULL for a code it does not know. The code
as received is always kept beside it; an unmapped code is flagged, never coerced (docs/sources.md 10, check 6).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from warehouse.quoting import literal, quoted

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


def tidied(rows: str, texts: Mapping[str, str], *, beside: str, in_capitals: bool = False) -> str:
    """A SELECT of rows with their texts (name → column) without surrounding space, blank being nothing, and of what stands beside them.

    DuckDB plans each mention of a macro anew, which in a small file costs more than the reading: all texts are one mention.
    """
    columns = ", ".join(quoted(column) for column in texts.values())
    told = ("upper(told[{}])" if in_capitals else "told[{}]").format
    named = [f"{told(place)} AS {quoted(name)}" for place, name in enumerate(texts, start=1)]
    each = f"SELECT {beside}, tidy_each([{columns}]::VARCHAR[]) AS told FROM {rows}"
    return f"SELECT {', '.join([beside, *named])} FROM ({each})"
