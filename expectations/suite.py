"""Contract → standards: what is expected of each column and table of a feed.

Declarations only. What must not live here: running anything (run.py), what Great Expectations needs inside
(gx_duckdb.py), an agency's name. Rules that a column cannot say stand in their agency's folder (rules.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import md5
from pathlib import Path

from connectors import reading
from connectors.contract import Column, Feed, Kind, Rule, Table, read_as
from expectations import volume
from expectations.verdict import Severity
from warehouse.quoting import literal
from warehouse.schema import Sensitivity

# The value of the column under judgement, in a condition.
VALUE = "{value}"
# What a row must be, as it lies in its table, for some standards of a table to be failed at all.
BEATEN, WITH_MORE, VANISHED = "superseded_seq = load_seq", "extra IS NOT NULL", "vanished_seq IS NOT NULL"
CONDITIONS = (BEATEN, WITH_MORE, VANISHED)
# A rule that looks beyond the rows it judges can change its mind about a row that did not change.
_BEYOND_ITS_ROWS = re.compile(r"\{(raw_[a-z0-9_]+|received_[a-z0-9_]+|quarantine|today)\}")
# As most systems write it; whatever else is a time takes five times as long to tell.
_IS_TIME = f"is_instant({VALUE})"
_IS_OFFICE_TIME = f"is_office_instant({VALUE})"
_PLAIN_TIME = rf"regexp_full_match({VALUE}, '\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?') AND try_cast({VALUE} AS TIMESTAMP) IS NOT NULL"
_CODES_SHOWN = 12
_DATE_WORDS = {
    "%d": "DD",
    "%m": "MM",
    "%Y": "YYYY",
    "%y": "YY",
    "%H": "hh",
    "%M": "mm",
    "%S": "ss",
    "%b": "Mon",
    "%B": "Month",
}


@dataclass(frozen=True)
class Standard:
    """One thing expected of a feed; Great Expectations is asked to expect that no row fails it.

    A column's standard has `holds`: a condition on {value}, the text without surrounding space; a blank is nothing and
    passes all but presence. `at_sight` is a condition on {value} as received that is true of no value that fails: by default
    `holds` itself. A rule has `sql` instead: a SELECT that returns `raw_row_id` of each failing row, and may
    return `column_name`, `value` and `hint` for it. In a rule {rows} stands for the rows to judge, {raw_<table>} for
    all current rows of a table of the feed, {received_<table>} for every row ever received, {quarantine} for rows of
    this table held back, {today} for the date of the night.

    `whole` says that a rule must see everything again when anything changed; else only new rows are judged and the
    verdict on the others stands.

    `possible_where` is one of CONDITIONS: while no row of its table meets it, none can fail, and its SQL need not be run.
    """

    name: str
    title: str
    table: str
    column: str | None
    severity: Severity
    hint: str
    sensitivity: Sensitivity
    holds: str = ""
    at_sight: str = ""
    sql: str = ""
    whole: bool = False
    speaks_of_held_rows: bool = False
    possible_where: str = ""
    off_when: str = ""
    # A rule of a book: what it is, and a fingerprint of what its SQL means tonight.
    rule: Rule | None = None
    meaning: str = ""

    @property
    def tables(self) -> tuple[str, ...]:
        """Those whose rows can fail."""
        return self.rule.tables if self.rule else (self.table,)

    @classmethod
    def from_sql(
        cls,
        name: str,
        title: str,
        table: str,
        sql: str,
        *,
        severity: Severity = "warning",
        hint: str = "",
        column: str | None = None,
        sensitivity: Sensitivity = Sensitivity.SPECIAL,
        whole: bool | None = None,
        speaks_of_held_rows: bool = False,
        possible_where: str = "",
        rule: Rule | None = None,
        meaning: str = "",
    ) -> Standard:
        """A rule: SQL that returns the failing rows. `whole` is worked out from what the SQL reads, unless said."""
        return cls(
            name=name,
            title=title,
            table=table,
            column=column,
            severity=severity,
            hint=hint,
            sensitivity=sensitivity,
            sql=sql,
            whole=bool(_BEYOND_ITS_ROWS.search(sql)) if whole is None else whole,
            speaks_of_held_rows=speaks_of_held_rows,
            possible_where=possible_where,
            rule=rule,
            meaning=meaning,
        )

    @cached_property
    def definition(self) -> str:
        """A fingerprint of the standard and of how text is read: when it changes, every current row is judged again."""
        said = [
            self.name,
            self.column,
            self.severity,
            self.hint,
            self.holds,
            self.sql,
            self.whole,
            self.tables,
            self.meaning,
            _reading(),
        ]
        return md5(json.dumps(said).encode(), usedforsecurity=False).hexdigest()


def suite_for(feed: Feed, table: Table) -> list[Standard]:
    """Every standard that follows from the contract of one table; names are unique within the feed."""
    standards = [standard for column in table.columns for standard in _of_column(table, column)]
    return [*standards, *_of_table(feed, table)]


def describe(feed: Feed) -> list[dict[str, str]]:
    """The standards of a feed in words, for the data dictionary."""
    described = [
        {
            "name": standard.name,
            "title": standard.title,
            "table": standard.table,
            "column": standard.column or "",
            "severity": standard.severity,
            "hint": standard.hint,
        }
        for table in feed.tables
        for standard in suite_for(feed, table)
    ]
    return described + volume.describe(feed)


def _of_column(table: Table, column: Column) -> list[Standard]:
    standards = []
    if column.required:
        standards.append(
            _column_standard(
                table, column, "is_present", f"{column.name} is filled in", f"{VALUE} IS NOT NULL",
                column.hint or f"Fill in {column.name}: {column.meaning}.",
                # It begins with a character that shows.
                at_sight=f"coalesce({VALUE} >= '!' AND {VALUE} < chr(127), false)",
            )
        )  # fmt: skip
    if column.allowed is not None:
        codes = ", ".join(literal(code) for code in column.allowed)
        shown = ", ".join(column.allowed[:_CODES_SHOWN]) + ("…" if len(column.allowed) > _CODES_SHOWN else "")
        as_written = f"list_contains([{codes}]::VARCHAR[], {VALUE})"
        standards.append(
            _column_standard(
                table, column, "is_a_known_code", f"{column.name} is one of the codes in force",
                _in_any_spelling(column.allowed) if column.any_spelling else as_written,
                column.hint or f"Use one of: {shown}.", at_sight=as_written,
            )
        )  # fmt: skip
    if (reads := _reads(column)) is not None:
        what, words, holds, hint = reads
        standards.append(
            _column_standard(
                table, column, what, f"{column.name} is {words}", holds, column.hint or hint,
                at_sight=_PLAIN_TIME if holds in (_IS_TIME, _IS_OFFICE_TIME) else "",
            )
        )  # fmt: skip
    if column.kind is Kind.NHS_NUMBER:
        standards.append(
            _column_standard(
                table, column, "is_not_a_test_number", f"{column.name} is not in the test range 9…",
                f"NOT is_test_nhs_number({VALUE})",
                "A number beginning with 9 is never issued to a patient: trace the person's own number (PDS).",
                off_when="allow_test_nhs_numbers", severity="warning", at_sight=f"{VALUE} >= '0' AND {VALUE} < '9'",
            )
        )  # fmt: skip
    return standards


def _reads(column: Column) -> tuple[str, str, str, str] | None:
    """For a kind: the standard's last word, what it is in words, the condition, and how to get it right."""
    if column.kind in (Kind.DATE, Kind.TIMESTAMP) and column.formats:
        written = " or ".join(dict.fromkeys(in_words(text) for text in column.formats))
        what, word = ("is_a_date", "date") if column.kind is Kind.DATE else ("is_a_time", "date and time")
        holds = f"is_date_as({VALUE}, [{', '.join(literal(text) for text in read_as(column.formats))}])"
        return what, f"a {word} written {written}", holds, f"Write a real {word} as {written}, between 1880 and 2100."
    if column.kind is Kind.DATE and column.day_first:
        return (
            "is_a_date", "a date written YYYY-MM-DD or DD/MM/YYYY", f"is_office_date({VALUE})",
            "Write a real date as YYYY-MM-DD or DD/MM/YYYY, between 1880 and 2100.",
        )  # fmt: skip
    if column.kind is Kind.TIMESTAMP and column.day_first:
        return (
            "is_a_time", "a date and time written YYYY-MM-DDThh:mm or DD/MM/YYYY hh:mm", _IS_OFFICE_TIME,
            "Write the date and time as YYYY-MM-DDThh:mm:ss, with the offset from UTC if it is known, or as DD/MM/YYYY hh:mm.",
        )  # fmt: skip
    return {
        Kind.DATE: (
            "is_a_date", "a date written YYYY-MM-DD", f"is_iso_date({VALUE})",
            "Write a real date as YYYY-MM-DD, between 1880 and 2100.",
        ),
        Kind.TIMESTAMP: (
            "is_a_time", "a date and time written YYYY-MM-DDThh:mm", _IS_TIME,
            "Write the date and time as YYYY-MM-DDThh:mm:ss, with the offset from UTC if it is known.",
        ),
        Kind.INTEGER: ("is_a_whole_number", "a whole number", f"is_integer({VALUE})", "Write digits only."),
        Kind.NUMBER: ("is_a_number", "a number", f"is_number({VALUE})", "Write digits, with a point for decimals."),
        Kind.NHS_NUMBER: (
            "is_an_nhs_number", "an NHS number with a right check digit", f"is_nhs_number({VALUE})",
            "Ten digits, the last a check digit: compare with the person's record (PDS), a digit is wrong or swapped.",
        ),
        Kind.UPN: (
            "is_a_upn", "a unique pupil number with a right check letter", f"is_upn({VALUE})",
            "A letter, eleven digits, then a digit or letter: compare with the school's record.",
        ),
        Kind.POSTCODE: (
            "is_a_postcode", "a UK postcode", f"is_postcode({VALUE})",
            "Write a whole postcode such as LS1 4AP; ZZ99 3VZ for no fixed abode, ZZ99 3WZ where it is not known.",
        ),
    }.get(column.kind)  # fmt: skip


