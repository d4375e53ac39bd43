"""Who looked at what, chosen from the access log: by whom it named, who looked, in which role, since when.

What must not live here: writing looks (access_log.py), and proving that they are whole (journal.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from warehouse.access import pseudonym
from warehouse.access_log import AccessLog, Look
from warehouse.keys import MARTS, Keys

GOVERNANCE = "governance"
_STORE = "decisions"  # the key under which governance's looks at what people did are noted, which is in no mart


def looks(
    log: AccessLog,
    keys: Keys,
    *,
    persons: Iterable[str] = (),
    who: str | None = None,
    role: str | None = None,
    since: dt.datetime | None = None,
) -> list[dict[str, Any]]:
    """Looks, newest first: at, who, role, action, purpose, load_id, rows, about, question, shown, file.

    With `persons` (identifiers of people or records as marts show them) those that named one of them, under a pseudonym too, and those
    that named nobody and so may have.
    """
    named = set(persons)
    found = []
    for look in log.looks(_noted_under(role), since):
        if who is not None and look.who != who:
            continue
        if named and not _may_be_about(look, named, keys):
            continue
        found.append(
            {
                "at": look.at,
                "who": look.who,
                "role": GOVERNANCE if look.role == _STORE else look.role,
                "action": look.action,
                "purpose": look.purpose,
                "load_id": look.load_id,
                "rows": look.rows,
                "about": "not told" if look.shown is None else f"{len(look.shown)} identifiers",
                "question": look.question,
                "shown": None if look.shown is None else sorted(look.shown),
                "file": look.file,
            }
        )
    return found[::-1]


def _noted_under(role: str | None) -> list[str]:
    if role is None:
        return [*MARTS, _STORE]
    return [role, _STORE] if role == GOVERNANCE else [role]


def _may_be_about(look: Look, named: set[str], keys: Keys) -> bool:
    if look.role == _STORE:
        return any(name in look.question for name in named)
    if look.shown is None:
        return True
    salt = keys.pseudonym_salt(look.role)
    return bool(look.shown & (named | {pseudonym(salt, name) for name in named}))
