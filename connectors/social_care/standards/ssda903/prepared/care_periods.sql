-- Times in care of each child of this return: episodes without a gap between them. `ended` is blank while the last one goes on.
WITH told AS (
    SELECT
        child, decom, dec, row_number,
        coalesce(decom > lag(dec) OVER in_order, row_number() OVER in_order = 1) AS begins
    FROM {this_episodes}
    WHERE child IS NOT NULL AND decom IS NOT NULL
    WINDOW in_order AS (PARTITION BY child ORDER BY decom, row_number)
),
numbered AS (
    SELECT *, count(*) FILTER (begins) OVER (PARTITION BY child ORDER BY decom, row_number) AS period FROM told
)
SELECT child, min(decom) AS began, last(dec ORDER BY decom, row_number) AS ended FROM numbered GROUP BY child, period
