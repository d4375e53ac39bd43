"""What practitioners say of signals: useful, or not, and why. Kept outside the warehouse, append-only: the last word on a signal counts.

What lives here: taking verdicts and counting them. What must not: what raises a signal (sql/signals).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store


class SignalVerdictError(Exception):
    """A verdict cannot be taken: says what was found, what is allowed, the next step."""


class SignalVerdicts:
    """The verdicts of one deployment. A signal's identifier tells nothing of a person; reason and author are encrypted."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "signal_verdict",
            "verdict_id",
            sa.Column("signal_id", sa.String(40), nullable=False),
            sa.Column("rule", sa.String(120), nullable=False),
            sa.Column("useful", sa.Boolean, nullable=False),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("decided_at", sa.DateTime, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def take(
        self, signal_id: str, rule: str, *, useful: bool, reason: str, author: str, decided_at: dt.datetime
    ) -> None:
        """Notes a verdict; a later one on the same signal counts instead."""
        if not reason.strip() or not author.strip():
            raise SignalVerdictError("a verdict needs a reason and an author; give --reason and --author")
        said = {
            "signal_id": signal_id,
            "rule": rule,
            "useful": useful,
            "reason": self._cipher.seal(reason),
            "author": self._cipher.seal(author),
            "decided_at": decided_at,
        }
        self.journal.append([said])

    def all(self) -> list[dict[str, Any]]:
        """Every verdict ever given, oldest first: signal_id, rule, useful, reason, author, decided_at, and whether it counts."""
        every = self.journal.read(
            lambda row: {
                "signal_id": row.signal_id,
                "rule": row.rule,
                "useful": row.useful,
                "reason": self._cipher.open(row.reason),
                "author": self._cipher.open(row.author),
                "decided_at": row.decided_at,
            }
        )
        last = {verdict["signal_id"]: place for place, verdict in enumerate(every)}
        return [{**verdict, "counts": last[verdict["signal_id"]] == place} for place, verdict in enumerate(every)]


def make_table(con: duckdb.DuckDBPyConnection, verdicts: Iterable[Mapping[str, Any]]) -> None:
    """Writes the verdicts that count, as all() gives them, into the temporary table signal_verdict."""
    con.execute(
        "CREATE TEMP TABLE signal_verdict (signal_id VARCHAR, rule VARCHAR, useful BOOLEAN, reason VARCHAR, author VARCHAR, "
        "decided_at TIMESTAMP)"
    )
    columns = ("signal_id", "rule", "useful", "reason", "author", "decided_at")
    rows = [[verdict[name] for name in columns] for verdict in verdicts if verdict["counts"]]
    if rows:
        con.executemany("INSERT INTO temp.signal_verdict VALUES (?, ?, ?, ?, ?, ?)", rows)
