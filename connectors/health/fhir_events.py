"""health.fhir: encounters, appointments, conditions, observations, flags, immunisations → events and spans.

A resource marked entered-in-error is never an event; what it had said is retracted. What health says of a protection
plan or of being looked after is second-hand (third_party): social care's own record is authoritative, and both are
kept (docs/sources.md 5.7).
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.contract import Output
from connectors.health.fhir_elements import (
    SNOMED,
    V3_ACT_CODE,
    codes,
    concept,
    concepts,
    items,
    label,
    member,
    notes,
    patient_in,
    patient_of,
)

_IN_ERROR = "coalesce(status, '') = 'entered-in-error'"


class SafeguardingConcept(NamedTuple):
    """A SNOMED CT concept of safeguarding, as GP systems record it."""

    code: str
    event_type: str
    statement_kind: str
    title: str


# docs/sources.md 5.7, from the RCGP and NEL ICB coding pages. The event type is the one social care's own record would have.
SAFEGUARDING_CONCEPTS = (
    SafeguardingConcept(
        "836881000000105",
        "gp_concern_code",
        "professional_opinion",
        "Health record: child is cause for safeguarding concern",
    ),
    SafeguardingConcept(
        "1064961000000107",
        "gp_concern_code",
        "professional_opinion",
        "Health record: child in family is cause for concern",
    ),
    SafeguardingConcept(
        "878111000000109",
        "pregnancy_concern",
        "professional_opinion",
        "Health record: unborn child is cause for concern",
    ),
    SafeguardingConcept(
        "342191000000101", "cpp_start", "third_party", "Health record: subject to child protection plan"
    ),
    SafeguardingConcept(
        "342891000000105", "cpp_end", "third_party", "Health record: no longer subject to child protection plan"
    ),
    SafeguardingConcept(
        "375041000000100",
        "gp_concern_code",
        "third_party",
        "Health record: family member subject to child protection plan",
    ),
    SafeguardingConcept("764841000000100", "cla_start", "third_party", "Health record: looked-after child"),
    SafeguardingConcept("764951000000107", "cla_end", "third_party", "Health record: no longer looked-after child"),
    SafeguardingConcept("160887007", "cpp_start", "third_party", "Health record: on child protection register"),
    SafeguardingConcept("160889005", "cpp_end", "third_party", "Health record: removed from child protection register"),
    SafeguardingConcept("224353004", "cp_is", "third_party", "Health record: child protection information (CP-IS)"),
    SafeguardingConcept(
        "802251000000109", "gp_concern_code", "third_party", "Health record: category of child protection plan"
    ),
    SafeguardingConcept(
        "802301000000102",
        "gp_concern_code",
        "third_party",
        "Health record: category of child protection plan: emotional abuse",
    ),
    SafeguardingConcept(
        "802271000000100", "gp_concern_code", "third_party", "Health record: category of child protection plan: neglect"
    ),
)

_CONCEPTS = "concepts(concern_code, concern_type, concern_kind, concern_title) AS (VALUES {})".format(
    ", ".join("('{}', '{}', '{}', '{}')".format(*concept) for concept in SAFEGUARDING_CONCEPTS)
)


def _concern_in(column: str) -> str:
    """The first safeguarding concept among the codes of a CodeableConcept."""
    known = ", ".join(f"'{concept.code}'" for concept in SAFEGUARDING_CONCEPTS)
    return f"list_filter({codes(column)}, lambda c: c IN ({known}))[1]"


# Planned encounters have not happened. A visit by a health visitor is one whatever its setting is coded as.
_ENCOUNTER = f"""
WITH encounters AS (
    SELECT lineage, {patient_of("subject")} AS patient_id, status, last_updated, period_start, period_end,
           {member("class", "code")} AS setting,
           nullif(concat_ws('; ', {concepts("type")}, {concept("service_type")}), '') AS service,
           {concepts("reason_code")} AS reason,
           {label("json_extract(TRY_CAST(hospitalization AS JSON), '$.dischargeDisposition')")} AS discharged_to
    FROM {{rows}}
),
contacts AS (
    SELECT *, CASE WHEN regexp_matches(service, 'health visit', 'i') THEN 'health_visitor_contact'
                   WHEN setting = 'EMER' THEN 'ed_attendance'
                   WHEN setting IN ('IMP', 'ACUTE', 'NONAC', 'SS') THEN 'admission'
                   WHEN setting = 'AMB' THEN 'outpatient_attendance'
                   ELSE 'health_contact' END AS event_type
    FROM encounters
    WHERE patient_id IS NOT NULL AND coalesce(status, '') <> 'planned'
)
SELECT lineage, patient_id AS source_person_id, 'encounter' AS ref, event_type,
       setting AS source_code, '{V3_ACT_CODE}' AS source_code_system,
       read_instant(period_start) AS occurred_from, read_instant(period_end) AS occurred_to,
       instant_precision(period_start) AS occurred_precision, 'fact' AS statement_kind,
       CASE event_type WHEN 'health_visitor_contact' THEN 'Health visitor contact'
                       WHEN 'ed_attendance' THEN 'Emergency department attendance'
                       WHEN 'admission' THEN 'Admitted to hospital'
                       WHEN 'outpatient_attendance' THEN 'Outpatient attendance'
                       ELSE CASE setting WHEN 'HH' THEN 'Home visit' WHEN 'VR' THEN 'Remote consultation'
                                         ELSE 'Health contact' END
       END || coalesce(': ' || nullif(concat_ws('; ', service, reason), ''), '') AS title,
       'subject' AS subject_role, if(event_type = 'admission', NULL, discharged_to) AS outcome,
       read_instant(last_updated) AS recorded_at
