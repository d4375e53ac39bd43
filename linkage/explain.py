"""Says why records are together, in words a lay reader understands, without a value of a person.

What lives here: reading link, linkage_cluster, potential_match and identity_change for one person or record. What must not: names,
dates or numbers of persons; those belong to marts whose readers may see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb

from warehouse.seals import hide_sealed

HOW_WORDS = {
    "identifier": "by a number or key",
    "probabilistic": "because the evidence suffices",
    "clerical": "because a person decided so",
    "single": "alone",
}


def _rows(con: duckdb.DuckDBPyConnection, sql: str, values: list[Any]) -> list[dict[str, Any]]:
    result = con.execute(sql, values)
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def explain(
    con: duckdb.DuckDBPyConnection, record_or_person_id: str, sealed: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """For each record of the person: why it is here, what it is tied to, and who else came near. Raises KeyError for an unknown ID.

    `sealed`: pairs of records whose persons are never shown together.
    """
    hide_sealed(con, sealed)
    asked = record_or_person_id
    found = con.execute(
        "SELECT person_id FROM shown_link WHERE record_id = ? AND unlinked_at IS NULL", [asked]
    ).fetchone()
    person = found[0] if found else asked
    known = con.execute(
        "SELECT coalesce(resolves_to, person_id) FROM shown_person WHERE person_id = ?", [person]
    ).fetchone()
    if not known:
        raise KeyError("no such record or person")
    current = known[0]
    records = _rows(
        con,
        "SELECT l.record_id, split_part(l.record_id, ':', 1) AS source, l.how, l.match_probability, l.evidence, l.best_record_id,"
        " l.decided_by, l.load_id AS since_load, l.linked_at, c.rival_record_id, c.rival_probability, c.rival_evidence, r.person_id"
        " AS rival_person_id FROM shown_link l LEFT JOIN linkage_cluster c ON c.record_id = l.record_id"
        " LEFT JOIN shown_link r ON r.record_id = c.rival_record_id AND r.unlinked_at IS NULL"
        " WHERE l.person_id = ? AND l.unlinked_at IS NULL ORDER BY l.record_id",
        [current],
    )
    for record in records:
        rival = {
            "record_id": record.pop("rival_record_id"),
            "person_id": record.pop("rival_person_id"),
            "match_probability": record.pop("rival_probability"),
            "evidence": record.pop("rival_evidence"),
        }
        record["nearest_rival"] = rival if rival["record_id"] else None
        record["in_words"] = (
            f"{record['source']}: linked {HOW_WORDS.get(record['how'], record['how'])}; {record['evidence']}"
        )
    questions = _rows(
        con,
        "SELECT q.record_id_a, q.record_id_b, q.match_probability, q.reason, q.load_id AS since_load FROM shown_potential_match q"
        " WHERE q.record_id_a IN (SELECT record_id FROM shown_link WHERE person_id = ? AND unlinked_at IS NULL)"
        " OR q.record_id_b IN (SELECT record_id FROM shown_link WHERE person_id = ? AND unlinked_at IS NULL)"
        " ORDER BY q.match_probability DESC, q.record_id_a, q.record_id_b",
        [current, current],
    )
    history = _rows(
        con,
        "SELECT load_id, change, person_id, other_person_ids, record_ids, reason FROM shown_identity_change"
        " WHERE person_id IN (SELECT person_id FROM shown_person WHERE person_id = ? OR resolves_to = ?)"
        " OR list_contains(other_person_ids, ?)",
        [current, current, current],
    )
    decisions = [record for record in records if record["how"] == "clerical"]
    return {
        "asked": asked,
        "person_id": current,
        "carries_on": [
            row["person_id"]
            for row in _rows(
                con, "SELECT person_id FROM shown_person WHERE resolves_to = ? ORDER BY person_id", [current]
            )
        ],
        "records": records,
        "decisions": [{"record_id": record["record_id"], "decided_by": record["decided_by"]} for record in decisions],
        "questions": questions,
        "history": history,
    }
