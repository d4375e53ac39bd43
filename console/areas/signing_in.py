"""Signing in, with a password and a code or at an identity provider, and out; one's password, and one's authenticator app."""

from __future__ import annotations

import datetime as dt
import logging
import re

from starlette.responses import Response

from console.accounts import FAILURES_TO_LOCK, LONGEST_PASSWORD, SHORTEST_PASSWORD, Account, AccountError, RunOut
from console.gate import begin_session, end_session, forget_the_way, kept_on_the_way, send_away
from console.openid import LONGEST_WAY, NotSignedIn, Provider, ProviderError
from console.routes import ANYBODY, SIGNED_IN, Pages
from console.second_factor import in_fours, picture, step_of
from console.sessions import CODE, PASSWORD, Session
from console.visit import Refused, Visit, not_found
from console.words import happened

log = logging.getLogger("tessera.console")

ORDER = 1
PAGES = Pages()

# A path of ours, to go on to after signing in: never another site's address, however it is written.
_OWN_PATH = re.compile(r"/[A-Za-z0-9_.:-]+(/[A-Za-z0-9_.:-]+)*")

_NOT_TAKEN = (
    "That code is not one of now, or was used already. Wait for the next one. "
    "If it is refused too, let your telephone set its clock by itself"
)
_NOT_YOURS = "That is not your present password"


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
    try:
        account = visit.deployment.accounts.sign_in(name, password, visit.now)
        if account is None:
            visit.faults["name"] = "This name and password do not belong together"
    except RunOut:
        visit.faults["password"] = "This first password has run out. Ask whoever gave it for a new one"  # noqa: S105
    if visit.faults:
        log.warning("refused: a sign-in")  # of an account here the journal of sign-ins says whose
        return _page(visit, onward, name, 400)
    assert account is not None
    onward = onward if _OWN_PATH.fullmatch(onward) else "/"
    # With an app nothing but the next page is theirs yet.
    return _go_on(visit, account, (PASSWORD,), f"/sign-in/code?next={onward}" if account.app_key else onward)


@PAGES.get("/sign-in/code", may=SIGNED_IN, audits="nothing", while_due=("code",))
def code(visit: Visit) -> Response:
    return _code_page(visit, visit.query("next")) if _session(visit).due == "code" else visit.go("/")


@PAGES.post("/sign-in/code", may=SIGNED_IN, audits="acts", once=False, while_due=("code",))
def prove(visit: Visit) -> Response:
    onward = visit.form.get("next", "")
    if _session(visit).due != "code":
        return visit.go("/")
    given = visit.text("code", "the code that your app shows", longest=40)
    if not visit.faults and not visit.deployment.accounts.prove(visit.account, given, visit.now):
        visit.faults["code"] = _NOT_TAKEN
    if visit.faults:
        return _code_page(visit, onward, 400)
    visit.deployment.accounts.note(visit.account, "signed in, code", visit.now)
    return _go_on(visit, visit.account, (PASSWORD, CODE), onward if _OWN_PATH.fullmatch(onward) else "/")


@PAGES.post("/sign-in/provider", may=ANYBODY, audits="acts", once=False)
def go_to_provider(visit: Visit) -> Response:
    """On to the identity provider. By a page and not by a redirect: a form may lead nowhere but here (form-action)."""
    provider, onward = _provider(visit), visit.form.get("next", "")
    try:
        address, kept = provider.way(onward if _OWN_PATH.fullmatch(onward) else "/")
    except ProviderError as error:
        raise _not_reached(provider, error) from None
    response = visit.page("signing_in/going_on.html", to=address, where=provider.said.name)
    send_away(response, visit.deployment, kept, int(LONGEST_WAY.total_seconds()))
    return response


