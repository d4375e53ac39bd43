-- quality_results: one row per load, feed and expectation.
-- sorted by: load_id, agency, feed, table_name, expectation
WITH results AS (
    SELECT * FROM quality_result
),

nights AS (
    SELECT load_id, started_at FROM night
)

SELECT
    results.load_id,
    results.agency,
    results.feed,
    results.table_name,
    results.expectation,
    results.severity,
    results.harm,
    results.evaluated,
    results.failed,
    results.status,
    results.message,
    nights.started_at AS known_from,
    CAST(NULL AS TIMESTAMP) AS known_to
FROM results
LEFT JOIN nights ON results.load_id = nights.load_id
