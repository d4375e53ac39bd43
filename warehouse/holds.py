"""Legal holds: what must not be erased, whatever is due or asked, while a court, an inquiry or a complaint may need it.

What lives here: placing and lifting holds. What must not: what is held of somebody (erase.py) and when it is due (retention.py).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from warehouse.erasures import ErasureError
from warehouse.journal import Journal
from warehouse.store import Cipher, Store


class Holds:
    """The holds of one deployment, each on a person_id or on a record_id."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "legal_hold",
            "hold_id",
            sa.Column("lifts", sa.Integer),  # the hold that this row lifts
            sa.Column("subject", sa.LargeBinary, nullable=False),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("at", sa.DateTime, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def place(self, subject: str, *, reason: str, author: str, at: dt.datetime) -> str:
        """Holds a person or a record; returns the hold's number."""
        return self._take(subject, None, reason, author, at)

    def lift(self, hold_id: str, *, reason: str, author: str, at: dt.datetime) -> None:
        """Lets go of it; both rows stay to be read."""
        found = next((hold for hold in self.all() if hold["hold_id"] == hold_id), None)
        if found is None or not found["holds"]:
            raise ErasureError(f"{hold_id}: no hold that stands; tessera holds list shows them")
        self._take(found["subject"], found["number"], reason, author, at)

    def all(self) -> list[dict[str, Any]]:
        """Every hold ever placed, oldest first: hold_id, subject, reason, author, at, holds (whether it still does)."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(self._table).order_by(self._table.c.hold_id)).all()
        lifted = {row.lifts for row in rows if row.lifts is not None}
        return [
            {
                "number": row.hold_id,
                "hold_id": self._cipher.public_number("H", row.hold_id),
                **{name: self._cipher.open(getattr(row, name)) for name in ("subject", "reason", "author")},
                "at": row.at,
                "holds": row.hold_id not in lifted,
            }
            for row in rows
            if row.lifts is None
        ]

    def subjects(self) -> dict[str, list[str]]:
        """person_id or record_id that is held, with the numbers of its holds."""
        held: dict[str, list[str]] = {}
        for hold in self.all():
            if hold["holds"]:
                held.setdefault(hold["subject"], []).append(hold["hold_id"])
        return held

    def _take(self, subject: str, lifts: int | None, reason: str, author: str, at: dt.datetime) -> str:
        if not reason.strip() or not author.strip():
            raise ErasureError("a hold needs a reason and an author; give --reason and --author")
        sealed = {"subject": subject, "reason": reason, "author": author}
        row = {"lifts": lifts, "at": at, **{name: self._cipher.seal(text) for name, text in sealed.items()}}
        return self._cipher.public_number("H", self.journal.append([row])[0])
