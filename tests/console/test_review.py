"""A reviewer decides pairs: by button, blind, twice at once, and takes it back. What the next night makes of it: test_deciding.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from console.areas import review
from tests.console.conftest import Client, Desk, desk_over
from tests.integration.test_publish_story import NIGHT_2, tell

H1, H2 = "health.fhir:h1", "health.fhir:h2"


def first_pair(client: Client, of: str = "queue") -> str:
    """The address of the first pair that waits."""
    answer = client.get(f"/review/next?of={of}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def say(client: Client, page: str, answer: str, note: str = "") -> object:
    known = re.search(r'name="known" value="([^"]*)"', client.get(page).text)
    assert known is not None
    return client.post(
        page.partition("?")[0], {"of": "queue", "answer": answer, "note": note, "known": known[1]}, on=page
    )


def test_what_waits_is_told_with_what_a_yes_would_bring_and_no_name(desk: Desk) -> None:
    page = desk.client("reviewer").get("/review")
    assert "1 pair waits" in page.text and "Health" in page.text
    assert "Khan" not in page.text and H1 not in page.text, "a list needs no names, and an address no record's key"
    (look,) = [look for look in desk.looks() if look.question == "review: questions"]
    assert {H1, H2} <= (look.shown or set())


def test_two_records_stand_side_by_side_and_their_weights_add_up(desk: Desk) -> None:
    client = desk.client("reviewer")
    page = client.get(first_pair(client)).text
    assert "Given names" in page and "<mark>" in page
    assert "Twins?" in page and "nearly the same given name".casefold() in page.casefold()
    assert page.count('class="weight"') >= 5 and "+2.5" in page
    assert not re.search(r"style=|onclick=", page)


def test_blind_means_no_score_no_reason_and_no_weights(desk: Desk) -> None:
    client = desk.client("reviewer")
    seen = client.get(first_pair(client) + "&blind=yes").text
    assert "Twins?" not in seen and 'class="weight"' not in seen and "likely" not in seen


@pytest.mark.parametrize(("answer", "kind"), [("same", "must_link"), ("different", "cannot_link")])
def test_an_answer_is_a_decision_with_what_was_seen_as_its_reason(desk: Desk, answer: str, kind: str) -> None:
    client = desk.client("reviewer")
    done = say(client, first_pair(client), answer, "asked the health visitor")
    (taken,) = desk.deployment.decisions.listed()
    assert (taken["kind"], taken["author"], {taken["record_id_a"], taken["record_id_b"]}) == (
        kind,
        "reviewer",
        {H1, H2},
    )
    assert taken["reason"].startswith("asked the health visitor. Seen side by side: ")
    assert "khan" not in taken["reason"].casefold()
    assert taken["decision_id"] in client.get(done.headers["location"]).text  # type: ignore[attr-defined]
    assert "0 pairs wait" in client.get("/review").text


def test_who_cannot_tell_says_why_and_the_pair_stays_open(desk: Desk) -> None:
    client = desk.client("reviewer")
    page = first_pair(client)
    refused = say(client, page, "unsure")
    assert refused.status_code == 400 and "Enter a note" in refused.text  # type: ignore[attr-defined]
    assert say(client, page, "unsure", "no school to ask in August").status_code == 303  # type: ignore[attr-defined]
    assert not desk.deployment.decisions.all()
    (passed,) = desk.deployment.review_passes.all()
    assert (passed["author"], passed["reason"]) == ("reviewer", "no school to ask in August")
    assert "1 pair waits" in client.get("/review").text


def test_two_who_decide_at_once_do_not_overrule_each_other_unseen(desk: Desk) -> None:
    desk.account("reviewer", name="ana")
    desk.account("reviewer", name="bo")
    ana, bo = desk.signed_in("ana"), desk.signed_in("bo")
    page = first_pair(ana)
    assert first_pair(bo) == page
    say(ana, page, "same")
    late = bo.post(page.partition("?")[0], {"of": "queue", "answer": "different", "note": "", "known": ""}, on=page)
    assert late.status_code == 409 and "while you were reading" in late.text
    assert [entry["author"] for entry in desk.deployment.decisions.all()] == ["ana"]
    second = first_pair(bo, "second")
    assert "the same person" not in bo.get(second).text.partition("Your answer")[0]
    say(bo, second, "same")
    assert "ana, bo" in ana.get("/review").text


def test_who_work_at_once_are_handed_different_pairs(tmp_path: Path, portal: Any) -> None:
    story = tell(tmp_path)
    for other in ("school.attendance:a1", "social_care.ssd:s1"):
        asked = {"match_probability": 0.9, "reason": "twins?", "load_id": NIGHT_2}
        story.insert("potential_match", record_id_a=H2, record_id_b=other, **asked)
    story.publish()
    desk = desk_over(story, tmp_path, portal)
    ana, bo, cy, di = (desk.signed_in(desk.account("reviewer", name=name)) for name in ("ana", "bo", "cy", "di"))
    first = first_pair(ana)
    assert len({first, first_pair(bo), first_pair(cy)}) == 3
    assert first_pair(ana) == first, "what lies before oneself is handed again"
    assert first_pair(di) == first, "where all lie before somebody, the first is handed all the same"
    desk.later(minutes=9)
    ana.get(first)  # still read
    desk.later(minutes=2)
    second = first_pair(di)
    assert second != first, "who went away keeps nothing from others, who reads on does"
    say(di, second, "different")
    assert len({first_pair(ana), first_pair(di)}) == 2
    desk.deployment.marts.close()
    story.warehouse.close()


def test_an_answer_is_taken_back_by_another(desk: Desk) -> None:
    client = desk.client("reviewer")
    say(client, first_pair(client), "same")
    (taken,) = desk.deployment.decisions.listed()
    path = f"/review/answers/{taken['decision_id']}/undo"
    assert client.post(path, {"reason": ""}, on="/review/answers").status_code == 400
    assert client.post(path, {"reason": "the wrong pair"}, on="/review/answers").status_code == 303
    assert "1 pair waits" in client.get("/review").text
    assert client.post(path, {"reason": "again"}, on="/review/answers").status_code == 409


def test_a_seal_is_taken_and_nothing_shows_it(desk: Desk) -> None:
    client = desk.client("reviewer")
    say(client, first_pair(client), "seal", "adoption order of 3 March")
    assert desk.deployment.decisions.sealed_pairs() == [(H1, H2)]
    for page in ("/review", "/review/answers?of=all", "/review?of=second"):
        assert "adoption" not in client.get(page).text and "0 pairs" in client.get("/review").text


def test_a_pair_is_not_found_by_guessing(desk: Desk) -> None:
    for key in ("0" * 24, "health.fhir:h1", "%27%20OR%201=1", "é"):
        assert desk.client("reviewer").get(f"/review/pairs/{key}").status_code == 404


def test_hostile_text_in_a_note_is_text(desk: Desk) -> None:
    client = desk.client("reviewer")
    say(client, first_pair(client), "same", "<script>alert(1)</script>'; DROP TABLE decision; --")
    page = client.get("/review/answers").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert len(desk.deployment.decisions.all()) == 1


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("given_names", "Amina", "Amira", "Ami[n]a Ami[r]a"),
        ("given_names", "AMINA", "Amina", "AMINA Amina"),
        ("given_names", "Amina", "Joseph", "[Amina] [Joseph]"),
        ("given_names", None, "Jo", " Jo"),
        ("nhs_number", "9514655532 (verified)", "9514655532", "9514655532 (verified) 9514655532"),
        ("sex", "male", "female", "[male] [female]"),
        ("birth_date", "3 May 2014", "4 May 2014", "[3] May 2014 [4] May 2014"),
    ],
)
def test_differences_are_marked_where_they_are(name: str, a: str | None, b: str | None, expected: str) -> None:
    sides = review._pieces(name, a, b)
    assert " ".join("".join(f"[{text}]" if differs else text for text, differs in side) for side in sides) == expected


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("nhs_number", "9514655532 (verified)", "9514655532", "same"),
        ("nhs_number", "9514655532", "9514655540", "different"),
        ("other_postcodes", "LS1 1AA | LS2 2BB", "LS2 2BB", "partly the same"),
        ("family_name", "KHAN", "Khan", "same"),
        ("upn", None, "A1", "one side only"),
        ("birth_date", "2014-05-03", "2014-05-03", "same"),
        ("birth_date", "2014-05-01 (month)", "2014-05-03", "same as far as known"),
        ("birth_date", "2014-06-01 (month)", "2014-05-03", "different"),
        ("birth_date", "2014-01-01 (year)", "2014-05-01 (month)", "same as far as known"),
        ("birth_date", "2013-01-01 (age)", "2014-05-03", "different"),
    ],
)
def test_what_both_say_is_compared_as_far_as_it_is_known(
    name: str, a: str | None, b: str | None, expected: str
) -> None:
    assert review._verdict(name, a, b) == expected
