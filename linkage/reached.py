"""Which records a night has to read at all: those that changed, and those that these can reach.

What lives here: telling changed records by their content, and following what hangs together by the keys that the last linked load left.
What must not: reading, scoring and deciding, which are the same whether a part or all of the records are read. What is found is more than
what changes; that nothing changes beyond it is checked by link(), which then reads everything. docs/decisions/0012 says why.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from linkage.model import LinkageSettings
from linkage.prepare import COMMON_STEPS, INPUTS, common_steps, fill_frequencies, prepare

# The longest a part of the records may be worth less than reading all.
MOST_READ = 0.5
# Kinds of keys beside the rules of blocking: the step `look` of sql/prepare.sql.
_RELATED, _UNBORN, _NUMBER = 254, 253, 252
# Ages at which a record reads differently though nobody touched it: born, grown up, beyond a care leaver's age (sql/prepare.sql).
_BIRTHDAYS = (0, 18, 25)


def contents(cursor: duckdb.DuckDBPyConnection) -> int:
    """`content`: one word for all that the sources say of each current record; gives how many there are."""
    parts = []
    for table in INPUTS:
        columns = [row[0] for row in cursor.execute(f"DESCRIBE {table}").fetchall()]
        if table == "event":  # most rows of a core; only these columns are read
            columns = ["occurred_from", "event_type"]
        listed = ", ".join(f'"{column}"' for column in columns if column not in ("record_id", "superseded_at"))
        parts.append(
            f"SELECT record_id, hash('{table}', {listed}) AS said, {table == 'person_record'} AS own FROM {table}"
        )
    cursor.execute(f"""
        CREATE TABLE content AS
        SELECT record_id, hash(sum(said), count(*)) AS content FROM ({" UNION ALL ".join(parts)})
        WHERE record_id IS NOT NULL GROUP BY record_id HAVING bool_or(own)
    """)
    (records,) = cursor.execute("SELECT count(*) FROM content").fetchone() or (0,)
    return int(records)


def restrict(cursor: duckdb.DuckDBPyConnection, schema: str, table: str) -> None:
    """Lets the views on the common model in that schema show only the records of a table of names."""
    for name in INPUTS:
        cursor.execute(
            f"CREATE OR REPLACE VIEW {schema}.{name} AS SELECT * FROM main.every_{name} SEMI JOIN main.{table} USING (record_id)"
        )


class Reached:
    """What a night can change, from the content of its records. `why` says why all of them are read after all."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, today: date, before: date, records: int
    ) -> None:
        self._cursor, self._settings, self._today, self._records = cursor, settings, today, records
        (self._scratch,) = cursor.execute("SELECT current_database()").fetchone() or ("",)
        for name in INPUTS:
            cursor.execute(f"ALTER VIEW {name} RENAME TO every_{name}")
        self.why = self._changed(before) or self._read_changed() or self._common() or self._spread()
        for name in INPUTS:
            cursor.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM every_{name}")
        if self.why:
            for name in (*COMMON_STEPS, "crowded_elsewhere", *self._frequencies()):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
        else:
            restrict(cursor, "main", "chosen")

    def _frequencies(self) -> list[str]:
        return [f"frequency_{column}" for column in self._settings.model.frequent()]

    def _path(self, *schemas: str) -> None:
        self._cursor.execute(f"SET search_path = '{','.join(f'{self._scratch}.{name}' for name in schemas)}'")

    def _changed(self, before: date) -> str:
        """`changed`: records that are new, say something else or had a birthday; `departed`: those that no source sends any more."""
        early, late = sorted((before, self._today))
        had = " OR ".join(
            f"birth_date + INTERVAL {age} YEAR BETWEEN DATE '{early}' - 1 AND DATE '{late + timedelta(days=1)}'"
            for age in _BIRTHDAYS
        )
        birthday = f"UNION SELECT record_id FROM every_person_record WHERE {had}" if early != late else ""
        self._cursor.execute(f"""
            CREATE TABLE departed AS SELECT number, record_id, numbers FROM kept_seen ANTI JOIN content USING (record_id);
            CREATE TABLE named AS
            WITH told AS (
                SELECT record_id FROM content LEFT JOIN kept_seen k USING (record_id) WHERE k.content IS DISTINCT FROM content.content
                {birthday}
            )
            SELECT record_id FROM told UNION
            SELECT r.record_id FROM every_relationship r SEMI JOIN told ON told.record_id = r.other_record_id SEMI JOIN content
                ON content.record_id = r.record_id;
        """)
        return self._number_changed()

    def _number_changed(self) -> str:
        self._cursor.execute("""
            CREATE OR REPLACE TABLE changed AS
            SELECT record_id, coalesce(k.number, (SELECT coalesce(max(number), -1) FROM kept_seen)
                   + row_number() OVER (PARTITION BY k.number IS NULL ORDER BY record_id)) AS number
            FROM named LEFT JOIN kept_seen k USING (record_id)
        """)
        (changed,) = self._cursor.execute("SELECT count(*) FROM changed").fetchone() or (0,)
        return f"{changed} of {self._records} records read differently" if changed > MOST_READ * self._records else ""

    def _read_changed(self) -> str:
        """`fresh_known`, `fresh_key`: what the changed records say now, read by themselves."""
        cursor = self._cursor
        for kind, columns in (("constant", "attribute VARCHAR, value VARCHAR, records BIGINT"),
                              ("given_bearers", "given VARCHAR"), ("adult_feed", "agency VARCHAR, feed VARCHAR"),
                              ("child_feed", "agency VARCHAR, feed VARCHAR, attached BOOLEAN"),
                              ("register", "agency VARCHAR, feed VARCHAR"),
                              ("due_range", "due_from DATE, due_to DATE"), ("unborn_token", "token VARCHAR")):  # fmt: skip
            cursor.execute(f"CREATE TABLE {kind} ({columns})")
        cursor.execute(
            "INSERT INTO constant SELECT split_part(kind, ' ', 2), value, worth FROM kept_common WHERE kind LIKE 'constant %'"
        )
        cursor.execute(
            "INSERT INTO adult_feed SELECT split_part(value, '.', 1), split_part(value, '.', 2) FROM kept_common WHERE kind = 'adult_feed'"
        )
        cursor.execute(
            "CREATE TABLE crowded_elsewhere AS SELECT code AS value FROM kept_common WHERE kind LIKE 'crowded %'"
        )
        for turn in (1, 2):
            cursor.execute("CREATE SCHEMA alone")
            # A mother's name is read with her child's record.
            cursor.execute("""
                CREATE OR REPLACE TABLE read_first AS SELECT record_id FROM changed
                UNION SELECT other_record_id FROM every_relationship SEMI JOIN changed USING (record_id) WHERE other_record_id IS NOT NULL
            """)
            restrict(cursor, "alone", "read_first")
            self._path("alone", "main")
            prepare(cursor, self._settings, self._today, common=True, records=self._records)
            rules = " UNION ALL ".join(
                f"SELECT DISTINCT k.rid, {number}::UTINYINT AS rule, k.key FROM ({rule.sql}) k(rid, key) SEMI JOIN linkable USING (rid)"
                for number, rule in enumerate(self._settings.model.blocking)
                if rule.name != "unborn"
            )
            cursor.execute(f"""
                CREATE OR REPLACE TABLE main.fresh_key AS
                SELECT c.number, k.rule, k.key FROM (SELECT rid, rule, key FROM look UNION ALL {rules}) k
                JOIN record USING (rid) JOIN main.changed c USING (record_id);
                CREATE OR REPLACE TABLE main.fresh_known AS
                SELECT c.number, known.* EXCLUDE (rid) FROM known JOIN record USING (rid) JOIN main.changed c USING (record_id);
            """)
            self._path("main")
            cursor.execute("DROP SCHEMA alone CASCADE")
            # A number that comes to stand on too many records, or no longer does, makes all its holders read differently.
            cursor.execute(f"""
                CREATE OR REPLACE TABLE stale AS SELECT number FROM changed UNION SELECT number FROM departed;
                CREATE OR REPLACE TABLE touched_key AS
                WITH fresh AS (SELECT rule, key, count(*) AS holders FROM fresh_key GROUP BY ALL),
                old AS (SELECT rule, key, number, number IN (SELECT number FROM stale) AS gone FROM kept_key
                        SEMI JOIN (SELECT rule, key FROM fresh_key UNION SELECT rule, key FROM kept_key SEMI JOIN stale USING (number)) t
                        USING (rule, key)),
                was AS (SELECT rule, key, count(*) AS holders, count(*) FILTER (gone) AS gone FROM old GROUP BY ALL)
                SELECT rule, key, coalesce(w.holders, 0) AS before, coalesce(w.holders - w.gone, 0) + coalesce(f.holders, 0) AS after
                FROM was w FULL JOIN fresh f USING (rule, key);
                CREATE OR REPLACE TABLE crossed AS SELECT key FROM touched_key WHERE rule = {_NUMBER}
                    AND (before > {self._settings.max_holders}) <> (after > {self._settings.max_holders});
            """)
            added = cursor.execute(f"""
                INSERT INTO named SELECT record_id FROM kept_seen SEMI JOIN (
                    SELECT number FROM kept_key SEMI JOIN crossed USING (key) WHERE rule = {_NUMBER}) USING (number)
                ANTI JOIN named USING (record_id) ANTI JOIN departed USING (record_id)
            """).fetchone() or (0,)
            cursor.execute("DELETE FROM crowded_elsewhere WHERE value IN (SELECT key FROM crossed)")
            if not added[0]:
                return ""
            if why := self._number_changed():
                return why
            if turn == 2:
                return "one number after another came to stand on too many records"
        return ""

    def _common(self) -> str:
        """What counts over all records, anew; `flipped`: records that read differently because of it."""
        cursor = self._cursor
        cursor.execute("""
            CREATE TABLE now_known AS
            SELECT * FROM kept_known ANTI JOIN stale USING (number) UNION ALL SELECT * FROM fresh_known;
            CREATE SCHEMA everyone;
            CREATE VIEW everyone.names AS SELECT number AS rid, given, family FROM now_known;
            CREATE VIEW everyone.birth AS SELECT number AS rid, agency, feed, attached, birth, precision FROM now_known;
            CREATE VIEW everyone.home AS SELECT number AS rid, unnest(postcodes) AS postcode FROM now_known;
            CREATE VIEW everyone.record AS SELECT number AS rid, agency, feed FROM now_known;
            CREATE VIEW everyone.number AS SELECT number AS rid, 'national' AS kind FROM now_known WHERE numbered;
            CREATE VIEW everyone.linkable AS SELECT number AS rid FROM now_known WHERE linkable;
            CREATE VIEW everyone.person AS SELECT number AS rid, given_shown AS given, family_shown AS family, unborn, due_from, due_to,
                due_tokens AS family_set, []::VARCHAR[] AS mother_given FROM now_known;
            CREATE TABLE flipped (number BIGINT);
        """)
        for name in COMMON_STEPS:
            cursor.execute(f"DROP TABLE {name}")
        self._path("everyone", "main")
        common_steps(cursor, self._settings, self._records)
        fill_frequencies(cursor, self._settings.model)
        self._path("main")
        for name in (*COMMON_STEPS, *self._frequencies()):
            cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM everyone.{name}")
        cursor.execute("DROP SCHEMA everyone CASCADE")
        tonight = common_rows(self._settings)
        cursor.execute(f"""
            CREATE TABLE shifted AS
            SELECT DISTINCT kind, value FROM (
                (SELECT kind, value, worth FROM ({tonight}) EXCEPT SELECT kind, value, worth FROM kept_common)
                UNION ALL (SELECT kind, value, worth FROM kept_common WHERE kind NOT LIKE 'crowded %'
                           EXCEPT SELECT kind, value, worth FROM ({tonight})))
        """)
        kinds = {row[0] for row in cursor.execute("SELECT DISTINCT kind FROM shifted").fetchall()}
        (defaults,) = cursor.execute("""
            SELECT count(*) FROM (SELECT kind, value FROM shifted WHERE kind LIKE 'constant %')
            WHERE ((kind, value) IN (SELECT (kind, value) FROM kept_common)) <>
                  ((kind, value) IN (SELECT ('constant ' || attribute, value) FROM constant))
        """).fetchone() or (0,)
        if defaults:
            return "a value became, or stopped being, some system's default"
        if "adult_feed" in kinds:  # whom it names without a date is looked up by other keys now
            return "a feed came to be one of adults only, or is that no more"
        # A source that became, or stopped being, a register, or one of children.
        cursor.execute(
            "INSERT INTO flipped SELECT number FROM now_known JOIN shifted"
            " ON kind IN ('register', 'child_feed') AND split_part(value, ' ', 1) = agency || '.' || feed"
        )
        cursor.execute(
            "INSERT INTO flipped SELECT number FROM now_known JOIN shifted ON kind = 'bearer' AND value = given"
        )
        for column in self._settings.model.frequent():
            cursor.execute(
                f"INSERT INTO flipped SELECT number FROM now_known JOIN shifted ON kind = 'frequency {column}' AND value = {column}_shown"
            )
        if kinds & {"due", "unborn"}:
            # The days on which somebody is expected, or their surnames, are others now.
            cursor.execute("""
                INSERT INTO flipped
                WITH days AS (SELECT strptime(value, '%Y-%m-%d')::DATE AS day FROM kept_common WHERE kind = 'due'
                              UNION ALL SELECT unnest([due_from, due_to]) FROM due_range)
                SELECT number FROM now_known
                WHERE unborn OR (NOT adult AND birth BETWEEN (SELECT min(day) FROM days) AND (SELECT max(day) FROM days))
            """)
        return ""

    def _spread(self) -> str:
        """`may`: records that may read or be compared differently; `within`: those and all that hangs together with them; `chosen`: those
        and whom they are read together with."""
        cursor, most = self._cursor, self._settings.max_block
        unborn = next((n for n, rule in enumerate(self._settings.model.blocking) if rule.name == "unborn"), -1)
        cursor.execute(f"""
            CREATE VIEW now_key AS
                SELECT number, rule, key FROM kept_key ANTI JOIN stale USING (number) UNION ALL SELECT number, rule, key FROM fresh_key;
            CREATE VIEW ever_key AS SELECT number, rule, key FROM kept_key UNION ALL SELECT number, rule, key FROM fresh_key;
            CREATE TABLE stay_full AS
                SELECT rule, key FROM kept_full_key ANTI JOIN (SELECT rule, key FROM touched_key WHERE after <= {most}) t USING (rule, key)
                WHERE rule <> {unborn};
            CREATE TABLE due_by AS SELECT DISTINCT key FROM ever_key SEMI JOIN (
                SELECT number FROM now_known WHERE unborn UNION SELECT number FROM kept_known WHERE unborn) USING (number)
                WHERE rule = {_UNBORN};
            CREATE TABLE may (number BIGINT);
            CREATE TABLE within (number BIGINT);
            INSERT INTO may SELECT number FROM changed UNION SELECT number FROM flipped UNION SELECT number FROM departed;
        """)
        looked = (
            f"(rule IN ({_RELATED}, {_NUMBER}) OR (rule = {_UNBORN} AND key IN (SELECT key FROM due_by)))"
            f" AND NOT (rule = {_NUMBER} AND key IN (SELECT value FROM crowded_elsewhere))"
        )
        self._add("may", f"{looked}", "may")
        # Keys that come to be on too many records, or no longer are: who holds them is compared anew, or no more.
        cursor.execute(f"""
            INSERT INTO may SELECT DISTINCT number FROM ever_key SEMI JOIN (
                SELECT rule, key FROM touched_key WHERE rule < {_NUMBER} AND (before > {most}) <> (after > {most})) USING (rule, key)
            ANTI JOIN may USING (number)
        """)
        self._add("may", f"rule = {_NUMBER} AND key NOT IN (SELECT value FROM crowded_elsewhere)", "may")
        cursor.execute("INSERT INTO within SELECT number FROM may")
        cursor.execute(f"""
            INSERT INTO within SELECT number FROM ever_key SEMI JOIN (
                SELECT key FROM kept_full_key WHERE rule = {unborn}) USING (key) WHERE rule = {_UNBORN}
        """)
        self._add("within", f"NOT (rule = {_NUMBER} AND key IN (SELECT value FROM crowded_elsewhere))"
                  " AND (rule, key) NOT IN (SELECT (rule, key) FROM stay_full)", "may")  # fmt: skip
        cursor.execute("""
            CREATE TABLE numbered AS SELECT record_id, number FROM kept_seen UNION SELECT record_id, number FROM changed;
            CREATE TABLE ties AS
            WITH said AS (SELECT kind, one, other FROM decided UNION SELECT kind, record_id_a, record_id_b FROM kept_decided)
            SELECT kind, x.number AS a, y.number AS b FROM said JOIN numbered x ON x.record_id = one JOIN numbered y ON y.record_id = other;
            INSERT INTO within SELECT number FROM numbered SEMI JOIN (
                SELECT unnest([one, other]) AS record_id FROM (
                    (SELECT kind, one, other, author FROM decided EXCEPT SELECT * FROM kept_decided)
                    UNION ALL (SELECT * FROM kept_decided EXCEPT SELECT kind, one, other, author FROM decided))) USING (record_id);
            CREATE TABLE front AS SELECT DISTINCT number FROM within;
            CREATE OR REPLACE TABLE within AS SELECT number FROM front;
        """)
        while True:
            cursor.execute(f"""
                CREATE TABLE next_front AS
                SELECT number FROM (
                    SELECT b AS number FROM kept_judged WHERE a IN (SELECT number FROM front)
                    UNION SELECT a FROM kept_judged WHERE b IN (SELECT number FROM front)
                    UNION SELECT b FROM ties WHERE kind = 'must_link' AND a IN (SELECT number FROM front)
                    UNION SELECT a FROM ties WHERE kind = 'must_link' AND b IN (SELECT number FROM front)
                    UNION SELECT number FROM ever_key WHERE rule = {_NUMBER} AND key IN (
                        SELECT key FROM ever_key WHERE rule = {_NUMBER} AND number IN (SELECT number FROM front)
                            AND key NOT IN (SELECT value FROM crowded_elsewhere)))
                ANTI JOIN within USING (number)
            """)
            (more,) = cursor.execute("SELECT count(*) FROM next_front").fetchone() or (0,)
            cursor.execute(
                "INSERT INTO within SELECT number FROM next_front; DROP TABLE front; ALTER TABLE next_front RENAME TO front"
            )
            if not more:
                break
        cursor.execute("CREATE TABLE beside AS SELECT number FROM within")
        self._add("beside", looked, "within")
        cursor.execute("""
            INSERT INTO beside SELECT b FROM ties SEMI JOIN within ON within.number = ties.a
                UNION ALL SELECT a FROM ties SEMI JOIN within ON within.number = ties.b;
            CREATE TABLE chosen AS
                SELECT DISTINCT record_id FROM numbered SEMI JOIN beside USING (number) SEMI JOIN content USING (record_id);
        """)
        (chosen,) = cursor.execute("SELECT count(*) FROM chosen").fetchone() or (0,)
        return (
            f"{chosen} of {self._records} records may be reached by what changed"
            if chosen > MOST_READ * self._records
            else ""
        )

    def _add(self, table: str, where: str, of: str) -> None:
        """Adds to a table the records that share a key with those of another."""
        self._cursor.execute(f"""
            INSERT INTO {table} SELECT DISTINCT number FROM ever_key SEMI JOIN (
                SELECT DISTINCT rule, key FROM ever_key SEMI JOIN {of} USING (number) WHERE {where}) USING (rule, key)
            ANTI JOIN {table} USING (number)
        """)


