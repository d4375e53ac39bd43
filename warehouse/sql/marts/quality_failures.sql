-- quality_failures: one row per received row and expectation it fails, while the row is current.
-- sorted by: agency, feed, expectation, source_file, row_number
-- column load_id: Load in which it was found
-- column column: Column that fails
-- column state: new (began with the feed's last news) or still (failing for longer)
-- column waived_until: Waived, by a person, up to and including this day; not counted as open
-- column expected_by: Promised to be put right at its source by this day
-- column address_protected: The row is about somebody whose address is restricted, or holds such an address
WITH failures AS (
    SELECT * FROM failing_spell WHERE ended_load_id IS NULL
),

treated AS (
    SELECT * FROM treated_failure
),

standards AS (
    SELECT * FROM treated_standard
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
    coalesce(failures.sent_again_load_id, failures.failing_since) AS load_id,
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
    failures.row_key,
    failures.failing_since,
    failures.state,
    greatest(treated.waived_until, standards.waived_until) AS waived_until,
    coalesce(treated.expected_by, standards.promised_by) AS expected_by,
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
LEFT JOIN treated
    ON
        failures.agency = treated.agency
        AND failures.feed = treated.feed
        AND failures.expectation = treated.expectation
        AND failures.raw_row_id = treated.raw_row_id
LEFT JOIN standards
    ON
        failures.agency = standards.agency
        AND failures.feed = standards.feed
        AND failures.expectation = standards.expectation
