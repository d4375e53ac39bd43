"""Safeguarding notes: what a member of school staff wrote down about a pupil, as systems such as CPOMS export it.

One note about several pupils comes once for each. What the school says of a note (seen, felt, told, said by the child) is
kept as it says; nothing is filtered by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

_KEY, _IDENTIFYING, _SPECIAL, _CODED, _OPERATIONAL = (
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
    Sensitivity.OPERATIONAL,
)

_STATEMENT_KINDS = (
    "fact",
    "professional_opinion",
    "unease",
    "allegation",
    "child_voice",
    "third_party",
    "mixed",
    "system_derived",
)

INCIDENT = Table(
    name="incident",
    grain="one row per safeguarding note and pupil it is about",
    key=("incident_id", "upn"),
    owner="upn",
    required=True,
    columns=(
        Column(
            "incident_id",
            "The school system's number of the note",
            sensitivity=_KEY,
            required=True,
            header="required",
            severity="critical",
            hint="Every note needs a number of its own that stays when the note is changed",
        ),
        Column(
            "upn",
            "Unique pupil number of the pupil the note is about",
            Kind.UPN,
            _IDENTIFYING,
            required=True,
            header="required",
            hint="13 characters; a note about several pupils comes once for each",
        ),
        Column("surname", "Family name of the pupil", sensitivity=_IDENTIFYING, required=True),
        Column("forename", "Given name of the pupil", sensitivity=_IDENTIFYING, required=True),
        Column(
            "dob",
            "Date of birth",
            Kind.DATE,
            _IDENTIFYING,
            required=True,
            day_first=True,
            hint="As 2014-10-22 or 22/10/2014",
        ),
        Column(
            "occurred_at",
            "When it happened or was noticed",
            Kind.TIMESTAMP,
            required=True,
            hint="Date, or date and time, as 2026-11-09T13:20; without it the note stands undated in the chronology",
            day_first=True,
        ),
        Column(
            "recorded_at",
            "When it was written down",
            Kind.TIMESTAMP,
            _OPERATIONAL,
            required=True,
            hint="Date and time; a note made long after is read differently from one made the same hour",
            day_first=True,
        ),
        Column(
            "recorded_by_role",
            "Role of who wrote it, never a name",
            required=True,
            hint="As class teacher, designated safeguarding lead, lunchtime supervisor",
        ),
        Column("categories", "The school's own categories, one or several with semicolons", sensitivity=_SPECIAL),
        Column(
            "statement_kind",
            "What kind of statement it is: seen, thought, felt, alleged, said by the child or by somebody else",
            required=True,
            allowed=_STATEMENT_KINDS,
            any_spelling=True,
            hint="A feeling is a statement of its own kind (unease); say mixed where it cannot be told",
        ),
        Column(
            "narrative",
            "What was written, whole",
            sensitivity=_SPECIAL,
            required=True,
            header="required",
            hint="A note without words helps nobody; send what was written",
        ),
        Column("action", "What the school did", sensitivity=_SPECIAL),
        Column(
            "status",
            "Where the note stands; entered_in_error takes it back",
            sensitivity=_CODED,
            allowed=("open", "monitoring", "closed", "entered_in_error"),
            any_spelling=True,
            hint="A note about the wrong pupil comes again with entered_in_error; a note that is settled is closed",
        ),
    ),
)

# One row per note and pupil. Systems write kinds with spaces, hyphens and capitals; a kind that nobody knows is mixed.
_NOTES = """
notes AS (
    SELECT lineage, extracted_at, tidy(incident_id) AS incident_id, tidy(upn) AS source_person_id,
           tidy(forename) AS given_names, tidy(surname) AS family_name, tidy(dob) AS birth_text,
           read_office_date(birth_text) AS born_on,
           read_office_instant(occurred_at) AS occurred_from, office_instant_precision(occurred_at) AS occurred_precision,
           read_office_instant(recorded_at) AS recorded_at, tidy(recorded_by_role) AS role,
           array_to_string(list_filter(list_transform(string_split(categories, ';'), c -> tidy(c)), c -> c IS NOT NULL),
                           '; ') AS categories,
           regexp_replace(lower(tidy(statement_kind)), '[ -]+', '_', 'g') AS kind,
           tidy(narrative) AS narrative, told(action) AS action, tidy(status) AS status,
           coalesce(regexp_replace(lower(tidy(status)), '[ -]+', '_', 'g') = 'entered_in_error', false) AS is_error
    FROM {rows}
)"""

# A pupil's details are on every note: those of the latest note count, of a note in error only if there is no other.
_DETAILS = f"""
WITH {_NOTES},
detail AS (
    SELECT source_person_id, given_names, family_name, birth_text, born_on,
           arg_min(lineage, coalesce(recorded_at, occurred_from, extracted_at)) AS lineage,
           max(coalesce(recorded_at, occurred_from, extracted_at)) AS latest, bool_and(is_error) AS is_error,
           max(extracted_at) AS extracted_at
    FROM notes GROUP BY source_person_id, given_names, family_name, birth_text, born_on
),
ranked AS (
    SELECT *, row_number() OVER (
                  PARTITION BY source_person_id ORDER BY is_error, latest DESC, lineage.raw_row_id
              ) AS recency
    FROM detail
)"""

_PERSON_RECORD = (
    _DETAILS
    + """
