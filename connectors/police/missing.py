"""police.missing: reports of missing people (COMPACT), one row per report (docs/sources.md 6.5).

A report is sent again as it goes on: risk is graded anew, the person is found, a return interview takes place. The latest
row of a report is what the force now says. Nothing national fixes the layout; who is missing may come in one column
(person) or in several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

_KEY, _IDENTIFYING, _SPECIAL = Sensitivity.KEY, Sensitivity.IDENTIFYING, Sensitivity.SPECIAL

_YES_NO = ("Y", "N", "Yes", "No")
_RISK = ("high", "medium", "low", "no apparent risk", "absent")
_WHEN = "Date and time, as 2026-11-07T22:10:00+00:00"

REPORT = Table(
    "report",
    "one row per report of a missing person, as it now stands",
    key=("misper_id",),
    required=True,
    columns=(
        Column(
            "misper_id",
            "Number of the report",
            sensitivity=_KEY,
            required=True,
            header="required",
            severity="critical",
            hint="Every time somebody is missing is a report with a number of its own",
        ),
        Column(
            "person",
            "Who is missing, in one field: surname, comma, forenames, or forenames and surname; a date of birth may follow",
            sensitivity=_IDENTIFYING,
        ),
        Column("surname", "Surname, where the person is not in one field", sensitivity=_IDENTIFYING),
        Column("forename", "Forenames, where the person is not in one field", sensitivity=_IDENTIFYING),
        Column(
            "dob",
            "Date of birth",
            Kind.DATE,
            _IDENTIFYING,
            day_first=True,
            hint="As 2011-03-04 or 04/03/2011; never the date of the report",
        ),
        Column("sex", "Sex as the force writes it"),
        Column("address", "Home address", sensitivity=_IDENTIFYING),
        Column("postcode", "Home postcode", Kind.POSTCODE, _IDENTIFYING),
        Column(
            "reported_at",
            "When it was reported",
            Kind.TIMESTAMP,
            required=True,
            header="required",
            hint=_WHEN,
            day_first=True,
        ),
        Column("last_seen_at", "When the person was last seen", Kind.TIMESTAMP, hint=_WHEN, day_first=True),
        Column(
            "found_at",
            "When the person was found or came back; empty while missing",
            Kind.TIMESTAMP,
            hint=_WHEN,
            day_first=True,
        ),
        Column("found_location", "Where the person was found", sensitivity=_SPECIAL),
        Column(
            "risk_level",
            "Risk as first graded",
            sensitivity=_SPECIAL,
            required=True,
            allowed=_RISK,
            any_spelling=True,
            hint="high, medium, low, or no apparent risk (absent)",
        ),
        Column(
            "risk_changes",
            "Later grades, each with its time before it, separated by semicolons",
            sensitivity=_SPECIAL,
            hint="As 2026-11-07T23:30:00+00:00 high; 2026-11-08T04:00:00+00:00 medium",
        ),
        Column("reporter_role", "Role of who reported it: parent, carer, school, children's home", required=True),
        Column("circumstances", "What was said of it", sensitivity=_SPECIAL),
        Column("looked_after", "Is the person looked after by a council", allowed=_YES_NO, any_spelling=True),
        Column("placing_la", "The council that looks after the person"),
        Column(
            "cse_flag",
            "Flagged as at risk of sexual exploitation",
            sensitivity=_SPECIAL,
            allowed=_YES_NO,
            any_spelling=True,
        ),
        Column(
            "cce_flag",
            "Flagged as at risk of criminal exploitation",
            sensitivity=_SPECIAL,
            allowed=_YES_NO,
            any_spelling=True,
        ),
        Column("harm_suffered", "Harm the person came to while missing", sensitivity=_SPECIAL),
        Column(
            "prevention_interview_at",
            "When police saw the person after the return",
            Kind.TIMESTAMP,
            hint=_WHEN,
            day_first=True,
        ),
        Column(
            "iri_offered_at",
            "When an independent return interview was offered",
            Kind.TIMESTAMP,
            hint=_WHEN,
            day_first=True,
        ),
        Column("iri_completed_at", "When it took place", Kind.TIMESTAMP, hint=_WHEN, day_first=True),
        Column(
            "status",
            "Where the report stands; entered_in_error takes it back",
            allowed=("open", "closed", "entered_in_error"),
            any_spelling=True,
        ),
        Column(
            "handling_code",
            "Originator's handling marking",
            allowed=("mash_only", "partners", "school", "none"),
            any_spelling=True,
        ),
    ),
)

# A date of birth may stand behind a name in one field, with or without brackets and the letters dob.
_DATE = r"(\d{4}-\d{2}-\d{2}|\d{2}[/-]\d{2}[/-]\d{4})"

_REPORTS = rf"""
reports AS (
    SELECT lineage, extracted_at, tidy(misper_id) AS source_person_id,
           nullif(regexp_extract(person, '{_DATE}', 1), '') AS person_date,
           tidy(rtrim(regexp_replace(person, '[(,;]?\s*(dob|born|d\.o\.b\.)?[: ]*{_DATE}.*$', '', 'i'), ' ,;('))
               AS name,
           coalesce(tidy(surname),
                    CASE WHEN contains(name, ',') THEN tidy(split_part(name, ',', 1))
                         ELSE nullif(regexp_extract(name, '(\S+)$', 1), '') END) AS family_name,
           coalesce(tidy(forename),
                    tidy(CASE WHEN contains(name, ',') THEN regexp_replace(name, '^[^,]*,', '')
                              ELSE regexp_replace(name, '\S+$', '') END)) AS given_names,
           coalesce(tidy(dob), person_date) AS birth_text,
           read_office_date(birth_text) AS born_on,
           sex, address, postcode, read_office_instant(reported_at) AS recorded_at,
           office_instant_precision(reported_at) AS reported_precision, read_office_instant(last_seen_at) AS last_seen,
           read_office_instant(found_at) AS found_on, office_instant_precision(found_at) AS found_precision,
           tidy(found_at) AS found_text, told(found_location) AS found_location, told(risk_level) AS risk,
           list_filter(list_transform(string_split(risk_changes, ';'), c -> tidy(c)), c -> c IS NOT NULL) AS changes,
           -- A change ends in its grade; what stands before it is its time.
           coalesce(tidy(regexp_replace(changes[-1], '^[0-9T:Z+./-]+( [0-9:Z+]+)?\s*', '')), risk) AS risk_now,
           told(reporter_role) AS reporter, told(circumstances) AS circumstances,
           read_flag(looked_after) AS is_looked_after, told(placing_la) AS placing_la,
           read_flag(cse_flag) AS has_cse, read_flag(cce_flag) AS has_cce,
           CASE WHEN read_flag(harm_suffered) THEN 'yes' WHEN read_flag(harm_suffered) IS NULL THEN told(harm_suffered)
                END AS harm,
           read_office_instant(prevention_interview_at) AS seen_at, read_office_instant(iri_offered_at) AS offered_at,
           read_office_instant(iri_completed_at) AS met_at, tidy(handling_code) AS handling_code,
           -- As for notices: what is not marked, or not understood, stays in the hub.
           CASE WHEN lower(tidy(handling_code)) IN ('partners', 'school', 'none') THEN lower(tidy(handling_code))
                ELSE 'mash_only' END AS onward_disclosure
    FROM {{rows}}
)"""

# Adults are reported on the same form, and nothing on it says which of the two somebody is but the birth date. One of 18 or more may be
# an adult, a care leaver, or a child beside whom a relative's date was taken down: whose record it is tells, not its date.
_PERSON_RECORD = f"""
WITH {_REPORTS}
SELECT lineage, source_person_id,
       if(born_on + INTERVAL 18 YEAR > coalesce(recorded_at, extracted_at), 'child', 'unknown') AS role,
       given_names, family_name, born_on AS birth_date, if(born_on IS NULL, 'unknown', 'day') AS birth_date_precision,
       CASE WHEN born_on IS NULL THEN birth_text END AS birth_date_text, as_sex_police(sex) AS sex,
       tidy(sex) AS sex_source_code, read_postcode(postcode) AS postcode, recorded_at,
       list_filter([
           CASE WHEN birth_text IS NULL THEN 'no_birth_date' WHEN born_on IS NULL THEN 'bad_birth_date' END,
           CASE WHEN born_on IN (recorded_at::DATE, last_seen::DATE) THEN 'birth_date_is_incident_date' END,
           CASE WHEN born_on > coalesce(recorded_at, extracted_at)::DATE THEN 'birth_date_in_future' END,
           CASE WHEN tidy(sex) IS NOT NULL AND as_sex_police(sex) IS NULL THEN 'unmapped_sex' END,
           CASE WHEN is_pseudo_postcode(tidy(postcode)) THEN 'pseudo_postcode'
                WHEN NOT is_postcode(postcode) THEN 'bad_postcode' END
       ], flag -> flag IS NOT NULL) AS flags
