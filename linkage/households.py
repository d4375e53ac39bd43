"""Says which persons live together: one address that several share, or a relationship a source states.

What lives here: the table `household`. What must not: linking. A household is evidence about a home, never about who somebody is.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd

from linkage.model import LinkageSettings
from linkage.prepare import sql_steps


def fill_households(
    con: duckdb.DuckDBPyConnection, *, load_id: str, today: date, secret: bytes, settings: LinkageSettings
) -> int:
    """Replaces `household` within the caller's transaction; a household keeps its identifier while most of its people stay."""
    from linkage.identity import new_ids  # identity.py calls this module

    places = {"today": f"DATE '{today:%Y-%m-%d}'", "max_household": str(settings.max_household)}
    for _name, sql in sql_steps("households.sql"):
        for place, value in places.items():
            sql = sql.replace("{" + place + "}", value)
        con.execute(sql)
    names: dict[int, str] = {}
    taken: set[str] = set()
    for number, household in con.execute("SELECT number, household_id FROM h_claims").fetchall():
        if number not in names and household not in taken:
            names[number] = household
            taken.add(household)
    fresh = con.execute(
        "SELECT number, basis || ':' || min(person_id) FROM h_group GROUP BY number, basis ORDER BY number"
    ).fetchall()
    fresh = [(number, founder) for number, founder in fresh if number not in names]
    identifiers = new_ids("H", secret, load_id, [founder for _, founder in fresh], taken)
    names |= dict(zip([number for number, _ in fresh], identifiers, strict=True))
    con.execute("DELETE FROM household")
    if names:
        con.register("h_arriving", pd.DataFrame({"number": list(names), "household_id": list(names.values())}))
        con.execute(
            "INSERT INTO household SELECT household_id, person_id, basis, valid_from, valid_to FROM h_group JOIN h_arriving USING (number)"
            " ORDER BY ALL"
        )
        con.unregister("h_arriving")
    for table in ("living", "home", "group", "claims"):
        con.execute(f"DROP TABLE IF EXISTS temp.h_{table}")
    return len(names)
