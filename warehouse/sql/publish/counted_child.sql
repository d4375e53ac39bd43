-- counted_child: one row per child and thing they are counted under in the aggregates (month, topic, measure, agencies), with the
-- groups they are counted in. `in_time`: for what has a time limit, whether all of it was kept for this child.
--
-- Counted are the thirteen months that are over, so that each can be held beside the same month of the year before, and so that a
-- figure stands still once its month is over but for what is told late. A child is who was under 18 or unborn at the month's end,
-- one without a birth date whom a source calls a child, and up to 25 who was looked after or is a care leaver.
WITH months AS (
    SELECT
        CAST(unnest(generate_series(first_of - INTERVAL 13 MONTH, first_of - INTERVAL 1 MONTH, INTERVAL 1 MONTH)) AS DATE) AS month
    FROM (SELECT date_trunc('month', date) AS first_of FROM published_night)
),

last_month AS (
    SELECT max(month) AS month FROM months
),

-- The work of a case: spans that somebody holds and that end. Enrolments, registrations and needs are no caseload.
cases AS (
    SELECT person_id, agency, kind, started_on, ended_on
    FROM current_span
    WHERE kind IN (
        'early_help', 'cin_episode', 'section_47_enquiry', 'child_in_need_plan', 'child_protection_plan', 'looked_after',
        'care_leaver', 'education_health_care_plan', 'missing'
    )
),

-- What an agency raises, and the steps that social care answers with.
raised AS (
    SELECT person_id, agency, event_type, happened_on, occurred_on, recorded_at
    FROM current_event
    WHERE
        polarity = 'concern'
        OR event_type IN ('contact', 'early_help', 'assessment_start', 'assessment_complete', 'icpc')
),

caseload AS (
    SELECT DISTINCT months.month, 'caseload' AS topic, cases.kind AS measure, cases.agency AS agencies, cases.person_id
    FROM cases
    INNER JOIN months
        ON
            coalesce(cases.started_on, DATE '-infinity') <= last_day(months.month)
            AND coalesce(cases.ended_on, DATE 'infinity') > last_day(months.month)
),

flow AS (
    SELECT date_trunc('month', started_on) AS month, kind || '_started' AS measure, agency AS agencies, person_id
    FROM cases
    UNION
    SELECT date_trunc('month', ended_on) AS month, kind || '_ended' AS measure, agency AS agencies, person_id
    FROM cases
    UNION
    SELECT date_trunc('month', happened_on) AS month, event_type AS measure, agency AS agencies, person_id
    FROM raised
),

-- What Working Together to Safeguard Children gives a time for, from the step before to the step itself.
answered AS (
    SELECT person_id, agency, happened_on, 'assessment_start' AS begins, 45 AS working_days, 'assessment_in_45_working_days' AS measure
    FROM raised
    WHERE event_type = 'assessment_complete'
    UNION ALL
    SELECT person_id, agency, happened_on, 'strategy_discussion' AS begins, 15 AS working_days, 'conference_in_15_working_days' AS measure
    FROM raised
    WHERE event_type = 'icpc'
),

steps AS (
    SELECT person_id, agency, event_type, happened_on FROM raised
),

timed AS (
    SELECT
        answered.measure,
        answered.agency,
        answered.person_id,
        answered.working_days,
        steps.happened_on AS begun_on,
        answered.happened_on AS done_on
    FROM answered
    ASOF INNER JOIN steps
        ON
            answered.person_id = steps.person_id
            AND answered.agency = steps.agency
            AND answered.begins = steps.event_type
            AND answered.happened_on >= steps.happened_on
    UNION ALL
    -- Whether a referral is taken up is to be decided within one working day: what is written down later cannot be there for it.
    SELECT
        'recorded_by_next_working_day' AS measure,
        agency,
        person_id,
        1 AS working_days,
        occurred_on AS begun_on,
        CAST(recorded_at AS DATE) AS done_on
    FROM raised
    WHERE occurred_on IS NOT NULL AND recorded_at IS NOT NULL AND happened_on >= (SELECT min(month) FROM months)
),

-- Weekdays after the day it began. A bank holiday counts as one, so that no figure flatters.
timeliness AS (
    SELECT
        date_trunc('month', done_on) AS month,
        measure,
        agency AS agencies,
        person_id,
        bool_and(
            date_diff('day', begun_on, done_on) <= working_days
            OR len(list_filter(range(1, date_diff('day', begun_on, done_on) + 1), lambda n: isodow(begun_on + CAST(n AS INTEGER)) < 6))
            <= working_days
        ) AS in_time
    FROM timed
    GROUP BY ALL
),

