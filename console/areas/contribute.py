"""Contribute: the one-page observation of professionals without a system. It lands like any feed, with the next night.

The questions, and what is said of an answer, are the feed's contract. What must not live here: a column, a standard.
"""

from __future__ import annotations

import datetime as dt
from contextlib import closing, suppress
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from connectors.contract import Column, Feed, Kind, Table
from console.accounts import CONTRIBUTOR
from console.routes import Pages
from console.visit import LONGEST_LINE, Refused, Visit
from console.words import KINDS_OF_STATEMENT
from expectations.one_row import failing

ORDER = 45
PAGES = Pages()
WRITERS = (CONTRIBUTOR, "practitioner")

# A page of the longest that anybody types at once has some six thousand characters.
LONGEST_NARRATIVE = 20_000
# Filled in by the console itself.
_GIVEN = ("reference", "recorded_at")
_LONG = ("narrative", "context", "action")
_SHOWN = 20


@PAGES.get(
    "/contribute",
    may=WRITERS,
    audits="nothing",
    menu="Contribute",
    hint="Write down what you saw, heard or worry about. It joins what every agency knows with the next night.",
)
def form(visit: Visit) -> Response:
    return _page(visit, *_configured(visit), {})


@PAGES.post("/contribute", may=WRITERS, audits="acts")
def send(visit: Visit) -> Response:
    """Keeps one observation. What a standard doubts can be sent as it is; what the form cannot do without is asked for."""
    feed, table = _configured(visit)
    said = {
        column.name: visit.text(
            column.name,
            f"an answer to: {column.meaning[:1].lower()}{column.meaning[1:]}",
            required=column.header == "required",
            longest=LONGEST_NARRATIVE if column.name in _LONG else LONGEST_LINE,
        )
        for column in _asked(table)
    }
    sent = {**said, **{column.name: _on_a_clock(visit, said[column.name]) for column in _moments(table)}}
    sent["recorded_at"] = visit.now.replace(tzinfo=dt.UTC).isoformat(timespec="seconds")
    for column in _moments(table):
        if (moment := _moment(sent[column.name])) and moment.date() > visit.deployment.local(visit.now).date():
            visit.faults.setdefault(column.name, "That day has not come yet; enter when it was")
    if not any(said[column.name] for column in _asked(table) if column.name.startswith("child_")):
        visit.faults.setdefault(
            "child_given_names", "Enter what you know of the child: a name, a date of birth, or where they live"
        )
    must = dict(visit.faults)
    with closing(visit.deployment.reading.cursor()) as con:
        doubts = failing(con, feed, table, sent)
    for standard in doubts:
        column = table.column(standard.column or "")
        if column.name not in _GIVEN:
            visit.faults.setdefault(column.name, f"{column.meaning}: is that right? {standard.hint}")
    if must or (visit.faults and visit.form.get("as_it_is") != "yes"):
        return _page(visit, feed, table, said, doubted=not must, status=400)
    visit.faults.clear()
    reference = visit.deployment.observations.take(feed.id, sent, author=visit.account.name, at=visit.now)
    return visit.go(f"/contribute/sent/{reference}")


@PAGES.get("/contribute/sent/{reference}", may=WRITERS, audits="nothing")
def sent(visit: Visit, reference: str) -> Response:
    """That it is kept; only to whoever wrote it, and without its words."""
    mine = {entry["said"]["reference"]: entry for entry in _mine(visit)}
    if reference not in mine:
        raise Refused(404, "There is no such observation", "You see those that you sent yourself.")
    return visit.page("contribute/sent.html", reference=reference, at=mine[reference]["at"])


def _page(
    visit: Visit, feed: Feed, table: Table, said: dict[str, str], *, doubted: bool = False, status: int = 200
) -> Response:
    return visit.page(
        "contribute/form.html",
        status,
        columns=_asked(table),
        said=said,
        doubted=doubted,
        long=_LONG,
        kind=Kind,
        statements={
            "": "Choose one",
            **{code: said for code, said in KINDS_OF_STATEMENT.items() if code in _codes(table)},
        },
        mine=_mine(visit)[: -_SHOWN - 1 : -1],
    )


def _configured(visit: Visit) -> tuple[Feed, Table]:
    feed = next((feed for feed in visit.deployment.feeds.values() if feed.id in visit.deployment.written_here), None)
    if feed is None:
        raise Refused(
            404,
            "Nothing can be written here yet",
            "This deployment takes no observations.",
            'The data team adds to tessera.yaml: partners.observation: {from: "console:"}',
        )
    return feed, feed.tables[0]


def _codes(table: Table) -> set[str]:
    return {code for column in _asked(table) for code in column.allowed or ()}


def _asked(table: Table) -> list[Column]:
    return [column for column in table.columns if column.name not in _GIVEN]


def _moments(table: Table) -> list[Column]:
    return [column for column in _asked(table) if column.kind is Kind.TIMESTAMP]


def _on_a_clock(visit: Visit, said: str) -> str:
    """A time as the writer's clock has it, with its offset; a day alone, and what is no time, as the feed's standard wants or doubts it."""
    for form, is_day in (("%d/%m/%Y %H:%M", False), ("%d/%m/%Y", True)):
        with suppress(ValueError):
            moment = dt.datetime.strptime(said, form)
            return moment.date().isoformat() if is_day else _with_offset(visit, moment)
    read = _moment(said)
    return said if read is None or len(said) <= len("2026-11-09") else _with_offset(visit, read)


def _with_offset(visit: Visit, moment: dt.datetime) -> str:
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(visit.deployment.timezone))).isoformat()


def _moment(said: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(said)
    except ValueError:
        return None


def _mine(visit: Visit) -> list[dict[str, Any]]:
    return [entry for entry in visit.deployment.observations.all() if entry["author"] == visit.account.name]
