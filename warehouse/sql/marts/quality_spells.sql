-- quality_spells: one row per row of a feed and standard, from the load in which it began to fail to the one in which it no longer did.
-- sorted by: agency, feed, expectation, row_key, failing_since
-- column column: Column that fails
-- column state: new (began with the feed's last news), still (failing for longer), fixed (ended with the last news), past
-- column address_protected: The row is about somebody whose address is restricted, or holds such an address
WITH spells AS (
    SELECT * FROM failing_spell
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
    spells.agency,
    spells.feed,
    spells.table_name,
    spells.expectation,
    spells.severity,
    spells.row_key,
    spells.raw_row_id,
    spells.source_file,
    spells.row_number,
    spells.local_id,
    spells.column_name AS "column",
    spells.value,
    spells.hint,
    spells.failing_since,
    spells.ended_load_id,
    spells.ended,
    spells.state,
    spells.raw_row_id IN (SELECT raw_row_id FROM protected_rows)
    OR EXISTS (
        SELECT 1
        FROM protected_people
        WHERE
            spells.agency = protected_people.agency
            AND spells.local_id = protected_people.source_person_id
    )
    OR coalesce(replace(upper(spells.value), ' ', '') IN (SELECT token FROM protected_tokens), false)
        AS address_protected
FROM spells
