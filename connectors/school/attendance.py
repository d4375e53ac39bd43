"""Session marks: who was in school, morning and afternoon, and the long absences that follow from them.

A mark is no event. A school corrects marks for days (an N, no reason yet, becomes I or O), so the newest mark of a
session is the one that counts and runs of absence are worked out again whenever a mark of the pupil changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

# National attendance codes from 19 August 2024, with those withdrawn then, which are still in history (docs/sources.md 4.3).
_CODES = "/ \\ L K V P W B D C1 M J1 S X C2 C T R I E Q Y1 Y2 Y3 Y4 Y5 Y6 Y7 G N O U Z # H J Y F"

# Five school days: within them a school must have found out the reason of an absence (docs/sources.md 4.3), so that a run as
# long as this without an agreed reason is nobody's slip.
_UNEXPLAINED_RUN = 10
# Ten school days: continuous absence that schools report to the council whatever the reason (docs/sources.md 4.5).
_LONG_RUN = 20
# Days from the last session before Christmas or Easter to the first one after it.
_HOLIDAY = 18

MARK = Table(
    name="mark",
    grain="one row per pupil and school session",
    key=("upn", "session_date", "session"),
    version="recorded_at",
    owner="upn",
    required=True,
    columns=(
        Column("upn", "Unique pupil number", Kind.UPN, Sensitivity.IDENTIFYING, required=True, header="required"),
        Column(
            "laestab",
            "Local authority and establishment number of the school, seven digits",
            sensitivity=Sensitivity.CODED,
            required=True,
            hint="As 8012000, without a slash",
        ),
        Column("surname", "Family name of the pupil", sensitivity=Sensitivity.IDENTIFYING, required=True),
        Column("forename", "Given name of the pupil", sensitivity=Sensitivity.IDENTIFYING, required=True),
        Column(
            "dob",
            "Date of birth",
            Kind.DATE,
            Sensitivity.IDENTIFYING,
            required=True,
            day_first=True,
            hint="As 2014-10-22",
        ),
        Column(
            "session_date",
            "Day of the session",
            Kind.DATE,
            required=True,
            header="required",
            day_first=True,
            hint="As 2026-11-16",
        ),
        Column("session", "AM or PM", required=True, header="required", allowed=("AM", "PM"), any_spelling=True),
        Column(
            "code",
            "National attendance code of the session",
            required=True,
            header="required",
            allowed=tuple(_CODES.split(" ")),
            hint="Codes of 'Working together to improve school attendance', August 2024",
        ),
        Column(
            "recorded_at",
            "When the mark was made or corrected",
            Kind.TIMESTAMP,
            Sensitivity.OPERATIONAL,
            day_first=True,
        ),
    ),
)

# One row per mark. A session date that cannot be read keeps the mark, without a day.
_ATTENDANCE = """
    SELECT lineage, tidy(upn) AS source_person_id, regexp_replace(tidy(laestab), '[^0-9A-Za-z]', '', 'g') AS school,
           read_office_date(session_date) AS session_date, upper(tidy(session)) AS session, tidy(code) AS mark,
           CASE WHEN tidy(code) IS NOT NULL THEN coalesce(as_attendance_meaning(code), 'unmapped') END AS meaning,
           read_office_instant(recorded_at) AS recorded_at
    FROM {rows}"""

# Sessions in their order, as text: a day that is not written ISO is turned into one that is.
_SESSION = """CASE WHEN session_date[5] = '-' THEN session_date
                    ELSE coalesce(read_office_date(session_date)::VARCHAR, session_date) END || session"""

# A pupil's details are on every mark: those of the latest mark count. They are given from the first mark that has
# them, so that another day with the same details changes nothing.
_DETAILS = f"""
    WITH detail AS (
        SELECT tidy(upn) AS source_person_id, tidy(forename) AS forename, tidy(surname) AS surname, tidy(dob) AS dob,
               arg_min(lineage, {_SESSION}) AS lineage, max({_SESSION}) AS latest
        FROM {{rows}} GROUP BY ALL
    ),
    ranked AS (
        SELECT *, row_number() OVER (PARTITION BY source_person_id ORDER BY latest DESC, lineage.raw_row_id) AS recency
        FROM detail
    )"""

_PERSON_RECORD = (
    _DETAILS
    + """
    SELECT lineage, source_person_id, 'child' AS role, forename AS given_names, surname AS family_name,
           read_office_date(dob) AS birth_date,
           CASE WHEN read_office_date(dob) IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
           CASE WHEN read_office_date(dob) IS NULL THEN dob END AS birth_date_text,
           compact(source_person_id) AS upn,
           list_filter([
               CASE WHEN dob IS NULL THEN 'no_birth_date' WHEN read_office_date(dob) IS NULL THEN 'bad_birth_date' END,
               CASE WHEN upn_status(source_person_id) = 'invalid' THEN 'invalid_upn' END
           ], x -> x IS NOT NULL) AS flags
    FROM ranked
    WHERE recency = 1"""
)

_NAMES = (
    _DETAILS
    + """,
    name AS (
        SELECT source_person_id, forename, surname, min(recency) AS recency, arg_max(lineage, recency) AS lineage
        FROM ranked
        WHERE forename IS NOT NULL OR surname IS NOT NULL
        GROUP BY source_person_id, forename, surname
    )
    SELECT lineage, source_person_id, CASE WHEN recency = 1 THEN 'current' ELSE 'former' END AS kind,
           forename AS given_names, surname AS family_name
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

