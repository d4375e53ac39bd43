"""What is held of one person, put together for that person (subject access): every version, without what is about others.

What lives here: which rows, what is kept back and why, and taking other people out of free text. What must not: how it looks
(pipelines/subject_page.py), and whether it may be given: a person reads it before it leaves.

The right is that of article 15 of the UK GDPR; what is about somebody else is kept back until a person decides (Data Protection Act 2018,
Schedule 2, paragraph 16), as is what its originator marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.picture import resolved
from warehouse.query import QueryError, rows

Row = dict[str, Any]

SOMEBODY, SOMEWHERE, CONTACT = "[another person]", "[another address]", "[contact of somebody]"

# What people wrote: the columns of each part in which others can turn up.
_WRITTEN = {
    "chronology": ("title", "narrative", "quoted_words", "outcome", "action_taken"),
    "spans": ("detail",),
    "signals": ("explanation", "useful_reason"),
}
_POSTCODE = re.compile(r"\b[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}\b", re.IGNORECASE)
_REACHED_AT = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<![\w/-])(?:\+44|0)(?:[\s()-]*\d){9,10}\b")
_NOT_PASSED_ON = ("none", "mash_only")


@dataclass(frozen=True)
class Disclosure:
    """What is held of a person. `parts`: rows by what they are, oldest first; `kept_back`: event_id, agency, day, why, in order."""

    person_id: str
    parts: dict[str, list[Row]]
    kept_back: list[Row]
    others: int  # people whose names were looked for in what was written


def disclosure(
    con: duckdb.DuckDBPyConnection, person_id: str, *, release: Collection[str] = (), withhold: Collection[str] = ()
) -> Disclosure:
    """All that the practitioner's mart holds of a person, on a connection to it (query.open_mart()).

    `release` and `withhold` are event_ids on which somebody decided: to be given although kept back by rule, or kept back although not.
    Raises QueryError where nobody has the identifier, or an event_id is not one of this person's.
    """
    person_id = resolved(con, person_id)

    def of_person(sql: str) -> list[Row]:
        return rows(con, sql, {"person_id": person_id})

    parts = {part: of_person(sql) for part, sql in _PARTS.items()}
    told = {row["event_id"] for row in parts["chronology"]}
    if unknown := sorted({*release, *withhold} - told):
        raise QueryError(f"{', '.join(unknown)}: no event of this person; event_ids stand in the view chronology")
    kept_back = []
    for row in parts["chronology"]:
        why = "somebody decided so" if row["event_id"] in withhold else _why_kept_back(row)
        if why and (row["event_id"] in withhold or row["event_id"] not in release):
            kept_back.append(
                {"event_id": row["event_id"], "agency": row["agency"], "day": row["sorts_at"].date(), "because": why}
            )
    gone = {row["event_id"] for row in kept_back}
    hidden = _records_of(row for row in parts["chronology"] if row["event_id"] in gone and _is_marked(row))
    parts["chronology"] = [row for row in parts["chronology"] if row["event_id"] not in gone]
    # A record that came with nothing but what must not be passed on, such as a notice's, would tell that there is such a thing.
    hidden -= _records_of(parts["chronology"])
    for part in ("records", "relationships", "links"):
        parts[part] = [row for row in parts[part] if row["record_id"] not in hidden]
    agencies = {row["record_id"].partition(".")[0] for row in parts["links"]}
    parts["coverage"] = [row for row in parts["coverage"] if row["status"] != "found" or row["agency"] in agencies]
    # A signal says what it is built on: with an event that is kept back it would tell of it.
    parts["signals"] = [row for row in parts["signals"] if not gone & set(row.pop("evidence"))]
    names = [row["name"] for row in of_person(_OTHERS)]
    without = without_others(names, own=_own_words(parts["records"]), postcodes=_own_postcodes(parts["records"]))
    for part, columns in _WRITTEN.items():
        for row in parts[part]:
            row.update({column: without(row[column]) for column in columns if row[column]})
    unique = {(row["event_id"], row["because"]): row for row in kept_back}
    return Disclosure(person_id, parts, list(unique.values()), len(names))


def without_others(names: Iterable[str], *, own: Collection[str], postcodes: Collection[str]) -> Callable[[str], str]:
    """Takes other people out of a text: words of their names, postcodes that are not the person's, e-mail addresses and telephones.

    `names` are whole names of others; `own` the words, in lower case, of the person's own names, which stay (a family's name is the
    person's too); `postcodes` the person's own, without spaces. It finds too much rather than too little: a May among the others takes
    the month out of every text.
    """
    words = {
        word for name in names for word in re.findall(r"[\w'’-]+", name) if len(word) > 1 and word.lower() not in own
    }
    words |= {
        written for word in words for written in (word.lower(), word.upper())
    }  # İ and ß are not one letter in both cases
    name = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    somebody = re.compile(rf"\b(?:{name})(?:[\s.,]+(?:{name}))*\b", re.IGNORECASE) if words else None

    def postcode(found: re.Match[str]) -> str:
        return found[0] if re.sub(r"\s", "", found[0]).upper() in postcodes else SOMEWHERE

    def apply(text: str) -> str:
        text = _POSTCODE.sub(postcode, _REACHED_AT.sub(CONTACT, text))
        return somebody.sub(SOMEBODY, text) if somebody else text

    return apply


def _records_of(told: Iterable[Row]) -> set[str]:
    return {row["record_id"] for row in told}


def _is_marked(row: Row) -> bool:
    """Whether its originator said that it is not for everybody, or said something that Tessera does not know."""
    return row["onward_disclosure"] in _NOT_PASSED_ON or bool(row["handling_code"] and not row["onward_disclosure"])


def _why_kept_back(row: Row) -> str | None:
    if _is_marked(row):
        return f"{row['agency']} marked it as not to be passed on; ask there"
    if row["statement_kind"] == "third_party":
        return "somebody else said it, who has rights in it as well; decide"
    return None


def _own_words(records: Iterable[Row]) -> set[str]:
    names = (f"{row['given_names'] or ''} {row['family_name'] or ''}" for row in records)
    return {word for name in names for word in re.findall(r"[\w'’-]+", name.lower())}


def _own_postcodes(records: Iterable[Row]) -> set[str]:
    return {re.sub(r"\s", "", row["postcode"]).upper() for row in records if row["postcode"]}


# Every version that was known, oldest first, by the words of the data dictionary. Of others only what they are to the person.
_PARTS = {
    "records": (
        "SELECT record_id, agency, feed, source_person_id, role, given_names, family_name, birth_date, birth_date_text, "
        "expected_birth_date, death_date, sex, ethnicity, nhs_number, upn, postcode, valid_from, valid_to, recorded_at, "
        "known_from, known_to "
        "FROM mart.main.records_history WHERE person_id = $person_id ORDER BY agency, feed, known_from, source_person_id"
    ),
    "chronology": (
        "SELECT event_id, record_id, sorts_at, occurred_from, occurred_to, occurred_precision, recorded_at, agency, feed, event_type, "
        "statement_kind, title, narrative, quoted_words, reported_by_role, subject_role, outcome, action_taken, risk_scheme, risk_value, "
        "handling_code, onward_disclosure, retracted_at, retract_reason, known_from, known_to "
        "FROM mart.main.chronology_history WHERE person_id = $person_id ORDER BY sorts_at, event_id, known_from"
    ),
    "spans": (
        "SELECT kind, started_on, ended_on, detail, agency, feed, recorded_at, retracted_at, retract_reason, known_from, known_to "
        "FROM mart.main.spans_history WHERE person_id = $person_id ORDER BY started_on, kind, known_from"
    ),
    "attendance": (
        "SELECT school, session_date, session, mark, meaning, agency, feed, known_from, known_to "
        "FROM mart.main.attendance_history WHERE person_id = $person_id ORDER BY session_date, session, known_from"
    ),
    "relationships": (
        "SELECT record_id, relationship, same_household, agency, feed, valid_from, valid_to, retracted_at, known_from, known_to "
        "FROM mart.main.relationships_history WHERE person_id = $person_id ORDER BY agency, feed, known_from, relationship"
    ),
    "links": (
        "SELECT record_id, how, evidence, linked_at FROM mart.main.links WHERE person_id = $person_id ORDER BY linked_at, record_id"
    ),
    "coverage": (
        "SELECT agency, status, searched_as_of FROM mart.main.coverage WHERE person_id = $person_id ORDER BY agency"
    ),
    "signals": (
        "SELECT rule, raised_on, explanation, useful, useful_reason, evidence FROM mart.main.signals "
        "WHERE person_id = $person_id ORDER BY raised_on, rule"
    ),
}

# Everybody who is tied to the person: of one household at any time, related in either direction, or told of by a source beside them.
_OTHERS = """
WITH tied AS (
    SELECT theirs.person_id FROM mart.main.households mine JOIN mart.main.households theirs USING (household_id)
    WHERE mine.person_id = $person_id
    UNION SELECT other_person_id FROM mart.main.relationships_history WHERE person_id = $person_id
    UNION SELECT person_id FROM mart.main.relationships_history WHERE other_person_id = $person_id
)
SELECT DISTINCT trim(concat_ws(' ', given_names, family_name)) AS name FROM mart.main.records_history
WHERE person_id IN (SELECT person_id FROM tied) AND person_id <> $person_id AND trim(concat_ws(' ', given_names, family_name)) <> ''
UNION SELECT other_name FROM mart.main.relationships_history WHERE person_id = $person_id AND trim(other_name) <> ''
ORDER BY name
"""
