-- protected_record: one row per current record of a protected person, or that is itself restricted though not linked.
WITH records AS (
    SELECT record_id, person_id, agency, source_person_id, address_protected FROM current_record
),

restricted_addresses AS (
    SELECT record_id FROM current_address WHERE protected
),

people AS (
    SELECT person_id FROM protected_person
)

SELECT record_id, agency, source_person_id
FROM records
WHERE
    address_protected
    OR person_id IN (SELECT person_id FROM people)
    OR record_id IN (SELECT record_id FROM restricted_addresses)
