"""Tables of the decisions store that only grow, each row stamped over the one before it, so that no edit, gap or insertion goes unseen.

A stamp is an HMAC-SHA256 of the stamp before and of what the row says, under the key of whoever may read the row: who can write to the
store but has no key cannot make one. Rows cut off at the end leave the rest whole; that shows against a head noted earlier. What lives
here: stamping and proving. What must not: what a row means.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from warehouse.store import Cipher, Store

_PROOFS = ("stamp", "redacted")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Head:
    """How far a journal had come: rows, the number of the newest, its stamp in hexadecimal digits ('' for one before stamps)."""

    rows: int
    newest: int
    stamp: str


class Journal:
    """One append-only table: its columns, numbered by `number`; `cipher` gives a row's key."""

    def __init__(
        self, store: Store, name: str, number: str, *columns: sa.Column[Any], cipher: Callable[[sa.Row[Any]], Cipher]
    ) -> None:
        self.name, self._store, self._cipher = name, store, cipher
        self.table = sa.Table(
            name,
            store.metadata,
            sa.Column(number, sa.Integer, primary_key=True),
            *columns,
            sa.Column("stamp", sa.LargeBinary),  # none on rows of a version that made none
            sa.Column(
                "redacted", sa.LargeBinary
            ),  # on rows out of which an erasure took words: proof that it was Tessera
        )
        self._number = self.table.c[number]
        self._reading = threading.Lock()
        self._read: tuple[dict[str, Any], ...] = ()
        self._read_until: tuple[Any, ...] = ()
        self._worked_out: dict[Callable[..., Any], Any] = {}

    def append(self, rows: Iterable[Mapping[str, Any]], provided: Callable[[], None] | None = None) -> list[int]:
        """Adds rows, all or none, and returns their numbers. `provided` is asked when nobody else may write any more: what it reads of the
        journal is what the rows will follow, and where it raises none of them is added."""
        numbers: list[int] = []
        before: bytes | None = None
        with self._store.writing() as within:
            if within.dialect.name == "postgresql":
                within.execute(sa.text(f'LOCK TABLE "{self.name}" IN EXCLUSIVE MODE'))
            for row in rows:
                # Written first: from here on SQLite lets nobody else write, so the row before stays the row before.
                added = within.execute(self.table.insert().values(dict(row)))
                if provided is not None and not numbers:
                    provided()
                number = int(added.inserted_primary_key[0])  # type: ignore[index]
                written = within.execute(sa.select(self.table).where(self._number == number)).one()
                before = self._before(within, number) if before is None else before
                before = self._cipher(written).stamp(before + _said(written))
                within.execute(self.table.update().where(self._number == number).values(stamp=before))
                numbers.append(number)
        return numbers

    def read(self, say: Callable[[sa.Row[Any]], dict[str, Any]]) -> list[dict[str, Any]]:
        """Every row, oldest first, as `say`, always the same function, puts it.

        A row is opened once and kept in memory: it never changes, but for an erasure, after which all are opened anew.
        """
        with self._reading:
            return [dict(entry) for entry in self._as_it_stands(say)]

    def worked_out(
        self, say: Callable[[sa.Row[Any]], dict[str, Any]], work_out: Callable[[Sequence[dict[str, Any]]], _T]
    ) -> _T:
        """What follows from every row, worked out once for as long as none is added. Everybody gets the same: nobody may change it."""
        with self._reading:
            rows = self._as_it_stands(say)
            if work_out not in self._worked_out:
                self._worked_out[work_out] = work_out(rows)
            found: _T = self._worked_out[work_out]
            return found

    def _as_it_stands(self, say: Callable[[sa.Row[Any]], dict[str, Any]]) -> Sequence[dict[str, Any]]:
        with self._store.engine().connect() as connection:
            newest = sa.select(sa.func.max(self._number), sa.func.count())
            reworded = sa.select(self._number, self.table.c.redacted).where(self.table.c.redacted.is_not(None))
            last, rows = connection.execute(newest.select_from(self.table)).one()
            until = (last or 0, rows, tuple(tuple(row) for row in connection.execute(reworded)))
            if until != self._read_until:
                known = self._read if self._read_until[2:] == until[2:] else ()
                after = self._read_until[0] if known else 0
                select = sa.select(self.table).where(self._number > after).order_by(self._number)
                found = (*known, *(say(row) for row in connection.execute(select)))
                # Fewer or more than are counted: rows were cut off, or put in between. All are opened anew.
                if len(found) != rows:
                    found = tuple(say(row) for row in connection.execute(sa.select(self.table).order_by(self._number)))
                self._read, self._read_until, self._worked_out = found, until, {}
        return self._read

    def head(self) -> Head | None:
        """How far the journal has come; None where nothing is in it."""
        with self._store.engine().connect() as connection:
            last = connection.execute(sa.select(self.table).order_by(self._number.desc()).limit(1)).first()
            if last is None:
                return None
            rows = connection.execute(sa.select(sa.func.count()).select_from(self.table)).scalar_one()
            return Head(rows, self._number_of(last), (last.stamp or b"").hex())

    def reword(self, change: Callable[[str], str]) -> int:
        """For an erasure: passes every sealed text through `change` and keeps what comes back; returns how many rows changed.

        A row keeps its stamp, so that those after it and every head still hold; over what it says now it gets a proof of its own.
        """
        sealed = [column.name for column in self.table.columns if isinstance(column.type, sa.LargeBinary)]
        sealed = [name for name in sealed if name not in _PROOFS]
        changed = 0
        with self._store.writing() as within:
            for row in within.execute(sa.select(self.table).where(self.table.c.stamp.is_not(None))).all():
                cipher, now = self._cipher(row), {}
                for name in sealed:
                    if row._mapping[name] is not None and (text := cipher.open(row._mapping[name])) != change(text):
                        now[name] = cipher.seal(change(text))
                if now:
                    of_row = self._number == self._number_of(row)
                    within.execute(self.table.update().where(of_row).values(now))
                    said = _said(within.execute(sa.select(self.table).where(of_row)).one())
                    before = self._before(within, self._number_of(row))
                    proof = cipher.stamp(b"redacted" + before + row.stamp + said)
                    within.execute(self.table.update().where(of_row).values(redacted=proof))
                    changed += 1
        return changed

    def reworded(self) -> int:
        """Rows out of which erasures took words."""
        counted = sa.select(sa.func.count()).where(self.table.c.redacted.is_not(None))
        with self._store.engine().connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def faults(self, heads: Mapping[str, Head]) -> list[str]:
        """What is not as it was written, in words; `heads` are those noted earlier, by when that was. Tells numbers only."""
        found, rows, before = [], 0, b""
        unstamped = hashlib.sha256()
        expected = {head.newest: (since, head) for since, head in sorted(heads.items(), reverse=True)}
        with self._store.engine().connect() as connection:
            select = sa.select(self.table).order_by(self._number)
            for row in connection.execution_options(yield_per=5_000).execute(select):
                number, rows = self._number_of(row), rows + 1
                if row.stamp is None and before:
                    found.append(f"{self.name}, row {number}: it was put in by something else than Tessera")
                elif row.stamp is None:
                    unstamped.update(_said(row))
                else:
                    over = before or unstamped.digest()
                    proof, proven = (
                        (row.stamp, over + _said(row))
                        if row.redacted is None
                        else (row.redacted, b"redacted" + over + row.stamp + _said(row))
                    )
                    if not self._cipher(row).stamped(proven, bytes(proof)):
                        found.append(
                            f"{self.name}, row {number}: it was changed, or rows before it were changed, taken away or put in"
                        )
                    before = row.stamp
                if number in expected:
                    since, head = expected.pop(number)
                    if (rows, (row.stamp or b"").hex()) != (head.rows, head.stamp) and not found:
                        found.append(f"{self.name}, row {number}: it is not the one that was the last {since}")
        found += [
            f"{self.name}: row {head.newest}, the last {since}, is gone"
            for _, (since, head) in sorted(expected.items())
        ]
        return found

    def _before(self, connection: sa.Connection, number: int) -> bytes:
        """The stamp of the row before; where none has one yet, a digest of all that is there, which is thereby stamped as well."""
        earlier = sa.select(self.table).where(self._number < number)
        last = connection.execute(earlier.order_by(self._number.desc()).limit(1)).first()
        if last is not None and last.stamp is not None:
            return bytes(last.stamp)
        digest = hashlib.sha256()
        for row in connection.execute(earlier.order_by(self._number)):
            digest.update(_said(row))
        return digest.digest()

    def _number_of(self, row: sa.Row[Any]) -> int:
        return int(row._mapping[self._number])


def _said(row: sa.Row[Any]) -> bytes:
    """What a row says, as bytes; columns without a value are left out, so that one added later changes no stamp."""
    said = {name: value for name, value in row._mapping.items() if value is not None and name not in _PROOFS}
    return json.dumps(said, sort_keys=True, default=_plain).encode() + b"\n"


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    raise TypeError(f"a journal keeps no {type(value).__name__}")