# Runs of sessions one after the other that are all without an agreed reason, or all absences. Sessions that do not
# count (school closed, not required to attend) neither make nor break a run, nor do weekends and holidays, which have
# no marks; a longer silence breaks a run, for of those days nothing is known. A run keeps its ref while it grows, from
# its first session, whose row is its lineage. A long absence that is wholly unexplained is told once, as such.
_RUNS = f"""
    WITH counted AS (
        SELECT lineage, tidy(upn) AS source_person_id, read_office_date(session_date) AS day, upper(tidy(session)) AS half,
               upper(tidy(code)) AS code, as_attendance_meaning(code) AS meaning,
               regexp_replace(tidy(laestab), '[^0-9A-Za-z]', '', 'g') AS school
        FROM {{rows}}
        WHERE as_attendance_meaning(code) IS DISTINCT FROM 'not_counted'
    ),
    spaced AS (
        SELECT *, day - lag(day) OVER (PARTITION BY source_person_id ORDER BY day, half) > {_HOLIDAY} AS after_silence
        FROM counted WHERE day IS NOT NULL AND half IN ('AM', 'PM')
    ),
    placed AS (
        SELECT *, row_number() OVER (PARTITION BY source_person_id ORDER BY day, half)
                  + count(*) FILTER (after_silence) OVER (PARTITION BY source_person_id ORDER BY day, half) AS place
        FROM spaced
    ),
    absent AS (
        SELECT *, 'unexplained' AS kind FROM placed WHERE meaning = 'unauthorised'
        UNION ALL
        SELECT *, 'long' AS kind FROM placed WHERE meaning IN ('authorised', 'unauthorised')
    ),
    numbered AS (
        SELECT *, place - row_number() OVER (PARTITION BY source_person_id, kind ORDER BY place) AS run FROM absent
    ),
    run AS (
        SELECT source_person_id, kind, run, arg_min(lineage, place) AS lineage, count(*) AS sessions,
               min(day) AS first_day, max(day) AS last_day, arg_min(half, place) AS first_half,
               arg_max(school, place) AS school, histogram(code) AS times,
               strftime(min(day), '%-d %B %Y') || ' to ' || strftime(max(day), '%-d %B %Y') AS period
        FROM numbered
        GROUP BY source_person_id, kind, run
        HAVING (kind = 'unexplained' AND count(*) >= {_UNEXPLAINED_RUN})
            OR (kind = 'long' AND count(*) >= {_LONG_RUN} AND NOT bool_and(meaning = 'unauthorised'))
    )
    SELECT lineage, source_person_id, 'absence_run' AS event_type, kind AS source_code, first_day AS occurred_from,
           last_day AS occurred_to, 'day' AS occurred_precision, 'system_derived' AS statement_kind,
           CASE kind WHEN 'unexplained' THEN 'Absent without an agreed reason for ' ELSE 'Absent for ' END
               || sessions || ' school sessions in a row, ' || period AS title,
           'Marks: ' || array_to_string(list_transform(
               map_keys(times), c -> map_extract_value(times, c) || ' of ' || c || ' (' || as_attendance_label(c) || ')'
           ), ', ') || coalesce('. School ' || school, '') || '.' AS narrative,
           concat_ws('/', kind, first_day::VARCHAR, first_half) AS ref
    FROM run"""


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Marks become attendance; the pupil, and runs of absence, come from all marks of the pupil."""
    return [
        Output("attendance", "mark", _ATTENDANCE),
        Output("person_record", "mark", _PERSON_RECORD, unit=("upn",)),
        Output("person_name", "mark", _NAMES, unit=("upn",)),
        Output("person_identifier", "mark", _IDENTIFIERS, unit=("upn",)),
        Output("event", "mark", _RUNS, unit=("upn",)),
    ]


FEED = Feed(
    agency="school",
    name="attendance",
    title="Attendance marks, morning and afternoon",
    format="csv",
    tables=(MARK,),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
