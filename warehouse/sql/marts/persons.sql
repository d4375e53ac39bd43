-- persons: one row per person_id ever issued, so that an old one always resolves.
-- sorted by: person_id
-- column resolves_to: The person_id to use now: itself, or where it is retired the one that carries on in the end
WITH RECURSIVE people AS (
    SELECT person_id, created_load_id, retired_load_id, resolves_to FROM shown_person
),

steps AS (
    SELECT person_id, resolves_to AS next_id
    FROM people
    WHERE resolves_to IS NOT NULL AND resolves_to <> person_id
),

-- UNION, not UNION ALL: a circle among retired ones, which would be a fault of identity, must not run for ever.
chain AS (
    SELECT person_id, next_id FROM steps
    UNION
    SELECT chain.person_id, steps.next_id
    FROM chain
    INNER JOIN steps ON chain.next_id = steps.person_id
),

ends AS (
    SELECT chain.person_id, min(chain.next_id) AS resolves_to
    FROM chain
    ANTI JOIN steps ON chain.next_id = steps.person_id
    GROUP BY chain.person_id
)

SELECT
    people.person_id,
    coalesce(ends.resolves_to, people.resolves_to, people.person_id) AS resolves_to,
    people.created_load_id,
    people.retired_load_id
FROM people
LEFT JOIN ends ON people.person_id = ends.person_id
