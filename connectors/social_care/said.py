"""How a row of social care becomes events and spans: SELECTs that differ only in their expressions.

One Output is made per raw table and common-model table, so that what a unit says is replaced as a whole. Expressions
are SQL written in ssd.py and ssda903.py; nothing from a row or from configuration is ever put into them. No braces may
stand in them but {rows} and its kind, which the framework fills in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.contract import Output
from warehouse.quoting import literal

EMPTY: Mapping[str, str] = {}


@dataclass(frozen=True)
class When:
    """A date or time as SQL: how it is read and how exactly it is known."""

    read: str
    precision: str


@dataclass(frozen=True)
class Event:
    """One kind of event a row tells; every text but `event_type` and `statement_kind` is an SQL expression."""

    event_type: str
    on: When
    ref: str
    title: str
    where: str = "true"
    statement_kind: str = "fact"
    columns: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    statement_kind_sql: str | None = None


@dataclass(frozen=True)
class Span:
    """One kind of span a row tells; every text but `kind` is an SQL expression."""

    kind: str
    started_on: str
    ended_on: str
    ref: str
    detail: str
    source_code: str = "NULL"
    where: str = "true"


UNDATED = When("NULL::TIMESTAMP", "'unknown'")


def iso(column: str) -> When:
    """An ISO date; a time beside it is kept unless it is midnight, which is how databases write a plain date.

    Midnight by summer time is an hour before it by UTC: what is written as a day does not become the day before.
    """
    return When(
        f"CASE WHEN read_iso_date({column}) IS NOT NULL"
        f" THEN greatest(read_instant({column}), read_iso_date({column})::TIMESTAMP) END",
        f"CASE WHEN read_iso_date({column}) IS NULL THEN 'unknown'"
        f" WHEN read_instant({column}) > read_iso_date({column}) THEN 'instant' ELSE 'day' END",
    )


def british(column: str) -> When:
    """A date as DD/MM/YYYY (docs/sources.md 2.3)."""
    return When(
        f"read_date_as({column}, '%d/%m/%Y')::TIMESTAMP",
        f"CASE WHEN read_date_as({column}, '%d/%m/%Y') IS NULL THEN 'unknown' ELSE 'day' END",
    )


def zz_date(column: str, *formats: str) -> When:
    """A date whose day or month may be zz, not known (903 PREV_PERM): the first of what is known, and how exact."""
    known = f"replace(lower(tidy({column})), 'zz', '01')"
    read = f"coalesce({', '.join(f'read_date_as({known}, {literal(text)})' for text in formats)})"
    return When(
        f"{read}::TIMESTAMP",
        f"CASE WHEN {read} IS NULL THEN 'unknown' WHEN {column} ILIKE '%zz%zz%' THEN 'year'"
        f" WHEN {column} ILIKE '%zz%' THEN 'month' ELSE 'day' END",
    )


def events(
    reads: str, person: str, *kinds: Event, source: str = "SELECT * FROM {rows}", unit: tuple[str, ...] | None = None
) -> Output:
    """The events that rows of one raw table tell. `source` is a SELECT, where a row needs more than itself."""
    return Output("event", reads, _together(source, [_event(person, kind) for kind in kinds]), unit)


def spans(
    reads: str, person: str, *kinds: Span, source: str = "SELECT * FROM {rows}", unit: tuple[str, ...] | None = None
) -> Output:
    """The spans that rows of one raw table tell."""
    return Output("span", reads, _together(source, [_span(person, kind) for kind in kinds]), unit)


def _together(source: str, selects: Sequence[str]) -> str:
    joined = "\nUNION ALL BY NAME\n".join(selects)
    return f"WITH told AS (\n{source}\n)\n{joined}"


def _event(person: str, kind: Event) -> str:
    columns = {
        "source_person_id": f"tidy({person})",
        "ref": kind.ref,
        "event_type": literal(kind.event_type),
        "occurred_from": kind.on.read,
        "occurred_precision": kind.on.precision,
        "statement_kind": kind.statement_kind_sql or literal(kind.statement_kind),
        "title": kind.title,
        **kind.columns,
        "lineage": "lineage",
    }
    return _select(columns, person, kind.where)


def _span(person: str, kind: Span) -> str:
    columns = {
        "source_person_id": f"tidy({person})",
        "ref": kind.ref,
        "kind": literal(kind.kind),
        "started_on": kind.started_on,
        "ended_on": kind.ended_on,
        "detail": kind.detail,
        "source_code": f"tidy({kind.source_code})",
        "valid_from": kind.started_on,
        "valid_to": kind.ended_on,
        "lineage": "lineage",
    }
    return _select(columns, person, kind.where)


def _select(columns: Mapping[str, str], person: str, where: str) -> str:
    listed = ",\n    ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"SELECT\n    {listed}\nFROM told\nWHERE tidy({person}) IS NOT NULL AND ({where})"


# JSON columns hold flags by name, comments and counts; a value that is neither flag nor number is somebody's words.

OUTCOMES = {
    "NFA": "no further action",
    "NEW REFERRAL": "new referral",
    "EXISTING REFERRAL": "existing referral",
    "CP ENQUIRY": "child protection enquiry",
    "CP CONFERENCE": "child protection conference",
    "CP": "child protection plan",
    "CP PLAN": "child protection plan",
    "CP TRANSFER IN": "transferred in with a child protection plan",
    "CIN PLAN": "child in need plan",
    "CLA REQUEST": "request to be looked after",
    "OLA CP": "child protection plan of another council",
    "PROV OF SERVICES": "services provided",
    "PROV OF SB CARE": "short breaks provided",
    "NON AGENCY ADOPTION": "adoption without an agency",
    "OTHER OUTCOMES EXIST": "other outcomes",
}


def _json(column: str) -> str:
    return f"TRY_CAST({column} AS JSON)"


def _value(column: str, key: str) -> str:
    return f"json_extract_string({_json(column)}, '$.\"' || {key} || '\"')"


def _keys(column: str) -> str:
    return f"coalesce(CASE WHEN json_type({_json(column)}) = 'OBJECT' THEN json_keys({_json(column)}) END, [])"


def flags_in_words(column: str) -> str:
    """SQL: the flags that are set in a JSON column, in words; NULL when none is."""
    name = "replace(regexp_replace(upper(k), '^OUTCOME_|_FLAG$', '', 'g'), '_', ' ')"
    keys, values = ", ".join(map(literal, OUTCOMES)), ", ".join(map(literal, OUTCOMES.values()))
    words = f"coalesce(map_extract_value(MAP([{keys}], [{values}]), {name}), lower({name}))"
    is_set = f"k NOT ILIKE '%NUMBER%' AND read_flag({_value(column, 'k')})"
    return (
        f"nullif(array_to_string(list_transform(list_filter({_keys(column)}, lambda k: {is_set}),"
        f" lambda k: {words}), ', '), '')"
    )


def comments(column: str) -> str:
    """SQL: what is written in words in a JSON column; the text itself where it is no JSON; NULL when nothing is."""
    value = _value(column, "k")
    is_text = f"tidy({value}) IS NOT NULL AND read_flag({value}) IS NULL AND try_cast({value} AS DOUBLE) IS NULL"
    texts = f"list_transform(list_filter({_keys(column)}, lambda k: {is_text}), lambda k: {value})"
    return (
        f"CASE WHEN {_json(column)} IS NULL THEN tidy({column}) ELSE nullif(array_to_string({texts}, chr(10)), '') END"
    )


def coded_list(column: str, words: Mapping[str, str]) -> str:
    """SQL: codes in a JSON column, given as a list or as flags by code, in words; NULL when none is."""
    keys, values = ", ".join(map(literal, words)), ", ".join(map(literal, words.values()))
    is_set = f"read_flag({_value(column, 'k')})"
    codes = (
        f"CASE WHEN json_type({_json(column)}) = 'ARRAY' THEN json_extract_string({_json(column)}, '$[*]')"
        f" ELSE list_filter({_keys(column)}, lambda k: {is_set}) END"
    )
    said = f"coalesce(map_extract_value(MAP([{keys}], [{values}]), upper(tidy(c))), tidy(c))"
    return f"nullif(array_to_string(list_transform({codes}, lambda c: {said}), ', '), '')"
