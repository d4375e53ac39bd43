-- ranked_potential_match: questions as they may be asked, with what a yes would bring: what the review queue is put in order by.
-- A child under a protection plan or in care is somebody whom an agency protects now: a missed link leaves it without what another knows.
WITH links AS (
    SELECT record_id, person_id FROM shown_link WHERE unlinked_at IS NULL
),

sides AS (
    SELECT
        person_id,
        count(DISTINCT record_id) AS records,
        list_sort(list(DISTINCT split_part(record_id, '.', 1))) AS agencies
    FROM links
    GROUP BY person_id
),

at_risk AS (
    SELECT DISTINCT links.person_id
    FROM span
    INNER JOIN links ON span.record_id = links.record_id
    WHERE
        span.superseded_at IS NULL
        AND span.retracted_at IS NULL
        AND span.ended_on IS NULL
        AND span.kind IN ('child_protection_plan', 'looked_after')
)

SELECT
    pairs.*,
    links_a.person_id AS person_id_a,
    links_b.person_id AS person_id_b,
    links_a.person_id IN (SELECT person_id FROM at_risk) OR links_b.person_id IN (SELECT person_id FROM at_risk)
        AS safety_relevant,
    list_sort(list_distinct(side_a.agencies || side_b.agencies)) AS agencies,
    len(list_distinct(side_a.agencies || side_b.agencies)) - greatest(len(side_a.agencies), len(side_b.agencies))
        AS agencies_gained,
    side_a.records + side_b.records AS records_joined
FROM shown_potential_match AS pairs
LEFT JOIN links AS links_a ON pairs.record_id_a = links_a.record_id
LEFT JOIN links AS links_b ON pairs.record_id_b = links_b.record_id
LEFT JOIN sides AS side_a ON links_a.person_id = side_a.person_id
LEFT JOIN sides AS side_b ON links_b.person_id = side_b.person_id
