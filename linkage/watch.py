"""What every night measures of its own links without a truth: shares that should drift slowly, and canaries that should not sing.

What lives here: counting, comparing with the night before, and saying in words what rose. What must not: changing a link, and a person's
value. A canary is a person in whom two children may have been made one; it is a reason to look, not proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import duckdb

from linkage.prepare import Finding

# Chance alone passes three standard errors once in 370 nights; less than a point nobody would act on.
ERRORS, POINT = 3.0, 0.01

WORDS = {
    "linked": "records that share a person with another record",
    "asked": "pairs left to people, per record",
    "moved": "records that changed from one person to another this night",
    "twins": "persons in whom one register holds two children of one birth date and unlike given names",
    "siblings": "persons in whom one register holds two children born more than a year apart",
    "numbers": "persons with two verified NHS numbers",
    "adult_and_child": "persons whom one source calls an adult and another a child",
}
# What linkage would not use, or only up to a cap: a measure per column, told as long as it lasts.
UNUSED = "not used: "
CANARIES = ("twins", "siblings", "numbers", "adult_and_child")

_COUNT = """
    WITH links AS (SELECT record_id, person_id, how FROM link WHERE unlinked_at IS NULL),
    -- What a person decided is theirs to answer for.
    of_machine AS (SELECT person_id FROM links GROUP BY person_id HAVING count(*) > 1 AND NOT bool_or(how = 'clerical')),
    records AS (
        SELECT l.person_id, r.record_id, r.agency, r.feed, r.role, r.birth_date, r.birth_date_precision,
               string_split(lower(strip_accents(trim(r.given_names))), ' ') AS given,
               string_split(lower(strip_accents(concat_ws(' ', r.given_names, r.family_name))), ' ') AS names
        FROM person_record r JOIN links l USING (record_id) SEMI JOIN of_machine USING (person_id) WHERE r.superseded_at IS NULL
    ),
    -- A register keeps people, by a number of their own on at least one record in twenty (as sql/prepare.sql has it). What the others
    -- hold are mentions of a child, of which several are to be expected, with titles, nicknames and names in each other's field.
    register AS (
        SELECT r.agency, r.feed FROM person_record r
        LEFT JOIN (SELECT DISTINCT record_id FROM person_identifier WHERE superseded_at IS NULL AND scheme IN ('nhs_number', 'upn')) n
          USING (record_id)
        WHERE r.superseded_at IS NULL GROUP BY ALL HAVING count(n.record_id) >= 0.05 * count(*)
    ),
    pairs AS (
        SELECT x.person_id, x.birth_date AS one, y.birth_date AS other,
               NOT list_has_any(x.given, y.names) AND NOT list_has_any(y.given, x.names)
               AND jaro_winkler_similarity(x.given[1], y.given[1]) < 0.7 AS unlike
        FROM records x JOIN records y ON x.person_id = y.person_id AND x.agency = y.agency AND x.feed = y.feed AND x.record_id < y.record_id
        SEMI JOIN register ON register.agency = x.agency AND register.feed = x.feed
        WHERE x.birth_date_precision = 'day' AND y.birth_date_precision = 'day'
    ),
    numbers AS (
        SELECT l.person_id FROM person_identifier i JOIN links l USING (record_id) SEMI JOIN of_machine USING (person_id)
        WHERE i.superseded_at IS NULL AND i.scheme = 'nhs_number' AND i.status = 'verified'
        GROUP BY l.person_id HAVING count(DISTINCT i.value) > 1
    ),
    company AS (SELECT person_id FROM links GROUP BY person_id HAVING count(*) > 1),
    sizes AS (SELECT count(*) AS records, count(DISTINCT person_id) AS persons FROM links)
    SELECT 'linked', (SELECT count(*) FROM links SEMI JOIN company USING (person_id)), records FROM sizes
    UNION ALL SELECT 'asked', (SELECT count(*) FROM potential_match), records FROM sizes
    UNION ALL SELECT 'moved', (SELECT coalesce(sum(len(record_ids)), 0) FROM identity_change
                               WHERE load_id = $load AND change IN ('merged', 'split')), records FROM sizes
    UNION ALL SELECT 'twins', (SELECT count(DISTINCT person_id) FROM pairs WHERE one = other AND unlike), persons FROM sizes
    UNION ALL SELECT 'siblings', (SELECT count(DISTINCT person_id) FROM pairs
                                  WHERE abs(date_diff('day', one, other)) > 366 AND unlike), persons FROM sizes
    UNION ALL SELECT 'numbers', (SELECT count(*) FROM numbers), persons FROM sizes
    UNION ALL SELECT 'adult_and_child', (SELECT count(*) FROM (SELECT person_id FROM records GROUP BY person_id
                                         HAVING bool_or(role = 'adult') AND bool_or(role = 'child'))), persons FROM sizes
"""


def note(con: duckdb.DuckDBPyConnection, load_id: str, findings: Iterable[Finding], records: int) -> None:
    """Keeps what linkage found odd about its input beside the night's measures. Again changes nothing."""
    con.execute("DELETE FROM linkage_measure WHERE load_id = ? AND starts_with(measure, ?)", [load_id, UNUSED])
    for number, finding in enumerate(findings, start=1):
        con.execute(
            "INSERT INTO linkage_measure VALUES (?, ?, ?, ?, ?)",
            [load_id, f"{UNUSED}{number} {finding.column}", finding.records, records, finding.message],
        )


def watch(con: duckdb.DuckDBPyConnection, load_id: str) -> list[str]:
    """Counts this night into linkage_measure, beside the night before; returns what rose, in words. Again changes nothing."""
    counted = con.execute(_COUNT, {"load": load_id}).fetchall()
    before = {
        name: (cases, of)
        for name, cases, of in con.execute(
            "SELECT measure, cases, of FROM linkage_measure WHERE load_id = ("
            "SELECT arg_max(load_id, load_seq) FROM night SEMI JOIN linkage_measure USING (load_id) "
            "WHERE load_seq < (SELECT load_seq FROM night WHERE load_id = ?))",
            [load_id],
        ).fetchall()
    }
    rows: list[list[Any]] = []
    for name, cases, of in counted:
        rows.append([load_id, name, int(cases), int(of), _alert(name, int(cases), int(of), before.get(name))])
    con.execute("DELETE FROM linkage_measure WHERE load_id = ? AND NOT starts_with(measure, ?)", [load_id, UNUSED])
    con.executemany("INSERT INTO linkage_measure VALUES (?, ?, ?, ?, ?)", rows)
    return [row[4] for row in rows if row[4]]


def _alert(name: str, cases: int, of: int, before: tuple[int, int] | None) -> str:
    """What to look at, or nothing. A canary sings when there are more than the night before; a share when it jumps."""
    if name in CANARIES:
        if cases <= (before[0] if before else 0):
            return ""
        beside = f", {before[0]} the night before" if before else ""
        return f"{WORDS[name]}: {cases}{beside}; look at them before anything else"
    if before is None or not of or not before[1]:
        return ""
    share, was_share = cases / of, before[0] / before[1]
    pooled = (cases + before[0]) / (of + before[1])
    error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / of + 1 / before[1]))
    jumped = abs(share - was_share) > max(ERRORS * error, POINT)
    return f"{WORDS[name]}: {share:.1%}, {was_share:.1%} the night before" if jumped else ""
