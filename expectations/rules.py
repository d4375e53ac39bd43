"""Rules of the agencies' books → standards, and the tables their SQL reads, worked out once for all rules of a check.

Rules of one feed ask the same things of the same rows: dates read, episodes in order, last year's return. `Workings`
makes each such table when the first rule reads it, in memory and beside the core, and forgets it when the check is over.
What must not live here: what Great Expectations needs inside (gx_duckdb.py), failing rows (run.py), an agency's name.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from types import TracebackType
from typing import TYPE_CHECKING, Any

from connectors import reading
from connectors.contract import Column, Feed, Kind, Period, Rule, Table, read_as
from connectors.rulebooks import book_year, in_words, rule_books
from expectations.suite import Standard
from warehouse.quoting import literal, quoted
from warehouse.schema import PLACE_OF_RECORD, RAW_COLUMNS, Sensitivity

if TYPE_CHECKING:
    import duckdb

# Tables of a check live in the connection's in-memory catalogue: every cursor sees them, no file ever holds them.
SCHEMA = "memory.judging"
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_LAST_YEAR = "last_year"
# Rows held back are always judged anew: they are of no load yet.
NEWEST = 2**62
# Whom a row is about that does not say it. Letters, since identifiers are held to be of letters and digits.
_NOBODY = "NOBODY"


@dataclass(frozen=True)
class Judged:
    """Tonight's rules of a feed: those to be run as standards, and why the others are not."""

    standards: tuple[Standard, ...]
    not_run: tuple[tuple[Standard, str], ...]


