-- spans: one row per thing with a start and an end about a person, as its source states it now.
-- sorted by: person_id, started_on, span_id
-- changes with: record_id
-- column person_id: Person the span is about; empty while the record it came with is not linked
-- column address_protected: The address is restricted, or that of somebody in the household is
WITH versions AS (
    SELECT *, coalesce(superseded_at, TIMESTAMP 'infinity') AS known_until FROM span
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link
),

protected_people AS (
    SELECT person_id FROM protected_person
),

protected_records AS (
    SELECT record_id FROM protected_record
)

SELECT
    links.person_id,
    versions.span_id,
    versions.kind,
    versions.started_on,
    versions.ended_on,
    versions.agency,
    versions.feed,
    versions.detail,
    versions.source_code,
    versions.record_id,
    versions.recorded_at,
    versions.retracted_at,
    versions.retract_reason,
    versions.extracted_at,
    versions.loaded_at,
    versions.load_id,
    protected_people.person_id IS NOT NULL OR protected_records.record_id IS NOT NULL AS address_protected,
    greatest(versions.loaded_at, links.known_from) AS known_from,
    nullif(least(versions.known_until, coalesce(links.known_to, 'infinity')), 'infinity') AS known_to
FROM versions
LEFT JOIN links
    ON
        versions.record_id = links.record_id
        AND links.known_from < versions.known_until
        AND versions.loaded_at < links.known_to
LEFT JOIN protected_people ON links.person_id = protected_people.person_id
LEFT JOIN protected_records ON versions.record_id = protected_records.record_id
