"""Every route of the console under schemathesis: whatever a browser could send, and what none would, no answer says that our side failed.

The console publishes no description of itself. One is made here of the declared routes: their paths, and the fields and filters that
the areas' code reads, so that a new page is tried without being told of it.
"""

from __future__ import annotations

import inspect
import re
import string
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import anyio.from_thread
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from console.routes import ANYBODY, Route, declared_routes
from tests.console.conftest import Desk, cheap_passwords, desk_over, portal, story
from tests.integration.test_publish_story import Story

pytestmark = pytest.mark.slow

__all__ = ["cheap_passwords", "portal", "story"]  # fixtures

ROUTES = {(route.method, route.path): route for route in declared_routes()}
# So that some of what is tried is there to be found.
KNOWN = {
    "feed": ["health.fhir", "school.attendance", "police.ppn"],
    "rule": ["postcode is one"],
    "person_id": ["p-amina", "P2OLDERAMINA7", "p-mother"],
    "quarantine_id": ["health_fhir_patient:f:2"],
}
VALUES = [
    "yes",
    "no",
    "waive",
    "expect",
    "rows",
    "whole",
    "same",
    "unsure",
    "seal",
    "csv",
    "2026-12-24",
    "24/12/2026",
    "p-amina",
    "2",
]


def _read(route: Route, pattern: str) -> list[str]:
    """The names that the code of a route's area reads."""
    return sorted(set(re.findall(pattern, inspect.getsource(sys.modules[route.handler.__module__]))))


def _fields(route: Route) -> list[str]:
    """Of a form; those of which the names are only known when it is shown are given for all."""
    return [
        *_read(route, r'(?:text|date|choice|form\.get)\(\s*"(\w+)"'),
        "row-1",
        "cell-0",
        "narrative",
        "child_dob",
        "observed_at",
    ]


def _described() -> dict[str, Any]:
    """The declared routes as OpenAPI describes them."""
    said = {"enum": VALUES}  # schemathesis itself tries what is not among them
    paths: dict[str, Any] = {}
    for (method, path), route in ROUTES.items():
        names = re.findall(r"\{(\w+)\}", path)
        parameters: list[dict[str, Any]] = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"enum": KNOWN.get(name, ["1"])},
            }
            for name in names
        ]
        # A page that reads none is asked with one that means nothing to it.
        filters = _read(route, r'query\(\s*"(\w+)"') or ["page"]
        parameters += [{"name": name, "in": "query", "schema": said} for name in filters]
        operation: dict[str, Any] = {"parameters": parameters, "responses": {"200": {"description": "a page"}}}
        if method == "POST":
            form = {"type": "object", "properties": dict.fromkeys(_fields(route), said)}
            operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
        paths.setdefault(path, {})[method.lower()] = operation
    return {"openapi": "3.0.3", "info": {"title": "console", "version": "1"}, "paths": paths}


OPERATIONS = [result.ok() for result in schemathesis.openapi.from_dict(_described()).get_all_operations()]


@pytest.fixture(scope="module")
def desk(
    story: Story, portal: anyio.from_thread.BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    made = desk_over(story, tmp_path_factory.mktemp("schema"), portal, written_here=frozenset({"partners.observation"}))
    yield made
    made.deployment.marts.close()


def _flat(sent: Any) -> dict[str, str]:
    """As a browser sends it: text by name."""
    if not isinstance(sent, dict):
        return {}
    return {str(name): str(value).encode("utf-8", "replace").decode() for name, value in sent.items()}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "otherwise"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method.upper()} {operation.path}")
def test_no_answer_says_that_our_side_failed(desk: Desk, operation: Any, mode: GenerationMode) -> None:
    route = ROUTES[operation.method.upper(), operation.path]
    role = "" if route.may == ANYBODY else route.may[0]
    if role and desk.deployment.accounts.find(role) is None:
        desk.account(role)

    answered: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=15, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    def ask(case: Any) -> None:
        client = desk.signed_in(role) if role else desk.browser()
        token = client.cookies.get("tessera_session") or "of a visit before signing in"
        if not role:
            client.cookies.set("tessera_visit", token, domain="127.0.0.1")
        path = quote(case.formatted_path, safe="/%" + string.ascii_letters)
        form = {**_flat(case.body), "form_token": desk.deployment.sessions.form_token(token)}
        answer = client.request(
            case.method, path, params=_flat(case.query), data=form if case.method == "POST" else None
        )
        answered.add(answer.status_code)
        assert answer.status_code < 500, f"{case.method} {operation.path}: {answer.status_code}"

    ask()
    assert answered - {403, 421}, "each was stopped at the gate, and no page was tried"


def test_the_description_holds_every_route() -> None:
    assert len(OPERATIONS) == len(ROUTES) >= 40
    assert {"said", "purpose"} <= set(_fields(ROUTES["POST", "/children/search"]))
    assert "as_of" in _read(ROUTES["GET", "/children/{person_id}"], r'query\(\s*"(\w+)"')
