"""Who looked at what, when and why: append-only, in the decisions store, so that it outlives marts and rebuilds.

A look is two rows: that it was asked for, written before anything is shown, and what it showed. A look without the second was cut off
and may have shown anything. What lives here: writing and reading looks. What must not: judging them, and any value of a person beyond the
identifiers that were shown, which are encrypted under the key of the role that saw them.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.keys import Keys
from warehouse.store import Cipher, Store


@dataclass(frozen=True)
class Look:
    """One look. What is sealed of it is opened when it is asked for: whoever looks for a few among many opens little of most."""

    access_id: int
    action: str
    role: str
    at: dt.datetime
    load_id: str
    version: str
    rows: int | None
    sealed: Mapping[str, bytes | None] = field(repr=False)
    cipher: Cipher = field(repr=False)

    @cached_property
    def who(self) -> str:
        return self._opened("who") or ""

    @cached_property
    def purpose(self) -> str:
        return self._opened("purpose") or ""

    @cached_property
    def question(self) -> str:
        return self._opened("question") or ""

    @cached_property
    def shown(self) -> frozenset[str] | None:
        """The identifiers in the answer; None where it had none, and might be about anybody in the mart."""
        told = self._opened("shown")
        return None if told is None else frozenset(json.loads(told))

    @cached_property
    def file(self) -> str | None:
        """Name and checksum of what it was exported to."""
        return self._opened("file")

    def _opened(self, name: str) -> str | None:
        sealed = self.sealed[name]
        return None if sealed is None else self.cipher.open(sealed)


class AccessLog:
    """The looks of one deployment."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys
        self._ciphers: dict[str, Cipher] = {}
        self.journal = Journal(
            store,
            "access",
            "access_id",
            sa.Column("answers", sa.Integer),  # the look that this row says the outcome of
            sa.Column("at", sa.DateTime, nullable=False),
            sa.Column("action", sa.String(20), nullable=False),
            sa.Column("role", sa.String(40), nullable=False),
            sa.Column("load_id", sa.String(60), nullable=False),
            sa.Column("version", sa.String(60), nullable=False),
            sa.Column("who", sa.LargeBinary),
            sa.Column("purpose", sa.LargeBinary),
            sa.Column("question", sa.LargeBinary),
            sa.Column("shown", sa.LargeBinary),
            sa.Column("rows", sa.Integer),
            sa.Column("file", sa.LargeBinary),
            cipher=lambda row: self._cipher(row.role),
        )
        self._table = self.journal.table

    def asked(
        self,
        action: str,
        role: str,
        at: dt.datetime,
        *,
        load_id: str,
        version: str,
        who: str,
        purpose: str,
        question: str,
    ) -> int:
        """Notes a look before it happens; returns its number for answered(). `action`: query, export or decisions."""
        cipher = self._cipher(role)
        said = {"at": at, "action": action, "role": role, "load_id": load_id, "version": version}
        sealed = {"who": cipher.seal(who), "purpose": cipher.seal(purpose), "question": cipher.seal(question)}
        return self.journal.append([{**said, **sealed}])[0]

    def asked_of_store(self, action: str, at: dt.datetime, *, who: str, purpose: str, question: str) -> None:
        """Notes that somebody reads what people did (decisions, looks, disclosures, what is due), which is in no mart and of no load."""
        self.asked(action, "decisions", at, load_id="", version="", who=who, purpose=purpose, question=question)

    def answered(
        self,
        access_id: int,
        role: str,
        at: dt.datetime,
        *,
        shown: Iterable[str] | None,
        rows: int,
        file: str | None = None,
    ) -> None:
        """Notes what a look showed, and the file it went to, if it did."""
        cipher = self._cipher(role)
        told = None if shown is None else cipher.seal(json.dumps(sorted(shown)))
        said = {"answers": access_id, "at": at, "action": "answer", "role": role, "load_id": "", "version": ""}
        self.journal.append(
            [{**said, "shown": told, "rows": rows, "file": None if file is None else cipher.seal(file)}]
        )

    def looks(self, roles: Iterable[str], since: dt.datetime | None = None) -> list[Look]:
        """Every look of these roles, oldest first, from a time on if one is given; their keys are needed."""
        table, found = self._table, []
        answer = table.alias("answer")
        joined = table.outerjoin(answer, answer.c.answers == table.c.access_id)
        select = (
            sa.select(
                table, answer.c.shown.label("told"), answer.c.rows.label("rows_shown"), answer.c.file.label("file_told")
            )
            .select_from(joined)
            .where(table.c.answers.is_(None), table.c.role.in_(list(roles)))
            .order_by(table.c.access_id)
        )
        if since is not None:
            select = select.where(table.c.at >= since)
        with self._store.engine().connect() as connection:
            for row in connection.execute(select):
                look = Look(
                    access_id=row.access_id,
                    action=row.action,
                    role=row.role,
                    at=row.at,
                    load_id=row.load_id,
                    version=row.version,
                    rows=row.rows_shown,
                    sealed={"who": row.who, "purpose": row.purpose, "question": row.question}
                    | {"shown": row.told, "file": row.file_told},
                    cipher=self._cipher(row.role),
                )
                found.append(look)
        return found

    def _cipher(self, role: str) -> Cipher:
        if role not in self._ciphers:
            self._ciphers[role] = Cipher(*self._keys.raws(role))
        return self._ciphers[role]


def account() -> str:
    """The account somebody looks from, where they do not say who they are."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown account"
