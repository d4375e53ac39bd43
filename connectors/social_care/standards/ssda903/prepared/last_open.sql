-- The episode of each child that was open when last year's return ended.
SELECT * FROM {last_episodes}
QUALIFY row_number() OVER (PARTITION BY child ORDER BY decom DESC NULLS LAST, row_number DESC) = 1 AND dec IS NULL
