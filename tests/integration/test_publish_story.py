"""A small story told to the core by hand, for the tests of publishing, access and queries; and what the marts make of it.

Two nights, 1 and 2 March. Amina and Amira Khan are twins in one household. Jo Hart's address is restricted by health;
Jo's mother lives with Jo, an uncle does not. On night 2 social care corrects Amina's birth date, health corrects one
event of hers and withdraws another, and a record that had been linked to Amira is found to be about Amina. A crowd of
twelve children makes common values common. Police data is old, youth justice never sent any.
"""

from __future__ import annotations

import atexit
import datetime as dt
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from warehouse import publish as publishing
from warehouse import query as querying
from warehouse.engine import Warehouse
from warehouse.keys import Keys, load_keys
from warehouse.retention import load_rules

NIGHT_1, NIGHT_2 = "2026-03-01", "2026-03-02"
AT_1, AT_2 = dt.datetime(2026, 3, 1, 2, 0), dt.datetime(2026, 3, 2, 2, 0)
CROWD = 12

FEEDS: list[publishing.ConfiguredFeed] = [
    {"agency": "health", "feed": "fhir", "expect_days": 2, "configured": True},
    {"agency": "social_care", "feed": "ssd", "expect_days": 2, "configured": True},
    {"agency": "social_care", "feed": "ssda903", "expect_days": 400, "configured": True},
    {"agency": "school", "feed": "attendance", "expect_days": 2, "configured": True},
    {"agency": "police", "feed": "ppn", "expect_days": 2, "configured": True},
    {"agency": "youth_justice", "feed": "cases", "expect_days": 9, "configured": True},
    {"agency": "partners", "feed": "observation", "expect_days": None, "configured": True},
]


@dataclass
class Story:
    """A deployment in a folder: core, keys, and where its marts go."""

    warehouse: Warehouse
    keys: Keys
    marts: Path

    def publish(self, load_id: str = NIGHT_2, keep: int = 7, **how: Any) -> publishing.Publication:
        said = {"feeds": FEEDS, "periods": load_rules(), "held": {"p-jo": ["H-1"]}, **how}
        return publishing.publish(self.warehouse, self.marts, self.keys, load_id=load_id, keep=keep, **said)

    def ask(self, role: str, sql: str, as_of: Any = None) -> list[dict[str, Any]]:
        con = querying.open_mart(self.marts, self.keys, role, as_of)
        try:
            return querying.rows(con, sql)
        finally:
            con.close()

    def insert(self, table: str, **values: Any) -> None:
        columns = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" for _ in values)
        self.warehouse.con.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', list(values.values()))

    def fact(self, table: str, record_id: str, *, at: dt.datetime = AT_1, **values: Any) -> None:
        """A row of the common model about a record, as first loaded on a night."""
        feed_id, source_id = record_id.split(":")
        agency, feed = feed_id.split(".")
        lineage = {
            "agency": agency,
            "feed": feed,
            "source_key": source_id,
            "load_id": at.date().isoformat(),
            "extracted_at": at - dt.timedelta(hours=4),
            "loaded_at": at,
            "raw_row_id": f"{agency}_{feed}_{table}:f:{source_id}",
        }
        self.insert(table, record_id=record_id, **{**lineage, **values})

    def person_record(self, record_id: str, person_id: str | None, *, at: dt.datetime = AT_1, **values: Any) -> None:
        said = {"role": "child", "source_person_id": record_id.split(":")[1], "flags": [], **values}
        self.fact("person_record", record_id, at=at, **said)
        linked = self.warehouse.rows("SELECT 1 FROM link WHERE record_id = ?", [record_id])
        if person_id and not linked:
            self.link(record_id, person_id, at)

    def link(self, record_id: str, person_id: str, at: dt.datetime) -> None:
        said = {"how": "identifier", "match_probability": 1.0, "evidence": "same NHS number", "decided_by": "rule"}
        load_id = at.date().isoformat()
        linked_at = at + dt.timedelta(minutes=20)
        self.insert("link", record_id=record_id, person_id=person_id, load_id=load_id, linked_at=linked_at, **said)

    def supersede(self, table: str, key: str, value: str, at: dt.datetime = AT_2) -> None:
        self.warehouse.con.execute(
            f'UPDATE "{table}" SET superseded_at = ? WHERE "{key}" = ? AND superseded_at IS NULL', [at, value]
        )


