"""Signing in and out, and changing one's password."""

from __future__ import annotations

import re

from starlette.responses import Response

from console.accounts import FAILURES_TO_LOCK, LONGEST_PASSWORD, SHORTEST_PASSWORD, AccountError
from console.gate import begin_session, end_session
from console.routes import ANYBODY, SIGNED_IN, Pages
from console.visit import Visit

ORDER = 1
PAGES = Pages()

# A path of ours, to go on to after signing in: never another site's address, however it is written.
_OWN_PATH = re.compile(r"/[A-Za-z0-9_.:-]+(/[A-Za-z0-9_.:-]+)*")


@PAGES.get("/sign-in", may=ANYBODY, audits="nothing")
def sign_in(visit: Visit) -> Response:
    if visit.session is not None:
        return visit.go("/")
    return _page(visit, visit.query("next"), "")


@PAGES.post("/sign-in", may=ANYBODY, audits="acts", once=False)
def begin(visit: Visit) -> Response:
    name = visit.text("name", "your name", longest=80)
    # Not stripped, and no longer than any password is.
    password, onward = visit.form.get("password", "")[: LONGEST_PASSWORD + 1], visit.form.get("next", "")
    if not password:
        visit.faults |= {"password": "Enter your password"}
    if visit.faults:
        return _page(visit, onward, name, 400)
    account = visit.deployment.accounts.sign_in(name, password, visit.now)
    if account is None:
        visit.faults["name"] = "This name and password do not belong together"
        return _page(visit, onward, name, 400)
    if visit.session is not None:
        visit.deployment.sessions.end(visit.session.token)
    session = visit.deployment.sessions.begin(account, visit.now)
    response = visit.go(onward if _OWN_PATH.fullmatch(onward) else "/")
    begin_session(response, visit.deployment, session.token)
    return response


@PAGES.post("/sign-out", may=SIGNED_IN, audits="acts", once=False, with_old_password=True)
def end(visit: Visit) -> Response:
    visit.deployment.sessions.end(visit.token)
    visit.deployment.accounts.note(visit.account, "signed out", visit.now)
    response = visit.go("/sign-in")
    end_session(response, visit.deployment)
    return response


@PAGES.get("/password", may=SIGNED_IN, audits="nothing", with_old_password=True)
def password(visit: Visit) -> Response:
    return visit.page("signing_in/password.html", shortest=SHORTEST_PASSWORD)


@PAGES.post("/password", may=SIGNED_IN, audits="acts", with_old_password=True)
def change_password(visit: Visit) -> Response:
    old, new, again = (visit.form.get(name, "") for name in ("old", "new", "again"))
    if new != again:
        visit.faults["again"] = "The two new passwords differ"
    else:
        try:
            account = visit.deployment.accounts.change_password(visit.account, old, new, at=visit.now)
        except AccountError as error:
            visit.faults["old" if "present password." in str(error) else "new"] = str(error)
    if visit.faults:
        return visit.page("signing_in/password.html", 400, shortest=SHORTEST_PASSWORD)
    session = visit.deployment.sessions.begin(account, visit.now)
    response = visit.go("/")
    begin_session(response, visit.deployment, session.token)
    return response


def _page(visit: Visit, onward: str, name: str, status: int = 200) -> Response:
    return visit.page("signing_in/sign_in.html", status, next=onward, name=name, failures=FAILURES_TO_LOCK)