@PAGES.get("/sign-in/provider/back", may=ANYBODY, audits="acts")
def come_from_provider(visit: Visit) -> Response:
    """Whom the provider sends. On again by a page: a browser that was sent here by somebody else would not show its new session."""
    provider, deployment = _provider(visit), visit.deployment
    answer = dict(visit.request.query_params)
    try:
        if len(answer) != len(visit.request.query_params.multi_items()):
            raise NotSignedIn("something stands twice in the answer")
        kept = kept_on_the_way(visit.request, deployment)
        came = provider.came(answer, kept, lambda used: deployment.sessions.use_form(used, visit.now))
    except ProviderError as error:
        raise _not_reached(provider, error) from None
    except NotSignedIn as error:
        log.warning("refused: from the provider: %s", error)  # holds no value
        raise Refused(
            403,
            "You are not signed in",
            f"What came back from {provider.said.name} does not prove who you are.",
            "Begin again from the sign-in page.",
        ) from None
    account = deployment.accounts.sign_in_from_provider(came.account, came.subject, came.granted, visit.now)
    if account is None:
        log.warning("refused: from the provider: no open account, or no role")
        raise Refused(
            403,
            "You may not come in",
            f"You are signed in with {provider.said.name}, but have no open account here, or no role was given to you there.",
            "Ask whoever gives accounts.",
        )
    if visit.session is not None:
        deployment.sessions.end(visit.session.token)
    session = deployment.sessions.begin(account, visit.now, granted=came.granted)
    response = visit.page("signing_in/going_on.html", to=came.onward, where="")
    begin_session(response, deployment, session.token)
    forget_the_way(response, deployment)
    return response


@PAGES.post("/sign-out", may=SIGNED_IN, audits="acts", once=False, while_due=("code", "password", "app"))
def end(visit: Visit) -> Response:
    visit.deployment.sessions.end(visit.token)
    visit.deployment.accounts.note(visit.account, "signed out", visit.now)
    away = _way_out(visit)
    response = (
        visit.page("signing_in/going_on.html", to=away, where=_name(visit), out=True) if away else visit.go("/sign-in")
    )
    end_session(response, visit.deployment)
    return response


@PAGES.get("/password", may=SIGNED_IN, audits="nothing", while_due=("password",))
def password(visit: Visit) -> Response:
    return visit.page("signing_in/password.html", shortest=SHORTEST_PASSWORD)


@PAGES.post("/password", may=SIGNED_IN, audits="acts", while_due=("password",))
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
    return _go_on(visit, account, _session(visit).amr, "/")


# Where somebody is signed in

# Whoever signs in elsewhere has no password to be asked for again; they sign in again, and so recently.
_JUST_NOW = dt.timedelta(minutes=10)
_EVENTS_SHOWN = 10


@PAGES.get("/sessions", may=SIGNED_IN, audits="nothing")
def sessions(visit: Visit) -> Response:
    return _sessions_page(visit)


@PAGES.post("/sessions", may=SIGNED_IN, audits="acts")
def end_sessions(visit: Visit) -> Response:
    held, session = visit.deployment.sessions, _session(visit)
    others = [one.number for one in held.of(session, visit.now) if not one.is_this]
    which = visit.choice("which", "which to end", ("all", *others))
    if not _proved_just_now(visit) and not visit.faults:
        if visit.account.openid:
            visit.faults["which"] = "You signed in a while ago. Sign out, sign in again and then end them"
        elif not visit.deployment.accounts.confirm(visit.account, visit.form.get("password", ""), visit.now):
            visit.faults["password"] = _NOT_YOURS
    if visit.faults:
        return _sessions_page(visit, 400)
    held.end_others(session, others if which == "all" else [which])
    visit.deployment.accounts.note(visit.account, "ended elsewhere", visit.now)
    return visit.go("/sessions")


def _proved_just_now(visit: Visit) -> bool:
    return visit.account.openid and visit.now - _session(visit).began_at <= _JUST_NOW


def _sessions_page(visit: Visit, status: int = 200) -> Response:
    held = visit.deployment.sessions.of(_session(visit), visit.now)
    which = {"all": "all but this one"}
    for one in held:
        if not one.is_this:
            which[one.number] = f"begun {happened(visit.deployment.local(one.began_at), 'instant')}"
    events = visit.deployment.accounts.events_of(visit.account, _EVENTS_SHOWN)
    return visit.page("signing_in/sessions.html", status, held=held, which=which, events=events)


