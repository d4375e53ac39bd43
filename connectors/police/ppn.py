"""police.ppn: public protection notices (PPN, Merlin PAC): one notice, many children and adults.

No public field specification exists; the columns are those of docs/sources.md 6.3. Forces send any subset of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

_CODED, _IDENTIFYING, _SPECIAL, _KEY, _OPERATIONAL = (
    Sensitivity.CODED,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.KEY,
    Sensitivity.OPERATIONAL,
)


_YES_NO = ("Y", "N", "Yes", "No")
_YES_NO_UNKNOWN = (*_YES_NO, "not_known")
_GRADES = ("standard", "medium", "high")
_TYPES = (
    "child", "adult", "DA", "stalking", "missing", "CSE", "CCE", "CSE/CCE", "HBA", "FGM", "FM", "HBA-FGM-FM",
    "concern_for_welfare",
)  # fmt: skip

NOTICE = Table(
    "notice",
    "one row per child named on a notice",
    key=("ppn_id", "child_index"),
    columns=(
        Column(
            "ppn_id",
            "Number of the notice",
            sensitivity=_KEY,
            required=True,
            header="required",
            severity="critical",
            hint="Every row needs the number of its notice",
        ),
        Column("force_code", "Police force", sensitivity=_OPERATIONAL),
        Column("crime_ref", "Crime reference, local to the force", sensitivity=_KEY),
        Column("incident_ref", "Incident reference, local to the force", sensitivity=_KEY),
        Column(
            "ppn_type",
            "Kind of notice",
            required=True,
            header="required",
            allowed=_TYPES,
            any_spelling=True,
            hint="A kind outside the list is kept; tell us what it means so that it can be told apart",
        ),
        Column("submitted_at", "When the officer submitted it", Kind.TIMESTAMP, day_first=True),
        Column(
            "incident_at",
            "When it happened",
            Kind.TIMESTAMP,
            required=True,
            header="required",
            hint="Date and time of the incident as 2026-10-31T23:50:00+00:00, or the date alone",
            day_first=True,
        ),
        Column("incident_location", "Where it happened", sensitivity=_IDENTIFYING),
        Column("incident_address", "Where it happened, another name of the column", sensitivity=_IDENTIFYING),
        Column("incident_postcode", "Postcode of the incident", Kind.POSTCODE, _IDENTIFYING),
        Column("incident_uprn", "UPRN of the incident", sensitivity=_IDENTIFYING),
        Column(
            "child_index",
            "Which child of the notice: 1, 2, 3...",
            Kind.INTEGER,
            _KEY,
            required=True,
            header="required",
            severity="critical",
            hint="Number the children of one notice 1, 2, 3; the number must not change when it is amended",
        ),
        Column(
            "child_surname",
            "Surname",
            sensitivity=_IDENTIFYING,
            required=True,
            header="required",
            hint="Put UNKNOWN where the surname is not known; no titles",
        ),
        Column(
            "child_forenames",
            "Forenames",
            sensitivity=_IDENTIFYING,
            required=True,
            header="required",
            hint="Put UNBORN or UNKNOWN where there is none; no titles, no incident references",
        ),
        Column(
            "child_dob",
            "Date of birth as told to the officer",
            Kind.DATE,
            _IDENTIFYING,
            day_first=True,
            hint="dd/mm/yyyy; empty, with the apparent age, where it is not known; never the date of the incident",
        ),
        Column(
            "child_dob_known",
            "Whether the date of birth is known or guessed",
            allowed=_YES_NO_UNKNOWN,
            any_spelling=True,
        ),
        Column("child_age_apparent", "Age the child appears to be", Kind.INTEGER),
        Column(
            "child_sex",
            "Sex",
            allowed=("M", "F", "U", "Male", "Female", "Not Known", "Intersex", "Not Specified"),
            any_spelling=True,
        ),
        Column(
            "child_ethnicity_self",
            "Ethnicity as the child or parent defines it (SDE 16+1 or 18+1)",
            sensitivity=_SPECIAL,
        ),
        Column(
            "child_ethnicity_observed", "Officer-observed IC code; never an ethnicity of record", sensitivity=_SPECIAL
        ),
        Column("child_address", "Home address", sensitivity=_IDENTIFYING),
        Column("child_postcode", "Home postcode", Kind.POSTCODE, _IDENTIFYING),
        Column("child_school", "School named to the officer", sensitivity=_IDENTIFYING),
        Column("child_nhs_number", "NHS number, rarely known", Kind.NHS_NUMBER, _IDENTIFYING),
        Column("child_upn", "UPN, rarely known", Kind.UPN, _IDENTIFYING),
        Column("child_present", "Was the child there", allowed=_YES_NO_UNKNOWN, any_spelling=True),
        Column("child_seen", "Did an officer see the child", allowed=_YES_NO, any_spelling=True),
        Column("child_spoken_to", "Did an officer speak to the child", allowed=_YES_NO, any_spelling=True),
        Column("voice_of_child", "What the child said, in their words", sensitivity=_SPECIAL),
        Column(
            "adult_role",
            "Part of the adult in the incident",
            allowed=("victim", "suspect", "parent", "carer", "household", "witness"),
            any_spelling=True,
        ),
        Column("adult_name", "Name of the adult: forenames, then surname", sensitivity=_IDENTIFYING),
        Column("relationship_to_child", "What the adult is to the child: mother, father..."),
        Column("officer_risk_grade", "Officer's grade; grades of two forces do not compare", sensitivity=_SPECIAL),
        Column("secondary_risk_grade", "Grade after review", sensitivity=_SPECIAL),
        Column(
            "dash_grade",
            "Grade of the domestic abuse checklist (DASH)",
            sensitivity=_SPECIAL,
            allowed=_GRADES,
            any_spelling=True,
        ),
        Column("consent_sought", "Was consent to share sought", allowed=_YES_NO, any_spelling=True),
        Column("consent_given", "Was it given", allowed=_YES_NO, any_spelling=True),
        Column("safeguarding_reason", "Why the officer is concerned", sensitivity=_SPECIAL),
        Column(
            "narrative",
            "What happened, whole",
            sensitivity=_SPECIAL,
            required=True,
            header="required",
            hint="A notice without an account cannot be assessed",
        ),
        Column("immediate_action", "What was done at once", sensitivity=_SPECIAL),
        Column("police_powers_used", "Police protection (section 46 Children Act 1989) used"),
        Column(
            "referral_kind",
            "Information exchange or formal referral",
            allowed=("information_exchange", "formal_referral"),
            any_spelling=True,
        ),
        Column("oic_collar", "Collar number of the officer in the case", sensitivity=_IDENTIFYING),
        Column(
            "handling_code",
            "Originator's handling marking",
            allowed=("mash_only", "partners", "school", "none"),
            any_spelling=True,
            hint="Without a marking we understand, the notice stays within the hub",
        ),
    ),
)

_INCIDENT_AT = "read_office_instant(incident_at)"
_SUBMITTED_AT = "read_office_instant(submitted_at)"
_INCIDENT_PRECISION = "office_instant_precision(incident_at)"
_CHILD_ID = "trim(ppn_id) || '/' || trim(child_index)"

# Adults have no number on a notice. One adult is one name on it, numbered in the order of the children beside whom the
# name first stands, which an amended notice does not change.
_ADULTS = f"""
named AS (
    SELECT lineage, ppn_id, child_index, adult_name, adult_role, relationship_to_child, {_SUBMITTED_AT} AS recorded_at,
           upper(regexp_replace(told(adult_name), '[ ,]+', ' ', 'g')) AS spelling,
           coalesce(TRY_CAST(child_index AS INTEGER), 2147483647) AS child_order
    FROM {{rows}}
    WHERE told(adult_name) IS NOT NULL
),
adults AS (
    SELECT ppn_id, spelling, arg_min(adult_name, (child_order, child_index)) AS adult_name,
           arg_min(lineage, (child_order, child_index)) AS lineage, max(recorded_at) AS recorded_at,
           trim(ppn_id) || '/adult/' || row_number() OVER (
               PARTITION BY ppn_id ORDER BY min((child_order, child_index)), spelling) AS adult_id
    FROM named
    GROUP BY ppn_id, spelling
)"""

# Forenames come before the surname, or after it and a comma. A single word is as likely a surname as any.
_ADULT_GIVEN = r"""CASE WHEN contains(adult_name, ',') THEN tidy(regexp_replace(adult_name, '^[^,]*,', ''))
            ELSE tidy(regexp_replace(told(adult_name), '\S+$', '')) END"""
_ADULT_FAMILY = r"""CASE WHEN contains(adult_name, ',') THEN tidy(split_part(adult_name, ',', 1))
            ELSE regexp_extract(told(adult_name), '(\S+)$', 1) END"""

_CHILDREN = f"""
children AS (
    SELECT *, {_CHILD_ID} AS source_person_id, {_INCIDENT_AT}::DATE AS incident_on, {_SUBMITTED_AT} AS recorded_at,
           read_office_date(child_dob) AS born_on,
           TRY_CAST(tidy(child_age_apparent) AS DOUBLE) AS age
    FROM {{rows}}
)"""

_PERSON_RECORD = f"""
WITH {_CHILDREN},{_ADULTS}
SELECT lineage, source_person_id, 'child' AS role, tidy(child_forenames) AS given_names,
       tidy(child_surname) AS family_name, born_on AS birth_date,
       CASE WHEN born_on IS NOT NULL THEN 'day' WHEN age IS NOT NULL THEN 'age' ELSE 'unknown' END
           AS birth_date_precision,
       CASE WHEN born_on IS NULL THEN coalesce(tidy(child_dob), 'age ' || tidy(child_age_apparent)) END
           AS birth_date_text,
       as_sex_police(child_sex) AS sex, tidy(child_sex) AS sex_source_code,
       as_ethnicity_police(child_ethnicity_self) AS ethnicity, tidy(child_ethnicity_self) AS ethnicity_source_code,
       replace(compact(child_nhs_number), '-', '') AS nhs_number, compact(child_upn) AS upn,
       read_postcode(child_postcode) AS postcode, recorded_at,
       list_filter([
           CASE WHEN tidy(child_dob) IS NULL THEN 'no_birth_date' END,
           CASE WHEN tidy(child_dob) IS NOT NULL AND born_on IS NULL THEN 'bad_birth_date' END,
           CASE WHEN born_on IN (incident_on, recorded_at::DATE) THEN 'birth_date_is_incident_date' END,
           CASE WHEN born_on > coalesce(recorded_at::DATE, extracted_at::DATE) THEN 'birth_date_in_future' END,
           CASE WHEN born_on + INTERVAL 18 YEAR <= incident_on THEN 'over_18_at_incident' END,
           CASE WHEN born_on IS NOT NULL AND NOT read_flag(child_dob_known) THEN 'birth_date_estimated' END,
           CASE WHEN tidy(child_sex) IS NOT NULL AND as_sex_police(child_sex) IS NULL THEN 'unmapped_sex' END,
           CASE WHEN tidy(child_ethnicity_self) IS NOT NULL AND as_ethnicity_police(child_ethnicity_self) IS NULL
                THEN 'unmapped_ethnicity' END,
           CASE WHEN NOT is_nhs_number(tidy(child_nhs_number)) THEN 'invalid_nhs_number'
                WHEN is_test_nhs_number(tidy(child_nhs_number)) THEN 'test_nhs_number' END,
           CASE WHEN NOT is_upn(tidy(child_upn)) THEN 'invalid_upn' END,
           CASE WHEN is_pseudo_postcode(tidy(child_postcode)) THEN 'pseudo_postcode'
                WHEN NOT is_postcode(child_postcode) THEN 'bad_postcode' END
       ], lambda flag: flag IS NOT NULL) AS flags
