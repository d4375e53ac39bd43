"""Fits the model's rates to a deployment's own records: explicitly, never within a night.

m, how often two records of one person show a level, is counted on pairs that a trusted number anchors across agencies, and on the pairs
that people said yes to. Not on pairs that share a birth date and a surname or postcode: twins fill those, and the model would learn that
twins are one child. u, how often two records of different people show it, is counted on random pairs.

What lives here: counting and the limits of what counting may change. What must not: a threshold, a truth file, the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from linkage.model import Comparison, Level, LinkageSettings, Model
from linkage.prepare import prepare, scratch

# Attributes whose rates stay as argued for in model.py. Numbers anchor the pairs, so of them nothing can be counted; and a different sex or
# postcode is held to what it means: anchored pairs hold the clerical errors that put one twin's number on the other.
HELD = ("adult_birth", "sex", "postcode", "address", "nhs", "upn")
# Levels whose rates are of pairs where one side knows no more (a year, an initial, one name): not of all pairs, so not to be counted so.
HELD_LEVELS = ("partial_month", "partial_year", "initial", "one_name", "alone")
# What was argued for counts as much as this many pairs: a thousand anchored pairs outweigh it, a handful does not.
BELIEF = 200.0
# No weight moves further than this from what was argued for (a factor of 8 in the odds, as in a contest), and none changes sides: rules
# are worded by whether a level speaks for or against.
MOST_BITS = 3.0
RANDOM_PAIRS = 1_000_000


class TrainingError(Exception):
    """There is not enough to learn from; says what is missing."""


@dataclass(frozen=True)
class Fitted:
    """A level's rates before and after, for a person to read before they use the model."""

    comparison: str
    level: str
    words: str
    pairs: int
    weight_before: float
    weight_after: float


@dataclass(frozen=True)
class Training:
    """A fitted model, not yet kept, and what it rests on."""

    model: Model
    anchored: int
    confirmed: int
    fitted: tuple[Fitted, ...]


def train(
    con: duckdb.DuckDBPyConnection,
    *,
    today: date,
    settings: LinkageSettings,
    confirmed: Iterable[tuple[str, str]] = (),
) -> Training:
    """Counts the levels of anchored, confirmed and random pairs, and gives the model with its rates. Writes nothing."""
    with scratch(con) as cursor:
        prepare(cursor, settings, today)
        said = [list(pair) for pair in confirmed]
        cursor.execute("CREATE TABLE said (record_id_a VARCHAR, record_id_b VARCHAR)")
        if said:
            cursor.executemany("INSERT INTO said VALUES (?, ?)", said)
        # A number that one register holds on two records may be a twin's, typed on the other: it anchors nothing.
        cursor.execute("""
            CREATE TABLE anchored AS
            WITH holder AS (
                SELECT DISTINCT n.value, n.rid, p.agency, p.source FROM number n JOIN person p USING (rid) WHERE n.kind = 'national'
            ),
            sound AS (SELECT value FROM holder GROUP BY value HAVING count(*) = count(DISTINCT source) AND count(DISTINCT agency) > 1)
            SELECT DISTINCT least(x.rid, y.rid) AS a, greatest(x.rid, y.rid) AS b FROM holder x JOIN holder y USING (value)
            SEMI JOIN sound USING (value) WHERE x.rid < y.rid AND x.agency <> y.agency
        """)
        cursor.execute("""
            CREATE TABLE confirmed AS
            SELECT DISTINCT least(x.rid, y.rid) AS a, greatest(x.rid, y.rid) AS b FROM said
            JOIN record x ON x.record_id = record_id_a JOIN record y ON y.record_id = record_id_b WHERE x.rid <> y.rid
        """)
        cursor.execute("CREATE TABLE one_person AS SELECT a, b FROM anchored UNION SELECT a, b FROM confirmed")
        (anchored, yes) = cursor.execute(
            "SELECT (SELECT count(*) FROM anchored), (SELECT count(*) FROM confirmed)"
        ).fetchall()[0]
        if anchored + yes < BELIEF:
            raise TrainingError(
                f"{anchored} pair(s) anchored by a number across agencies and {yes} confirmed by people; at least {BELIEF:.0f} are needed. "
                "The model stays as it is"
            )
        # The n-th record beside one a fixed, unrelated way further on: as good as random, and the same every time.
        cursor.execute(f"""
            CREATE TABLE random_pair AS
            WITH drawn AS (SELECT CAST(hash(i, 'a') % n AS BIGINT) AS x, CAST(hash(i, 'b') % n AS BIGINT) AS y
                           FROM range({RANDOM_PAIRS}) t(i), (SELECT count(*) AS n FROM record))
            SELECT least(x, y) AS a, greatest(x, y) AS b FROM drawn WHERE x <> y AND (least(x, y), greatest(x, y)) NOT IN
                (SELECT (a, b) FROM one_person)
        """)
        model, fitted = settings.model, []
        comparisons = []
        for comparison in model.comparisons:
            if comparison.name in HELD:
                comparisons.append(comparison)
                continue
            of_one, of_others = (_count(cursor, comparison, pairs) for pairs in ("one_person", "random_pair"))
            levels = tuple(_fit(level, of_one, of_others) for level in comparison.levels)
            comparisons.append(replace(comparison, levels=levels))
            fitted += [
                Fitted(comparison.name, new.name, new.words, of_one.get(new.name, 0), old.weight, new.weight)
                for old, new in zip(comparison.levels, levels, strict=True)
            ]
    return Training(replace(model, comparisons=tuple(comparisons)), anchored, yes, tuple(fitted))


