"""Carries decisions over to the records that a source has given another key since.

What lives here: finding the record whose source says what its former key or number was. What must not: weighing names or dates; only the
source's own word makes an heir, and a person's no to it outranks that word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

# Within one source: the record whose identifier of a scheme `former_…` is the other's key, or was its number of that scheme. A former
# number that two records held leads nowhere: it cannot be told whose it was.
_HEIRS = """
    WITH number AS (
        SELECT DISTINCT record_id, split_part(record_id, ':', 1) AS source, scheme, upper(replace(value, ' ', '')) AS value
        FROM person_identifier WHERE value IS NOT NULL
    ),
    former AS (
        SELECT n.record_id, n.source, substr(n.scheme, 8) AS scheme, n.value FROM number n
        JOIN (SELECT DISTINCT record_id FROM person_record WHERE superseded_at IS NULL) USING (record_id)
        WHERE starts_with(n.scheme, 'former_')
    ),
    held AS (
        SELECT DISTINCT record_id, split_part(record_id, ':', 1) AS source, upper(replace(source_person_id, ' ', '')) AS value
        FROM person_record WHERE source_person_id IS NOT NULL
        UNION
        SELECT n.record_id, n.source, n.value FROM number n SEMI JOIN former f ON f.scheme = n.scheme AND f.source = n.source
    )
    SELECT DISTINCT h.record_id AS record_id, f.record_id AS heir FROM former f JOIN held h USING (source, value)
    WHERE h.record_id <> f.record_id
    QUALIFY count(DISTINCT h.record_id) OVER (PARTITION BY f.record_id, f.value) = 1
"""


def carry_over(con: duckdb.DuckDBPyConnection, decisions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The decisions, and the same again for the heirs of their records.

    A no and a seal hold for the heir as well as for the record itself. A yes passes on only when the source no longer sends the record
    itself: while it does, record and heir are for the sources to tie, and the yes holds for whom it was said of.
    """
    said = [dict(decision) for decision in decisions]
    if not said:
        return said
    heirs: dict[str, list[str]] = {}
    for record, heir in con.execute(_HEIRS).fetchall():
        heirs.setdefault(record, []).append(heir)
    parted = {(d["record_id_a"], d["record_id_b"]) for d in said if d["kind"] != "must_link"}
    named = {record for d in said for record in (d["record_id_a"], d["record_id_b"])}
    line = {record: _line_of(record, heirs, parted) for record in named if record in heirs}
    if not line:
        return said
    sent = {
        row[0]
        for row in con.execute("SELECT DISTINCT record_id FROM person_record WHERE superseded_at IS NULL").fetchall()
        if row[0] in line
    }
    known = {(d["record_id_a"], d["record_id_b"]) for d in said}
    carried = []
    for decision in said:
        sides = []
        for record in (decision["record_id_a"], decision["record_id_b"]):
            passes = record in line and (decision["kind"] != "must_link" or record not in sent)
            sides.append([record, *(line[record] if passes else ())])
        for a in sides[0]:
            for b in sides[1]:
                pair = (min(a, b), max(a, b))
                # What people said of the heirs themselves outranks what is carried over to them.
                if a != b and pair not in known:
                    carried.append({**decision, "record_id_a": pair[0], "record_id_b": pair[1]})
    return said + carried


def _line_of(record: str, heirs: Mapping[str, list[str]], parted: set[tuple[str, str]]) -> list[str]:
    """The record's heirs, theirs, and so on; nobody whom people have parted from it."""
    found: list[str] = []
    queue = [record]
    while queue:
        for heir in sorted(heirs.get(queue.pop(), ())):
            if heir != record and heir not in found and (min(record, heir), max(record, heir)) not in parted:
                found.append(heir)
                queue.append(heir)
    return found