FROM children
UNION ALL BY NAME
SELECT lineage, adult_id AS source_person_id, 'adult' AS role, {_ADULT_GIVEN} AS given_names,
       {_ADULT_FAMILY} AS family_name, 'unknown' AS birth_date_precision, recorded_at,
       []::VARCHAR[] AS flags
FROM adults"""

_PERSON_NAME = f"""
WITH {_CHILDREN},{_ADULTS}
SELECT lineage, source_person_id, 'current' AS kind, tidy(child_forenames) AS given_names,
       tidy(child_surname) AS family_name, recorded_at
FROM children
WHERE tidy(child_forenames) IS NOT NULL OR tidy(child_surname) IS NOT NULL
UNION ALL BY NAME
SELECT lineage, adult_id AS source_person_id, 'current' AS kind, {_ADULT_GIVEN} AS given_names,
       {_ADULT_FAMILY} AS family_name, recorded_at
FROM adults"""

# ZZ99 3VZ is the NHS pseudo postcode of no fixed abode (docs/sources.md 2.4). Where it happened is nobody's stated home.
_PERSON_ADDRESS = f"""
WITH {_CHILDREN}
SELECT lineage, source_person_id,
       CASE WHEN compact(child_postcode) = 'ZZ993VZ' OR regexp_matches(child_address, 'no fixed (abode|address)', 'i')
            THEN 'no_fixed_abode' ELSE 'home' END AS kind,
       tidy(child_address) AS address, read_postcode(child_postcode) AS postcode, recorded_at
