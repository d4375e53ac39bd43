-- The census year of this return as its header has it: it ends on the reference date and began a year before. With the last
-- working day before it.
WITH said AS (
    SELECT max(referencedate) AS ends, (max(referencedate) - INTERVAL 1 YEAR + INTERVAL 1 DAY)::DATE AS starts
    FROM {this_child}
)
SELECT starts, ends, (SELECT max(day) FROM {working_days} WHERE day < starts) AS working_day_before FROM said
