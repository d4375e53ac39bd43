-- potential_matches: one row per pair of records left to a person to decide.
-- sorted by: match_probability, record_id_a, record_id_b
-- column person_id_a: Person the first record is about now
-- column person_id_b: Person the second record is about now
WITH pairs AS (
    SELECT * FROM shown_potential_match
),

links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current
)

SELECT
    pairs.load_id,
    pairs.record_id_a,
    pairs.record_id_b,
    links_a.person_id AS person_id_a,
    links_b.person_id AS person_id_b,
    pairs.match_probability,
    pairs.reason
FROM pairs
LEFT JOIN links AS links_a ON pairs.record_id_a = links_a.record_id
LEFT JOIN links AS links_b ON pairs.record_id_b = links_b.record_id