FROM contacts
UNION ALL BY NAME
SELECT lineage, patient_id AS source_person_id, 'discharge' AS ref, 'discharge' AS event_type,
       setting AS source_code, '{V3_ACT_CODE}' AS source_code_system,
       read_instant(period_end) AS occurred_from, instant_precision(period_end) AS occurred_precision,
       'fact' AS statement_kind, 'Discharged from hospital' || coalesce(': ' || reason, '') AS title,
       'subject' AS subject_role, discharged_to AS outcome, read_instant(last_updated) AS recorded_at
FROM contacts
WHERE event_type = 'admission' AND status = 'finished' AND read_instant(period_end) IS NOT NULL"""

# Proposed, pending, booked and waiting-list appointments are not yet anything that happened. Who is 18 or older was not
# brought by anybody: they did not attend. Reasons: hl7.org/fhir/R4/valueset-appointment-cancellation-reason; NHS Data
# Dictionary ATTENDED OR DID NOT ATTEND 2 (by the family) and 4 (by the provider), docs/sources.md 5.6.
_APPOINTMENT = f"""
WITH appointments AS (
    SELECT lineage, last_updated, status, starts_at, ends_at, description, comment, cancelation_reason,
           {codes("cancelation_reason")} AS reasons, {concept("cancelation_reason")} AS reason,
           coalesce({concepts("service_type")}, {concept("appointment_type")}, tidy(description)) AS service,
           list_distinct(list_filter(
               [{patient_in("p ->> '$.actor.reference'")} FOR p IN {items("participant")}], lambda p: p IS NOT NULL))
                   AS patients
    FROM {{rows}}
    WHERE status IN ('arrived', 'checked-in', 'fulfilled', 'noshow', 'cancelled')
),
per_patient AS (SELECT * EXCLUDE (patients), unnest(patients) AS patient_id FROM appointments),
born AS (SELECT id AS patient_id, read_partial_date(birth_date) AS birth_date FROM {{raw_patient}}),
read AS (
    SELECT per_patient.*,
           coalesce(birth_date + INTERVAL 18 YEAR <= read_instant(starts_at), false) AS is_adult,
           len(list_filter(reasons, lambda c: c = '2' OR starts_with(c, 'pat'))) > 0
               OR regexp_matches(reason, '\\b(patient|parent|mother|father|mum|dad|family|carer|guardian)\\b', 'i')
                   AS by_family,
           len(list_filter(reasons, lambda c: c = '4' OR starts_with(c, 'prov') OR c IN ('maint', 'meas-inc'))) > 0
               OR regexp_matches(reason, '\\b(provider|hospital|clinic|service|trust|staff)\\b', 'i') AS by_provider
    FROM per_patient LEFT JOIN born USING (patient_id)
)
SELECT lineage, patient_id AS source_person_id, patient_id AS ref,
       CASE WHEN status = 'noshow' THEN if(is_adult, 'did_not_attend', 'was_not_brought')
            WHEN status <> 'cancelled' THEN 'appointment_attended'
            WHEN by_family AND NOT coalesce(by_provider, false) THEN 'cancelled_by_family'
            WHEN by_provider AND NOT coalesce(by_family, false) THEN 'cancelled_by_provider'
            ELSE 'appointment_cancelled' END AS event_type,
       status AS source_code, 'http://hl7.org/fhir/appointmentstatus' AS source_code_system,
       read_instant(starts_at) AS occurred_from, read_instant(ends_at) AS occurred_to,
       instant_precision(starts_at) AS occurred_precision, 'fact' AS statement_kind,
       CASE event_type WHEN 'did_not_attend' THEN 'Did not attend' WHEN 'was_not_brought' THEN 'Was not brought'
                       WHEN 'appointment_attended' THEN 'Appointment attended'
                       WHEN 'cancelled_by_family' THEN 'Appointment cancelled by the family'
                       WHEN 'cancelled_by_provider' THEN 'Appointment cancelled by the provider'
                       ELSE 'Appointment cancelled' END || coalesce(': ' || service, '') AS title,
       nullif(concat_ws(chr(10) || chr(10), tidy(description), tidy(comment)), '') AS narrative,
       'subject' AS subject_role, reason AS outcome, read_instant(last_updated) AS recorded_at
