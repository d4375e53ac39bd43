-- The census year of this return as its header has it: it ends on the reference date and began a year before. With the last
-- working day before it, and those 45 and 15 working days before its end.
WITH said AS (
    SELECT max(referencedate) AS ends, (max(referencedate) - INTERVAL 1 YEAR + INTERVAL 1 DAY)::DATE AS starts
    FROM {this_child}
),
working_day AS (
    SELECT day FROM (
        SELECT unnest(generate_series(starts - INTERVAL 30 DAY, ends, INTERVAL 1 DAY))::DATE AS day FROM said
    )
    WHERE isodow(day) < 6 AND day NOT IN (SELECT day FROM {bank_holidays})
)
SELECT
    starts,
    ends,
    (SELECT max(day) FROM working_day WHERE day < starts) AS working_day_before,
    (SELECT min(day) FROM (SELECT day FROM working_day WHERE day < ends ORDER BY day DESC LIMIT 45))
        AS working_days_45_before_end,
    (SELECT min(day) FROM (SELECT day FROM working_day WHERE day < ends ORDER BY day DESC LIMIT 15))
        AS working_days_15_before_end
FROM said
