"""The code of an authenticator app beside a password: set up, asked for, taken once, and what may be tried instead of having one."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa

from console.gate import WHERE_DUE
from console.routes import ANYBODY, declared_routes
from console.second_factor import in_fours, key_of, step_of
from console.sessions import PASSWORD as PROVED_PASSWORD
from console.sessions import Due
from tests.console.conftest import APP, BOTH, PASSWORD, Client, Desk, code, desk_over

_KEY = re.compile(r'<code class="key">([A-Z2-7 ]+)</code>')
WORDS = "some other three words"
FIRST = "made by somebody"


def _shown_key(client: Client) -> str:
    found = _KEY.search(client.get("/second-factor").text)
    assert found
    return found[1].replace(" ", "")


def _code(key: str, at: dt.datetime) -> str:
    return pyotp.TOTP(key).at(at.replace(tzinfo=dt.UTC))


def _half_in(desk: Desk, name: str, password: str = PASSWORD) -> Client:
    """A browser in which the password was given, and nothing else yet."""
    client = desk.browser()
    assert client.post("/sign-in", {"name": name, "password": password}, on="/sign-in").status_code == 303
    return client


def _give(client: Client, given: str) -> int:
    return client.post("/sign-in/code", {"code": given}, on="/sign-in/code").status_code


def test_a_new_account_chooses_a_password_then_sets_up_an_app(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.deployment.accounts.add("new", ["quality"], [], FIRST, author="test", at=desk.now[0])
    client = _half_in(desk, "new", FIRST)
    assert client.get("/second-factor").headers["location"] == "/password"
    assert client.post("/password", {"old": FIRST, "new": WORDS, "again": WORDS}).status_code == 303
    assert client.get("/quality").headers["location"] == "/second-factor"
    page, key = client.get("/second-factor").text, _shown_key(client)
    assert in_fours(key) in page and "<svg" in page and "<script" not in page and "style=" not in page
    assert 'autocomplete="one-time-code"' in page and 'inputmode="numeric"' in page
    wrong = client.post("/second-factor", {"code": "000000"}, on="/second-factor")
    assert wrong.status_code == 400 and "let your telephone set its clock" in wrong.text
    assert _shown_key(client) == key  # whoever has scanned it does not do so again
    half = client.cookies["tessera_session"]
    typed = f" {_code(key, desk.now[0])[:3]} {_code(key, desk.now[0])[3:]} "
    assert client.post("/second-factor", {"code": typed}, on="/second-factor").headers["location"] == "/"
    assert client.get("/quality").status_code == 200 and client.cookies["tessera_session"] != half
    client.cookies.set("tessera_session", half, domain="127.0.0.1")
    assert client.get("/quality").headers["location"].startswith("/sign-in?")

    # From here on nobody is shown it, and nowhere is it written in the clear.
    for path in ("/second-factor", "/password", "/"):
        assert key not in desk.signed_in("new").get(path).text.replace(" ", "")
    held = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.sqlite*"))
    account = desk.deployment.accounts.find("new")
    assert account is not None and account.app_key == key and key not in repr(account)
    assert key.encode() not in held and key not in caplog.text


def test_a_code_is_taken_once_and_about_its_own_half_minute(desk: Desk) -> None:
    desk.account("engineer")
    now, half = desk.now[0], dt.timedelta(seconds=30)
    client = _half_in(desk, "engineer")
    for apart in (-2, 2):
        assert _give(client, code(now + apart * half)) == 400
    assert client.get("/tonight").headers["location"] == "/sign-in/code?next=/tonight"
    assert _give(client, code(now + half)) == 303 and client.get("/tonight").status_code == 200
    for used in (now + half, now, now - half):  # nor one before it, which somebody may have seen typed
        assert _give(_half_in(desk, "engineer"), code(used)) == 400
    desk.later(minutes=16)
    assert _give(_half_in(desk, "engineer"), code(desk.now[0] - half)) == 303


def test_two_who_send_one_code_at_once_are_not_both_taken(desk: Desk) -> None:
    desk.account("engineer")
    account, at = desk.deployment.accounts.find("engineer"), desk.now[0]
    assert account is not None

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: desk.deployment.accounts.prove(account, code(at), at), range(4)))
    assert sorted(taken) == [False, False, False, True]


def test_a_code_is_not_guessed(desk: Desk) -> None:
    desk.account("engineer")
    for _ in range(4):  # beginning anew with the right password forgives nothing
        assert _give(_half_in(desk, "engineer"), "000000") == 400
    assert _give(_half_in(desk, "engineer"), "000000") == 400
    assert desk.browser().post("/sign-in", {"name": "engineer", "password": PASSWORD}, on="/sign-in").status_code == 429
    assert [event["what"] for event in desk.deployment.accounts.events()][:2] == ["locked", "wrong code"]
    desk.later(minutes=16)
    client = _half_in(desk, "engineer")
    answers = [
        client.post("/sign-in/code", {"code": said}, on="/sign-in/code")
        for said in ("", "12345", "one two three", "0" * 50)
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert desk.sign_in("engineer").headers["location"] == "/"


def test_the_same_failures_lock_a_session_that_asks_for_the_password_again(desk: Desk) -> None:
    client = desk.client("engineer")
    answers = [
        client.post("/password", {"old": "a guess of mine", "new": WORDS, "again": WORDS}).status_code for _ in range(6)
    ]
    assert answers == [400] * 5 + [429]


ROUTES = declared_routes()
DUE: tuple[Due, ...] = ("code", "password", "app")


@pytest.mark.parametrize("due", DUE)
def test_while_something_is_due_every_route_but_those_that_say_so_leads_there(shared_desk: Desk, due: Due) -> None:
    """Complete by construction: whatever the console starts with, tried as an account that holds every role."""
    from console.accounts import ROLES

    desk, name = shared_desk, f"half-in-{due}"
    if due == "password":
        desk.deployment.accounts.add(name, ROLES, [], FIRST, author="test", at=desk.now[0])
    else:
        made = desk.account(*ROLES, name=name)
        if due == "app":
            account = desk.deployment.accounts.reset(made, FIRST, author="test", at=desk.now[0], second_factor=True)
            desk.deployment.accounts.change_password(account, FIRST, PASSWORD, at=desk.now[0])
    account = desk.deployment.accounts.find(name)
    assert account is not None
    session = desk.deployment.sessions.begin(account, desk.now[0], (PROVED_PASSWORD,))
    assert session.due == due
    client, open_while_due = desk.browser(), set()
    client.cookies.set("tessera_session", session.token, domain="127.0.0.1")
    before = len(desk.looks())
    for route in sorted(ROUTES, key=lambda route: route.path == "/sign-out"):  # which is the end of it
        form = {"form_token": desk.deployment.sessions.form_token(session.token)}
        path = re.sub(r"\{[^}]+\}", "1", route.path)
        answer = client.request(route.method, path, data=form if route.method == "POST" else None)
        if due in route.while_due:
            open_while_due.add(route.path)
        elif route.may != ANYBODY:
            assert answer.status_code == 303, path
            assert answer.headers["location"].partition("?")[0] == WHERE_DUE[due], path
    assert len(desk.looks()) == before
    assert open_while_due == {WHERE_DUE[due], "/sign-out"}


def test_an_account_of_an_earlier_version_is_asked_at_its_next_sign_in(desk: Desk) -> None:
    desk.deployment.accounts.add("old", ["engineer"], [], FIRST, author="test", at=desk.now[0])
    accounts, sessions = desk.deployment.accounts, desk.deployment.sessions
    account = accounts.find("old")
    assert account is not None
    account = accounts.change_password(account, FIRST, PASSWORD, at=desk.now[0])
    token, table = sessions.begin(account, desk.now[0]).token, accounts.journal.table
    with desk.deployment.store.engine().begin() as connection:  # as that version wrote them
        cipher = accounts._cipher
        for row in connection.execute(sa.select(table)).all():
            said = json.loads(cipher.open(row.said))
            del said["app_key"]
            connection.execute(
                table.update().where(table.c.account_row == row.account_row).values(said=cipher.seal(json.dumps(said)))
            )
        connection.execute(sa.text("UPDATE console_session SET amr = NULL, proof = NULL"))
    client = desk.browser()
    client.cookies.set("tessera_session", token, domain="127.0.0.1")
    assert client.get("/tonight").headers["location"].startswith("/sign-in?")  # its sessions are over
    client = _half_in(desk, "old")
    assert client.get("/tonight").headers["location"] == "/second-factor"
    key = _shown_key(client)
    client.post("/second-factor", {"code": _code(key, desk.now[0])}, on="/second-factor")
    assert client.get("/tonight").status_code == 200


@pytest.mark.parametrize("change", ["amr = 'pwd otp'", "generation = generation + 0, amr = 'pwd otp', proof = X'00'"])
def test_who_writes_to_the_store_without_its_key_makes_no_whole_session(desk: Desk, change: str) -> None:
    desk.account("engineer")
    client = _half_in(desk, "engineer")
    with desk.deployment.store.engine().begin() as connection:
        connection.execute(sa.text(f"UPDATE console_session SET {change}"))
    assert client.get("/tonight").headers["location"] == "/sign-in?next=/tonight"


def test_nor_one_of_somebody_else(desk: Desk) -> None:
    desk.account("engineer")
    desk.account("governance", name="boss")
    client, digest = desk.signed_in("engineer"), desk.deployment.accounts.digest("boss")
    assert client.get("/tonight").status_code == 200
    with desk.deployment.store.engine().begin() as connection:
        connection.execute(sa.text("UPDATE console_session SET account = :boss"), {"boss": digest})
    assert client.get("/governance").headers["location"].startswith("/sign-in?")


def test_a_password_is_enough_where_the_deployment_says_so_of_every_role(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    eased = desk_over(desk.story, tmp_path / "other", desk.portal, password_alone=frozenset({"contributor"}))
    for name, roles, onward in (("coach", ["contributor"], 200), ("nurse", ["contributor", "practitioner"], 303)):
        account = eased.deployment.accounts.add(name, roles, [], FIRST, author="test", at=eased.now[0])
        eased.deployment.accounts.change_password(account, FIRST, PASSWORD, at=eased.now[0])
        assert _half_in(eased, name).get("/").status_code == onward
    client = _half_in(eased, "coach")
    key = _shown_key(client)
    said = {"code": _code(key, eased.now[0])}
    assert client.post("/second-factor", said, on="/second-factor").status_code == 400  # not without the password
    assert client.post("/second-factor", {**said, "password": PASSWORD}, on="/second-factor").status_code == 303
    assert _half_in(eased, "coach").get("/").status_code == 303  # who has an app is asked for it


def test_another_app_is_set_up_by_whoever_has_password_and_present_app(desk: Desk) -> None:
    client = desk.client("engineer")
    key = _shown_key(client)
    elsewhere = desk.signed_in("engineer")
    right = {"password": PASSWORD, "former": code(desk.now[0]), "code": _code(key, desk.now[0])}
    for wrong in (
        {"password": "x"},
        {"former": "000000"},
        {"former": ""},
        {"former": right["code"]},
        {"code": right["former"]},
    ):
        answer = client.post("/second-factor", {**right, **wrong}, on="/second-factor")
        assert answer.status_code == 400, wrong
        assert elsewhere.get("/").status_code == 200
    desk.later(minutes=16)
    right |= {"former": code(desk.now[0]), "code": _code(key, desk.now[0])}
    assert client.post("/second-factor", right, on="/second-factor").status_code == 303
    assert client.get("/").status_code == 200 and elsewhere.get("/").status_code == 303
    assert _give(_half_in(desk, "engineer"), code(desk.now[0] + dt.timedelta(seconds=30))) == 400
    assert _give(_half_in(desk, "engineer"), _code(key, desk.now[0] + dt.timedelta(seconds=30))) == 303


def test_who_lost_the_app_begins_again_with_a_password_that_was_given_to_them(desk: Desk) -> None:
    desk.account("engineer")
    accounts = desk.deployment.accounts
    accounts.reset("engineer", FIRST, author="test", at=desk.now[0])
    assert (
        _half_in(desk, "engineer", FIRST).get("/").headers["location"] == "/sign-in/code"
    )  # a new password is no way around
    accounts.reset("engineer", FIRST, author="test", at=desk.now[0], second_factor=True)
    client = _half_in(desk, "engineer", FIRST)
    assert client.get("/").headers["location"] == "/password"
    client.post("/password", {"old": FIRST, "new": WORDS, "again": WORDS})
    assert client.get("/").headers["location"] == "/second-factor" and _shown_key(client) != APP


def test_a_session_says_by_what_somebody_signed_in(desk: Desk) -> None:
    desk.account("engineer")
    client = desk.browser()
    desk.sign_in("engineer", client=client)
    session = desk.deployment.sessions.find(client.cookies["tessera_session"], desk.now[0])
    assert session is not None and session.amr == BOTH == ("pwd", "otp") and session.due is None


# RFC 6238, appendix B, for SHA-1: the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(seconds: int, shown: str) -> None:
    at = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None)
    key = key_of(b"12345678901234567890")
    assert step_of(key, shown, at) == seconds // 30
    assert step_of(key, shown, at + dt.timedelta(seconds=60)) is None
    fullwidth = "".join(chr(ord(digit) + 0xFEE0) for digit in shown)
    assert step_of(key, fullwidth, at) is None and step_of(key, shown + "0", at) is None
