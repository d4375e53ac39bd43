"""What is held of one person, as a page for that person to read and print.

What must not live here: which rows are on it and what is kept back (warehouse/subject.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from pipelines.page import entries, headed_table, page
from warehouse.subject import CONTACT, SOMEBODY, SOMEWHERE, Disclosure

_PARTS = {
    "records": ("Who you are, as each agency has it", "Nothing is held of this."),
    "chronology": ("What happened and what was said", "Nothing is held of this."),
    "spans": ("Plans, placements, schools and other things with a beginning and an end", "Nothing is held of this."),
    "attendance": ("Attendance at school", "Nothing is held of this."),
    "relationships": ("Who is related to you, without their names", "Nothing is held of this."),
    "links": ("Which records are held to be about you, and why", "No record is."),
    "coverage": ("Which agencies were searched", "None was."),
    "signals": ("What rules drew attention to", "No rule did."),
    "recipients": ("To whom it was shown", "It was shown to nobody."),
}
# More do not fit on a sheet of paper.
_COLUMNS_OF_A_TABLE = 8
# Words for columns whose names a reader could not guess.
_SAID = {
    "event_id": "reference",
    "known_from": "held since (UTC)",
    "known_to": "replaced or withdrawn (UTC)",
    "sorts_at": "when",
    "occurred_from": "happened from",
    "occurred_to": "happened until",
    "occurred_precision": "how exactly that is known",
    "recorded_at": "written down (UTC)",
    "valid_from": "from",
    "valid_to": "until",
    "subject_role": "your part in it",
    "statement_kind": "kind of statement",
    "reported_by_role": "written by",
    "source_person_id": "its number for you",
    "upn": "pupil number (UPN)",
    "nhs_number": "NHS number",
    "how": "on what ground",
}


def subject_page(found: Disclosure, recipients: Iterable[Mapping[str, Any]], *, on: dt.date, load_id: str) -> str:
    """The page. `recipients`: rows of role, what and day. Columns that are empty in every row of a part are left out."""
    parts = {**found.parts, "recipients": [dict(row) for row in recipients]}
    contents = "".join(f'<li><a href="#{name}">{escape(title)}</a></li>' for name, (title, _) in _PARTS.items())
    return page(
        "What is held about you",
        f"""<p>Put together on {_plain(on)} from load {escape(load_id)}, for the person with the number {escape(found.person_id)}. It holds
every version that was ever known, oldest first: what was corrected since stands beside what it was corrected to.</p>
<p>{escape(SOMEBODY)}, {escape(SOMEWHERE)} and {escape(CONTACT)} stand where a text tells of somebody else, whose own rights they protect.
You may ask for what is wrong to be put right, and complain to the Information Commissioner if you think that something is missing.</p>""",
        f'<nav aria-label="Parts"><h2>Parts</h2><ul>{contents}</ul></nav>',
        "".join(_part(name, title, nothing, parts.get(name, [])) for name, (title, nothing) in _PARTS.items()),
    )


def _part(name: str, title: str, nothing: str, rows: list[dict[str, Any]]) -> str:
    heading = f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>'
    columns = [column for column in (rows[0] if rows else ()) if any(row[column] not in (None, "") for row in rows)]
    if "feed" in columns:  # agency, feed and number are the record's identifier
        columns = [column for column in columns if column != "record_id"]
    if not columns:
        return f"{heading}<p>{escape(nothing)}</p></section>\n"
    header = {column: _SAID.get(column, column.replace("_", " ")) for column in columns}
    if len(columns) <= _COLUMNS_OF_A_TABLE:
        cells = [[escape(_plain(row[column])) for column in columns] for row in rows]
        return f"{heading}{headed_table(f'{len(rows):,} entries', list(header.values()), cells)}</section>\n"
    said = [
        [(header[column], escape(_plain(row[column]))) for column in columns if row[column] not in (None, "")]
        for row in rows
    ]
    return f"{heading}<p>{len(rows):,} entries</p>{entries(said)}</section>\n"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return f"{value:%-d %B %Y}" if value.time() == dt.time() else f"{value:%-d %B %Y %H:%M}"
    if isinstance(value, dt.date):
        return f"{value:%-d %B %Y}"
    return str(value)