def tell(folder: Path) -> Story:
    """The whole story in a core of its own, copied from one that is told once."""
    for name in ("keys", "core.duckdb"):
        shutil.copy2(_told_once() / name, folder / name)
    keys = load_keys(folder / "keys", {})
    return Story(Warehouse(folder / "core.duckdb", keys), keys, folder / "marts")


@cache
def _told_once() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tessera-story-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keys = load_keys(folder / "keys", {})
    story = Story(Warehouse(folder / "core.duckdb", keys), keys, folder / "marts")
    with story.warehouse.transaction():
        _nights(story)
        _people(story)
        _events(story)
        _the_rest(story)
    story.warehouse.close()
    return folder


def _nights(story: Story) -> None:
    for seq, (load_id, at) in enumerate(((NIGHT_1, AT_1), (NIGHT_2, AT_2)), start=1):
        done = at + dt.timedelta(minutes=30) if load_id == NIGHT_1 else None
        status = "published" if done else "running"
        story.insert(
            "night", load_id=load_id, load_seq=seq, date=at.date(), started_at=at, finished_at=done, status=status
        )
        for feed in FEEDS[:4]:
            where = {"load_id": load_id, "agency": feed["agency"], "feed": feed["feed"]}
            books = {"received": 9, "landed": 9, "unchanged": 0, "superseded": 0, "quarantined": 0}
            story.insert("feed_load", **where, **books, started_at=at, finished_at=at, status="loaded")
            story.insert(
                "received_file",
                **where,
                file_id=f"{feed['feed']}{seq}",
                name=f"Khan_{feed['feed']}.csv",
                extracted_at=at - dt.timedelta(hours=4),
                status="landed",
            )
    story.insert(
        "feed_load", load_id=NIGHT_1, agency="police", feed="ppn", started_at=AT_1, finished_at=AT_1, status="loaded"
    )
    story.insert(
        "received_file",
        load_id=NIGHT_1,
        agency="police",
        feed="ppn",
        extracted_at=dt.datetime(2026, 1, 5),
        status="landed",
    )


def _people(story: Story) -> None:
    khan = {"family_name": "Khan", "birth_date": dt.date(2015, 4, 2), "sex": "F", "postcode": "LS8 1AA"}
    hart = {"family_name": "Hart", "birth_date": dt.date(2012, 7, 9), "sex": "U"}
    day = {"birth_date_precision": "day"}
    story.person_record(
        "health.fhir:h1", "p-amina", given_names="Amína Jane", nhs_number="9000000009", nhs_number_status="01",
        **khan, **day,
    )  # fmt: skip
    story.person_record("health.fhir:h2", "p-amira", given_names="Amira", **khan, **day)
    story.person_record(
        "health.fhir:h3", "p-jo", given_names="Jo", postcode="LS9 9ZZ", address_protected=True, **hart, **day
    )
    shouted = {**khan, "family_name": "KHAN", "postcode": "ls81aa"}
    story.person_record("social_care.ssd:s1", "p-amina", given_names="AMINA", **shouted, **day)
    story.person_record("social_care.ssd:s2", "p-amira", given_names="Amira", **khan, **day)
    story.person_record("social_care.ssd:s3", "p-jo", given_names="Jo", postcode="LS7 2BB", **hart, **day)
    story.person_record(
        "social_care.ssd:m3", "p-mother", role="adult", given_names="Maria", family_name="Hart", postcode="LS7 2BB"
    )
    story.person_record(
        "social_care.ssd:u3", "p-uncle", role="adult", given_names="Ulf", family_name="Hart", postcode="LS6 3CC"
    )
    story.person_record("social_care.ssda903:x1", "p-amira", sex="F", birth_date=dt.date(2015, 4, 2), **day)
    story.person_record("school.attendance:a1", "p-amina", given_names="Amina", family_name="Khan")
    story.person_record("health.fhir:h9", None, role="unknown", given_names="Nobody", family_name="Linked")
    for number in range(CROWD):
        story.person_record(
            f"health.fhir:c{number}", f"p-crowd{number}", given_names=f"Crowd{number}", family_name="Many", sex="M",
            birth_date=dt.date(2010, 1, 1 + number), postcode="LS1 4DD", ethnicity="WBRI", **day,
        )  # fmt: skip
    # Night 2: social care corrects Amina's birth date; what it said before stays.
    story.supersede("person_record", "record_id", "social_care.ssd:s1")
    corrected = {**shouted, "birth_date": dt.date(2015, 4, 3)}
    story.person_record("social_care.ssd:s1", "p-amina", at=AT_2, given_names="AMINA", **corrected, **day)
    # Night 2: x1 was not Amira but Amina.
    moved = AT_2 + dt.timedelta(minutes=20)
    story.warehouse.con.execute("UPDATE link SET unlinked_at = ? WHERE record_id = 'social_care.ssda903:x1'", [moved])
    story.link("social_care.ssda903:x1", "p-amina", AT_2)
    for person in ("p-amina", "p-amira", "p-jo", "p-mother", "p-uncle"):
        story.insert("person", person_id=person, created_load_id=NIGHT_1)
    story.insert(
        "person", person_id="P2OLDERAMINA7", created_load_id=NIGHT_1, retired_load_id=NIGHT_1, resolves_to="p-old"
    )
    story.insert("person", person_id="p-old", created_load_id=NIGHT_1, retired_load_id=NIGHT_2, resolves_to="p-amina")


