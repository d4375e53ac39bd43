-- records: one row per person record as its source gives it now; none is ever left out.
-- sorted by: person_id, record_id
-- changes with: record_id
-- column person_id: Person the record is about; empty while it is not linked
-- column address_protected: The address is restricted, or that of somebody in the household is
WITH versions AS (
    SELECT *, coalesce(superseded_at, TIMESTAMP 'infinity') AS known_until FROM person_record
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link
),

protected_people AS (
    SELECT person_id FROM protected_person
),

protected_records AS (
    SELECT record_id FROM protected_record
)

SELECT
    links.person_id,
    versions.record_id,
    versions.agency,
    versions.feed,
    versions.source_person_id,
    versions.role,
    versions.given_names,
    versions.family_name,
    versions.birth_date,
    versions.birth_date_precision,
    versions.birth_date_text,
    versions.expected_birth_date,
    versions.death_date,
    versions.sex,
    versions.ethnicity,
    versions.nhs_number,
    versions.nhs_number_status,
    versions.upn,
    versions.postcode,
    coalesce(versions.address_protected, false)
    OR protected_people.person_id IS NOT NULL
    OR protected_records.record_id IS NOT NULL AS address_protected,
    versions.valid_from,
    versions.valid_to,
    versions.recorded_at,
    versions.extracted_at,
    versions.loaded_at,
    versions.load_id,
    versions.flags,
    greatest(versions.loaded_at, links.known_from) AS known_from,
    nullif(least(versions.known_until, coalesce(links.known_to, 'infinity')), 'infinity') AS known_to
FROM versions
LEFT JOIN links
    ON
        versions.record_id = links.record_id
        AND links.known_from < versions.known_until
        AND versions.loaded_at < links.known_to
LEFT JOIN protected_people ON links.person_id = protected_people.person_id
LEFT JOIN protected_records ON versions.record_id = protected_records.record_id
