"""What people did about what fails: waived it, were promised a correction, put a row through again. Kept outside the warehouse.

Append-only, as decisions are: an act is taken back by another act. What lives here: taking acts, which of them count, and
showing what fails as they leave it. What must not: what fails, and in which order it is shown.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store, in_force

Kind = Literal["waive", "expect", "release", "assign", "comment"]
UNDO = "undo"
COMMENT = "comment"
# A waiver is not for good: whoever gives it looks again within a year.
LONGEST_DAYS = 366

_SQL = Path(__file__).with_name("sql") / "publish"
# What the marts and the screen of the moment work out alike, from the table quality_act and the rows that fail.
_WORKED_OUT = ("treated_failure", "treated_standard")
# The rest of what a quality officer is shown of an agency.
_SHOWN_AS_PUBLISHED = ("quality_results", "quality_spells", "quality_acts", "quarantine", "loads", "received_files")
_PUBLISHED_NIGHT = "SELECT load_id, date FROM mart.main.mart"
_ACT_COLUMNS = {
    "act_id": "VARCHAR", "kind": "VARCHAR", "agency": "VARCHAR", "feed": "VARCHAR", "expectation": "VARCHAR", "row_key": "VARCHAR",
    "until": "DATE", "reason": "VARCHAR", "author": "VARCHAR", "decided_at": "TIMESTAMP", "status": "VARCHAR",
}  # fmt: skip


class QualityActError(Exception):
    """An act cannot be taken: says what was found, what is allowed, the next step."""


class QualityActs:
    """The acts of one deployment."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "quality_act",
            "act_id",
            sa.Column("kind", sa.String(20), nullable=False),
            sa.Column("feed", sa.String(120), nullable=False),
            sa.Column("expectation", sa.String(200)),
            sa.Column("row_key", sa.LargeBinary),  # of a release: the row held back
            sa.Column("until", sa.Date),
            sa.Column("repairs", sa.LargeBinary),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("decided_at", sa.DateTime, nullable=False),
            sa.Column("undoes", sa.Integer),
            sa.Column("assigned_to", sa.LargeBinary),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def until(
        self,
        kind: Literal["waive", "expect"],
        feed: str,
        expectation: str,
        row_keys: Sequence[str | None],
        until: dt.date,
        *,
        today: dt.date,
        reason: str,
        author: str,
        decided_at: dt.datetime,
    ) -> list[str]:
        """Waives a standard (row key None) or rows of it, or notes by when they are to be put right; returns the acts' numbers.

        A later one on the same standard and row counts instead of an earlier one.
        """
        latest = today + dt.timedelta(days=LONGEST_DAYS)
        if not today <= until <= latest:
            raise QualityActError(
                f"{until.isoformat()} is not between tonight's date {today.isoformat()} and {latest.isoformat()}; "
                "what is waived or promised is looked at again within a year"
            )
        entries = [
            {"kind": kind, "feed": feed, "expectation": expectation, "row_key": key, "until": until} for key in row_keys
        ]
        return self._take(entries, reason, author, decided_at)

    def release(
        self,
        rows: Mapping[str, tuple[str, Mapping[str, str]]],
        *,
        reason: str,
        author: str,
        decided_at: dt.datetime,
    ) -> list[str]:
        """Notes that rows held back are put through again: quarantine_id to its feed and the columns that were repaired."""
        entries = [
            {"kind": "release", "feed": feed, "row_key": row, "repairs": json.dumps(dict(repairs))}
            for row, (feed, repairs) in rows.items()
        ]
        return self._take(entries, reason, author, decided_at)

    def assign(self, feed: str, expectation: str, to: str, *, reason: str, author: str, decided_at: dt.datetime) -> str:
        """Gives a standard to somebody who sees to it; whoever had it has it no more. What fails counts as before."""
        entry = {"kind": "assign", "feed": feed, "expectation": expectation, "assigned_to": to}
        return self._take([entry], reason, author, decided_at)[0]

    def comment(self, feed: str, expectation: str, words: str, *, author: str, decided_at: dt.datetime) -> str:
        """Notes what somebody says of a standard to colleagues. Every comment stands beside the others."""
        return self._take([{"kind": COMMENT, "feed": feed, "expectation": expectation}], words, author, decided_at)[0]

    def undo(self, act_id: str, *, reason: str, author: str, decided_at: dt.datetime) -> str:
        """Takes back a waiver or a promise, or the taking back of one. A row put through again cannot be taken back."""
        every = self.all()
        found = next((entry for entry in every if entry["act_id"] == act_id), None)
        if found is None:
            raise QualityActError(f"no act {act_id}; see tessera quality log")
        if found["kind"] == "release":
            raise QualityActError(
                f"{act_id} put a row through again; that row is received. Ask the agency to send it right"
            )
        if act_id not in {entry["act_id"] for entry in in_force(every, "act_id")}:
            raise QualityActError(f"{act_id} was undone already; see tessera quality log")
        entry = {name: found[name] for name in ("feed", "expectation", "row_key", "until")}
        return self._take([{**entry, "kind": UNDO, "undoes": found["number"]}], reason, author, decided_at)[0]

    def all(self) -> list[dict[str, Any]]:
        """Every act ever taken, oldest first, whatever became of it."""
        return self.journal.read(
            lambda row: {
                "number": row.act_id,
                "act_id": self._cipher.public_number("Q", row.act_id),
                "kind": row.kind,
                "feed": row.feed,
                "expectation": row.expectation,
                "row_key": self._open(row.row_key),
                "until": row.until,
                "repairs": json.loads(self._open(row.repairs) or "{}"),
                "reason": self._open(row.reason),
                "author": self._open(row.author),
                "decided_at": row.decided_at,
                "undoes": None if row.undoes is None else self._cipher.public_number("Q", row.undoes),
                "assigned_to": self._open(row.assigned_to),
            }
        )

    def listed(self) -> list[dict[str, Any]]:
        """Every act with what became of it: stands, undone, or replaced by a later one on the same."""
        every = self.all()
        in_order = in_force(every, "act_id")
        standing = {entry["act_id"] for entry in in_order}
        latest = {_about(entry): entry["act_id"] for entry in in_order if entry["kind"] != UNDO}
        listed = []
        for entry in every:
            if entry["act_id"] not in standing:
                status = "undone"
            elif entry["kind"] in (UNDO, COMMENT) or latest[_about(entry)] == entry["act_id"]:
                status = "stands"
            else:
                status = "replaced"
            listed.append({**entry, "status": status})
        return listed

    def _take(self, entries: Iterable[dict[str, Any]], reason: str, author: str, decided_at: dt.datetime) -> list[str]:
        if not reason.strip() or not author.strip():
            raise QualityActError("an act needs a reason and an author; give --reason and --author")
        said = {"reason": self._seal(reason), "author": self._seal(author), "decided_at": decided_at}
        rows = [
            {**entry, **{name: self._seal(entry.get(name)) for name in ("row_key", "repairs", "assigned_to")}, **said}
            for entry in entries
        ]
        return [self._cipher.public_number("Q", number) for number in self.journal.append(rows)]

    def _seal(self, text: str | None) -> bytes | None:
        return None if text is None else self._cipher.seal(text)

    def _open(self, sealed: bytes | None) -> str | None:
        return None if sealed is None else self._cipher.open(sealed)


