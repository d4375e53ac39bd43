"""Where a link was served: what to tell whom once it has turned out to be wrong.

What lives here: from when to when two records were held to be one person, the publications of that time, and the looks that showed it or
may have, files that left the house among them. What must not: undoing anything (that is a decision), and a person's value.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pipelines.line import Line
from warehouse import publish as publishing
from warehouse.access import pseudonym
from warehouse.keys import MARTS
from warehouse.seals import hide_sealed

# Words by which a question reaches what was known before.
_OF_THE_PAST = ("_as_of", "_history", "(as of ")


def trace(line: Line, record_a: str, record_b: str, *, governance: bool = False) -> dict[str, Any]:
    """The times during which the two were one person, the publications that said so, and every look at them.

    What a seal hides is there for governance alone.
    """
    hide_sealed(line.con, line.sealed_records())
    links = "link" if governance else "shown_link"
    together = line.warehouse.rows(
        f"""
        SELECT a.person_id, greatest(a.linked_at, b.linked_at) AS since,
               nullif(least(coalesce(a.unlinked_at, 'infinity'), coalesce(b.unlinked_at, 'infinity')), 'infinity') AS until
        FROM {links} a JOIN {links} b ON b.person_id = a.person_id
        WHERE a.record_id = $a AND b.record_id = $b AND greatest(a.linked_at, b.linked_at)
              < least(coalesce(a.unlinked_at, 'infinity'), coalesce(b.unlinked_at, 'infinity'))
        ORDER BY since, a.person_id
        """,
        {"a": record_a, "b": record_b},
    )
    if not together:
        return {"together": [], "publications": [], "looks": []}
    kept = _kept(line)
    publications = [
        {**row, "still_kept": row["load_id"] in kept}
        for row in line.warehouse.rows("SELECT load_id, published_at FROM publication ORDER BY published_at, load_id")
        if _within(row["published_at"], together)
    ]
    served = {row["load_id"] for row in publications}
    named = {record_a, record_b, *(stretch["person_id"] for stretch in together)}
    looks = []
    for look in line.access_log.looks(MARTS):
        past = any(word in look.question.lower() for word in _OF_THE_PAST)
        if look.load_id not in served and not (past and look.at >= together[0]["since"]):
            continue
        salt = line.keys.pseudonym_salt(look.role)
        seen = named | {pseudonym(salt, name) for name in named}
        if look.shown is not None and not look.shown & seen:
            continue
        looks.append(
            {
                "at": look.at,
                "action": look.action,
                "role": look.role,
                "who": look.who,
                "purpose": look.purpose,
                "load_id": look.load_id,
                "version": look.version,
                "showed": "named the person or a record"
                if look.shown is not None
                else "named nobody; may have been about them",
                "rows": look.rows,
                "file": look.file,
                "question": look.question,
            }
        )
    return {"together": together, "publications": publications, "looks": looks}


def _within(moment: dt.datetime, together: list[dict[str, Any]]) -> bool:
    return any(row["since"] <= moment and (row["until"] is None or moment < row["until"]) for row in together)


def _kept(line: Line) -> set[str]:
    try:
        publication = publishing.current(line.settings.marts_path)
    except publishing.PublishError:
        return set()
    return {version.load_id for version in (publication, *publication.previous)}
