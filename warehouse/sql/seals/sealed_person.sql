-- sealed_person: one row per person and other person from whom a seal keeps them apart, each way.
WITH links AS (
    SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL
),

pairs AS (
    SELECT one.person_id, other.person_id AS other_person_id
    FROM sealed_record
    INNER JOIN links AS one ON sealed_record.record_a = one.record_id
    INNER JOIN links AS other ON sealed_record.record_b = other.record_id
    WHERE one.person_id <> other.person_id
)

SELECT person_id, other_person_id FROM pairs
UNION
SELECT other_person_id, person_id FROM pairs
