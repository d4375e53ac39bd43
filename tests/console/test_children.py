"""Finding a child and reading its picture: nothing without what for, everything in the access log, nothing that is protected."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from connectors import reading
from console.areas.children import _understood
from console.pace import AT_ALL_ELSE, AT_CHILDREN
from console.words import ETHNICITY, said_of
from tests.console.conftest import Client, Desk

WHY = "strategy discussion 26/114"


def _search(client: Client, said: str, purpose: str = WHY) -> str:
    answer = client.post("/children/search", {"said": said, "purpose": purpose}, on="/children")
    assert answer.status_code == 200, answer.text
    return answer.text


def _open(client: Client, person_id: str) -> str:
    answer = client.post("/children/open", {"person_id": person_id, "purpose": WHY}, on="/children")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert page.status_code == 200, page.text
    return page.text


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("amina khan", {"p-amina"}),
        ("KHAN amína 02/04/2015", {"p-amina"}),
        ("khan", {"p-amina", "p-amira"}),
        ("khan 2015-04-02", {"p-amina", "p-amira"}),
        ("khan 03/04/2015", set()),
        ("ls81aa", {"p-amina", "p-amira"}),
        ("amira LS8 1AA", {"p-amira"}),
        ("900 000 0009", {"p-amina"}),
        ("h2", {"p-amira"}),
        ("p-amina", {"p-amina"}),
        ("p2older amina7", {"p-amina"}),  # what she was called before, as somebody types it
        ("LS9 9ZZ", set()),  # Jo's address is restricted: nobody is found by it
        ("ls72bb", set()),
        ("' OR 1=1 --", set()),
        ("%", set()),
    ],
)
def test_a_child_is_found_by_what_it_is_known_by(shared_desk: Desk, said: str, found: set[str]) -> None:
    client = shared_desk.client("practitioner")
    if said == "%":
        assert client.post("/children/search", {"said": said, "purpose": WHY}, on="/children").status_code == 400
        return
    page = _search(client, said)
    assert set(re.findall(r'name="person_id" value="([^"]+)"', page)) == found
    assert page.count("<script") == 0 and "' OR 1=1" not in page


def test_a_search_is_logged_with_what_for_and_whom_it_showed(desk: Desk) -> None:
    _search(desk.client("practitioner"), "khan")
    (look,) = desk.looks()
    assert (look.who, look.purpose, look.role) == ("practitioner", WHY, "practitioner")
    assert look.shown == {"p-amina", "p-amira"} and look.load_id == "2026-03-02"


def test_nothing_is_searched_without_what_for(desk: Desk) -> None:
    answer = desk.client("practitioner").post("/children/search", {"said": "khan", "purpose": "  "}, on="/children")
    assert answer.status_code == 400 and "Enter what you look for" in answer.text and "Amira" not in answer.text
    assert desk.looks() == []


def test_a_child_is_not_shown_by_its_address_alone(desk: Desk) -> None:
    client = desk.client("practitioner")
    answer = client.get("/children/p-amina")
    assert "What do you look for?" in answer.text and "Khan" not in answer.text and desk.looks() == []
    page = _open(client, "p-amina")
    assert "Khan" in page and [look.question for look in desk.looks()] == ["console: child p-amina"]
    assert {"p-amina", "p-amira"} <= (desk.looks()[0].shown or frozenset())
    assert "What do you look for?" in client.get("/children/p-amira").text  # what for is said of each child
    desk.account("practitioner", name="other")
    other = desk.signed_in("other")
    assert "What do you look for?" in other.get("/children/p-amina").text  # and by each who looks


def test_who_opens_more_children_than_anybody_reads_is_told_of(desk: Desk) -> None:
    client, pace = desk.client("practitioner"), desk.deployment.pace

    def told() -> list[str]:
        return [event["who"] for event in desk.deployment.accounts.events() if "looks in an hour" in event["what"]]

    _open(client, "p-amina")
    desk.later(minutes=10)
    for _ in range(AT_CHILDREN - 1):
        assert not pace.is_news("practitioner", desk.now[0], AT_CHILDREN)
    assert not pace.is_news("practitioner", desk.now[0], AT_ALL_ELSE), "what is no child is counted by itself"
    assert told() == []
    assert client.get("/children/p-amina").status_code == 200
    assert told() == ["practitioner"]
    assert client.get("/children/p-amina").status_code == 200, "nobody is kept from a child's story"
    assert told() == ["practitioner"], "told once an hour"
    desk.account("practitioner", name="colleague")
    desk.signed_in("colleague").get("/children/p-amina")
    assert told() == ["practitioner"], "each account is counted by itself"
    assert not pace.is_news("practitioner", desk.now[0] + timedelta(minutes=60), AT_CHILDREN), "and each hour"


def test_the_page_shows_the_picture_in_words(shared_desk: Desk) -> None:
    page = _open(shared_desk.client("practitioner"), "p-amina")
    for said in (
        "born 2 April 2015",
        "Sends nothing to Tessera",
        "Kettlewords as corrected",
        "withdrawn",
        "the same number or key",
    ):
        assert said in page, said
    assert "Kettlewords as first told" not in page
    assert not re.search(r"\bW[A-Z]{3}\b|professional_opinion|not_supplied", re.sub(r"<[^>]+>", " ", page))


def test_filters_and_what_was_known_on_a_day(shared_desk: Desk) -> None:
    client = shared_desk.client("practitioner")
    _open(client, "p-amina")
    before = client.get("/children/p-amina?as_of=2026-03-01").text
    assert (
        "Kettlewords as first told" in before and "Kettlewords as corrected" not in before and "As known at" in before
    )
    only = client.get("/children/p-amina?agency=social_care").text
    assert "Kettlewords" not in only
    for query in ("agency=%3Cscript%3E", "kind=nonsense", "from=yesterday", "as_of=9999-99-99"):
        assert client.get(f"/children/p-amina?{query}").status_code == 200
    assert any("as of 2026-03-01" in look.question for look in shared_desk.looks())


def test_a_protected_address_is_said_to_be_and_not_shown(shared_desk: Desk) -> None:
    page = _open(shared_desk.client("practitioner"), "p-jo")
    assert "The address is protected" in page
    assert not re.search(r"LS9\s*9ZZ|LS7\s*2BB", page, re.IGNORECASE)
    assert not re.search(r"LS9\s*9ZZ|LS7\s*2BB", _search(shared_desk.client("practitioner"), "hart"), re.IGNORECASE)


@pytest.mark.parametrize("guess", ["p-nobody", "p-amina'", "12345", "..%2F..%2Fetc", "%00", "<b>"])
def test_guessing_an_identifier_tells_nothing(shared_desk: Desk, guess: str) -> None:
    client = shared_desk.client("practitioner")
    answer = client.post("/children/open", {"person_id": guess, "purpose": WHY}, on="/children")
    page = client.get(answer.headers["location"]) if answer.status_code == 303 else answer
    assert page.status_code == 404 and "There is no such" in page.text and guess not in page.text


def test_a_signal_is_marked_by_who_read_it(desk: Desk) -> None:
    client = desk.client("practitioner")
    with desk.deployment.marts.reading("practitioner") as (con, _):
        row = con.execute("SELECT signal_id, person_id FROM signals LIMIT 1").fetchone()
    assert row
    signal, person = row
    at = f"/children/{person}"
    without_purpose = client.post(f"{at}/signal", {"signal_id": signal, "useful": "no", "reason": "known"}, on=at)
    assert without_purpose.status_code == 400 and "purpose" in without_purpose.text
    assert desk.deployment.signal_verdicts.all() == []
    _open(client, person)
    answer = client.post(f"{at}/signal", {"signal_id": signal, "useful": "yes", "reason": ""}, on=at)
    assert answer.status_code == 400 and "Enter why" in answer.text
    hostile = '=cmd|"/c calc"!A1 <script>alert(1)</script>'
    assert (
        client.post(f"{at}/signal", {"signal_id": signal, "useful": "no", "reason": hostile}, on=at).status_code == 303
    )
    page = client.get(at).text
    assert "marked not useful" in page and "&lt;script&gt;" in page and "<script" not in page
    (verdict,) = desk.deployment.signal_verdicts.all()
    assert (verdict["author"], verdict["useful"]) == ("practitioner", False)
    answer = client.post(f"{at}/signal", {"signal_id": "Gnone", "useful": "no", "reason": "x"}, on=at)
    assert answer.status_code == 409 and len(desk.deployment.signal_verdicts.all()) == 1


def test_a_night_published_meanwhile_is_what_the_next_page_shows(desk: Desk) -> None:
    client = desk.client("practitioner")
    _open(client, "p-amina")
    with desk.deployment.marts.reading("practitioner") as (con, _):  # somebody still reads the one before
        desk.story.publish("2026-03-02")
        assert "Khan" in client.get("/children/p-amina").text
        assert con.execute("SELECT count(*) FROM children").fetchone()
    versions = {look.version for look in desk.looks()}
    assert len(versions) == 2


def test_a_mart_that_does_not_open_is_said_so(desk: Desk) -> None:
    client = desk.client("practitioner")
    _open(client, "p-amina")
    desk.deployment.marts.close()
    path = desk.deployment.marts.night().path(desk.story.marts, "practitioner")
    whole = path.read_bytes()
    try:
        path.write_bytes(b"not a mart")
        answer = client.get("/children/p-amina")
        assert answer.status_code == 503 and "cannot be read" in answer.text and str(path) not in answer.text
    finally:
        path.write_bytes(whole)


def test_codes_are_said_in_words() -> None:
    assert said_of("ethnicity", "BAFR") == "Black African" and said_of("sex", "F") == "female"
    assert said_of("birth_date", "2015-04-02") == "2 April 2015" and said_of("birth_date", "spring") == "spring"
    codes = Path(reading.__file__).with_name("crosswalks.csv").read_text(encoding="utf-8").splitlines()
    used = {line.split(",")[2] for line in codes if line.startswith("ethnicity_") and line.split(",")[2]}
    assert used <= set(ETHNICITY)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("O'Brien-Smith", ["o", "brien", "smith"]),
        ("Zoë LS8 1AA", ["zoe", "ls81aa"]),
        ("  ", []),
        ("31/02/2015", ["31", "02", "2015"]),
    ],
)
def test_what_was_asked_becomes_words(said: str, words: list[str]) -> None:
    assert _understood(said)[1] == words
