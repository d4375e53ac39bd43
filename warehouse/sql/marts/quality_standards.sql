-- quality_standards: one row per feed and standard, as of the last load that judged it.
-- sorted by: agency, feed, table_name, expectation
-- column new: Rows that began to fail with the feed's last news
-- column new_since: Load of the feed's last news, with which the new ones began to fail
-- column still: Rows that have been failing for longer
-- column fixed: Rows that failed until the feed's last news, and no longer do
-- column waived: Failing rows that are waived; all of them where the whole standard is
-- column open: Failing rows that are not waived
-- column expected_by: Earliest day by which what is open was promised to be put right at its source
-- column overdue: That day is past and it still fails
-- column failing_since: Load in which the row that has failed longest began to
WITH results AS (
    SELECT * FROM quality_result
),

nights AS (
    SELECT load_id, load_seq FROM night
),

judged AS (
    SELECT
        results.*,
        nights.load_seq = max(nights.load_seq) OVER (PARTITION BY results.agency, results.feed) AS is_last
    FROM results
    INNER JOIN nights ON results.load_id = nights.load_id
),

spells AS (
    SELECT
        failing_spell.agency,
        failing_spell.feed,
        failing_spell.expectation,
        count(*) FILTER (WHERE failing_spell.state = 'new') AS new,
        count(*) FILTER (WHERE failing_spell.state = 'still') AS still,
        count(*) FILTER (WHERE failing_spell.state = 'fixed') AS fixed,
        arg_min(failing_spell.failing_since, nights.load_seq) FILTER (WHERE failing_spell.ended_load_id IS NULL)
            AS failing_since
    FROM failing_spell
    INNER JOIN nights ON failing_spell.failing_since = nights.load_id
    GROUP BY failing_spell.agency, failing_spell.feed, failing_spell.expectation
),

treated AS (
    SELECT * FROM treated_standard
),

tonight AS (
    SELECT load_id, date FROM published_night
),

news AS (
    SELECT agency, feed, load_id FROM feed_news
),

waived AS (
    SELECT
        judged.*,
        treated.expected_by,
        CASE WHEN treated.waived_until IS NULL THEN coalesce(treated.waived, 0) ELSE judged.failed END AS waived
    FROM judged
    LEFT JOIN treated
        ON
            judged.agency = treated.agency
            AND judged.feed = treated.feed
            AND judged.expectation = treated.expectation
    WHERE judged.is_last
)

SELECT
    waived.load_id,
    waived.agency,
    waived.feed,
    waived.table_name,
    waived.expectation,
    waived.severity,
    waived.harm,
    waived.status,
    waived.evaluated,
    waived.failed,
    coalesce(spells.new, 0) AS new,
    CASE WHEN spells.new > 0 THEN news.load_id END AS new_since,
    coalesce(spells.still, 0) AS still,
    coalesce(spells.fixed, 0) AS fixed,
    spells.failing_since,
    waived.waived,
    waived.failed - waived.waived AS open,
    waived.expected_by,
    coalesce(waived.failed > waived.waived AND waived.expected_by < tonight.date, false) AS overdue,
    waived.message
FROM waived
LEFT JOIN spells
    ON
        waived.agency = spells.agency
        AND waived.feed = spells.feed
        AND waived.expectation = spells.expectation
LEFT JOIN news ON waived.agency = news.agency AND waived.feed = news.feed
CROSS JOIN tonight
