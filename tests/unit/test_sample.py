"""Clerical samples: what they estimate is what a truth would say, their limits hold, and small groups and seals are in no figure."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import combinations, pairwise
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import DEFAULT_MODEL, LinkageSettings, evaluate, run
from linkage.quality import Row, from_sample, from_truth, keep
from linkage.sample import STRATA, Drawn, Estimate, SampleError, allocate, draw, estimate
from tests.unit.linkage_world import NOW, SECRET, TODAY, empty_warehouse, world
from tests.unit.test_linkage import families
from warehouse.schema import OPERATIONS

LATER = NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def council() -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
    """Families of several registers, linked; and who each record truly is."""
    records = families(4, children=60)
    con = world(records)
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    for name in ("night", "linkage_quality"):
        con.execute(OPERATIONS[name].ddl())
    for number in (1, 2, 3):
        con.execute("INSERT INTO night (load_id, load_seq) VALUES (?, ?)", [f"L{number}", number])
    return con, {f"{record['feed']}:{record['id']}": record["who"] for record in records}


def drawn(con: duckdb.DuckDBPyConnection, pairs: int, seed: str = "1", **more: Any) -> list[Drawn]:
    return draw(con, pairs=pairs, seed=seed, model=DEFAULT_MODEL, max_block=LinkageSettings().max_block, **more)


def sampled(pairs: list[Drawn]) -> list[dict[str, Any]]:
    return [vars(pair) | {"sample": 1, "drawn_at": NOW} for pair in pairs]


def answers(pairs: list[Drawn], who: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"record_id_a": p.record_id_a, "record_id_b": p.record_id_b, "decided_at": LATER,
         "kind": "must_link" if who[p.record_id_a] == who[p.record_id_b] else "cannot_link"}
        for p in pairs
    ]  # fmt: skip


def figures(rows: list[Row]) -> dict[tuple[str, str, str], Estimate]:
    return {(measure, grouped_by, member): figure for measure, grouped_by, member, figure in rows}


def test_whoever_looks_at_every_pair_knows_what_the_truth_says(council: Any) -> None:
    con, who = council
    pairs = drawn(con, 1_000_000)
    asked = {(pair.record_id_a, pair.record_id_b) for pair in pairs}
    assert len(asked) == len(pairs)
    assert all(a < b for a, b in asked)
    rows = figures(from_sample(con, sampled(pairs), answers(pairs, who), TODAY))
    split = [[*record.replace(":", ".").split("."), person] for record, person in who.items()]
    truth = evaluate(con, pd.DataFrame(split, columns=["agency", "feed", "source_person_id", "true_person_id"])).overall
    precision, recall = rows["precision", "all", ""], rows["recall", "all", ""]
    assert precision.share == precision.low == precision.high == pytest.approx(truth.precision)
    same = {pair for pair in combinations(sorted(who), 2) if who[pair[0]] == who[pair[1]]}
    assert [recall.share, recall.low, recall.high] == pytest.approx([truth.correct / len(same & asked)] * 3)
    assert 0.5 < recall.share < 1, "something is missed, or this shows nothing"
    groups = {grouped_by for _, grouped_by, _ in rows}
    assert {"all", "agencies", "age_band"} <= groups
    assert all(figure.pairs >= 10 for figure in rows.values())


def test_a_draw_is_of_every_stratum_and_tells_nothing_by_its_order(council: Any) -> None:
    con, _ = council
    pairs = drawn(con, 40)
    assert pairs == drawn(con, 40)
    assert pairs != drawn(con, 40, seed="2")
    sizes = {pair.stratum: pair.pairs for pair in pairs}
    assert len(sizes) >= 4
    for stratum, size in sizes.items():
        assert sum(pair.stratum == stratum for pair in pairs) >= min(size, 10)
    order = [STRATA[pair.stratum].accepted for pair in pairs]
    assert sum(a != b for a, b in pairwise(order)) > len(order) / 5, "mixed, not one after the other"


def test_what_is_decided_or_left_out_is_not_drawn(council: Any) -> None:
    con, _ = council
    first, second = ((pair.record_id_a, pair.record_id_b) for pair in drawn(con, 40)[:2])
    left = {
        (pair.record_id_a, pair.record_id_b)
        for pair in drawn(con, 1_000_000, decided=[first[::-1]], without=[second[0]])
    }
    assert first not in left
    assert len(left) > 100
    assert not any(second[0] in pair for pair in left)


def test_nothing_is_estimated_of_what_nobody_looked_at(council: Any) -> None:
    con, who = council
    pairs = drawn(con, 40)
    missing = pairs[0].stratum
    some = [pair for pair in pairs if pair.stratum != missing]
    assert from_sample(con, sampled(pairs), answers(some, who), TODAY) == []
    early = [answer | {"decided_at": NOW - timedelta(hours=1)} for answer in answers(pairs, who)]
    assert from_sample(con, sampled(pairs), early, TODAY) == [], "what was decided before the draw was no blind answer"
    one = answers(pairs, who)
    sealed = next(n for n, pair in enumerate(pairs) if sum(other.stratum == pair.stratum for other in pairs) > 1)
    one[sealed]["kind"] = "seal"
    rest = [pair for number, pair in enumerate(pairs) if number != sealed]
    assert from_sample(con, sampled(pairs), one, TODAY) == from_sample(con, sampled(rest), answers(rest, who), TODAY)


def test_no_night_no_sample() -> None:
    with pytest.raises(SampleError, match="run tessera nightly first"):
        drawn(empty_warehouse(), 10)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_an_estimate_lies_within_its_limits(data: st.DataObject) -> None:
    answered = []
    for name in data.draw(st.sets(st.sampled_from(sorted(STRATA)), min_size=1)):
        said = data.draw(st.lists(st.booleans(), min_size=1, max_size=40))
        size = len(said) + data.draw(st.integers(0, 10_000))
        answered += [(name, size, yes) for yes in said]
    for figure in estimate(answered).values():
        assert 0 <= figure.low <= figure.share <= figure.high <= 1
        assert figure.pairs >= 10


def test_limits_hold_nineteen_times_in_twenty() -> None:
    rng = random.Random(5)
    sizes = {
        "number": 6000,
        "model": 6000,
        "thin": 500,
        "through_others": 3000,
        "asked": 90,
        "doubted": 400,
        "compared": 20_000,
    }
    rates = {
        "number": 0.9995,
        "model": 0.998,
        "thin": 0.96,
        "through_others": 0.995,
        "asked": 0.8,
        "doubted": 0.1,
        "compared": 0.0005,
    }
    pairs = {name: [rng.random() < rates[name] for _ in range(size)] for name, size in sizes.items()}
    accepted = [name for name in sizes if STRATA[name].accepted]
    right = sum(sum(pairs[name]) for name in accepted)
    missed = sum(sum(said) for name, said in pairs.items() if name not in accepted)
    true = {"precision": right / sum(sizes[name] for name in accepted), "recall": right / (right + missed)}
    wanted = allocate(sizes, 300)
    assert sum(wanted.values()) == pytest.approx(300, abs=10)
    held = dict.fromkeys(true, 0)
    for _ in range(200):
        found = estimate([(name, sizes[name], yes) for name in sizes for yes in rng.sample(pairs[name], wanted[name])])
        for measure, share in true.items():
            held[measure] += found[measure].low <= share <= found[measure].high
    # 19 in 20 of 200 is 190; three standard errors below that.
    assert min(held.values()) >= 181


def test_a_fall_is_told_once_it_is_more_than_chance(council: Any) -> None:
    con, _ = council
    good, bad = Estimate(0.99, 0.985, 0.994, 2000), Estimate(0.95, 0.94, 0.958, 2000)
    row = ("recall", "sex", "F")
    assert keep(con, "L1", "1", [(*row, good)]) == []
    assert keep(con, "L2", "1", [(*row, bad)]) == [], "the same sample, of which more was answered"
    assert keep(con, "L2", "2", [(*row, Estimate(0.985, 0.95, 0.999, 40))]) == []
    (told,) = keep(con, "L2", "2", [(*row, bad)])
    assert told == "recall of the links (sex F) fell to 95.0% (94.0% to 95.8%) from 99.0%"
    assert keep(con, "L2", "2", [(*row, bad)]) == [told], "again changes nothing"
    assert con.execute("SELECT count(*) FROM linkage_quality WHERE load_id = 'L2'").fetchone() == (1,)
    assert keep(con, "L3", "2", [(*row, bad)]) == [told], "for as long as that sample is the newest"


def test_a_truth_knows_every_pair_and_of_small_groups_nothing_is_kept(council: Any) -> None:
    con, who = council
    split = [[*record.replace(":", ".").split("."), person] for record, person in who.items()]
    truth = pd.DataFrame(split, columns=["agency", "feed", "source_person_id", "true_person_id"])
    truth["sex"] = ["F" if number < 3 else "M" for number in range(len(truth))]
    absent = truth.iloc[:1].assign(source_person_id="never received")
    rows = figures(from_truth(con, pd.concat([truth, absent])))
    whole = evaluate(con, truth).overall
    assert rows["recall", "all", ""].share == whole.recall
    assert rows["precision", "all", ""].pairs == whole.linked_pairs
    assert ("recall", "sex", "M") in rows
    assert ("recall", "sex", "F") not in rows
