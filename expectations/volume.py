"""Volume and silence: is a delivery as big as usual, and is it recent? From counts and dates alone.

What must not live here: anything that reads raw rows.
"""

from __future__ import annotations

import datetime as dt
import statistics
from typing import TYPE_CHECKING

from connectors.contract import STALE_AFTER_DAYS, Feed
from expectations.verdict import Severity, Verdict, status_of

if TYPE_CHECKING:
    from warehouse.engine import Warehouse

# Days after which silence is stale: the cadence and some grace for weekends, holidays and late returns.
_USUAL_SHARE = 0.3
_LOADS_COMPARED = 5
_SEVERITY: Severity = "warning"


def describe(feed: Feed) -> list[dict[str, str]]:
    """The two standards in words, for the data dictionary."""
    return [
        {
            "name": "row_count_as_usual",
            "title": f"As many rows as usual: ±{_USUAL_SHARE:.0%} of the median of {_LOADS_COMPARED} deliveries",
            "table": "",
            "column": "",
            "severity": _SEVERITY,
            "hint": "Check that the extract is whole: a filter, a school or a team may be missing, or doubled.",
        },
        {
            "name": "not_stale",
            "title": f"The latest extract is not older than {STALE_AFTER_DAYS[feed.expect]} days ({feed.expect})",
            "table": "",
            "column": "",
            "severity": _SEVERITY,
            "hint": "Nothing new came: ask the agency whether the extract still runs.",
        },
    ]


def judge(warehouse: Warehouse, feed: Feed, *, load_seq: int, today: dt.date) -> list[Verdict]:
    """Verdicts on size and freshness as of this load. Failed files do not count as received."""
    loads = warehouse.con.execute(
        """
        SELECT sum(f.received), max(coalesce(f.extracted_at::DATE, n.date))
        FROM received_file f JOIN night n ON n.load_id = f.load_id
        WHERE f.agency = ? AND f.feed = ? AND f.status IS DISTINCT FROM 'failed' AND n.load_seq <= ?
        GROUP BY n.load_seq ORDER BY n.load_seq DESC
        """,
        [feed.agency, feed.name, load_seq],
    ).fetchall()
    return [
        _row_count(feed, [int(received or 0) for received, _ in loads[: _LOADS_COMPARED + 1]]),
        _freshness(feed, max((latest for _, latest in loads if latest is not None), default=None), today),
    ]


def _row_count(feed: Feed, received: list[int]) -> Verdict:
    """The newest delivery, whichever night it came, against the ones before: the same until the next one comes."""
    if len(received) < 2:
        return _verdict(feed, "row_count_as_usual", sum(received), False, "")
    newest, usual = received[0], statistics.median(received[1:])
    # Small deliveries vary by chance: three standard deviations of a count are never remarkable.
    unusual = abs(newest - usual) > max(_USUAL_SHARE * usual, 3 * usual**0.5)
    return _verdict(feed, "row_count_as_usual", newest, unusual, f"{newest} rows; usually about {usual:.0f}")


def _freshness(feed: Feed, latest: dt.date | None, today: dt.date) -> Verdict:
    if latest is None:
        return _verdict(feed, "not_stale", 0, True, f"nothing received yet; expected {feed.expect}")
    days = max((today - latest).days, 0)
    stale = days > STALE_AFTER_DAYS[feed.expect]
    return _verdict(
        feed, "not_stale", 1, stale, f"latest extract of {latest.isoformat()}, {days} days ago; expected {feed.expect}"
    )


def _verdict(feed: Feed, expectation: str, evaluated: int, failing: bool, message: str) -> Verdict:
    # A verdict that holds says nothing of the day it was reached on: the same deliveries give the same results.
    failed = int(failing)
    return Verdict(
        feed.id,
        "",
        expectation,
        _SEVERITY,
        evaluated,
        failed,
        status_of(_SEVERITY, failed),
        message if failing else "",
        "unseen",
    )
