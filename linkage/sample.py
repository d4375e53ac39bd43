"""How good the links are by what people say of a random sample of pairs: drawing it, and estimating from the answers.

What lives here: the strata from which pairs are drawn, the draw, and estimates with intervals. What must not: answers (the decisions
store), a person's value, and a figure of fewer than FEWEST answered pairs. Sources: MOVER, the recovery of a sum's and a ratio's limits
from those of the parts (Zou and Donner 2008, Stat Med 27:1693; Donner and Zou 2012, Stat Methods Med Res 21:347), on exact limits per
stratum (Clopper and Pearson 1934, Biometrika 26:404): Wilson's are too narrow where nearly every answer is the same, as it is here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
from scipy.special import betaincinv

from linkage.model import Model

# Below this a figure says nothing of a group, and may be one family's.
FEWEST = 10
# So few that one answer in a stratum does not stand for all of it.
LEAST_DRAWN = 10


@dataclass(frozen=True)
class Stratum:
    """Pairs among which errors are about equally likely. `guess` is the share of true pairs argued for before any was looked at: it decides
    how many are drawn, and no estimate rests on it."""

    name: str
    accepted: bool
    guess: float
    words: str


STRATA = {
    stratum.name: stratum
    for stratum in (
        Stratum("number", True, 0.999, "one person, by a number or key"),
        Stratum("model", True, 0.995, "one person, because name and birth date agree"),
        Stratum("thin", True, 0.95, "one person, on thin evidence without a rival"),
        Stratum("through_others", True, 0.98, "one person, only by way of other records"),
        Stratum("asked", False, 0.6, "left to a person to decide"),
        Stratum("doubted", False, 0.1, "something speaks for one person, and they were not linked"),
        Stratum("compared", False, 0.001, "compared, and nothing speaks for one person"),
    )
}


class SampleError(Exception):
    """No sample can be drawn: says why and what to do."""


@dataclass(frozen=True)
class Drawn:
    """One pair of a sample: its stratum, and of how many pairs that was when it was drawn."""

    record_id_a: str
    record_id_b: str
    stratum: str
    pairs: int


def draw(
    con: duckdb.DuckDBPyConnection,
    *,
    pairs: int,
    seed: str,
    model: Model,
    max_block: int,
    without: Iterable[str] = (),
    decided: Iterable[tuple[str, str]] = (),
) -> list[Drawn]:
    """About `pairs` pairs at random from each stratum of the links that stand, in an order that tells nothing.

    Pairs that people decided are theirs and not the machine's, and are left out, as is every pair of a record in `without`. Raises
    SampleError where no night has linked yet.
    """
    if not con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'linkage_judged' LIMIT 1").fetchone():
        raise SampleError("no night has linked records yet; run tessera nightly first")
    # A record left out is one with itself, so that both lists are pairs.
    for table, listed in (
        ("t_without", [[record, record] for record in without]),
        ("t_decided", [sorted(pair) for pair in decided]),
    ):
        con.execute(f"CREATE OR REPLACE TEMP TABLE {table} (a VARCHAR, b VARCHAR)")
        if listed:
            con.executemany(f"INSERT INTO {table} VALUES (?, ?)", listed)
    try:
        _frame(con, len(model.blocking), max_block)
        sizes = dict(con.execute("SELECT stratum, count(*) FROM t_frame GROUP BY stratum").fetchall())
        wanted = allocate(sizes, pairs)
        drawn: list[Drawn] = []
        for name, number in wanted.items():
            rows = con.execute(
                "SELECT a, b FROM t_frame WHERE stratum = ? ORDER BY hash(a, b, ?), a, b LIMIT ?", [name, seed, number]
            ).fetchall()
            drawn += [Drawn(a, b, name, sizes[name]) for a, b in rows]
        # The order in which they are asked: of all strata mixed, or it would tell what the machine holds.
        order = con.execute(
            "SELECT i FROM (SELECT unnest(range(?)) AS i) ORDER BY hash(i, ?)", [len(drawn), seed]
        ).fetchall()
        return [drawn[index] for (index,) in order]
    finally:
        for table in ("t_frame", "t_held", "t_without", "t_decided"):
            con.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _frame(con: duckdb.DuckDBPyConnection, rules: int, max_block: int) -> None:
    """`t_frame`: every pair that is one person's, and every pair that was compared and is not, each with its stratum."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE t_held AS
        SELECT record_id, number, person_id, how FROM link JOIN linkage_seen USING (record_id)
        WHERE unlinked_at IS NULL AND record_id NOT IN (SELECT a FROM t_without)
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE t_frame AS
        WITH blocked AS (
            SELECT number, hash(rule, key) AS key FROM linkage_key WHERE rule < {rules}
            QUALIFY count(*) OVER (PARTITION BY rule, key) BETWEEN 2 AND {max_block}
        ),
        compared AS (
            SELECT DISTINCT x.number AS a, y.number AS b FROM blocked x JOIN blocked y ON x.key = y.key AND x.number < y.number
        ),
        judged AS (SELECT least(a, b) AS a, greatest(a, b) AS b, min(tier) AS tier FROM linkage_judged GROUP BY ALL),
        numbered AS (
            SELECT x.number AS a, y.number AS b FROM t_held x JOIN t_held y ON x.person_id = y.person_id AND x.number < y.number
            UNION SELECT a, b FROM judged UNION SELECT a, b FROM compared
        ),
        told AS (
            SELECT least(x.record_id, y.record_id) AS a, greatest(x.record_id, y.record_id) AS b, x.person_id = y.person_id AS together,
                   x.how = 'clerical' AND y.how = 'clerical' AS by_people, tier
            FROM numbered n JOIN t_held x ON x.number = n.a JOIN t_held y ON y.number = n.b LEFT JOIN judged USING (a, b)
        )
        SELECT a, b, CASE WHEN together THEN CASE WHEN tier <= 1 THEN 'number' WHEN tier = 2 THEN 'model' WHEN tier = 3 THEN 'thin'
                                              ELSE 'through_others' END
                          WHEN q.record_id_a IS NOT NULL THEN 'asked' WHEN tier IS NOT NULL THEN 'doubted' ELSE 'compared' END AS stratum
        FROM told LEFT JOIN potential_match q
            ON least(q.record_id_a, q.record_id_b) = a AND greatest(q.record_id_a, q.record_id_b) = b
        ANTI JOIN t_decided d ON d.a = told.a AND d.b = told.b
        WHERE NOT (together AND by_people)
    """)


def allocate(sizes: Mapping[str, int], pairs: int) -> dict[str, int]:
    """How many to draw of each stratum: Neyman's shares by size and guessed spread, at least LEAST_DRAWN, never more than there are."""
    spread = {name: size * math.sqrt(STRATA[name].guess * (1 - STRATA[name].guess)) for name, size in sizes.items()}
    whole = sum(spread.values())
    return {
        name: min(size, max(LEAST_DRAWN, round(pairs * spread[name] / whole))) if whole else 0
        for name, size in sorted(sizes.items())
    }