def common_rows(settings: LinkageSettings, scratch: str = "main") -> str:
    """SQL for what counts over all records, as it is remembered; what is crowded only with the scratch database named."""
    parts = [
        f"SELECT 'constant ' || attribute AS kind, value, records::DOUBLE AS worth, NULL::UBIGINT AS code FROM {scratch}.constant",
        f"SELECT 'bearer', given, NULL, NULL FROM {scratch}.given_bearers",
        f"SELECT 'adult_feed', agency || '.' || feed, NULL, NULL FROM {scratch}.adult_feed",
        "SELECT 'child_feed', agency || '.' || feed || CASE WHEN attached THEN ' attached' ELSE '' END, NULL, NULL"
        f" FROM {scratch}.child_feed",
        f"SELECT 'register', agency || '.' || feed, NULL, NULL FROM {scratch}.register",
        f"SELECT 'due', strftime(unnest([due_from, due_to]), '%Y-%m-%d'), NULL, NULL FROM {scratch}.due_range",
        f"SELECT 'unborn', token, NULL, NULL FROM {scratch}.unborn_token",
        *(
            f"SELECT 'frequency {column}', {column}, tf_{column}, NULL FROM {scratch}.frequency_{column}"
            for column in settings.model.frequent()
        ),
    ]
    if scratch != "main":
        parts.append(f"SELECT 'crowded ' || space, NULL, holders, value FROM {scratch}.crowded")
    return " UNION ALL ".join(parts)
