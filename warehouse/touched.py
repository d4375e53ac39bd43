"""What a night may have changed in the marts, so that what it did not change need not be made anew.

A publication may begin as a copy of the last one, its base. What lives here: whether there is a base that can be relied on, what the core
remembers of it, who is touched since, and the core narrowed to them. What must not: files (publish.py), and what a view means (sql/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.access import Policy
from warehouse.keys import Keys
from warehouse.schema import COMMON_MODEL

# What the core keeps of the base. Nothing else reads it, and whoever takes something out of the core drops it (`forgotten` in erase.py).
REMEMBERED = frozenset({"marts_base", "marts_base_protected"})

_SQL = Path(__file__).with_name("sql") / "touched"
_CODE = Path(__file__).parent

# Where somebody's rows lie among those of everybody; smaller tables are read as they are.
_NARROWED = tuple(name for name in COMMON_MODEL if name != "relationship")

# Of all records. Where more changed, as attendance does on every school day, replacing a view's rows saves little over making it whole, and
# as much of the file would be room that they no longer take.
_AT_MOST = 0.3


def made_by(keys: Keys, policy: Policy, sealed: Iterable[tuple[str, str]]) -> str:
    """One word for all that a mart comes from beside the core's rows: where it is another, every row may be. It tells nothing else."""
    digest = hashlib.sha256(duckdb.__version__.encode())
    for path in sorted((*_CODE.glob("*.py"), *_CODE.glob("*.yaml"), *_CODE.glob("*.csv"), *_CODE.rglob("*.sql"))):
        digest.update(path.read_bytes())
    for role in sorted(policy.roles):
        digest.update(f"\0{role}\0{keys.text(role)}\0{keys.pseudonym_salt(role)}".encode())
    digest.update(repr(sorted(sealed)).encode())
    return digest.hexdigest()


def why_whole(con: duckdb.DuckDBPyConnection, made_by: str, served: str, load_id: str) -> str:
    """Why nothing can be taken over from what is served; empty if it can.

    `served`: what the pointer says of it, files' digests included. The core may have been put back, or the marts: they must be of one time.
    """
    if not _remembers(con):
        return "the core remembers no publication before"
    base = con.execute("SELECT served, made_by, newest, date, load_seq, past FROM marts_base").fetchone()
    if base is None or base[0] != served:
        return "what is served is not what was last published from this core"
    _, by, newest, date, load_seq, past = base
    if by != made_by:
        return "the code, the policy, a key or a seal is another"
    night = con.execute("SELECT load_seq, date FROM night WHERE load_id = ?", [load_id]).fetchone()
    if night is None or night[0] <= load_seq or night[1] < date:
        return "this load is not later than what is served"
    # All that a load writes has the time at which its night began: what is newer than the base is what came since.
    began = con.execute("SELECT min(started_at) FROM night WHERE load_seq > ?", [load_seq]).fetchall()[0][0]
    if began is None or began <= newest:
        return "the clock does not tell what came since"
    if _past(con, newest) != past:
        return "what was published is no longer all in the core"
    return ""


def remember(con: duckdb.DuckDBPyConnection, made_by: str, served: str) -> None:
    """Keeps what the next publication needs to begin from this one. Needs published_night, protected_record and protected_person."""
    times = [f'SELECT max(greatest({", ".join(names)})) AS time FROM "{table}"' for table, names in _times().items()]
    newest = con.execute(f"SELECT max(time) FROM ({' UNION ALL '.join(times)})").fetchall()[0][0]
    con.execute("BEGIN")
    con.execute(
        "CREATE OR REPLACE TABLE core.marts_base AS SELECT ? AS served, ? AS made_by, coalesce(?, TIMESTAMP '-infinity') AS newest, "
        "date, load_seq, ? AS past FROM published_night",
        [served, made_by, newest, _past(con, newest)],
    )
    con.execute(
        "CREATE OR REPLACE TABLE core.marts_base_protected AS SELECT 'record' AS kind, record_id AS id FROM protected_record "
        "UNION SELECT 'person', person_id FROM protected_person"
    )
    con.execute("COMMIT")


def find(con: duckdb.DuckDBPyConnection, reads: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Makes touched_record and touched_person, by view; returns the views of which they are few enough to replace their rows alone.

    `reads`: the tables that each view reads. Needs shown_otherwise(view_name, record_id): whose values a view shows or leaves out as it did
    not before, because of how many share them; and what publish() works out of everybody.
    """
    con.execute("CREATE TEMP TABLE view_reads (view_name VARCHAR, because VARCHAR)")
    for view, tables in reads.items():
        con.execute("INSERT INTO view_reads SELECT ?, unnest(?)", [view, [*set(tables), view, "all"]])
    for name in ("changed_record", "changed_in"):
        con.execute(f"CREATE TEMP TABLE {name} AS {_sql(name)}")
    many = con.execute(
        "SELECT view_name FROM changed_in GROUP BY view_name HAVING count(*) > ? * (SELECT count(DISTINCT record_id) FROM link)",
        [_AT_MOST],
    ).fetchall()
    left = frozenset(reads) - {view for (view,) in many}
    con.execute("DELETE FROM changed_in WHERE view_name NOT IN (SELECT unnest(?::VARCHAR[]))", [sorted(left)])
    for name in ("touched_person", "touched_record"):
        con.execute(f"CREATE TEMP TABLE {name} AS {_sql(name)}")
    return left


@contextmanager
def narrowed(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within it, the common model holds the rows of touched records alone, whatever SQL reads it on this connection."""
    for table in _NARROWED:
        # Events are known by their place in the core, here too. An undated event has its place in the chronology from the first row of its
        # event_id, whosever record that came with.
        place, or_undated = "", ""
        if table == "event":
            place = "rowid AS rowid, "
            or_undated = (
                "OR (occurred_from IS NULL AND recorded_at IS NULL AND event_id IN (SELECT event_id FROM core.event "
                "WHERE occurred_from IS NULL AND recorded_at IS NULL AND record_id IN (SELECT record_id FROM touched_record)))"
            )
        con.execute(
            f'CREATE TEMP TABLE "{table}" AS SELECT {place}* FROM core."{table}" '
            f"WHERE record_id IN (SELECT record_id FROM touched_record) {or_undated}"
        )
    try:
        yield
    finally:
        for table in _NARROWED:
            con.execute(f'DROP TABLE IF EXISTS temp."{table}"')


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def _remembers(con: duckdb.DuckDBPyConnection) -> bool:
    found = con.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'core' AND schema_name = 'main' AND table_name IN (SELECT unnest(?))",
        [list(REMEMBERED)],
    ).fetchall()
    return bool(found[0][0] == len(REMEMBERED))


def _times() -> Mapping[str, tuple[str, str]]:
    """When a row of each table came to be known, and ceased to be."""
    return {**dict.fromkeys(COMMON_MODEL, ("loaded_at", "superseded_at")), "link": ("linked_at", "unlinked_at")}


def _past(con: duckdb.DuckDBPyConnection, newest: object) -> str:
    """How many rows had come, and how many of them had been closed, up to then. A night adds to neither; who takes rows out does."""
    counts = " UNION ALL ".join(
        f'SELECT count(*) FILTER (WHERE ({came} > $newest) IS NOT TRUE), count(*) FILTER (WHERE {went} <= $newest) FROM "{table}"'
        for table, (came, went) in _times().items()
    )
    return repr(con.execute(counts, {"newest": newest}).fetchall())