@dataclass(frozen=True)
class Estimate:
    """A share with the limits within which it lies 19 times in 20, and how many answered pairs it rests on."""

    share: float
    low: float
    high: float
    pairs: int


# Of one stratum: its pairs, how many were answered, how many of those were said to be one person.
Counted = tuple[float, int, int]


def exact(yes: int, answered: int) -> tuple[float, float]:
    """Within which limits a share lies at least 19 times in 20, whatever it is."""
    low = float(betaincinv(yes, answered - yes + 1, 0.025)) if yes else 0.0
    high = float(betaincinv(yes + 1, answered - yes, 0.975)) if yes < answered else 1.0
    return low, high


def _sum(strata: Sequence[Counted]) -> tuple[float, float, float]:
    """How many pairs are one person's, with limits. Each stratum's exact limits, narrowed by what share of it was looked at."""
    total, below, above = 0.0, 0.0, 0.0
    for size, answered, yes in strata:
        share = yes / answered
        low, high = exact(yes, answered)
        rest = math.sqrt(max(0.0, 1 - answered / size)) if size else 0.0
        total += size * share
        below += (size * (share - low) * rest) ** 2
        above += (size * (high - share) * rest) ** 2
    return total, max(0.0, total - math.sqrt(below)), min(sum(row[0] for row in strata), total + math.sqrt(above))


def _precision(accepted: Sequence[Counted]) -> Estimate | None:
    held = sum(size for size, _, _ in accepted)
    if not held:
        return None
    right, low, high = _sum(accepted)
    return Estimate(right / held, low / held, high / held, sum(answered for _, answered, _ in accepted))


def _recall(accepted: Sequence[Counted], rejected: Sequence[Counted]) -> Estimate | None:
    """Of the pairs that are one person's and were compared at all, the share that was linked."""
    right, right_low, right_high = _sum(accepted)
    missed, missed_low, missed_high = _sum(rejected)
    if right + missed <= 0:
        return None
    # Limits of missed / right, then of right / (right + missed), which falls as that rises.
    product = missed * right
    over, under = right_high * (2 * right - right_high), right_low * (2 * right - right_low)
    fewest = product - math.sqrt(max(0.0, product**2 - missed_low * (2 * missed - missed_low) * over))
    most = product + math.sqrt(max(0.0, product**2 - missed_high * (2 * missed - missed_high) * under))
    low = 1 / (1 + most / under) if under > 0 else 0.0
    high = 1 / (1 + max(0.0, fewest / over)) if over > 0 else 1.0
    share = right / (right + missed)
    answered = sum(row[1] for row in (*accepted, *rejected))
    return Estimate(share, min(low, share), max(high, share), answered)


def estimate(answered: Iterable[tuple[str, int, bool]], within: Iterable[bool] | None = None) -> dict[str, Estimate]:
    """`precision` and `recall` from answers: per pair its stratum, that stratum's size, and whether it is one person.

    `within` says of each answer whether it belongs to a group; the group's size in each stratum is then itself estimated. Nothing is
    estimated from fewer than FEWEST answers; every stratum that pairs were drawn from needs one.
    """
    rows = list(answered)
    inside = list(within) if within is not None else [True] * len(rows)
    sizes = {stratum: size for stratum, size, _ in rows}
    counted: dict[bool, list[Counted]] = {True: [], False: []}
    for stratum, size in sizes.items():
        of_all = sum(name == stratum for name, _, _ in rows)
        said = [yes for (name, _, yes), here in zip(rows, inside, strict=True) if here and name == stratum]
        if said:
            counted[STRATA[stratum].accepted].append((size * len(said) / of_all, len(said), sum(said)))
    found = {}
    precision, recall = _precision(counted[True]), _recall(counted[True], counted[False])
    if precision and precision.pairs >= FEWEST:
        found["precision"] = precision
    if recall and recall.pairs >= FEWEST:
        found["recall"] = recall
    return found
