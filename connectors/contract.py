"""The words in which every feed is declared, once: Agency, Feed, Table, Column, and Rule for what a column cannot say.

From one declaration come the raw table, the Great Expectations suite, the data dictionary and the synthetic extract.
What must not live here: anything that reads a file or knows an agency.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin, get_type_hints

from warehouse.schema import RAW_COLUMNS, Sensitivity, raw_table

# After how many days without a good extract a feed is stale: its cadence, and time for one delivery to be late. Where something is sent
# only when there is something to say, silence is no sign of a fault.
STALE_AFTER_DAYS: dict[str, int | None] = {
    "daily": 2,
    "weekly": 9,
    "termly": 130,
    "yearly": 400,
    "as_it_happens": None,
}


class ContractError(Exception):
    """An agency's folder declares what cannot be; every fault is named with its place and what is allowed."""


class Kind(StrEnum):
    """What a received text is meant to be; each kind has one expectation and one way of being read (reading.sql)."""

    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INTEGER = "integer"
    NUMBER = "number"
    NHS_NUMBER = "nhs_number"
    UPN = "upn"
    POSTCODE = "postcode"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """One received column.

    `path` is where a structured format holds it (an XML path below the row element); by default its name. In XML `..` is the
    element around it, `.` the element itself, `#` at the end its number among those of its name beside it.
    `formats` are strptime formats for dates, tried in order; none means ISO 8601 (which may stop at month or year). `day_first` says
    that ISO is not the only way: offices write 31/10/2026 or 31-10-2026, and a time behind it.
    `allowed` are the codes in force; a code outside is kept, flagged and never coerced. `any_spelling` says that they are read whatever
    their capitals, spaces and hyphens, and so meant by them: words of a layout that no standard fixes.
    `required` means a value must be there; `header` says whether the column itself must be present in the extract.
    """

    name: str
    meaning: str
    kind: Kind = Kind.TEXT
    sensitivity: Sensitivity = Sensitivity.CODED
    required: bool = False
    header: Literal["required", "optional"] = "optional"
    allowed: tuple[str, ...] | None = None
    any_spelling: bool = False
    formats: tuple[str, ...] = ()
    day_first: bool = False
    path: str | None = None
    severity: Literal["critical", "warning", "info"] = "warning"
    hint: str = ""


_ISO_DATE = "%Y-%m-%d"
_MIDNIGHTS = tuple(f"T00:00:00{part}{zone}" for part in ("", ".000") for zone in ("", "Z", "+00:00", "+01:00"))


def read_as(formats: Sequence[str]) -> tuple[str, ...]:
    """Formats of a date and, where ISO is one, that date at midnight too: so programs write it that have no type for a date alone.

    Nobody is asked to write it so, and a date with another time of day is none.
    """
    midnights = (_ISO_DATE + midnight for midnight in _MIDNIGHTS) if _ISO_DATE in formats else ()
    return tuple(dict.fromkeys((*formats, *midnights)))