FROM children
WHERE tidy(child_address) IS NOT NULL OR tidy(child_postcode) IS NOT NULL
UNION ALL BY NAME
SELECT lineage, source_person_id, 'incident' AS kind, tidy(coalesce(incident_location, incident_address)) AS address,
       read_postcode(incident_postcode) AS postcode, nullif(ltrim(tidy(incident_uprn), '0'), '') AS uprn, recorded_at
FROM children
WHERE tidy(coalesce(incident_location, incident_address, incident_postcode, incident_uprn)) IS NOT NULL"""

_PERSON_IDENTIFIER = f"""
WITH {_CHILDREN}
SELECT lineage, source_person_id, 'nhs_number' AS scheme, replace(compact(child_nhs_number), '-', '') AS value,
       if(is_nhs_number(tidy(child_nhs_number)), 'stated', 'invalid') AS status, recorded_at
FROM children
WHERE tidy(child_nhs_number) IS NOT NULL
UNION ALL
SELECT lineage, source_person_id, 'upn', compact(child_upn), upn_status(child_upn), recorded_at
FROM children
WHERE tidy(child_upn) IS NOT NULL"""

# Kin, in the words officers write; a word that is not here is kept as received and mapped to nothing.
_KIN = {
    "mother": ("mother", "mum", "mom"),
    "father": ("father", "dad"),
    "parent": ("parent",),
    "step_parent": ("step mother", "step father", "step parent", "stepmother", "stepfather", "stepmum", "stepdad"),
    "guardian": ("guardian",),
    "carer": ("carer",),
    "foster_carer": ("foster carer", "foster mother", "foster father"),
    "sibling": ("brother", "sister", "sibling"),
    "half_sibling": ("half brother", "half sister"),
    "grandparent": ("grandmother", "grandfather", "grandparent", "nan"),
    "aunt_or_uncle": ("aunt", "auntie", "uncle"),
    "family_member": ("cousin", "family member"),
    "friend": ("friend",),
    "neighbour": ("neighbour",),
}
_AS_KIN = (
    "map_extract_value(MAP {{{}}}, lower(regexp_replace(tidy(relationship_to_child), '[ _-]+', ' ', 'g')))".format(
        ", ".join(f"'{word}': '{kin}'" for kin, words in _KIN.items() for word in words)
    )
)

# More children than one household can hold are no siblings but a number used for many notices: nothing is said of them.
_MOST_CHILDREN = 20

_RELATIONSHIP = f"""
WITH {_ADULTS},
of_notice AS (
    SELECT lineage, ppn_id, {_CHILD_ID} AS child_id, {_SUBMITTED_AT} AS recorded_at FROM {{rows}}
    QUALIFY count(*) OVER (PARTITION BY ppn_id) <= {_MOST_CHILDREN}
)
SELECT named.lineage, {_CHILD_ID} AS source_person_id, '{{feed}}:' || adult_id AS other_record_id,
       CASE WHEN tidy(relationship_to_child) IS NOT NULL THEN coalesce({_AS_KIN}, 'unmapped')
            WHEN lower(tidy(adult_role)) IN ('parent', 'carer') THEN lower(tidy(adult_role))
            ELSE 'named_on_same_notice' END AS relationship,
       coalesce(tidy(relationship_to_child), tidy(adult_role)) AS source_code,
       CASE WHEN lower(tidy(adult_role)) = 'household' THEN true END AS same_household,
       named.recorded_at