def _events(story: Story) -> None:
    february = dt.datetime(2026, 2, 10, 9, 30)
    first = {
        "event_id": "e-burn",
        "event_type": "ed_attendance",
        "occurred_from": february,
        "occurred_precision": "instant",
        "statement_kind": "professional_opinion",
        "title": "Scald to hand",
    }
    story.fact("event", "health.fhir:h1", narrative="Kettlewords as first told", **first)
    story.supersede("event", "event_id", "e-burn")
    story.fact("event", "health.fhir:h1", at=AT_2, narrative="Kettlewords as corrected", **first)
    missed = {
        "event_id": "e-missed",
        "event_type": "was_not_brought",
        "occurred_from": february,
        "statement_kind": "fact",
    }
    story.fact("event", "health.fhir:h1", **missed)
    story.supersede("event", "event_id", "e-missed")
    story.fact("event", "health.fhir:h1", at=AT_2, retracted_at=AT_2, retract_reason="wrong patient", **missed)
    away = {
        "event_type": "missing_from_care",
        "occurred_from": dt.datetime(2026, 2, 20),
        "occurred_precision": "day",
        "statement_kind": "fact",
    }
    story.fact("event", "social_care.ssd:s1", event_id="e-away-ssd", **away)
    story.fact("event", "social_care.ssd:s1", event_id="e-away-twice", **away)
    story.fact("event", "social_care.ssda903:x1", event_id="e-away-903", **away)
    story.fact(
        "event", "social_care.ssd:s3", event_id="e-undated", event_type="note", recorded_at=february,
        statement_kind="child_voice", title="Jo speaks", narrative="We moved to LS9 9ZZ, do not tell",
        quoted_words="do not tell", outcome="Told Mrs Smith",
    )  # fmt: skip
    story.fact(
        "event", "social_care.ssd:s3", event_id="e-secret", event_type="note", occurred_from=february,
        statement_kind="allegation", title="Not yet", embargo_until=dt.date(2026, 12, 31),
    )  # fmt: skip
    for number in range(CROWD):
        story.fact(
            "event", f"health.fhir:c{number}", event_id=f"e-crowd{number}", event_type="note",
            occurred_from=february, statement_kind="fact", outcome="NFA",
        )  # fmt: skip


