"""Gives clusters an identifier that lasts, and keeps the ledger of every creation, merge, split and retirement.

What lives here: inheritance of person_id by the largest overlap, and writing person, link, identity_change, potential_match and
household in one transaction. What must not: deciding who belongs together (link.py). Nothing depends on the order of rows; the same
clusters a second time change nothing; a night that is killed and run again issues the same identifiers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb
import pandas as pd

from linkage.households import fill_households
from linkage.model import LinkageSettings
from linkage.prepare import sql_steps
from warehouse.quoting import literal

# Base 32, two letters at a time: base64.b32encode takes longer than the digest, and a first load issues an identifier to everybody.
_LETTERS = [one + other for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"]


@dataclass
class IdentityReport:
    """Counts of one night's identity changes."""

    load_id: str
    persons: int = 0
    created: int = 0
    merged: int = 0
    split: int = 0
    retired: int = 0
    links_written: int = 0
    potential_matches: int = 0
    households: int = 0


def opaque_id(prefix: str, secret: bytes, *parts: str) -> str:
    """An identifier that tells nothing and comes out the same again: 60 bits of an HMAC."""
    digest = hmac.digest(secret, "\x1f".join(parts).encode(), hashlib.sha256)
    bits = int.from_bytes(digest[:8]) >> 4
    return prefix + "".join([_LETTERS[bits >> place & 1023] for place in (50, 40, 30, 20, 10, 0)])


def new_ids(prefix: str, secret: bytes, load_id: str, founders: Iterable[str], taken: set[str]) -> list[str]:
    """One identifier per founder. A founder set apart twice within one load gets another one the second time."""
    issued = []
    for founder in founders:
        turn = 1
        identifier = opaque_id(prefix, secret, founder, load_id)
        while identifier in taken:
            turn += 1
            identifier = opaque_id(prefix, secret, founder, load_id, str(turn))
        taken.add(identifier)
        issued.append(identifier)
    return issued


def identify(
    con: duckdb.DuckDBPyConnection,
    *,
    load_id: str,
    now: datetime,
    secret: bytes,
    today: date | None = None,
    settings: LinkageSettings | None = None,
) -> IdentityReport:
    """Applies linkage_cluster and linkage_question to the identity tables, in one transaction."""
    settings = settings or LinkageSettings()
    report = IdentityReport(load_id=load_id)
    if now.tzinfo is not None:  # the warehouse keeps UTC without offset
        now = now.astimezone(UTC).replace(tzinfo=None)
    con.execute("BEGIN")
    try:
        _play(con)
        _run(con, "identity.sql", {})
        _assign(con, load_id, secret)
        _run(con, "ledger.sql", {"load_id": literal(load_id), "now": f"TIMESTAMP '{now:%Y-%m-%d %H:%M:%S.%f}'"})
        _balance(con)
        report.households = fill_households(
            con, load_id=load_id, today=today or now.date(), secret=secret, settings=settings
        )
        changes = dict(con.execute("SELECT change, count(*) FROM t_change GROUP BY change").fetchall())
        report.created, report.merged = changes.get("created", 0), changes.get("merged", 0)
        report.split, report.retired = changes.get("split", 0), changes.get("retired", 0)
        (report.links_written,) = con.execute("SELECT count(*) FROM t_new_link").fetchone() or (0,)
        (report.persons,) = con.execute("SELECT count(*) FROM person WHERE retired_load_id IS NULL").fetchone() or (0,)
        (report.potential_matches,) = con.execute("SELECT count(*) FROM potential_match").fetchone() or (0,)
        for table in (
            "play",
            "cluster",
            "now",
            "overlap",
            "settled",
            "claims",
            "inherited",
            "fresh",
            "person",
            "next",
            "retired",
            "left_behind",
            "moved",
            "change",
            "new_link",
        ):
            con.execute(f"DROP TABLE IF EXISTS temp.t_{table}")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return report


