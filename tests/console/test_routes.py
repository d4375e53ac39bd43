"""Every route as every role and as nobody: complete by construction, since the routes are those the console starts with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from console import areas
from console.accounts import ROLES
from console.app import check_declared
from console.routes import ANYBODY, Pages, Route, UndeclaredRouteError, declared_routes
from tests.console.conftest import Desk

ROUTES = declared_routes()


def _at(route: Route) -> str:
    return re.sub(r"\{[^}]+\}", "1", route.path)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_lets_in_those_it_declares_and_nobody_else(shared_desk: Desk, route: Route) -> None:
    for role in ROLES:
        client = shared_desk.client(role)
        data = {"form_token": "forged"} if route.method == "POST" else None
        before = len(shared_desk.looks())
        answer = client.request(route.method, _at(route), data=data)
        if role in route.may or route.may == ANYBODY:
            # A form without its token goes no further, whoever sends it; the role is looked at before.
            expected = "no longer good" if route.method == "POST" else ""
            assert answer.status_code in ((403,) if expected else (200, 303, 400, 404)), answer.text
            assert expected in answer.text and "not for your role" not in answer.text
            # What shows somebody does not stay on the screen of whoever went away, and nothing else goes by itself.
            shows = route.audits == "looks" and answer.status_code == 200
            assert ("refresh" in answer.headers) is shows
            assert not shows or answer.headers["refresh"] == f"1200; url={_at(route)}"
        else:
            assert answer.status_code == 403 and "not for your role" in answer.text
            assert len(shared_desk.looks()) == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_is_led_to_signing_in(shared_desk: Desk, route: Route) -> None:
    answer = shared_desk.client().request(
        route.method, _at(route), data={"any": "thing"} if route.method == "POST" else None
    )
    if route.method == "POST":
        assert answer.status_code == 403
    elif route.may == ANYBODY:
        assert answer.status_code in (200, 404)  # no provider is configured here
    else:
        assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    assert not {"Khan", "Hart"} & set(answer.text.split())


HOSTILE = (
    "<script>alert(1)</script>", "'; DROP TABLE children; --", '=cmd|"/c calc"!A1', "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "\u202e\u0000\ud7ff\U0001f600", "../../../../etc/passwd", "x" * 20_000,
)  # fmt: skip
# Whatever fields the pages read, a new page's too.
FIELDS = sorted(
    {
        name
        for path in Path(areas.__file__).parent.glob("*.py")
        for name in re.findall(r'(?:text|date|choice|form\.get)\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "POST"], ids=lambda route: route.path)
def test_hostile_text_in_every_field_breaks_nothing(desk: Desk, route: Route) -> None:
    assert len(FIELDS) >= 10
    for hostile in HOSTILE:
        client = desk.client() if route.may == ANYBODY else desk.client(route.may[0])
        form = "/sign-in" if route.may == ANYBODY else "/password"
        answer = client.post(
            _at(route), dict.fromkeys(FIELDS, hostile) if len(hostile) < 9_999 else {FIELDS[0]: hostile}, on=form
        )
        assert answer.status_code < 500, answer.text
        assert "<script>alert" not in answer.text and "49" not in re.findall(r'value="([^"]*)"', answer.text)
        if route.path == "/sign-out":
            return


def test_a_page_that_may_be_seen_by_anybody_is_about_signing_in_alone() -> None:
    open_to_all = {"/sign-in", "/sign-in/provider", "/sign-in/provider/back"}
    assert {route.path for route in ROUTES if route.may == ANYBODY} == open_to_all


def test_the_console_does_not_start_with_a_route_that_is_not_declared(shared_desk: Desk) -> None:
    check_declared(shared_desk.app)
    app = FastAPI(openapi_url=None)
    app.add_api_route("/children/all", lambda: "everybody")
    with pytest.raises(UndeclaredRouteError, match="/children/all is no declared route"):
        check_declared(app)


@pytest.mark.parametrize(
    "said",
    [{"may": ()}, {"may": ("nurse",)}, {"may": ("quality",), "audits": "all"}, {"may": ANYBODY, "audits": "looks"}],
)
def test_a_declaration_that_says_too_little_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(UndeclaredRouteError):
        Pages().get("/new", **{"audits": "nothing", **said})(lambda visit: None)  # type: ignore[arg-type, return-value]
