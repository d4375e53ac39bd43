"""The error pack of a feed: what an agency needs to put its rows right, gathered from the quality mart.

What lives here: which rows go into a pack, in which groups, and by when they are wanted back. What must not: how a workbook
is written (workbook.py), who may open the mart and the note that it was looked at (the command).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from connectors.contract import Feed
from connectors.rulebooks import rule_books
from expectations import agenda, between, volume
from expectations.suite import suite_for
from expectations.verdict import Harm
from warehouse.query import harmless

# Days in which an agency is asked to put right what fails, by what it can do to a child: docs/quality.md argues for them.
WANTED_WITHIN_DAYS: dict[Harm, int] = {"unseen": 3, "wrong_child": 7, "wrong_account": 28, "untidy": 90}
WITHHELD = "(withheld: restricted address)"

ROW_COLUMNS = (
    "source_file", "row_number", "local_id", "column", "value", "rule", "title", "hint", "severity", "spell", "expected_by",
    "waived_until", "row_key",
)  # fmt: skip
STANDARD_COLUMNS = (
    "group", "rule", "title", "why", "harm", "severity", "failed", "open", "waived", "new", "still", "fixed", "wanted_by", "hint",
)  # fmt: skip

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Said:
    """What a standard is called and how its failures are put right; `book` is empty where it follows from the contract."""

    title: str
    why: str
    hint: str
    table: str
    book: str


@dataclass(frozen=True)
class Held:
    """One row held back: the cells as received, by the contract's column; without any where it could not be parsed."""

    quarantine_id: str
    row_number: int
    reason: str
    received: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Pack:
    """Everything of one feed as of one load."""

    feed: Feed
    to: str
    load_id: str
    date: dt.date
    standards: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    held: Mapping[str, Sequence[Held]]
    unable: Sequence[Mapping[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by what there is to do with them."""
        fixed = sum(row["spell"].startswith("fixed") for row in self.rows)
        waived = sum(row["waived_until"] is not None for row in self.rows)
        return {
            "to_put_right": len(self.rows) - fixed - waived,
            "waived": waived,
            "fixed_since_last_load": fixed,
            "held_back": sum(len(rows) for rows in self.held.values()),
            "standards_that_could_not_run": len(self.unable),
        }


def gather(rows: Rows, feed: Feed, to: str) -> Pack:
    """Reads the quality mart through `rows` (SQL and parameters to dictionaries)."""
    of_feed = [feed.agency, feed.name]
    night = rows("SELECT load_id, date FROM mart", [])[0]
    known = said_of(feed)
    standards = rows("SELECT * FROM quality_standards WHERE agency = ? AND feed = ?", of_feed)
    listed = [
        _standard(row, known, night["date"])
        for row in agenda.worst_first(standards, waived_too=True)
        + [row for row in standards if row["fixed"] and not row["failed"]]
    ]
    order = {row["rule"]: place for place, row in enumerate(listed)}
    failing = rows(
        'SELECT expectation, table_name, severity, source_file, row_number, local_id, "column", value, hint, row_key, '
        "failing_since, state, waived_until, expected_by, address_protected, NULL AS ended FROM quality_failures "
        "WHERE agency = $1 AND feed = $2 UNION ALL "
        'SELECT expectation, table_name, severity, source_file, row_number, local_id, "column", value, hint, row_key, '
        "failing_since, state, NULL, NULL, address_protected, ended FROM quality_spells "
        "WHERE agency = $1 AND feed = $2 AND state = 'fixed' ORDER BY source_file, row_number",
        of_feed,
    )
    found = [_row(row, known) for row in failing]
    return Pack(
        feed=feed,
        to=to,
        load_id=night["load_id"],
        date=night["date"],
        standards=listed,
        rows=sorted(found, key=lambda row: (row["spell"].startswith("fixed"), order.get(row["rule"], len(order)))),
        held=_held(rows, feed),
        unable=[{"rule": row["expectation"], "because": row["message"]} for row in agenda.broken(standards)],
    )


def as_json(pack: Pack) -> str:
    """The whole pack for a program to read."""
    return json.dumps(
        {
            "feed": pack.feed.id,
            "to": pack.to,
            "load_id": pack.load_id,
            "date": pack.date,
            "counts": pack.counts,
            "standards": list(pack.standards),
            "rows": list(pack.rows),
            "held_back": [
                {
                    "quarantine_id": held.quarantine_id, "table": table, "row_number": held.row_number, "reason": held.reason,
                    "received": held.received, "cells": dict(held.cells),
                }
                for table, rows in pack.held.items()
                for held in rows
            ],
            "could_not_run": list(pack.unable),
        },
        default=str,
        ensure_ascii=False,
        indent=1,
    )  # fmt: skip


def write_csv(pack: Pack, stream: TextIO) -> None:
    """Its failing and fixed rows, one line each, for a spreadsheet that does not run them."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(["group", *ROW_COLUMNS])
    for row in pack.rows:
        values = [row[column] for column in ("group", *ROW_COLUMNS)]
        writer.writerow([harmless(value) if isinstance(value, str) else value for value in values])


def groups(pack: Pack) -> dict[str, list[Mapping[str, Any]]]:
    """Failing and fixed rows by group of rules, the group with the worst first."""
    order = dict.fromkeys(str(row["group"]) for row in pack.standards)
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in order}
    for row in pack.rows:
        found.setdefault(str(row["group"]), []).append(row)
    return {name: rows for name, rows in found.items() if rows}


def said_of(feed: Feed) -> dict[str, Said]:
    """Every standard of the feed by its name."""
    known = {
        standard.name: Said(standard.title, "", standard.hint, table.name, "")
        for table in feed.tables
        for standard in suite_for(feed, table)
    }
    for described in volume.describe(feed):
        known[described["name"]] = Said(described["title"], "", described["hint"], "", "")
    for shared in between.rules():
        known[shared.name] = Said(shared.title, shared.why, shared.hint, "", "")
    for book in rule_books(feed):
        for rule in book.rules:
            known[rule.name] = Said(rule.title, rule.why, rule.hint, rule.tables[0], book.name)
    return known


def _standard(row: Mapping[str, Any], known: Mapping[str, Said], date: dt.date) -> dict[str, Any]:
    name = row["expectation"]
    said = known.get(name, Said(name, "", "", row["table_name"], ""))
    wanted = row["expected_by"] or date + dt.timedelta(days=WANTED_WITHIN_DAYS[row["harm"]])
    return {
        **{column: row[column] for column in ("harm", "severity", "failed", "open", "waived", "new", "still", "fixed")},
        "group": _group(said, row["table_name"]),
        "rule": name,
        "title": said.title,
        "why": said.why or row["message"] or "",
        "wanted_by": wanted if row["open"] else None,
        "hint": said.hint,
    }


def _row(row: Mapping[str, Any], known: Mapping[str, Said]) -> dict[str, Any]:
    name = row["expectation"]
    said = known.get(name, Said(name, "", "", row["table_name"], ""))
    spell = {
        "new": "new",
        "still": f"still failing since {row['failing_since']}",
        "fixed": f"fixed ({str(row['ended']).replace('_', ' ')}); failed since {row['failing_since']}",
    }.get(row["state"], "new")
    kept = ("source_file", "row_number", "local_id", "column", "severity", "expected_by", "waived_until", "row_key")
    return {
        **{column: row[column] for column in kept},
        "value": WITHHELD if row["address_protected"] else row["value"],
        "rule": name,
        "title": said.title,
        "hint": row["hint"] or said.hint,
        "spell": spell,
        "group": _group(said, row["table_name"]),
    }


def _group(said: Said, table: str) -> str:
    """Standards of a contract go with their table, rules with their book and table: one sheet is one list to work through."""
    parts = (said.book, said.table or table) if said.book else (said.table or table or "delivery",)
    return " ".join(part for part in parts if part)


def _held(rows: Rows, feed: Feed) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    waiting = rows(
        "SELECT quarantine_id, table_name, row_number, reason, content, address_protected FROM quarantine "
        "WHERE agency = ? AND feed = ? AND released_by IS NULL ORDER BY table_name, row_number, quarantine_id",
        [feed.agency, feed.name],
    )
    columns = {table.name: table.names() for table in feed.tables}
    for row in waiting:
        if row["table_name"] not in columns:
            continue
        names = columns[row["table_name"]]
        if row["address_protected"]:
            received, cells = WITHHELD, dict.fromkeys(names, WITHHELD)
        else:
            received, cells = row["content"] or "", cells_of(row["content"], names)
        found.setdefault(row["table_name"], []).append(
            Held(row["quarantine_id"], row["row_number"], row["reason"], received, cells)
        )
    return found


def cells_of(content: str | None, columns: Iterable[str]) -> dict[str, str]:
    """What a held-back row holds in each column; nothing in any where it could not be parsed."""
    try:
        read = json.loads(content or "")
    except ValueError:
        read = None
    said = read if isinstance(read, dict) else {}
    return {name: _text(said.get(name.lower())) for name in columns}


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