def _count(cursor: duckdb.DuckDBPyConnection, comparison: Comparison, pairs: str) -> dict[str, int]:
    """How many pairs show each level; those that say nothing, or show a held level, are left out."""
    columns = [row[0] for row in cursor.execute("DESCRIBE person").fetchall()]
    sides = ", ".join(f"{side}.{name} AS {name}_{side}" for side in "lr" for name in columns)
    cases = " ".join(f"WHEN {level.sql} THEN '{level.name}'" for level in comparison.levels if level.sql)
    rest = next(level.name for level in comparison.levels if not level.sql)
    counts: dict[str, int] = dict(
        cursor.execute(f"""
            SELECT CASE {cases} ELSE '{rest}' END AS level, count(*)
            FROM (SELECT {sides} FROM {pairs} JOIN person l ON l.rid = a JOIN person r ON r.rid = b)
            WHERE NOT coalesce({comparison.missing}, false) GROUP BY level
        """).fetchall()
    )
    return {level: count for level, count in counts.items() if level not in HELD_LEVELS}


def _fit(level: Level, of_one: dict[str, int], of_others: dict[str, int]) -> Level:
    """The level with its counted rates, drawn towards what was argued for, within what counting may change."""
    if level.name in HELD_LEVELS:
        return level
    m = _drawn(of_one.get(level.name, 0), sum(of_one.values()), level.m)
    u = _drawn(of_others.get(level.name, 0), sum(of_others.values()), level.u)
    fitted = replace(level, m=m, u=u)
    sides = (1.0, float("inf")) if level.weight > 0 else (float("-inf"), -1.0)
    # Within the bounds by way of u: m is what the anchored pairs say.
    least, most = max(level.weight - MOST_BITS, sides[0]), min(level.weight + MOST_BITS, sides[1])
    if least > most:  # argued for with less than one bit: it stays
        return level
    weight = min(max(fitted.weight, least), most)
    return replace(fitted, u=min(m / 2**weight, 1.0)) if weight != fitted.weight else fitted


def _drawn(seen: int, trials: int, argued: float) -> float:
    return (seen + BELIEF * argued) / (trials + BELIEF)
