"""How long a row has been failing: its spell begins once, outlives new versions that are still wrong, and says how it ended."""

from pathlib import Path

import pytest

from expectations.suite import Standard
from tests.integration.test_expectations_run import World, child
from warehouse.engine import Warehouse
from warehouse.keys import load_keys

DOB, SURNAME = "child.dob.is_a_date", "child.surname.is_present"


@pytest.fixture
def night_by_night(tmp_path: Path):
    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {})) as warehouse:
        yield World(warehouse)


def spells(world: World) -> list[tuple[object, ...]]:
    return world.con.execute(
        "SELECT expectation, row_key, value, failing_since, ended_load_id, ended FROM quality_spell ORDER BY ALL"
    ).fetchall()


def test_a_row_sent_again_and_still_wrong_goes_on_failing(night_by_night):
    world = night_by_night
    world.night([child("1", dob="x"), child("2")])
    world.check()
    world.night([child("1", dob="y"), child("3", dob="z")])
    world.check()
    assert spells(world) == [
        (DOB, "1", "y", "night-1", None, None),
        (DOB, "3", "z", "night-2", None, None),
    ]
    sent_again = world.con.execute("SELECT row_key, sent_again_load_id FROM quality_spell ORDER BY ALL").fetchall()
    assert sent_again == [("1", "night-2"), ("3", None)]


def test_a_row_that_stayed_as_it_was_says_what_is_wrong_with_it_today(night_by_night):
    world = night_by_night
    counted = Standard.from_sql(
        "toy.counted", "Nobody", "child", "SELECT min(raw_row_id) AS raw_row_id, 'one of ' || count(*) AS value FROM {raw_child}"
    )  # fmt: skip
    world.night([child("1")])
    world.check(rules=[counted])
    world.night([child("2")])
    world.check(rules=[counted])
    assert spells(world) == [("toy.counted", "1", "one of 2", "night-1", None, None)]
    assert world.con.execute("SELECT sent_again_load_id FROM quality_spell").fetchall() == [(None,)]


def test_a_repaired_row_and_a_withdrawn_one_are_told_apart(night_by_night):
    world = night_by_night
    world.night([child("1", dob="x"), child("2", dob="y"), child("3", surname=None)])
    world.check()
    world.night([child("1")])
    world.con.execute("UPDATE raw.council_toy_child SET superseded_seq = 2, vanished_seq = 2 WHERE source_key = '2'")
    world.check()
    assert spells(world) == [
        (DOB, "1", "x", "night-1", "night-2", "repaired"),
        (DOB, "2", "y", "night-1", "night-2", "withdrawn"),
        (SURNAME, "3", None, "night-1", None, None),
    ]


def test_a_row_that_fails_again_begins_again_and_keeps_its_past(night_by_night):
    world = night_by_night
    for dob in ("x", "01/02/2015", "y"):
        world.night([child("1", dob=dob)])
        world.check()
    assert spells(world) == [
        (DOB, "1", "x", "night-1", "night-2", "repaired"),
        (DOB, "1", "y", "night-3", None, None),
    ]


def test_a_standard_that_changed_its_mind_repairs_nothing(night_by_night):
    world = night_by_night

    def rule(sql: str) -> Standard:
        return Standard.from_sql("toy.rule", "A rule", "child", sql)

    world.night([child("1"), child("2")])
    world.check(rules=[rule("SELECT raw_row_id FROM {rows} WHERE child_id = '1'")])
    world.night()
    world.check(rules=[rule("SELECT raw_row_id FROM {rows} WHERE child_id = '2'")])
    world.night()
    world.check()
    assert [row[1:2] + row[3:] for row in spells(world)] == [
        ("1", "night-1", "night-2", "standard_changed"),
        ("2", "night-2", "night-3", "standard_changed"),
    ]


def test_a_row_mended_through_another_is_not_said_to_be_changed(night_by_night):
    world = night_by_night
    alone = Standard.from_sql(
        "toy.in_pairs", "Nobody is alone", "child",
        "SELECT min(raw_row_id) AS raw_row_id FROM {raw_child} HAVING count(*) = 1",
    )  # fmt: skip
    world.night([child("1")])
    world.check(rules=[alone])
    world.night([child("2")])
    world.check(rules=[alone])
    assert [row[1:2] + row[3:] for row in spells(world)] == [("1", "night-1", "night-2", "repaired_elsewhere")]


@pytest.mark.parametrize(
    ("released", "ended"), [("night-2", "released"), (None, None)], ids=["released", "held for longer"]
)
def test_a_row_held_back_fails_until_it_is_released(night_by_night, released, ended):
    world = night_by_night
    world.night([child("1")])
    world.con.execute(
        "INSERT INTO quarantine (quarantine_id, load_id, agency, feed, table_name, file_id, row_number, reason) "
        "VALUES ('child:f1:9', 'night-1', 'council', 'toy', 'child', 'f1', 9, 'no key')"
    )
    world.check()
    world.night()
    world.con.execute("UPDATE quarantine SET released_load_id = ?", [released])
    world.check()
    assert [row[1:2] + row[3:] for row in spells(world)] == [
        ("child:f1:9", "night-1", "night-2" if released else None, ended)
    ]


def test_asking_twice_about_one_load_changes_nothing(night_by_night):
    world = night_by_night
    world.night([child("1", dob="x"), child("2", surname=None)])
    world.check()
    before = spells(world)
    world.check()
    assert spells(world) == before != []


def test_two_rows_of_one_key_in_one_file_have_a_spell_each(night_by_night):
    world = night_by_night
    beaten = Standard.from_sql(
        "toy.both", "Neither", "child", "SELECT raw_row_id FROM {received_child} WHERE load_seq = superseded_seq "
        "UNION ALL SELECT raw_row_id FROM {rows}",
    )  # fmt: skip
    world.night([child("1", losing=True), child("1", sex="M")])
    world.check(rules=[beaten])
    world.night()
    world.check(rules=[beaten])
    assert [row[1:2] + row[3:] for row in spells(world) if row[0] == "toy.both"] == [
        ("1", "night-1", None, None),
        ("child:f1:2", "night-1", None, None),
    ]