def _the_rest(story: Story) -> None:
    started = dt.date(2026, 2, 1)
    story.fact(
        "span", "social_care.ssd:s3", span_id="s-home", kind="placement", started_on=started, detail="At LS9 9ZZ"
    )
    story.fact(
        "span", "social_care.ssd:s1", span_id="s-plan", kind="child_protection_plan", started_on=started, detail="N4"
    )
    story.fact(
        "attendance", "school.attendance:a1", school="8012001", session_date=dt.date(2026, 2, 27), session="AM",
        mark="O", meaning="unauthorised",
    )  # fmt: skip
    story.fact(
        "relationship", "social_care.ssd:s3", other_record_id="social_care.ssd:m3", relationship="mother",
        same_household=True,
    )  # fmt: skip
    story.fact(
        "relationship", "social_care.ssd:s3", other_record_id="social_care.ssd:u3", relationship="uncle",
        same_household=False,
    )  # fmt: skip
    story.fact("relationship", "health.fhir:h1", other_name="Granny Khan", relationship="grandmother")
    for person in ("p-amina", "p-amira"):
        story.insert("household", household_id="hh-khan", person_id=person, basis="same_address")
    story.insert("identity_change", load_id=NIGHT_1, change="created", person_id="p-jo", record_ids=["health.fhir:h3"])
    story.insert(
        "identity_change", load_id=NIGHT_2, change="merged", person_id="p-amina", other_person_ids=["p-old"],
        record_ids=["social_care.ssda903:x1"], reason="same child in care",
    )  # fmt: skip
    story.insert(
        "potential_match", record_id_a="health.fhir:h1", record_id_b="health.fhir:h2", match_probability=0.9,
        reason="twins?", load_id=NIGHT_2, model="tessera-1", levels="given:similar family:exact birth:exact sex:different",
        bits=2.5, prior_bits=-9.0,
    )  # fmt: skip
    story.insert(
        "quality_result", load_id=NIGHT_2, agency="health", feed="fhir", table_name="patient",
        expectation="postcode is one", severity="warning", harm="wrong_child", evaluated=9, failed=2,
        status="warn",
    )  # fmt: skip
    for row, (local_id, value) in enumerate((("h3", "LS9 9ZZ?"), ("h1", "not a postcode")), start=2):
        story.insert(
            "quality_spell", failing_since=NIGHT_2, agency="health", feed="fhir", table_name="patient", row_key=local_id,
            expectation="postcode is one", severity="warning", raw_row_id=f"health_fhir_person_record:f:{local_id}",
            source_file="patients.ndjson", row_number=row, local_id=local_id, column_name="postcode", value=value,
        )  # fmt: skip
    for number, content in enumerate(('{"postcode": "ls9  9zz"}', '{"postcode": "LS8 1AA"}'), start=1):
        story.insert(
            "quarantine", quarantine_id=f"health_fhir_patient:f:{number}", load_id=NIGHT_2, agency="health",
            feed="fhir", table_name="patient", file_id="f", row_number=number, reason="no key", content=content,
        )  # fmt: skip


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, published once for a whole module of tests that only read."""
    told = tell(tmp_path_factory.mktemp("story"))
    told.publish()
    yield told
    told.warehouse.close()


def test_every_current_record_appears_linked_or_not(story: Story) -> None:
    records = {row["record_id"]: row["person_id"] for row in story.ask("practitioner", "FROM records")}
    assert len(records) == 11 + CROWD
    assert records["health.fhir:h9"] is None
    assert records["social_care.ssda903:x1"] == "p-amina"


def test_children_are_children(story: Story) -> None:
    children = {row["person_id"] for row in story.ask("practitioner", "FROM children")}
    assert children == {"p-amina", "p-amira", "p-jo", *(f"p-crowd{number}" for number in range(CROWD))}


def test_a_golden_value_is_chosen_and_says_where_it_is_from(story: Story) -> None:
    amina = story.ask("practitioner", "FROM children WHERE person_id = 'p-amina'")[0]
    assert amina["birth_date"] == dt.date(2015, 4, 2), "the record with the verified NHS number is preferred"
    assert (amina["given_names"], amina["family_name"], amina["postcode"]) == ("Amína Jane", "Khan", "LS8 1AA")
    assert (amina["agencies"], amina["record_count"]) == (["health", "school", "social_care"], 4)
    assert {source["attribute"]: source for source in amina["sources"]}["birth_date"] == {
        "attribute": "birth_date",
        "agency": "health",
        "record_id": "health.fhir:h1",
        "agencies_agreeing": 2,
    }


def test_contradictions_show_who_says_what_since_when(story: Story) -> None:
    rows = story.ask("practitioner", "FROM contradictions ORDER BY person_id")
    assert [(row["person_id"], row["attribute"], row["first_seen_load"], row["status"]) for row in rows] == [
        ("p-amina", "birth_date", NIGHT_2, "open"),
        ("p-jo", "postcode", NIGHT_1, "open"),
    ], "names that differ in case, accents and middle names agree, as do postcodes by their spacing"
    assert [(said["agency"], said["value"]) for said in rows[0]["values"]] == [
        ("health", "2015-04-02"),
        ("social_care", "2015-04-03"),
        ("social_care", "2015-04-02"),
    ]


def test_the_chronology_keeps_what_was_withdrawn_and_orders_what_is_undated(story: Story) -> None:
    amina = story.ask("practitioner", "FROM chronology WHERE person_id = 'p-amina' ORDER BY sorts_at, event_id")
    assert [row["event_id"] for row in amina] == ["e-burn", "e-missed", "e-away-903", "e-away-ssd", "e-away-twice"]
    assert amina[0]["narrative"] == "Kettlewords as corrected"
    assert (amina[1]["retracted_at"], amina[1]["retract_reason"]) == (AT_2, "wrong patient")
    undated = story.ask("practitioner", "FROM chronology WHERE event_id = 'e-undated'")[0]
    assert (undated["occurred_from"], undated["occurred_precision"]) == (None, "unknown")
    assert undated["sorts_at"] == dt.datetime(2026, 2, 10, 9, 30)


def test_two_feeds_that_tell_one_thing_are_grouped_and_two_things_of_one_feed_are_not(story: Story) -> None:
    rows = story.ask("practitioner", "FROM chronology WHERE event_id LIKE 'e-away%' ORDER BY event_id")
    assert {row["event_id"]: row["same_as"] for row in rows} == {
        "e-away-903": "e-away-903",
        "e-away-ssd": "e-away-903",
        "e-away-twice": "e-away-twice",
    }


def test_an_embargoed_event_is_shown_to_nobody_before_its_day(story: Story) -> None:
    for role in ("practitioner", "analyst"):
        assert story.ask(role, "SELECT count(*) AS n FROM chronology WHERE statement_kind = 'allegation'") == [{"n": 0}]


def test_coverage_tells_silence_from_safety(story: Story) -> None:
    jo = {row["agency"]: row for row in story.ask("practitioner", "FROM coverage WHERE person_id = 'p-jo'")}
    assert {agency: row["status"] for agency, row in jo.items()} == {
        "health": "found",
        "social_care": "found",
        "school": "not_found",
        "police": "stale",
        "youth_justice": "not_supplied",
        "partners": "not_supplied",
    }
    assert {agency for agency, row in jo.items() if row["is_stale"]} == {"police", "youth_justice"}
    assert jo["police"]["searched_as_of"] == dt.datetime(2026, 1, 5)
    assert jo["school"]["searched_as_of"] == AT_2 - dt.timedelta(hours=4)


def test_an_old_person_id_resolves_to_the_end(story: Story) -> None:
    assert story.ask("practitioner", "SELECT resolves_to FROM persons WHERE person_id = 'P2OLDERAMINA7'") == [
        {"resolves_to": "p-amina"}
    ]


def test_relationships_name_the_other_or_point_to_them(story: Story) -> None:
    rows = story.ask("practitioner", "FROM relationships ORDER BY relationship")
    assert [(row["relationship"], row["other_person_id"], row["other_name"]) for row in rows] == [
        ("grandmother", None, "Granny Khan"),
        ("mother", "p-mother", None),
        ("uncle", "p-uncle", None),
    ]


def test_columns_are_explained_inside_the_mart(story: Story) -> None:
    explained = story.ask(
        "analyst",
        "SELECT table_name, column_name, comment FROM duckdb_columns() "
        "WHERE table_name IN ('children', 'chronology') AND column_name IN ('person_id', 'birth_date', 'event_type')",
    )
    assert len(explained) == 4
    assert all(row["comment"] for row in explained)
    assert story.ask("analyst", "SELECT comment FROM duckdb_columns() WHERE column_name = 'birth_date' LIMIT 1")[0][
        "comment"
    ].endswith("(first of the month)")


def test_the_questions_analysts_begin_with_can_be_asked(story: Story) -> None:
    page = (Path(__file__).parents[2] / "docs/analysts.md").read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n((?:.+\n)+)```", page)
    assert len(questions) == 10
    empty = [question for question in questions if not story.ask("analyst", question)]
    # Nobody in the story is under a plan, referred, or twice not brought.
    assert len(empty) <= 3, empty
