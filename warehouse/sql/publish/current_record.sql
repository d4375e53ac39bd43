-- current_record: one row per current person record with the person it is about (none while it is not linked). A source
-- may describe one record_id twice, so that record_id alone is no key here.
-- `verified`: its NHS number has been traced and verified, so that somebody has checked these demographics.
WITH records AS (
    SELECT * FROM person_record WHERE superseded_at IS NULL
),

links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current
),

verified_numbers AS (
    SELECT DISTINCT record_id
    FROM person_identifier
    WHERE superseded_at IS NULL AND scheme = 'nhs_number' AND status = 'verified'
)

SELECT
    records.record_id,
    links.person_id,
    records.agency,
    records.feed,
    records.source_person_id,
    records.role,
    records.given_names,
    records.family_name,
    records.birth_date,
    records.birth_date_precision,
    records.expected_birth_date,
    records.death_date,
    records.sex,
    records.ethnicity,
    records.nhs_number,
    records.upn,
    records.postcode,
    coalesce(records.address_protected, false) AS address_protected,
    records.flags,
    records.recorded_at,
    records.extracted_at,
    records.loaded_at,
    records.load_id,
    coalesce(records.nhs_number_status = '01', false) OR verified_numbers.record_id IS NOT NULL AS verified
FROM records
LEFT JOIN links ON records.record_id = links.record_id
LEFT JOIN verified_numbers ON records.record_id = verified_numbers.record_id