def _about(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """What an act speaks of: of one kind and subject the latest counts."""
    return entry["kind"], entry["feed"], entry["expectation"], entry["row_key"]


# What fails as the acts leave it


def make_table(con: duckdb.DuckDBPyConnection, acts: Iterable[Mapping[str, Any]]) -> None:
    """Writes acts, as listed(), into the temporary table quality_act."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in _ACT_COLUMNS.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE quality_act ({columns})")
    said = []
    for act in acts:
        agency, _, feed = act["feed"].partition(".")
        said.append({**act, "agency": agency, "feed": feed})
    if said:  # column by column: row by row a hundred take longer than all that is asked of them
        lists = ", ".join(f"unnest(?::{kind}[])" for kind in _ACT_COLUMNS.values())
        con.execute(
            f"INSERT INTO temp.quality_act SELECT {lists}", [[act[name] for act in said] for name in _ACT_COLUMNS]
        )


def releases_waiting(
    acts: Iterable[Mapping[str, Any]], feed: str, *, after: dt.datetime | None, until: dt.datetime | None = None
) -> dict[str, Mapping[str, Any]]:
    """Releases that no load of a feed has taken, the latest for each row: those decided since its last load that held began.

    A load takes those decided before it began itself (`until`), each once, also when the core is rebuilt. The clock has whole seconds: one
    decided in the second in which a load began is tried by the next as well, rather than by none.
    """
    return {
        act["row_key"]: act
        for act in acts
        if act["kind"] == "release"
        and act["feed"] == feed
        and (after is None or act["decided_at"] >= after)
        and (until is None or act["decided_at"] <= until)
    }


@dataclass(frozen=True)
class Treated:
    """What acts do to what fails in a mart: by table of _WORKED_OUT its columns with their types, and the values of each."""

    tables: Mapping[str, tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]]


def treated(con: duckdb.DuckDBPyConnection, acts: Iterable[Mapping[str, Any]]) -> Treated:
    """Holds acts, as listed(), against every row that fails in the mart. It is the same for everybody until somebody acts again."""
    tables = {}
    with closing(con.cursor()) as own:
        own.execute("USE mart")
        make_table(own, acts)
        own.execute(f"CREATE TEMP VIEW published_night AS {_PUBLISHED_NIGHT}")
        own.execute(
            "CREATE TEMP VIEW failing_spell AS SELECT agency, feed, expectation, raw_row_id, row_key, "
            "NULL::VARCHAR AS ended_load_id FROM mart.main.quality_failures"
        )
        for name in _WORKED_OUT:
            own.execute(f"CREATE TEMP TABLE {name} AS {(_SQL / f'{name}.sql').read_text(encoding='utf-8')}")
            found = own.execute(f"FROM temp.{name}")
            columns = [(column[0], str(column[1])) for column in found.description or ()]
            tables[name] = (columns, list(zip(*found.fetchall(), strict=True)) or [()] * len(columns))
    return Treated(tables)


def show_now(con: duckdb.DuckDBPyConnection, found: Treated, agencies: Collection[str] = ()) -> None:
    """Shows the mart's failing standards and rows with the acts taken since it was published, under their public names.

    With `agencies`, whatever under those names speaks of another is not there.
    """
    con.execute("CREATE TEMP TABLE shown_agency (agency VARCHAR)")
    if agencies:
        con.executemany("INSERT INTO temp.shown_agency VALUES (?)", [[agency] for agency in sorted(agencies)])
    only = "WHERE agency IN (FROM temp.shown_agency)" if agencies else ""
    for name in _SHOWN_AS_PUBLISHED if agencies else ():
        con.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM mart.main.{name} {only}")
    con.execute(f"CREATE TEMP VIEW published_night AS {_PUBLISHED_NIGHT}")
    for name, (columns, values) in found.tables.items():
        lists = ", ".join(f'unnest(?::{kind}[]) AS "{column}"' for column, kind in columns)
        con.execute(f"CREATE TEMP TABLE {name} AS SELECT {lists}", [list(column) for column in values])
    con.execute(
        "CREATE TEMP VIEW quality_failures AS SELECT f.* REPLACE (greatest(t.waived_until, s.waived_until) AS waived_until, "
        "coalesce(t.expected_by, s.promised_by) AS expected_by) "
        "FROM mart.main.quality_failures f LEFT JOIN temp.treated_failure t USING (agency, feed, expectation, raw_row_id) "
        f"LEFT JOIN temp.treated_standard s USING (agency, feed, expectation) {only}"
    )
    con.execute(
        "CREATE TEMP VIEW quality_standards AS WITH counted AS (SELECT s.* EXCLUDE (waived, open, expected_by, overdue), "
        "CASE WHEN t.waived_until IS NULL THEN coalesce(t.waived, 0) ELSE s.failed END AS waived, t.expected_by "
        "FROM mart.main.quality_standards s LEFT JOIN temp.treated_standard t USING (agency, feed, expectation)) "
        "SELECT *, failed - waived AS open, coalesce(failed > waived AND expected_by < (SELECT date FROM published_night), false) "
        f"AS overdue FROM counted {only}"
    )
