"""health.fhir: patients, their contacts and related persons → person records and all that belongs to them.

Everyone named gets a record: Patient.id; `RelatedPerson/<id>`; a contact within a Patient is `<id>/contact/<place>`.
Parental responsibility is not coded in any of them and is never inferred (docs/sources.md 5.2). A restricted record (PDS `R`,
`V`, REDACTED) protects the address and gives no practice, which would tell the neighbourhood (docs/sources.md 5.3).

Each output is a chain of steps: people (one row per person, lists still whole) → names, addresses, identifiers (one row
per element) → the common-model table. The chain is the same for patients and for related persons.
"""

from __future__ import annotations

from connectors.contract import Output
from connectors.health.fhir_elements import codes, extension, items, label, member, patient_in, patient_of

_IS_PROTECTED = """coalesce(
               list_has_any(json_extract_string(TRY_CAST(meta AS JSON), '$.security[*].code'), ['R', 'V', 'REDACTED']),
               false)"""

_PATIENTS = f"""
people AS (
    SELECT id AS source_person_id, lineage, extracted_at, last_updated, 'patient' AS part, gender, birth_date,
           {items("name")} AS names, {items("address")} AS addresses, {items("identifier")} AS identifiers,
           {extension(items("extension"), "EthnicCategory")} AS ethnic_category,
           deceased_date_time, deceased_boolean = 'true' AS is_deceased,
           multiple_birth_boolean = 'true' OR multiple_birth_integer IS NOT NULL AS is_multiple_birth,
           active = 'false' AS is_inactive, {_IS_PROTECTED} AS is_protected, []::VARCHAR[] AS relationship_codes
    FROM {{rows}}
    UNION ALL BY NAME
    SELECT id || '/contact/' || place AS source_person_id, lineage, extracted_at, last_updated, 'contact' AS part,
           contact ->> '$.gender' AS gender, [contact -> '$.name'] AS names,
           CASE WHEN json_type(contact, '$.address') = 'OBJECT' THEN [contact -> '$.address'] ELSE [] END AS addresses,
           []::JSON[] AS identifiers, is_protected,
           json_extract_string(contact, '$.relationship[*].coding[*].code') AS relationship_codes
    FROM (SELECT id, lineage, extracted_at, last_updated, {_IS_PROTECTED} AS is_protected,
                 unnest({items("contact")}) AS contact, generate_subscripts({items("contact")}, 1) AS place
          FROM {{rows}})
    WHERE json_type(contact, '$.name') = 'OBJECT'
)"""

_RELATED_PERSONS = f"""
people AS (
    SELECT 'RelatedPerson/' || id AS source_person_id, lineage, extracted_at, last_updated, 'related' AS part, gender,
           birth_date, {items("name")} AS names, {items("address")} AS addresses, {items("identifier")} AS identifiers,
           {extension(items("extension"), "EthnicCategory")} AS ethnic_category, NULL::VARCHAR AS deceased_date_time,
           false AS is_deceased, false AS is_multiple_birth, active = 'false' AS is_inactive,
           {_IS_PROTECTED} AS is_protected,
           json_extract_string(TRY_CAST(relationship AS JSON), '$[*].coding[*].code') AS relationship_codes
    FROM {{rows}}
)"""

