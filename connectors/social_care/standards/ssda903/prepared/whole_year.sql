-- Children looked after without a break from the first day of the collection year to its last, short breaks (V3, V4) aside.
WITH care AS (
    SELECT child, decom, dec, lag(dec) OVER in_order IS DISTINCT FROM decom AS begins
    FROM {this_episodes}
    WHERE ls NOT IN ('V3', 'V4')
    WINDOW in_order AS (PARTITION BY child ORDER BY decom NULLS LAST, row_number)
),
stretch AS (
    SELECT child, decom, dec, sum(begins::INTEGER) OVER (PARTITION BY child ORDER BY decom NULLS LAST) AS number
    FROM care
)
SELECT child FROM (
    SELECT child FROM stretch
    GROUP BY child, number
    HAVING min(decom) <= {collection_start} AND bool_or(dec IS NULL OR dec > {collection_end})
) GROUP BY child
