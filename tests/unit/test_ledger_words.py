"""What counts as a reason that a lay reader can look up, and what does not: so that the histories that assert it can fail."""

from __future__ import annotations

import pytest

from linkage import run
from tests.unit.ledger_words import is_understood, not_understood, sentences
from tests.unit.linkage_world import NOW, SECRET, TODAY, world


def test_the_page_has_the_sentences() -> None:
    assert len(sentences()) == len(set(sentences())) == 10


@pytest.mark.parametrize(
    "reason",
    [
        "New person: 1 record that no person known before is linked to",
        "New person: 12 records that no person known before is linked to",
        "Found to be one person: decided by a person",
        "Found to be one person: name and birth date agree: same given name, same date of birth; against: different postcodes",
        "Found to be one person: the key by which the agency knows the person",
        "Found to be one person: the key by which the agency knows the person; against: different sex",
        "Records leave this person for another: the record follows its person",
    ],
)
def test_understood(reason: str) -> None:
    assert is_understood(reason)


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "",
        "New person: some records that no person known before is linked to",
        "New person: 1 record that is linked to no other person",
        "Found to be one person: ",
        "Found to be one person: no_birth",
        "Found to be one person: name and birth date agree: ",
        "Found to be one person: name and birth date agree: given=exact",
        "Found to be one person: name and birth date agree: different postcodes",
        "Found to be one person: name and birth date agree: same given name; against: Ada Khan",
        "Found to be one person: name and birth date agree: same given name. Ada Khan",
        "All its records now belong to another person, whose identifier carries on, as before",
    ],
)
def test_not_understood(reason: str | None) -> None:
    assert not is_understood(reason)


def test_what_only_a_key_ties_together_says_so_without_loose_ends() -> None:
    con = world([{"feed": f"social_care.{feed}", "id": "12345"} for feed in ("ssd", "ssda903")])
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    evidence = con.execute("SELECT DISTINCT evidence FROM link").fetchall()
    assert evidence == [("the key by which the agency knows the person",)]
    assert not_understood(con) == []
