-- hidden_link: one row per former link of a sealed person's record to a person_id that the other side's records had too.
-- What remains says of that time that the record was linked to nobody.
WITH links AS (
    SELECT record_id, person_id, linked_at, unlinked_at FROM link
),

members AS (
    SELECT links.record_id, links.person_id AS side, sealed_person.other_person_id
    FROM links
    INNER JOIN sealed_person ON links.person_id = sealed_person.person_id
    WHERE links.unlinked_at IS NULL
)

SELECT DISTINCT links.record_id, links.person_id, links.linked_at
FROM members
INNER JOIN links ON members.record_id = links.record_id
INNER JOIN side_held ON members.other_person_id = side_held.side AND links.person_id = side_held.holder
WHERE links.unlinked_at IS NOT NULL AND links.person_id <> members.side
