"""What a linked load leaves for the next one, so that a night decides again only what its changes can reach.

What lives here: the tables of the last linked load, what they rest on, which records read differently since, and how far that reaches.
What must not: scoring, rules and clustering (link.py), which are the same for a full run. docs/decisions/0012 says why nothing else can
change. Record numbers (`number`) are given once and stay; `rid` is tonight's order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from linkage.components import Numbers, components
from linkage.model import LinkageSettings, Model
from linkage.prepare import fill_frequencies
from linkage.reached import Reached, common_rows

BASIS = {
    "model": "the model or a threshold changed",
    "settings": "a setting of linkage changed",
    "code": "the code of linkage changed",
    "engine": "the version of Splink or DuckDB changed",
    "prior": "the number of records passed a power of two, by which every score is weighed",
}


def _tables(model: Model) -> dict[str, str]:
    codes = ", ".join(f"code_{comparison.name} TINYINT" for comparison in model.comparisons)
    return {
        "linkage_basis": "part VARCHAR, value VARCHAR",
        "linkage_seen": "number BIGINT, record_id VARCHAR, content UBIGINT, reading UBIGINT, numbers UBIGINT[]",
        "linkage_known": "number BIGINT, agency VARCHAR, feed VARCHAR, attached BOOLEAN, given VARCHAR, family VARCHAR, birth DATE,"
        " precision INTEGER, postcodes VARCHAR[], numbered BOOLEAN, linkable BOOLEAN, given_shown VARCHAR, family_shown VARCHAR,"
        " dated BOOLEAN, adult BOOLEAN, unborn BOOLEAN, due_from DATE, due_to DATE, due_tokens VARCHAR[]",
        "linkage_key": "number BIGINT, rule UTINYINT, key UBIGINT",
        "linkage_common": "kind VARCHAR, value VARCHAR, worth DOUBLE, code UBIGINT",
        "linkage_judged": "a BIGINT, b BIGINT, rule VARCHAR, tier INTEGER, bits DOUBLE, claim DOUBLE, likelihood DOUBLE,"
        f" cross_agency BOOLEAN, nhs_same BOOLEAN, by_second BOOLEAN, {codes}, set_aside BOOLEAN",
        "linkage_disputed": "space VARCHAR, value UBIGINT",
        "linkage_full_key": "rule UTINYINT, key UBIGINT, records BIGINT",
        "linkage_decided": "kind VARCHAR, record_id_a VARCHAR, record_id_b VARCHAR, author VARCHAR",
        "linkage_crowd": "number BIGINT",
    }


@cache
def _code() -> str:
    """One word for everything in this folder that decides; what is read at run time counts as code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".sql", ".toml", ".csv"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _basis(settings: LinkageSettings, records: int) -> dict[str, str]:
    said = asdict(settings)
    model = said.pop("model")
    said.pop("spark")  # the scores are the same wherever they are worked out
    return {
        "model": hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest(),
        "settings": hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest(),
        "code": _code(),
        "engine": f"splink {version('splink')}, duckdb {duckdb.__version__}",
        "prior": repr(settings.model.prior(records)),
    }


REMEMBERED = frozenset(
    f"linkage_{name}"
    for name in ("basis", "seen", "known", "key", "common", "judged", "disputed", "full_key", "decided", "crowd")
)


class BeyondReachError(Exception):
    """A record changed that was not foreseen to: says how many, for the load's log. All records are read then."""


