-- quality_standards: one row per feed and standard, as of the last load that judged it.
-- sorted by: agency, feed, table_name, expectation
-- column new: Rows that began to fail with the feed's last news
-- column still: Rows that have been failing for longer
-- column fixed: Rows that failed until the feed's last news, and no longer do
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
)

SELECT
    judged.load_id,
    judged.agency,
    judged.feed,
    judged.table_name,
    judged.expectation,
    judged.severity,
    judged.harm,
    judged.status,
    judged.evaluated,
    judged.failed,
    coalesce(spells.new, 0) AS new,
    coalesce(spells.still, 0) AS still,
    coalesce(spells.fixed, 0) AS fixed,
    spells.failing_since,
    judged.message
FROM judged
LEFT JOIN spells
    ON
        judged.agency = spells.agency
        AND judged.feed = spells.feed
        AND judged.expectation = spells.expectation
WHERE judged.is_last
