-- treated_failure: one row per failing row that is waived or whose correction is promised. A row's own promise goes before
-- that of its whole standard; a waiver counts up to and including its day.
WITH failing AS (
    SELECT agency, feed, expectation, raw_row_id, row_key FROM failing_spell WHERE ended_load_id IS NULL
),

acts AS (
    SELECT * FROM quality_act WHERE status = 'stands' AND kind IN ('waive', 'expect')
),

tonight AS (
    SELECT date FROM published_night
)

SELECT
    failing.agency,
    failing.feed,
    failing.expectation,
    failing.raw_row_id,
    max(acts.until) FILTER (WHERE acts.kind = 'waive' AND acts.until >= tonight.date) AS waived_until,
    coalesce(
        max(acts.until) FILTER (WHERE acts.kind = 'expect' AND acts.row_key IS NOT NULL),
        max(acts.until) FILTER (WHERE acts.kind = 'expect')
    ) AS expected_by
FROM failing
INNER JOIN acts
    ON
        failing.agency = acts.agency
        AND failing.feed = acts.feed
        AND failing.expectation = acts.expectation
        AND coalesce(acts.row_key, failing.row_key) = failing.row_key
CROSS JOIN tonight
GROUP BY failing.agency, failing.feed, failing.expectation, failing.raw_row_id
