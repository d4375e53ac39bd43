-- attendance: one row per pupil and school session with its current mark.
-- sorted by: person_id, session_date, session, record_id
-- changes with: record_id
-- column person_id: Pupil; empty while the record is not linked
WITH versions AS (
    SELECT *, coalesce(superseded_at, TIMESTAMP 'infinity') AS known_until FROM attendance
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link
)

SELECT
    links.person_id,
    versions.school,
    versions.session_date,
    versions.session,
    versions.mark,
    versions.meaning,
    versions.agency,
    versions.feed,
    versions.record_id,
    versions.recorded_at,
    versions.loaded_at,
    versions.load_id,
    greatest(versions.loaded_at, links.known_from) AS known_from,
    nullif(least(versions.known_until, coalesce(links.known_to, 'infinity')), 'infinity') AS known_to
FROM versions
LEFT JOIN links
    ON
        versions.record_id = links.record_id
        AND links.known_from < versions.known_until
        AND versions.loaded_at < links.known_to