SELECT lineage, source_person_id, 'child' AS role, given_names, family_name, born_on AS birth_date,
       CASE WHEN born_on IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
       CASE WHEN born_on IS NULL THEN birth_text END AS birth_date_text, compact(source_person_id) AS upn,
       list_filter([
           CASE WHEN birth_text IS NULL THEN 'no_birth_date' WHEN born_on IS NULL THEN 'bad_birth_date' END,
           CASE WHEN born_on > extracted_at::DATE THEN 'birth_date_in_future' END,
           CASE WHEN upn_status(source_person_id) = 'invalid' THEN 'invalid_upn' END
       ], flag -> flag IS NOT NULL) AS flags
FROM ranked
WHERE recency = 1"""
)

_NAMES = (
    _DETAILS
    + """,
name AS (
    SELECT source_person_id, given_names, family_name, min(recency) AS recency, arg_max(lineage, recency) AS lineage
    FROM ranked
    WHERE given_names IS NOT NULL OR family_name IS NOT NULL
    GROUP BY source_person_id, given_names, family_name
)
SELECT lineage, source_person_id, CASE WHEN recency = 1 THEN 'current' ELSE 'former' END AS kind, given_names,
       family_name
FROM name"""
)

_IDENTIFIERS = (
    _DETAILS
    + """
SELECT lineage, source_person_id, 'upn' AS scheme, compact(source_person_id) AS value,
       upn_status(source_person_id) AS status
FROM ranked
WHERE recency = 1"""
)

_EVENT = f"""
WITH {_NOTES}
SELECT lineage, source_person_id, 'note' AS ref, 'safeguarding_note' AS event_type, nullif(categories, '') AS source_code,
       occurred_from, occurred_precision,
       CASE WHEN kind IN ({", ".join(f"'{kind}'" for kind in _STATEMENT_KINDS)}) THEN kind ELSE 'mixed' END
           AS statement_kind,
       concat_ws(': ', 'School safeguarding note', nullif(categories, '')) AS title, narrative,
       CASE WHEN kind = 'child_voice' THEN narrative END AS quoted_words, role AS reported_by_role,
       'subject' AS subject_role, 'status: ' || status AS outcome, action AS action_taken, recorded_at
FROM notes"""

_WHOLE_PUPIL = ("upn",)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """A note becomes an event, word for word; the pupil comes from all notes about the pupil."""
    return [
        Output("person_record", "incident", _PERSON_RECORD, unit=_WHOLE_PUPIL),
        Output("person_name", "incident", _NAMES, unit=_WHOLE_PUPIL),
        Output("person_identifier", "incident", _IDENTIFIERS, unit=_WHOLE_PUPIL),
        Output(
            "event",
            "incident",
            _EVENT,
            retracts="regexp_replace(lower(tidy(status)), '[ -]+', '_', 'g') = 'entered_in_error'",
            retract_reason="the school marked the note as entered in error",
        ),
    ]


FEED = Feed(
    agency="school",
    name="incidents",
    title="Safeguarding notes of school staff",
    format="csv",
    tables=(INCIDENT,),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
