-- contradictions: one row per person and attribute or status about which what the sources say now does not agree.
-- sorted by: person_id, attribute
-- column attribute: What they differ in: a column of the person, or child_protection_plan, looked_after, education, family_agreement
-- column values: Who says what: agency, value, record_id and recorded_at of every current record that states it
-- column first_seen_load: The load with which the second of the values came to be known of this person
-- column status: open: the sources still differ
-- column address_protected: The address is restricted, or that of somebody in the household is
WITH stated AS (
    SELECT * FROM stated_value
    WHERE
        is_definite
        AND attribute IN (
            'birth_date', 'sex', 'family_name', 'given_names', 'nhs_number', 'upn', 'postcode', 'ethnicity'
        )
),

-- Each agency's word on a status, from its plans, enrolments, reviews and marks.
statuses AS (
    SELECT * FROM stated_status
),

disputed_statuses AS (
    SELECT
        person_id,
        attribute,
        list({
            'agency': agency,
            'record_id': record_id,
            'value': value,
            'recorded_at': recorded_at
        }) AS said,
        max(arrived_seq) AS load_seq
    FROM statuses
    GROUP BY person_id, attribute
    HAVING min(compared) <> max(compared)
),

loads AS (
    SELECT load_id, load_seq FROM night
),

protected_people AS (
    SELECT person_id FROM protected_person
),

differing AS (
    SELECT person_id, attribute
    FROM stated
    WHERE is_current
    GROUP BY person_id, attribute
    HAVING min(compared) <> max(compared)
),

disputed AS (
    SELECT
        person_id,
        attribute,
        list({
            'agency': agency,
            'record_id': record_id,
            'value': value,
            'recorded_at': recorded_at
        }) AS said
    FROM stated
    SEMI JOIN differing USING (person_id, attribute)
    WHERE is_current
    GROUP BY person_id, attribute
),

-- When each value that is still stated was first stated of the person, also by versions since superseded.
arrivals AS (
    SELECT stated.person_id, stated.attribute, stated.compared, min(stated.arrived_seq) AS arrived_seq
    FROM stated
    SEMI JOIN differing USING (person_id, attribute)
    GROUP BY stated.person_id, stated.attribute, stated.compared
    HAVING bool_or(stated.is_current)
),

seconds AS (
    SELECT person_id, attribute, list_sort(list(arrived_seq))[2] AS load_seq
    FROM arrivals
    GROUP BY person_id, attribute
),

found AS (
    SELECT disputed.person_id, disputed.attribute, disputed.said, seconds.load_seq
    FROM disputed
    INNER JOIN seconds ON disputed.person_id = seconds.person_id AND disputed.attribute = seconds.attribute
    UNION ALL
    SELECT person_id, attribute, said, load_seq FROM disputed_statuses
)

SELECT
    found.person_id,
    found.attribute,
    -- Sorted here: ORDER BY within list() has DuckDB sort each of a million groups by itself.
    list_transform(
        list_sort(found.said),
        lambda item: {
            'agency': item.agency, 'value': item.value, 'record_id': item.record_id, 'recorded_at': item.recorded_at
        }
    ) AS "values",
    loads.load_id AS first_seen_load,
    'open' AS status,
    protected_people.person_id IS NOT NULL AS address_protected
FROM found
LEFT JOIN loads ON found.load_seq = loads.load_seq
LEFT JOIN protected_people ON found.person_id = protected_people.person_id