# A name in use comes before one that has ended; what a person is usually called before what is official; former names
# and nicknames last. Where only ended or former names are left, the best of them still is how the source names them.
_NAMES = r"""
spelled AS (
    SELECT source_person_id, lineage, extracted_at, last_updated,
           unnest(names) AS name, generate_subscripts(names, 1) AS place
    FROM people
),
name_parts AS (
    SELECT source_person_id, lineage, last_updated, place, lower(name ->> '$.use') AS use,
           tidy(array_to_string(json_extract_string(name, '$.given[*]'), ' ')) AS given_part,
           tidy(name ->> '$.family') AS family_part, tidy(name ->> '$.text') AS whole,
           read_partial_date(name ->> '$.period.start') AS valid_from,
           read_partial_date(name ->> '$.period.end') AS valid_to,
           coalesce(read_partial_date(name ->> '$.period.end') < extracted_at::DATE, false) AS has_ended
    FROM spelled
),
names AS (
    SELECT source_person_id, lineage, last_updated, use, valid_from, valid_to, has_ended,
           given_part IS NULL AND family_part IS NULL AS is_from_text,
           CASE WHEN NOT is_from_text THEN given_part
                WHEN contains(whole, ',') THEN tidy(regexp_replace(whole, '^[^,]*,', ''))
                ELSE tidy(regexp_replace(whole, '\S+$', '')) END AS given_names,
           CASE WHEN NOT is_from_text THEN family_part
                WHEN contains(whole, ',') THEN tidy(split_part(whole, ',', 1))
                ELSE regexp_extract(whole, '(\S+)$', 1) END AS family_name,
           row_number() OVER (
               PARTITION BY source_person_id
               ORDER BY coalesce(use IN ('old', 'maiden'), false),
                        coalesce(use IN ('nickname', 'temp', 'anonymous'), false),
                        has_ended, CASE use WHEN 'usual' THEN 1 WHEN 'official' THEN 2 ELSE 3 END,
                        valid_from DESC NULLS LAST, place
           ) AS preference
    FROM name_parts
    WHERE given_part IS NOT NULL OR family_part IS NOT NULL OR whole IS NOT NULL
)"""

# Work and billing addresses are not where anybody lives. Some systems repeat the town in a line: it is said once.
# ZZ99 3VZ is the NHS pseudo postcode of no fixed abode (docs/sources.md 2.4).
_ADDRESSES = """
lived AS (
    SELECT source_person_id, lineage, extracted_at, last_updated, is_protected,
           unnest(addresses) AS place, generate_subscripts(addresses, 1) AS ordinal
    FROM people
),
address_parts AS (
    SELECT source_person_id, lineage, extracted_at, last_updated, is_protected, ordinal, place,
           lower(place ->> '$.use') AS use,
           [tidy(line) FOR line IN json_extract_string(place, '$.line[*]')]
               || [tidy(place ->> '$.city'), tidy(place ->> '$.district')] AS lines,
           json_extract(place, '$.extension[*]') AS extensions,
           read_postcode(place ->> '$.postalCode') AS postcode,
           read_partial_date(place ->> '$.period.start') AS valid_from,
           read_partial_date(place ->> '$.period.end') AS valid_to
    FROM lived
),
addresses AS (
    SELECT source_person_id, lineage, last_updated, is_protected, ordinal, postcode, valid_from, valid_to,
           CASE WHEN use = 'old' OR valid_to < extracted_at::DATE THEN 'previous'
                WHEN compact(postcode) = 'ZZ993VZ' OR len(list_filter(extensions,
                     lambda e: (e ->> '$.url') LIKE '%/no-fixed-address' AND (e ->> '$.valueBoolean') = 'true')) > 0
                THEN 'no_fixed_abode'
                WHEN use = 'temp' THEN 'temporary'
                ELSE 'home' END AS kind,
           coalesce(
               tidy(array_to_string(list_filter(lines, lambda line, i: list_position(lines, line) = i), ', ')),
               tidy(place ->> '$.text')) AS address,
           nullif(ltrim(json_extract_string(
               list_filter(extensions,
                   lambda e: list_contains(json_extract_string(e, '$.extension[*].valueCoding.code'), 'UPRN'))[1],
               '$.extension[*].valueString')[1], '0 '), '') AS uprn
    FROM address_parts
    WHERE coalesce(use, '') NOT IN ('work', 'billing')
)"""

