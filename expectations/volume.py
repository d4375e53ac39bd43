"""Volume and silence: is a delivery as big as usual, are its codes mixed as usual, do its records find others, is it recent?

Each is held against the feed's own history by robust limits: the median of earlier deliveries and their median distance
from it, so that one bad delivery neither hides the next nor passes for usual. docs/quality.md argues for the numbers.
What must not live here: what is counted (measures.py), and anything that reads raw rows.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.contract import STALE_AFTER_DAYS, Feed, Table
from expectations import measures
from expectations.verdict import Harm, Severity, Verdict, status_of

if TYPE_CHECKING:
    import duckdb

_SEVERITY: Severity = "warning"
# Earlier deliveries that are needed before anything is called unusual, and the most that are looked at: four weeks of nights.
NEEDED, COMPARED = 5, 28
# Beyond this many standard deviations a value is an outlier (Iglewicz and Hoaglin, 1993); of a normal spread 1 in 2,100 is.
DEVIATIONS = 3.5
# A median distance of 1 is a standard deviation of this much, where the spread is normal.
_DEVIATION_OF_MAD = 1.4826
# What nobody would act on, however steady a feed is: a share of the usual count, points of a share.
FLOOR_OF_ROWS, FLOOR_OF_CODES, FLOOR_OF_MATCHES = 0.05, 0.05, 0.02
# Shares of fewer rows say nothing.
FEWEST_ROWS = 50

# The one verdict that is reached right of load, when people are linked.
ONCE_LINKED = "match_rate_as_usual"
_NAMES = ("row_count_as_usual", "code_mix_as_usual", ONCE_LINKED, "not_stale")


@dataclass(frozen=True)
class Usual:
    """A measure of the newest delivery beside those before it."""

    subject: str
    now: float
    of: float
    middle: float
    spread: float
    deliveries: int


def describe(feed: Feed) -> list[dict[str, str]]:
    """These standards in words, for the data dictionary."""
    said = {
        "row_count_as_usual": (
            f"As many rows as usual: within {DEVIATIONS} robust deviations of the median of up to {COMPARED} deliveries",
            "Check that the extract is whole: a filter, a school or a team may be missing, or doubled.",
        ),
        "code_mix_as_usual": (
            f"Codes are mixed as usual: no code's share is {FLOOR_OF_CODES:.0%} of rows and {DEVIATIONS} robust deviations from its median",
            "Ask what changed in the system: a default, an export's mapping, a form. If practice changed, nothing is wrong.",
        ),
        ONCE_LINKED: (
            f"As many records as usual find one of another feed: within {FLOOR_OF_MATCHES:.0%} or {DEVIATIONS} robust deviations",
            "Look at the columns that tell who somebody is: a name, date or number may have moved or be cut off.",
        ),
        "not_stale": (
            f"The latest extract is not older than {STALE_AFTER_DAYS[feed.expect]} days ({feed.expect})",
            "Nothing new came: ask the agency whether the extract still runs.",
        ),
    }
    return [
        {"name": name, "title": said[name][0], "table": "", "column": "", "severity": _SEVERITY, "hint": said[name][1]}
        for name in _NAMES
        if (name != "code_mix_as_usual" or measures.has_codes(feed))
        and (name != "not_stale" or STALE_AFTER_DAYS[feed.expect] is not None)
    ]


def judge(
    con: duckdb.DuckDBPyConnection, feed: Feed, tables: Sequence[Table], *, load_id: str, load_seq: int, today: dt.date
) -> list[Verdict]:
    """Verdicts on size, mix of codes and freshness as of this load, by those of the feed's tables that there are.

    Runs within the caller's transaction.
    A night without a new delivery says what was said of the last one.
    """
    measures.count(con, feed, tables, load_id, load_seq)
    verdicts = [of_rows(con, feed, load_seq)]
    if measures.has_codes(feed):
        verdicts.append(of_codes(con, feed, load_seq))
    if (allowed := STALE_AFTER_DAYS[feed.expect]) is not None:
        verdicts.append(_freshness(feed, _latest(con, feed, load_seq), today, allowed))
    return verdicts


def judge_matches(con: duckdb.DuckDBPyConnection, feeds: Sequence[Feed], *, load_id: str, load_seq: int) -> None:
    """Adds, once people are linked, the verdict on how many of each feed's records found others. Again changes nothing."""
    measures.count_matches(con, load_id)
    judged = set(
        con.execute("SELECT DISTINCT agency, feed FROM quality_result WHERE load_id = ?", [load_id]).fetchall()
    )
    con.execute("DELETE FROM quality_result WHERE load_id = ? AND expectation = ?", [load_id, ONCE_LINKED])
    for feed in feeds:
        if (feed.agency, feed.name) in judged:
            found = of_matches(con, feed, load_seq)
            con.execute(
                "INSERT INTO quality_result (load_id, agency, feed, table_name, expectation, severity, harm, evaluated, failed, "
                "status, message) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, nullif(?, ''))",
                [
                    load_id, feed.agency, feed.name, found.expectation, found.severity, found.harm, found.evaluated, found.failed,
                    found.status, found.message,
                ],
            )  # fmt: skip