class Memory:
    """The last linked load as tonight's run finds it, and what tonight's leaves. `why` says why a run is full; empty when it is not."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        cursor: duckdb.DuckDBPyConnection,
        settings: LinkageSettings,
        today: date,
        records: int,
        because: str = "",
    ) -> None:
        self._settings, self._cursor, self._today = settings, cursor, today
        # How many records the scratch tables hold; not all of them, where only a part is read.
        self._records = records
        self._basis = _basis(settings, records)
        database, schema = con.execute("SELECT current_database(), current_schema()").fetchone() or ("", "")
        self._here = f'"{database}"."{schema}"'
        self._tables = _tables(settings.model)
        self.why = because or self._why(database, schema)
        if not self.why:
            for name in self._tables:
                cursor.execute(f"CREATE VIEW {_kept(name)} AS SELECT * FROM {self._here}.{name}")
            (before,) = cursor.execute("SELECT value FROM kept_basis WHERE part = 'today'").fetchone() or ("",)
            self.why = Reached(cursor, settings, today, date.fromisoformat(before), records).why
        if self.why:
            for name, columns in self._tables.items():
                cursor.execute(f"DROP VIEW IF EXISTS {_kept(name)} CASCADE")
                cursor.execute(f"CREATE TABLE {_kept(name)} ({columns})")

    def take_stock(self) -> None:
        """After reading: `place`, `reading`, `dirty`: the records that read differently from last time; `departed`: those that no source
        sends any more; `crowded`: the numbers on too many records."""
        cursor = self._cursor
        crowded = f"""
            SELECT any_value(space) AS space, value, count(DISTINCT rid) AS holders FROM number_claim GROUP BY value
            HAVING count(DISTINCT rid) > {self._settings.max_holders}
        """
        self._number()
        if self.why:
            cursor.execute(f"CREATE TABLE crowded AS {crowded}")
            _read(cursor, self._settings.model, common=False)
            cursor.execute("CREATE VIEW dirty AS SELECT rid FROM record")
            cursor.execute("CREATE OR REPLACE TABLE departed (number BIGINT, record_id VARCHAR, numbers UBIGINT[])")
            return
        cursor.execute(f"""
            CREATE TABLE crowded AS
            SELECT substr(kind, 9) AS space, code AS value, coalesce(t.after, worth)::BIGINT AS holders FROM kept_common
            JOIN crowded_elsewhere ON crowded_elsewhere.value = code
            LEFT JOIN touched_key t ON t.rule = 252 AND t.key = code WHERE kind LIKE 'crowded %'
            UNION ALL SELECT * FROM ({crowded}) WHERE value NOT IN (SELECT value FROM crowded_elsewhere)
        """)
        (self._records,) = cursor.execute("SELECT count(*) FROM record").fetchone() or (0,)
        # Those that were read only for the sake of others are not themselves read right.
        cursor.execute("CREATE TABLE beside_rid AS SELECT rid FROM place ANTI JOIN within USING (number)")
        for table in ("linkable", "number"):
            cursor.execute(f"DELETE FROM {table} WHERE rid IN (SELECT rid FROM beside_rid)")
        _read(cursor, self._settings.model, common=True)
        cursor.execute("DELETE FROM reading WHERE rid IN (SELECT rid FROM beside_rid)")
        cursor.execute("""
            CREATE TABLE dirty AS SELECT rid FROM reading JOIN place USING (rid) LEFT JOIN kept_seen k USING (number)
            WHERE k.reading IS DISTINCT FROM reading.reading
        """)
        cursor.execute("""
            CREATE TABLE full_elsewhere AS
            SELECT rule, key, coalesce(t.after, k.records)::BIGINT AS records FROM stay_full JOIN kept_full_key k USING (rule, key)
            LEFT JOIN touched_key t USING (rule, key)
        """)

    def hold_to_reach(self) -> None:
        """Where a part of the records is read, nothing may change beyond what was foreseen."""
        if self.why:
            return
        (beyond,) = self._cursor.execute(
            "SELECT count(*) FROM dirty JOIN place USING (rid) ANTI JOIN may USING (number)"
        ).fetchone() or (0,)
        if beyond:
            raise BeyondReachError(f"{beyond} records read differently that nothing was seen to reach")

    def _why(self, database: str, schema: str) -> str:
        there = {
            row[0]
            for row in self._cursor.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?", [database, schema]
            ).fetchall()
        }
        if not {*self._tables, "linkage_cluster", "linkage_question"} <= there:
            return "no linked load before it is remembered"
        before = dict(self._cursor.execute(f"SELECT part, value FROM {self._here}.linkage_basis").fetchall())
        for part, words in BASIS.items():
            if before.get(part) != self._basis[part]:
                return words
        (whole,) = self._cursor.execute(
            f"SELECT (SELECT count(*) FROM {self._here}.linkage_seen) = (SELECT count(*) FROM {self._here}.linkage_cluster)"
        ).fetchone() or (False,)
        return "" if whole else "what the last linked load left is not whole"

    def _number(self) -> None:
        """`place`: the lasting number of each record."""
        self._cursor.execute("""
            CREATE TABLE place AS
            SELECT rid, record_id, coalesce(k.number, (SELECT coalesce(max(number), -1) FROM kept_seen)
                   + row_number() OVER (PARTITION BY k.number IS NULL ORDER BY rid)) AS number
            FROM record LEFT JOIN kept_seen k USING (record_id)
        """)

    # --- which pairs are compared again --------------------------------------------------------------------------------------------

    def reach_numbers(self) -> None:
        """`reopened`: the numbers that a changed record holds or held. Who holds one is compared again: whether a number is
        disputed is decided over all its holders together."""
        national = "SELECT rid, value FROM number WHERE kind = 'national'"
        if self.why:
            self._cursor.execute(f"CREATE OR REPLACE TABLE reopened AS SELECT DISTINCT value FROM ({national})")
            return
        self._cursor.execute(f"""
            CREATE OR REPLACE TABLE reopened AS
            SELECT value FROM ({national}) SEMI JOIN dirty USING (rid)
            UNION SELECT unnest(k.numbers) FROM kept_seen k JOIN place USING (number) SEMI JOIN dirty USING (rid)
            UNION SELECT unnest(numbers) FROM departed
        """)
        self._cursor.execute(
            f"INSERT INTO dirty SELECT DISTINCT rid FROM ({national}) SEMI JOIN reopened USING (value) ANTI JOIN dirty USING (rid)"
        )

    def reach_keys(self) -> bool:
        """Adds the records of keys that became too common to be compared, or stopped being so; whether there were any."""
        self._cursor.execute(f"""
            CREATE TABLE crossing AS
            SELECT rule, key FROM (
                (SELECT rule, key FROM block WHERE records > {self._settings.max_block} EXCEPT SELECT rule, key FROM kept_full_key)
                UNION (SELECT rule, key FROM kept_full_key ANTI JOIN full_elsewhere USING (rule, key)
                       EXCEPT SELECT rule, key FROM block WHERE records > {self._settings.max_block}))
        """)
        added = self._cursor.execute(
            "INSERT INTO dirty SELECT DISTINCT rid FROM block_key SEMI JOIN crossing USING (rule, key) ANTI JOIN dirty USING (rid)"
        ).fetchone()
        self._cursor.execute("DROP TABLE crossing")
        return bool(added and added[0])

    # --- which records are decided again ----------------------------------------------------------------------------------------------

    def reach(self) -> None:
        """`scope`: all that hangs together with a change; `judged` gets the pairs among them that were not compared again.

        Together hang the two sides of a judged pair, those whom a person links, and holders of one number.
        """
        cursor = self._cursor
        if self.why:
            cursor.execute("CREATE VIEW scope AS SELECT rid FROM record")
            return
        cursor.execute("""
            CREATE TABLE carried AS
            SELECT least(x.rid, y.rid) AS a, greatest(x.rid, y.rid) AS b, k.* EXCLUDE (a, b, set_aside)
            FROM kept_judged k JOIN place x ON x.number = k.a JOIN place y ON y.number = k.b
            ANTI JOIN dirty dx ON dx.rid = x.rid ANTI JOIN dirty dy ON dy.rid = y.rid
        """)
        cursor.execute("""
            CREATE TABLE touched AS
            WITH gone AS (SELECT number FROM place SEMI JOIN dirty USING (rid) UNION SELECT number FROM departed),
            was AS (SELECT a, b FROM kept_judged WHERE a IN (SELECT number FROM gone) OR b IN (SELECT number FROM gone)),
            redecided AS (
                SELECT one, other FROM (
                    (SELECT kind, one, other, author FROM decided EXCEPT SELECT * FROM kept_decided)
                    UNION ALL (SELECT * FROM kept_decided EXCEPT SELECT kind, one, other, author FROM decided)) t(kind, one, other, author)
            )
            SELECT rid FROM dirty
            UNION SELECT rid FROM place WHERE number IN (SELECT a FROM was UNION SELECT b FROM was)
            UNION SELECT rid FROM record WHERE record_id IN (SELECT one FROM redecided UNION SELECT other FROM redecided)
        """)
        edges = cursor.execute("""
            SELECT a, b FROM carried UNION ALL SELECT a, b FROM judged
            UNION ALL SELECT a, b FROM decision_pair WHERE kind = 'must_link'
            UNION ALL SELECT rid, next FROM (
                SELECT rid, lead(rid) OVER (PARTITION BY value ORDER BY rid) AS next FROM number WHERE kind = 'national')
                WHERE next IS NOT NULL
        """).fetchnumpy()
        label = components(self._records, np.asarray(edges["a"]), np.asarray(edges["b"]))
        touched: Numbers = np.asarray(cursor.execute("SELECT rid FROM touched").fetchnumpy()["rid"], dtype=np.int64)
        reached = np.zeros(self._records, dtype=bool)
        reached[label[touched]] = True
        rids = np.flatnonzero(reached[label])
        cursor.register("arriving", pd.DataFrame({"rid": rids}))
        cursor.execute("CREATE TABLE scope AS SELECT rid FROM arriving")
        cursor.unregister("arriving")
        cursor.execute("INSERT INTO judged BY NAME SELECT * FROM carried WHERE a IN (SELECT rid FROM scope)")
        cursor.execute("DROP TABLE carried; DROP TABLE touched")

    def crowded_elsewhere(self) -> int:
        """Records in too large a group that tonight does not reach."""
        (count,) = self._cursor.execute(
            "SELECT count(*) FROM kept_crowd ANTI JOIN (SELECT number FROM place SEMI JOIN scope USING (rid)) s USING (number)"
            " ANTI JOIN departed USING (number)"
        ).fetchone() or (0,)
        return int(count)

    # --- what tonight leaves ------------------------------------------------------------------------------------------------------------

    def keep(self, con: duckdb.DuckDBPyConnection, scratch: str) -> None:
        """Writes what the next load needs, within the caller's transaction. One insert per table (see identity.py)."""
        if self.why:
            for name, columns in self._tables.items():
                con.execute(f"DROP TABLE IF EXISTS {name}")
                con.execute(f"CREATE TABLE {name} ({columns})")
        gone = f"SELECT number FROM {scratch}.place SEMI JOIN {scratch}.scope USING (rid) UNION ALL SELECT number FROM {scratch}.departed"
        if self.why:
            fresh = f"SELECT rid FROM {scratch}.reading"
            con.execute(
                f"INSERT INTO linkage_known SELECT number, k.* EXCLUDE (rid) FROM {scratch}.known k JOIN {scratch}.place USING (rid)"
            )
            con.execute(f"""
                INSERT INTO linkage_key SELECT number, rule, key FROM (
                    SELECT rid, rule, key FROM {scratch}.block_key WHERE rule NOT IN ({self._unborn_rule()})
                    UNION ALL SELECT rid, rule, key FROM {scratch}.look) JOIN {scratch}.place USING (rid)
            """)
        else:
            fresh = f"""SELECT rid FROM {scratch}.scope UNION SELECT rid FROM {scratch}.place SEMI JOIN {scratch}.changed USING (number)"""
            con.execute(f"DELETE FROM linkage_judged WHERE a IN ({gone}) OR b IN ({gone})")
            con.execute(f"DELETE FROM linkage_crowd WHERE number IN ({gone})")
            con.execute(
                f"DELETE FROM linkage_seen WHERE number IN ({gone}) OR number IN (SELECT number FROM {scratch}.changed)"
            )
            for name, rows in (("linkage_known", "fresh_known"), ("linkage_key", "fresh_key")):
                con.execute(f"DELETE FROM {name} WHERE number IN (SELECT number FROM {scratch}.stale)")
                con.execute(f"INSERT INTO {name} SELECT * FROM {scratch}.{rows}")
            for name in ("basis", "disputed", "full_key", "decided", "common"):
                con.execute(f"DELETE FROM linkage_{name}")
        con.execute(f"""
            INSERT INTO linkage_seen SELECT number, record_id, content, reading, numbers
            FROM {scratch}.reading JOIN {scratch}.place USING (rid) JOIN {scratch}.content USING (record_id)
            WHERE rid IN ({fresh}) ORDER BY number
        """)
        con.execute(f"INSERT INTO linkage_common BY NAME {common_rows(self._settings, scratch)}")
        columns = "rule, tier, bits, claim, likelihood, cross_agency, nhs_same, by_second, " + ", ".join(
            f"code_{comparison.name}" for comparison in self._settings.model.comparisons
        )
        con.execute(f"""
            INSERT INTO linkage_judged
            SELECT x.number, y.number, {columns}, set_aside FROM (
                SELECT a, b, {columns}, false AS set_aside FROM {scratch}.judged
                UNION ALL SELECT a, b, {columns}, true FROM {scratch}.set_aside)
            JOIN {scratch}.place x ON x.rid = a JOIN {scratch}.place y ON y.rid = b
        """)
        con.execute(f"INSERT INTO linkage_disputed SELECT space, value FROM {scratch}.disputed")
        con.execute(f"INSERT INTO linkage_full_key SELECT rule, key, records FROM {scratch}.full_key")
        con.execute(f"INSERT INTO linkage_decided SELECT kind, one, other, author FROM {scratch}.decided")
        con.execute(
            f"INSERT INTO linkage_crowd SELECT number FROM {scratch}.place SEMI JOIN {scratch}.crowd USING (rid)"
        )
        con.executemany(
            "INSERT INTO linkage_basis VALUES (?, ?)",
            [list(part) for part in (self._basis | {"today": self._today.isoformat()}).items()],
        )

    def _unborn_rule(self) -> int:
        return next((n for n, rule in enumerate(self._settings.model.blocking) if rule.name == "unborn"), 255)


