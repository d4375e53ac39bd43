"""Runs the readable cases of linkage_same_person.yaml, all in one made-up council."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from linkage import run
from tests.unit.linkage_world import NOW, SECRET, TODAY, world

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "linkage_same_person.yaml").read_text(encoding="utf-8")
)


def neighbours(names: list[str]) -> list[dict[str, Any]]:
    """A thousand other children, so that the names of the cases are names and the odds are those of a council."""
    chance = random.Random(7)
    surnames = [
        f"{first}{last}"
        for first in ("Barn", "Wood", "Thorn", "Green", "Hart")
        for last in ("by", "ton", "well", "ley", "wick")
    ]
    records = []
    for number in range(1000):
        records.append(
            {
                "feed": "health.fhir",
                "id": f"Z{number}",
                "given": names[number % len(names)],
                "family": chance.choice(surnames),
                "dob": date(2009, 1, 2) + timedelta(days=chance.randrange(6000)),
                "sex": chance.choice("MF"),
                "postcode": f"TS{chance.randrange(20, 60)} {chance.randrange(1, 9)}QQ",
            }
        )
    return records


@pytest.fixture(scope="module")
def council() -> dict[str, Any]:
    unheard_of = {"Bfckhxm", "Baby", "BABY", "Unborn", "Huang", "Carixa"}
    names = sorted(
        {
            word.title()
            for case in CASES
            for record in case["records"].values()
            for word in str(record.get("given", "")).split()
            if word not in unheard_of and word != "Miss"
        }
    )
    con = world(neighbours(names) + [record for case in CASES for record in case["records"].values()])
    run(con, load_id="L1", now=NOW, today=TODAY, secret=SECRET)
    persons = dict(con.execute("SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL").fetchall())
    asked = {frozenset(pair) for pair in con.execute("SELECT record_id_a, record_id_b FROM potential_match").fetchall()}
    return {"persons": persons, "asked": asked}


@pytest.mark.parametrize("case", CASES, ids=[case["case"].replace(" ", "_") for case in CASES])
def test_case(case: dict[str, Any], council: dict[str, Any]) -> None:
    key = {name: f"{record['feed']}:{record['id']}" for name, record in case["records"].items()}
    together = {frozenset(pair) for group in case["same"] for pair in combinations(group, 2)}
    for pair in combinations(key, 2):
        one, other = (council["persons"][key[name]] for name in pair)
        assert (one == other) == (frozenset(pair) in together), f"{pair}: {case['why']}"
    for one, other in case.get("ask", ()):
        assert frozenset((key[one], key[other])) in council["asked"], f"{one}, {other} should be asked: {case['why']}"
