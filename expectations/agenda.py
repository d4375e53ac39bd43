"""What a quality officer does next: one step a feed, the worst for a child first, and what only the data team can mend.

Reads the rows of the mart's quality_standards, counts alone. What must not live here: SQL, a screen, a person's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expectations.verdict import HARMS

_SEVERITIES = ("critical", "warning", "info")
_FAILING = ("warn", "fail")
DATA_TEAM = "data team"


def _is_held(row: Mapping[str, Any]) -> bool:
    return bool(row["expectation"].endswith(".rows_readable_and_keyed"))


def _is_missing(row: Mapping[str, Any]) -> bool:
    return bool(row["expectation"].endswith(".nobody_vanished"))


def _points_at_rows(row: Mapping[str, Any]) -> bool:
    """Whether there are rows to put right; a standard of a whole delivery has none, and one between agencies no one table."""
    return bool(row["table_name"]) or row["new"] + row["still"] > 0


@dataclass(frozen=True)
class Step:
    """One thing to do: to whom it goes, of which feed, why in words, and the command that begins it."""

    to: str
    feed: str
    because: str
    command: str


def worst_first(standards: Iterable[Mapping[str, Any]], *, waived_too: bool = False) -> list[Mapping[str, Any]]:
    """Failing standards in the order in which they want attention: by harm, then severity; counts only break ties.

    Before all stands what an agency promised and did not keep. What is waived whole is left out unless `waived_too`.
    """
    failing = [row for row in standards if row["status"] in _FAILING and (row["open"] or waived_too)]
    return sorted(failing, key=_rank)


def broken(standards: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Standards that could not run. They say nothing of the data: neither a pass nor a failure."""
    found = [row for row in standards if row["status"] == "broken"]
    return sorted(found, key=lambda row: (_SEVERITIES.index(row["severity"]), row["feed"], row["expectation"]))


def not_run(standards: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Standards that had not what they need, by feed and reason, most first. That is not a pass."""
    why: dict[tuple[str, str], list[str]] = {}
    for row in standards:
        if row["status"] == "not_run":
            why.setdefault((row["feed"], row["message"]), []).append(row["expectation"])
    found = [
        {"feed": feed, "not_run_because": reason, "standards": len(names), "which": ", ".join(names)}
        for (feed, reason), names in why.items()
    ]
    return sorted(found, key=lambda row: -int(row["standards"]))


def why_not_waived(standard: Mapping[str, Any]) -> str:
    """Why a standard cannot be waived; empty where it can."""
    if standard["severity"] != "critical":
        return ""
    return (
        f"{standard['expectation']} is critical: while it fails {standard['feed']} stands still, and no waiver moves it. "
        "Have it put right, or change its severity in the contract"
    )


def steps(standards: Sequence[Mapping[str, Any]], contacts: Mapping[str, str]) -> list[Step]:
    """What to do next. `contacts` says to whom what fails in a feed is sent back."""
    found = []
    unable = broken(standards)
    for feed in dict.fromkeys(row["feed"] for row in unable):
        of_feed = [row for row in unable if row["feed"] == feed]
        names = _some([row["expectation"] for row in of_feed])
        because = f"{_count(len(of_feed), 'standard')} could not run, so nothing is known: {names}"
        found.append(Step(DATA_TEAM, feed, because, f"tessera quality {feed}"))
    failing = worst_first(standards)
    for feed in dict.fromkeys(row["feed"] for row in failing):
        of_feed = [row for row in failing if row["feed"] == feed]
        if all(row["severity"] == "info" for row in of_feed):
            continue
        because = "; ".join(_because(of_feed))
        found.append(Step(contacts.get(feed, feed), feed, because, _command(feed, of_feed)))
    return found


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        not row["overdue"],
        not row["open"],
        HARMS.index(row["harm"]),
        _SEVERITIES.index(row["severity"]),
        row["new"] == 0,
        -row["open"],
        row["feed"],
        row["expectation"],
    )


def _because(failing: Sequence[Mapping[str, Any]]) -> list[str]:
    """A phrase for each kind of harm, worst first."""
    said = [
        f"promised by {row['expected_by']} and still failing: {row['expectation']}, {_count(row['open'], 'row')}"
        for row in failing
        if row["overdue"]
    ]
    said += [f"the feed stands still: {row['expectation']}" for row in failing if row["severity"] == "critical"]
    rest = [row for row in failing if row["severity"] != "critical"]
    held, missing, silent, rows = (
        [row for row in rest if _is_held(row)],
        [row for row in rest if _is_missing(row)],
        [row for row in rest if not _points_at_rows(row)],
        [row for row in rest if _points_at_rows(row) and not _is_held(row) and not _is_missing(row)],
    )
    if held:
        said.append(f"{_count(sum(row['open'] for row in held), 'row')} held back")
    if missing:
        tables = _some([row["table_name"] for row in missing])
        said.append(f"{max(row['open'] for row in missing)} named before are missing now ({tables})")
    said += [f"{row['expectation']}: {row['message']}" for row in silent]
    for harm in HARMS[1:]:
        of_harm = [row for row in rows if row["harm"] == harm]
        if of_harm:
            rows_open, new = sum(row["open"] for row in of_harm), sum(row["new"] for row in of_harm)
            # A yearly return lies there for months: what came with it is not tonight's.
            earlier = {row["new_since"] for row in of_harm if row["new"]} - {row["load_id"] for row in of_harm}
            since = f" with load {max(earlier)}" if earlier else ""
            said.append(f"{harm.replace('_', ' ')}: {_count(rows_open, 'row')}, {new:,} new{since}")
    for what in ("fixed", "waived"):
        if counted := sum(row[what] for row in failing):
            said.append(f"{_count(counted, 'row')} {what}")
    return said


def _command(feed: str, failing: Sequence[Mapping[str, Any]]) -> str:
    if not any(map(_points_at_rows, failing)):
        return "tessera sources"
    return f"tessera quality pack {feed} --out {feed}.xlsx"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
