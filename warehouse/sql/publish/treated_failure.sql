-- treated_failure: one row per failing row of which an act speaks by itself: it is waived, or its correction is promised. Acts on a whole
-- standard are in treated_standard. A waiver counts up to and including its day.
WITH failing AS (
    SELECT agency, feed, expectation, raw_row_id, row_key FROM failing_spell WHERE ended_load_id IS NULL
),

acts AS (
    SELECT * FROM quality_act WHERE status = 'stands' AND kind IN ('waive', 'expect') AND row_key IS NOT NULL
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
    max(acts.until) FILTER (WHERE acts.kind = 'expect') AS expected_by
FROM failing
INNER JOIN acts
    ON
        failing.agency = acts.agency
        AND failing.feed = acts.feed
        AND failing.expectation = acts.expectation
        AND failing.row_key = acts.row_key
CROSS JOIN tonight
GROUP BY failing.agency, failing.feed, failing.expectation, failing.raw_row_id
