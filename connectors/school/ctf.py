"""Common Transfer File: what a school hands to a pupil's next school, or to the council: the pupil, contacts, history.

A file holds news about its pupils only. A newer file replaces what an older one said of the same thing; what it no
longer lists is gone only where it says that it is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Feed, Output
from connectors.school.ctf_tables import TABLES

# Rows of a list (contacts, schools, SEN) as of the newest full file that has the list, with what partial files added.
_STANDING = """
    WITH standing AS (
        SELECT * FROM {rows}
        QUALIFY coalesce(
            written_at >= max(written_at) FILTER (lower(document_qualifier) = 'full') OVER (PARTITION BY upn), true
        )
    )"""


def _address_of(prefix: str = "") -> str:
    """Address without postcode, parts joined by a comma."""
    parts = (
        "saon", "paon", "street", "locality", "town", "administrative_area", "post_town",
        "address_line1", "address_line2", "address_line3", "address_line4", "address_line5",
    )  # fmt: skip
    return f"nullif(concat_ws(', ', {', '.join(f'tidy({prefix}{part})' for part in parts)}), '')"


_PUPILS = """
    SELECT lineage, tidy(upn) AS source_person_id, 'child' AS role, tidy(forename) AS given_names,
           tidy(surname) AS family_name, read_iso_date(dob) AS birth_date,
           CASE WHEN read_iso_date(dob) IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
           CASE WHEN read_iso_date(dob) IS NULL THEN tidy(dob) END AS birth_date_text,
           as_sex_dfe(coalesce(tidy(sex), gender)) AS sex, coalesce(tidy(sex), tidy(gender)) AS sex_source_code,
           as_ethnicity_dfe(ethnicity) AS ethnicity, tidy(ethnicity) AS ethnicity_source_code,
           compact(tidy(upn)) AS upn, read_postcode(postcode) AS postcode,
           list_filter([
               CASE WHEN tidy(dob) IS NULL THEN 'no_birth_date'
                    WHEN read_iso_date(dob) IS NULL THEN 'bad_birth_date' END,
               CASE WHEN coalesce(tidy(sex), tidy(gender)) IS NOT NULL
                         AND as_sex_dfe(coalesce(tidy(sex), gender)) IS NULL THEN 'unmapped_sex' END,
               CASE WHEN tidy(ethnicity) IS NOT NULL AND as_ethnicity_dfe(ethnicity) IS NULL
                    THEN 'unmapped_ethnicity' END,
               CASE WHEN upn_status(upn) = 'invalid' THEN 'invalid_upn' END,
               CASE WHEN is_pseudo_postcode(postcode) THEN 'pseudo_postcode'
                    WHEN NOT is_postcode(postcode) THEN 'bad_postcode' END
           ], x -> x IS NOT NULL) AS flags
    FROM {rows}"""

_PUPIL_NAMES = """
    SELECT lineage, tidy(upn) AS source_person_id, 'current' AS kind, tidy(forename) AS given_names,
           tidy(surname) AS family_name
    FROM {rows} WHERE tidy(forename) IS NOT NULL OR tidy(surname) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'preferred', coalesce(tidy(preferred_forename), tidy(forename)),
           coalesce(tidy(preferred_surname), tidy(surname))
    FROM {rows} WHERE tidy(preferred_forename) IS NOT NULL OR tidy(preferred_surname) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'former', coalesce(tidy(former_forename), tidy(forename)),
           coalesce(tidy(former_surname), tidy(surname))
    FROM {rows} WHERE tidy(former_forename) IS NOT NULL OR tidy(former_surname) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'middle', tidy(middle_names), tidy(surname)
    FROM {rows} WHERE tidy(middle_names) IS NOT NULL"""

# A UPN that replaced another carries the other as FormerUPN; it is what keeps the two records one person.
# ULN: ten digits, the weighted sum (10 to 1) modulo 11 is 10 (docs/sources.md 1.1).
_PUPIL_IDENTIFIERS = """
    SELECT lineage, tidy(upn) AS source_person_id, 'upn' AS scheme, compact(tidy(upn)) AS value,
           upn_status(upn) AS status
    FROM {rows}
    UNION ALL
    SELECT lineage, tidy(upn), 'former_upn', compact(tidy(former_upn)), upn_status(former_upn)
    FROM {rows} WHERE tidy(former_upn) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'uln', compact(tidy(uln)),
           CASE WHEN length(compact(tidy(uln))) = 10 AND regexp_full_match(compact(tidy(uln)), '[1-9][0-9]+')
                     AND list_sum(list_transform(
                             range(1, 11), i -> (11 - i) * try_cast(substr(compact(tidy(uln)), i, 1) AS INT)
                         )) % 11 = 10
                THEN 'stated' ELSE 'invalid' END
    FROM {rows} WHERE tidy(uln) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'uci', compact(tidy(uci)), 'stated'
    FROM {rows} WHERE tidy(uci) IS NOT NULL"""

_PUPIL_ADDRESS = f"""
    SELECT lineage, tidy(upn) AS source_person_id, 'home' AS kind, {_address_of()} AS address,
           read_postcode(postcode) AS postcode, ltrim(digits(uprn), '0') AS uprn
    FROM {{rows}}
    WHERE {_address_of()} IS NOT NULL OR tidy(postcode) IS NOT NULL OR tidy(uprn) IS NOT NULL"""

# What a school knows of a child's care is hearsay: the council's own word is in its feeds, and may differ. No date is
# given. Both an event, which carries whose word it is, and a span, which can be held against the council's.
_IN_CARE_EVENT = """
    SELECT lineage, tidy(upn) AS source_person_id, 'looked_after_reported' AS event_type, 'InCare' AS source_code,
           'CTF' AS source_code_system, 'unknown' AS occurred_precision, 'third_party' AS statement_kind,
           'The school has the child down as looked after'
               || coalesce(' by council ' || tidy(care_authority), '') AS title,
           'in_care' AS ref
    FROM {rows} WHERE read_flag(in_care)"""

_IN_CARE_SPAN = """
    SELECT lineage, tidy(upn) AS source_person_id, 'looked_after' AS kind,
           'As known to the school' || coalesce(', council ' || tidy(care_authority), '') AS detail,
           'InCare' AS source_code, 'in_care' AS ref
    FROM {rows} WHERE read_flag(in_care)"""

# Everyone named has a record. A brother or sister may be a child, and nothing says.
_CONTACTS = (
    _STANDING
    + """
    SELECT lineage, tidy(upn) || '/contact/' || tidy(contact_order) AS source_person_id,
           CASE WHEN as_relationship_ctf(relationship) = 'sibling' THEN 'unknown' ELSE 'adult' END AS role,
           tidy(forename) AS given_names, tidy(surname) AS family_name, 'unknown' AS birth_date_precision,
           as_sex_dfe(coalesce(tidy(sex), gender)) AS sex, coalesce(tidy(sex), tidy(gender)) AS sex_source_code,
           read_postcode(CASE WHEN read_flag(address_as_pupil) THEN pupil_postcode ELSE postcode END) AS postcode,
           list_filter([
               'no_birth_date',
               CASE WHEN coalesce(tidy(sex), tidy(gender)) IS NOT NULL
                         AND as_sex_dfe(coalesce(tidy(sex), gender)) IS NULL THEN 'unmapped_sex' END,
               CASE WHEN tidy(relationship) IS NOT NULL AND as_relationship_ctf(relationship) IS NULL
                    THEN 'unmapped_relationship' END
           ], x -> x IS NOT NULL) AS flags
    FROM standing"""
)

_CONTACT_NAMES = (
    _STANDING
    + """
    SELECT lineage, tidy(upn) || '/contact/' || tidy(contact_order) AS source_person_id, 'current' AS kind,
           tidy(forename) AS given_names, tidy(surname) AS family_name
    FROM standing WHERE tidy(forename) IS NOT NULL OR tidy(surname) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn) || '/contact/' || tidy(contact_order), 'middle', tidy(middle_names), tidy(surname)
    FROM standing WHERE tidy(middle_names) IS NOT NULL"""
)

_CONTACT_ADDRESSES = (
    _STANDING
    + f""",
    lives AS (
        SELECT lineage, tidy(upn) || '/contact/' || tidy(contact_order) AS source_person_id,
               CASE WHEN read_flag(address_as_pupil) THEN {_address_of("pupil_")} ELSE {_address_of()} END AS address,
               read_postcode(CASE WHEN read_flag(address_as_pupil) THEN pupil_postcode ELSE postcode END) AS postcode,
               CASE WHEN read_flag(address_as_pupil) THEN pupil_uprn ELSE uprn END AS uprn
        FROM standing
    )
    SELECT lineage, source_person_id, 'home' AS kind, address, postcode, ltrim(digits(uprn), '0') AS uprn
    FROM lives WHERE address IS NOT NULL OR postcode IS NOT NULL OR tidy(uprn) IS NOT NULL"""
)

_RELATIONSHIPS = (
    _STANDING
    + """
    SELECT lineage, tidy(upn) AS source_person_id,
           '{feed}:' || tidy(upn) || '/contact/' || tidy(contact_order) AS other_record_id,
           nullif(concat_ws(' ', tidy(title), tidy(forename), tidy(surname)), '') AS other_name,
           CASE WHEN tidy(relationship) IS NOT NULL THEN coalesce(as_relationship_ctf(relationship), 'unmapped') END
               AS relationship,
           tidy(relationship) AS source_code,
           read_flag(address_as_pupil) AS same_household
    FROM standing"""
)

_ENROLMENTS = (
    _STANDING
    + """
    SELECT lineage, tidy(upn) AS source_person_id, 'enrolment' AS kind, read_iso_date(entry_date) AS started_on,
           read_iso_date(leaving_date) AS ended_on,
           concat_ws(', ', 'School ' || tidy(lea) || tidy(estab), tidy(school_name)) AS detail,
           tidy(leaving_reason) AS source_code, concat_ws('/', tidy(lea), tidy(estab), tidy(entry_date)) AS ref
    FROM standing"""
)

_ENROLLED_AND_LEFT = (
    _STANDING
    + """
    SELECT lineage, tidy(upn) AS source_person_id, 'enrolled' AS event_type, read_iso_date(entry_date) AS occurred_from,
           'day' AS occurred_precision, 'fact' AS statement_kind,
           concat_ws(', ', 'Joined school ' || tidy(lea) || tidy(estab), tidy(school_name)) AS title,
           concat_ws('/', 'enrolled', tidy(lea), tidy(estab), tidy(entry_date)) AS ref
    FROM standing WHERE read_iso_date(entry_date) IS NOT NULL
    UNION ALL
    SELECT lineage, tidy(upn), 'left', read_iso_date(leaving_date), 'day', 'fact',
           concat_ws(', ', 'Left school ' || tidy(lea) || tidy(estab), tidy(school_name)),
           concat_ws('/', 'left', tidy(lea), tidy(estab), tidy(entry_date))
    FROM standing WHERE read_iso_date(leaving_date) IS NOT NULL"""
)

# Each entry holds until the next begins; N is an entry that ends the one before and makes no span.
_SEN_PROVISIONS = (
    _STANDING
    + """,
    followed AS (
        SELECT *, read_iso_date(start_date) AS began,
               lead(read_iso_date(start_date)) OVER (PARTITION BY upn ORDER BY read_iso_date(start_date)) AS next_began
        FROM standing
    )
    SELECT lineage, tidy(upn) AS source_person_id, 'sen_provision' AS kind, began AS started_on,
           coalesce(read_iso_date(end_date), next_began - 1) AS ended_on,
           CASE upper(tidy(sen_provision))
               WHEN 'K' THEN 'SEN support' WHEN 'E' THEN 'Education, health and care plan'
               WHEN 'S' THEN 'Statement of special educational needs' WHEN 'A' THEN 'School action'
               WHEN 'P' THEN 'School action plus' ELSE 'SEN provision ' || tidy(sen_provision) END AS detail,
           tidy(sen_provision) AS source_code, concat_ws('/', tidy(start_date), tidy(sen_provision)) AS ref
    FROM followed WHERE upper(tidy(sen_provision)) <> 'N'"""
)

_FREE_MEALS = """
    SELECT lineage, tidy(upn) AS source_person_id, 'free_school_meals' AS kind, read_iso_date(start_date) AS started_on,
           read_iso_date(end_date) AS ended_on, 'Free school meals' AS detail, tidy(uk_country) AS source_code,
           'fsm/' || tidy(start_date) AS ref
    FROM {rows}"""

# Persistent absence is missing a tenth of the possible sessions, severe absence half of them (DfE).
_ABSENCES = """
    WITH counted AS (
        SELECT lineage, tidy(upn) AS source_person_id,
               CASE WHEN try_cast(school_year AS INT) BETWEEN 1990 AND 2100 THEN try_cast(school_year AS INT) END
                   AS school_year,
               tidy(lea) || tidy(estab) AS school, try_cast(sessions_possible AS BIGINT) AS possible,
               coalesce(try_cast(sessions_authorised AS BIGINT), 0) AS authorised,
               coalesce(try_cast(sessions_unauthorised AS BIGINT), 0) AS unauthorised
        FROM {rows}
    )
    SELECT lineage, source_person_id,
           CASE WHEN authorised + unauthorised >= 0.5 * possible THEN 'severe_absence' ELSE 'persistent_absence' END
               AS event_type,
           make_date(school_year, 9, 1) AS occurred_from, make_date(school_year + 1, 7, 31) AS occurred_to,
           CASE WHEN school_year IS NULL THEN 'unknown' ELSE 'year' END AS occurred_precision,
           'system_derived' AS statement_kind,
           'Missed ' || (authorised + unauthorised) || ' of ' || possible || ' school sessions (' || unauthorised
               || ' unauthorised)' || coalesce(' in the school year from ' || school_year, '')
               || coalesce(', school ' || school, '') AS title,
           coalesce(school_year::VARCHAR, 'unknown') || coalesce('/' || school, '') AS ref
    FROM counted
    WHERE possible > 0 AND authorised + unauthorised >= 0.1 * possible"""

# Marks follow each other, morning and afternoon, from the first day. Whether weekends are in the string differs between
# systems: they are, where every mark that would fall on one is a filler (or the string begins on one); else the string
# runs over school days, Monday to Friday. Codes of two characters (C1, J1, Y5) are one mark. A space or a dash is no
# mark. Where strings overlap, the newest file counts.
_ATTENDANCE = """
    WITH string AS (
        SELECT lineage, tidy(upn) AS source_person_id, tidy(lea) || tidy(estab) AS school,
               read_iso_date(start_date) AS begins, written_at,
               regexp_extract_all(upper(regexp_replace(marks, '[\\n\\r\\t]', '', 'g')), '[CJY][1-7]|.') AS marks
        FROM {rows} WHERE read_iso_date(start_date) IS NOT NULL
    ),
    mark AS (
        SELECT lineage, source_person_id, school, begins, written_at, unnest(marks) AS mark,
               unnest(range(len(marks))) AS place
        FROM string
    ),
    dated AS (
        SELECT *, (place // 2)::INT AS days, isodow(begins + (place // 2)::INT) > 5 AS falls_on_weekend FROM mark
    ),
    laid AS (
        SELECT *, isodow(begins) > 5 OR coalesce(bool_and(mark IN (' ', '-', '#', 'X', 'Z')) FILTER (falls_on_weekend)
                   OVER (PARTITION BY lineage.raw_row_id), false) AS has_weekends
        FROM dated
    ),
    session AS (
        SELECT *, CASE WHEN has_weekends THEN begins + days
                       ELSE begins + days + 2 * ((isodow(begins)::INT - 1 + days) // 5) END AS day,
               CASE place % 2 WHEN 0 THEN 'AM' ELSE 'PM' END AS half
        FROM laid
    )
    SELECT lineage, source_person_id, school, day AS session_date, half AS session, mark,
           coalesce(as_attendance_meaning(mark), 'unmapped') AS meaning
    FROM session
    WHERE mark NOT IN (' ', '-') AND isodow(day) <= 5
    QUALIFY row_number() OVER (
        PARTITION BY source_person_id, day, half ORDER BY written_at DESC NULLS LAST, lineage.raw_row_id DESC
    ) = 1"""

_WHOLE_PUPIL = ("upn",)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """What a pupil's parts of a file become. Languages, needs, phones and assessments stay in raw."""
    return [
        Output("person_record", "pupil", _PUPILS),
        Output("person_name", "pupil", _PUPIL_NAMES),
        Output("person_identifier", "pupil", _PUPIL_IDENTIFIERS),
        Output("person_address", "pupil", _PUPIL_ADDRESS),
        Output("event", "pupil", _IN_CARE_EVENT),
        Output("span", "pupil", _IN_CARE_SPAN),
        Output("person_record", "contact", _CONTACTS, unit=_WHOLE_PUPIL),
        Output("person_name", "contact", _CONTACT_NAMES, unit=_WHOLE_PUPIL),
        Output("person_address", "contact", _CONTACT_ADDRESSES, unit=_WHOLE_PUPIL),
        Output("relationship", "contact", _RELATIONSHIPS, unit=_WHOLE_PUPIL),
        Output("span", "school_history", _ENROLMENTS, unit=_WHOLE_PUPIL),
        Output("event", "school_history", _ENROLLED_AND_LEFT, unit=_WHOLE_PUPIL),
        Output("span", "sen", _SEN_PROVISIONS, unit=_WHOLE_PUPIL),
        Output("span", "fsm", _FREE_MEALS),
        Output("event", "attendance_year", _ABSENCES),
        Output("attendance", "attendance_marks", _ATTENDANCE, unit=_WHOLE_PUPIL),
    ]


FEED = Feed(
    agency="school",
    name="ctf",
    title="Common Transfer File",
    format="xml",
    tables=TABLES,
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