@dataclass(frozen=True)
class Table:
    """One received table.

    `grain` says in words what one row is. `key` names the columns that identify a row; a row with an empty key column
    is quarantined. `version` names the column that orders versions of one key (else the order of arrival does).
    `element` is the XML element, FHIR resource type or workbook sheet that makes a row. `owner` names the column that says whose
    row it is, so that a full delivery can tell a child who vanished from a row that was withdrawn. `withdraws` is a condition on
    received rows: one that meets it says only that its key is no more. It is kept, and what the key had said is retracted.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    version: str | None = None
    element: str | None = None
    owner: str | None = None
    required: bool = False
    withdraws: str | None = None

    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Lookup:
    """A SELECT that several outputs of a feed read as {name}: worked out once a night, and only if one of them has work.

    Its `sql` may read {raw_<table>} and the lookups given before it.
    """

    name: str
    sql: str


@dataclass(frozen=True)
class Output:
    """One SELECT that turns raw rows into rows of one common-model table.

    `reads` is the raw table that drives it and `unit` the columns of that table that make the replacement unit: when
    any row of a unit is new, changed or withdrawn, `sql` is run over all current rows of the unit, and its result
    replaces what the unit said before. By default the unit is the table's key (row by row).

    `where` is a condition on raw rows: only rows that meet it belong to a unit of this output.

    In `sql`, {rows} stands for those raw rows: the contract's columns as text, `lineage` (to be selected as it is),
    `scope`, `extracted_at`, `row_number`, `extra`; {lineages} for their `raw_row_id` and `lineage` alone, which is
    cheaper where a lookup has the rest; {raw_<table>} for all current rows of another raw table of the feed, {<name>}
    for a Lookup: in a full delivery, news there makes every unit be worked out again; in a delta it does not. The SELECT
    names columns of the common-model table; those left out are empty. It gives `source_person_id`, from which record_id
    follows, and for events and spans a `ref` that is unique within the unit.
    `retracts` is a condition on raw rows: where it holds nothing new is said, and what the unit had said is retracted.
    """

    table: str
    reads: str
    sql: str
    unit: tuple[str, ...] | None = None
    where: str | None = None
    retracts: str | None = None
    retract_reason: str = "the agency marked it as entered in error"


@dataclass(frozen=True)
class Option:
    """A setting of a source that a feed understands, checked when the configuration is read."""

    name: str
    meaning: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True)
class Period:
    """The time a full delivery speaks for. `scope` names the delivery, `before` the one of the period before it.

    `year` is the year in which it begins, and by default the year of the rule book that judges it: 2025 for 2025/26.
    """

    year: int
    starts: dt.date
    ends: dt.date
    scope: str
    before: str


@dataclass(frozen=True)
class Feed:
    """One kind of extract of one agency.

    `format` names the reader. `unit` is what fails together: each file, the whole set of files, or each table.
    `delivery` full means that what is not in it is no longer so; delta that it holds only news.
    `expect` is the cadence after which silence becomes stale. `scope` turns the source's options into the name of the
    delivery a full extract speaks for (a collection year, a term); other scopes are left alone. `period` says which time
    that is, where rules ask for it. `any_case` says that capitals tell nothing in it: its rules read every text in capitals.
    `conform` turns the source's options into the outputs and what they look up. `recognise` is how a file finds its table: by its columns
    (header), by element or resource type within the file (element), or by database table name (name).
    """

    agency: str
    name: str
    title: str
    format: Literal["csv", "xml", "fhir", "json", "sql", "tabular"]
    tables: tuple[Table, ...]
    conform: Callable[[Mapping[str, Any]], Sequence[Output | Lookup]]
    delivery: Literal["full", "delta"] = "delta"
    expect: Literal["daily", "weekly", "termly", "yearly", "as_it_happens"] = "daily"
    unit: Literal["file", "set", "table"] = "file"
    options: tuple[Option, ...] = ()
    scope: Callable[[Mapping[str, Any]], str] = field(default=lambda options: "")
    period: Callable[[Mapping[str, Any]], Period | None] = field(default=lambda options: None)
    tables_for: Callable[[Mapping[str, Any]], tuple[Table, ...]] | None = None
    any_case: bool = False

    @property
    def id(self) -> str:
        """How the CLI and configuration name it: agency.feed."""
        return f"{self.agency}.{self.name}"

    def outputs(self, options: Mapping[str, Any]) -> list[Output]:
        return [step for step in self.conform(options) if isinstance(step, Output)]

    def lookups(self, options: Mapping[str, Any]) -> list[Lookup]:
        return [step for step in self.conform(options) if isinstance(step, Lookup)]

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)

    def raw(self, table: str) -> str:
        return raw_table(self.agency, self.name, table)


@dataclass(frozen=True)
class Agency:
    """One agency: what it is called and which feeds its folder declares."""

    name: str
    title: str
    feeds: tuple[Feed, ...]


# Worked out once: it takes longer than all the columns do, and every command asks.
_WORDS: dict[type, dict[str, tuple[str, ...]]] = {
    declared: {name: get_args(hint) for name, hint in get_type_hints(declared).items() if get_origin(hint) is Literal}
    for declared in (Feed, Column)
}


def faults(folder: str, agency: Agency) -> list[str]:
    """What is wrong with an agency's declarations, each fault with its place; nothing of it would show before a night breaks."""
    return list(_faults(folder, agency))


