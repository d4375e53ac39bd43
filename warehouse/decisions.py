"""Human decisions: kept outside the warehouse, append-only, so that they outlive every rebuild and retraining and always win.

SQLite by default, PostgreSQL by URL. What a person wrote (a reason) and whom it is about are encrypted in the row: the
store may lie on a disk or a server that others can read.
"""

from __future__ import annotations

import base64
import csv
import datetime as dt
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

KINDS = ("must_link", "cannot_link", "seal")
COLUMNS = (
    "kind", "agency_a", "feed_a", "source_person_id_a", "agency_b", "feed_b", "source_person_id_b", "reason", "author", "decided_at",
)  # fmt: skip


class DecisionError(Exception):
    """A decision cannot be taken: says which row and column, what is allowed, the next step."""


class Decisions:
    """The decisions store of one deployment."""

    def __init__(self, url: str, key: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._url = url
        self._engine: sa.Engine | None = None
        metadata = sa.MetaData()
        self._table = sa.Table(
            "decision",
            metadata,
            sa.Column("decision_id", sa.Integer, primary_key=True),
            sa.Column("kind", sa.String(20), nullable=False),
            sa.Column("record_a", sa.LargeBinary, nullable=False),
            sa.Column("record_b", sa.LargeBinary, nullable=False),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("decided_at", sa.DateTime, nullable=False),
        )
        self._metadata = metadata

    def _connect(self) -> sa.Engine:
        if self._engine is None:
            if self._url.startswith("sqlite:///"):
                Path(self._url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(self._url)
            self._metadata.create_all(self._engine)
        return self._engine

    def add(self, kind: str, record_a: str, record_b: str, reason: str, author: str, decided_at: dt.datetime) -> None:
        """Adds one decision; earlier ones stay. A later decision on the same pair counts instead of an earlier one."""
        if kind not in KINDS:
            raise DecisionError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
        if record_a == record_b:
            raise DecisionError("a decision is about two records; the same one was given twice")
        if not reason.strip() or not author.strip():
            raise DecisionError("a decision needs a reason and an author")
        with self._connect().begin() as connection:
            connection.execute(
                self._table.insert().values(
                    kind=kind,
                    record_a=self._seal(min(record_a, record_b)),
                    record_b=self._seal(max(record_a, record_b)),
                    reason=self._seal(reason),
                    author=self._seal(author),
                    decided_at=decided_at,
                )
            )

    def all(self) -> list[dict[str, Any]]:
        """Every decision ever taken, oldest first."""
        with self._connect().connect() as connection:
            rows = connection.execute(
                sa.select(self._table).order_by(self._table.c.decided_at, self._table.c.decision_id)
            ).all()
        return [
            {
                "decision_id": row.decision_id,
                "kind": row.kind,
                "record_id_a": self._open(row.record_a),
                "record_id_b": self._open(row.record_b),
                "reason": self._open(row.reason),
                "author": self._open(row.author),
                "decided_at": row.decided_at,
            }
            for row in rows
        ]

    def as_pairs(self) -> list[dict[str, Any]]:
        """The decision that counts for each pair of records: the latest; a seal is undone by nothing but governance."""
        counting: dict[tuple[str, str], dict[str, Any]] = {}
        for decision in self.all():
            pair = (decision["record_id_a"], decision["record_id_b"])
            if counting.get(pair, {}).get("kind") != "seal":
                counting[pair] = decision
        return list(counting.values())

    def import_csv(self, path: Path) -> int:
        """Adds the decisions of a CSV file (COLUMNS); all or none. Returns how many."""
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise DecisionError(
                    f"{path.name}: column(s) {', '.join(missing)} missing; needed are {', '.join(COLUMNS)}"
                )
            decisions = []
            for number, row in enumerate(reader, start=2):
                try:
                    decided_at = dt.datetime.fromisoformat(row["decided_at"])
                except ValueError:
                    raise DecisionError(f"{path.name}, row {number}, decided_at: not an ISO date and time") from None
                if row["kind"] not in KINDS:
                    raise DecisionError(f"{path.name}, row {number}, kind: allowed are {', '.join(KINDS)}")
                if decided_at.tzinfo is not None:
                    decided_at = decided_at.astimezone(dt.UTC).replace(tzinfo=None)
                record_a, record_b = (
                    f"{row[f'agency_{s}']}.{row[f'feed_{s}']}:{row[f'source_person_id_{s}']}" for s in "ab"
                )
                decisions.append((row["kind"], record_a, record_b, row["reason"], row["author"], decided_at))
        known = {(d["kind"], d["record_id_a"], d["record_id_b"], d["decided_at"]) for d in self.all()}
        new = [d for d in decisions if (d[0], min(d[1], d[2]), max(d[1], d[2]), d[5]) not in known]
        for decision in new:
            self.add(*decision)
        return len(new)

    def _seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def _open(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise DecisionError(
                "the decisions store does not open with this key; check TESSERA_KEY_DECISIONS or the key file"
            ) from None
