-- aggregates: one row per month, thing counted, area and group: how many children, so that no small number can be worked out.
-- sorted by: topic, measure, agencies, area, grouped_by, group_name, month
-- column month: First day of a month that is over; what is open is counted at its end
-- column topic: caseload (open at the month's end), flow (in the month), timeliness or overlap (of whom agencies tell something)
-- column measure: What is counted: a kind of span, one begun or ended, an event type, or a time limit kept (docs/aggregates.md)
-- column agencies: The agency that tells it; of overlap one agency, or two that both tell something of the child
-- column area: Postcode district of the home, or all
-- column grouped_by: all, sex, age_band or ethnicity
-- column group_name: The group; all where the row is about everybody
-- column children: Children, near enough: moved by chance and rounded. Empty: few, or none
-- column of_children: Of timeliness: out of how many, moved and rounded likewise
-- column share: children of of_children, both as shown
--
-- How figures are protected, and why so, is docs/decisions/0014. In short: nothing smaller than the policy says is shown; every other
-- figure, totals too, is moved by a chance of its own and rounded. The chance follows from a secret, what the figure is of and who is
-- counted in it, so that one asked for again is the same, and one of whom somebody joined or left is drawn anew.
WITH counted AS (
    SELECT * FROM counted_child
),

secret AS (
    SELECT getvariable('aggregate_salt') AS salt, getvariable('smallest_shown') AS smallest, getvariable('rounded_to') AS step
),

members AS (
    SELECT people.person_id, CAST('0x' || left(sha256(secret.salt || people.person_id || secret.salt), 15) AS UBIGINT) AS member
    FROM (SELECT DISTINCT person_id FROM counted) AS people
    CROSS JOIN secret
),

cells AS (
    SELECT
        counted.month,
        counted.topic,
        counted.measure,
        counted.agencies,
        if(grouping(counted.area) = 1, 'all', counted.area) AS area,
        CASE
            WHEN grouping(counted.sex) = 0 THEN 'sex'
            WHEN grouping(counted.age_band) = 0 THEN 'age_band'
            WHEN grouping(counted.ethnicity) = 0 THEN 'ethnicity'
            ELSE 'all'
        END AS grouped_by,
        coalesce(counted.sex, counted.age_band, counted.ethnicity, 'all') AS group_name,
        count(*) FILTER (WHERE counted.in_time IS NOT FALSE) AS children,
        bit_xor(members.member) FILTER (WHERE counted.in_time IS NOT FALSE) AS who,
        count(*) FILTER (WHERE counted.in_time IS NOT NULL) AS of_children,
        bit_xor(members.member) FILTER (WHERE counted.in_time IS NOT NULL) AS of_whom
    FROM counted
    INNER JOIN members ON counted.person_id = members.person_id
    GROUP BY
        counted.month, counted.topic, counted.measure, counted.agencies,
        GROUPING SETS (
            (), (counted.sex), (counted.age_band), (counted.ethnicity),
            (counted.area), (counted.area, counted.sex), (counted.area, counted.age_band), (counted.area, counted.ethnicity)
        )
),

sides AS (
    SELECT *, 'children' AS side, children AS count, who AS counted_in FROM cells
    UNION ALL
    SELECT *, 'of_children' AS side, of_children AS count, of_whom AS counted_in FROM cells
),

drawn AS (
    SELECT
        sides.* EXCLUDE (children, of_children, who, of_whom, counted_in),
        sha256(concat_ws(
            '|', secret.salt, topic, measure, agencies, area, grouped_by, group_name, side, CAST(counted_in AS VARCHAR), secret.salt
        )) AS draw,
        secret.smallest,
        secret.step
    FROM sides
    CROSS JOIN secret
    WHERE count >= secret.smallest AND area IS NOT NULL
),

-- No move for one draw in three; else one step up or down, and with each further toss of a coin one step more.
moved AS (
    SELECT
        *,
        CAST('0x' || substr(draw, 1, 12) AS UBIGINT) / 281474976710656.0 AS chance,
        if(CAST('0x' || substr(draw, 13, 1) AS INTEGER) < 8, -1, 1) AS direction
    FROM drawn
),

rounded AS (
    SELECT
        * EXCLUDE (draw, chance, direction),
        CAST(
            step * floor((
                count + if(chance < 1 / 3.0, 0, direction * (1 + floor(-log2((1 - chance) * 1.5)))) + step / 2.0
            ) / step) AS BIGINT
        ) AS figure
    FROM moved
),

shown AS (
    SELECT
        month,
        topic,
        measure,
        agencies,
        area,
        grouped_by,
        group_name,
        any_value(figure) FILTER (WHERE side = 'children' AND figure >= smallest) AS children,
        any_value(figure) FILTER (WHERE side = 'of_children' AND figure >= smallest) AS of_children
    FROM rounded
    GROUP BY ALL
),

totals AS (
    SELECT * FROM shown WHERE grouped_by = 'all' AND if(topic = 'timeliness', of_children, children) IS NOT NULL
),

-- Every group there is, never those that somebody is in: a row must not tell few from none.
groups (grouped_by, group_name) AS (
    VALUES
    ('sex', 'female'), ('sex', 'male'), ('sex', 'other or not known'),
    ('age_band', 'unborn'), ('age_band', 'under 1'), ('age_band', '1 to 4'), ('age_band', '5 to 9'), ('age_band', '10 to 15'),
    ('age_band', '16 and 17'), ('age_band', '18 to 24'), ('age_band', 'not known'),
    ('ethnicity', 'Asian'), ('ethnicity', 'Black'), ('ethnicity', 'mixed'), ('ethnicity', 'white'), ('ethnicity', 'other'),
    ('ethnicity', 'not known')
),

laid_out AS (
    SELECT * FROM totals
    UNION ALL BY NAME
    SELECT
        totals.month,
        totals.topic,
        totals.measure,
        totals.agencies,
        totals.area,
        groups.grouped_by,
        groups.group_name,
        shown.children,
        shown.of_children
    FROM totals
    CROSS JOIN groups
    LEFT JOIN shown
        ON
            totals.month = shown.month
            AND totals.topic = shown.topic
            AND totals.measure = shown.measure
            AND totals.agencies = shown.agencies
            AND totals.area = shown.area
            AND groups.grouped_by = shown.grouped_by
            AND groups.group_name = shown.group_name
),

-- Chance may move a part above its whole; least() would take an empty figure for the other one.
fitted AS (
    SELECT * REPLACE (if(children > of_children, of_children, children) AS children) FROM laid_out
)

SELECT
    month,
    topic,
    measure,
    agencies,
    area,
    grouped_by,
    group_name,
    children,
    of_children,
    round(children / of_children, 2) AS share
FROM fitted
