"""What every request passes before a page sees it: size, origin, session, role, form token; and what it gets where one of them says no.

What must not live here: a page, and who may what (routes declare it).
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.accounts import AccountError, TooManyAttempts
from console.deployment import Deployment
from console.routes import ANYBODY, Route
from console.sessions import IDLE, Due
from console.turns import AT_ONCE, MOST_WAITING, TooManyAtOnce
from console.visit import Refused, Visit
from warehouse.engine import WarehouseError
from warehouse.keys import KeyFileError
from warehouse.publish import PublishError
from warehouse.query import QueryError
from warehouse.store import StoreError

log = logging.getLogger("tessera.console")

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 200
LEFT_OPEN_FOR = int(IDLE.total_seconds())
_SESSION, _BEFORE_SESSION, _ON_THE_WAY = "tessera_session", "tessera_visit", "tessera_way"

SIGNED_OUT = Refused(
    403,
    "You are signed out",
    "You were away too long, or signed out elsewhere. Nothing was changed.",
    "Sign in and send it again.",
)


TOO_MANY_AT_ONCE = Refused(
    429,
    "That is too many pages at once",
    f"{AT_ONCE} are worked out at once for whoever is signed in, and {MOST_WAITING} more wait. Nothing was changed.",
    "Wait until those that you asked for are there, then load this one again.",
)

# Where somebody is led who is signing in and has this yet to do.
WHERE_DUE: dict[Due, str] = {"code": "/sign-in/code", "password": "/password", "app": "/second-factor"}


def cookie_name(name: str, *, is_https: bool) -> str:
    """With https under a prefix that a browser lets no other host and no plain page set."""
    return f"__Host-{name}" if is_https else name


def guard(route: Route, deployment: Deployment, templates: Any) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a route: the gate, then its page."""

    async def endpoint(request: Request) -> Response:
        body = b""
        try:
            if route.method == "POST":
                body = await _body(request)
        except Refused as refused:
            return refusal(refused, request, route, deployment, templates)
        held = request.cookies.get(_name(deployment, _SESSION), "")
        if not held:
            return await run_in_threadpool(_answer, route, request, body, deployment, templates)
        try:
            async with deployment.turns.of(held):
                return await run_in_threadpool(_answer, route, request, body, deployment, templates)
        except TooManyAtOnce:
            log.warning("refused: too many pages of one session at once, on %s", route.path)
            return refusal(TOO_MANY_AT_ONCE, request, route, deployment, templates)

    return endpoint


async def _body(request: Request) -> bytes:
    too_large = Refused(
        413, "That is too much at once", f"A form may hold {LARGEST_BODY // 1024} kilobytes. Nothing was changed."
    )
    if not request.headers.get("content-length", "0").isdecimal():
        raise Refused(400, "That request is not understood", "Nothing was changed.")
    if int(request.headers.get("content-length", "0")) > LARGEST_BODY:
        raise too_large
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise too_large
    return body


def _answer(route: Route, request: Request, body: bytes, deployment: Deployment, templates: Any) -> Response:
    visit: Visit | None = None
    try:
        if not deployment.store_is_there():
            raise StoreError("the decisions store is not where it was")
        visit = _let_in(route, request, body, deployment, templates)
        if isinstance(visit, Response):
            return visit
        response = route.handler(visit, **request.path_params)
        if route.audits == "looks" and response.status_code == 200 and not visit.looked and not visit.faults:
            raise RuntimeError(f"{route.path} showed something without a look in the access log")
        if route.audits == "looks" and response.status_code != 303 and "content-disposition" not in response.headers:
            # Whom it shows does not stay on the screen of somebody who went away: asked for again once the session is over, it is not
            # shown. Where the session goes on in another window, that one is asked for anew and does not lengthen it.
            again = quote(request.url.path) if route.method == "GET" else "/"
            response.headers["refresh"] = f"{LEFT_OPEN_FOR}; url={again}"
    except Exception as error:
        response = refusal(_refused(error), request, route, deployment, templates, visit)
    if visit is not None and visit.session is None and not request.cookies.get(_name(deployment, _BEFORE_SESSION)):
        set_cookie(response, deployment, _BEFORE_SESSION, visit.token)
    return response


def _let_in(route: Route, request: Request, body: bytes, deployment: Deployment, templates: Any) -> Any:
    """The visit, or an answer that comes instead of the page."""
    form = _form(request, body) if route.method == "POST" else {}
    held = request.cookies.get(_name(deployment, _SESSION), "")
    session = deployment.sessions.find(held, deployment.clock()) if held else None
    whose = "nobody" if session is None else deployment.accounts.number(session.account.name)
    if route.method == "POST" and request.headers.get("origin", deployment.origin) != deployment.origin:
        log.warning("refused: a form from another origin on %s, account %s", route.path, whose)
        raise Refused(403, "That form did not come from here", "Nothing was changed.")
    before = request.cookies.get(_name(deployment, _BEFORE_SESSION), "")[:100] or secrets.token_urlsafe(32)
    token = session.token if session else before
    visit = Visit(deployment, request, route, templates, token, session, form)
    if route.may != ANYBODY:
        back = "" if request.url.path == "/" or route.method == "POST" else f"?next={quote(request.url.path)}"
        if session is None:
            if route.method == "POST":
                raise SIGNED_OUT
            return RedirectResponse(f"/sign-in{back}", 303)
        if not session.account.has(route.may):
            log.warning("refused: a role on %s, account %s", route.path, whose)
            raise Refused(
                403, "This page is not for your role", "If you need it for your work, ask whoever gives accounts."
            )
        if session.due is not None and session.due not in route.while_due:
            return RedirectResponse(WHERE_DUE[session.due] + (back if session.due == "code" else ""), 303)
    if route.method == "POST":
        given = form.get("form_token", "")
        if not deployment.sessions.is_form_token(token, given):
            log.warning("refused: a form without its token on %s, account %s", route.path, whose)
            raise Refused(
                403,
                "That form is no longer good",
                "It was opened in an earlier session, or did not come from here. Nothing was changed.",
                "Go back, load the page again and send it once more.",
            )
        if route.once and not deployment.sessions.use_form(given, deployment.clock()):
            log.warning("refused: a form sent again on %s, account %s", route.path, whose)
            raise Refused(
                409,
                "That was sent already",
                "It was taken the first time. Nothing was done twice.",
                "Load the page again to see it.",
            )
    return visit


