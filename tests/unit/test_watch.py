"""What a night measures of its own links: canaries sing when two children were made one, shares when they jump, and only then."""

from __future__ import annotations

from datetime import date
from typing import Any

from linkage.prepare import Finding
from linkage.watch import note, watch
from tests.unit.linkage_world import NOW, world
from warehouse.schema import OPERATIONS

BORN = date(2012, 3, 4)


def council(second: dict[str, Any], how: str = "probabilistic") -> Any:
    """Ada and a second record under one person, and somebody else."""
    ada = {
        "feed": "health.fhir",
        "id": "A",
        "given": "Ada",
        "dob": BORN,
        "nhs": "9000000009",
        "nhs_status": "01",
        "role": "child",
    }
    con = world([ada, {"feed": "health.fhir", "id": "B", **second}, {"feed": "school.ctf", "id": "C"}])
    for name in ("night", "linkage_measure"):
        con.execute(OPERATIONS[name].ddl())
    for number in (1, 2, 3):
        con.execute("INSERT INTO night (load_id, load_seq) VALUES (?, ?)", [f"L{number}", number])
    for record, person in (("health.fhir:A", "P1"), ("health.fhir:B", "P1"), ("school.ctf:C", "P2")):
        con.execute(
            "INSERT INTO link (record_id, person_id, how, linked_at) VALUES (?, ?, ?, ?)", [record, person, how, NOW]
        )
    return con


def test_each_canary_sings_once_and_not_for_what_a_person_decided() -> None:
    for second, words in (
        ({"given": "Zoë", "dob": BORN}, "one birth date and unlike given names"),
        ({"given": "Zoë", "dob": date(2015, 3, 4)}, "born more than a year apart"),
        ({"given": "Ada", "dob": BORN, "nhs": "9000000017", "nhs_status": "01"}, "two verified NHS numbers"),
        ({"given": "Ada", "role": "adult"}, "an adult and another a child"),
    ):
        con = council(second)
        alerts = watch(con, "L1")
        assert len(alerts) == 1
        assert words in alerts[0]
        assert watch(con, "L1") == alerts, "again changes nothing"
        assert watch(con, "L2") == [], "it was told the night before"
        assert watch(council(second, how="clerical"), "L1") == []
    assert watch(council({"given": "Ada", "dob": BORN}), "L1") == []


def test_a_share_that_jumps_is_told_and_one_that_drifts_is_not() -> None:
    con = council({"given": "Ada", "dob": BORN})
    con.execute(
        "INSERT INTO link (record_id, person_id, how, linked_at) SELECT 'x.y:' || i, 'Q' || i, 'single', ? FROM range(1000) t(i)",
        [NOW],
    )
    assert watch(con, "L1") == []
    con.execute("UPDATE link SET person_id = 'Q1' WHERE record_id IN ('x.y:2', 'x.y:3')")
    assert watch(con, "L2") == []
    con.execute(
        "UPDATE link SET person_id = 'R' || (CAST(substr(record_id, 5) AS INT) // 2) WHERE record_id LIKE 'x.y:%'"
    )
    (told,) = watch(con, "L3")
    assert "share a person" in told
    assert con.execute("SELECT count(*) FROM linkage_measure WHERE alert <> ''").fetchone() == (1,)


def test_what_linkage_would_not_use_is_kept_and_told_while_it_lasts() -> None:
    con = council({"given": "Ada", "dob": BORN})
    finding = Finding("given", 2, "given: 1 value(s) stand on 2 of 3 records; not used as evidence")
    for _ in range(2):
        note(con, "L1", [finding], 3)
        watch(con, "L1")
    rows = con.execute("SELECT cases, of, alert FROM linkage_measure WHERE starts_with(measure, 'not used')").fetchall()
    assert rows == [(2, 3, finding.message)]
