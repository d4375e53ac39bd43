"""Standards: what is expected of the data and what each column is, for whoever answers for an extract. Nothing of anybody.

What must not live here: a fact that is declared elsewhere (connectors' contracts and rule books, expectations).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.responses import Response

from connectors.contract import Feed, Rule
from connectors.rulebooks import in_words, rule_books
from console.routes import SIGNED_IN, Pages
from console.visit import LONGEST_LINE, Visit, not_found
from expectations import between
from expectations.suite import describe
from expectations.suite import in_words as as_a_date

ORDER = 60
PAGES = Pages()

PER_PAGE = 50
BETWEEN = "between"
_LONGEST_LIST_OF_CODES = 12


@dataclass(frozen=True)
class Entry:
    """One thing that is expected, in words; `found_by` is everything it says, for a search."""

    feed: str
    name: str
    title: str
    why: str
    hint: str
    severity: str
    table: str
    columns: tuple[str, ...]
    meanings: tuple[str, ...] = ()
    book: str = ""
    in_force: str = ""

    @property
    def found_by(self) -> str:
        said = (self.feed, self.name, self.title, self.why, self.hint, self.severity, self.table, self.book)
        return " ".join((*said, *self.columns, *self.meanings)).casefold()


@PAGES.get(
    "/standards",
    may=SIGNED_IN,
    audits="nothing",
    menu="Standards",
    hint="What is expected of each agency's data and why, and what every column means. No child's data.",
)
def standards(visit: Visit) -> Response:
    feeds = visit.deployment.feeds
    words = visit.query("q")[:LONGEST_LINE]
    feed = visit.query("feed", {*feeds, BETWEEN})
    entries = [entry for one in feeds.values() if feed in ("", one.id) for entry in expected_of(one)]
    if feed in ("", BETWEEN):
        entries += agreed()
    asked = words.casefold().split()
    found = [entry for entry in entries if all(word in entry.found_by for word in asked)] if asked or feed else []
    columns = [
        (one, table, column)
        for one in feeds.values()
        if asked and feed in ("", one.id)
        for table in one.tables
        for column in table.columns
        if all(word in f"{one.id} {table.name} {column.name} {column.meaning}".casefold() for word in asked)
    ]
    said = visit.query("page", default="1")
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(pages, max(1, int(said))) if re.fullmatch(r"[0-9]{1,9}", said) else 1
    return visit.page(
        "standards/standards.html",
        feeds=feeds,
        counts={one.id: len(expected_of(one)) for one in feeds.values()},
        between=BETWEEN,
        agreed=len(agreed()),
        words=words,
        feed=feed,
        asked=bool(asked or feed),
        total=len(found),
        found=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        columns=columns[:PER_PAGE],
        columns_found=len(columns),
        page=page,
        pages=pages,
    )


@PAGES.get("/standards/{feed}", may=SIGNED_IN, audits="nothing")
def one_feed(visit: Visit, feed: str) -> Response:
    """The data dictionary of a feed."""
    declared = visit.deployment.feeds.get(feed)
    if declared is None:
        raise not_found("feed")
    return visit.page(
        "standards/feed.html", feed=declared, tables=_tables(declared), expected=len(expected_of(declared))
    )


def expected_of(feed: Feed) -> tuple[Entry, ...]:
    """Everything expected of one feed: what follows from its contract, then its rule books."""
    # A feed holds functions and lists of options, so it is known by what it declares.
    return _expected_of(_Declared(feed))


class _Declared:
    """A feed as the key of what was worked out of it: the same object, since declarations do not change while the console runs."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Declared) and other.feed is self.feed

    def __hash__(self) -> int:
        return id(self.feed)


@cache
def _expected_of(declared: _Declared) -> tuple[Entry, ...]:
    feed = declared.feed
    contract = [
        Entry(
            feed.id, said["name"], said["title"], "", said["hint"], said["severity"], said["table"],
            (said["column"],) if said["column"] else (), _meanings(feed, [said["table"]], [said["column"]]),
        )
        for said in describe(feed)
    ]  # fmt: skip
    rules = [
        Entry(
            feed.id, rule.name, rule.title, rule.why, rule.hint, rule.severity, ", ".join(rule.tables), rule.columns,
            _meanings(feed, rule.tables, rule.columns), book.title, _in_force(rule),
        )
        for book in rule_books(feed)
        for rule in book.rules
    ]  # fmt: skip
    return (*contract, *rules)


@cache
def agreed() -> tuple[Entry, ...]:
    """What agencies must agree on."""
    return tuple(
        Entry(
            BETWEEN, rule.name, rule.title, rule.why, rule.hint, between.SEVERITY,
            ", ".join(rule.sides).replace("_", " ") or "any agencies", rule.columns,
        )
        for rule in between.rules()
    )  # fmt: skip


def _meanings(feed: Feed, tables: Iterable[str], columns: Collection[str]) -> tuple[str, ...]:
    return tuple(
        column.meaning
        for table in feed.tables
        if table.name in tables
        for column in table.columns
        if column.name in columns
    )


def _in_force(rule: Rule) -> str:
    said = [f"In force from {in_words(rule.since)}."] if rule.since is not None else []
    said += [f"In force until {in_words(rule.until)}."] if rule.until is not None else []
    said += [f"Never run: needs {rule.not_supplied}."] if rule.not_supplied else []
    return " ".join(said)


def _tables(feed: Feed) -> Iterable[dict[str, Any]]:
    return [
        {
            "name": table.name,
            "grain": table.grain,
            "key": table.key,
            "columns": [
                {
                    "name": column.name,
                    "meaning": column.meaning,
                    "written": str(column.kind).replace("_", " ").replace("nhs", "NHS").replace("upn", "UPN"),
                    "formats": [as_a_date(form) for form in column.formats],
                    "codes": column.allowed or (),
                    "fold": len(column.allowed or ()) > _LONGEST_LIST_OF_CODES,
                    "required": column.required,
                }
                for column in table.columns
            ],
        }
        for table in feed.tables
    ]