FROM reports"""

_PERSON_NAME = f"""
WITH {_REPORTS}
SELECT lineage, source_person_id, 'current' AS kind, given_names, family_name, recorded_at
FROM reports
WHERE given_names IS NOT NULL OR family_name IS NOT NULL"""

# ZZ99 3VZ is the NHS pseudo postcode of no fixed abode (docs/sources.md 2.4). Where somebody was found is no address of theirs.
_PERSON_ADDRESS = f"""
WITH {_REPORTS}
SELECT lineage, source_person_id, CASE WHEN compact(postcode) = 'ZZ993VZ' THEN 'no_fixed_abode' ELSE 'home' END AS kind,
       tidy(address) AS address, read_postcode(postcode) AS postcode, recorded_at
FROM reports
WHERE tidy(address) IS NOT NULL OR tidy(postcode) IS NOT NULL"""

# A report tells of being missing, of being found once it says so, and, at second hand, of being looked after.
_EVENT = f"""
WITH {_REPORTS}
SELECT lineage, source_person_id, 'report' AS ref, 'missing_episode' AS event_type,
       coalesce(recorded_at, last_seen) AS occurred_from, found_on AS occurred_to,
       CASE WHEN recorded_at IS NOT NULL THEN reported_precision WHEN last_seen IS NOT NULL THEN 'instant'
            ELSE 'unknown' END AS occurred_precision,
       'mixed' AS statement_kind,
       'Reported missing' || coalesce(' by ' || reporter, '')
           || coalesce(', last seen ' || strftime(last_seen, '%-d %B %Y %H:%M'), '') AS title,
       nullif(concat_ws(chr(10), circumstances,
           CASE WHEN has_cse THEN 'Flagged: risk of sexual exploitation' END,
           CASE WHEN has_cce THEN 'Flagged: risk of criminal exploitation' END,
           CASE WHEN len(changes) > 0 THEN concat_ws('; ', 'Risk: ' || risk, array_to_string(changes, '; ')) END), '')
           AS narrative,
       reporter AS reported_by_role, 'subject' AS subject_role,
       CASE WHEN found_on IS NOT NULL THEN 'found' WHEN found_text IS NOT NULL THEN 'found ' || found_text END AS outcome,
       CASE WHEN risk_now IS NOT NULL THEN 'missing person risk' END AS risk_scheme, risk_now AS risk_value,
       handling_code, onward_disclosure, recorded_at
