-- Bank holidays of England in the years of this return, worked out: Easter by the Gregorian computus (Meeus), the others by
-- their day in the month, with the single ones proclaimed from 2020 on.
WITH of_year AS (
    SELECT unnest(range(year(max(referencedate)) - 1, year(max(referencedate)) + 1))::INTEGER AS y FROM {this_child}
),
golden AS (
    SELECT y, y % 19 AS a, y // 100 AS b, y % 100 AS c FROM of_year
),
epact AS (
    SELECT *, (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30 AS h FROM golden
),
weekday AS (
    SELECT *, (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7 AS l FROM epact
),
moon AS (
    SELECT *, (h + l - 7 * ((a + 11 * h + 22 * l) // 451) + 114)::INTEGER AS n FROM weekday
),
fixed AS (
    SELECT
        y::INTEGER AS y,
        make_date(y, (n // 31)::INTEGER, (n % 31 + 1)::INTEGER) AS easter,
        make_date(y, 1, 1) AS new_year,
        make_date(y, 5, 1) AS may,
        make_date(y, 5, 31) AS end_of_may,
        make_date(y, 8, 31) AS end_of_august,
        make_date(y, 12, 25) AS christmas
    FROM moon
),
day AS (
    SELECT unnest([
        -- On a weekend the first working day after it, for Christmas and Boxing Day one each.
        new_year + CASE isodow(new_year) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END,
        easter - 2,
        easter + 1,
        CASE WHEN y = 2020 THEN DATE '2020-05-08' ELSE may + (8 - isodow(may)::INTEGER) % 7 END,
        CASE WHEN y = 2022 THEN DATE '2022-06-02' ELSE end_of_may - (isodow(end_of_may)::INTEGER - 1) END,
        end_of_august - (isodow(end_of_august)::INTEGER - 1),
        christmas + CASE WHEN isodow(christmas) >= 6 THEN 2 ELSE 0 END,
        christmas + CASE isodow(christmas) WHEN 5 THEN 3 WHEN 6 THEN 3 WHEN 7 THEN 1 ELSE 1 END,
        CASE y WHEN 2022 THEN DATE '2022-06-03' WHEN 2023 THEN DATE '2023-05-08' END,
        CASE y WHEN 2022 THEN DATE '2022-09-19' END
    ])::DATE AS day
    FROM fixed
)
SELECT day FROM day WHERE day IS NOT NULL