FROM read"""

_CONDITION = f"""
WITH {_CONCEPTS},
conditions AS (
    SELECT lineage, {patient_of("subject")} AS patient_id, last_updated, recorded_date, abatement_date_time,
           coalesce(onset_date_time, recorded_date) AS since, {concept("code")} AS what,
           {_concern_in("code")} AS concern_code,
           {codes("code")}[1] AS source_code, {member("code", "coding[0].system")} AS source_code_system,
           {concept("clinical_status")} AS clinical_status, {concept("verification_status")} AS verification_status,
           {notes("note")} AS narrative
    FROM {{rows}}
)
SELECT lineage, patient_id AS source_person_id, 'condition' AS ref,
       coalesce(concern_type, 'condition_recorded') AS event_type,
       coalesce(concern_code, source_code) AS source_code,
       if(concern_code IS NULL, source_code_system, '{SNOMED}') AS source_code_system,
       read_instant(since) AS occurred_from, read_instant(abatement_date_time) AS occurred_to,
       instant_precision(since) AS occurred_precision, coalesce(concern_kind, 'professional_opinion') AS statement_kind,
       coalesce(concern_title, 'Condition recorded: ' || what, 'Condition recorded') AS title, narrative,
       if(concern_type = 'pregnancy_concern', 'parent', 'subject') AS subject_role,
       nullif(concat_ws('; ', clinical_status, verification_status), '') AS outcome,
       coalesce(read_instant(recorded_date), read_instant(last_updated)) AS recorded_at
FROM conditions LEFT JOIN concepts USING (concern_code)
WHERE patient_id IS NOT NULL"""

# A measured quantity without a comment is a fact; what somebody wrote or judged is mixed, as the source does not say.
_OBSERVATION = f"""
WITH {_CONCEPTS},
observations AS (
    SELECT lineage, {patient_of("subject")} AS patient_id, last_updated, issued, effective_end,
           coalesce(effective_date_time, effective_start) AS since,
           {concept("code")} AS what, {_concern_in("code")} AS concern_code,
           {codes("code")}[1] AS source_code, {member("code", "coding[0].system")} AS source_code_system,
           coalesce(
               nullif(concat_ws(' ', {member("value_quantity", "comparator")}, {member("value_quantity", "value")},
                                {member("value_quantity", "unit")}), ''),
               {concept("value_codeable_concept")}, tidy(value_string), tidy(value_boolean), tidy(value_integer),
               tidy(value_date_time),
               nullif(array_to_string(list_transform({items("component")}, lambda part: concat_ws(' ',
                   {label("(part -> '$.code')")}, part ->> '$.valueQuantity.value', part ->> '$.valueQuantity.unit',
                   {label("(part -> '$.valueCodeableConcept')")}, part ->> '$.valueString')), ', '), '')) AS value,
           value_string IS NULL AND value_codeable_concept IS NULL AND note IS NULL
               AND (value_quantity IS NOT NULL OR value_integer IS NOT NULL OR component IS NOT NULL) AS is_measured,
           {concepts("interpretation")} AS interpretation, {notes("note")} AS note
    FROM {{rows}}
    WHERE coalesce(status, '') NOT IN ('registered', 'cancelled')
)
SELECT lineage, patient_id AS source_person_id, 'observation' AS ref,
       coalesce(concern_type, 'observation') AS event_type,
       coalesce(concern_code, source_code) AS source_code,
       if(concern_code IS NULL, source_code_system, '{SNOMED}') AS source_code_system,
       read_instant(since) AS occurred_from, read_instant(effective_end) AS occurred_to,
       instant_precision(since) AS occurred_precision,
       coalesce(concern_kind, if(is_measured, 'fact', 'mixed')) AS statement_kind,
       coalesce(concern_title || coalesce(': ' || value, ''), concat_ws(': ', coalesce(what, 'Observation'), value))
           AS title,
       note AS narrative, if(concern_type = 'pregnancy_concern', 'parent', 'subject') AS subject_role,
       interpretation AS outcome, coalesce(read_instant(issued), read_instant(last_updated)) AS recorded_at