-- Whom an agency tells something of that month: something happened, or something was open.
told AS (
    SELECT current_event.person_id, current_event.agency
    FROM current_event
    INNER JOIN last_month ON date_trunc('month', current_event.happened_on) = last_month.month
    UNION
    SELECT current_span.person_id, current_span.agency
    FROM current_span
    INNER JOIN last_month
        ON
            coalesce(current_span.started_on, DATE '-infinity') <= last_day(last_month.month)
            AND coalesce(current_span.ended_on, DATE 'infinity') > last_month.month
),

overlap AS (
    SELECT agency AS agencies, person_id FROM told
    UNION ALL
    SELECT one.agency || ', ' || other.agency AS agencies, one.person_id
    FROM told AS one
    INNER JOIN told AS other ON one.person_id = other.person_id AND one.agency < other.agency
),

counted AS (
    SELECT month, topic, measure, agencies, person_id, CAST(NULL AS BOOLEAN) AS in_time FROM caseload
    UNION ALL
    SELECT month, 'flow' AS topic, measure, agencies, person_id, NULL AS in_time FROM flow
    UNION ALL
    SELECT month, 'timeliness' AS topic, measure, agencies, person_id, in_time FROM timeliness
    UNION ALL
    SELECT last_month.month, 'overlap' AS topic, 'told_of' AS measure, overlap.agencies, overlap.person_id, NULL AS in_time
    FROM overlap
    CROSS JOIN last_month
),

called_children AS (
    SELECT DISTINCT person_id FROM current_record WHERE role = 'child'
),

people AS (
    SELECT
        person_id,
        CAST(any_value(best.value) FILTER (attribute = 'birth_date') AS DATE) AS birth_date,
        any_value(best.value) FILTER (attribute = 'expected_birth_date') IS NOT NULL AS is_expected,
        any_value(best.value) FILTER (attribute = 'sex') AS sex,
        left(upper(any_value(best.value) FILTER (attribute = 'ethnicity')), 4) AS ethnicity,
        any_value(best.value) FILTER (attribute = 'postcode') AS postcode
    FROM chosen_value
    GROUP BY person_id
),

protected_people AS (
    SELECT person_id FROM protected_person
),

described AS (
    SELECT
        people.person_id,
        people.birth_date,
        people.is_expected,
        called_children.person_id IS NOT NULL AS is_called_child,
        -- Of a restricted address not even the district.
        if(
            protected_people.person_id IS NULL,
            nullif(regexp_extract(replace(upper(people.postcode), ' ', ''), '^([A-Z]{1,2}[0-9][A-Z0-9]?)[0-9][A-Z]{2}$', 1), ''),
            NULL
        ) AS area,
        CASE people.sex WHEN 'M' THEN 'male' WHEN 'F' THEN 'female' ELSE 'other or not known' END AS sex,
        -- The department's main groups.
        CASE
            WHEN people.ethnicity IN ('REFU', 'NOBT') OR people.ethnicity IS NULL THEN 'not known'
            WHEN people.ethnicity = 'CHNE' OR starts_with(people.ethnicity, 'A') THEN 'Asian'
            WHEN people.ethnicity = 'OOTH' THEN 'other'
            WHEN starts_with(people.ethnicity, 'W') THEN 'white'
            WHEN starts_with(people.ethnicity, 'M') THEN 'mixed'
            WHEN starts_with(people.ethnicity, 'B') THEN 'Black'
            ELSE 'not known'
        END AS ethnicity
    FROM people
    LEFT JOIN called_children ON people.person_id = called_children.person_id
    LEFT JOIN protected_people ON people.person_id = protected_people.person_id
),

aged AS (
    SELECT
        counted.*,
        described.birth_date,
        described.is_expected,
        described.is_called_child,
        described.area,
        described.sex,
        described.ethnicity,
        date_sub('year', described.birth_date, last_day(counted.month)) AS age
    FROM counted
    INNER JOIN described ON counted.person_id = described.person_id
    WHERE counted.month IN (SELECT month FROM months)
)

SELECT
    CAST(month AS DATE) AS month,
    topic,
    measure,
    agencies,
    person_id,
    in_time,
    area,
    sex,
    -- The bands of the statutory returns.
    CASE
        WHEN birth_date > last_day(month) OR (birth_date IS NULL AND is_expected) THEN 'unborn'
        WHEN birth_date IS NULL THEN 'not known'
        WHEN age < 1 THEN 'under 1'
        WHEN age < 5 THEN '1 to 4'
        WHEN age < 10 THEN '5 to 9'
        WHEN age < 16 THEN '10 to 15'
        WHEN age < 18 THEN '16 and 17'
        ELSE '18 to 24'
    END AS age_band,
    ethnicity
FROM aged
WHERE
    age < 18
    OR (birth_date IS NULL AND is_called_child)
    OR (age < 25 AND regexp_matches(measure, '^(looked_after|care_leaver)'))
