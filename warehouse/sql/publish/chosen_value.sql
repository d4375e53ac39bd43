-- chosen_value: one row per person and attribute: the value shown first, and where it came from.
--
-- Each attribute is chosen on its own, and always the same way: the more definite value (an exact birth date before one
-- worked out from an age; a name before "Baby"), then one from a record whose NHS number is verified, then the one
-- most agencies give, then the one recorded (else loaded) last, then the one last in order.
-- Nothing is overwritten: the others stay in `records`, and where they differ, in `contradictions`.
WITH stated AS (
    SELECT * FROM stated_value WHERE is_current
),

candidates AS (
    SELECT
        person_id,
        attribute,
        compared,
        max(weight) AS weight,
        bool_or(verified) AS is_verified,
        count(DISTINCT agency) AS agency_count,
        max(stated_at) AS stated_at,
        arg_max(
            {'value': value, 'agency': agency, 'record_id': record_id},
            {'weight': weight, 'verified': verified, 'stated_at': stated_at, 'record_id': record_id}
        ) AS best
    FROM stated
    GROUP BY person_id, attribute, compared
)

SELECT
    person_id,
    attribute,
    arg_max(
        struct_insert(best, agencies_agreeing := agency_count),
        {
            'weight': weight,
            'is_verified': is_verified,
            'agency_count': agency_count,
            'stated_at': stated_at,
            'compared': compared
        }
    ) AS best
FROM candidates
GROUP BY person_id, attribute
