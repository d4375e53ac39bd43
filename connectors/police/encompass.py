"""police.encompass: Operation Encompass notifications to schools: one child of one domestic abuse incident each.

Statutory guidance of 7 November 2025 fixes what is told and by when (before the next school day),
not a format; the layout
is that of docs/sources.md 6.4. The child may come as an object or as child_name and child_dob.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

_IDENTIFYING, _SPECIAL, _KEY = Sensitivity.IDENTIFYING, Sensitivity.SPECIAL, Sensitivity.KEY


NOTIFICATION = Table(
    "notification",
    "one row per child told to a school after a domestic abuse incident",
    key=("encompass_id",),
    columns=(
        Column(
            "encompass_id",
            "Number of the notification",
            sensitivity=_KEY,
            required=True,
            severity="critical",
            hint="Every notification needs a number of its own, one per child",
        ),
        Column("police_ref", "Incident reference, local to the force", sensitivity=_KEY),
        Column(
            "incident_at",
            "When it happened",
            Kind.TIMESTAMP,
            required=True,
            hint="Date and time of the incident",
            day_first=True,
        ),
        Column("incident_location", "Where it happened", sensitivity=_IDENTIFYING),
        Column("child", "The child, whole as sent", Kind.JSON, _IDENTIFYING),
        Column("child_surname", "Surname (child.surname)", sensitivity=_IDENTIFYING, path="$.child.surname"),
        Column("child_forename", "Forenames (child.forename)", sensitivity=_IDENTIFYING, path="$.child.forename"),
        Column(
            "child_born",
            "Date of birth (child.dob)",
            Kind.DATE,
            _IDENTIFYING,
            day_first=True,
            path="$.child.dob",
        ),
        Column("child_name", "Name in one field, where the child is not an object", sensitivity=_IDENTIFYING),
        Column(
            "child_dob",
            "Date of birth, where the child is not an object",
            Kind.DATE,
            _IDENTIFYING,
            day_first=True,
        ),
        Column(
            "school_name",
            "School told",
            sensitivity=_IDENTIFYING,
            required=True,
            hint="The school is who must be told; name it as in Get Information About Schools",
        ),
        Column("school_urn", "URN of the school told"),
        Column("school_laestab", "LAESTAB of the school told"),
        Column(
            "child_present",
            "Was the child there; shared even if not",
            allowed=("true", "false", "Y", "N", "Yes", "No"),
            any_spelling=True,
        ),
        Column("voice_of_child", "Was the child spoken to, what they said, which adult was there", Kind.JSON, _SPECIAL),
        Column(
            "circumstances",
            "What happened, whole",
            sensitivity=_SPECIAL,
            required=True,
            hint="A school cannot support a child without knowing what happened",
        ),
        Column("other_safeguarding_info", "What else the school should know", sensitivity=_SPECIAL),
        Column(
            "sent_at",
            "When it was sent; due before the next school day",
            Kind.TIMESTAMP,
            required=True,
            hint="Without it nobody can show that the school was told in time",
            day_first=True,
        ),
        Column("sent_to", "Role told: designated safeguarding lead or key adult"),
        Column("acknowledged_at", "When the school acknowledged it", Kind.TIMESTAMP, day_first=True),
        Column(
            "handling_code",
            "Originator's handling marking",
            allowed=("mash_only", "partners", "school", "none"),
            any_spelling=True,
        ),
    ),
)

# A child's words come in an object, or as plain text.
_NOTIFICATIONS = r"""
notifications AS (
    SELECT lineage, extracted_at, trim(encompass_id) AS source_person_id, read_office_instant(incident_at) AS occurred_from,
           office_instant_precision(incident_at) AS occurred_precision, read_office_instant(sent_at) AS recorded_at,
           tidy(incident_location) AS location,
           -- A postcode at the end of the location.
           tidy(regexp_extract(upper(location), '\b([A-Z][A-Z]?[0-9][0-9A-Z]? *[0-9][A-Z][A-Z])$', 1)) AS postcode,
           tidy(coalesce(child_surname,
                         CASE WHEN contains(child_name, ',') THEN split_part(child_name, ',', 1)
                              ELSE regexp_extract(tidy(child_name), '(\S+)$', 1) END)) AS family_name,
           tidy(coalesce(child_forename,
                         CASE WHEN contains(child_name, ',') THEN regexp_replace(child_name, '^[^,]*,', '')
                              ELSE regexp_replace(tidy(child_name), '\S+$', '') END)) AS given_names,
           tidy(coalesce(child_born, child_dob)) AS birth_text,
           read_office_date(birth_text) AS born_on,
           CASE WHEN read_flag(child_present) THEN 'Y' WHEN NOT read_flag(child_present) THEN 'N'
                WHEN tidy(child_present) IS NOT NULL THEN 'NK' END AS child_present,
           TRY_CAST(voice_of_child AS JSON) AS voice,
           told(CASE json_type(voice) WHEN 'OBJECT' THEN voice ->> '$.what_said' WHEN 'VARCHAR' THEN voice ->> '$' END)
               AS words,
           CASE WHEN json_type(voice) <> 'OBJECT' OR NOT read_flag(voice ->> '$.other_adult_present') THEN NULL
                WHEN read_flag(voice ->> '$.other_adult_present') THEN 'another adult'
                ELSE told(voice ->> '$.other_adult_present') END AS adult_present,
           CASE WHEN json_type(voice) = 'OBJECT' THEN read_flag(voice ->> '$.spoken_to') END AS is_spoken_to,
           tidy(circumstances) AS circumstances, told(other_safeguarding_info) AS other_info,
           tidy(school_name) AS school_name, tidy(sent_to) AS sent_to, read_office_instant(acknowledged_at) AS acknowledged_at,
           tidy(handling_code) AS handling_code,
           -- The notification is written for the child's school; a marking, where there is one, is obeyed.
           CASE WHEN tidy(handling_code) IS NULL THEN 'school'
                WHEN lower(tidy(handling_code)) IN ('mash_only', 'partners', 'school', 'none')
                    THEN lower(tidy(handling_code))
                ELSE 'mash_only' END AS onward_disclosure
    FROM {rows}
)"""

_PERSON_RECORD = f"""
WITH {_NOTIFICATIONS}
SELECT lineage, source_person_id, 'child' AS role, given_names, family_name, born_on AS birth_date,
       if(born_on IS NULL, 'unknown', 'day') AS birth_date_precision,
       CASE WHEN born_on IS NULL THEN birth_text END AS birth_date_text, recorded_at,
       list_filter([
           CASE WHEN birth_text IS NULL THEN 'no_birth_date' WHEN born_on IS NULL THEN 'bad_birth_date' END,
           CASE WHEN born_on IN (occurred_from::DATE, recorded_at::DATE) THEN 'birth_date_is_incident_date' END,
           CASE WHEN born_on > coalesce(recorded_at::DATE, extracted_at::DATE) THEN 'birth_date_in_future' END
       ], lambda flag: flag IS NOT NULL) AS flags
