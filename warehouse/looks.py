"""Who looked at what, chosen from the access log: by whom it named, who looked, in which role, since when.

What must not live here: writing looks (access_log.py), and proving that they are whole (journal.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from functools import cache
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
) -> list[Look]:
    """Looks, newest first.

    With `persons` (identifiers of people or records as marts show them) those that named one of them, under a pseudonym too, and those
    that named nobody and so may have.
    """
    named = set(persons)
    shown_as = as_shown(keys, named)
    return [
        look
        for look in log.looks(_noted_under(role), since)
        if (who is None or look.who == who) and (not named or _may_be_about(look, named, shown_as))
    ][::-1]


def told(look: Look) -> dict[str, Any]:
    """A look for people: at, who, role, action, purpose, load_id, rows, about, question, shown, file."""
    return {
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


def _noted_under(role: str | None) -> list[str]:
    if role is None:
        return [*MARTS, _STORE]
    return [role, _STORE] if role == GOVERNANCE else [role]


def as_shown(keys: Keys, named: Iterable[str]) -> Callable[[str], frozenset[str]]:
    """By role, under what its mart shows these identifiers: themselves, and their pseudonyms there."""
    known = frozenset(named)

    @cache
    def of(role: str) -> frozenset[str]:
        salt = keys.pseudonym_salt(role)
        return known | {pseudonym(salt, name) for name in known}

    return of


def _may_be_about(look: Look, named: set[str], shown_as: Callable[[str], frozenset[str]]) -> bool:
    if look.role == _STORE:
        return any(name in look.question for name in named)
    return look.shown is None or not look.shown.isdisjoint(shown_as(look.role))
