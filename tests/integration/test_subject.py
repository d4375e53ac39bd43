"""One person's whole record for that person: all of it is there, and nobody else is in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.subject_page import subject_page
from tests.integration.test_publish_story import AT_1, AT_2, Story, tell
from warehouse import query as querying
from warehouse.query import QueryError
from warehouse.subject import Disclosure, disclosure, without_others

CHILD, BROTHER = "p-subject", "p-brother"
SAID = (
    "Told by Tobias Okonkwo-Reed (brother) at LS8 9QQ that Zephyrine stayed at WX1 1AA. TOBIAS was upset. "
    "Ring 07700 900123 or tobias@example.org."
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("subject"))
    for person in (CHILD, BROTHER):
        told.insert("person", person_id=person, created_load_id=AT_1.date().isoformat())
    about = {"birth_date": dt.date(2016, 5, 1), "birth_date_precision": "day"}
    told.person_record(
        "school.census:z1", CHILD, given_names="Zephyrine", family_name="Reed", postcode="WX1 1AA", **about
    )
    told.person_record("police.ppn:z9/1", CHILD, given_names="Zephyrine", family_name="Reed", **about)
    told.person_record("school.census:z2", BROTHER, given_names="Tobias", family_name="Okonkwo-Reed", **about)
    told.fact("relationship", "school.census:z1", other_record_id="school.census:z2", relationship="sibling")
    told.fact("relationship", "school.census:z1", other_name="Marguerite Vantongeren", relationship="carer")
    for event_id, said in {
        "e-plain": {"narrative": SAID, "statement_kind": "fact"},
        "e-third": {"narrative": "A neighbour complained.", "statement_kind": "third_party"},
        "e-words": {"quoted_words": "Marguerite shouts.", "statement_kind": "child_voice"},
    }.items():
        told.fact("event", "school.census:z1", event_id=event_id, event_type="note", recorded_at=AT_1, **said)
    told.fact(
        "event", "police.ppn:z9/1", event_id="e-police", event_type="ppn", recorded_at=AT_1, statement_kind="fact",
        narrative="Enquiry under way.", onward_disclosure="mash_only",
    )  # fmt: skip
    told.supersede("event", "event_id", "e-words")
    told.fact(
        "event", "school.census:z1", at=AT_2, event_id="e-words", event_type="note", recorded_at=AT_1,
        quoted_words="Marguerite shouts at night.", statement_kind="child_voice",
    )  # fmt: skip
    told.publish()
    yield told
    told.warehouse.close()


def disclosed(story: Story, **decided: Any) -> Disclosure:
    con = querying.open_mart(story.marts, story.keys, "practitioner")
    try:
        return disclosure(con, CHILD, **decided)
    finally:
        con.close()


def events(found: Disclosure) -> list[str]:
    return [row["event_id"] for row in found.parts["chronology"]]


def test_every_version_is_there_and_nobody_else(story: Story) -> None:
    found = disclosed(story)
    assert events(found) == ["e-plain", "e-words", "e-words"]
    said = [row["quoted_words"] for row in found.parts["chronology"] if row["event_id"] == "e-words"]
    assert said == ["[another person] shouts.", "[another person] shouts at night."]
    (plain,) = [row["narrative"] for row in found.parts["chronology"] if row["event_id"] == "e-plain"]
    assert plain == (
        "Told by [another person] (brother) at [another address] that Zephyrine stayed at WX1 1AA. [another person] was upset. "
        "Ring [contact of somebody] or [contact of somebody]."
    )
    page = subject_page(found, [], on=AT_2.date(), load_id="2")
    assert "Zephyrine" in page and "sibling" in page and "carer" in page
    for other in ("Tobias", "TOBIAS", "Okonkwo", "Marguerite", "Vantongeren", "LS8 9QQ", "07700", "example.org"):
        assert other not in page


def test_what_must_not_be_passed_on_is_not_even_told_to_exist(story: Story) -> None:
    found = disclosed(story)
    assert {row["event_id"]: row["because"].split(";")[0] for row in found.kept_back} == {
        "e-third": "somebody else said it, who has rights in it as well",
        "e-police": "police marked it as not to be passed on",
    }
    page = subject_page(found, [], on=AT_2.date(), load_id="2")
    for kept_back in ("police", "z9/1", "Enquiry", "neighbour", "e-third", "e-police"):
        assert kept_back not in page
    both = disclosed(story, release=["e-police"], withhold=["e-plain"])
    assert sorted(events(both)) == ["e-police", "e-words", "e-words"]
    assert "z9/1" in subject_page(both, [], on=AT_2.date(), load_id="2")
    assert {row["event_id"] for row in both.kept_back} == {"e-third", "e-plain"}


def test_a_decision_on_an_event_of_nobody_is_refused(story: Story) -> None:
    with pytest.raises(QueryError, match=r"e-nowhere: no event of this person"):
        disclosed(story, release=["e-nowhere"])
    with pytest.raises(QueryError, match="no person"):
        con = querying.open_mart(story.marts, story.keys, "practitioner")
        try:
            disclosure(con, "p-nobody")
        finally:
            con.close()


def test_markup_in_a_value_stays_text() -> None:
    found = Disclosure("P1", {"chronology": [{"title": "<script>alert(1)</script>", "agency": 'a"b'}]}, [], 0)
    page = subject_page(found, [{"role": "<b>", "what": "query", "day": AT_1.date()}], on=AT_2.date(), load_id="2")
    assert "<script>" not in page and "<b>" not in page


NAME = st.text(st.characters(categories=("Lu", "Ll")), min_size=2, max_size=8).filter(
    lambda word: word.lower() == word.lower().strip()
)


@given(st.lists(NAME, min_size=1, max_size=4), st.text(max_size=30), st.text(max_size=30))
def test_no_word_of_anothers_name_is_left_in_any_text(names: list[str], before: str, after: str) -> None:
    without = without_others([" ".join(names)], own=set(), postcodes=set())
    for name in names:
        left = without(f"{before} {name}, {name.upper()} {after}")
        assert f" {name}, " not in left.replace("[another person]", "")


def test_the_persons_own_name_and_postcode_stay() -> None:
    without = without_others(["Ana Reed", "Will O'Shea"], own={"ana", "reed"}, postcodes={"WX11AA"})
    assert without("Ana Reed of wx1 1aa met Will O'Shea.") == "Ana Reed of wx1 1aa met [another person]."
