-- relationships: one row per relationship a source states now between a person and another.
-- sorted by: person_id, relationship, other_person_id, record_id
-- changes with: record_id
-- column person_id: Person of whom it is stated; empty while their record is not linked
-- column other_person_id: The other person, where the source gives them a record
-- column relationship: What the other is to the person
WITH versions AS (
    SELECT *, coalesce(superseded_at, TIMESTAMP 'infinity') AS known_until FROM shown_relationship
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link
),

mine AS (
    SELECT
        versions.*,
        links.person_id,
        greatest(versions.loaded_at, links.known_from) AS known_from,
        least(versions.known_until, coalesce(links.known_to, 'infinity')) AS known_to
    FROM versions
    LEFT JOIN links
        ON
            versions.record_id = links.record_id
            AND links.known_from < versions.known_until
            AND versions.loaded_at < links.known_to
)

SELECT
    mine.person_id,
    links.person_id AS other_person_id,
    mine.other_name,
    mine.relationship,
    mine.source_code,
    mine.same_household,
    mine.agency,
    mine.feed,
    mine.record_id,
    mine.other_record_id,
    mine.valid_from,
    mine.valid_to,
    mine.recorded_at,
    mine.retracted_at,
    mine.retract_reason,
    mine.loaded_at,
    mine.load_id,
    greatest(mine.known_from, links.known_from) AS known_from,
    nullif(least(mine.known_to, coalesce(links.known_to, 'infinity')), 'infinity') AS known_to
FROM mine
LEFT JOIN links
    ON
        mine.other_record_id = links.record_id
        AND links.known_from < mine.known_to
        AND mine.known_from < links.known_to