def _in_any_spelling(allowed: tuple[str, ...]) -> str:
    codes = ", ".join(literal(re.sub("[ -]+", "_", code.lower())) for code in allowed)
    return f"list_contains([{codes}]::VARCHAR[], regexp_replace(lower(trim({VALUE})), '[ -]+', '_', 'g'))"


def _column_standard(
    table: Table,
    column: Column,
    what: str,
    title: str,
    holds: str,
    hint: str,
    *,
    at_sight: str = "",
    off_when: str = "",
    severity: Severity | None = None,
) -> Standard:
    return Standard(
        name=f"{table.name}.{column.name}.{what}",
        title=title,
        table=table.name,
        column=column.name,
        severity=severity or column.severity,
        hint=hint,
        sensitivity=column.sensitivity,
        holds=holds,
        at_sight=at_sight or holds,
        off_when=off_when,
    )


def _of_table(feed: Feed, table: Table) -> list[Standard]:
    key = ", ".join(table.key)
    standards = [
        Standard.from_sql(
            f"{table.name}.rows_readable_and_keyed",
            "Every row can be read and says which row it is",
            table.name,
            "SELECT quarantine_id AS raw_row_id, reason AS hint FROM {quarantine}",
            hint=f"Repair the row or fill in its key ({key}) and send it again, or release it from quarantine.",
            speaks_of_held_rows=True,
        ),
        Standard.from_sql(
            f"{table.name}.one_row_per_key",
            "One file does not say two things of one key",
            table.name,
            # The rows that lost within their own file and load; different versions of a key are no contradiction.
            f"""
            SELECT r.raw_row_id, {literal(key)} AS column_name,
                   'rows ' || string_agg(o.row_number::VARCHAR, ', ' ORDER BY o.row_number) || ' and '
                   || any_value(r.row_number) AS value
            FROM {{rows}} r
            JOIN {{received_{table.name}}} o
              ON o.superseded_seq = o.load_seq AND o.load_seq = r.load_seq AND o.file_id = r.file_id
             AND o.source_key = r.source_key AND o.row_hash <> r.row_hash
             AND o.version_at IS NOT DISTINCT FROM r.version_at
            GROUP BY r.raw_row_id
            """,
            hint=f"Two rows of the file have the same {key} and differ: send the right one. The last was taken.",
            sensitivity=Sensitivity.OPERATIONAL,
            # It reads rows of the same load alone, so the verdict on earlier rows stands.
            whole=False,
            possible_where=BEATEN,
        ),
        Standard.from_sql(
            f"{table.name}.no_unknown_columns",
            "Every column received is known; counted once per file",
            table.name,
            # The names are a value: where a file has no header row, what looks like one is somebody's data.
            f"""
            SELECT min_by(raw_row_id, row_number) AS raw_row_id, list_sort(list(DISTINCT name))::VARCHAR AS value
            FROM (SELECT load_id, file_id, raw_row_id, row_number, unnest(names) AS name
                  FROM (SELECT load_id, file_id, json_keys(extra) AS names,
                               min_by(raw_row_id, row_number) AS raw_row_id, min(row_number) AS row_number
                        FROM {{raw_{table.name}}} WHERE extra IS NOT NULL GROUP BY load_id, file_id, names))
            GROUP BY load_id, file_id
            """,
            severity="info",
            hint="Nothing is lost: it is kept as received. Tell the data team what it means, or stop sending it.",
            possible_where=WITH_MORE,
        ),
    ]
    if feed.delivery == "full":
        owner = (table.owner,) if table.owner else table.key
        who = ", ".join(f'"{name}"' for name in owner)
        home = _home(feed, table)
        # A child who is gone is reported by the table of children; other tables speak of those whom it never held.
        elsewhere = (
            f' AND trim("{table.owner}") NOT IN (SELECT trim("{home.key[0]}") FROM {{raw_{home.name}}})' if home else ""
        )
        standards.append(
            Standard.from_sql(
                f"{table.name}.nobody_vanished",
                "Nobody who was in the last full extract is missing from this one",
                table.name,
                f"""
                SELECT min_by(raw_row_id, row_number) AS raw_row_id, {literal(", ".join(owner))} AS column_name,
                       concat_ws('/', {who}) AS value
                FROM {{raw_{table.name}}} WHERE vanished_seq IS NOT NULL{elsewhere} GROUP BY scope, {who}
                """,
                hint="The last extract that named them stays in use. Say whether the case closed, moved, was merged, "
                "or was left out by mistake.",
                sensitivity=Sensitivity.KEY,
                possible_where=VANISHED,
            )
        )
    return standards


def _home(feed: Feed, table: Table) -> Table | None:
    """The other table that has one row per whom this table's rows are about, as landing takes it; None where there is none."""
    if table.owner is None:
        return None
    by_key = (other for other in feed.tables if other.key == (table.owner,))
    home = next(by_key, feed.tables[0])
    return None if home.name == table.name or len(home.key) != 1 else home


def in_words(strptime_format: str) -> str:
    """How a date is written: DD/MM/YYYY."""
    return re.sub("%[a-zA-Z]", lambda match: _DATE_WORDS.get(match.group(), match.group()), strptime_format)


@cache
def _reading() -> str:
    """How text is read is part of every standard's definition."""
    return md5(Path(reading.__file__).with_name("reading.sql").read_bytes(), usedforsecurity=False).hexdigest()
