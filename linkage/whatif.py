"""What another threshold or another version of the model would change, before anyone commits. Writes nothing.

What lives here: linking twice in a scratch database, as things are and as they would be, and telling the difference in persons. What
must not: publishing or keeping either.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from linkage.link import Decisions, LinkageReport, link
from linkage.model import LinkageSettings
from linkage.prepare import INPUTS

_SCRATCH = itertools.count(1)


@dataclass
class WhatIf:
    """Counts, and the persons that would change: what they would become, in current identifiers."""

    model_now: str
    model_then: str
    clusters_now: int
    clusters_then: int
    links_added: int
    links_dropped: int
    questions_now: int
    questions_then: int
    changes: list[dict[str, Any]] = field(default_factory=list)


def whatif(
    con: duckdb.DuckDBPyConnection,
    *,
    today: date,
    now: LinkageSettings,
    then: LinkageSettings,
    decisions: Decisions = None,
) -> WhatIf:
    """Links the current records with both settings. A link is a pair of records in one person."""
    database, schema = con.execute("SELECT current_database(), current_schema()").fetchone() or ("", "")
    cursor = con.cursor()
    name = f"whatif_{next(_SCRATCH)}"
    cursor.execute(f"ATTACH ':memory:' AS {name}")
    try:
        cursor.execute(f"USE {name}")
        for table in INPUTS:
            cursor.execute(f'CREATE VIEW {table} AS SELECT * FROM "{database}"."{schema}".{table}')
        reports = [
            _linked(cursor, when, today, settings, decisions) for when, settings in (("now", now), ("then", then))
        ]
        cursor.execute(f"""
            CREATE VIEW moved AS
            SELECT record_id, n.cluster_id AS now_id, t.cluster_id AS then_id, l.person_id
            FROM cluster_now n JOIN cluster_then t USING (record_id)
            LEFT JOIN (SELECT record_id, person_id FROM "{database}"."{schema}".link WHERE unlinked_at IS NULL) l USING (record_id)
        """)
        pairs = dict(
            cursor.execute("""
                WITH sizes AS (
                    SELECT 'was' AS part, count(*) AS n FROM moved GROUP BY now_id
                    UNION ALL SELECT 'becomes', count(*) FROM moved GROUP BY then_id
                    UNION ALL SELECT 'stays', count(*) FROM moved GROUP BY now_id, then_id
                )
                SELECT part, CAST(sum(n * (n - 1) / 2) AS BIGINT) FROM sizes GROUP BY part
            """).fetchall()
        )
        found = cursor.execute("""
            WITH joined AS (SELECT then_id FROM moved GROUP BY then_id HAVING count(DISTINCT now_id) > 1),
            touched AS (
                SELECT now_id FROM moved GROUP BY now_id HAVING count(DISTINCT then_id) > 1
                UNION SELECT now_id FROM moved SEMI JOIN joined USING (then_id)
            ),
            part AS (SELECT now_id, then_id, min(person_id) AS person_id, count(*) AS records,
                            list_sort(list(DISTINCT split_part(record_id, '.', 1))) AS agencies
                     FROM moved SEMI JOIN touched USING (now_id) GROUP BY now_id, then_id)
            SELECT then_id, list_sort(list(DISTINCT person_id)) AS persons, count(DISTINCT now_id) AS clusters,
                   CAST(sum(records) AS BIGINT) AS records, list_sort(list_distinct(flatten(list(agencies)))) AS agencies,
                   bool_or((SELECT count(*) FROM part p WHERE p.now_id = part.now_id) > 1) AS splits
            FROM part GROUP BY then_id ORDER BY count(DISTINCT now_id) DESC, persons, then_id
        """).fetchall()
        result = WhatIf(
            now.model.version,
            then.model.version,
            reports[0].clusters,
            reports[1].clusters,
            pairs.get("becomes", 0) - pairs.get("stays", 0),
            pairs.get("was", 0) - pairs.get("stays", 0),
            reports[0].potential_matches,
            reports[1].potential_matches,
        )
        for _, persons, clusters, records, agencies, splits in found:
            if clusters > 1:
                words = "would become one person"
            elif splits:
                words = "would come apart; these records would be one of the parts"
            else:
                continue
            result.changes.append({"person_ids": persons, "change": words, "records": records, "agencies": agencies})
        return result
    finally:
        cursor.execute(f'USE "{database}"."{schema}"')
        cursor.execute(f"DETACH {name}")
        cursor.close()


def _linked(
    cursor: duckdb.DuckDBPyConnection, when: str, today: date, settings: LinkageSettings, decisions: Decisions
) -> LinkageReport:
    report = link(cursor, load_id="whatif", today=today, decisions=decisions, settings=settings)
    cursor.execute(f"CREATE TABLE cluster_{when} AS SELECT record_id, cluster_id FROM linkage_cluster")
    return report
