-- protected_row: one row per received row that says something of a protected person.
WITH people AS (
    SELECT record_id FROM protected_record
),

rows_used AS (
    SELECT raw_row_id, record_id FROM person_record
    UNION ALL
    SELECT raw_row_id, record_id FROM person_address
    UNION ALL
    SELECT raw_row_id, record_id FROM person_name
    UNION ALL
    SELECT raw_row_id, record_id FROM person_identifier
    UNION ALL
    SELECT raw_row_id, record_id FROM relationship
    UNION ALL
    SELECT raw_row_id, record_id FROM event
    UNION ALL
    SELECT raw_row_id, record_id FROM span
)

SELECT DISTINCT raw_row_id
FROM rows_used
WHERE raw_row_id IS NOT NULL AND record_id IN (SELECT record_id FROM people)
