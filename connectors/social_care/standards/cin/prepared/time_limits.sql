-- The days 45 and 15 working days before the census year ends, or before tonight while it still runs: many councils keep a return
-- running through the year, and what has begun this week is not late because the year ends in spring.
WITH before AS (
    SELECT day FROM {working_days}
    WHERE day < (SELECT least(ends, {today}) FROM {census_year}) ORDER BY day DESC LIMIT 45
),
counted AS (
    SELECT day, row_number() OVER (ORDER BY day DESC) AS number FROM before
)
SELECT
    max(day) FILTER (number = 45) AS working_days_45_before,
    max(day) FILTER (number = 15) AS working_days_15_before
FROM counted