class Workings:
    """What the SQL of rules means on one night. Use as a context manager: its tables end with it.

    `present` are the raw tables that exist, `beaten` those of which a row ever lost to another of its own file: seldom, and then only
    is it worth the search for winners. `held` are those with rows in quarantine.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        feed: Feed,
        options: Mapping[str, Any],
        today: dt.date,
        present: frozenset[str],
        beaten: frozenset[str],
        held: frozenset[str] = frozenset(),
    ) -> None:
        self._con, self.feed, self.options, self.today = con, feed, options, today
        self._present, self._beaten = present, beaten
        self.period: Period | None = feed.period(options)
        self.books = rule_books(feed)
        self._prepared = {name: sql for book in self.books for name, sql in book.prepared.items()}
        self._made: set[str] = set()
        self._failed: dict[str, Exception] = {}
        self._read: dict[str, frozenset[str]] = {}
        # What lacks a part of its key can be as wrong in all else as what was landed.
        self.sees_held = {table.name for table in feed.tables if table.name in held and self.period and table.owner}
        self._held_prints: dict[str, str] | None = None
        self._rows: dict[bool, dict[str, int]] = {}
        self._valued: set[str] | None = None
        # What rules read, in few letters: every rule says all that it reads.
        self._prints = {name: _print_of(sql) for name, sql in self._prepared.items()}
        for table in feed.tables:
            self._prints |= dict.fromkeys((f"this_{table.name}", f"last_{table.name}"), _print_of(repr(table)))
        self._read_of = {
            f"{how}_{table.name}": table.name for table in feed.tables for how in ("this", "last", "raw", "received")
        }

    def __enter__(self) -> Workings:
        self._con.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        self._con.execute(f"CREATE SCHEMA {SCHEMA}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")

    # --- which rules -------------------------------------------------------------------------------------------------

    def judged(self) -> Judged:
        """The rules of the feed's books: in force in the year of the rule book, and with all they need."""
        standards, not_run = [], []
        for book in self.books:
            for rule in book.rules:
                standard = self._standard(rule)
                reason = self._why_not(rule)
                if reason is None:
                    standards.append(standard)
                else:
                    not_run.append((standard, reason))
        return Judged(tuple(standards), tuple(not_run))

    @property
    def rules_year(self) -> int | None:
        """The year of the rule book: as the source says, by default the year of its data."""
        said = self.options.get("rules")
        return book_year(str(said)) if said else self.period.year if self.period else None

    def _why_not(self, rule: Rule) -> str | None:
        year = self.rules_year
        if year is not None and rule.since is not None and year < rule.since:
            return f"in force from {in_words(rule.since)}; the rule book is that of {in_words(year)}"
        if year is not None and rule.until is not None and year > rule.until:
            return f"in force until {in_words(rule.until)}; the rule book is that of {in_words(year)}"
        if rule.not_supplied:
            return f"it needs {rule.not_supplied}, which Tessera is not supplied with"
        for need in rule.needs:
            if need == _LAST_YEAR:
                if not any(self._counted(table.name, last_year=True) for table in self.feed.tables):
                    before = self.period.before if self.period else "last year"
                    return f"it compares with the return of {before}, which never came"
            elif "." in need:
                table, _, column = need.partition(".")
                if not self._filled(table, column):
                    return f"it needs the column {column} of {table}, in which the delivery has no value"
            elif not self._counted(need):
                of = f" of {self.period.scope}" if self.period else ""
                return f"it needs the table {need}, of which the delivery{of} holds no row"
        return None

    def _counted(self, table: str, *, last_year: bool = False) -> int:
        """How many rows of a table are in this delivery, or were in the one before."""
        return self._counts(last_year).get(table, 0)

    def _counts(self, last_year: bool) -> dict[str, int]:
        """Of every table that exists, in one query."""
        if last_year not in self._rows:
            counts = [
                f"SELECT {literal(table)}, count(*) FROM {self._raw(table)} AS r WHERE {self._delivery(table, last_year=last_year)}"
                for table in sorted(self._present)
            ]
            self._rows[last_year] = dict(self._con.execute(" UNION ALL ".join(counts)).fetchall() if counts else ())
        return self._rows[last_year]

    def _filled(self, table: str, column: str) -> bool:
        """Whether any row of this delivery has a value in a column."""
        if self._valued is None:
            asked = sorted({need for book in self.books for rule in book.rules for need in rule.needs if "." in need})
            found = [
                f"(SELECT {literal(need)} FROM {self._raw(of)} AS r WHERE {self._delivery(of, last_year=False)} "
                f"AND tidy({quoted(name.lower())}) IS NOT NULL LIMIT 1)"
                for need, (of, _, name) in ((need, need.partition(".")) for need in asked)
                if of in self._present
            ]
            self._valued = (
                {need for (need,) in self._con.execute(" UNION ALL ".join(found)).fetchall()} if found else set()
            )
        return f"{table}.{column}" in self._valued

    def evaluated(self, standard: Standard) -> int:
        """How many rows of the delivery a rule speaks of."""
        return sum(self._counted(table) for table in standard.tables)

    def _standard(self, rule: Rule) -> Standard:
        return standard_of(self.feed, rule, self._meaning_of(rule))

    def _meaning_of(self, rule: Rule) -> str:
        """All that decides what the rule's SQL says beyond the rows it reads."""
        read = self.reads(rule.sql)
        said = sorted(f"{name} {self._prints[name]}" for name in read & self._prints.keys())
        said += [str(self.options.get("authority"))] if "authority" in read else []
        said += ["any_case"] if self.feed.any_case else []
        return _print_of(repr((said, self.period, self.rules_year)))

    # --- what their SQL reads ----------------------------------------------------------------------------------------

    def reads(self, sql: str) -> frozenset[str]:
        """Every placeholder that a rule reads, directly or through prepared tables."""
        if sql not in self._read:
            found: set[str] = set()
            to_read = set(_PLACEHOLDER.findall(sql))
            while to_read:
                name = to_read.pop()
                if name not in found:
                    found.add(name)
                    to_read |= set(_PLACEHOLDER.findall(self._prepared.get(name, "")))
            self._read[sql] = frozenset(found)
        return self._read[sql]

    def tables_read(self, sql: str) -> frozenset[str]:
        """The feed's tables that a rule reads."""
        return frozenset(self._read_of[name] for name in self.reads(sql) & self._read_of.keys())

    def sql(self, text: str, **also: str) -> str:
        """SQL with every placeholder replaced, what it reads having been made. An unknown one is a KeyError."""
        return _PLACEHOLDER.sub(lambda found: also.get(found[1]) or self._meaning(found[1]), text)

    def _meaning(self, name: str) -> str:
        period, year = self.period, self.rules_year
        if name == "authority":
            return literal(str(self.options.get("authority") or ""))
        if name == "today":
            return f"DATE '{self.today.isoformat()}'"
        if period and name in ("collection_start", "collection_end"):
            return f"DATE '{(period.starts if name == 'collection_start' else period.ends).isoformat()}'"
        if period and name == "year":
            return str(period.year)
        if name == "rules_year":
            return "NULL::INTEGER" if year is None else str(year)
        for table in self.feed.tables:
            if name == f"raw_{table.name}":
                return f"(SELECT * FROM {self._received(table)} WHERE superseded_seq IS NULL)"
            if name == f"received_{table.name}":
                return self._received(table)
            if name in (f"this_{table.name}", f"last_{table.name}"):
                return self._made_table(name, lambda table=table: self._typed(table, last_year=name[:5] == "last_"))
        if name in self._prepared:
            return self._made_table(name, lambda: self.sql(self._prepared[name]))
        raise KeyError(name)

    def _made_table(self, name: str, sql: Any) -> str:
        """The table, made if it is not yet; what could not be made fails every rule that reads it, tried once."""
        relation = f"{SCHEMA}.{quoted(name)}"
        if name in self._failed:
            raise self._failed[name]
        if name not in self._made:
            try:
                self._con.execute(f"CREATE TABLE {relation} AS {sql()}")
            except Exception as error:
                self._failed[name] = error
                raise
            self._made.add(name)
        return relation

    def _typed(self, table: Table, *, last_year: bool) -> str:
        """A table with its columns read: text tidied once, dates worked out from that, and then held to what can be a date."""
        columns = [_Reading.of(column) for column in table.columns]
        rows = (
            f"{self._raw(table.name)} AS r WHERE {self._delivery(table.name, last_year=last_year)}"
            if table.name in self._present
            else self._received(table)
        )
        if table.name in self.sees_held:
            names = ["raw_row_id", "row_number", *(quoted(column.name.lower()) for column in table.columns)]
            rows = (
                f"(SELECT {', '.join(names)} FROM {rows} UNION ALL "
                f"SELECT {', '.join(names)} FROM {self._held_of_delivery(table, last_year=last_year)})"
            )
        texts = {each.tidied: column.name.lower() for each, column in zip(columns, table.columns, strict=True)}
        read = reading.tidied(rows, texts, beside="raw_row_id, row_number", in_capitals=self.feed.any_case)
        for pass_over in zip(*((each.worked_out, each.read) for each in columns), strict=True):
            read = f"SELECT raw_row_id, row_number, {', '.join(pass_over)} FROM ({read})"
        return read

    def _delivery(self, table: str, *, last_year: bool) -> str:
        """The rows of one delivery as it came: those in force, and those beaten by another row of their own file."""
        if last_year and self.period is None:
            return "false"
        scope = f" AND scope = {literal(self.period.before if last_year else self.period.scope)}" if self.period else ""
        beaten = (
            f" OR (superseded_seq = load_seq AND EXISTS (SELECT 1 FROM {self._raw(table)} AS winner "
            "WHERE winner.source_key = r.source_key AND winner.load_seq = r.load_seq AND winner.superseded_seq IS NULL))"
            if table in self._beaten
            else ""
        )
        return f"vanished_seq IS NULL{scope} AND (superseded_seq IS NULL{beaten})"

    def held_rows(self, table: Table) -> str:
        """The rows of a table that are held back, by its columns; of one that could not be parsed they are NULL."""
        columns = ", ".join(
            f"CASE WHEN readable THEN content ->> '$.{name}' END AS {name}"
            for name in (quoted(column.name.lower()) for column in table.columns)
        )
        return (
            f"(SELECT quarantine_id AS raw_row_id, quarantine_id AS row_key, load_id, {NEWEST} AS load_seq, file_id, row_number, "
            f"readable, {columns}, CASE WHEN readable THEN content ->> '$.{quoted(PLACE_OF_RECORD)}' END AS of_record "
            "FROM (SELECT *, json_valid(content) AS readable FROM quarantine) "
            f"WHERE agency = {literal(self.feed.agency)} AND feed = {literal(self.feed.name)} AND table_name = {literal(table.name)} "
            "AND released_load_id IS NULL)"
        )

    def _held_of_delivery(self, table: Table, *, last_year: bool) -> str:
        """Those of its newest files. One that does not say whose it is, is nobody else's; parts of one record of XML are one child's."""
        assert self.period is not None and table.owner is not None
        scope = self.period.before if last_year else self.period.scope
        owner = quoted(table.owner.lower())
        of_delivery = (
            "readable AND file_id IN (SELECT file_id FROM received_file JOIN night USING (load_id) "
            f"WHERE agency = {literal(self.feed.agency)} AND feed = {literal(self.feed.name)} AND scope = {literal(scope)} "
            "AND received_file.status IN ('landed', 'unchanged') QUALIFY dense_rank() OVER (ORDER BY load_seq DESC) = 1)"
        )
        nobody = f"'{_NOBODY}' || upper(left(md5(coalesce(file_id || '/' || of_record, raw_row_id)), 12))"
        return f"(SELECT * REPLACE (coalesce(tidy({owner}), {nobody}) AS {owner}) FROM {self.held_rows(table)} WHERE {of_delivery})"

    def held_print(self, table: str) -> str:
        """A fingerprint of the rows held back that rules see; empty where they see none."""
        if self._held_prints is None:
            asked = [
                f"SELECT {literal(each.name)}, bit_xor(hash(raw_row_id))::VARCHAR FROM {self._held_of_delivery(each, last_year=last)}"
                for each in self.feed.tables
                for last in (False, True)
                if each.name in self.sees_held
            ]
            found = self._con.execute(" UNION ALL ".join(asked)).fetchall() if asked else []
            self._held_prints = {
                name: "/".join(str(each) for of, each in found if of == name) for name in self.sees_held
            }
        return self._held_prints.get(table, "")

    def _raw(self, table: str) -> str:
        return f"raw.{quoted(self.feed.raw(table))}"

    def _received(self, table: Table) -> str:
        return self._raw(table.name) if table.name in self._present else nothing(table)


