"""Says why records are together, in words and as a picture of the weights, without a value of a person.

What lives here: reading link, linkage_cluster, potential_match and identity_change for one person or record, as they may be shown. What
must not: names, dates or numbers of persons; those belong to marts whose readers may see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import duckdb

from linkage.model import DEFAULT_MODEL, Model
from warehouse.seals import hide_sealed

HOW_WORDS = {
    "identifier": "by a number or key",
    "probabilistic": "because the evidence suffices",
    "clerical": "because a person decided so",
    "single": "alone",
}
PICTURE_WIDTH = 40


def _rows(con: duckdb.DuckDBPyConnection, sql: str, values: list[Any]) -> list[dict[str, Any]]:
    result = con.execute(sql, values)
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def resolve(con: duckdb.DuckDBPyConnection, record_or_person_id: str) -> str:
    """The current person of a record, or of an identifier old or new, as may be shown. Raises KeyError for an unknown one."""
    found = con.execute(
        "SELECT person_id FROM shown_link WHERE record_id = ? AND unlinked_at IS NULL", [record_or_person_id]
    ).fetchone()
    known = con.execute(
        "SELECT coalesce(resolves_to, person_id) FROM shown_person WHERE person_id = ?",
        [found[0] if found else record_or_person_id],
    ).fetchone()
    if not known:
        raise KeyError("no such record or person")
    return str(known[0])


def explain(
    con: duckdb.DuckDBPyConnection,
    record_or_person_id: str,
    *,
    sealed: Iterable[tuple[str, str]] = (),
    decisions: Iterable[Mapping[str, Any]] = (),
    model_of: Callable[[str], Model] = lambda version: DEFAULT_MODEL,
) -> dict[str, Any]:
    """For each record of the person: why it is here, what it is tied to, who else came near, and what people decided.

    `sealed`: pairs of records whose persons are never shown together. `decisions`: those that stand and may be shown. `model_of` gives
    the version of the model that scored. Raises KeyError for an unknown ID.
    """
    hide_sealed(con, sealed)
    current = resolve(con, record_or_person_id)
    records = _rows(
        con,
        "SELECT l.record_id, split_part(l.record_id, ':', 1) AS source, l.how, l.match_probability, l.evidence, l.best_record_id,"
        " l.decided_by, l.load_id AS since_load, l.linked_at, c.model, c.levels, c.bits, c.prior_bits,"
        " c.rival_record_id, c.rival_probability, c.rival_evidence, c.rival_levels, c.rival_bits,"
        " if(s.person_id IS NULL, r.person_id, NULL) AS rival_person_id"
        " FROM shown_link l LEFT JOIN linkage_cluster c ON c.record_id = l.record_id"
        " LEFT JOIN shown_link r ON r.record_id = c.rival_record_id AND r.unlinked_at IS NULL"
        " LEFT JOIN sealed_person s ON s.person_id = l.person_id AND s.other_person_id = r.person_id"
        " WHERE l.person_id = ? AND l.unlinked_at IS NULL ORDER BY l.record_id",
        [current],
    )
    own = {record["record_id"] for record in records}
    said = [decision for decision in decisions if own & {decision["record_id_a"], decision["record_id_b"]}]
    for record in records:
        version, prior = record.pop("model"), record.pop("prior_bits")
        weights = (record.pop("levels"), record.pop("bits"))
        against = (record.pop("rival_levels"), record.pop("rival_bits"))
        rival = {
            "record_id": record.pop("rival_record_id"),
            "person_id": record.pop("rival_person_id"),
            "match_probability": record.pop("rival_probability"),
            "evidence": record.pop("rival_evidence"),
        }
        record["model"] = version
        model = model_of(version) if version else DEFAULT_MODEL
        record["weights"] = waterfall(model, prior, *weights)
        # A rival on the other side of a seal is nobody's rival.
        record["nearest_rival"] = (
            {**rival, "weights": waterfall(model, prior, *against)} if rival["person_id"] else None
        )
        record["in_words"] = (
            f"{record['source']}: linked {HOW_WORDS.get(record['how'], record['how'])}; {record['evidence']}"
        )
        record["decisions"] = [
            dict(decision)
            for decision in said
            if record["record_id"] in (decision["record_id_a"], decision["record_id_b"])
        ]
    questions = _rows(
        con,
        "SELECT q.record_id_a, q.record_id_b, q.match_probability, q.reason, q.load_id AS since_load FROM shown_potential_match q"
        " WHERE q.record_id_a IN (SELECT record_id FROM shown_link WHERE person_id = ? AND unlinked_at IS NULL)"
        " OR q.record_id_b IN (SELECT record_id FROM shown_link WHERE person_id = ? AND unlinked_at IS NULL)"
        " ORDER BY q.match_probability DESC, q.record_id_a, q.record_id_b",
        [current, current],
    )
    return {
        "asked": record_or_person_id,
        "person_id": current,
        "carries_on": [
            row["person_id"]
            for row in _rows(
                con, "SELECT person_id FROM shown_person WHERE resolves_to = ? ORDER BY person_id", [current]
            )
        ],
        "records": records,
        "decisions": [dict(decision) for decision in said],
        "questions": questions,
        "history": history(con, current),
    }


def history(con: duckdb.DuckDBPyConnection, person_id: str) -> list[dict[str, Any]]:
    """The ledger of a person and of those it carries on, oldest first, as may be shown; after hide_sealed()."""
    return _rows(
        con,
        "SELECT load_id, change, person_id, other_person_ids, record_ids, reason FROM shown_identity_change"
        " WHERE person_id IN (SELECT person_id FROM shown_person WHERE person_id = ? OR resolves_to = ?)"
        " OR list_contains(other_person_ids, ?)",
        [person_id, person_id, person_id],
    )


def waterfall(model: Model, prior: float | None, levels: str | None, bits: float | None) -> list[dict[str, Any]]:
    """From how likely any two records are to be one person, step by step to the sum: what each comparison adds or takes, in bits."""
    if prior is None or not levels or bits is None:
        return []
    steps: list[dict[str, Any]] = [{"words": "before anything is compared", "bits": prior}]
    for part in levels.split(" "):
        comparison, _, level = part.partition(":")
        found = model.comparison(comparison).level(level)
        steps.append({"words": found.words, "bits": found.weight})
    # What is left between the parts and the sum is how rare the names are, or a disputed number's weight taken back.
    rest = bits - sum(step["bits"] for step in steps)
    if abs(rest) >= 0.05:
        steps.append({"words": "how common the names are, and numbers in dispute", "bits": rest})
    total = 0.0
    for step in steps:
        total += step["bits"]
        step |= {"bits": round(step["bits"], 2), "sum": round(total, 2)}
    return steps


def picture(steps: list[dict[str, Any]]) -> list[str]:
    """A waterfall as lines of text: each bar goes from the sum before to the sum after; `|` is where yes and no are even."""
    if not steps:
        return []
    sums = [0.0, *(step["sum"] for step in steps)]
    low, high = min(sums), max(sums)
    scale = (PICTURE_WIDTH - 1) / ((high - low) or 1.0)
    even = round((0.0 - low) * scale)
    widest = max(len(step["words"]) for step in steps)
    lines = []
    for before, step in zip(sums, steps, strict=False):
        start, end = sorted((round((before - low) * scale), round((step["sum"] - low) * scale)))
        bar = [" "] * PICTURE_WIDTH
        bar[start : end + 1] = [("█" if step["bits"] >= 0 else "░")] * (end + 1 - start)
        if bar[even] == " ":
            bar[even] = "|"
        lines.append(f"{step['words']:<{widest}}  {step['bits']:+7.1f}  {''.join(bar).rstrip()}")
    total = steps[-1]["sum"]
    lines.append(f"{'together':<{widest}}  {total:+7.1f}  odds of {odds(total)}")
    return lines


def odds(bits: float) -> str:
    """Bits as odds that people know. Beyond 50 a float calls it certain, which nothing is."""
    return f"1 in {2 ** min(-bits, 50):,.0f}" if bits < 0 else f"{2 ** min(bits, 50):,.0f} to 1"
