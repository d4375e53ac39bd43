"""Random samples of pairs that people decide blind, by which the links are measured. Kept outside the warehouse, append-only.

What lives here: keeping what was drawn, from which stratum of how many pairs. What must not: the answers, which are decisions like any
other (decisions.py), and what follows from them (linkage).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Protocol

import duckdb
import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store


class Pair(Protocol):
    """What is kept of a pair that was drawn."""

    @property
    def record_id_a(self) -> str: ...
    @property
    def record_id_b(self) -> str: ...
    @property
    def stratum(self) -> str: ...
    @property
    def pairs(self) -> int: ...


class ClericalSamples:
    """The samples of one deployment. Records and strata are encrypted: a stratum says what the machine holds of a pair."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "clerical_pair",
            "pair_id",
            sa.Column("sample", sa.Integer, nullable=False),
            sa.Column("load_id", sa.String(40), nullable=False),
            sa.Column("drawn_at", sa.DateTime, nullable=False),
            sa.Column("record_a", sa.LargeBinary, nullable=False),
            sa.Column("record_b", sa.LargeBinary, nullable=False),
            sa.Column("stratum", sa.LargeBinary, nullable=False),
            sa.Column("pairs", sa.Integer, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def newest(self) -> int:
        """The number of the sample drawn last; 0 where there is none."""
        with self._store.engine().connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(self._table.c.sample))).scalar() or 0)

    def add(self, drawn: Iterable[Pair], *, load_id: str, drawn_at: dt.datetime) -> int:
        """Keeps a sample of that load's links, in the order in which it is asked; returns its number."""
        sample = self.newest() + 1
        rows = [
            {
                "sample": sample,
                "load_id": load_id,
                "drawn_at": drawn_at,
                "record_a": self._cipher.seal(pair.record_id_a),
                "record_b": self._cipher.seal(pair.record_id_b),
                "stratum": self._cipher.seal(pair.stratum),
                "pairs": pair.pairs,
            }
            for pair in drawn
        ]
        self.journal.append(rows)
        return sample

    def of(self, sample: int) -> list[dict[str, Any]]:
        """The pairs of a sample in the order in which they are asked: record_id_a, record_id_b, stratum, pairs, load_id, drawn_at."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(
                sa.select(self._table).where(self._table.c.sample == sample).order_by(self._table.c.pair_id)
            ).all()
        return [
            {
                "sample": row.sample,
                "load_id": row.load_id,
                "drawn_at": row.drawn_at,
                "record_id_a": self._cipher.open(row.record_a),
                "record_id_b": self._cipher.open(row.record_b),
                "stratum": self._cipher.open(row.stratum),
                "pairs": row.pairs,
            }
            for row in rows
        ]


def make_table(con: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str]]) -> None:
    """Writes the pairs that still wait for an answer into the temporary table asked_pair, without what the machine holds of them."""
    con.execute("CREATE OR REPLACE TEMP TABLE asked_pair (record_id_a VARCHAR, record_id_b VARCHAR)")
    rows = [list(pair) for pair in pairs]
    if rows:
        con.executemany("INSERT INTO temp.asked_pair VALUES (?, ?)", rows)