def standard_of(feed: Feed, rule: Rule, meaning: str = "") -> Standard:
    """The standard that a rule is. It sees everything again when anything it reads has changed."""
    named = set(rule.columns)
    columns = [column for name in rule.tables for column in feed.table(name).columns if column.name in named]
    return Standard.from_sql(
        rule.name,
        rule.title,
        rule.tables[0],
        rule.sql,
        severity=rule.severity,
        hint=rule.hint,
        column=", ".join(rule.columns),
        sensitivity=max((column.sensitivity for column in columns), key=list(Sensitivity).index, default=None)
        or Sensitivity.SPECIAL,
        whole=True,
        rule=rule,
        meaning=meaning,
    )


def _print_of(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def nothing(table: Table) -> str:
    """A table of the contract that never came."""
    columns = [f"NULL::VARCHAR AS {quoted(column.name)}" for column in table.columns]
    columns += [f"NULL::{kept.type} AS {quoted(kept.name)}" for kept in RAW_COLUMNS]
    return f"(SELECT {', '.join(columns)} LIMIT 0)"


@dataclass(frozen=True)
class _Reading:
    """A column as its kind, and as text beside it where reading can fail: the name of the tidied text, and what each of two more passes
    over the rows selects.

    DuckDB works an expression out anew at each mention of it; what an inner SELECT gives it does not.
    """

    tidied: str
    worked_out: str
    read: str

    @classmethod
    def of(cls, column: Column) -> _Reading:
        name = quoted(column.name.lower())
        as_text = column.name.lower() + "_text"
        text = quoted(as_text)
        formats = "[" + ", ".join(literal(each) for each in read_as(column.formats)) + "]"
        value = f"{name}, {text}"
        match column.kind:
            case Kind.DATE if column.formats:
                worked_out = f"try_strptime({text}, {formats}) AS {name}, {text}"
                value = f"date_in_reach({name}) AS {name}, {text}"
            case Kind.DATE:
                worked_out = f"read_iso_date({text}) AS {name}, {text}"
            case Kind.TIMESTAMP if not column.formats:
                worked_out = f"read_instant({text}) AS {name}, {text}"
            case Kind.INTEGER:
                # A cast of text rounds, and takes 12.5 for a number of children; 12.0 is how a table of numbers with gaps writes 12.
                whole = f"CASE WHEN {text} SIMILAR TO '[+-]?[0-9]+([.]0*)?' THEN {text} END"
                worked_out = f"try_cast({whole} AS INTEGER) AS {name}, {text}"
            case Kind.NUMBER:
                worked_out = f"try_cast({text} AS DOUBLE) AS {name}, {text}"
                # NaN is more than any number, and no distance.
                value = f"CASE WHEN isfinite({name}) THEN {name} END AS {name}, {text}"
            case _:
                return cls(column.name.lower(), name, name)
        return cls(as_text, worked_out, value)
