-- shown_potential_match: questions as they may be asked; as `potential_match`. None across a seal, and of two that would ask
-- somebody after both sides only the likelier one.
WITH pairs AS (
    SELECT * FROM potential_match
),

links AS (
    SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL
),

asked AS (
    SELECT pairs.*, one.person_id AS person_a, other.person_id AS person_b
    FROM pairs
    LEFT JOIN links AS one ON pairs.record_id_a = one.record_id
    LEFT JOIN links AS other ON pairs.record_id_b = other.record_id
),

across AS (
    SELECT asked.record_id_a, asked.record_id_b
    FROM asked
    INNER JOIN sealed_person
        ON asked.person_a = sealed_person.person_id AND asked.person_b = sealed_person.other_person_id
),

-- Questions about a sealed person (`side`) and somebody else.
sided AS (
    SELECT record_id_a, record_id_b, match_probability, person_a AS person_id, person_b AS side FROM asked
    UNION ALL
    SELECT record_id_a, record_id_b, match_probability, person_b AS person_id, person_a AS side FROM asked
),

weaker AS (
    SELECT sided.record_id_a, sided.record_id_b
    FROM sided
    INNER JOIN sealed_person ON sided.side = sealed_person.person_id
    INNER JOIN sided AS other
        ON sided.person_id = other.person_id AND sealed_person.other_person_id = other.side
    WHERE
        (sided.match_probability, sided.record_id_a, sided.record_id_b)
        < (other.match_probability, other.record_id_a, other.record_id_b)
),

hidden AS (
    SELECT record_id_a, record_id_b FROM across
    UNION
    SELECT record_id_a, record_id_b FROM weaker
)

SELECT pairs.*
FROM pairs
ANTI JOIN hidden ON pairs.record_id_a = hidden.record_id_a AND pairs.record_id_b = hidden.record_id_b
