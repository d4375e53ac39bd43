-- review_pairs: one row per pair that waits for an answer and thing its records say, side by side; without scores and reasons.
-- sorted by: record_id_a, record_id_b, attribute
-- column attribute: What is said: given_names, other_names, birth_date, postcode and so on
-- column value_a: What the first record says of it; several things with | between
-- column value_b: What the second record says of it; several things with | between
-- column address_protected: The row is about an address, and one of the two is restricted
WITH pairs AS (
    SELECT record_id_a, record_id_b FROM shown_potential_match
    UNION
    SELECT record_id_a, record_id_b FROM asked_pair
),

-- What other records say is not looked at: of a million children few are asked about.
asked AS (
    SELECT record_id_a AS record_id FROM pairs
    UNION
    SELECT record_id_b FROM pairs
),

records AS (
    SELECT current_record.* FROM current_record SEMI JOIN asked ON current_record.record_id = asked.record_id
),

names AS (
    SELECT person_name.record_id, person_name.given_names, person_name.family_name
    FROM person_name
    SEMI JOIN asked ON person_name.record_id = asked.record_id
    WHERE person_name.superseded_at IS NULL
),

addresses AS (
    SELECT person_address.record_id, person_address.postcode
    FROM person_address
    SEMI JOIN asked ON person_address.record_id = asked.record_id
    WHERE person_address.superseded_at IS NULL
),

protected AS (
    SELECT record_id FROM protected_record
),

said AS (
    SELECT record_id, 'source' AS attribute, agency || '.' || feed AS value FROM records
    UNION ALL
    SELECT record_id, 'role', role FROM records
    UNION ALL
    SELECT record_id, 'given_names', given_names FROM records
    UNION ALL
    SELECT record_id, 'family_name', family_name FROM records
    UNION ALL
    SELECT record_id, 'other_names', nullif(concat_ws(' ', given_names, family_name), '') FROM names
    UNION ALL
    SELECT
        record_id,
        'birth_date',
        CAST(birth_date AS VARCHAR) || if(birth_date_precision = 'day', '', ' (' || birth_date_precision || ')')
    FROM records
    UNION ALL
    SELECT record_id, 'expected_birth_date', CAST(expected_birth_date AS VARCHAR) FROM records
    UNION ALL
    SELECT record_id, 'sex', sex FROM records
    UNION ALL
    SELECT record_id, 'ethnicity', ethnicity FROM records
    UNION ALL
    SELECT record_id, 'nhs_number', nhs_number || if(verified, ' (verified)', '') FROM records
    UNION ALL
    SELECT record_id, 'upn', upn FROM records
    UNION ALL
    SELECT record_id, 'postcode', postcode FROM records
    UNION ALL
    SELECT record_id, 'other_postcodes', postcode FROM addresses
),

told AS (
    SELECT record_id, attribute, string_agg(DISTINCT value, ' | ' ORDER BY value) AS value
    FROM said
    WHERE value IS NOT NULL
    GROUP BY record_id, attribute
),

sides AS (
    SELECT pairs.record_id_a, pairs.record_id_b, told.attribute, told.value AS value_a, NULL AS value_b
    FROM pairs
    INNER JOIN told ON pairs.record_id_a = told.record_id
    UNION ALL
    SELECT pairs.record_id_a, pairs.record_id_b, told.attribute, NULL, told.value
    FROM pairs
    INNER JOIN told ON pairs.record_id_b = told.record_id
)

SELECT
    record_id_a,
    record_id_b,
    attribute,
    max(value_a) AS value_a,
    max(value_b) AS value_b,
    attribute IN ('postcode', 'other_postcodes')
    AND (record_id_a IN (SELECT record_id FROM protected) OR record_id_b IN (SELECT record_id FROM protected))
        AS address_protected
FROM sides
GROUP BY record_id_a, record_id_b, attribute
