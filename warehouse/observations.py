"""What professionals without a system wrote in the console: kept in the decisions store until a night takes it, and after it.

Append-only, encrypted, stamped, written before the writer is thanked. What lives here: taking an observation and giving it as a
delivery. What must not: which columns it has and what they mean (the feed's contract), and whether it is right (the feed's standards).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store


@dataclass(frozen=True)
class Delivery:
    """One observation as a file of its feed: name, bytes, when it was written (UTC)."""

    name: str
    content: bytes
    written_at: dt.datetime


class Observations:
    """The observations of one deployment."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._cipher = Cipher(key)
        self.journal = Journal(
            store,
            "observation",
            "observation_id",
            sa.Column("feed", sa.String(120), nullable=False),
            sa.Column("said", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("at", sa.DateTime, nullable=False),
            cipher=lambda _: self._cipher,
        )

    def take(self, feed: str, said: Mapping[str, str], *, author: str, at: dt.datetime) -> str:
        """Keeps one observation, its columns as the feed's contract has them; returns its reference, which nobody can guess."""
        reference = secrets.token_hex(8)
        row = json.dumps(
            {"reference": reference, **said}, ensure_ascii=False
        )  # as it is, so that an erasure finds names
        self.journal.append(
            [{"feed": feed, "said": self._cipher.seal(row), "author": self._cipher.seal(author), "at": at}]
        )
        return reference

    def all(self) -> list[dict[str, Any]]:
        """Every observation, oldest first: feed, said, author, at."""
        return self.journal.read(
            lambda row: {
                "feed": row.feed,
                "said": json.loads(self._cipher.open(row.said)),
                "author": self._cipher.open(row.author),
                "at": row.at,
            }
        )

    def deliveries(self, feed: str, known: Collection[str]) -> list[Delivery]:
        """Observations of a feed as one CSV each, but for those whose file is known already."""
        found = []
        for entry in self.all():
            name = f"{entry['said']['reference']}.csv"
            if entry["feed"] == feed and name not in known:
                text = io.StringIO(newline="")
                writer = csv.writer(text, quoting=csv.QUOTE_ALL)
                writer.writerows([entry["said"].keys(), entry["said"].values()])
                found.append(Delivery(name, text.getvalue().encode(), entry["at"]))
        return found
