"""Signing in, and everything that somebody who should not be in may try."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, extract_parameters

from console.accounts import WORDS, AccountError, first_password
from console.sessions import ABSOLUTE, IDLE
from tests.console.conftest import PASSWORD, Client, Desk, desk_over
from warehouse.store import StoreError

EVERY_HEADER = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
    "cross-origin-opener-policy", "cache-control",
}  # fmt: skip


def _sign_in(client: Client, name: str, password: str, **said: str) -> httpx.Response:
    return client.post("/sign-in", {"name": name, "password": password, **said}, on="/sign-in")


def test_signing_in_and_out(desk: Desk) -> None:
    desk.account("engineer", name="e.field")
    client = desk.browser()
    answer = desk.sign_in("E.Field ", client=client, next="/password")
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    assert client.get("/").status_code == 200
    held = client.cookies["tessera_session"]
    assert client.post("/sign-out").status_code == 303
    assert "tessera_session" not in client.cookies
    client.cookies.set("tessera_session", held, domain="127.0.0.1")  # a copy of the cookie is worth nothing any more
    assert client.get("/").status_code == 303
    assert [event["what"] for event in desk.deployment.accounts.events()][:2] == ["signed out", "signed in, code"]


@pytest.mark.parametrize(
    "onward", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y", ""]
)
def test_after_signing_in_nobody_is_sent_elsewhere(desk: Desk, onward: str) -> None:
    desk.account("engineer")
    assert desk.sign_in("engineer", next=onward).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(desk: Desk) -> None:
    desk.account("engineer")
    wrong = desk.browser().post("/sign-in", {"name": "engineer", "password": "x" * 12}, on="/sign-in")
    unknown = desk.browser().post("/sign-in", {"name": "nobody-here", "password": "x" * 12}, on="/sign-in")
    assert wrong.status_code == unknown.status_code == 400
    said = "This name and password do not belong together"
    assert said in wrong.text and said in unknown.text and "x" * 12 not in wrong.text + unknown.text


def test_a_name_is_locked_after_five_wrong_passwords_and_opens_again(desk: Desk) -> None:
    desk.account("engineer")
    for name in ("engineer", "nobody-here"):  # a name without an account is locked as well, or it would tell
        for _ in range(5):
            desk.browser().post("/sign-in", {"name": name, "password": "wrong words here"}, on="/sign-in")
        right = desk.browser().post("/sign-in", {"name": name, "password": PASSWORD}, on="/sign-in")
        assert right.status_code == 429 and "Too many attempts" in right.text
    desk.later(minutes=16)
    assert desk.browser().post("/sign-in", {"name": "engineer", "password": PASSWORD}, on="/sign-in").status_code == 303
    assert "locked" in [event["what"] for event in desk.deployment.accounts.events()]


def test_one_password_for_many_names_is_stopped(desk: Desk) -> None:
    answers = [
        desk.browser()
        .post("/sign-in", {"name": f"name{number}", "password": "summer holiday"}, on="/sign-in")
        .status_code
        for number in range(61)
    ]
    assert answers == [400] * 60 + [429]


def test_a_session_ends_when_nobody_uses_it_and_at_the_end_of_the_day(desk: Desk) -> None:
    client = desk.client("engineer")
    desk.later(seconds=(IDLE - dt.timedelta(minutes=1)).total_seconds())
    assert client.get("/").status_code == 200
    desk.later(seconds=IDLE.total_seconds())
    assert client.get("/").status_code == 303
    other = desk.client("quality")
    for _ in range(int(ABSOLUTE / dt.timedelta(minutes=15)) - 1):
        desk.later(minutes=15)
        assert other.get("/").status_code == 200
    desk.later(minutes=15)
    assert other.get("/").status_code == 303


def test_a_form_needs_its_token_its_session_and_its_origin(desk: Desk) -> None:
    client, other = desk.client("engineer"), desk.client("quality")
    data = {"old": PASSWORD, "new": "some other three words", "again": "some other three words"}
    assert client.request("POST", "/password", data=data).status_code == 403
    assert client.request("POST", "/password", data={**data, "form_token": other.token()}).status_code == 403
    assert (
        client.request("POST", "/password", data={**data, "form_token": desk.browser().token("/sign-in")}).status_code
        == 403
    )
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9000"):
        assert client.post("/password", data, headers={"origin": origin}).status_code == 403
    assert client.get("/password").status_code == 200  # still signed in with the old one
    token = client.token()
    desk.later(minutes=21)
    answer = client.request("POST", "/password", data={**data, "form_token": token})
    assert answer.status_code == 403 and "You are signed out" in answer.text


def test_a_form_that_is_sent_twice_is_taken_once(desk: Desk) -> None:
    client = desk.client("engineer")
    data = {
        "form_token": client.token(),
        "old": "wrong",
        "new": "some other three words",
        "again": "some other three words",
    }
    assert client.request("POST", "/password", data=data).status_code == 400
    answer = client.request("POST", "/password", data={**data, "old": PASSWORD})
    assert answer.status_code == 409 and "sent already" in answer.text


def test_a_new_password_ends_the_other_sessions(desk: Desk) -> None:
    client = desk.client("engineer")
    elsewhere = desk.signed_in("engineer")
    assert elsewhere.get("/").status_code == 200
    words = "some other three words"
    assert client.post("/password", {"old": PASSWORD, "new": words, "again": words}).status_code == 303
    assert client.get("/").status_code == 200 and elsewhere.get("/").status_code == 303


def test_a_password_given_by_somebody_else_is_changed_first(desk: Desk) -> None:
    desk.deployment.accounts.add("new", ["quality"], [], "made by somebody", author="test", at=desk.now[0])
    client = desk.browser()
    client.post("/sign-in", {"name": "new", "password": "made by somebody"}, on="/sign-in")
    assert client.get("/").headers["location"] == "/password"


def test_a_first_password_that_nobody_uses_runs_out(desk: Desk) -> None:
    first, accounts = first_password(), desk.deployment.accounts
    assert len({first_password() for _ in range(100)}) == 100
    accounts.add("new", ["quality"], [], first, author="test", at=desk.now[0])
    desk.later(days=3)
    assert _sign_in(desk.browser(), "new", first).status_code == 303
    desk.later(seconds=1)
    late = _sign_in(desk.browser(), "new", first)
    assert late.status_code == 400 and "This first password has run out" in late.text
    assert (
        "has run out" not in _sign_in(desk.browser(), "new", "a guess of mine").text
    )  # told to nobody who merely guesses
    accounts.reset("new", first_password(), author="test", at=desk.now[0])
    assert _sign_in(desk.browser(), "new", first).status_code == 400
    desk.account("engineer")
    desk.later(days=400)
    assert _sign_in(desk.browser(), "engineer", PASSWORD).status_code == 303  # one of their own does not


def test_what_a_password_is_not_worth_more_for_is_written_down() -> None:
    page = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
    assert f"({', '.join(WORDS)})" in " ".join(page.split())


def test_a_weak_password_is_not_taken(desk: Desk) -> None:
    # Too short or long, or long enough and among the first that are guessed: the commonest, a walk on the keyboard, our own words, a place
    # and a year.
    for password in (
        "short", "aaaaaaaaaaaaaaaa", "my password 123", "engineer engineer", "x" * 201, "qwertyuiop123456", "unbelievable", "1q2w3e4r5t6y",
        "Safeguarding2026", "Tessera-Console", "manchester2026", "p4ssw0rdp4ssw0rd",
    ):  # fmt: skip
        with pytest.raises(AccountError):
            desk.deployment.accounts.add("engineer", ["engineer"], [], password, author="test", at=desk.now[0])
        assert desk.deployment.accounts.find("engineer") is None
    for password in (
        PASSWORD,
        "Größe, 12 Äpfel?",
        "quality is never an accident",
    ):  # of any characters, our words among others
        desk.deployment.accounts.add(f"{len(password)}.one", ["engineer"], [], password, author="test", at=desk.now[0])


def test_passwords_are_hashed_by_argon2id_as_owasp_asks() -> None:
    parameters = extract_parameters(PasswordHasher().hash("any"))
    assert parameters.type.name == "ID" and parameters.memory_cost >= 19 * 1024 and parameters.time_cost >= 2


def test_a_disabled_account_is_out_at_once(desk: Desk) -> None:
    client = desk.client("engineer")
    desk.deployment.accounts.disable("engineer", author="test", at=desk.now[0])
    assert client.get("/").status_code == 303
    answer = desk.browser().post("/sign-in", {"name": "engineer", "password": PASSWORD}, on="/sign-in")
    assert answer.status_code == 400


def test_a_row_written_without_the_key_gives_no_account(desk: Desk) -> None:
    desk.account("engineer")
    desk.account("governance", "practitioner", name="boss")
    table, digest = desk.deployment.accounts.journal.table, desk.deployment.accounts.digest
    with desk.deployment.store.engine().begin() as connection:
        boss = connection.execute(sa.select(table).where(table.c.account == digest("boss"))).mappings().first()
        assert boss
        stolen = {
            **{name: value for name, value in boss.items() if name != "account_row"},
            "account": digest("engineer"),
        }
        connection.execute(table.insert().values(stolen))
    with pytest.raises(StoreError):
        desk.deployment.accounts.find("engineer")
    assert desk.deployment.accounts.journal.faults({})


def test_nothing_in_the_store_tells_a_name_or_a_token(desk: Desk, tmp_path: Path) -> None:
    desk.account("practitioner", name="zebedee.quill")
    client = desk.browser()
    client.post("/sign-in", {"name": "zebedee.quill", "password": PASSWORD}, on="/sign-in")
    held = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.sqlite*"))
    assert b"zebedee" not in held and client.cookies["tessera_session"].encode() not in held


def test_somebody_sees_where_they_are_signed_in_and_ends_it(desk: Desk) -> None:
    client, other, third, stranger = (
        desk.client("engineer"),
        *(desk.signed_in("engineer") for _ in range(2)),
        desk.client("quality"),
    )
    page = client.get("/sessions").text
    assert page.count("another browser") == 2 and page.count("this browser") == 1 and "app set up" in page
    numbers = re.findall(r'<option value="([0-9a-f]{16})"', page)
    assert len(numbers) == 2
    for said, fault in (
        ({"which": "all", "password": "a guess of mine"}, "not your present password"),
        ({"which": "all"}, "not your present password"),
        ({"which": "0" * 16, "password": PASSWORD}, "Choose which to end"),
    ):
        answer = client.post("/sessions", said)
        assert answer.status_code == 400 and fault in answer.text and other.get("/").status_code == 200
    assert stranger.post("/sessions", {"which": numbers[0], "password": PASSWORD}).status_code == 400  # not theirs
    assert client.post("/sessions", {"which": numbers[0], "password": PASSWORD}).status_code == 303
    assert sorted(one.get("/").status_code for one in (other, third)) == [200, 303]
    assert client.post("/sessions", {"which": "all", "password": PASSWORD}).status_code == 303
    assert {one.get("/").status_code for one in (other, third)} == {303}
    assert client.get("/").status_code == stranger.get("/").status_code == 200
    assert "ended elsewhere" in client.get("/sessions").text and "ended elsewhere" not in stranger.get("/sessions").text


def test_every_attempt_to_sign_in_is_kept(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.account("engineer")
    desk.account("quality")
    desk.deployment.accounts.disable("quality", author="test", at=desk.now[0])
    _sign_in(desk.browser(), "engineer", "a guess of mine")
    _sign_in(desk.browser(), "quality", PASSWORD)
    _sign_in(desk.browser(), "zebedee.quill", "a guess of mine")
    desk.sign_in("engineer")
    events = [(event["who"], event["what"]) for event in desk.deployment.accounts.events()][:3]
    assert events == [("engineer", "signed in, code"), ("quality", "refused, disabled"), ("engineer", "wrong password")]
    assert caplog.text.count("refused: a sign-in") == 3  # also of a name that nobody has, which is not told
    assert "zebedee" not in caplog.text and "guess" not in caplog.text


def test_what_is_refused_is_logged_with_whose_it_was(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    client, number = desk.client("engineer"), desk.deployment.accounts.number("engineer")
    client.get("/governance")
    client.post("/password", headers={"origin": "https://evil.example"})
    client.request("POST", "/password", data={"form_token": "forged"})
    once = {"form_token": client.token(), "old": "", "new": "", "again": "x"}
    for _ in range(2):
        client.request("POST", "/password", data=once)
    desk.browser().request("POST", "/sign-in", data={"form_token": "forged"})
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "tessera.console" and "refused" in record.getMessage()
    ]
    assert said == [
        f"refused: a role on /governance, account {number}",
        f"refused: a form from another origin on /password, account {number}",
        f"refused: a form without its token on /password, account {number}",
        f"refused: a form sent again on /password, account {number}",
        "refused: a form without its token on /sign-in, account nobody",
    ]


# Requests that no browser sends


@pytest.mark.parametrize("path", ["/", "/sign-in", "/no-such-page", "/static/console.css", "/static/../app.py"])
def test_every_answer_carries_the_headers(shared_desk: Desk, path: str) -> None:
    answer = shared_desk.client("engineer").get(path)
    assert set(answer.headers) >= EVERY_HEADER
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["cache-control"] == "no-store" or path.endswith("console.css")
    assert "<script" not in answer.text and "style=" not in answer.text and " onclick" not in answer.text


def test_cookies_are_for_this_console_alone(desk: Desk, tmp_path: Path) -> None:
    desk.account("engineer")
    answer = desk.browser().post("/sign-in", {"name": "engineer", "password": PASSWORD}, on="/sign-in")
    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said and "SameSite=strict" in said and "Secure" not in said
    (tmp_path / "https").mkdir()
    secure = desk_over(desk.story, tmp_path / "https", desk.portal, address="https://console.example")
    first = secure.browser().get("/sign-in")
    assert first.headers["set-cookie"].startswith("__Host-tessera_visit=") and "Secure" in first.headers["set-cookie"]
    assert "max-age" in first.headers["strict-transport-security"]


def test_what_is_too_large_or_not_a_form_is_refused(shared_desk: Desk) -> None:
    client = shared_desk.client("engineer")
    large = client.post("/password", {"old": "x" * 10_000_000})
    assert large.status_code == 413 and "too much at once" in large.text
    many = client.request("POST", "/password", data={f"f{number}": "x" for number in range(300)})
    assert many.status_code == 400
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.request("POST", "/password", content=b"old=%ff%fe", headers=form).status_code == 400
    assert client.request("POST", "/password", content=b"old=1&old=2", headers=form).status_code == 400
    assert (
        client.request("POST", "/password", content=b"{}", headers={"content-type": "application/json"}).status_code
        == 400
    )
    assert client.request("DELETE", "/password").status_code == 405
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


# What may be missing


def test_without_the_decisions_store_nothing_is_shown_and_nothing_is_lost(desk: Desk, tmp_path: Path) -> None:
    client = desk.client("engineer")
    assert client.get("/").status_code == 200
    shutil.move(tmp_path / "decisions.sqlite", tmp_path / "away.sqlite")
    for answer in (client.get("/"), client.get("/sign-in")):
        assert answer.status_code == 503 and "cannot note what you do" in answer.text
    assert not (tmp_path / "decisions.sqlite").exists()
    shutil.move(tmp_path / "away.sqlite", tmp_path / "decisions.sqlite")
    assert client.get("/").status_code == 200
