-- Each episode with the beginning and end of the stretch of one legal status it is part of.
WITH told AS (
    SELECT *, coalesce(ls = prev_ls AND decom = prev_dec, false) AS goes_on FROM {episodes}
),
numbered AS (
    SELECT *, count(*) FILTER (NOT goes_on) OVER (PARTITION BY child ORDER BY place_in_order) AS run FROM told
)
SELECT raw_row_id, child, ls, min(decom) OVER stretch AS began, max(CASE WHEN dec_text IS NULL THEN ended ELSE dec END) OVER stretch AS ended
FROM numbered
WINDOW stretch AS (PARTITION BY child, run)
