-- hidden_tie: one row per two persons between whom no relationship is shown, each way: the two sides of a seal, and whoever
-- is related to both of them, by whom the one could be found from the other.
WITH links AS (
    SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL
),

relationships AS (
    SELECT record_id, other_record_id FROM relationship WHERE other_record_id IS NOT NULL
),

stated AS (
    SELECT mine.person_id, theirs.person_id AS other_person_id
    FROM relationships
    INNER JOIN links AS mine ON relationships.record_id = mine.record_id
    INNER JOIN links AS theirs ON relationships.other_record_id = theirs.record_id
),

-- Somebody (person_id) and a sealed person they are related to.
ties AS (
    SELECT person_id, other_person_id FROM stated WHERE other_person_id IN (SELECT person_id FROM sealed_person)
    UNION
    SELECT other_person_id, person_id FROM stated WHERE person_id IN (SELECT person_id FROM sealed_person)
),

telling AS (
    SELECT person_id, other_person_id FROM sealed_person
    UNION
    SELECT ties.person_id, ties.other_person_id
    FROM ties
    INNER JOIN sealed_person ON ties.other_person_id = sealed_person.person_id
    INNER JOIN ties AS others
        ON ties.person_id = others.person_id AND sealed_person.other_person_id = others.other_person_id
)

SELECT person_id, other_person_id FROM telling
UNION
SELECT other_person_id, person_id FROM telling
