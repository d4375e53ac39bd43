-- shown_person: persons as they may be shown; as `person`. A retired one that would resolve across a seal resolves to the
-- side that has its records now.
WITH people AS (
    SELECT * FROM person
),

crossing AS (
    SELECT people.person_id, min(mine.side) AS resolves_to
    FROM people
    INNER JOIN side_of AS mine ON people.person_id = mine.person_id
    INNER JOIN side_of AS theirs ON people.resolves_to = theirs.person_id
    INNER JOIN sealed_person ON mine.side = sealed_person.person_id AND theirs.side = sealed_person.other_person_id
    WHERE people.person_id NOT IN (SELECT person_id FROM side_of GROUP BY person_id HAVING count(*) > 1)
    GROUP BY people.person_id
)

SELECT people.* REPLACE (coalesce(crossing.resolves_to, people.resolves_to) AS resolves_to)
FROM people
LEFT JOIN crossing ON people.person_id = crossing.person_id