# Passport, licence and foreign social numbers carry other types (v2-0203) and identify nobody here.
_IDENTIFIERS = f"""
numbered AS (
    SELECT source_person_id, lineage, extracted_at, last_updated,
           unnest(identifiers) AS identifier, generate_subscripts(identifiers, 1) AS place
    FROM people
),
identifier_parts AS (
    SELECT source_person_id, lineage, last_updated, place, compact(identifier ->> '$.value') AS value,
           rtrim(identifier ->> '$.system', '/') ILIKE '%/Id/nhs-number' AS has_nhs_system,
           json_extract_string(identifier, '$.type.coding[*].code') AS types,
           {extension("json_extract(identifier, '$.extension[*]')", "NHSNumberVerificationStatus")} AS verification,
           read_partial_date(identifier ->> '$.period.start') AS valid_from,
           read_partial_date(identifier ->> '$.period.end') AS valid_to,
           coalesce(lower(identifier ->> '$.use') = 'old', false)
               OR coalesce(read_partial_date(identifier ->> '$.period.end') < extracted_at::DATE, false) AS has_ended
    FROM numbered
),
identifiers AS (
    SELECT source_person_id, lineage, last_updated, place, valid_from, valid_to, has_ended,
           CASE WHEN coalesce(has_nhs_system, false) OR list_contains(types, 'NH') THEN 'nhs_number'
                WHEN len(types) = 0 OR list_has_any(types, ['MR', 'PI', 'PT']) THEN 'local_patient_id' END AS scheme,
           CASE scheme WHEN 'nhs_number' THEN replace(value, '-', '') ELSE value END AS value,
           verification ->> '$.valueCodeableConcept.coding[0].code' AS status_code,
           CASE WHEN scheme = 'nhs_number' AND NOT is_nhs_number(value) THEN 'invalid'
                WHEN scheme = 'nhs_number' AND status_code = '01' THEN 'verified'
                ELSE 'stated' END AS status
    FROM identifier_parts
    WHERE value IS NOT NULL
)"""

# What a person record shows of the lists: the preferred name, where they live now, the number most to be trusted.
_CHOSEN = """
named AS (SELECT source_person_id, given_names, family_name, is_from_text FROM names WHERE preference = 1),
homes AS (
    SELECT source_person_id, postcode FROM addresses WHERE kind <> 'previous' AND postcode IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY source_person_id
        ORDER BY CASE kind WHEN 'home' THEN 1 WHEN 'no_fixed_abode' THEN 2 ELSE 3 END,
                 valid_from DESC NULLS LAST, ordinal) = 1
),
nhs_numbers AS (
    SELECT source_person_id, value AS nhs_number, status_code, status = 'invalid' AS is_invalid FROM identifiers
    WHERE scheme = 'nhs_number'
    QUALIFY row_number() OVER (
        PARTITION BY source_person_id
        ORDER BY has_ended, CASE status WHEN 'verified' THEN 1 WHEN 'stated' THEN 2 ELSE 3 END, place) = 1
),
born AS (
    SELECT source_person_id, read_partial_date(birth_date) AS birth_date,
           partial_date_precision(birth_date) AS precision,
           -- Of a date that stops at the month or year the last day: who may still be a child is one.
           CASE partial_date_precision(birth_date)
                WHEN 'year' THEN read_partial_date(birth_date) + INTERVAL 1 YEAR - INTERVAL 1 DAY
                WHEN 'month' THEN last_day(read_partial_date(birth_date))
                ELSE read_partial_date(birth_date) END > extracted_at::DATE - INTERVAL 18 YEAR AS is_under_18
    FROM people
)"""

# A Patient does not say whether it is a child. Under 18 by its date of birth it is; otherwise the date may be the
# mother's, typed on the child's record, and to state an adult would keep that child apart from its other records for
# good. Linkage works the role out of the date where none is stated. Kin named without a date may be children too.
_PERSON_RECORD = """
SELECT lineage, people.source_person_id, given_names, family_name, born.birth_date, precision AS birth_date_precision,
       CASE WHEN part = 'patient' THEN if(is_under_18, 'child', 'unknown')
            WHEN is_under_18 THEN 'unknown'
            WHEN is_under_18 IS NULL AND list_has_any(relationship_codes, [
                 'SIB', 'BRO', 'SIS', 'HSIB', 'STPSIB', 'CHILD', 'NCHILD', 'SON', 'DAU', 'COUSN', 'FRND', 'FAMMEMB'])
            THEN 'unknown' ELSE 'adult' END AS role,
       CASE WHEN born.birth_date IS NULL THEN tidy(people.birth_date) END AS birth_date_text,
       read_partial_date(deceased_date_time) AS death_date,
       as_sex_fhir(gender) AS sex, tidy(gender) AS sex_source_code,
       tidy(ethnic_category ->> '$.valueCodeableConcept.coding[0].code') AS ethnicity_source_code,
       as_ethnicity_nhs(if(ethnicity_source_code = '99', '99', left(ethnicity_source_code, 1))) AS ethnicity,
       nhs_number, status_code AS nhs_number_status, postcode, is_protected AS address_protected,
       read_instant(last_updated) AS recorded_at,
       list_filter([
           CASE WHEN part = 'patient' AND tidy(people.birth_date) IS NULL THEN 'no_birth_date' END,
           CASE WHEN born.birth_date IS NULL AND tidy(people.birth_date) IS NOT NULL THEN 'bad_birth_date' END,
           CASE WHEN born.birth_date > extracted_at::DATE THEN 'birth_date_in_future' END,
           CASE WHEN tidy(gender) IS NOT NULL AND as_sex_fhir(gender) IS NULL THEN 'unmapped_sex' END,
           CASE WHEN ethnicity_source_code IS NOT NULL AND ethnicity IS NULL THEN 'unmapped_ethnicity' END,
           CASE WHEN is_invalid THEN 'invalid_nhs_number' END,
           CASE WHEN NOT is_invalid AND is_test_nhs_number(nhs_number) THEN 'test_nhs_number' END,
           CASE WHEN is_pseudo_postcode(postcode) THEN 'pseudo_postcode'
                WHEN NOT is_postcode(postcode) THEN 'bad_postcode' END,
           CASE WHEN is_from_text THEN 'name_from_text' END,
           CASE WHEN is_multiple_birth THEN 'multiple_birth' END,
           CASE WHEN is_deceased OR death_date IS NOT NULL THEN 'deceased' END,
           CASE WHEN is_inactive THEN 'inactive_record' END
       ], lambda flag: flag IS NOT NULL) AS flags
FROM people
JOIN born USING (source_person_id)
LEFT JOIN named USING (source_person_id)
LEFT JOIN homes USING (source_person_id)
LEFT JOIN nhs_numbers USING (source_person_id)"""

