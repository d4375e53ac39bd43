"""What was shared with another agency or person on request, and what was refused, by whom and why: append-only.

What lives here: taking notes of it. What must not: the sharing itself, and whether it was right.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from warehouse.erasures import ErasureError
from warehouse.journal import Journal
from warehouse.store import Cipher, Store


class Disclosures:
    """The disclosures and refusals of one deployment. Whom it was about is encrypted, as are reason, author and who asked."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        sealed = [
            sa.Column(name, sa.LargeBinary, nullable=False) for name in ("subject", "asked_by", "reason", "author")
        ]
        self.journal = Journal(
            store,
            "disclosure",
            "disclosure_id",
            sa.Column("outcome", sa.String(20), nullable=False),  # shared or refused
            sa.Column("at", sa.DateTime, nullable=False),
            *sealed,
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def take(self, outcome: str, subject: str, *, asked_by: str, reason: str, author: str, at: dt.datetime) -> str:
        """Notes that something about a person was shared or refused; returns the note's number."""
        said = {"subject": subject, "asked_by": asked_by, "reason": reason, "author": author}
        missing = [name for name, text in said.items() if not text.strip()]
        if missing:
            raise ErasureError(f"a disclosure or refusal needs {', '.join(missing)}")
        row = {"outcome": outcome, "at": at, **{name: self._cipher.seal(text) for name, text in said.items()}}
        return self._cipher.public_number("S", self.journal.append([row])[0])

    def all(self) -> list[dict[str, Any]]:
        """Every note, oldest first: disclosure_id, outcome, at, subject, asked_by, reason, author."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(self._table).order_by(self._table.c.disclosure_id)).all()
        return [
            {
                "disclosure_id": self._cipher.public_number("S", row.disclosure_id),
                "outcome": row.outcome,
                "at": row.at,
                **{name: self._cipher.open(getattr(row, name)) for name in ("subject", "asked_by", "reason", "author")},
            }
            for row in rows
        ]
