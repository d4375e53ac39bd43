-- protected_person: one row per person whose address is kept from roles without the permission `protected_address`.
-- A source restricts their address, or they now live with somebody so restricted: in one household, at one address by
-- any source, said to live together, or related and at one postcode. Followed to the end (who lives with somebody who
-- lives with them): showing one address too few is put right by a question, one too many cannot be taken back.
WITH RECURSIVE records AS (
    SELECT record_id, person_id, postcode, address_protected FROM current_record WHERE person_id IS NOT NULL
),

addresses AS (
    SELECT person_id, postcode, uprn, place, protected, lives_there FROM current_address WHERE person_id IS NOT NULL
),

relationships AS (
    SELECT record_id, other_record_id, same_household
    FROM relationship
    WHERE superseded_at IS NULL AND retracted_at IS NULL AND other_record_id IS NOT NULL
),

households AS (
    SELECT household.household_id, household.person_id
    FROM household, published_night
    WHERE household.valid_to IS NULL OR household.valid_to >= published_night.date
),

restricted AS (
    SELECT person_id FROM records WHERE address_protected
    UNION
    SELECT person_id FROM addresses WHERE protected
),

postcodes AS (
    SELECT person_id, replace(upper(postcode), ' ', '') AS postcode FROM records WHERE postcode IS NOT NULL
    UNION
    SELECT person_id, replace(upper(postcode), ' ', '') FROM addresses WHERE lives_there AND postcode IS NOT NULL
),

related AS (
    SELECT
        mine.person_id,
        theirs.person_id AS other_person_id,
        bool_or(relationships.same_household) AS together,
        bool_and(relationships.same_household IS NOT DISTINCT FROM false) AS apart
    FROM relationships
    INNER JOIN records AS mine ON relationships.record_id = mine.record_id
    INNER JOIN records AS theirs ON relationships.other_record_id = theirs.record_id
    WHERE mine.person_id <> theirs.person_id
    GROUP BY mine.person_id, theirs.person_id
),

pairs AS (
    SELECT person_id, other_person_id FROM related WHERE together
    UNION
    SELECT related.person_id, related.other_person_id
    FROM related
    INNER JOIN postcodes AS mine ON related.person_id = mine.person_id
    INNER JOIN postcodes AS theirs ON related.other_person_id = theirs.person_id AND mine.postcode = theirs.postcode
    WHERE NOT related.apart
),

homes AS (
    SELECT person_id, 'household:' || household_id AS home FROM households
    UNION
    SELECT person_id, 'uprn:' || uprn FROM addresses WHERE lives_there AND uprn IS NOT NULL
    UNION
    SELECT person_id, 'place:' || place FROM addresses WHERE lives_there AND place IS NOT NULL
    UNION
    SELECT person_id, 'pair:' || person_id || ':' || other_person_id FROM pairs
    UNION
    SELECT other_person_id, 'pair:' || person_id || ':' || other_person_id FROM pairs
),

reached AS (
    SELECT person_id FROM restricted
    UNION
    SELECT theirs.person_id
    FROM reached
    INNER JOIN homes AS mine ON reached.person_id = mine.person_id
    INNER JOIN homes AS theirs ON mine.home = theirs.home
)

SELECT person_id
FROM reached