FROM named JOIN adults USING (ppn_id, spelling)
UNION ALL BY NAME
SELECT child.lineage, child.child_id AS source_person_id, '{{feed}}:' || other.child_id AS other_record_id,
       'named_on_same_notice' AS relationship, child.recorded_at
FROM of_notice child JOIN of_notice other ON other.ppn_id = child.ppn_id AND other.child_id <> child.child_id"""

# What only the originator may widen stays in the hub where the marking is missing or not understood (docs/sources.md 6.7).
_ABOUT = f"""
notices AS (
    SELECT lineage, {_CHILD_ID} AS source_person_id, ppn_type, narrative, voice_of_child, safeguarding_reason,
           referral_kind, immediate_action, child_seen, child_spoken_to, consent_sought, consent_given,
           officer_risk_grade, secondary_risk_grade, dash_grade, adult_role, relationship_to_child,
           lower(regexp_replace(tidy(ppn_type), '[ -]+', '_', 'g')) AS kind,
           {_INCIDENT_AT} AS occurred_from, {_INCIDENT_PRECISION} AS occurred_precision, {_SUBMITTED_AT} AS recorded_at,
           CASE WHEN read_flag(child_present) THEN 'Y' WHEN NOT read_flag(child_present) THEN 'N'
                WHEN tidy(child_present) IS NOT NULL THEN 'NK' END AS child_present,
           read_flag(police_powers_used) OR (regexp_matches(police_powers_used, '(ppo|s\\.? ?46|section 46)', 'i')
               AND NOT regexp_matches(police_powers_used, '^ *(no|none|not|n)\\b', 'i')) AS is_police_protection,
           CASE WHEN told(secondary_risk_grade) IS NOT NULL THEN 'secondary'
                WHEN told(dash_grade) IS NOT NULL THEN 'DASH'
                WHEN told(officer_risk_grade) IS NOT NULL THEN 'officer' END AS risk_scheme,
           tidy(handling_code) AS handling_code,
           if(lower(tidy(handling_code)) IN ('mash_only', 'partners', 'school', 'none'),
              lower(tidy(handling_code)), 'mash_only') AS onward_disclosure
    FROM {{rows}}
)"""

# One event holds one grade: the reviewed one, else DASH, else the officer's. The others stand in what was done.
_EVENT = f"""
WITH {_ABOUT}
SELECT lineage, source_person_id, 'notice' AS ref,
       CASE WHEN kind IN ('da', 'dv', 'domestic_abuse') AND child_present = 'Y' THEN 'da_incident_child_present'
            WHEN starts_with(kind, 'missing') THEN 'missing_episode'
            ELSE 'ppn' END AS event_type,
       tidy(ppn_type) AS source_code, 'police.ppn ppn_type' AS source_code_system,
       occurred_from, occurred_precision, 'mixed' AS statement_kind,
       CASE WHEN kind IN ('da', 'dv', 'domestic_abuse')
            THEN 'Domestic abuse incident'
                 || CASE child_present WHEN 'Y' THEN ', child present' WHEN 'N' THEN ', child not present' ELSE '' END
            WHEN starts_with(kind, 'missing') THEN 'Missing child reported'
            WHEN kind = 'concern_for_welfare' THEN 'Police notice: concern for welfare'
            WHEN kind = 'stalking' THEN 'Police notice: stalking'
            WHEN kind IN ('cse', 'cce', 'cse/cce', 'cse_cce')
            THEN 'Police notice: child exploitation (' || tidy(ppn_type) || ')'
            WHEN kind IN ('hba', 'fgm', 'fm', 'hba_fgm_fm')
            THEN 'Police notice: honour-based abuse, FGM or forced marriage (' || tidy(ppn_type) || ')'
            WHEN kind = 'child' THEN 'Police notice: child concern'
            WHEN kind = 'adult' THEN 'Police notice: adult concern'
            ELSE 'Police notice' || coalesce(': ' || tidy(ppn_type), '') END
           || coalesce('; ' || tidy(relationship_to_child) || ' named'
                       || coalesce(' as ' || lower(tidy(adult_role)), ''), '')
           || coalesce(': ' || told(safeguarding_reason), '') AS title,
       tidy(narrative) AS narrative, 'police officer' AS reported_by_role, 'subject' AS subject_role, child_present,
       replace(lower(tidy(referral_kind)), '_', ' ') AS outcome,
       nullif(concat_ws('; ', told(immediate_action), 'child seen: ' || tidy(child_seen),
           'child spoken to: ' || tidy(child_spoken_to), 'consent sought: ' || tidy(consent_sought),
           'consent given: ' || tidy(consent_given),
           CASE WHEN risk_scheme <> 'officer' THEN 'officer grade: ' || told(officer_risk_grade) END,
           CASE WHEN risk_scheme <> 'DASH' THEN 'DASH grade: ' || told(dash_grade) END), '') AS action_taken,
       risk_scheme, coalesce(told(secondary_risk_grade), told(dash_grade), told(officer_risk_grade)) AS risk_value,
       handling_code, onward_disclosure, recorded_at
