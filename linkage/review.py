"""The review queue: which questions to people come first, and how far reviewers agree.

What lives here: ranking by what a yes would bring, and measuring people's answers. What must not: taking a decision (the decisions store),
and a person's value: a reviewer reads the records in a mart that may show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import duckdb

from linkage.evaluate import wilson
from warehouse.seals import hide_sealed

_QUEUE = """
    SELECT record_id_a, record_id_b, person_id_a, person_id_b, safety_relevant, agencies_gained, agencies, records_joined,
           match_probability, reason, load_id AS since_load
    FROM ranked_potential_match
    ORDER BY safety_relevant DESC, agencies_gained DESC, records_joined DESC, record_id_a, record_id_b
"""


def queue(
    con: duckdb.DuckDBPyConnection,
    *,
    sealed: Iterable[tuple[str, str]] = (),
    answered: Iterable[tuple[str, str]] = (),
    blind: bool = False,
) -> list[dict[str, Any]]:
    """The open questions, the most valuable first. The score has no part in the order, so that a blind list gives nothing away.

    `answered` are pairs that were decided since the last night and need no asking. `blind` leaves out the score and the machine's reasons.
    """
    hide_sealed(con, sealed)
    result = con.execute(_QUEUE)
    columns = [column[0] for column in result.description]
    done = set(answered)
    rows = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    rows = [row for row in rows if (row["record_id_a"], row["record_id_b"]) not in done]
    if blind:
        hidden = ("match_probability", "reason")
        rows = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
    return rows


def agreement(answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For every two reviewers who answered the same pairs: how often they agree, and Cohen's kappa, which takes chance out."""
    by_author: dict[str, dict[tuple[str, str], str]] = {}
    for answer in answers:
        by_author.setdefault(answer["author"], {})[answer["record_id_a"], answer["record_id_b"]] = answer["kind"]
    found = []
    for one, other in combinations(sorted(by_author), 2):
        both = sorted(by_author[one].keys() & by_author[other].keys())
        if not both:
            continue
        said = [(by_author[one][pair], by_author[other][pair]) for pair in both]
        alike = sum(a == b for a, b in said)
        yes_one, yes_other = (sum(pair[side] == "must_link" for pair in said) / len(said) for side in (0, 1))
        chance = yes_one * yes_other + (1 - yes_one) * (1 - yes_other)
        share = alike / len(said)
        # Where both give one answer throughout, chance explains everything and kappa says nothing.
        kappa = None if chance == 1 else round((share - chance) / (1 - chance), 3)
        found.append(
            {"reviewers": f"{one}, {other}", "pairs": len(said), "agree": round(share, 4), "interval": wilson(alike, len(said)),
             "kappa": kappa}
        )  # fmt: skip
    return found


def clerical(con: duckdb.DuckDBPyConnection, decisions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What people said of pairs that the machine held to be one person, and of those it did not, at the time they were asked."""
    said = [[d["record_id_a"], d["record_id_b"], d["kind"], d["decided_at"]] for d in decisions if d["kind"] != "seal"]
    con.execute("CREATE OR REPLACE TEMP TABLE said (a VARCHAR, b VARCHAR, kind VARCHAR, decided_at TIMESTAMP)")
    if said:
        con.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", said)
    counted = con.execute("""
        WITH judged AS (
            SELECT s.kind = 'must_link' AS yes, EXISTS (
                SELECT 1 FROM link x JOIN link y USING (person_id)
                WHERE x.record_id = s.a AND y.record_id = s.b AND greatest(x.linked_at, y.linked_at) <= s.decided_at
                  AND least(coalesce(x.unlinked_at, 'infinity'), coalesce(y.unlinked_at, 'infinity')) > s.decided_at
            ) AS linked FROM said s
        )
        SELECT linked, count(*), count(*) FILTER (yes) FROM judged GROUP BY linked ORDER BY linked DESC
    """).fetchall()
    con.execute("DROP TABLE said")
    return [
        {"pairs": "held to be one person" if linked else "not linked", "decided": total, "said_one_person": yes,
         "share": round(yes / total, 4), "interval": wilson(yes, total)}
        for linked, total, yes in counted
    ]  # fmt: skip
