"""Where a link was served: what to tell whom once it has turned out to be wrong.

What lives here: from when to when two records were held to be one person, the publications of that time, the looks that showed it or
may have (files that left the house among them), and the glass that was broken over that person meanwhile. What must not: undoing
anything (that is a decision), where links and publications are read from, and a person's value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from warehouse.access_log import AccessLog
from warehouse.break_glass import Use
from warehouse.keys import MARTS, Keys
from warehouse.looks import as_shown

# Words by which a question reaches what was known before.
_OF_THE_PAST = ("_as_of", "_history", "(as of ")
# A look is noted by the clock of the machine it was taken on, a link by that of the nights; no look may be missed for a wrong one.
_CLOCKS_DIFFER = dt.timedelta(days=1)

Rows = Sequence[Mapping[str, Any]]


def together_sql(links: str) -> str:
    """A SELECT of the times during which records $a and $b were one person: person_id, since, until (empty: they still are).

    `links`: a relation of person_id, record_id, linked_at, unlinked_at.
    """
    return f"""
        SELECT a.person_id, greatest(a.linked_at, b.linked_at) AS since,
               nullif(least(coalesce(a.unlinked_at, 'infinity'), coalesce(b.unlinked_at, 'infinity')), 'infinity') AS until
        FROM {links} a JOIN {links} b ON b.person_id = a.person_id
        WHERE a.record_id = $a AND b.record_id = $b AND greatest(a.linked_at, b.linked_at)
              < least(coalesce(a.unlinked_at, 'infinity'), coalesce(b.unlinked_at, 'infinity'))
        ORDER BY since, a.person_id
        """


def trace(
    records: tuple[str, str],
    together: Rows,
    published: Rows,
    *,
    log: AccessLog,
    keys: Keys,
    uses: Iterable[Use] = (),
    kept: Collection[str] = (),
) -> dict[str, Any]:
    """The times during which the two were one person, the publications that said so, every look at them, and every use of break-glass.

    `together`: as together_sql() gives it. `published`: load_id and published_at of every publication. `uses`: of break-glass, all of
    them. `kept`: loads whose marts are still kept.
    """
    if not together:
        return {"together": [], "publications": [], "looks": [], "glass": []}
    publications = [
        {**row, "still_kept": row["load_id"] in kept} for row in published if _within(row["published_at"], together)
    ]
    served = {row["load_id"] for row in publications}
    shown_as = as_shown(keys, (*records, *(stretch["person_id"] for stretch in together)))
    looks = []
    for look in log.looks(MARTS, together[0]["since"] - _CLOCKS_DIFFER):
        if look.load_id not in served and not (look.at >= together[0]["since"] and _of_the_past(look.question)):
            continue
        if look.shown is not None and look.shown.isdisjoint(shown_as(look.role)):
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
                "named": look.shown
                is not None,  # the person or a record; otherwise nobody, and it may have been about them
                "rows": look.rows,
                "file": look.file,
                "question": look.question,
            }
        )
    return {"together": list(together), "publications": publications, "looks": looks, "glass": _broken(uses, together)}


def _broken(uses: Iterable[Use], together: Rows) -> list[dict[str, Any]]:
    """The glass over that person that was open while the two were one; what never opened showed nothing."""
    return [
        {"glass_id": use.glass_id, "who": use.who, "role": use.role, "person_id": use.person_id}
        | {"reason": use.reason, "at": use.at, "until": use.until, "state": use.state}
        for use in uses
        if use.state != "not told"
        and any(
            use.person_id == stretch["person_id"]
            and stretch["since"] < use.until
            and (stretch["until"] is None or use.at < stretch["until"])
            for stretch in together
        )
    ]


def _of_the_past(question: str) -> bool:
    return any(word in question.lower() for word in _OF_THE_PAST)


def _within(moment: dt.datetime, together: Rows) -> bool:
    return any(row["since"] <= moment and (row["until"] is None or moment < row["until"]) for row in together)
