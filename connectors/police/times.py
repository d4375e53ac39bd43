"""How forces write times: ISO, or day first with slashes or hyphens, with or without a time of day (docs/sources.md 2.3)."""

from __future__ import annotations

_DAY_FIRST = "['%d/%m/%Y %H:%M:%S', '%d/%m/%Y %H:%M', '%d/%m/%Y', '%d-%m-%Y']"


def instant_of(column: str) -> str:
    """SQL: the instant a column tells, NULL for what is no time."""
    return f"coalesce(read_instant({column}), try_strptime(tidy({column}), {_DAY_FIRST}))"


def precision_of(column: str) -> str:
    """SQL: how exactly that instant is known."""
    return f"""CASE WHEN {instant_of(column)} IS NULL THEN 'unknown'
            WHEN read_instant({column}) IS NOT NULL THEN instant_precision({column})
            WHEN contains({column}, ':') THEN 'instant' ELSE 'day' END"""
