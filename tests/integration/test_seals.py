"""A seal, through every view of every role: the old identity and the new one are never in one row, nor to be found from each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_access_matrix import everything
from tests.integration.test_publish_story import AT_1, AT_2, FEEDS, NIGHT_1, NIGHT_2, Story, tell
from warehouse import publish as publishing
from warehouse import query as querying
from warehouse.access import load_policy, pseudonym
from warehouse.keys import ROLES
from warehouse.seals import hide_sealed

# Birth name Kim, taken for one person with the adopted Lee on night 1, and sealed from her before night 2. Before that each had been a
# person of their own, and once both were somebody else.
OLD = {"p-kim", "p-kim-before", "health.fhir:kim1", "police.ppn:kim2", "e-kim"}
NEW = {"p-lee", "p-lee-before", "school.attendance:lee1", "health.fhir:lee2", "e-lee"}
BOTH = {"p-both"}  # held records of both sides; may be shown with either, never with both
SEALED = [("health.fhir:kim1", "school.attendance:lee1")]
OTHERS = {"p-foster", "p-child"}


@pytest.fixture(scope="module")
def unsealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    story = tell(tmp_path_factory.mktemp("sealed"))
    with story.warehouse.transaction():
        _kim_and_lee(story)
    yield story
    story.warehouse.close()


@pytest.fixture(scope="module")
def told(unsealed: Story) -> Story:
    """The same, published under the seal."""
    _published(unsealed, SEALED)
    return unsealed


def _moved(story: Story, record: str, *stays: tuple[str, dt.datetime]) -> None:
    """A record linked to one person after another; `stays` are persons and since when."""
    for place, (person, since) in enumerate(stays):
        until = stays[place + 1][1] if place + 1 < len(stays) else None
        story.insert(
            "link", record_id=record, person_id=person, load_id=NIGHT_1 if since < AT_2 else NIGHT_2, linked_at=since,
            unlinked_at=until, how="identifier", match_probability=1.0, evidence="same number", decided_by="rule",
            best_record_id="health.fhir:kim1" if record != "health.fhir:kim1" else "school.attendance:lee1",
        )  # fmt: skip


def _kim_and_lee(story: Story) -> None:
    person = {"birth_date": dt.date(2014, 5, 6), "birth_date_precision": "day", "sex": "F", "postcode": "LS6 4DD"}
    for record in ("health.fhir:kim1", "police.ppn:kim2"):
        story.person_record(record, None, given_names="Kim", family_name="Oldham", **person)
    for record in ("school.attendance:lee1", "health.fhir:lee2"):
        story.person_record(record, None, given_names="Lee", family_name="Newham", **person)
    story.person_record("social_care.ssd:f1", "p-foster", role="adult", given_names="Fay", family_name="Foster")
    story.person_record("social_care.ssd:c1", "p-child", given_names="Kim", family_name="Newham", **person)
    one, two, three, four = (AT_1 + dt.timedelta(hours=hour) for hour in range(1, 5))
    sealed_at = AT_2 + dt.timedelta(minutes=20)
    _moved(story, "health.fhir:kim1", ("p-kim-before", one), ("p-both", two), ("p-kim", three))
    _moved(story, "police.ppn:kim2", ("p-kim", one))
    _moved(
        story, "school.attendance:lee1", ("p-lee-before", one), ("p-both", two), ("p-kim", four), ("p-lee", sealed_at)
    )
    _moved(story, "health.fhir:lee2", ("p-lee-before", one), ("p-kim", four), ("p-lee", sealed_at))
    for name, retired, resolves_to in (
        ("p-kim", None, None),
        ("p-lee", None, None),
        ("p-kim-before", NIGHT_1, "p-kim"),
        ("p-lee-before", NIGHT_1, "p-kim"),
        ("p-both", NIGHT_1, "p-kim"),
        ("p-foster", None, None),
        ("p-child", None, None),
    ):
        story.insert(
            "person", person_id=name, created_load_id=NIGHT_1, retired_load_id=retired, resolves_to=resolves_to
        )
    for load, change, who, others, records in (
        (NIGHT_1, "created", "p-kim", [], ["police.ppn:kim2"]),
        (
            NIGHT_1,
            "created",
            "p-both",
            ["p-kim-before", "p-lee-before"],
            ["health.fhir:kim1", "school.attendance:lee1"],
        ),
        (NIGHT_1, "merged", "p-kim", ["p-both", "p-lee-before"], ["school.attendance:lee1", "health.fhir:lee2"]),
        (NIGHT_1, "merged", "p-kim", ["p-kim-before", "p-lee-before"], ["health.fhir:kim1", "health.fhir:lee2"]),
        (NIGHT_1, "retired", "p-lee-before", ["p-kim"], []),
        (NIGHT_2, "split", "p-kim", ["p-lee"], ["school.attendance:lee1", "health.fhir:lee2"]),
        (NIGHT_2, "created", "p-lee", ["p-kim"], ["school.attendance:lee1", "health.fhir:lee2"]),
    ):
        story.insert(
            "identity_change", load_id=load, change=change, person_id=who, other_person_ids=others, record_ids=records,
            reason="in words",
        )  # fmt: skip
    for a, b, probability in (
        ("health.fhir:kim1", "health.fhir:lee2", 0.9),
        ("police.ppn:kim2", "social_care.ssd:c1", 0.9),
        ("health.fhir:lee2", "social_care.ssd:c1", 0.95),
    ):
        story.insert(
            "potential_match",
            record_id_a=a,
            record_id_b=b,
            match_probability=probability,
            reason="alike",
            load_id=NIGHT_2,
        )
    for household, members in (("hh-before", ("p-kim", "p-foster")), ("hh-after", ("p-lee", "p-foster", "p-child"))):
        for who in members:
            story.insert("household", household_id=household, person_id=who, basis="same_address")
    for record, other in (
        ("health.fhir:kim1", "school.attendance:lee1"),
        ("health.fhir:kim1", "social_care.ssd:f1"),
        ("social_care.ssd:f1", "health.fhir:lee2"),
    ):
        story.fact("relationship", record, other_record_id=other, relationship="carer", other_name="Oldham Newham")
    day = {"occurred_precision": "day", "event_type": "note", "statement_kind": "fact", "title": "Seen"}
    for event, record in (("e-kim", "health.fhir:kim1"), ("e-lee", "health.fhir:lee2")):
        story.fact("event", record, event_id=event, occurred_from=dt.datetime(2026, 2, 1), **day)


def _published(story: Story, sealed: list[tuple[str, str]]) -> None:
    publishing.publish(story.warehouse, story.marts, story.keys, load_id=NIGHT_2, feeds=FEEDS, sealed=sealed)


def _words(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_words, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_words, value))
    return {value} if isinstance(value, str) else set()


def _seen_as(story: Story, role: str, names: set[str]) -> set[str]:
    """The identifiers, and what they are under the role's pseudonyms."""
    salt = story.keys.pseudonym_salt(role)
    return names | {pseudonym(salt, name) for name in names}