def _kept(name: str) -> str:
    return "kept_" + name.removeprefix("linkage_")


def _read(cursor: duckdb.DuckDBPyConnection, model: Model, *, common: bool) -> None:
    """`reading`: one word for all a record is judged by."""
    if not common:
        fill_frequencies(cursor, model)
    joins = [f"LEFT JOIN frequency_{column} USING ({column})" for column in model.frequent()]
    parts = [f"tf_{column}" for column in model.frequent()]
    for name, kind in ((row[0], row[1]) for row in cursor.execute("DESCRIBE person").fetchall()):
        if name != "rid":
            # Sorting a list costs as much as all the rest, and most hold one value or none.
            parts.append(
                f"CASE WHEN len({name}) > 1 THEN list_sort({name}) ELSE {name} END" if kind.endswith("[]") else name
            )
    cursor.execute(f"""
        CREATE TABLE reading AS
        WITH homes AS (SELECT rid, bit_xor(hash(postcode, current)) AS homes FROM home GROUP BY rid),
        held AS (SELECT rid, bit_xor(hash(kind, space, value, verified)) AS held,
                        list_sort(list(value) FILTER (kind = 'national')) AS numbers FROM number GROUP BY rid),
        due_by AS (SELECT rid, bit_xor(hash(token)) AS due_by FROM expecting GROUP BY rid)
        SELECT rid, hash({", ".join(parts)}, homes, held, due_by, linked.rid IS NOT NULL) AS reading, coalesce(numbers, []) AS numbers
        FROM person {" ".join(joins)} LEFT JOIN homes USING (rid) LEFT JOIN held USING (rid) LEFT JOIN due_by USING (rid)
        LEFT JOIN (SELECT rid FROM linkable) linked USING (rid)
    """)
