"""Who looked at what, and the proof that nobody changed what people did: over the journals of the decisions store.

What lives here: choosing looks, and holding journals against the heads noted at each night. What must not: stamping (warehouse/journal.py)
and what became of a link that was served (trace.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from warehouse.access import pseudonym
from warehouse.access_log import AccessLog, Look
from warehouse.journal import Head, Journal
from warehouse.keys import ROLES, Keys
from warehouse.landing import Landing

GOVERNANCE = "decisions"  # the key under which looks at the log and at seals are noted


def looks(
    log: AccessLog,
    keys: Keys,
    *,
    persons: Iterable[str] = (),
    who: str | None = None,
    role: str | None = None,
    since: dt.datetime | None = None,
) -> list[dict[str, Any]]:
    """Looks, newest first: at, who, role, action, purpose, load_id, rows, about, question, shown.

    With `persons` (identifiers of people or records as marts show them) those that named one of them, under a pseudonym too, and those
    that named nobody and so may have.
    """
    named = set(persons)
    found = []
    for look in log.looks([role] if role else [*ROLES, GOVERNANCE]):
        if (who is not None and look.who != who) or (since is not None and look.at < since):
            continue
        if named and not _may_be_about(look, named, keys):
            continue
        found.append(
            {
                "at": look.at,
                "who": look.who,
                "role": "governance" if look.role == GOVERNANCE else look.role,
                "action": look.action,
                "purpose": look.purpose,
                "load_id": look.load_id,
                "rows": look.rows,
                "about": "not told" if look.shown is None else f"{len(look.shown)} identifiers",
                "question": look.question,
                "shown": None if look.shown is None else sorted(look.shown),
            }
        )
    return found[::-1]


def _may_be_about(look: Look, named: set[str], keys: Keys) -> bool:
    if look.role == GOVERNANCE:
        return any(name in look.question for name in named)
    if look.shown is None:
        return True
    salt = keys.pseudonym_salt(look.role)
    return bool(look.shown & (named | {pseudonym(salt, name) for name in named}))


def prove(
    journals: Iterable[Journal], landing: Landing, kept: Mapping[str, Head] | None = None
) -> tuple[list[str], list[str]]:
    """What was proved of the journals and what is broken, in words; `kept` are heads that somebody noted elsewhere."""
    noted: dict[str, dict[str, Head]] = {}
    for load_id, subject in landing.manifests():
        for name, head in ((landing.read_manifest(load_id, subject) or {}).get("journals") or {}).items():
            noted.setdefault(name, {})[f"when load {load_id} was linked"] = Head(**head)
    for name, head in (kept or {}).items():
        noted.setdefault(name, {})["when its head was written down"] = head
    proved, broken = [], []
    for journal in journals:
        faults = journal.faults(noted.get(journal.name, {}))
        broken += faults
        if not faults:
            head = journal.head()
            proved.append(
                f"{journal.name}: {head.rows if head else 0} rows are as they were written, none taken away or put in"
            )
    return proved, broken
