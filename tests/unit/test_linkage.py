"""Linkage on small made-up councils: what holds for any of them, decisions, bad input, and what may be said of a person."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkage import DEFAULT_MODEL, LinkageSettings, Model, evaluate, explain, link, run
from linkage.components import best_first, components
from linkage.evaluate import TruthError, gap_by_chance, read_truth, wilson
from linkage.memory import REMEMBERED
from tests.unit.linkage_world import NOW, SECRET, TODAY, add, nhs_number, upn, world

GIVEN = ["Ella", "Elle", "Noah", "Jack", "Aisha", "Muhammad", "Zofia", "Priya", "Sam", "Grace", "Leo", "Ruby"]
FAMILY = ["Khan", "Smith", "Jones", "O'Brien", "Patel", "Nowak"]
REGISTERS = ["health.fhir", "school.ctf", "social_care.ssd"]


def families(seed: int, children: int = 30) -> list[dict[str, Any]]:
    """Children with siblings and twins, each at most once per register, with slips of the keyboard and missing values."""
    chance = random.Random(seed)
    records: list[dict[str, Any]] = []
    known: set[tuple[str, str, date]] = set()
    while len(known) < children:
        family = chance.choice(FAMILY)
        postcode = f"TS{chance.randrange(1, 30)} {chance.randrange(1, 9)}AB"
        born = date(2009, 1, 2) + timedelta(days=chance.randrange(6000))
        for _ in range(chance.choice([1, 1, 2, 3])):
            if chance.random() < 0.6:
                born = date(2009, 1, 2) + timedelta(days=chance.randrange(6000))  # else a twin
            given = chance.choice(GIVEN)
            if (given, family, born) in known:
                continue
            known.add((given, family, born))
            who = str(len(known))
            for feed in REGISTERS:
                if chance.random() < 0.7:
                    written = given if chance.random() < 0.9 else given[:-1] + chance.choice("aeiou")
                    records.append(
                        {
                            "feed": feed,
                            "id": f"{feed[:2]}{who}",
                            "given": written,
                            "family": family,
                            "dob": born if chance.random() < 0.9 else None,
                            "postcode": postcode if chance.random() < 0.9 else None,
                            "nhs": nhs_number(len(known)) if feed != "school.ctf" and chance.random() < 0.6 else None,
                            "nhs_status": "01" if feed == "health.fhir" else None,
                            "upn": upn(len(known)) if feed == "school.ctf" else None,
                            "who": who,
                        }
                    )
    return records


def clusters(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("SELECT record_id, cluster_id FROM linkage_cluster").fetchall())


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000))
def test_any_council(seed: int) -> None:
    records = families(seed)
    con = world(records)
    link(con, load_id="L1", today=TODAY)
    found = clusters(con)
    assert len(found) == len(records), "every record is somebody's"
    per_source = pd.Series(list(found)).str.split(":").str[0] + pd.Series(list(found.values()))
    assert per_source.is_unique, "at most one record per source and person"

    shuffled = records[:]
    random.Random(seed).shuffle(shuffled)
    again = world(shuffled)
    link(again, load_id="L1", today=TODAY)
    columns = "record_id, cluster_id, how, match_probability, evidence, best_record_id, rival_record_id"
    questions = "SELECT record_id_a, record_id_b, reason FROM linkage_question ORDER BY ALL"
    rows = f"SELECT {columns} FROM linkage_cluster ORDER BY ALL"
    assert con.execute(rows).fetchall() == again.execute(rows).fetchall(), "the order of rows decides nothing"
    assert con.execute(questions).fetchall() == again.execute(questions).fetchall()

    together = [(a, b) for a, head in found.items() for b in found if a < b and found[b] == head][:3]
    if together:
        link(
            con,
            load_id="L2",
            today=TODAY,
            decisions=[("cannot_link", a, b, "reviewer", "not her", NOW) for a, b in together],
        )
        apart = clusters(con)
        assert all(apart[a] != apart[b] for a, b in together), "a person's no stands"
        asked = con.execute("SELECT record_id_a, record_id_b FROM linkage_question").fetchall()
        assert not {frozenset(pair) for pair in together} & {frozenset(pair) for pair in asked}, "nobody is asked twice"


def two_and_a_stranger() -> list[dict[str, Any]]:
    same = {"given": "Ruby", "family": "Patel", "dob": date(2014, 5, 6), "sex": "F", "postcode": "TS1 1AA"}
    return [
        same | {"feed": "health.fhir", "id": "A"},
        same | {"feed": "school.ctf", "id": "B", "role": "child"},
        {
            "feed": "social_care.ssd",
            "id": "C",
            "given": "Leo",
            "family": "Nowak",
            "dob": date(2011, 1, 9),
            "postcode": "TS9 9ZZ",
        },
    ]


@pytest.mark.slow
def test_people_always_win() -> None:
    con = world(two_and_a_stranger())
    a, b, c = "health.fhir:A", "school.ctf:B", "social_care.ssd:C"
    link(con, load_id="L1", today=TODAY)
    assert clusters(con)[a] == clusters(con)[b] != clusters(con)[c]
    later = NOW + timedelta(hours=1)
    decisions = [
        ("cannot_link", b, a, "reviewer", "spoke to the school", NOW),
        ("must_link", a, c, "reviewer", "same child", NOW),
    ]
    link(con, load_id="L2", today=TODAY, decisions=decisions)
    assert clusters(con)[a] == clusters(con)[c] != clusters(con)[b]
    how = con.execute("SELECT how, decided_by FROM linkage_cluster WHERE record_id = ?", [c]).fetchone()
    assert how == ("clerical", "reviewer")
    link(con, load_id="L3", today=TODAY, decisions=[*decisions, ("must_link", a, b, "reviewer", "erred", later)])
    assert len(set(clusters(con).values())) == 1, "a later decision undoes an earlier one"


def test_a_seal_hides_the_other_side() -> None:
    con = world(two_and_a_stranger())
    a, b = "health.fhir:A", "school.ctf:B"
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET, decisions=[("seal", a, b, "panel", "adoption", NOW)])
    assert clusters(con)[a] != clusters(con)[b]
    assert con.execute("SELECT count(*) FROM potential_match").fetchone() == (0,)
    shown = str(explain(con, a))
    assert b not in shown
    assert "seal" not in shown


@pytest.mark.slow
def test_the_same_night_again_changes_nothing() -> None:
    con = world(families(5))
    tables = ("person", "link", "identity_change", "potential_match", "household")
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    before = {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables}
    again = run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    assert {table: con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables} == before
    assert (again.identity.created, again.identity.links_written) == (0, 0)
    rebuilt = world(families(5))
    run(rebuilt, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    assert rebuilt.execute("SELECT * FROM link ORDER BY ALL").fetchall() == before["link"], (
        "a rebuild issues the same identifiers"
    )


def test_nothing_is_left_in_the_warehouse() -> None:
    con = world(two_and_a_stranger())
    before = {row[0] for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    after = {row[0] for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert after - before == {"linkage_cluster", "linkage_question"} | REMEMBERED
    assert con.execute("SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE 'linkage%'").fetchone() == (0,)


def test_an_empty_warehouse() -> None:
    con = world([])
    report = run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    assert (report.linkage.records, report.identity.persons) == (0, 0)


@pytest.mark.parametrize("column", ["given", "family", "dob", "postcode"])
def test_a_column_that_says_one_thing_for_everybody(column: str) -> None:
    """A default of some system must not draw everybody together, and is reported by column and count."""
    records = []
    constant = {"given": "Child", "family": "Smith", "dob": date(2010, 1, 2), "postcode": "TS1 1AA"}[column]
    if column == "given":
        constant = "Sam"
    for number in range(700):
        record = {
            "feed": "health.fhir" if number % 2 else "school.ctf",
            "id": str(number),
            "given": GIVEN[number % len(GIVEN)],
            "family": FAMILY[number % len(FAMILY)],
            "dob": date(2009, 1, 2) + timedelta(days=number // 2 * 8),
            "postcode": f"TS{number // 2} 1AA",
        }
        records.append(record | {column: constant})
    con = world(records)
    report = link(con, load_id="L1", today=TODAY)
    sizes = pd.Series(clusters(con)).value_counts()
    assert sizes.max() <= 2
    named = {"dob": "birth"}.get(column, column)
    assert any(finding.column == named and finding.records == 700 for finding in report.findings)
    assert str(constant) not in " ".join(finding.message for finding in report.findings)


def test_one_number_on_everybody() -> None:
    records = [
        {"feed": "health.fhir", "id": str(n), "given": GIVEN[n % 12], "family": FAMILY[n % 6], "nhs": "9434765919",
         "dob": date(2009, 1, 2) + timedelta(days=n * 31), "postcode": f"TS{n} 1AA"}
        for n in range(150)
    ]  # fmt: skip
    con = world(records)
    report = link(con, load_id="L1", today=TODAY)
    assert pd.Series(clusters(con)).value_counts().max() == 1
    assert any("nhs" in finding.message and "150" in finding.message for finding in report.findings)


def test_no_value_of_a_person_leaves_linkage(caplog: pytest.LogCaptureFixture) -> None:
    con = world(
        [
            {
                "feed": "health.fhir",
                "id": "A",
                "given": "Zzcanary",
                "family": "Qxcanary",
                "dob": date(2012, 3, 4),
                "postcode": "TS1 1AA",
            },
            {
                "feed": "school.ctf",
                "id": "B",
                "given": "Zzcanary",
                "family": "Qxcanary",
                "dob": date(2012, 3, 4),
                "postcode": "TS1 1AA",
            },
        ]
    )
    report = run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    said = [str(report), caplog.text, str(explain(con, "health.fhir:A"))]
    for table in (
        "link",
        "identity_change",
        "potential_match",
        "linkage_cluster",
        "linkage_question",
        "linkage_seen",
        "linkage_judged",
        "linkage_disputed",
        "linkage_full_key",
        "linkage_basis",
        "person",
        "household",
    ):
        said.append(str(con.execute(f"SELECT * FROM {table}").fetchall()))
    for secret in ("canary", "2012-03-04", "TS1"):
        assert secret not in " ".join(said).lower().replace("ts1", "TS1")
    assert clusters(con)["health.fhir:A"] == clusters(con)["school.ctf:B"]


def test_household_by_address_and_by_what_a_source_states() -> None:
    home = {"family": "Jones", "postcode": "TS2 2BB", "address": "1 High Street"}
    con = world(
        [
            home | {"feed": "health.fhir", "id": "A", "given": "Jack", "dob": date(2012, 2, 3)},
            home | {"feed": "school.ctf", "id": "B", "given": "Grace", "dob": date(2014, 2, 3), "address": "1, HIGH STREET"},
            {"feed": "health.fhir", "id": "C", "given": "Leo", "family": "Jones", "dob": date(2016, 2, 3), "postcode": "TS2 2BB"},
            {"feed": "social_care.ssd", "id": "D", "given": "Priya", "family": "Jones", "dob": date(2010, 5, 5),
             "relations": [("health.fhir:C", "sibling", True)]},
        ]
    )  # fmt: skip
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    rows = con.execute(
        "SELECT basis, list_sort(list(l.record_id)), min(household_id) FROM household h JOIN link l USING (person_id)"
        " GROUP BY basis, household_id ORDER BY basis"
    ).fetchall()
    assert [row[:2] for row in rows] == [
        ("same_address", ["health.fhir:A", "school.ctf:B"]),
        ("stated_relationship", ["health.fhir:C", "social_care.ssd:D"]),
    ]
    add(con, [home | {"feed": "health.fhir", "id": "E", "given": "Ruby", "dob": date(2020, 1, 9)}])
    run(con, load_id="L2", now=NOW, today=TODAY, secret=SECRET)
    kept = con.execute("SELECT DISTINCT household_id FROM household WHERE basis = 'same_address'").fetchall()
    assert kept == [(rows[0][2],)], "a household keeps its identifier while its people stay"


def test_explain_follows_an_old_identifier() -> None:
    con = world(two_and_a_stranger())
    a, b = "health.fhir:A", "school.ctf:B"
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET, decisions=[("cannot_link", a, b, "r", "no", NOW)])
    before = {explain(con, a)["person_id"], explain(con, b)["person_id"]}
    assert len(before) == 2
    run(con, load_id="L2", now=NOW, today=TODAY, secret=SECRET)
    found = {explain(con, person)["person_id"] for person in before}
    assert len(found) == 1
    told = explain(con, found.pop())
    assert [record["how"] for record in told["records"]] == ["probabilistic", "probabilistic"]
    assert "same date of birth" in told["records"][0]["in_words"]
    assert {change["change"] for change in told["history"]} == {"created", "merged", "retired"}
    with pytest.raises(KeyError):
        explain(con, "P000000000000")


def test_evaluate_counts_pairs() -> None:
    records = families(11)
    con = world(records)
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    truth = pd.DataFrame(
        {"source_person_id": [r["id"] for r in records], "true_person_id": [r["who"] for r in records]}
    )
    truth[["agency", "feed"]] = [r["feed"].split(".") for r in records]
    truth.loc[len(truth)] = {"agency": "health", "feed": "fhir", "source_person_id": "gone", "true_person_id": "1"}
    found = evaluate(con, truth)
    by_pair = con.execute("SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL").df()
    truth["record_id"] = truth.agency + "." + truth.feed + ":" + truth.source_person_id
    joined = truth.merge(by_pair, on="record_id", how="left")
    pairs = joined.merge(joined, how="cross")
    pairs = pairs[pairs.record_id_x < pairs.record_id_y]
    true, linked = pairs.true_person_id_x == pairs.true_person_id_y, pairs.person_id_x == pairs.person_id_y
    assert (found.overall.true_pairs, found.overall.linked_pairs, found.overall.correct) == (
        true.sum(),
        linked.sum(),
        (true & linked).sum(),
    )
    assert found.missing == {"health.fhir": 1}
    between = found.by_agency_pair["health~school"]
    across = (
        (pairs.agency_x != pairs.agency_y)
        & pairs.agency_x.isin(["health", "school"])
        & pairs.agency_y.isin(["health", "school"])
    )
    assert between.true_pairs == (true & across).sum()


def test_wilson_interval() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(999, 1000)
    assert 0.994 < low < 0.999 < high < 1


def test_a_gap_between_groups_is_held_against_what_chance_gives() -> None:
    chance = np.random.default_rng(4)

    def council(worse: float) -> tuple[float, float]:
        """Two hundred children of four records; a twentieth has one that is linked nowhere, of the last group `worse` more."""
        group = chance.choice(list("abcd"), 200)
        split = chance.random(200) < 0.05 + worse * (group == "d")
        frame = pd.DataFrame({"who": np.repeat(np.arange(200), 4), "group": np.repeat(group, 4)})
        frame["found"] = frame.who.where(~(np.repeat(split, 4) & (np.arange(800) % 4 == 0)), 1000 + frame.who)
        recall = pd.Series(np.where(split, 0.5, 1.0)).groupby(group).mean()
        return recall.max() - recall.min(), gap_by_chance(frame, "group", list("abcd"))

    by_chance = [gap > limit for gap, limit in (council(0) for _ in range(16))]
    assert sum(by_chance) <= 3, "about one in twenty"
    assert all(gap > limit for gap, limit in (council(0.6) for _ in range(3)))


def test_components_and_best_first() -> None:
    label = components(6, np.array([4, 1, 2]), np.array([5, 2, 0]))
    assert label.tolist() == [0, 0, 0, 3, 4, 4]
    chain = [(0, 1, 2), (1, 2, 2)]
    pairs = [(0, 1), (1, 2)]
    assert best_first(range(3), chain, lasting=[(0, 2)], support=pairs) == [(0, 1)]
    assert best_first(range(3), chain, soft=[(0, 2)], support=pairs) == [(0, 1)]
    assert len(best_first(range(3), [(0, 1, 1), (1, 2, 1)], soft=[(0, 2)])) == 2, "a number overrides one wrong date"
    square = [(2, 3, 1), (0, 1, 2), (0, 2, 2), (1, 2, 2)]
    assert len(best_first(range(4), square, soft=[(0, 3)], support=[(0, 2), (1, 2)])) == 3, (
        "the odd one out is the error"
    )
    # 0 and 1 are namesakes; 2 is refused by the company of 0 (because of 3) and must not fall to 1 instead.
    refused = [(0, 3, 1), (0, 2, 2), (1, 2, 2)]
    assert best_first(range(4), refused, lasting=[(0, 1), (2, 3)]) == [(0, 3)]
    detour, detour_pairs = [(0, 1, 2), (1, 2, 2)], [(0, 1), (1, 2)]
    claims = {(0, 1): 9.0, (0, 2): 12.0, (1, 2): 8.0}
    assert best_first(range(3), detour, contested=[(0, 2)], claims=claims, margin=3.0, support=detour_pairs) == [
        (0, 1)
    ], "what is contested does not meet by way of a pair no better"
    claims[1, 2] = 20.0
    assert len(best_first(range(3), detour, contested=[(0, 2)], claims=claims, margin=3.0, support=detour_pairs)) == 2
    told = [(0, 1, -1), (1, 2, -1)]
    assert len(best_first(range(3), told, lasting=[(0, 2)])) == 2, "people override vetoes"
    assert len(best_first(range(3), told, decided=[(0, 2)])) == 1, "but not people"


def test_model_is_data() -> None:
    for comparison in DEFAULT_MODEL.comparisons:
        for level in comparison.levels:
            assert 0 < level.m < 1
            assert 0 < level.u < 1
    sex = DEFAULT_MODEL.comparison("sex")
    with pytest.raises(ValueError, match="same weight"):
        replace(sex, levels=tuple(replace(level, u=level.m / 2) for level in sex.levels))


@pytest.mark.parametrize(("born", "weighed"), [(date(1971, 5, 8), True), (date(2011, 5, 8), False)])
def test_the_date_of_an_adult_is_one_of_more_dates_than_that_of_a_child(born: date, weighed: bool) -> None:
    someone = {"given": "Ella", "family": "Khan", "dob": born, "postcode": "TS1 1AB"}
    con = world([someone | {"feed": feed, "id": "1"} for feed in ("health.fhir", "social_care.ssd")])
    link(con, load_id="L1", today=TODAY)
    levels = {level for (row,) in con.execute("SELECT levels FROM linkage_cluster").fetchall() for level in row.split()}
    assert "birth:exact" in levels
    assert ("adult_birth:day" in levels) is weighed


def test_model_survives_a_file(tmp_path: Any) -> None:
    DEFAULT_MODEL.save(tmp_path / "model.json")
    assert Model.read(tmp_path / "model.json") == DEFAULT_MODEL
    assert LinkageSettings().model.version == "tessera-1"


def children(number: int, **same: Any) -> list[dict[str, Any]]:
    """Each at two agencies, with names, dates and homes of their own."""
    return [
        {
            "feed": feed,
            "id": f"{child}",
            "given": GIVEN[child % len(GIVEN)],
            "family": FAMILY[child % len(FAMILY)],
            "dob": date(2009, 1, 2) + timedelta(days=child * 8),
            "postcode": f"TS{child} 1AA",
        }
        | same
        for child in range(number)
        for feed in ("health.fhir", "school.ctf")
    ]


@pytest.mark.parametrize("column", ["given", "family"])
def test_a_blank_name_column(column: str) -> None:
    con = world(children(350, **{column: None}))
    report = link(con, load_id="L1", today=TODAY)
    assert pd.Series(clusters(con)).value_counts().max() <= 2
    assert f"{column}: no usable value in any of 700 records" in [finding.message for finding in report.findings]


def test_all_birth_dates_on_the_first_of_january() -> None:
    records = children(600)
    for record in records:
        record["dob"] = date(record["dob"].year, 1, 1)
    con = world(records)
    report = link(con, load_id="L1", today=TODAY)
    assert pd.Series(clusters(con)).value_counts().max() <= 6
    said = [finding.message for finding in report.findings if finding.column == "birth"]
    assert any("600 of 600 dates of school.ctf" in message for message in said)


def test_a_source_that_writes_names_in_each_others_column() -> None:
    """Two others tell which column is right; the crossed records are linked all the same."""
    records = children(200)
    records += [
        record | {"feed": "police.ppn", "given": record["family"], "family": record["given"]} for record in records[::2]
    ]
    con = world(records)
    report = link(con, load_id="L1", today=TODAY)
    sizes = pd.Series(clusters(con)).value_counts()
    assert sizes.max() <= 3
    assert (sizes == 3).sum() > 150
    said = [finding.message for finding in report.findings if finding.column == "given, family"]
    assert len(said) == 1
    assert "200 records of police.ppn" in said[0]
    assert not any(name in said[0] for name in (*GIVEN, *FAMILY))


def test_blocking_keys_that_would_explode() -> None:
    """A home, surname and initial that three hundred records share: capped and told, and nobody drawn together."""
    records = [
        {"feed": "health.fhir", "id": str(n), "given": f"A{chr(97 + n % 20)}{chr(97 + n // 20)}ke", "family": FAMILY[0],
         "postcode": "TS1 1AA", "dob": date(2009, 1, 2) + timedelta(days=n * 17)}
        for n in range(300)
    ]  # fmt: skip
    con = world(records)
    report = link(con, load_id="L1", today=TODAY)
    assert report.compared < 300 * 20
    assert pd.Series(clusters(con)).value_counts().max() <= 2
    assert any(
        "same surname, postcode and initial" in finding.message and finding.records == 300
        for finding in report.findings
    )


def test_a_truth_that_cannot_be_used_says_what_it_lacks(tmp_path: Path) -> None:
    sheet = tmp_path / "truth.csv"
    sheet.write_text("agency,feed,person\nschool,ctf,P1\n")
    with pytest.raises(TruthError, match=r"lacks the column\(s\) source_person_id, one of true_person_id"):
        read_truth(sheet)
    sheet.write_bytes(b"agency,feed,source_person_id,cluster\nschool,ctf,Jos\xe9,1\n")
    with pytest.raises(TruthError, match=r"truth.csv: cannot be read as CSV in UTF-8 \(UnicodeDecodeError\); check"):
        read_truth(sheet)
