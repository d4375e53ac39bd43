"""How good tonight's links are, kept night by night: from the newest clerical sample, and from a truth where there is one.

What lives here: precision and recall overall, per pair of agencies and per group, with limits, and what fell. What must not: a figure of
fewer than FEWEST pairs (of a truth FEWEST_OF_TRUTH), and a person's value. A sample speaks of the links of the load it was drawn from.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from linkage.evaluate import evaluate, received
from linkage.sample import Estimate, estimate
from linkage.watch import ERRORS, POINT

GROUPINGS = {
    "all": "",
    "agencies": "between",
    "ethnicity": "ethnicity",
    "ethnic_group": "ethnic group",
    "sex": "sex",
    "age_band": "age",
    "name_origin": "origin of the name",
    "area": "area",
    "deprivation": "deprivation",
}

# A truth counts every pair there is, and one child's ten records are 45.
FEWEST_OF_TRUTH = 50

Row = tuple[str, str, str, Estimate]

# What a pair's two records say; a pair counts for every group that either of them is in. Age bands as in the national statistics of
# children in need; the area is the postcode's outward part.
_GROUPS_OF_PAIRS = """
    WITH said AS (
        SELECT record_id, min(agency) AS agency, min(ethnicity) AS ethnicity, min(sex) AS sex,
               min(birth_date) AS born, min(postcode) AS postcode
        FROM person_record WHERE superseded_at IS NULL GROUP BY record_id
    ),
    member AS (
        SELECT p.number, s.*, date_diff('year', born, $today) - (strftime(born, '%m%d') > strftime($today::DATE, '%m%d'))::INT AS age
        FROM (SELECT number, unnest([a, b]) AS record_id FROM answered_pair) p JOIN said s USING (record_id)
    )
    SELECT number, 'agencies' AS grouped_by, min(agency) || '~' || max(agency) AS member FROM member GROUP BY number HAVING count(*) = 2
    UNION SELECT number, 'ethnicity', ethnicity FROM member WHERE ethnicity IS NOT NULL
    UNION SELECT number, 'sex', sex FROM member WHERE sex IS NOT NULL
    UNION SELECT number, 'age_band', CASE WHEN age < 1 THEN 'under 1' WHEN age < 5 THEN '1 to 4' WHEN age < 10 THEN '5 to 9'
                                          WHEN age < 16 THEN '10 to 15' WHEN age < 18 THEN '16 to 17' ELSE '18 and over' END
    FROM member WHERE born IS NOT NULL
    UNION SELECT number, 'area', regexp_extract(replace(upper(postcode), ' ', ''), '^([A-Z]{1,2}[0-9][A-Z0-9]?)[0-9][A-Z]{2}$', 1)
    FROM member WHERE regexp_matches(replace(upper(postcode), ' ', ''), '^[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}$')
