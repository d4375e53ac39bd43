-- Children looked after for all of the collection year, as the guide of the collection asks it: some episode touches the year,
-- and none shows a break: no new start after its first day, no leaving before its last, no short break (V3, V4) within it.
WITH told AS (
    SELECT
        child,
        coalesce(decom <= {collection_end} AND (dec IS NULL OR dec >= {collection_start}), false) AS in_year,
        coalesce(rne = 'S' AND decom > {collection_start} AND decom <= {collection_end}, false) AS starts,
        coalesce(rec IS DISTINCT FROM 'X1' AND dec >= {collection_start} AND dec < {collection_end}, false) AS leaves,
        coalesce(ls IN ('V3', 'V4'), false) AS short_break
    FROM {this_episodes}
)
SELECT child FROM told
WHERE child IS NOT NULL
GROUP BY child
HAVING bool_or(in_year) AND NOT bool_or(starts OR leaves OR (short_break AND in_year))