FROM observations LEFT JOIN concepts USING (concern_code)
WHERE patient_id IS NOT NULL"""

# PatientFlagCategory of the Patient Flags API (docs/sources.md 5.8); 224353004 marks CP-IS where no category does.
_FLAGS = f"""
WITH flags AS (
    SELECT lineage, extracted_at, {patient_of("subject")} AS patient_id, status, last_updated, period_start, period_end,
           {concept("code")} AS what, {codes("code")}[1] AS source_code,
           {member("code", "coding[0].system")} AS source_code_system,
           json_extract_string(TRY_CAST(category AS JSON), '$[*].coding[*].code') AS categories,
           CASE WHEN list_contains(categories, 'CP-IS') OR list_contains({codes("code")}, '224353004') THEN 'cp_is'
                WHEN list_contains(categories, 'FGM') THEN 'fgm_flag'
                WHEN list_contains(categories, 'NRAF') THEN 'reasonable_adjustment_flag'
                ELSE 'health_flag' END AS flag
    FROM {{rows}}
)"""

_FLAG_EVENT = f"""{_FLAGS}
SELECT lineage, patient_id AS source_person_id, 'flag' AS ref, flag AS event_type, source_code, source_code_system,
       read_instant(period_start) AS occurred_from, read_instant(period_end) AS occurred_to,
       instant_precision(period_start) AS occurred_precision,
       if(flag = 'cp_is', 'third_party', 'mixed') AS statement_kind,
       CASE flag WHEN 'cp_is' THEN 'Child protection information (CP-IS)' WHEN 'fgm_flag' THEN 'FGM flag'
                 WHEN 'reasonable_adjustment_flag' THEN 'Reasonable adjustment flag'
                 ELSE 'Flag on health record' END || coalesce(': ' || what, '') AS title,
       'subject' AS subject_role, status AS outcome, read_instant(last_updated) AS recorded_at
FROM flags
WHERE patient_id IS NOT NULL"""

_FLAG_SPAN = f"""{_FLAGS}
SELECT lineage, patient_id AS source_person_id, 'flag' AS ref, if(flag = 'cp_is', 'cp_is_flag', flag) AS kind,
       read_partial_date(period_start) AS started_on,
       -- An inactive flag without an end had ended by the day we know it was inactive.
       coalesce(read_partial_date(period_end),
                CASE WHEN status = 'inactive' THEN coalesce(read_instant(last_updated), extracted_at)::DATE END)
                    AS ended_on,
       what AS detail, source_code, read_instant(last_updated) AS recorded_at
FROM flags
WHERE patient_id IS NOT NULL"""

_IMMUNIZATION = f"""
WITH vaccinations AS (
    SELECT lineage, {patient_of("patient")} AS patient_id, status, last_updated, recorded, occurrence_date_time,
           {concept("vaccine_code")} AS vaccine, {codes("vaccine_code")}[1] AS source_code,
           {member("vaccine_code", "coding[0].system")} AS source_code_system, {concept("status_reason")} AS reason
    FROM {{rows}}
)
SELECT lineage, patient_id AS source_person_id, 'immunisation' AS ref,
       if(status = 'not-done', 'immunisation_not_given', 'immunisation_given') AS event_type,
       source_code, source_code_system, read_instant(occurrence_date_time) AS occurred_from,
       instant_precision(occurrence_date_time) AS occurred_precision, 'fact' AS statement_kind,
       if(status = 'not-done', 'Immunisation not given', 'Immunisation given')
           || coalesce(': ' || vaccine, '') AS title,
       'subject' AS subject_role, reason AS outcome,
       coalesce(read_instant(recorded), read_instant(last_updated)) AS recorded_at
FROM vaccinations
WHERE patient_id IS NOT NULL"""


def outputs() -> list[Output]:
    """What happened to patients, and the flags on their records."""
    return [
        Output(
            "event",
            "encounter",
            _ENCOUNTER,
            retracts="coalesce(status, '') IN ('entered-in-error', 'cancelled')",
            retract_reason="the agency cancelled it or marked it as entered in error",
        ),
        Output("event", "appointment", _APPOINTMENT, retracts=_IN_ERROR),
        Output(
            "event",
            "condition",
            _CONDITION,
            retracts=f"coalesce(list_contains({codes('verification_status')}, 'entered-in-error'), false)",
        ),
        Output("event", "observation", _OBSERVATION, retracts=_IN_ERROR),
        Output("event", "flag", _FLAG_EVENT, retracts=_IN_ERROR),
        Output("span", "flag", _FLAG_SPAN, retracts=_IN_ERROR),
        Output("event", "immunization", _IMMUNIZATION, retracts=_IN_ERROR),
    ]
