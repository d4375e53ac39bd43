"""The review queue: what comes first, what a blind list hides, how far reviewers agree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from linkage.evaluate import Score
from linkage.review import agreement, clerical, queue
from pipelines.commands.linkage import _told
from tests.unit.linkage_world import NOW, world

A, B, C, D, E, F = (f"health.fhir:{name}" for name in "ABCDEF")
S, T = "school.ctf:S", "school.ctf:T"


def council() -> Any:
    con = world([{"feed": record.split(":")[0], "id": record.split(":")[1]} for record in (A, B, C, D, E, F, S, T)])
    for record in (A, B, C, D, E, F, S, T):
        con.execute(
            "INSERT INTO link (record_id, person_id, how, linked_at) VALUES (?, ?, 'single', ?)",
            [record, "P" + ("A" if record == T else record[-1]), NOW],
        )
    for a, b, probability in ((A, B, 0.94), (C, S, 0.86), (D, E, 0.9)):
        con.execute(
            "INSERT INTO potential_match (record_id_a, record_id_b, match_probability, reason, load_id)"
            " VALUES (?, ?, ?, 'near names', 'L1')",
            [a, b, probability],
        )
    con.execute("INSERT INTO span (span_id, record_id, kind) VALUES ('s', ?, 'child_protection_plan')", [E])
    return con


def test_a_child_under_protection_comes_first_then_what_brings_agencies_together() -> None:
    rows = queue(council())
    assert [(row["record_id_a"], row["record_id_b"]) for row in rows] == [(D, E), (C, S), (A, B)]
    assert [row["safety_relevant"] for row in rows] == [True, False, False]
    assert [row["agencies_gained"] for row in rows] == [0, 1, 0]
    assert rows[2]["records_joined"] == 3


def test_a_blind_list_hides_scores_and_reasons_and_keeps_the_order() -> None:
    con = council()
    blind = queue(con, blind=True)
    assert not any({"match_probability", "reason"} & row.keys() for row in blind)
    assert [row["record_id_a"] for row in blind] == [row["record_id_a"] for row in queue(con)]


def test_what_was_answered_or_sealed_is_not_asked() -> None:
    con = council()
    assert [row["record_id_a"] for row in queue(con, answered=[(C, S)])] == [D, A]
    assert [row["record_id_a"] for row in queue(con, sealed=[(D, E)])] == [C, A]


def answer(author: str, a: str, kind: str) -> dict[str, Any]:
    return {"author": author, "record_id_a": a, "record_id_b": F, "kind": kind, "decided_at": NOW + timedelta(hours=1)}


def test_agreement_is_told_with_chance_taken_out() -> None:
    yes, no = "must_link", "cannot_link"
    said = [answer("Ana", record, kind) for record, kind in zip((A, B, C, D), (yes, yes, no, no), strict=True)]
    said += [answer("Bo", record, kind) for record, kind in zip((A, B, C, D), (yes, no, no, no), strict=True)]
    said += [answer("Cy", E, yes)]
    (found,) = agreement(said)
    assert (found["reviewers"], found["pairs"], found["agree"], found["kappa"]) == ("Ana, Bo", 4, 0.75, 0.5)
    assert agreement([answer("Ana", A, yes), answer("Bo", A, yes)])[0]["kappa"] is None


def test_answers_measure_what_the_machine_held_when_they_were_given() -> None:
    con = council()
    said = [{"record_id_a": A, "record_id_b": T, "kind": "must_link", "decided_at": NOW + timedelta(hours=1)}]
    said += [answer("Ana", B, "cannot_link")]
    linked, apart = clerical(con, said)
    assert (linked["pairs"], linked["decided"], linked["said_one_person"]) == ("held to be one person", 1, 1)
    assert (apart["pairs"], apart["said_one_person"]) == ("not linked", 0)


def test_a_report_tells_intervals_and_nothing_of_small_groups() -> None:
    few, many = _told("few", Score(4, 3, 3)), _told("many", Score(200, 198, 198))
    assert few["precision"] == "fewer than 10 pairs"
    assert not any(few[name] for name in few if name not in ("of", "precision"))
    assert few.keys() == many.keys()
    assert (many["precision"], many["recall"], many["missed"]) == ("1.0000", "0.9900", "2")
    assert many["(recall)"].split("–")[0] < many["recall"] < many["(recall)"].split("–")[1]