_PERSON_NAME = """
SELECT lineage, source_person_id, given_names, family_name, valid_from, valid_to,
       read_instant(last_updated) AS recorded_at,
       CASE WHEN use IN ('old', 'maiden') THEN 'former'
            WHEN use IN ('nickname', 'temp', 'anonymous') THEN 'alias'
            WHEN has_ended AND preference > 1 THEN 'former'
            ELSE 'current' END AS kind
FROM names"""

_PERSON_ADDRESS = """
SELECT lineage, source_person_id, kind, address, postcode, uprn, is_protected AS protected, valid_from, valid_to,
       read_instant(last_updated) AS recorded_at
FROM addresses
WHERE address IS NOT NULL OR postcode IS NOT NULL OR uprn IS NOT NULL OR kind = 'no_fixed_abode'"""

_PERSON_IDENTIFIER = """
SELECT lineage, source_person_id, scheme, value, status, valid_from, valid_to, read_instant(last_updated) AS recorded_at
FROM identifiers
WHERE scheme IS NOT NULL"""

# The server's own id is a local number too; two records it declares to be one patient (a merge) share one through it.
_OWN_AND_MERGED_IDS = f"""
UNION
SELECT lineage, id AS source_person_id, 'local_patient_id' AS scheme, compact(id) AS value, 'stated' AS status,
       NULL::DATE AS valid_from, NULL::DATE AS valid_to, read_instant(last_updated) AS recorded_at
FROM {{rows}}
UNION
SELECT lineage, id, 'local_patient_id', compact({patient_in("link ->> '$.other.reference'")}), 'stated', NULL, NULL,
       read_instant(last_updated)
FROM (SELECT lineage, id, last_updated, unnest({items("link")}) AS link FROM {{rows}})
WHERE (link ->> '$.type') IN ('replaced-by', 'replaces') AND {patient_in("link ->> '$.other.reference'")} IS NOT NULL"""


def _mapped(code_list: str, text: str) -> str:
    """What a relationship is in the common model: the first of its codes known, else its text, no guess."""
    known = f"list_filter([as_relationship_fhir(code) FOR code IN {code_list}], lambda known: known IS NOT NULL)[1]"
    return f"coalesce({known}, as_relationship_fhir({text}), 'unmapped')"