def of_rows(con: duckdb.DuckDBPyConnection, feed: Feed, load_seq: int) -> Verdict:
    """Rows of the delivery: of each table of a full one, of all the news in a delta."""
    return _of_history(feed, "row_count_as_usual", _rows(con, feed, load_seq), "rows", "unseen", FLOOR_OF_ROWS)


def of_codes(con: duckdb.DuckDBPyConnection, feed: Feed, load_seq: int) -> Verdict:
    """How codes are mixed in each column that has a list of them."""
    return _of_history(
        feed, "code_mix_as_usual", _shares(con, feed, "code", load_seq), "shares", "wrong_account", FLOOR_OF_CODES
    )


def of_matches(con: duckdb.DuckDBPyConnection, feed: Feed, load_seq: int) -> Verdict:
    """The share of the feed's records that stand with one of another feed."""
    shares = _shares(con, feed, "matched", load_seq)
    return _of_history(feed, ONCE_LINKED, shares, "shares", "wrong_child", FLOOR_OF_MATCHES)


def _width(usual: Usual, kind: str, floor: float) -> float:
    """How far from its median a value may lie: by the spread seen, by chance alone, and by what anybody would act on."""
    if kind == "rows":
        chance, least = math.sqrt(max(usual.middle, 1.0)), floor * usual.middle
    else:
        # A share never seen yet is not impossible.
        expected = (usual.middle * usual.of + 1) / (usual.of + 2)
        chance, least = math.sqrt(expected * (1 - expected) / usual.of), floor
    return max(DEVIATIONS * _DEVIATION_OF_MAD * usual.spread, DEVIATIONS * chance, least)


def _of_history(feed: Feed, expectation: str, found: Sequence[Usual], kind: str, harm: Harm, floor: float) -> Verdict:
    known = [usual for usual in found if usual.deliveries >= NEEDED and (kind == "rows" or usual.of >= FEWEST_ROWS)]
    if not known:
        return _verdict(feed, expectation, 0, 0, _too_little(found, kind), harm, not_run=True)
    odd = [usual for usual in known if abs(usual.now - usual.middle) > _width(usual, kind, floor)]
    odd.sort(key=lambda usual: -abs(usual.now - usual.middle) / _width(usual, kind, floor))
    said = [_in_words(usual, kind, floor) for usual in odd[:4]]
    more = f" and {len(odd) - 4} more" if len(odd) > 4 else ""
    return _verdict(feed, expectation, len(known), len(odd), "; ".join(said) + more, harm)


def _too_little(found: Sequence[Usual], kind: str) -> str:
    """Why nothing can be called unusual. It says the same on a night that brings nothing new."""
    most = max((usual.deliveries for usual in found), default=0)
    if most >= NEEDED:
        return f"its deliveries have fewer than {FEWEST_ROWS} rows; a share of so few says nothing"
    return f"{NEEDED} earlier deliveries are needed to know what is usual; {most} are known"


def _in_words(usual: Usual, kind: str, floor: float) -> str:
    most = _width(usual, kind, floor)
    low, high = max(usual.middle - most, 0), usual.middle + most
    about = f"{usual.subject}: " if usual.subject else ""
    if kind == "rows":
        return f"{about}{usual.now:,.0f} rows; usually {math.ceil(low):,} to {math.floor(high):,}"
    return f"{about}{usual.now:.1%}; usually {low:.1%} to {min(high, 1):.1%}"


def _rows(con: duckdb.DuckDBPyConnection, feed: Feed, load_seq: int) -> list[Usual]:
    """The newest count of each table beside earlier ones; of daily news beside days of its own kind, where the week shows."""
    counts = con.execute(
        _RECENT + "SELECT table_name, ago, cases, isodow(date) FROM recent", _of(feed, "rows", load_seq)
    )
    by_table: dict[str, list[tuple[int, float, int]]] = {}
    for table, ago, cases, day in counts.fetchall():
        by_table.setdefault(table, []).append((ago, cases, day))
    weekly = feed.delivery == "delta" and feed.expect == "daily"
    found = []
    for table, told in by_table.items():
        now = next(((cases, day) for ago, cases, day in told if ago == 1), None)
        if now is None:
            continue
        before = [(cases, day) for ago, cases, day in told if ago > 1]
        usual = _like_days(before, now[1]) if weekly else [cases for cases, _ in before]
        middle = _median(usual)
        spread = _median([abs(cases - middle) for cases in usual])
        found.append(Usual(table, now[0], now[0], middle, spread, len(usual)))
    return found