FROM notifications"""

_PERSON_NAME = f"""
WITH {_NOTIFICATIONS}
SELECT lineage, source_person_id, 'current' AS kind, given_names, family_name, recorded_at
FROM notifications
WHERE given_names IS NOT NULL OR family_name IS NOT NULL"""

# Where it happened; whether anybody lives there is not said.
_PERSON_ADDRESS = f"""
WITH {_NOTIFICATIONS}
SELECT lineage, source_person_id, 'incident' AS kind,
       CASE WHEN is_postcode(postcode) THEN nullif(rtrim(left(location, length(location) - length(postcode)), ', '), '')
            ELSE location END AS address,
       CASE WHEN is_postcode(postcode) THEN read_postcode(postcode) END AS postcode, recorded_at
FROM notifications
WHERE location IS NOT NULL"""

_EVENT = f"""
WITH {_NOTIFICATIONS}
SELECT lineage, source_person_id, 'notification' AS ref, 'encompass_notification' AS event_type,
       occurred_from, occurred_precision, 'mixed' AS statement_kind,
       'Domestic abuse incident notified to school'
           || CASE child_present WHEN 'Y' THEN ', child present' WHEN 'N' THEN ', child not present'
                               ELSE '' END AS title,
       nullif(concat_ws(chr(10) || chr(10), circumstances, 'Other safeguarding information: ' || other_info), '')
           AS narrative,
       'police' AS reported_by_role, 'subject' AS subject_role, child_present,
       CASE WHEN acknowledged_at IS NOT NULL THEN 'acknowledged by the school' END AS outcome,
       nullif(concat_ws('; ', 'told: ' || nullif(concat_ws(', ', sent_to, school_name), ''),
           CASE WHEN is_spoken_to THEN 'child spoken to: Y' WHEN NOT is_spoken_to THEN 'child spoken to: N' END), '')
               AS action_taken,
       handling_code, onward_disclosure, recorded_at
FROM notifications
UNION ALL BY NAME
SELECT lineage, source_person_id, 'voice' AS ref, 'voice_of_child' AS event_type, occurred_from, occurred_precision,
       'child_voice' AS statement_kind,
       'What the child said to police' || coalesce(' (' || adult_present || ' present)', '') AS title,
       words AS narrative, words AS quoted_words, 'police officer' AS reported_by_role, 'subject' AS subject_role,
       child_present, handling_code, onward_disclosure, recorded_at
FROM notifications
WHERE words IS NOT NULL"""


def conform(options: Mapping[str, Any]) -> list[Output]:
    """The child of each notification becomes a person record; the notification and the child's words become events."""
    return [
        Output("person_record", "notification", _PERSON_RECORD),
        Output("person_name", "notification", _PERSON_NAME),
        Output("person_address", "notification", _PERSON_ADDRESS),
        Output("event", "notification", _EVENT),
    ]


FEED = Feed(
    agency="police",
    name="encompass",
    title="Operation Encompass notifications",
    format="json",
    tables=(NOTIFICATION,),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
