-- children: one row per child: anybody a source calls a child, who is under 18 or unborn, or a care leaver under 25.
-- sorted by: person_id
-- column birth_date_precision: day, month, year, age (worked out from an age) or unknown, of the birth date chosen
-- column address_protected: The address is restricted, or that of somebody in the household is
-- column agencies: Agencies with a record of the child
-- column record_count: Current records of the child
-- column sources: For each attribute, the record its value was taken from and how many agencies agree
--
-- Which value is shown first is settled in `chosen_value`.
WITH records AS (
    SELECT * FROM current_record WHERE person_id IS NOT NULL
),

chosen AS (
    SELECT person_id, attribute, best FROM chosen_value
),

tonight AS (
    SELECT date FROM published_night
),

-- Whoever was looked after counts, whether or not a source also calls them a care leaver.
care_leavers AS (
    SELECT DISTINCT record_id
    FROM span
    WHERE superseded_at IS NULL AND retracted_at IS NULL AND kind IN ('looked_after', 'care_leaver')
),

protected_people AS (
    SELECT person_id FROM protected_person
),

golden AS (
    SELECT
        person_id,
        any_value(best.value) FILTER (attribute = 'given_names') AS given_names,
        any_value(best.value) FILTER (attribute = 'family_name') AS family_name,
        CAST(any_value(best.value) FILTER (attribute = 'birth_date') AS DATE) AS birth_date,
        any_value(best.record_id) FILTER (attribute = 'birth_date') AS birth_date_record_id,
        CAST(any_value(best.value) FILTER (attribute = 'expected_birth_date') AS DATE) AS expected_birth_date,
        CAST(any_value(best.value) FILTER (attribute = 'death_date') AS DATE) AS death_date,
        any_value(best.value) FILTER (attribute = 'sex') AS sex,
        any_value(best.value) FILTER (attribute = 'ethnicity') AS ethnicity,
        any_value(best.value) FILTER (attribute = 'nhs_number') AS nhs_number,
        any_value(best.value) FILTER (attribute = 'upn') AS upn,
        any_value(best.value) FILTER (attribute = 'postcode') AS postcode,
        list_sort(list({
            'attribute': attribute,
            'agency': best.agency,
            'record_id': best.record_id,
            'agencies_agreeing': best.agencies_agreeing
        })) AS sources
    FROM chosen
    GROUP BY person_id
),

precisions AS (
    SELECT record_id, birth_date, min(birth_date_precision) AS birth_date_precision
    FROM records
    GROUP BY record_id, birth_date
),

people AS (
    SELECT
        records.person_id,
        bool_or(coalesce(records.role = 'child', false)) AS is_called_child,
        bool_or(care_leavers.record_id IS NOT NULL) AS is_care_leaver,
        list_sort(list(DISTINCT records.agency)) AS agencies,
        count(DISTINCT records.record_id) AS record_count,
        max(records.load_id) AS load_id
    FROM records
    LEFT JOIN care_leavers ON records.record_id = care_leavers.record_id
    GROUP BY records.person_id
)

SELECT
    people.person_id,
    golden.given_names,
    golden.family_name,
    golden.birth_date,
    precisions.birth_date_precision,
    golden.expected_birth_date,
    golden.death_date,
    golden.sex,
    golden.ethnicity,
    golden.nhs_number,
    golden.upn,
    golden.postcode,
    protected_people.person_id IS NOT NULL AS address_protected,
    people.agencies,
    people.record_count,
    golden.sources,
    people.load_id
FROM people
CROSS JOIN tonight
LEFT JOIN golden ON people.person_id = golden.person_id
LEFT JOIN precisions
    ON golden.birth_date_record_id = precisions.record_id AND golden.birth_date = precisions.birth_date
LEFT JOIN protected_people ON people.person_id = protected_people.person_id
WHERE
    people.is_called_child
    OR golden.birth_date > tonight.date - INTERVAL 18 YEAR
    OR (golden.birth_date IS NULL AND golden.expected_birth_date IS NOT NULL)
    OR (people.is_care_leaver AND golden.birth_date > tonight.date - INTERVAL 25 YEAR)
