"""What a page is given: who asks, what was sent, and the only way to a mart, which notes the look first.

What must not live here: a page, and whether somebody may (gate.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.accounts import GOVERNANCE, Account
from console.deployment import Deployment
from console.marts import Once
from console.pace import AT_ALL_ELSE, AT_CHILDREN
from console.routes import Route
from console.sessions import Session
from warehouse import query as querying
from warehouse.access_log import AccessLog
from warehouse.publish import Publication, PublishError

# A night ends in the morning: where the next has not by the following evening, something is wrong.
STALE_AFTER = dt.timedelta(hours=36)
LONGEST_TEXT = 4_000
LONGEST_LINE = 200


class Refused(Exception):  # noqa: N818 - what happened
    """A request that is answered with a page of its own: never with what was sent."""

    def __init__(self, status: int, title: str, *said: str) -> None:
        super().__init__(title)
        self.status, self.title, self.said = status, title, said


def not_found(what: str = "page") -> Refused:
    return Refused(404, f"There is no such {what}", "Check the address, or begin from the start page.")


class Reading:
    """A mart that is being looked at: what is read through it is noted as shown."""

    def __init__(self, con: duckdb.DuckDBPyConnection, shown: querying.Shown, once: Once) -> None:
        self.con, self.shown, self.once = con, shown, once

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """A small answer; every person_id and record_id in it goes into the access log."""
        return querying.rows(self.con, sql, dict(parameters) if parameters else None, self.shown)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def names(self, *identifiers: str) -> None:
        """Adds people or records that the answer names in another way."""
        self.shown.identifiers = (self.shown.identifiers or set()) | set(identifiers)
        self.shown.rows = max(self.shown.rows, 1)


@dataclass
class Visit:
    """One request, after the gate has let it in."""

    deployment: Deployment
    request: Request
    route: Route
    templates: Any
    token: str  # what the browser holds: of its session, or of its visit before it signs in
    session: Session | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    looked: bool = False
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        assert self.session is not None, "only a page for signed-in people asks whose it is"
        return self.session.account

    @property
    def role(self) -> str:
        """The role in which the account is here: the first that the page is for."""
        return next(role for role in self.route.may if role in self.account.roles)

    @property
    def now(self) -> dt.datetime:
        return self.deployment.clock()

    # Looking

    @contextmanager
    def look(
        self, question: str, *, purpose: str = "", as_of: str | None = None, export: bool = False, role: str = ""
    ) -> Iterator[Reading]:
        """The mart of the role, read after the look was noted. `question` says what is looked at, as the access log keeps it.

        Where the policy asks what for, an empty purpose is refused. `role`: one of the account's that the page is for, if not the first.
        """
        if self.route.audits == "nothing":
            raise RuntimeError(f"{self.route.path} declares that it shows nothing of anybody")
        role = role or self.role
        if role not in self.account.roles or role not in self.route.may:
            raise RuntimeError(f"{self.route.path} is not for {role}")
        purpose = purpose.strip()
        if self.deployment.policy.role(role).asks_purpose and not purpose:
            raise Refused(
                400, "Say what you look for", "This role says what for with every look; it is kept in the access log."
            )
        self._keep_pace(AT_CHILDREN if self.deployment.policy.role(role).asks_purpose else AT_ALL_ELSE)
        with (
            self.deployment.marts.reading(role, as_of) as (con, once),
            querying.look(
                con,
                role,
                querying.worded(question, as_of),
                export=export,
                log=self.deployment.access_log,
                who=self.account.name,
                purpose=purpose or "not stated",
                clock=self.deployment.clock,
                of=once("served", lambda: querying.served(con)),
            ) as shown,
        ):
            self.looked = True
            yield Reading(con, shown, once)

    def look_at_log(self, question: str, *, purpose: str) -> AccessLog:
        """The access log, for governance; reading it is a look as well."""
        if GOVERNANCE not in self.account.roles or GOVERNANCE not in self.route.may:
            raise RuntimeError(f"{self.route.path} is not for governance")
        if not purpose.strip():
            raise Refused(
                400, "Say what you look for", "Reading the access log is a look too, and is kept with what for."
            )
        self._keep_pace(AT_ALL_ELSE)
        log = self.deployment.access_log
        log.asked_of_store("audit", self.now, who=self.account.name, purpose=purpose, question=question)
        self.looked = True
        return log

    def _keep_pace(self, most: int) -> None:
        """Notes with the sign-ins when an account has opened more than anybody reads."""
        if self.deployment.pace.is_news(self.account.name, self.now, most):
            self.deployment.accounts.note(self.account, f"more than {most:,} looks in an hour", self.now)

    # What was sent

    def text(self, name: str, label: str, *, required: bool = True, longest: int = LONGEST_LINE) -> str:
        """A field of the form; what is wrong with it goes into `faults`, by field, in words for whoever filled it in."""
        said = self.form.get(name, "").replace("\r\n", "\n").replace("\0", "").strip()
        if not said and required:
            self.faults[name] = f"Enter {label}"
        elif len(said) > longest:
            self.faults[name] = f"{label[:1].upper()}{label[1:]} has {len(said):,} characters; {longest:,} are the most"
        return said

    def date(self, name: str, label: str, *, required: bool = True) -> dt.date | None:
        """A date of the form, as a browser sends it (2026-11-26) or as people write it (26/11/2026)."""
        said = self.text(name, label, required=required, longest=20)
        for form in ("%Y-%m-%d", "%d/%m/%Y"):
            try:
                return dt.datetime.strptime(said, form).date()
            except ValueError:
                continue
        if said and name not in self.faults:
            self.faults[name] = f"{label[:1].upper()}{label[1:]} must be a date, such as 26/11/2026"
        return None

    def choice(self, name: str, label: str, allowed: Mapping[str, str] | tuple[str, ...], default: str = "") -> str:
        said = self.form.get(name, default)
        if said not in allowed:
            self.faults[name] = f"Choose {label}"
            return default
        return said

    def query(self, name: str, allowed: Any = None, default: str = "") -> str:
        """What stands in the address after the question mark: for filters and page numbers, never for a person's value."""
        said = self.request.query_params.get(name, default)
        return said if allowed is None or said in allowed else default

    # Answering

    def page(self, template: str, /, status: int = 200, **values: Any) -> Response:
        """A page of templates/; `visit` is there as well."""
        html = self.templates.get_template(template).render(visit=self, **values)
        return Response(html, status, media_type="text/html; charset=utf-8")

    def go(self, path: str) -> Response:
        """On to a page, after an action."""
        assert path.startswith("/") and not path.startswith("//"), "only within the console"
        return RedirectResponse(path, 303)

    def form_token(self) -> str:
        return self.deployment.sessions.form_token(self.token)

    def night(self) -> Publication | None:
        """What is published now, for the foot of each page; None where nothing is."""
        try:
            return self.deployment.marts.night()
        except PublishError:
            return None

    def is_stale(self, night: Publication | None) -> bool:
        """Whether a page of what agencies said is of a night so long ago that whoever reads it must be told before they do."""
        return self.route.audits == "looks" and night is not None and self.now - night.moment > STALE_AFTER
