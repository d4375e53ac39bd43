-- links: one row per record and the person it is now held to be about, with the reason.
-- sorted by: person_id, record_id
-- changes with: record_id
WITH links AS (
    SELECT * FROM shown_link
)

SELECT
    person_id,
    record_id,
    how,
    match_probability,
    evidence,
    best_record_id,
    decided_by,
    load_id,
    linked_at,
    linked_at AS known_from,
    unlinked_at AS known_to
FROM links