"""


def from_sample(
    con: duckdb.DuckDBPyConnection,
    sample: Sequence[Mapping[str, Any]],
    decisions: Iterable[Mapping[str, Any]],
    today: date,
) -> list[Row]:
    """Estimates from a sample's pairs (stratum, pairs, drawn_at) and what people decided since: overall and per group.

    Empty until every stratum has an answer: what nobody looked at is not estimated by what somebody did. A sealed pair is in no figure.
    """
    said = {(d["record_id_a"], d["record_id_b"]): d for d in decisions}
    rows, drawn = [], set()
    for pair in sample:
        decision = said.get((pair["record_id_a"], pair["record_id_b"]))
        if decision and decision["kind"] == "seal":
            continue
        drawn.add(pair["stratum"])
        if decision and decision["decided_at"] >= pair["drawn_at"]:
            rows.append((pair, decision["kind"] == "must_link"))
    if drawn - {pair["stratum"] for pair, _ in rows}:
        return []
    answers = [(pair["stratum"], pair["pairs"], yes) for pair, yes in rows]
    found: list[Row] = [(measure, "all", "", figure) for measure, figure in estimate(answers).items()]
    if not found:
        return []
    numbered = {
        "number": range(len(rows)),
        "a": [pair["record_id_a"] for pair, _ in rows],
        "b": [pair["record_id_b"] for pair, _ in rows],
    }
    con.register("answered_pair", pd.DataFrame(numbered))
    groups: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, grouped_by, member in con.execute(_GROUPS_OF_PAIRS, {"today": today}).fetchall():
        groups[grouped_by, member].add(number)
    con.unregister("answered_pair")
    for (grouped_by, member), numbers in sorted(groups.items()):
        figures = estimate(answers, [number in numbers for number in range(len(rows))])
        found += [(measure, grouped_by, member, figure) for measure, figure in figures.items()]
    return found


def from_truth(con: duckdb.DuckDBPyConnection, truth: Path | pd.DataFrame) -> list[Row]:
    """The same from a truth, which knows every pair and needs no estimate; the limits say how far chance goes."""
    known, _ = received(con, truth)
    whole = evaluate(con, known)
    scores = [("all", "", whole.overall)]
    scores += [("agencies", pair, score) for pair, score in whole.by_agency_pair.items()]
    scores += [
        (grouped_by, member, score) for grouped_by, by in whole.by_subgroup.items() for member, score in by.items()
    ]
    found: list[Row] = []
    for grouped_by, member, score in scores:
        figures = score.to_dict()
        for measure, of in (("precision", score.linked_pairs), ("recall", score.true_pairs)):
            if of >= FEWEST_OF_TRUTH:
                low, high = figures[f"{measure}_interval"]
                found.append((measure, grouped_by, member, Estimate(getattr(score, measure), low, high, of)))
    return found


def keep(con: duckdb.DuckDBPyConnection, load_id: str, basis: str, rows: Iterable[Row]) -> list[str]:
    """Writes figures into linkage_quality; returns what fell, in words. `basis`: truth, or the number of a sample. Again changes nothing.

    A fall is told against the last load with figures of another sample, or of the truth: more than three standard errors and a point.
    """
    kind = basis if basis == "truth" else "sample"
    before = {
        (measure, grouped_by, member): Estimate(share, low, high, pairs)
        for measure, grouped_by, member, share, low, high, pairs in con.execute(
            "SELECT measure, grouped_by, group_name, share, low, high, pairs FROM linkage_quality WHERE load_id = ("
            "SELECT arg_max(load_id, load_seq) FROM night SEMI JOIN (SELECT load_id FROM linkage_quality"
            " WHERE kind = $kind AND ($kind = 'truth' OR basis <> $basis)) USING (load_id)"
            " WHERE load_seq < (SELECT load_seq FROM night WHERE load_id = $load)) AND kind = $kind",
            {"kind": kind, "basis": basis, "load": load_id},
        ).fetchall()
    }
    written: list[list[Any]] = [
        [load_id, kind, basis, measure, grouped_by, member, figure.share, figure.low, figure.high, figure.pairs,
         _fall(measure, grouped_by, member, figure, before.get((measure, grouped_by, member)))]
        for measure, grouped_by, member, figure in rows
    ]  # fmt: skip
    con.execute("DELETE FROM linkage_quality WHERE load_id = ? AND kind = ?", [load_id, kind])
    if written:
        con.executemany("INSERT INTO linkage_quality VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", written)
    return [row[-1] for row in written if row[-1]]


def _fall(measure: str, grouped_by: str, member: str, now: Estimate, before: Estimate | None) -> str:
    if before is None:
        return ""
    # Half an interval is 1.96 standard errors; of now the half above, of before the half below, which the fall has to leave.
    error = math.hypot(now.high - now.share, before.share - before.low) / 1.96
    if before.share - now.share <= max(ERRORS * error, POINT):
        return ""
    of = f" ({GROUPINGS[grouped_by]} {member})" if member else ""
    return (
        f"{measure} of the links{of} fell to {now.share:.1%} ({now.low:.1%} to {now.high:.1%}) from {before.share:.1%}"
    )
