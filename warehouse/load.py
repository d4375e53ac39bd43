"""Load: what changed units now say replaces what they said, in one transaction per feed. Nothing is overwritten.

A row that says the same as before stays the current version. A row that differs closes the earlier version and opens a
new one. What an agency retracted stays, with when and why.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from warehouse.quoting import quoted
from warehouse.schema import COMMON_MODEL, LINEAGE, RETRACTION, Relation

# What distinguishes two versions: all a row says, but not when and from which raw row we learnt it.
_NOT_CONTENT = {field.name for field in LINEAGE} - {"valid_from", "valid_to", "recorded_at", "source_key"}
_RETRACTION = {field.name for field in RETRACTION}


@dataclass(frozen=True)
class Loaded:
    """How many common-model rows of a feed were opened, closed and retracted."""

    opened: int
    closed: int
    retracted: int


def load(con: duckdb.DuckDBPyConnection, agency: str, feed: str, load_id: str, now: dt.datetime) -> Loaded:
    """Takes a feed's staged rows into the common model. Runs within the caller's transaction."""
    prefix, opened, closed, retracted = f"{agency}_{feed}", 0, 0, 0
    changed = con.execute(f'SELECT 1 FROM staged."{prefix}_units" LIMIT 1').fetchone() is not None
    for relation in COMMON_MODEL.values() if changed else ():
        counts = _replace_units(con, relation, prefix, agency, feed, load_id, now)
        opened, closed, retracted = opened + counts[0], closed + counts[1], retracted + counts[2]
    _name_everyone(con, agency, feed, load_id, now)
    for name in ("units", *COMMON_MODEL):
        con.execute(f'DROP TABLE IF EXISTS staged."{prefix}_{name}"')
    return Loaded(opened, closed, retracted)


def _replace_units(
    con: duckdb.DuckDBPyConnection,
    relation: Relation,
    prefix: str,
    agency: str,
    feed: str,
    load_id: str,
    now: dt.datetime,
) -> tuple[int, int, int]:
    """What the units say of one table takes the place of what they said; returns how many rows were opened, closed and retracted."""
    content = [name for name in relation.names() if name not in _NOT_CONTENT and name not in _RETRACTION]
    of_feed = {"agency": agency, "feed": feed}
    staged, standing = con.execute(
        f'SELECT EXISTS (FROM staged."{prefix}_{relation.name}"), '
        f'EXISTS (FROM "{relation.name}" WHERE agency = $agency AND feed = $feed AND superseded_at IS NULL)',
        of_feed,
    ).fetchall()[0]
    if not staged and not standing:
        return 0, 0, 0
    con.execute(
        # A statement made twice in one unit is one statement.
        f"CREATE OR REPLACE TEMP TABLE saying AS SELECT DISTINCT ON (said) * FROM "
        f'(SELECT *, {_said(content)} AS said FROM staged."{prefix}_{relation.name}") ORDER BY said, raw_row_id'
    )
    closed, retracted, unsaid = 0, 0, ""
    if standing:
        closed, retracted = _close(con, relation, prefix, content, of_feed, load_id, now)
        unsaid = "WHERE said NOT IN (SELECT said FROM temp.standing WHERE NOT retracted AND NOT already_retracted)"
    opened = con.execute(
        f'INSERT INTO "{relation.name}" BY NAME SELECT * EXCLUDE (said), $agency AS agency, $feed AS feed, '
        f"$load_id AS load_id, $now::TIMESTAMP AS loaded_at FROM temp.saying {unsaid}",
        {**of_feed, "load_id": load_id, "now": now},
    ).fetchall()[0][0]
    return opened, closed, retracted


def _close(
    con: duckdb.DuckDBPyConnection,
    relation: Relation,
    prefix: str,
    content: list[str],
    of_feed: dict[str, str],
    load_id: str,
    now: dt.datetime,
) -> tuple[int, int]:
    """Closes what the units said and temp.saying does not; returns how many rows that were, and how many were retracted.

    temp.standing is what they said.
    """
    retractable = _retractable(relation)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE standing AS
        SELECT t.rowid AS row_id, t.source_key, {_said(content, "t.")} AS said, u.retracted, u.reason,
               {"t.retracted_at IS NOT NULL" if retractable else "false"} AS already_retracted
        FROM "{relation.name}" t JOIN staged."{prefix}_units" u ON u.source_key = t.source_key
        WHERE t.agency = $agency AND t.feed = $feed AND t.superseded_at IS NULL
        """,
        of_feed,
    )
    retracted = 0
    if retractable:
        changed = {
            "load_id": "$load_id::VARCHAR",
            "loaded_at": "$now::TIMESTAMP",
            "retracted_at": "$now::TIMESTAMP",
            "retract_reason": "s.reason",
        }
        values = ", ".join(changed.get(name, f"t.{quoted(name)}") for name in relation.names())
        con.execute(
            f'CREATE OR REPLACE TEMP TABLE withdrawing AS SELECT {values} FROM "{relation.name}" t '
            "JOIN temp.standing s ON s.row_id = t.rowid WHERE s.retracted AND NOT s.already_retracted",
            {"load_id": load_id, "now": now},
        )
        retracted = con.execute("SELECT count(*) FROM temp.withdrawing").fetchall()[0][0]
    closing = (
        "SELECT row_id FROM temp.standing s WHERE "
        + ("NOT (s.retracted AND s.already_retracted) AND " if retractable else "")
        + "(s.retracted OR s.already_retracted OR s.said NOT IN (SELECT said FROM temp.saying))"
    )
    closed = con.execute(
        f'UPDATE "{relation.name}" SET superseded_at = $now WHERE rowid IN ({closing})', {"now": now}
    ).fetchall()[0][0]
    if retracted:
        columns = ", ".join(quoted(name) for name in relation.names())
        con.execute(f'INSERT INTO "{relation.name}" ({columns}) SELECT * FROM temp.withdrawing')
    return closed, retracted


