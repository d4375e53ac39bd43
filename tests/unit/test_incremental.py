"""A night that decides only what changed leaves what a full run leaves; and when a run is full after all, it says why."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from linkage import DEFAULT_MODEL, LinkageReport, LinkageSettings, identify, link
from tests.unit.ledger_words import not_understood
from tests.unit.linkage_histories import SETTINGS, Council, apply, live
from tests.unit.linkage_world import NOW, SECRET, TODAY, add, empty_warehouse, nhs_number, world


def children(count: int) -> list[dict[str, Any]]:
    """Each on two registers, by number; nobody has anything in common with anybody else."""
    letters = [chr(97 + number // 26) + chr(97 + number % 26) for number in range(count)]
    return [
        {
            "feed": feed,
            "id": str(number),
            "given": f"Name{letters[number]}",
            "family": f"Fam{letters[number]}",
            "dob": date(2009, 1, 2) + timedelta(days=97 * number),
            "postcode": f"TS{number} 1AA",
            "nhs": nhs_number(number),
        }
        for number in range(count)
        for feed in ("health.fhir", "social_care.ssd")
    ]


def again(con: Any, **more: Any) -> LinkageReport:
    return link(con, **({"load_id": "L2", "today": TODAY, "settings": LinkageSettings()} | more))


@pytest.mark.slow
def test_a_short_history() -> None:
    """Many more, and longer ones, are in tests/slow."""
    in_part = 0
    for seed in (2, 3):
        for ran, left, full, con in live(seed, homes=12, nights=2):
            assert left == full
            assert not_understood(con) == []
            in_part += 0 < ran.decided < ran.records
    assert in_part, "a night decided some and spared others, or this shows nothing"


@pytest.mark.slow
def test_a_night_costs_what_changed() -> None:
    con = world(children(30))
    assert again(con).full_because == "no linked load before it is remembered"
    nothing = again(con)
    assert (nothing.full_because, nothing.decided, nothing.compared, nothing.records) == ("", 0, 0, 60)
    add(con, [children(1)[0] | {"feed": "school.census", "id": "new"}])
    one = again(con)
    assert (one.decided, one.compared) == (3, 3), "the new record and the two of that child"
    decided = again(con, decisions=[("cannot_link", "health.fhir:5", "social_care.ssd:5", "reviewer", "not her", NOW)])
    assert (decided.decided, decided.compared) == (2, 0), "a decision reaches its two records, and compares nothing"
    con.execute("UPDATE person_record SET superseded_at = ? WHERE record_id = 'health.fhir:7'", [NOW])
    con.execute("UPDATE person_identifier SET superseded_at = ? WHERE record_id = 'health.fhir:7'", [NOW])
    gone = again(con)
    assert (gone.records, gone.decided) == (60, 3), (
        "whom it was linked to, and the two whom nobody keeps apart any more"
    )


@pytest.mark.slow
def test_a_witness_counts_for_as_long_as_it_stands_alone() -> None:
    """A child that one register has under two keys, while another register has one child who is both, or also a namesake."""
    # Several bear the name, or one more would make it so much commoner that all of them are compared again.
    others = [record | {"given": "Rubina", "family": "Ballard"} for record in children(4)] + children(30)[8:]
    child = {"feed": "social_care.ssd", "id": "before", "given": "Rubina", "family": "Ballard", "dob": date(2011, 7, 9)}
    child |= {"postcode": "TS91 1AA", "nhs": nhs_number(99)}
    moved = child | {"postcode": "TS88 5XY"}
    con = world(
        [*others, child, moved | {"id": "after", "nhs": None}, moved | {"feed": "health.fhir", "id": "witness"}]
    )

    def together() -> bool:
        found = dict(con.execute("SELECT record_id, cluster_id FROM linkage_cluster").fetchall())
        return bool(found["social_care.ssd:before"] == found["social_care.ssd:after"])

    again(con)
    assert together()
    add(con, [moved | {"feed": "health.fhir", "id": "namesake", "postcode": "TS89 6XZ", "nhs": None}])
    night = again(con)
    assert (night.full_because, night.compared) == ("", 3), "two keys and their witness are not compared again"
    assert not together()
    apply(con, ["health.fhir:namesake"], [])
    assert not again(con).full_because
    assert together()


@pytest.mark.slow
def test_a_full_run_says_why(caplog: pytest.LogCaptureFixture) -> None:
    con = world(children(10))
    again(con)
    changes: dict[str, LinkageSettings] = {
        "the model or a threshold changed": LinkageSettings(model=replace(DEFAULT_MODEL, match_at=0.97)),
        "a setting of linkage changed": LinkageSettings(max_block=99),
    }
    for why, settings in changes.items():
        with caplog.at_level(logging.INFO, logger="linkage"):
            assert again(con, settings=settings).full_because == why
        assert why in caplog.text
        assert not again(con, settings=settings).full_because
        again(con)
    con.execute("UPDATE linkage_basis SET value = 'another' WHERE part = 'engine'")
    assert again(con).full_because == "the version of Splink or DuckDB changed"
    con.execute("UPDATE linkage_basis SET value = 'another' WHERE part = 'code'")
    assert again(con).full_because == "the code of linkage changed"
    con.execute("DELETE FROM linkage_cluster WHERE record_id = 'health.fhir:1'")
    assert again(con).full_because == "what the last linked load left is not whole"
    con.execute("UPDATE person_record SET birth_date = birth_date + 400")
    assert again(con).full_because == "20 of 20 records read differently"


def identities(*, all_in_play: bool) -> list[Any]:
    """What three nights of a council leave of persons, links and the ledger."""
    council, con = Council(3, 14), empty_warehouse()
    add(con, council.records.values())
    for night in (1, 2, 3):
        if night > 1:
            apply(con, *council.pass_a_day(night))
        link(con, load_id=f"L{night}", today=TODAY, decisions=council.decisions, settings=SETTINGS)
        if all_in_play:
            con.execute("UPDATE linkage_cluster SET applied = NULL")
        identify(con, load_id=f"L{night}", now=NOW + timedelta(days=night), secret=SECRET, settings=SETTINGS)
    tables = ("person", "link", "identity_change", "potential_match", "household")
    return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables]


@pytest.mark.slow
def test_identities_of_what_is_in_play_are_those_of_all() -> None:
    found = identities(all_in_play=False)
    assert found == identities(all_in_play=True)
    assert {change[0] for change in found[2]} > {"L1"}, "a later night changed somebody, or this shows nothing"
