"""Breaking the glass: governance is told before anything is shown, or nothing is shown; and what is shown then.

What must not live here: the record of it (warehouse/break_glass.py), and what a role withholds (warehouse/policy.yaml).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from pipelines import notify
from pipelines.settings import Settings
from warehouse import query as querying
from warehouse.access import Policy
from warehouse.access_log import AccessLog
from warehouse.break_glass import BreakGlass, BreakGlassError, Use
from warehouse.keys import BREAK_GLASS, Keys


def break_glass(
    settings: Settings,
    policy: Policy,
    glass: BreakGlass,
    *,
    who: str,
    role: str,
    person_id: str,
    reason: str,
    clock: Callable[[], dt.datetime],
) -> Use:
    """Notes it, tells governance, and opens it, in this order. Raises BreakGlassError where nobody could be told."""
    use = glass.ask(policy, who=who, role=role, person_id=person_id, reason=reason, at=clock())
    subject = f"Tessera: {use.who} broke the glass ({use.glass_id})"
    text = (
        f"{use.who}, {use.role}, sees of one child what the role withholds, until {use.until:%Y-%m-%d %H:%M} UTC.\n"
        f"Of whom and why: tessera break-glass list, or Governance in the console. Number {use.glass_id}."
    )
    content = {"break_glass": use.glass_id, "who": use.who, "role": use.role, "until": use.until.isoformat() + "Z"}
    if not notify.alert(settings.notify, subject, text, content):
        glass.not_told(use, clock())
        raise BreakGlassError(
            "nobody could be told, so the glass stays whole: set notify.email or notify.webhook in tessera.yaml, or mend what "
            "does not answer, and try again"
        )
    glass.opened(use, clock())
    return use


def withheld(
    settings: Settings,
    policy: Policy,
    keys: Keys,
    glass: BreakGlass,
    log: AccessLog,
    *,
    who: str,
    person_id: str,
    clock: Callable[[], dt.datetime],
) -> dict[str, list[dict[str, Any]]]:
    """View -> rows of what is withheld of the child, while this person's glass for them is open; each look is logged."""
    use = glass.open_for(who, person_id, clock())
    con = querying.open_mart(settings.marts_path, keys, BREAK_GLASS)
    try:
        question = f"break-glass {use.glass_id}: child {person_id}"
        with querying.look(
            con, BREAK_GLASS, question, export=False, log=log, who=who, purpose=use.reason, clock=clock
        ) as shown:
            shown.identifiers = {person_id}
            found = {
                view: querying.rows(con, f'FROM "{view}" WHERE person_id = $person', {"person": person_id})
                for view in policy.role(BREAK_GLASS).views
            }
            shown.rows = sum(map(len, found.values()))
            return found
    finally:
        con.close()
