"""Breaking the glass: for one person, one reason and a limited time, somebody sees of one child what their role withholds.

What lives here: the record of it, append-only, and whether a glass is open. What must not: telling governance (pipelines/notify.py),
what is withheld from whom (policy.yaml), and showing it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from warehouse.access import Policy
from warehouse.journal import Journal
from warehouse.keys import BREAK_GLASS
from warehouse.store import Cipher, Store


class BreakGlassError(Exception):
    """The glass stays whole: says why, and what is allowed."""


@dataclass(frozen=True)
class Use:
    """One breaking of the glass. `state`: open, over (its time is), closed (by somebody), or not told (so never open)."""

    number: int
    glass_id: str
    who: str
    role: str
    person_id: str
    reason: str
    at: dt.datetime
    until: dt.datetime
    state: str


class BreakGlass:
    """Every breaking of the glass of one deployment. Who, whom and why are encrypted."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "break_glass",
            "glass_id",
            sa.Column("use_id", sa.Integer),  # the use that this row says what became of
            sa.Column("what", sa.String(20), nullable=False),  # asked, opened, not told, closed
            sa.Column("at", sa.DateTime, nullable=False),
            sa.Column("until", sa.DateTime),
            sa.Column("role", sa.String(40)),
            sa.Column("who", sa.LargeBinary, nullable=False),
            sa.Column("person", sa.LargeBinary),
            sa.Column("reason", sa.LargeBinary),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def ask(self, policy: Policy, *, who: str, role: str, person_id: str, reason: str, at: dt.datetime) -> Use:
        """Notes that somebody wants it, before anybody is told and anything shown. Raises BreakGlassError where the policy has it not."""
        access = policy.roles.get(BREAK_GLASS)
        if access is None or role not in access.opened_for or access.minutes < 1:
            allowed = ", ".join(access.opened_for) if access else ""
            raise BreakGlassError(f"the policy lets {role} break no glass; it lets {allowed or 'nobody'}")
        said = {"who": who, "person": person_id, "reason": reason}
        missing = [name for name, text in said.items() if not text.strip()]
        if missing:
            raise BreakGlassError(f"breaking the glass needs {', '.join(missing)}: by whom, of whom and why")
        until = at + dt.timedelta(minutes=access.minutes)
        sealed = {name: self._cipher.seal(text.strip()) for name, text in said.items()}
        number = self.journal.append([{"what": "asked", "at": at, "until": until, "role": role, **sealed}])[0]
        return next(use for use in self.all(at) if use.number == number)

    def opened(self, use: Use, at: dt.datetime) -> None:
        """Somebody has been told: from here on it is open."""
        self._note(use, "opened", use.who, at)

    def not_told(self, use: Use, at: dt.datetime) -> None:
        """Nobody could be told: it stays whole."""
        self._note(use, "not told", use.who, at)

    def close(self, glass_id: str, *, who: str, at: dt.datetime) -> None:
        """Before its time is over."""
        use = next((use for use in self.all(at) if use.glass_id == glass_id), None)
        if use is None or use.state != "open":
            raise BreakGlassError(f"{glass_id}: no glass that is open; tessera break-glass list shows them")
        self._note(use, "closed", who, at)

    def open_for(self, who: str, person_id: str, at: dt.datetime) -> Use:
        """The open glass of this person for this child. Raises BreakGlassError where there is none: nothing is shown without."""
        found = [use for use in self.all(at) if (use.who, use.person_id, use.state) == (who, person_id, "open")]
        if not found:
            raise BreakGlassError(
                f"no glass is open for {who} and {person_id}: it was not broken, its time is over, or it was closed. "
                "Break it with tessera break-glass open; governance is told at once"
            )
        return found[-1]

    def all(self, now: dt.datetime) -> list[Use]:
        """Every use, oldest first, as it stands at that moment."""
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(self._table).order_by(self._table.c.glass_id)).all()
        became: dict[int, set[str]] = {}
        for row in rows:
            if row.use_id is not None:
                became.setdefault(row.use_id, set()).add(row.what)
        return [
            Use(
                number=row.glass_id,
                glass_id=self._cipher.public_number("G", row.glass_id),
                who=self._cipher.open(row.who),
                role=row.role,
                person_id=self._cipher.open(row.person),
                reason=self._cipher.open(row.reason),
                at=row.at,
                until=row.until,
                state=_state(became.get(row.glass_id, set()), row.at, row.until, now),
            )
            for row in rows
            if row.use_id is None
        ]

    def _note(self, use: Use, what: str, who: str, at: dt.datetime) -> None:
        self.journal.append([{"use_id": use.number, "what": what, "at": at, "who": self._cipher.seal(who)}])


def _state(became: set[str], since: dt.datetime, until: dt.datetime, now: dt.datetime) -> str:
    if "opened" not in became:  # never told, or killed before it was known whether anybody was
        return "not told"
    if "closed" in became:
        return "closed"
    return "open" if since <= now < until else "over"
