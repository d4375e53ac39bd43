"""The journal of erasures: who decided that what is held of somebody goes, why, and by which marks their rows are known again.

A mark is a keyed digest of a key, never a value: with it a row of a later delivery is recognised, and nobody can be named from it. What
lives here: taking and lifting erasures, and handing their marks to DuckDB. What must not: what an erasure takes out (erase.py), and any
value of the person.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb
import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.keys import Keys
from warehouse.quoting import quoted
from warehouse.store import Cipher, Store

# A reference in a FHIR resource, of whichever server: Patient/123.
_REFERENCE = '([A-Za-z]+/[^"/]+)"'


class ErasureError(Exception):
    """An erasure cannot be carried out: says why, and what to do first. Never a person's value."""


@dataclass
class Marks:
    """By what rows of an erased person are known: digests by raw table.

    `rows`: keys of rows. `values`: by column, what it holds in rows that are the person's. `references`: as values, of references within
    JSON. `places`: rows without a key, by file and number. `shared`: keys of rows that are about others as well, and which columns are
    emptied in them. `records`: digests of record_id.
    """

    records: list[str] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    references: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    shared: dict[str, dict[str, list[str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Erasure:
    """One erasure. `persons` are opaque identifiers whose whole record went, with the load that created each; `status` is pending, done or
    lifted."""

    number: int
    erasure_id: str
    status: str
    persons: Mapping[str, str]
    load_id: str
    marks: Marks
    reason: str
    author: str
    at: dt.datetime


class Erasures:
    """The erasures of one deployment."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._cipher = store, Cipher(keys.raw("decisions"))
        # Under the identity key, which never changes: marks must be found again as long as extracts come.
        self._salt = hmac.new(keys.raw("identity"), b"erased", hashlib.sha256).hexdigest()
        self.journal = Journal(
            store,
            "erasure",
            "erasure_id",
            sa.Column("kind", sa.String(20), nullable=False),  # taken, done or lifted
            sa.Column("about", sa.Integer),  # the erasure that was done or lifted
            sa.Column("said", sa.LargeBinary),
            sa.Column("reason", sa.LargeBinary),
            sa.Column("author", sa.LargeBinary),
            sa.Column("at", sa.DateTime, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def take(
        self, persons: Mapping[str, str], load_id: str, marks: Marks, *, reason: str, author: str, at: dt.datetime
    ) -> str:
        """Notes an erasure before anything goes; from here on it is carried out, whatever is killed. Returns its number."""
        _asked_for(reason, author)
        said = json.dumps({"persons": dict(persons), "load_id": load_id, "marks": asdict(marks)})
        row = {"kind": "taken", "said": self._cipher.seal(said), "at": at}
        row |= {"reason": self._cipher.seal(reason), "author": self._cipher.seal(author)}
        return self._name(self.journal.append([row])[0])

    def done(self, erasure: Erasure, at: dt.datetime) -> None:
        """Notes that nothing of it is left to do."""
        self.journal.append([{"kind": "done", "about": erasure.number, "at": at}])

    def lift(self, erasure_id: str, *, reason: str, author: str, at: dt.datetime) -> None:
        """From here on rows of that person land again when they are sent; what went does not come back."""
        _asked_for(reason, author)
        found = next((erasure for erasure in self.all() if erasure.erasure_id == erasure_id), None)
        if found is None or found.status != "done":
            what = "no such erasure" if found is None else f"it is {found.status}"
            raise ErasureError(f"{erasure_id}: {what}; tessera erasures list shows those that can be lifted")
        sealed = {"reason": self._cipher.seal(reason), "author": self._cipher.seal(author)}
        self.journal.append([{"kind": "lifted", "about": found.number, "at": at, **sealed}])

    def all(self) -> list[Erasure]:
        """Every erasure ever taken, oldest first."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(self._table).order_by(self._table.c.erasure_id)).all()
        became = {row.about: row.kind for row in rows if row.about is not None}
        found = []
        for row in rows:
            if row.kind == "taken":
                said = json.loads(self._cipher.open(row.said))
                found.append(
                    Erasure(
                        row.erasure_id,
                        self._name(row.erasure_id),
                        became.get(row.erasure_id, "pending"),
                        said["persons"],
                        said["load_id"],
                        Marks(**said["marks"]),
                        self._cipher.open(row.reason),
                        self._cipher.open(row.author),
                        row.at,
                    )
                )
        return found

    def owed(self) -> bool:
        """Whether anything is pending; cheaper than all()."""
        answered = self._table.alias("answered")
        open_ones = sa.select(sa.func.count()).where(
            self._table.c.kind == "taken", ~sa.exists().where(answered.c.about == self._table.c.erasure_id)
        )
        with self._store.engine().connect() as connection:
            return bool(connection.execute(open_ones).scalar_one())

    def standing(self) -> list[Erasure]:
        """Those that rows are refused by: all but the lifted ones."""
        return [erasure for erasure in self.all() if erasure.status != "lifted"]

    def sealed(self) -> list[dict[str, Any]]:
        """The journal's rows as text, sealed as they are in the store: what a backup keeps beside itself."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(self._table).order_by(self._table.c.erasure_id)).all()
        names = ("kind", "about", "said", "reason", "author", "at")
        plain = [{name: row._mapping[name] for name in names} | {"number": row.erasure_id} for row in rows]
        return [{name: _as_text(value) for name, value in row.items()} for row in plain]

    def take_over(self, sealed: Iterable[Mapping[str, Any]]) -> int:
        """Takes rows of sealed() that the store does not have, as after a restore; they are to be carried out again. Returns how many
        erasures that were."""
        known = {bytes(row["said"]): row["erasure_id"] for row in self._rows() if row["said"] is not None}
        lifted = {row["about"] for row in self._rows() if row["kind"] == "lifted"}
        numbers: dict[int, int] = {}
        new = 0
        for row in sealed:
            if row["kind"] == "taken":
                said = bytes.fromhex(row["said"])
                self._cipher.open(said)  # under these keys, or not at all
                if said not in known:
                    entry = {"kind": "taken", "said": said, "at": dt.datetime.fromisoformat(row["at"])}
                    entry |= {name: bytes.fromhex(row[name]) for name in ("reason", "author")}
                    known[said] = self.journal.append([entry])[0]
                    new += 1
                numbers[row["number"]] = known[said]
            elif row["kind"] == "lifted" and numbers.get(row["about"]) not in lifted:
                entry = {"kind": "lifted", "about": numbers[row["about"]], "at": dt.datetime.fromisoformat(row["at"])}
                self.journal.append([entry | {name: bytes.fromhex(row[name]) for name in ("reason", "author")}])
        return new

    def digest(self, value: str) -> str:
        """The mark of a value; as erasure_mark() in SQL."""
        return hashlib.sha256(f"{self._salt[:32]}{value}{self._salt[32:]}".encode()).hexdigest()[:32]

    def prepare(self, con: duckdb.DuckDBPyConnection, erasures: Iterable[Erasure]) -> None:
        """Makes the macro erasure_mark(text) and the temporary tables erased_record, _row, _value, _place and _shared on a connection."""
        con.execute("SET VARIABLE erasure_salt = ?", [self._salt])
        salt = "getvariable('erasure_salt')"
        con.execute(
            f"CREATE OR REPLACE TEMP MACRO erasure_mark(said) AS left(sha256(left({salt}, 32) || said || substr({salt}, 33)), 32)"
        )
        tables: dict[str, tuple[str, list[list[Any]]]] = {
            "erased_record": ("mark VARCHAR", []),
            "erased_row": ("raw VARCHAR, mark VARCHAR", []),
            "erased_value": ("raw VARCHAR, column_name VARCHAR, reference BOOLEAN, mark VARCHAR", []),
            "erased_place": ("raw VARCHAR, mark VARCHAR", []),
            "erased_shared": ("raw VARCHAR, mark VARCHAR, emptied VARCHAR[]", []),
        }
        for erasure in erasures:
            marks = erasure.marks
            tables["erased_record"][1].extend([mark] for mark in marks.records)
            for name, by_table in (("erased_row", marks.rows), ("erased_place", marks.places)):
                tables[name][1].extend([raw, mark] for raw, found in by_table.items() for mark in found)
            for reference, by_column in ((False, marks.values), (True, marks.references)):
                tables["erased_value"][1].extend(
                    [raw, column, reference, mark]
                    for raw, columns in by_column.items()
                    for column, found in columns.items()
                    for mark in found
                )
            tables["erased_shared"][1].extend(
                [raw, mark, emptied] for raw, rows in marks.shared.items() for mark, emptied in rows.items()
            )
        for name, (columns, rows) in tables.items():
            con.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
            if rows:
                con.executemany(f"INSERT INTO temp.{name} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def _rows(self) -> list[Mapping[str, Any]]:
        with self._store.engine().connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(self._table))]

    def _name(self, number: int) -> str:
        return self._cipher.public_number("E", number)


def marks_of_column(column: str, *, reference: bool) -> str:
    """SQL: the marks of what a column holds, a list."""
    name = quoted(column)
    if reference:
        found = f"regexp_extract_all({name}, '{_REFERENCE}', 1)"
        return f"list_transform({found}, lambda said: erasure_mark(lower(said)))"
    return f"[erasure_mark(trim({name}))]"


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _asked_for(reason: str, author: str) -> None:
    if not reason.strip() or not author.strip():
        raise ErasureError("it needs a reason and an author; give --reason and --author")