def _play(con: duckdb.DuckDBPyConnection) -> None:
    """t_play: records whose cluster was decided since identities were last given, and who shares a person or a cluster with them."""
    con.execute("ALTER TABLE linkage_cluster ADD COLUMN IF NOT EXISTS applied BOOLEAN")  # made by an earlier version
    con.execute("CREATE OR REPLACE TEMP TABLE t_play AS SELECT record_id FROM linkage_cluster WHERE applied IS NULL")
    (more,) = con.execute("SELECT count(applied) > 0 FROM linkage_cluster").fetchone() or (True,)
    while more:
        added = con.execute("""
            INSERT INTO t_play
            SELECT record_id FROM (
                SELECT record_id FROM link SEMI JOIN (
                    SELECT person_id FROM link SEMI JOIN t_play USING (record_id) WHERE unlinked_at IS NULL) USING (person_id)
                WHERE unlinked_at IS NULL
                UNION SELECT record_id FROM linkage_cluster SEMI JOIN (
                    SELECT cluster_id FROM linkage_cluster SEMI JOIN t_play USING (record_id)) USING (cluster_id))
            ANTI JOIN t_play USING (record_id)
        """).fetchone()
        more = bool(added and added[0])


def _balance(con: duckdb.DuckDBPyConnection) -> None:
    """Every current record has exactly one current link, or the night fails."""
    unlinked, doubled = con.execute(
        "SELECT (SELECT count(*) FROM linkage_cluster ANTI JOIN (SELECT record_id FROM link WHERE unlinked_at IS NULL) USING (record_id)),"
        " (SELECT count(*) - count(DISTINCT record_id) FROM link WHERE unlinked_at IS NULL)"
    ).fetchone() or (0, 0)
    if unlinked or doubled:
        raise RuntimeError(
            f"identity does not add up: {unlinked} record(s) without a link, {doubled} with more than one"
        )


def _run(con: duckdb.DuckDBPyConnection, file: str, places: dict[str, str]) -> None:
    for _name, sql in sql_steps(file):
        for place, value in places.items():
            sql = sql.replace("{" + place + "}", value)
        con.execute(sql)


def _assign(con: duckdb.DuckDBPyConnection, load_id: str, secret: bytes) -> None:
    """t_person: the person of each cluster. Contested ones go to the best claim; who inherits nothing is new."""
    inherited: dict[str, str] = {}
    given: set[str] = set()
    for cluster, person in con.execute("SELECT cluster_id, person_id FROM t_claims").fetchall():
        if cluster not in inherited and person not in given:
            inherited[cluster] = person
            given.add(person)
    # One bulk insert per table and transaction: DuckDB 1.5.5 loses the rows of a large insert that follows an empty one (or an empty
    # CREATE TABLE AS) into the same table within one transaction. tests/unit/test_identity.py and _balance() hold us to it.
    _put(con, "t_inherited", list(inherited), list(inherited.values()))
    # The cluster's name is its first record: the founder.
    founders = [
        row[0]
        for row in con.execute(
            "SELECT DISTINCT cluster_id FROM t_cluster ANTI JOIN t_settled USING (cluster_id)"
            " ANTI JOIN t_inherited USING (cluster_id) ORDER BY cluster_id"
        ).fetchall()
    ]
    taken = {
        row[0] for row in con.execute("SELECT person_id FROM person WHERE created_load_id = ?", [load_id]).fetchall()
    }
    _put(con, "t_fresh", founders, new_ids("P", secret, load_id, founders, taken))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE t_person AS SELECT cluster_id, person_id, false AS fresh FROM t_settled"
        " UNION ALL SELECT cluster_id, person_id, false FROM t_inherited UNION ALL SELECT cluster_id, person_id, true FROM t_fresh"
    )


def _put(con: duckdb.DuckDBPyConnection, table: str, clusters: list[str], persons: list[str]) -> None:
    con.register("t_arriving", pd.DataFrame({"cluster_id": clusters, "person_id": persons}, dtype="str"))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT cluster_id, person_id FROM t_arriving")
    con.unregister("t_arriving")
