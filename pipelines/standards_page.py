"""The page of standards that a professional reads: per feed what each column is and must be, and every rule, with why and what to do.

What must not live here: a fact that is declared elsewhere, and pages for those who run Tessera (docs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from connectors.contract import Column, Feed, Rule, RuleBook, Table
from connectors.rulebooks import in_words, rule_books
from pipelines.page import headed_table, page


def standards_page(feeds: Iterable[Feed]) -> str:
    """The whole page; the same for the same declarations."""
    known = list(feeds)
    contents = "".join(
        f'<li><a href="#{feed.id}">{escape(feed.title)}</a> <code>{escape(feed.id)}</code></li>' for feed in known
    )
    return page(
        "What we expect of the data, and how to get it right",
        """<p>For whoever in an agency answers for an extract. For each feed: what every column is and how it must be written, and every
rule that is applied to it, with why it matters for a child and what to do when it fails.</p>
<p>Nothing is dropped because it fails. <strong class="critical">Critical</strong> holds the whole feed back for a night, and its last
good data stay in use. A <em>warning</em> is shown beside the row; <em>info</em> is only counted. What could not be run is shown as
not run, with the reason, and never as a pass.</p>""",
        '<nav aria-label="Feeds"><h2>Feeds</h2><ul><li><a href="#between">What agencies must agree on</a></li>'
        f"{contents}</ul></nav>",
        _between() + "".join(_feed(feed) for feed in known),
    )


def _between() -> str:
    from expectations import between

    rows = [
        (
            _code(rule.name),
            f"{escape(rule.title)}. {escape(rule.why)}",
            escape(", ".join(rule.sides).replace("_", " ") or "any"),
            _severity(between.SEVERITY),
            escape(rule.hint),
        )
        for rule in between.rules()
    ]
    return (
        '<section aria-labelledby="between"><h2 id="between">What agencies must agree on</h2>\n'
        "<p>Asked each night once it is known which records are about the same child, of feeds that are not stale. The rows that "
        "disagree are shown to each agency among its own. Without anything recent from one side a rule is not run.</p>\n"
        + headed_table(
            "What agencies must agree on",
            ("Rule", "What is expected, and why", "Sides", "Severity", "How to get it right"),
            rows,
        )
        + "</section>\n"
    )


def _feed(feed: Feed) -> str:
    from expectations.suite import describe

    of_tables: dict[str, list[Sequence[str]]] = {}
    for said in describe(feed):
        of_tables.setdefault(said["table"], []).append(
            (_code(said["name"]), escape(said["title"]), _severity(said["severity"]), escape(said["hint"]))
        )
    parts = [
        f'<section aria-labelledby="{feed.id}"><h2 id="{feed.id}">{escape(feed.title)} {_code(feed.id)}</h2>',
        f"<p>Sent as {escape(feed.format)}; expected {escape(feed.expect)}.</p>",
    ]
    parts += [_table_of(feed, table, of_tables.pop(table.name, [])) for table in feed.tables]
    for rows in of_tables.values():
        parts.append(headed_table(f"Expected of {feed.id} as a whole", _EXPECTED, rows))
    parts += [_book(feed, book) for book in rule_books(feed)]
    return "\n".join([*parts, "</section>\n"])


_EXPECTED = ("Standard", "What is expected", "Severity", "How to get it right")


def _table_of(feed: Feed, table: Table, expected: Sequence[Sequence[str]]) -> str:
    columns = [
        (_code(column.name), escape(column.meaning), _written(column), "yes" if column.required else "no")
        for column in table.columns
    ]
    return "\n".join(
        [
            f"<h3>{_code(table.name)}: {escape(table.grain)}</h3>",
            f"<p>A row is known by {', '.join(map(_code, table.key))}.</p>" if table.key else "",
            headed_table(
                f"Columns of {feed.id} {table.name}", ("Column", "What it is", "How it is written", "Required"), columns
            ),
            _folded(
                "What is expected of these columns",
                headed_table(f"Expected of {feed.id} {table.name}", _EXPECTED, expected),
            ),
        ]
    )


def _written(column: Column) -> str:
    said = escape(str(column.kind)) + (f" ({escape(', '.join(column.formats))})" if column.formats else "")
    if column.allowed:
        codes = ", ".join(map(_code, column.allowed))
        said += f"; one of {codes}" if len(column.allowed) <= 12 else _folded(f"{len(column.allowed)} codes", codes)
    return said


def _book(feed: Feed, book: RuleBook) -> str:
    rows = [
        (
            _code(rule.name),
            f"{escape(rule.title)}. {escape(rule.why)}{_in_force(rule)}",
            ", ".join(map(_code, rule.columns)),
            _severity(rule.severity),
            escape(rule.hint),
        )
        for rule in book.rules
    ]
    header = ("Rule", "What is expected, and why", "Columns", "Severity", "How to get it right")
    return f"<h3>{escape(book.title)}</h3>\n<p>{len(rows)} rules. {escape(book.source)}</p>\n" + headed_table(
        f"Rules of {book.title} for {feed.id}", header, rows
    )


def _in_force(rule: Rule) -> str:
    said = [f"In force from {in_words(rule.since)}."] if rule.since is not None else []
    said += [f"In force until {in_words(rule.until)}."] if rule.until is not None else []
    said += [f"Never run: needs {rule.not_supplied}."] if rule.not_supplied else []
    return f"<br><small>{escape(' '.join(said))}</small>" if said else ""


def _severity(severity: str) -> str:
    return f'<span class="critical">{severity}</span>' if severity == "critical" else severity


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>"
