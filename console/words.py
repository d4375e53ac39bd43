"""How values are said to people: dates in UK form, counts, and codes in words. Templates use these as filters.

What must not live here: HTML, and a meaning that is declared elsewhere (taxonomy.csv, crosswalks.csv).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from connectors.registry import title

SEX = {"M": "male", "F": "female", "U": "sex not known", "I": "sex indeterminate"}

# DfE's main ethnicity codes, as the School Census names them (connectors/crosswalks.csv turns all others into these).
ETHNICITY = {
    "WBRI": "White British", "WIRI": "White Irish", "WIRT": "Traveller of Irish heritage", "WROM": "Gypsy or Roma",
    "WOTH": "any other White background", "MWBC": "White and Black Caribbean", "MWBA": "White and Black African",
    "MWAS": "White and Asian", "MOTH": "any other Mixed background", "AIND": "Indian", "APKN": "Pakistani", "ABAN": "Bangladeshi",
    "AOTH": "any other Asian background", "BCRB": "Black Caribbean", "BAFR": "Black African", "BOTH": "any other Black background",
    "CHNE": "Chinese", "OOTH": "any other ethnic group", "REFU": "not given: refused", "NOBT": "not obtained",
}  # fmt: skip

KINDS_OF_STATEMENT = {
    "fact": "a fact", "professional_opinion": "a professional's opinion", "unease": "unease", "allegation": "an allegation, not proved",
    "child_voice": "in the child's own words", "third_party": "what somebody else said", "mixed": "fact and opinion mixed",
    "system_derived": "worked out by a system",
}  # fmt: skip

COVERAGE = {
    "found": ("Known there", "good"),
    "not_found": ("Searched, and not known there", "none"),
    "not_supplied": ("Sends nothing to Tessera: nothing is known either way", "care"),
    "withheld": ("Knows the child and may not say what", "care"),
    "stale": ("Not in what was sent, and more is due: nothing can be concluded", "care"),
}

DISCLOSURE = {
    "mash_only": "for the hub alone", "partners": "for partner agencies", "school": "may be told to the school",
    "none": "not to be passed on",
}  # fmt: skip

HOW_LINKED = {
    "identifier": "the same number or key", "probabilistic": "names and dates that agree", "clerical": "a person decided it",
    "single": "nothing else is surely about this person",
}  # fmt: skip


def agency(code: str | None) -> str:
    """What people call an agency."""
    return title(code or "")


def plain(code: str | None) -> str:
    """A code of ours as words: professional_opinion becomes professional opinion."""
    said = (code or "").replace("_", " ")
    return re.sub(r"\bgp\b", "GP", "not said what" if said == "unmapped" else said)


def ucfirst(said: str) -> str:
    """With a capital, and the rest as it is: GP stays GP."""
    return said[:1].upper() + said[1:]


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


def said_of(attribute: str, value: str | None) -> str:
    """What a source says of an attribute, codes in words, dates in UK form."""
    if value is None:
        return "a value that is withheld"
    if attribute == "ethnicity":
        return ETHNICITY.get(value, f"a code that is not a DfE one ({value})")
    if attribute == "sex":
        return SEX.get(value, value)
    if attribute.endswith("date"):
        try:
            return day(dt.date.fromisoformat(value))
        except ValueError:
            return value
    return plain(value) if value.islower() else value


def uk_dates(text: str) -> str:
    """Dates within a sentence of a rule, which has them as the warehouse does."""
    return re.sub(r"\b(\d{4})-(\d{2})-(\d{2})\b", lambda found: day(dt.date(*map(int, found.groups()))), text)


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
        "ethnicity": lambda code: ETHNICITY.get(code or "", "not known"),
        "statement": lambda code: KINDS_OF_STATEMENT.get(code or "", plain(code)),
        "disclosure": lambda code: DISCLOSURE.get(code or "", plain(code)),
        "how_linked": lambda code: HOW_LINKED.get(code or "", plain(code)),
        "said_of": said_of,
        "uk_dates": uk_dates,
        "ucfirst": ucfirst,
        "numbers": lambda value: f"{value:%d/%m/%Y}" if value else "",
    }