_RELATED_PERSON_RELATIONSHIP = f"""
WITH related AS (
    SELECT lineage, extracted_at, id, last_updated, active, period, {patient_of("patient")} AS patient_id,
           unnest(if(coalesce(len({items("relationship")}), 0) = 0, [NULL::JSON], {items("relationship")})) AS relation
    FROM {{rows}}
),
stated AS (
    SELECT *, {_mapped(codes("relation"), label("relation"))} AS relationship,
           coalesce(nullif(array_to_string({codes("relation")}, ' '), ''), {label("relation")}) AS source_code
    FROM related
)
SELECT DISTINCT lineage, patient_id AS source_person_id, '{{feed}}:RelatedPerson/' || id AS other_record_id,
       relationship, source_code, read_partial_date({member("period", "start")}) AS valid_from,
       -- A record no longer in use ended, where no date is said, by the day we know it was out of use.
       coalesce(read_partial_date({member("period", "end")}),
                CASE WHEN active = 'false' THEN coalesce(read_instant(last_updated), extracted_at)::DATE END)
                    AS valid_to,
       read_instant(last_updated) AS recorded_at
FROM stated
WHERE patient_id IS NOT NULL"""

_CONTACT_RELATIONSHIP = f"""
WITH contacts AS (
    SELECT lineage, id, last_updated,
           unnest({items("contact")}) AS contact, generate_subscripts({items("contact")}, 1) AS place
    FROM {{rows}}
),
related AS (
    SELECT * EXCLUDE (contact), contact -> '$.period' AS period,
           unnest(if(len(json_extract(contact, '$.relationship[*]')) = 0, [NULL::JSON],
                     json_extract(contact, '$.relationship[*]'))) AS relation
    FROM contacts
    WHERE json_type(contact, '$.name') = 'OBJECT'
)
SELECT DISTINCT lineage, id AS source_person_id, '{{feed}}:' || id || '/contact/' || place AS other_record_id,
       {_mapped(codes("relation"), label("relation"))} AS relationship,
       coalesce(nullif(array_to_string({codes("relation")}, ' '), ''), {label("relation")}) AS source_code,
       read_partial_date(period ->> '$.start') AS valid_from, read_partial_date(period ->> '$.end') AS valid_to,
       read_instant(last_updated) AS recorded_at
FROM related"""

_GP_REGISTRATION = f"""
WITH registrations AS (
    SELECT lineage, id, last_updated, unnest({items("general_practitioner")}) AS practice
    FROM {{rows}} WHERE NOT {_IS_PROTECTED}
),
practices AS (
    SELECT lineage, id, last_updated, tidy(practice ->> '$.identifier.value') AS ods_code,
           tidy(practice ->> '$.display') AS name,
           read_partial_date(practice ->> '$.identifier.period.start') AS started_on,
           read_partial_date(practice ->> '$.identifier.period.end') AS ended_on
    FROM registrations
)
SELECT lineage, id AS source_person_id, concat_ws('/', coalesce(ods_code, name), started_on) AS ref,
       'gp_registration' AS kind, started_on, ended_on, concat_ws(' ', name, ods_code) AS detail,
       ods_code AS source_code, read_instant(last_updated) AS recorded_at
FROM practices
WHERE ods_code IS NOT NULL OR name IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY id, ref ORDER BY ended_on DESC NULLS FIRST) = 1"""


def _chain(*steps: str, select: str) -> str:
    return "WITH " + ",".join(steps) + select


def outputs() -> list[Output]:
    """Who the patients, their contacts and their related persons are."""
    found = [
        output
        for reads, people in (("patient", _PATIENTS), ("related_person", _RELATED_PERSONS))
        for output in (
            Output(
                "person_record", reads, _chain(people, _NAMES, _ADDRESSES, _IDENTIFIERS, _CHOSEN, select=_PERSON_RECORD)
            ),
            Output("person_name", reads, _chain(people, _NAMES, select=_PERSON_NAME)),
            Output("person_address", reads, _chain(people, _ADDRESSES, select=_PERSON_ADDRESS)),
        )
    ]
    return [
        *found,
        Output(
            "person_identifier",
            "patient",
            _chain(_PATIENTS, _IDENTIFIERS, select=_PERSON_IDENTIFIER + _OWN_AND_MERGED_IDS),
        ),
        Output(
            "person_identifier", "related_person", _chain(_RELATED_PERSONS, _IDENTIFIERS, select=_PERSON_IDENTIFIER)
        ),
        Output("relationship", "related_person", _RELATED_PERSON_RELATIONSHIP),
        Output("relationship", "patient", _CONTACT_RELATIONSHIP),
        Output("span", "patient", _GP_REGISTRATION),
    ]