def _found_from_each_other(story: Story, role: str, tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Views in which a row, or rows that name somebody or something in common, lead from the one side to the other."""
    old, new, passing = (_seen_as(story, role, names) for names in (OLD, NEW, OTHERS | {"hh-before", "hh-after"}))
    leading = []
    for name, rows in tables.items():
        told = [_words(row) & (old | new | passing) for row in rows]
        reached = set(old)
        while grown := set().union(*(words for words in told if words & reached)) - reached:
            reached |= grown
        if reached & new:
            leading.append(name)
    return leading


@pytest.mark.parametrize("role", ROLES)
def test_no_view_leads_from_one_side_to_the_other(told: Story, role: str) -> None:
    tables = everything(told, role)
    assert _found_from_each_other(told, role, tables) == []
    for moment in (
        AT_1 + dt.timedelta(hours=2, minutes=30),
        AT_1 + dt.timedelta(hours=5),
        AT_2 + dt.timedelta(hours=5),
    ):
        con = querying.open_mart(told.marts, told.keys, role, moment)
        known = {
            view: querying.rows(con, f'FROM "{view}"')
            for view in load_policy().role(role).views
            if f"{view}_history" in tables
        }
        con.close()
        assert _found_from_each_other(told, role, known) == []


def test_without_the_seal_every_such_view_would_lead_there(unsealed: Story, tmp_path: Path) -> None:
    """What the test above looks at is not empty: these views lead across when nothing is sealed."""
    elsewhere = replace(unsealed, marts=tmp_path / "marts")
    _published(elsewhere, [])
    leading = _found_from_each_other(elsewhere, "practitioner", everything(elsewhere, "practitioner"))
    assert {
        "links_history", "records_history", "chronology_history", "relationships_history", "households", "persons",
        "identity_changes_history",
    } <= set(leading)  # fmt: skip
    assert _found_from_each_other(elsewhere, "analyst", everything(elsewhere, "analyst"))


def test_both_sides_are_still_there(told: Story) -> None:
    """Nothing is dropped: each side keeps its records, its story, its old identifiers and what its sources state."""
    asked = told.ask("practitioner", "SELECT person_id, list(record_id ORDER BY record_id) AS r FROM links GROUP BY 1")
    links = {row["person_id"]: row["r"] for row in asked}
    assert links["p-kim"] == ["health.fhir:kim1", "police.ppn:kim2"]
    assert links["p-lee"] == ["health.fhir:lee2", "school.attendance:lee1"]
    resolved = told.ask("practitioner", "SELECT person_id, resolves_to FROM persons")
    onward = {row["person_id"]: row["resolves_to"] for row in resolved}
    assert onward["p-lee-before"] == "p-lee"
    assert onward["p-kim-before"] == onward["p-both"] == "p-kim"
    stated = told.ask("practitioner", "SELECT other_person_id, other_name FROM relationships WHERE person_id = 'p-kim'")
    assert stated == [{"other_person_id": None, "other_name": None}] * 2
    assert told.ask("practitioner", "SELECT reason FROM identity_changes WHERE person_id = 'p-lee'")


def test_no_mart_tells_that_there_is_a_seal(told: Story) -> None:
    for role in ROLES:
        for name, rows in everything(told, role).items():
            assert not any("seal" in name.lower() or "seal" in word.lower() for row in rows for word in _words(row)), (
                name
            )


def test_a_question_about_both_sides_is_asked_of_the_likelier_alone(told: Story) -> None:
    con = told.warehouse.cursor()
    hide_sealed(con, SEALED)
    asked = con.execute("SELECT record_id_a, record_id_b FROM shown_potential_match").fetchall()
    con.close()
    assert [pair for pair in asked if set(pair) & (OLD | NEW)] == [("health.fhir:lee2", "social_care.ssd:c1")]
