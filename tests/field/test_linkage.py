"""Linkage on populations that others made, where they lie beside the checkout. Floors, not targets: nothing is tuned to them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from linkage import evaluate, run
from tests.unit.linkage_world import NOW, SECRET, TODAY, empty_warehouse, practice_records, world

pytestmark = pytest.mark.field


def test_practice_world(field_data: Path) -> None:
    truth = field_data / "practice_world" / "truth"
    con = world(practice_records(truth / "flat_night1.csv.gz"))
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    found = evaluate(con, truth / "records.csv", night=1)
    assert found.overall.precision >= 0.999
    assert found.overall.recall >= 0.96
    assert (
        found.false_merges["multiple_births"]
        == found.false_merges["child_with_adult"]
        == found.false_merges["adopted"]
        == 0
    )
    assert found.review_load["per_record"] <= 0.015
    assert found.with_perfect_reviewer is not None
    assert found.with_perfect_reviewer.recall >= 0.98
    assert not found.missing


def test_febrl4_without_its_strong_identifier(field_data: Path) -> None:
    """Adults, invented names, every field replaced by another's now and then: what the machine made of one person may look like two."""
    frames = [
        pd.read_parquet(field_data / "linkage" / f"febrl4{half}.parquet").assign(agency=agency, feed=half)
        for half, agency in (("a", "one"), ("b", "two"))
    ]
    everybody = pd.concat(frames, ignore_index=True)
    everybody["born"] = pd.to_datetime(everybody.date_of_birth.astype(str), format="%Y%m%d", errors="coerce")
    everybody["written"] = (
        everybody[["street_number", "address_1", "address_2", "suburb"]].fillna("").agg(" ".join, axis=1)
    )
    con = empty_warehouse()
    con.register("febrl", everybody)
    con.execute(
        "INSERT INTO person_record (record_id, source_person_id, agency, feed, role, given_names, family_name, birth_date, postcode)"
        " SELECT agency || '.' || feed || ':' || rec_id, rec_id, agency, feed, 'unknown', given_name, surname, CAST(born AS DATE),"
        " CAST(postcode AS VARCHAR) FROM febrl"
    )
    con.execute(
        "INSERT INTO person_address (record_id, agency, feed, kind, address, postcode)"
        " SELECT agency || '.' || feed || ':' || rec_id, agency, feed, 'home', written, CAST(postcode AS VARCHAR) FROM febrl"
    )
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    truth = everybody.rename(columns={"rec_id": "source_person_id"})[["agency", "feed", "source_person_id"]]
    truth["true_person_id"] = everybody.rec_id.str.extract(r"rec-(\d+)-")[0]
    found = evaluate(con, truth)
    assert found.overall.precision >= 0.999
    assert found.with_perfect_reviewer is not None
    assert found.overall.recall >= 0.95
    assert found.with_perfect_reviewer.recall >= 0.96


def test_a_log_of_people_of_the_past(field_data: Path) -> None:
    """One source that mentions each person ten times, a third of its birth dates missing or impossible and most of the rest a year."""
    log = pd.read_parquet(field_data / "linkage" / "historical_figures_with_errors_50k.parquet")
    con = empty_warehouse()
    con.register("log", log)
    con.execute(
        "INSERT INTO person_record (record_id, source_person_id, agency, feed, role, given_names, family_name, birth_date, sex, postcode)"
        " SELECT 'one.log:' || unique_id, unique_id, 'one', 'log', 'unknown', first_name, surname, TRY_CAST(dob AS DATE),"
        " upper(left(gender, 1)), postcode_fake FROM log"
    )
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    truth = log.rename(columns={"unique_id": "source_person_id", "cluster": "true_person_id"})
    found = evaluate(con, truth[["source_person_id", "true_person_id"]].assign(agency="one", feed="log"))
    assert found.overall.precision >= 0.995
    assert found.overall.recall >= 0.42