FROM reports
UNION ALL BY NAME
SELECT lineage, source_person_id, 'found' AS ref, 'found' AS event_type, found_on AS occurred_from,
       found_precision AS occurred_precision, CASE WHEN harm IS NULL THEN 'fact' ELSE 'mixed' END AS statement_kind,
       'Found after being missing' || coalesce(': ' || found_location, '') AS title, 'Harm suffered: ' || harm AS narrative,
       'police' AS reported_by_role, 'subject' AS subject_role,
       nullif(concat_ws('; ', 'seen by police ' || strftime(seen_at, '%-d %B %Y %H:%M'),
           'independent return interview offered ' || strftime(offered_at, '%-d %B %Y %H:%M'),
           'independent return interview took place ' || strftime(met_at, '%-d %B %Y %H:%M')), '') AS action_taken,
       handling_code, onward_disclosure, recorded_at
FROM reports
WHERE found_on IS NOT NULL
UNION ALL BY NAME
SELECT lineage, source_person_id, 'looked_after' AS ref, 'looked_after_reported' AS event_type,
       'looked_after' AS source_code, recorded_at AS occurred_from, reported_precision AS occurred_precision,
       'third_party' AS statement_kind,
       'Police have the person down as looked after' || coalesce(' by council ' || placing_la, '') AS title,
       handling_code, onward_disclosure, recorded_at
FROM reports
WHERE is_looked_after"""

_SPAN = f"""
WITH {_REPORTS}
SELECT lineage, source_person_id, 'report' AS ref, 'missing' AS kind,
       coalesce(last_seen, recorded_at)::DATE AS started_on, found_on::DATE AS ended_on,
       concat_ws(', ', 'missing', 'risk ' || risk_now) AS detail, risk_now AS source_code,
       started_on AS valid_from, ended_on AS valid_to, recorded_at
FROM reports"""

_IS_ERROR = "regexp_replace(lower(tidy(status)), '[ -]+', '_', 'g') = 'entered_in_error'"
_ERROR = "the force marked the report as entered in error"


# Whoever was named stays a person when the report is taken back, so that what had been told can still be found under them.
_REPORTED = ("misper_id",)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Who is missing becomes a person record; being missing, being found and being looked after become events."""
    return [
        Output("person_record", "report", _PERSON_RECORD, unit=_REPORTED),
        Output("person_name", "report", _PERSON_NAME, unit=_REPORTED),
        Output("person_address", "report", _PERSON_ADDRESS, unit=_REPORTED),
        Output("event", "report", _EVENT, retracts=_IS_ERROR, retract_reason=_ERROR),
        Output("span", "report", _SPAN, retracts=_IS_ERROR, retract_reason=_ERROR),
    ]


FEED = Feed(
    agency="police",
    name="missing",
    title="Reports of missing people",
    format="csv",
    tables=(REPORT,),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