def _form(request: Request, body: bytes) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    not_understood = Refused(400, "That form is not understood", "Nothing was changed.")
    if kind != "application/x-www-form-urlencoded":
        raise not_understood
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise not_understood from None
    form = dict(pairs)
    if len(form) != len(pairs):  # of a field sent twice one would silently win
        raise not_understood
    return form


# Saying no


def _refused(error: Exception) -> Refused:
    """What a visitor is told of a fault. Its own words only where they are for users and hold no value."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, TooManyAttempts):
        return Refused(
            429,
            "Too many attempts",
            "For the moment nobody can sign in with this name. Wait a quarter of an hour, or ask for a new password.",
        )
    if isinstance(error, PublishError):
        return Refused(
            503,
            "Nothing is published yet",
            "There will be something to see here after the first night that is published.",
            "The data team runs one with: tessera nightly",
        )
    if isinstance(error, StoreError | sa.exc.SQLAlchemyError):
        log.error("the decisions store cannot be read or written: %s", place(error))
        return Refused(
            503,
            "Tessera cannot note what you do, so it shows nothing",
            "The store of decisions and of who looked at what cannot be reached. What was taken before is kept; "
            "what you sent just now was not taken.",
            "Try again in a few minutes, and tell the data team.",
        )
    if isinstance(error, WarehouseError | KeyFileError):
        log.error("a mart cannot be read: %s", place(error))
        return Refused(
            503,
            "Tonight's data cannot be read",
            "What was published is there but does not open. Nothing was changed.",
            "Tell the data team; they can go back to the night before with: tessera rollback",
        )
    if isinstance(error, QueryError | AccountError):
        log.warning("refused: %s (%s)", place(error), error)  # both hold no value
        return Refused(400, "That cannot be answered", "Go back, and check what you asked for. Nothing was changed.")
    log.error("an unexpected fault: %s", place(error))
    return Refused(
        500,
        "Something went wrong on our side",
        "Nothing half done is kept. Try again; if it happens again, tell the data team when.",
    )


def place(error: BaseException) -> str:
    """The kind of a fault and where in the code: no word of its message, which may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}" + (f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "")


def refusal(
    refused: Refused,
    request: Request,
    route: Route | None,
    deployment: Deployment,
    templates: Any,
    visit: Visit | None = None,
) -> Response:
    """The page that says no. It needs neither mart nor store, which may be what is missing."""
    html = templates.get_template("refused.html").render(
        title=refused.title, said=refused.said, signed_out=refused is SIGNED_OUT, account=_account(visit)
    )
    return Response(html, refused.status, media_type="text/html; charset=utf-8")


def _account(visit: Visit | None) -> str:
    return visit.account.name if isinstance(visit, Visit) and visit.session is not None else ""


# Cookies


def _name(deployment: Deployment, name: str) -> str:
    return cookie_name(name, is_https=deployment.is_https)


def set_cookie(response: Response, deployment: Deployment, name: str, value: str) -> None:
    response.set_cookie(
        _name(deployment, name), value, httponly=True, samesite="strict", secure=deployment.is_https, path="/"
    )


def begin_session(response: Response, deployment: Deployment, token: str) -> None:
    set_cookie(response, deployment, _SESSION, token)


def send_away(response: Response, deployment: Deployment, kept: str, seconds: int) -> None:
    """Keeps in the browser what proves its way back from the provider: Lax, since a browser that is sent here by somebody else shows no
    Strict cookie."""
    response.set_cookie(
        _name(deployment, _ON_THE_WAY),
        kept,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=deployment.is_https,
        path="/",
    )


def kept_on_the_way(request: Request, deployment: Deployment) -> str:
    return request.cookies.get(_name(deployment, _ON_THE_WAY), "")


def forget_the_way(response: Response, deployment: Deployment) -> None:
    response.delete_cookie(
        _name(deployment, _ON_THE_WAY), path="/", httponly=True, samesite="lax", secure=deployment.is_https
    )


def end_session(response: Response, deployment: Deployment) -> None:
    response.headers["clear-site-data"] = '"cache", "storage"'
    for name in (_SESSION, _BEFORE_SESSION):
        response.delete_cookie(
            _name(deployment, name), path="/", httponly=True, samesite="strict", secure=deployment.is_https
        )