def _faults(folder: str, agency: Agency) -> Iterator[str]:
    if agency.name != folder:
        yield f"declares the agency {agency.name!r}; an agency is named as its folder"
    for one in agency.feeds:
        if one.agency != agency.name:
            yield f"the feed {one.name} says agency={one.agency!r}; it is {agency.name!r}, as its folder"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", one.name):
            yield f"a feed is named {one.name!r}; a name is lower case, digits and _"
        if sum(other.name == one.name for other in agency.feeds) > 1:
            yield f"two feeds are named {one.name}"
        if not one.tables and one.tables_for is None:
            yield f"{one.id} has no table"
        yield from _outside(one.id, one)
        for table in one.tables:
            yield from _faults_of_table(f"{one.id}, table {table.name}", table)


def _faults_of_table(place: str, table: Table) -> Iterator[str]:
    names = [name.lower() for name in table.names()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{place}: the column {name} is declared twice (case does not tell columns apart)"
    for name in sorted({kept.name for kept in RAW_COLUMNS} & set(names)):
        yield f"{place}: the column name {name} is used by Tessera itself; name it otherwise, with `path` for where it is"
    if not table.key:
        yield f"{place}: has no key; name the columns that tell one row from another"
    pointing: list[tuple[str, str | None]] = [("key", name) for name in table.key] + [
        ("version", table.version),
        ("owner", table.owner),
    ]
    for word, pointed in pointing:
        if pointed is not None and pointed.lower() not in names:
            yield f"{place}: {word} names {pointed}, which is none of its columns ({', '.join(table.names())})"
    for column in table.columns:
        yield from _outside(f"{place}, column {column.name}", column)


def _outside(place: str, declared: Feed | Column) -> Iterator[str]:
    """Words that are none of those allowed: Python itself lets any text pass."""
    for name, allowed in _WORDS[type(declared)].items():
        if (found := getattr(declared, name)) not in allowed:
            yield f"{place}: {name}={found!r} is not allowed; allowed: {', '.join(allowed)}"


@dataclass(frozen=True)
class RuleCase:
    """An example that is a rule's test: rows given by table, and which of them the rule is to find.

    `given` are the rows of the delivery, `last_year` those of the delivery before, `options` those of the source.
    `expect` names failing rows as `table number`, the first row of a table being 1.
    """

    given: Mapping[str, tuple[Mapping[str, str], ...]]
    last_year: Mapping[str, tuple[Mapping[str, str], ...]]
    options: Mapping[str, str]
    expect: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A standard that no column can say: one YAML file, connectors/<agency>/standards/<book>/<code>.yaml.

    `tables` are those whose rows can fail, the first being the one it is shown under; `columns` what to look at in them.
    `since` and `until` are the first and last rule book year it is in force (2025 for 2025/26); none means always.
    `needs` names what must have come for the rule to say anything: tables of the feed, columns as `table.COLUMN`,
    `last_year`. Without it the rule is not run, which is never a pass. Nor is one with `not_supplied`: what no source of ours supplies,
    such as a register of homes; it is declared so that it is seen to be missing, and has no `sql`. Else `sql` returns `raw_row_id` of
    each failing row, and may return `column_name`, `value` and `hint` for it.

    In `sql`, {this_<table>} are the rows of the delivery with dates and whole numbers read (`dob` a date, `dob_text` as
    received), {last_<table>} those of the delivery before, {<prepared>} a table of the book's folder prepared/, worked
    out once for all rules; {rows} the rows to judge of a table as received, {raw_<table>} all current ones, {today} the
    night, {collection_start}, {collection_end}, {year} the period, {rules_year} the rule book's year,
    {authority} the council's number.
    """

    book: str
    code: str
    title: str
    why: str
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    sql: str
    hint: str
    severity: Literal["critical", "warning", "info"] = "warning"
    since: int | None = None
    until: int | None = None
    needs: tuple[str, ...] = ()
    not_supplied: str = ""
    cases: tuple[RuleCase, ...] = ()

    @property
    def name(self) -> str:
        """What the expectation is called: ssda903.101."""
        return f"{self.book}.{self.code}"


@dataclass(frozen=True)
class RuleBook:
    """The rules of one feed, a folder: book.yaml says whose they are, prepared/*.sql what several of them read."""

    name: str
    feed: str
    title: str
    source: str
    prepared: Mapping[str, str]
    rules: tuple[Rule, ...]