# The authenticator app


@PAGES.get("/second-factor", may=SIGNED_IN, audits="nothing", while_due=("app",))
def app(visit: Visit) -> Response:
    return _app_page(visit)


@PAGES.post("/second-factor", may=SIGNED_IN, audits="acts", while_due=("app",))
def set_up_app(visit: Visit) -> Response:
    """Whoever is only now signing in has just given the password; of others everything is asked again, as at a sign-in."""
    accounts, session = visit.deployment.accounts, _session(visit)
    key = visit.deployment.sessions.key_for_app(session)
    given = visit.text("code", "the code that the app shows", longest=40)
    former = ""
    if given and step_of(key, given, visit.now) is None:  # before a code of the present app is used up
        visit.faults["code"] = _NOT_TAKEN
    if session.due is None:
        former = visit.text("former", "a code of your present app", longest=40) if visit.account.app_key else ""
        if not visit.faults and not accounts.confirm(visit.account, visit.form.get("password", ""), visit.now):
            visit.faults["password"] = _NOT_YOURS
    if former and not visit.faults and not accounts.prove(visit.account, former, visit.now):
        visit.faults["former"] = _NOT_TAKEN
    if visit.faults:
        return _app_page(visit, 400)
    account = accounts.set_up_app(visit.account, key, given, at=visit.now)
    if account is None:
        visit.faults["code"] = _NOT_TAKEN
        return _app_page(visit, 400)
    return _go_on(visit, account, (PASSWORD, CODE), "/")


def _app_page(visit: Visit, status: int = 200) -> Response:
    key = visit.deployment.sessions.key_for_app(_session(visit))
    return visit.page(
        "signing_in/app.html",
        status,
        key=in_fours(key),
        picture=picture(key, visit.account.name),
        due=_session(visit).due,
    )


def _code_page(visit: Visit, onward: str, status: int = 200) -> Response:
    return visit.page("signing_in/code.html", status, next=onward)


def _session(visit: Visit) -> Session:
    assert visit.session is not None, "only a page for signed-in people asks for their session"
    return visit.session


def _go_on(visit: Visit, account: Account, amr: tuple[str, ...], onward: str) -> Response:
    """On with a new session: whatever was proved, the token is one that nobody had before."""
    if visit.session is not None:
        visit.deployment.sessions.end(visit.session.token)
    session = visit.deployment.sessions.begin(account, visit.now, amr)
    response = visit.go(onward)
    begin_session(response, visit.deployment, session.token)
    return response


def _page(visit: Visit, onward: str, name: str, status: int = 200) -> Response:
    said = {"next": onward, "name": name, "failures": FAILURES_TO_LOCK, "provider": _name(visit)}
    return visit.page("signing_in/sign_in.html", status, **said)


# The identity provider


def _name(visit: Visit) -> str:
    return visit.deployment.openid.name if visit.deployment.openid else ""


def _provider(visit: Visit) -> Provider:
    if visit.deployment.provider is None:
        raise not_found()
    return visit.deployment.provider


def _not_reached(provider: Provider, error: ProviderError) -> Refused:
    log.error("the identity provider cannot be used: %s", error)  # holds no value
    name = provider.said.name
    return Refused(
        503,
        "You cannot be signed in for the moment",
        f"The sign-in of {name} does not answer as it should. Nothing was changed.",
        "Try again in a few minutes, and tell the data team.",
    )


def _way_out(visit: Visit) -> str | None:
    """Where to end the session at the provider as well. Here it is over in any case."""
    if visit.session is None or not visit.session.id_token or visit.deployment.provider is None:
        return None
    try:
        return visit.deployment.provider.way_out(visit.session.id_token, f"{visit.deployment.origin}/sign-in")
    except ProviderError as error:
        log.error("the identity provider cannot be used: %s", error)
        return None
