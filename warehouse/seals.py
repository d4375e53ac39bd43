"""Keeps the two sides of a seal apart in everything that is shown: marts, explanations, histories, review.

What lives here: the tables `shown_…` that stand for `link`, `person`, `identity_change`, `potential_match`, `household` and `relationship`
wherever somebody reads. What must not: keeping a seal in the core or in a mart. It comes from the decisions store each time, and goes with
the connection's temporary tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

_SQL = Path(__file__).with_name("sql") / "seals"

# Each may read those before it. The rest are views: where nothing is sealed they cost next to nothing.
_TABLES = ("sealed_person", "side_held", "side_of", "hidden_link", "hidden_tie")
_VIEWS = (
    "shown_link",
    "shown_person",
    "shown_identity_change",
    "shown_potential_match",
    "shown_household",
    "shown_relationship",
    "ranked_potential_match",
)


def hide_sealed(con: duckdb.DuckDBPyConnection, sealed: Iterable[tuple[str, str]]) -> None:
    """Makes the tables `shown_…` on this connection. `sealed`: pairs of records, those they were re-keyed to included."""
    con.execute("CREATE OR REPLACE TEMP TABLE sealed_record (record_a VARCHAR, record_b VARCHAR)")
    pairs = [list(pair) for pair in sealed]
    if pairs:
        con.executemany("INSERT INTO sealed_record VALUES (?, ?)", pairs)
    for name in (*_TABLES, *_VIEWS):
        kind = "TABLE" if name in _TABLES else "VIEW"
        con.execute(f"CREATE OR REPLACE TEMP {kind} {name} AS {(_SQL / f'{name}.sql').read_text(encoding='utf-8')}")
