-- known_link: one row per record and stretch of time during which it was known to be about one person, or nobody.
-- The stretches of a record do not overlap and leave no gap, so that a join on record_id with overlapping time
-- neither drops nor doubles a fact. Open ends are infinite, not empty: DuckDB joins on plain comparisons by hashing, on
-- anything else by trying every pair. The first link reaches back to when the record was loaded: loading and linking
-- happen in one night, and nobody could ask in between.
WITH links AS (
    SELECT record_id, person_id, linked_at, unlinked_at FROM shown_link
),

ordered AS (
    SELECT
        record_id,
        person_id,
        linked_at,
        lead(linked_at) OVER decisions AS next_linked_at,
        least(unlinked_at, lead(linked_at) OVER decisions) AS known_to,
        row_number() OVER decisions AS place
    FROM links
    WINDOW decisions AS (PARTITION BY record_id ORDER BY linked_at, unlinked_at NULLS LAST, person_id)
),

linked AS (
    SELECT record_id, person_id, if(place = 1, NULL, linked_at) AS known_from, known_to
    FROM ordered
    WHERE place = 1 OR known_to IS NULL OR linked_at < known_to
),

unlinked AS (
    SELECT record_id, NULL AS person_id, known_to AS known_from, next_linked_at AS known_to
    FROM ordered
    WHERE known_to IS NOT NULL AND (next_linked_at IS NULL OR known_to < next_linked_at)
),

stretches AS (
    SELECT record_id, person_id, known_from, known_to FROM linked
    UNION ALL
    SELECT record_id, person_id, known_from, known_to FROM unlinked
)

SELECT
    record_id,
    person_id,
    coalesce(known_from, TIMESTAMP '-infinity') AS known_from,
    coalesce(known_to, TIMESTAMP 'infinity') AS known_to,
    known_to IS NULL AS is_current
FROM stretches