FROM notices
UNION ALL BY NAME
SELECT lineage, source_person_id, 'voice' AS ref, 'voice_of_child' AS event_type, occurred_from, occurred_precision,
       'child_voice' AS statement_kind, 'What the child said to police' AS title, told(voice_of_child) AS narrative,
       told(voice_of_child) AS quoted_words, 'police officer' AS reported_by_role, 'subject' AS subject_role,
       child_present, handling_code, onward_disclosure, recorded_at
FROM notices
WHERE told(voice_of_child) IS NOT NULL
UNION ALL BY NAME
SELECT lineage, source_person_id, 'ppo_s46' AS ref, 'ppo_s46' AS event_type, occurred_from, occurred_precision,
       'fact' AS statement_kind, 'Taken into police protection (section 46)' AS title,
       'police officer' AS reported_by_role, 'subject' AS subject_role, child_present,
       told(immediate_action) AS action_taken, handling_code, onward_disclosure, recorded_at
FROM notices
WHERE is_police_protection"""

_BY_NOTICE = ("scope", "ppn_id")


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Children and adults of a notice become person records; what the notice says becomes events about each child."""
    return [
        Output("person_record", "notice", _PERSON_RECORD, unit=_BY_NOTICE),
        Output("person_name", "notice", _PERSON_NAME, unit=_BY_NOTICE),
        Output("relationship", "notice", _RELATIONSHIP, unit=_BY_NOTICE),
        Output("person_address", "notice", _PERSON_ADDRESS),
        Output("person_identifier", "notice", _PERSON_IDENTIFIER),
        Output("event", "notice", _EVENT),
    ]


FEED = Feed(
    agency="police",
    name="ppn",
    title="Public protection notices",
    format="tabular",
    tables=(NOTICE,),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)