def _like_days(before: Sequence[tuple[float, int]], day: int) -> list[float]:
    """Deliveries of the same day of the week; while these are few, of working days or of weekends."""
    same = [cases for cases, other in before if other == day]
    if len(same) >= NEEDED:
        return same
    return [cases for cases, other in before if (other > 5) == (day > 5)]


def _shares(con: duckdb.DuckDBPyConnection, feed: Feed, measure: str, load_seq: int) -> list[Usual]:
    """The newest share beside earlier ones. Of the codes of a column the one that moved furthest speaks for it."""
    rows = con.execute(
        _RECENT
        + """,
        told AS (SELECT DISTINCT ago, table_name, column_name, "of" FROM recent),
        codes AS (SELECT DISTINCT table_name, column_name, code FROM recent),
        shares AS (
            SELECT told.*, codes.code, coalesce(recent.cases, 0) / told."of" AS share
            FROM told JOIN codes USING (table_name, column_name)
            LEFT JOIN recent ON recent.ago = told.ago AND recent.table_name = told.table_name
                 AND recent.column_name = told.column_name AND recent.code = codes.code
        ),
        usual AS (
            SELECT table_name, column_name, code, max(share) FILTER (ago = 1) AS now, max("of") FILTER (ago = 1) AS "of",
                   median(share) FILTER (ago > 1) AS middle, mad(share) FILTER (ago > 1) AS spread,
                   count(*) FILTER (ago > 1) AS deliveries
            FROM shares GROUP BY ALL
        )
        SELECT table_name, column_name, code, now, "of", coalesce(middle, 0), coalesce(spread, 0), deliveries FROM usual
        WHERE now IS NOT NULL
        ORDER BY table_name, column_name, abs(now - middle) DESC NULLS LAST, code
        """,
        _of(feed, measure, load_seq),
    ).fetchall()
    furthest: dict[tuple[str, str], Usual] = {}
    for table, column, code, *numbers in rows:
        subject = f"{table}.{column} {code}" if column else ""
        furthest.setdefault((table, column), Usual(subject, *numbers))
    return list(furthest.values())


# The last deliveries that were counted, the newest being 1.
_RECENT = f"""
    WITH counted AS (
        SELECT m.*, n.date, dense_rank() OVER (ORDER BY n.load_seq DESC) AS ago
        FROM feed_measure m JOIN night n ON n.load_id = m.load_id
        WHERE m.agency = $agency AND m.feed = $feed AND m.measure = $measure AND n.load_seq <= $load_seq
    ),
    recent AS (SELECT * FROM counted WHERE ago <= {COMPARED + 1})
"""


def _of(feed: Feed, measure: str, load_seq: int) -> dict[str, Any]:
    return {"agency": feed.agency, "feed": feed.name, "measure": measure, "load_seq": load_seq}


def _median(numbers: Sequence[float]) -> float:
    ordered = sorted(numbers)
    half = len(ordered) // 2
    if not ordered:
        return 0.0
    return float(ordered[half]) if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _latest(con: duckdb.DuckDBPyConnection, feed: Feed, load_seq: int) -> dt.date | None:
    """When the newest of what was received left its system. Failed files, and rows put through again, are no delivery."""
    found: dt.date | None = con.execute(
        """
        SELECT max(coalesce(f.extracted_at::DATE, n.date)) FROM received_file f JOIN night n ON n.load_id = f.load_id
        WHERE f.agency = ? AND f.feed = ? AND f.status NOT IN ('failed', 'released') AND n.load_seq <= ?
        """,
        [feed.agency, feed.name, load_seq],
    ).fetchall()[0][0]
    return found


def _freshness(feed: Feed, latest: dt.date | None, today: dt.date, allowed: int) -> Verdict:
    if latest is None:
        return _verdict(feed, "not_stale", 0, 1, f"nothing received yet; expected {feed.expect}", "unseen")
    days = max((today - latest).days, 0)
    stale = days > allowed
    said = f"latest extract of {latest.isoformat()}, {days} days ago; expected {feed.expect}"
    # A verdict that holds says nothing of the day it was reached on: the same deliveries give the same results.
    return _verdict(feed, "not_stale", 1, int(stale), said if stale else "", "unseen")


def _verdict(
    feed: Feed, expectation: str, evaluated: int, failed: int, message: str, harm: Harm, *, not_run: bool = False
) -> Verdict:
    status = "not_run" if not_run else status_of(_SEVERITY, failed)
    return Verdict(feed.id, "", expectation, _SEVERITY, evaluated, failed, status, message, harm)
