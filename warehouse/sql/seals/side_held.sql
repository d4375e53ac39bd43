-- side_held: one row per sealed person (`side`) and person_id that ever held a record which is that person's now.
WITH links AS (
    SELECT record_id, person_id, unlinked_at FROM link
),

members AS (
    SELECT record_id, person_id AS side
    FROM links
    WHERE unlinked_at IS NULL AND person_id IN (SELECT person_id FROM sealed_person)
)

SELECT DISTINCT members.side, links.person_id AS holder
FROM members
INNER JOIN links ON members.record_id = links.record_id
