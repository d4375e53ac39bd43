-- treated_standard: one row per standard of which a row, or the whole, is waived or promised. `waived` counts rows,
-- `waived_until` is there only where the whole standard is waived; the promise is the earliest of what is not waived.
WITH rows_treated AS (
    SELECT * FROM treated_failure
),

acts AS (
    SELECT * FROM quality_act WHERE status = 'stands' AND kind IN ('waive', 'expect') AND row_key IS NULL
),

tonight AS (
    SELECT date FROM published_night
),

of_rows AS (
    SELECT
        agency,
        feed,
        expectation,
        count(waived_until) AS waived,
        min(expected_by) FILTER (WHERE waived_until IS NULL) AS expected_by
    FROM rows_treated
    GROUP BY agency, feed, expectation
),

of_standards AS (
    SELECT
        acts.agency,
        acts.feed,
        acts.expectation,
        max(acts.until) FILTER (WHERE acts.kind = 'waive' AND acts.until >= tonight.date) AS waived_until,
        max(acts.until) FILTER (WHERE acts.kind = 'expect') AS expected_by
    FROM acts
    CROSS JOIN tonight
    GROUP BY acts.agency, acts.feed, acts.expectation
)

SELECT
    coalesce(of_rows.agency, of_standards.agency) AS agency,
    coalesce(of_rows.feed, of_standards.feed) AS feed,
    coalesce(of_rows.expectation, of_standards.expectation) AS expectation,
    coalesce(of_rows.waived, 0) AS waived,
    of_standards.waived_until,
    coalesce(of_rows.expected_by, of_standards.expected_by) AS expected_by
FROM of_rows
FULL OUTER JOIN of_standards
    ON
        of_rows.agency = of_standards.agency
        AND of_rows.feed = of_standards.feed
        AND of_rows.expectation = of_standards.expectation
