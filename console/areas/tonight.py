"""Tonight: what came from each feed and what became of it, who is silent, what changed among the people."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from console.pictures import trend
from console.routes import Pages
from console.visit import Visit, not_found

ORDER = 10
PAGES = Pages()

_NIGHTS_SHOWN = 14
_ALARMS = ("row_count_as_usual", "code_mix_as_usual", "match_rate_as_usual", "not_stale")
# What each state of a feed says, and whether it needs somebody.
STATES = {
    "loaded": ("loaded", "good"),
    "nothing_sent": ("nothing was sent", "good"),
    "partial": ("part of it could not be used", "care"),
    "failed": ("failed", "bad"),
}


@PAGES.get(
    "/tonight",
    may=("engineer", "quality"),
    audits="looks",
    menu="Tonight",
    hint="What came from each agency and what did not, and what changed since the night before.",
)
def tonight(visit: Visit) -> Response:
    with visit.look("console: tonight") as mart:
        feeds = mart.rows(
            """
            WITH newest AS (SELECT agency, feed, max(load_seq) AS load_seq FROM loads GROUP BY ALL),
            silent AS (
                SELECT agency, feed, list(expectation ORDER BY expectation) AS alarms FROM quality_standards
                WHERE list_contains($alarms, expectation) AND open > 0 GROUP BY ALL
            ),
            series AS (
                SELECT agency, feed, list(received ORDER BY load_seq) AS received
                FROM (FROM loads QUALIFY row_number() OVER (PARTITION BY agency, feed ORDER BY load_seq DESC) <= $nights)
                GROUP BY ALL
            )
            SELECT loads.*, coalesce(silent.alarms, []) AS alarms, series.received AS series,
                   loads.load_seq = (SELECT max(load_seq) FROM loads) AS came_tonight,
                   date_diff('day', loads.date, (SELECT max(date) FROM loads)) AS days_ago,
                   coalesce(loads.received = landed + unchanged + superseded + quarantined + refused, true) AS balances
            FROM loads JOIN newest USING (agency, feed, load_seq) JOIN series USING (agency, feed)
            LEFT JOIN silent USING (agency, feed) ORDER BY agency, feed
            """,
            {"alarms": list(_ALARMS), "nights": _NIGHTS_SHOWN},
        )
        engineer = visit.role == "engineer"
        changes = (
            _changes(
                mart.rows(
                    "SELECT change, count(*) AS people FROM identity_changes "
                    "WHERE load_id = (SELECT arg_max(load_id, load_seq) FROM loads) GROUP BY 1"
                )
            )
            if engineer
            else None
        )
        waiting = mart.one("SELECT count(*) AS pairs FROM potential_matches") if engineer else None
        standards = mart.rows(
            "SELECT severity, count(*) AS standards, sum(open) AS open, sum(new) AS new, count(*) FILTER (status = 'broken') AS broken "
            "FROM quality_standards WHERE failed > 0 OR status = 'broken' GROUP BY 1 "
            "ORDER BY list_position(['critical', 'warning', 'info'], severity)"
        )
        about = mart.one("SELECT arg_max(date, load_seq) AS date FROM loads") or {}
    for feed in feeds:
        feed["state"], feed["tone"] = STATES.get(feed["status"], (str(feed["status"]).replace("_", " "), "care"))
        feed["picture"] = trend(feed["series"], _in_words(feed["series"]))
    return visit.page(
        "tonight/tonight.html",
        feeds=feeds,
        changes=changes,
        waiting=waiting,
        standards=standards,
        about=about,
        troubled=[
            feed
            for feed in feeds
            if feed["tone"] != "good" or feed["alarms"] or not feed["balances"] or not feed["came_tonight"]
        ],
    )


@PAGES.get("/tonight/{feed}", may=("engineer", "quality"), audits="looks")
def one_feed(visit: Visit, feed: str) -> Response:
    """The nights of one feed, newest first, with the files of the last."""
    if not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", feed):
        raise not_found("feed")
    agency, _, name = feed.partition(".")
    asked: dict[str, Any] = {"agency": agency, "feed": name}
    with visit.look(f"console: nights of {feed}") as mart:
        nights = mart.rows("FROM loads WHERE agency = $agency AND feed = $feed ORDER BY load_seq DESC LIMIT 60", asked)
        files = mart.rows(
            "FROM received_files WHERE agency = $agency AND feed = $feed AND load_id = (SELECT max(load_id) FROM received_files "
            "WHERE agency = $agency AND feed = $feed) ORDER BY ALL LIMIT 200",
            asked,
        )
    if not nights:
        raise not_found("feed")
    for night in nights:
        night["state"], night["tone"] = STATES.get(night["status"], (str(night["status"]).replace("_", " "), "care"))
    received = [night["received"] for night in reversed(nights)]
    return visit.page(
        "tonight/feed.html",
        feed=feed,
        agency_code=agency,
        nights=nights,
        files=files,
        picture=trend(received, _in_words(received)),
    )


def _changes(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["change"]: row["people"] for row in rows}


def _in_words(received: list[int | None]) -> str:
    known = [count for count in received if count is not None]
    return f"Rows received: {known[0]:,} at first, {known[-1]:,} at last, {max(known):,} at most" if known else ""
