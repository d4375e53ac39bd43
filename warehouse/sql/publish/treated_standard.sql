-- treated_standard: one row per standard of which a row, or the whole, is waived or promised. `waived` counts rows that are waived by
-- themselves, `waived_until` and `promised_by` are there only where the whole standard is waived or promised; `expected_by` is the earliest
-- promise of what is not waived, a row's own going before that of its standard.
WITH of_rows AS (
    SELECT
        agency,
        feed,
        expectation,
        count(*) AS treated,
        count(waived_until) AS waived,
        min(expected_by) FILTER (WHERE waived_until IS NULL) AS expected_by,
        count(*) FILTER (WHERE waived_until IS NULL AND expected_by IS NULL) AS left_to_standard
    FROM treated_failure
    GROUP BY agency, feed, expectation
),

acts AS (
    SELECT * FROM quality_act WHERE status = 'stands' AND kind IN ('waive', 'expect') AND row_key IS NULL
),

tonight AS (
    SELECT date FROM published_night
),

of_standards AS (
    SELECT
        acts.agency,
        acts.feed,
        acts.expectation,
        max(acts.until) FILTER (WHERE acts.kind = 'waive' AND acts.until >= tonight.date) AS waived_until,
        max(acts.until) FILTER (WHERE acts.kind = 'expect') AS promised_by
    FROM acts
    CROSS JOIN tonight
    GROUP BY acts.agency, acts.feed, acts.expectation
),

-- Only of standards that are promised as a whole and of which rows are treated by themselves: is there a row of which no act speaks?
failing AS (
    SELECT failing_spell.agency, failing_spell.feed, failing_spell.expectation, count(DISTINCT failing_spell.raw_row_id) AS failing_rows
    FROM failing_spell
    SEMI JOIN (
        SELECT agency, feed, expectation FROM of_standards WHERE promised_by IS NOT NULL AND waived_until IS NULL
        INTERSECT
        SELECT agency, feed, expectation FROM of_rows
    ) AS asked
        ON
            failing_spell.agency = asked.agency
            AND failing_spell.feed = asked.feed
            AND failing_spell.expectation = asked.expectation
    WHERE failing_spell.ended_load_id IS NULL
    GROUP BY failing_spell.agency, failing_spell.feed, failing_spell.expectation
)

SELECT
    coalesce(of_rows.agency, of_standards.agency) AS agency,
    coalesce(of_rows.feed, of_standards.feed) AS feed,
    coalesce(of_rows.expectation, of_standards.expectation) AS expectation,
    coalesce(of_rows.waived, 0) AS waived,
    of_standards.waived_until,
    of_standards.promised_by,
    CASE
        WHEN of_standards.waived_until IS NOT NULL OR of_rows.expected_by IS NULL THEN of_standards.promised_by
        WHEN of_rows.left_to_standard > 0 OR failing.failing_rows > of_rows.treated
            THEN least(of_rows.expected_by, of_standards.promised_by)
        ELSE of_rows.expected_by
    END AS expected_by
FROM of_rows
FULL OUTER JOIN of_standards
    ON
        of_rows.agency = of_standards.agency
        AND of_rows.feed = of_standards.feed
        AND of_rows.expectation = of_standards.expectation
LEFT JOIN failing
    ON
        of_rows.agency = failing.agency
        AND of_rows.feed = failing.feed
        AND of_rows.expectation = failing.expectation
