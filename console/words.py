"""How values are said to people: dates in UK form, counts, and codes in words. Templates use these as filters.

What must not live here: HTML, and a meaning that is declared elsewhere (taxonomy.csv, crosswalks.csv).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

AGENCIES = {"police": "Police", "health": "Health", "school": "School", "social_care": "Children's social care"}
SEX = {"M": "male", "F": "female", "U": "sex not known", "I": "sex indeterminate"}


def agency(code: str | None) -> str:
    """An agency's name; one that nobody knew of when this was written is said as its folder is called."""
    return AGENCIES.get(code or "", plain(code).capitalize())


def plain(code: str | None) -> str:
    """A code of ours as words: professional_opinion becomes professional opinion."""
    return (code or "").replace("_", " ")


def day(value: dt.date | dt.datetime | None) -> str:
    return "" if value is None else f"{value.day} {value:%B %Y}"


def happened(value: dt.datetime | None, precision: str = "day") -> str:
    """When something happened, no more exactly than it is known."""
    if value is None:
        return "undated"
    said = {"year": f"{value:%Y}", "month": f"{value:%B %Y}", "instant": f"{day(value)}, {value:%H:%M}"}
    return said.get(precision, day(value))


def number(value: int | float | None) -> str:
    return "" if value is None else f"{value:,}"


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def several(count: int, one: str, many: str = "") -> str:
    """1 row, 2 rows."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def filters(local: Callable[[dt.datetime], dt.datetime]) -> dict[str, Callable[..., Any]]:
    """By the names that templates use; `local` puts a moment of the warehouse on the reader's clock."""

    def moment(value: dt.datetime | str | None) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
            value = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        return happened(local(value), "instant")

    def happened_here(value: dt.datetime | None, precision: str = "day") -> str:
        # Only an instant is on a clock: a day without its time is the same day everywhere.
        return happened(local(value) if value is not None and precision == "instant" else value, precision)

    return {
        "agency": agency,
        "plain": plain,
        "day": day,
        "moment": moment,
        "happened": happened_here,
        "number": number,
        "share": share,
        "several": several,
        "sex": lambda code: SEX.get(code or "", "sex not known"),
    }
