"""Pairs that a reviewer looked at and could not decide, and why. Kept outside the warehouse, append-only.

What lives here: noting that somebody passed. What must not: an answer, which is a decision like any other (decisions.py).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store


class ReviewPasses:
    """The passes of one deployment. The pair stays open; whoever passed is not asked again before everything else is answered."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "review_pass",
            "pass_id",
            sa.Column("record_a", sa.LargeBinary, nullable=False),
            sa.Column("record_b", sa.LargeBinary, nullable=False),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("passed_at", sa.DateTime, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def take(self, record_a: str, record_b: str, reason: str, author: str, passed_at: dt.datetime) -> None:
        """Notes that the author could not tell. The order of the two records does not matter."""
        said = {
            "record_a": self._cipher.seal(min(record_a, record_b)),
            "record_b": self._cipher.seal(max(record_a, record_b)),
            "reason": self._cipher.seal(reason),
            "author": self._cipher.seal(author),
            "passed_at": passed_at,
        }
        self.journal.append([said])

    def all(self) -> list[dict[str, Any]]:
        """Every pass, oldest first: record_id_a, record_id_b, reason, author, passed_at."""
        return self.journal.read(
            lambda row: {
                "record_id_a": self._cipher.open(row.record_a),
                "record_id_b": self._cipher.open(row.record_b),
                "reason": self._cipher.open(row.reason),
                "author": self._cipher.open(row.author),
                "passed_at": row.passed_at,
            }
        )
