-- shown_household: households as they may be shown; as `household`. A sealed person is not shown in one with the other side,
-- nor with somebody who is in a household with the other side as well.
WITH households AS (
    SELECT * FROM household
),

mates AS (
    SELECT mine.person_id, mine.household_id, theirs.person_id AS mate
    FROM households AS mine
    INNER JOIN households AS theirs ON mine.household_id = theirs.household_id
    WHERE mine.person_id <> theirs.person_id AND mine.person_id IN (SELECT person_id FROM sealed_person)
),

hidden AS (
    SELECT DISTINCT mates.person_id, mates.household_id
    FROM mates
    INNER JOIN sealed_person ON mates.person_id = sealed_person.person_id
    LEFT JOIN mates AS others ON sealed_person.other_person_id = others.person_id AND mates.mate = others.mate
    WHERE mates.mate = sealed_person.other_person_id OR others.mate IS NOT NULL
)

SELECT households.*
FROM households
ANTI JOIN hidden ON households.person_id = hidden.person_id AND households.household_id = hidden.household_id
