-- quality_failures: one row per received row and expectation it fails, while the row is current.
-- sorted by: agency, feed, expectation, source_file, row_number
-- column column: Column that fails
-- column address_protected: The row is about somebody whose address is restricted, or holds such an address
WITH failures AS (
    SELECT * FROM quality_failure
),

protected_rows AS (
    SELECT raw_row_id FROM protected_row
),

protected_people AS (
    SELECT DISTINCT agency, source_person_id FROM protected_record
),

protected_tokens AS (
    SELECT token FROM protected_token
)

SELECT
    failures.load_id,
    failures.agency,
    failures.feed,
    failures.table_name,
    failures.expectation,
    failures.severity,
    failures.source_file,
    failures.row_number,
    failures.local_id,
    failures.column_name AS "column",
    failures.value,
    failures.hint,
    failures.raw_row_id,
    failures.raw_row_id IN (SELECT raw_row_id FROM protected_rows)
    OR EXISTS (
        SELECT 1
        FROM protected_people
        WHERE
            failures.agency = protected_people.agency
            AND failures.local_id = protected_people.source_person_id
    )
    OR coalesce(replace(upper(failures.value), ' ', '') IN (SELECT token FROM protected_tokens), false)
        AS address_protected
FROM failures