def _name_everyone(con: duckdb.DuckDBPyConnection, agency: str, feed: str, load_id: str, now: dt.datetime) -> None:
    """A record for everyone of whom something is said but who is not described: nobody drops out for want of a name.

    It gives way to a description as soon as one arrives.
    """
    speaking = " UNION ".join(
        f'SELECT record_id, any_value(raw_row_id) AS raw_row_id, max(extracted_at) AS extracted_at FROM "{name}" '
        "WHERE agency = $agency AND feed = $feed AND superseded_at IS NULL GROUP BY record_id"
        for name in COMMON_MODEL
        if name != "person_record"
    )
    parameters = {"agency": agency, "feed": feed}
    con.execute(
        f"""
        INSERT INTO person_record BY NAME
        SELECT record_id, substr(record_id, length($agency || '.' || $feed || ':') + 1) AS source_person_id, 'unknown' AS role,
               ['not_described'] AS flags, $agency AS agency, $feed AS feed, 'not_described/' || record_id AS source_key,
               $load_id AS load_id, max(extracted_at) AS extracted_at, $now AS loaded_at, min(raw_row_id) AS raw_row_id
        FROM ({speaking})
        WHERE record_id NOT IN (
            SELECT record_id FROM person_record WHERE agency = $agency AND feed = $feed AND superseded_at IS NULL
        )
        GROUP BY record_id
        """,
        {**parameters, "load_id": load_id, "now": now},
    )
    con.execute(
        """
        UPDATE person_record SET superseded_at = $now
        WHERE agency = $agency AND feed = $feed AND superseded_at IS NULL AND source_key LIKE 'not_described/%'
          AND record_id IN (
              SELECT record_id FROM person_record
              WHERE agency = $agency AND feed = $feed AND superseded_at IS NULL AND source_key NOT LIKE 'not_described/%'
          )
        """,
        {**parameters, "now": now},
    )


def _said(content: list[str], alias: str = "") -> str:
    """A fingerprint of what a row says."""
    texts = ", ".join(rf"coalesce({alias}{quoted(name)}::VARCHAR, E'\x1E')" for name in content)
    return rf"md5(concat_ws(E'\x1F', {texts}))"


def _retractable(relation: Relation) -> bool:
    return "retracted_at" in relation.names()
