"""A correction supersedes, a retraction retracts, nothing is overwritten, and the same extract twice changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Feed
from tests.integration.test_bad_input import GOOD, HEADER, books
from warehouse.land import joined


def test_the_same_extract_twice_changes_nothing(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD + ",no key,2026-11-16,/\n")
    deployment.night()
    before = deployment.rows("SELECT * FROM person_record"), deployment.rows("SELECT * FROM attendance")
    again = deployment.night()
    assert books(again) == (3, 0, 2, 0, 1)
    assert before == (deployment.rows("SELECT * FROM person_record"), deployment.rows("SELECT * FROM attendance"))
    assert deployment.rows("SELECT count(*) AS n FROM quarantine")[0]["n"] == 1


def test_keys_that_differ_only_in_where_a_slash_stands_are_two(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", "upn,surname,session_date,code\nA/B,Oak,C,/\nA,Ash,B/C,/\n")
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    assert books(deployment.night()) == (2, 0, 2, 0, 0)
    for table in ("attendance", "event"):
        kept = deployment.rows(f"SELECT count(DISTINCT source_key) AS n FROM {table} WHERE superseded_at IS NULL")
        assert kept[0]["n"] == 2, table


PARTS = st.text(alphabet="/\\a", max_size=4)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # how long it takes is a matter of what else runs
@given(st.lists(st.tuples(PARTS, PARTS, PARTS), min_size=2, max_size=30, unique=True))
def test_no_two_keys_are_joined_to_one(keys: list[tuple[str, ...]]) -> None:
    rows = pa.table({name: [key[place] for key in keys] for place, name in enumerate("abc")})
    found = duckdb.sql(f"SELECT count(DISTINCT {joined(['a', 'b', 'c'])}) FROM rows").fetchall()[0][0]
    assert found == rows.num_rows


def test_a_correction_closes_the_earlier_version_and_keeps_it(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD)
    deployment.night()
    deployment.send("corrections.csv", HEADER + "A1,Stone,2026-11-16,I\n")
    assert books(deployment.night("2026-11-17")) == (3, 1, 2, 0, 0)
    versions = deployment.rows(
        "SELECT mark, superseded_at IS NULL AS current FROM attendance WHERE record_id = 'toy.marks:A1' ORDER BY 2"
    )
    assert versions == [{"mark": "/", "current": False}, {"mark": "I", "current": True}]


def test_a_retraction_keeps_what_was_said_and_says_when_it_was_withdrawn(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD)
    deployment.night()
    deployment.send("later.csv", HEADER + "A1,Stone,2026-11-16,Z\nC3,New,2026-11-16,Z\n")
    deployment.night("2026-11-17")
    current = deployment.rows(
        "SELECT record_id, retracted_at, retract_reason FROM event WHERE superseded_at IS NULL ORDER BY 1"
    )
    assert [row["record_id"] for row in current] == ["toy.marks:A1", "toy.marks:B2"]
    assert current[0]["retracted_at"] is not None
    assert "error" in current[0]["retract_reason"]
    assert current[1]["retracted_at"] is None


def test_a_withdrawn_row_is_retracted_but_a_vanished_child_is_only_marked(
    toy: Callable[..., Any], full_list: Feed
) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", "upn,surname\nA1,Stone\nB2,Reed\n")
    deployment.send("visits.csv", "visit_id,upn,what\nV1,A1,seen\nV2,A1,not seen\nV3,B2,seen\n")
    deployment.night()
    deployment.send("children.csv", "upn,surname\nA1,Stone\n")
    deployment.send("visits.csv", "visit_id,upn,what\nV1,A1,seen\n")
    entry = deployment.night("2026-11-17")
    assert entry["vanished"] == 1
    events = deployment.rows(
        "SELECT title, record_id, retract_reason FROM event WHERE superseded_at IS NULL ORDER BY record_id, title"
    )
    assert [(row["record_id"][-2:], row["title"], row["retract_reason"] is not None) for row in events] == [
        ("A1", "not seen", True),
        ("A1", "seen", False),
        ("B2", "seen", False),
    ]
    people = deployment.rows("SELECT count(*) AS n FROM person_record WHERE superseded_at IS NULL")
    assert people[0]["n"] == 2


def test_everyone_of_whom_something_is_said_has_a_record(toy: Callable[..., Any], full_list: Feed) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", "upn,surname\nA1,Stone\n")
    deployment.send("visits.csv", "visit_id,upn,what\nV1,GHOST,seen\n")
    deployment.night()
    found = deployment.rows("SELECT record_id, flags FROM person_record WHERE superseded_at IS NULL ORDER BY 1")
    assert found[1] == {"record_id": "toy.list:GHOST", "flags": ["not_described"]}
    deployment.send("children.csv", "upn,surname\nA1,Stone\nGHOST,Found\n")
    deployment.night("2026-11-17")
    found = deployment.rows("SELECT family_name FROM person_record WHERE superseded_at IS NULL ORDER BY 1")
    assert [row["family_name"] for row in found] == ["Found", "Stone"]


def test_a_released_row_goes_through_with_its_repair(toy: Callable[..., Any]) -> None:
    from warehouse.quarantine import release

    deployment = toy()
    deployment.send("marks.csv", HEADER + ",Keyless,2026-11-16,/\n")
    deployment.night()
    held = deployment.rows("SELECT quarantine_id FROM quarantine")[0]["quarantine_id"]
    release(deployment.line.warehouse, held, by="an officer", repairs={"upn": "Z9"})
    entry = deployment.night("2026-11-17")
    assert entry["landed"] == 1
    assert deployment.rows("SELECT family_name FROM person_record")[0]["family_name"] == "Keyless"
    assert books(deployment.night("2026-11-18"))[1] == 0


@pytest.mark.slow
def test_a_large_file_after_an_empty_one_lands_whole(toy: Callable[..., Any]) -> None:
    """DuckDB 1.5 loses a large insert after an ordered one of no rows in the same transaction; nothing may be ordered there."""
    deployment = toy()
    deployment.send("a.csv", HEADER)
    deployment.send("b.csv", HEADER + "".join(f"U{number},Name,2026-11-16,/\n" for number in range(130_000)))
    assert books(deployment.night()) == (130_000, 130_000, 0, 0, 0)
    assert deployment.rows("SELECT count(*) AS n FROM attendance")[0]["n"] == 130_000


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", ""]), st.sampled_from(["2026-11-16", "2026-11-17"]), st.sampled_from("/NI")
    ),
    max_size=8,
)


@pytest.mark.slow
@given(st.lists(ROWS, min_size=1, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_books_balance_and_current_rows_are_the_last_word_over_any_history(
    toy: Callable[..., Any], history: list[Any]
) -> None:
    deployment = toy()
    with deployment.line.warehouse.transaction():
        raw = deployment.line.raw_tables(deployment.feed)["mark"].relation
    for table in (
        raw, "night", "step", "feed_load", "received_file", "quarantine", "person_record", "event", "attendance",
    ):  # fmt: skip
        deployment.line.con.execute(f"DELETE FROM {table}")
    shutil.rmtree(deployment.line.landing.root, ignore_errors=True)
    last: dict[tuple[str, str], str] = {}
    for number, rows in enumerate(history):
        deployment.clear()
        deployment.send(
            f"{number}.csv",
            HEADER + "".join(f"{upn},Name,{day},{code}\n" for upn, day, code in rows) + f"X{number},N,2026-11-16,/\n",
        )
        entry = deployment.night(f"2026-12-{number + 1:02}")
        assert entry["received"] == len(rows) + 1 == sum(books(entry)[1:])
        last |= {(upn, day): code for upn, day, code in rows if upn} | {(f"X{number}", "2026-11-16"): "/"}
    found = deployment.rows("SELECT source_key, code FROM raw.toy_marks_mark WHERE superseded_seq IS NULL")
    assert {tuple(row["source_key"].split("/")): row["code"] for row in found} == last
    marks = deployment.rows(
        "SELECT record_id, session_date::VARCHAR AS day, mark FROM attendance WHERE superseded_at IS NULL"
    )
    assert {(row["record_id"].partition(":")[2], row["day"]): row["mark"] for row in marks} == last
