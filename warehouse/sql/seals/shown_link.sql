-- shown_link: links as they may be shown; as `link`.
WITH links AS (
    SELECT * FROM link
),

sides AS (
    SELECT links.record_id, links.person_id
    FROM links
    WHERE links.unlinked_at IS NULL AND links.person_id IN (SELECT person_id FROM sealed_person)
),

pairs AS (
    SELECT mine.record_id, theirs.record_id AS other_record_id
    FROM sides AS mine
    INNER JOIN sealed_person ON mine.person_id = sealed_person.person_id
    INNER JOIN sides AS theirs ON sealed_person.other_person_id = theirs.person_id
)

SELECT links.* REPLACE (if(pairs.record_id IS NULL, links.best_record_id, NULL) AS best_record_id)
FROM links
LEFT JOIN pairs ON links.record_id = pairs.record_id AND links.best_record_id = pairs.other_record_id
ANTI JOIN hidden_link
    ON
        links.record_id = hidden_link.record_id
        AND links.person_id = hidden_link.person_id
        AND links.linked_at = hidden_link.linked_at
