"""The page of standards that a professional reads: per feed what each column is and must be, and every rule, with why and what to do.

One HTML file that needs nothing but itself: no script, no font, no picture from elsewhere, so that it can be sent to an agency and
opened there. What must not live here: a fact that is declared elsewhere, and pages for those who run Tessera (docs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from connectors.contract import Column, Feed, Rule, RuleBook, Table
from connectors.rulebooks import in_words, rule_books

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 0 auto; max-width: 80rem; padding: 0 1rem 4rem }
h1, h2, h3, h4 { line-height: 1.2 } h2 { margin-top: 3rem; border-top: 4px solid #1b1b1b; padding-top: 1rem }
a { color: #00539f } a:focus, summary:focus { outline: 3px solid #b35900; outline-offset: 2px }
.skip { position: absolute; left: -99rem } .skip:focus { position: static }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem } caption { text-align: left; font-weight: bold; padding: .5rem 0 }
th, td { border-bottom: 1px solid #767676; padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th[scope=row] { font-weight: 600; min-width: 9rem } code { font-size: .95em }
.critical { font-weight: bold; color: #a8071a } summary { cursor: pointer }
@media print { nav { display: none } details > * { display: block } thead { display: table-header-group } tr { break-inside: avoid } }
"""


def standards_page(feeds: Iterable[Feed]) -> str:
    """The whole page; the same for the same declarations."""
    known = list(feeds)
    contents = "".join(
        f'<li><a href="#{feed.id}">{escape(feed.title)}</a> <code>{escape(feed.id)}</code></li>' for feed in known
    )
    return f"""<!doctype html>
<html lang="en-GB">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What we expect of the data, and how to get it right</title><style>{_STYLE}</style></head>
<body>
<a class="skip" href="#content">To the content</a>
<header><h1>What we expect of the data, and how to get it right</h1>
<p>For whoever in an agency answers for an extract. For each feed: what every column is and how it must be written, and every rule that
is applied to it, with why it matters for a child and what to do when it fails.</p>
<p>Nothing is dropped because it fails. <strong class="critical">Critical</strong> holds the whole feed back for a night, and its last
good data stay in use. A <em>warning</em> is shown beside the row; <em>info</em> is only counted. What could not be run is shown as
not run, with the reason, and never as a pass.</p></header>
<nav aria-label="Feeds"><h2>Feeds</h2><ul>{contents}</ul></nav>
<main id="content">
{"".join(_feed(feed) for feed in known)}</main>
</body>
</html>"""


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
        parts.append(_rows(f"Expected of {feed.id} as a whole", _EXPECTED, rows))
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
            _rows(
                f"Columns of {feed.id} {table.name}", ("Column", "What it is", "How it is written", "Required"), columns
            ),
            _folded(
                "What is expected of these columns", _rows(f"Expected of {feed.id} {table.name}", _EXPECTED, expected)
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
    return f"<h3>{escape(book.title)}</h3>\n<p>{len(rows)} rules. {escape(book.source)}</p>\n" + _rows(
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


def _rows(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a caption and headed rows, so that it can be heard as well as seen. Cells are HTML."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"
        for first, *others in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>"
