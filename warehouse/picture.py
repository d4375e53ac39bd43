"""One child's picture, put together from the practitioner's mart in the order in which it is read.

What lives here: which questions make the picture, and the picture as data. What must not: how it looks (a terminal, a page), and
who may see what (that was settled when the mart was built).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from warehouse.query import QueryError, rows

_TIMELINE = Path(__file__).with_name("sql") / "picture/timeline.sql"

Row = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """What is known of one child. Each list is as its view has it; `timeline` is sql/picture/timeline.sql.

    As of an earlier time only the child's own timeline is known: the rest says what is so now, and is left empty.
    """

    person_id: str
    child: Row
    timeline: list[Row]
    coverage: list[Row] = field(default_factory=list)
    signals: list[Row] = field(default_factory=list)
    contradictions: list[Row] = field(default_factory=list)
    household: list[Row] = field(default_factory=list)
    open_spans: list[Row] = field(default_factory=list)


def picture(con: duckdb.DuckDBPyConnection, person_id: str, *, as_known_now: bool = True) -> Picture:
    """The picture of a person on a connection to the practitioner's mart (query.open_mart()).

    An identifier that was merged away leads to the one that carries on. Raises QueryError where nobody has it.
    """
    person_id = resolved(con, person_id)
    child = _one(con, "FROM mart.main.children WHERE person_id = $person_id", person_id)
    timeline = rows(
        con,
        _TIMELINE.read_text(encoding="utf-8"),
        {"person_id": person_id, "born": child.get("birth_date"), "household": as_known_now},
    )
    if not as_known_now:
        return Picture(person_id, child, timeline)

    def of_person(sql: str) -> list[Row]:
        return rows(con, sql, {"person_id": person_id})

    return Picture(
        person_id,
        child,
        timeline,
        coverage=of_person("FROM coverage WHERE person_id = $person_id ORDER BY agency"),
        signals=of_person("FROM signals WHERE person_id = $person_id ORDER BY raised_on DESC, rule"),
        contradictions=of_person("FROM contradictions WHERE person_id = $person_id ORDER BY attribute"),
        household=of_person(
            "WITH mates AS ("
            "  SELECT theirs.person_id, list_sort(list(DISTINCT theirs.basis)) AS bases, "
            "         max(coalesce(theirs.valid_to, DATE 'infinity')) AS until "
            "  FROM households mine JOIN households theirs USING (household_id) "
            "  WHERE mine.person_id = $person_id AND theirs.person_id <> $person_id GROUP BY theirs.person_id"
            "), named AS ("
            "  SELECT person_id, arg_max(concat_ws(' ', given_names, family_name), loaded_at) AS name, "
            "         mode(birth_date) AS birth_date, max(role) AS role "
            "  FROM records WHERE person_id IN (SELECT person_id FROM mates) AND valid_to IS NULL GROUP BY person_id"
            ") SELECT person_id, name, birth_date, role, bases, nullif(until, DATE 'infinity') AS until "
            "FROM mates LEFT JOIN named USING (person_id) ORDER BY birth_date NULLS FIRST, person_id"
        ),
        open_spans=of_person(
            "SELECT kind, started_on, detail, agency, feed FROM spans WHERE person_id = $person_id AND retracted_at IS NULL "
            "AND (ended_on IS NULL OR ended_on > (SELECT date FROM mart)) ORDER BY started_on, kind, feed"
        ),
    )


def resolved(con: duckdb.DuckDBPyConnection, person_id: str) -> str:
    """Follows an identifier to the one in use; the ledger has no circles."""
    asked = person_id
    while True:
        found = rows(
            con, "SELECT resolves_to FROM mart.main.persons WHERE person_id = $person_id", {"person_id": person_id}
        )
        if not found:
            raise QueryError(
                f"no person {asked!r} in this mart; find one with: tessera query --role practitioner "
                '"SELECT person_id, given_names, family_name FROM children WHERE …"'
            )
        if found[0]["resolves_to"] in (None, person_id):
            return person_id
        person_id = found[0]["resolves_to"]


def _one(con: duckdb.DuckDBPyConnection, sql: str, person_id: str) -> Row:
    found = rows(con, sql, {"person_id": person_id})
    return found[0] if found else {}
