-- chronology: one row per event about a person as its source states it now, with what was withdrawn marked as such.
-- sorted by: person_id, sorts_at, event_id
-- changes with: record_id
-- column person_id: Person the event is about; empty while the record it came with is not linked
-- column same_as: Two feeds of an agency tell one thing where this is the same: the smallest event_id of them
-- column sorts_at: Place in the chronology: when it happened, else was recorded, else first received (UTC)
-- column address_protected: The address is restricted, or that of somebody in the household is
WITH versions AS (
    SELECT rowid AS event_row, *, coalesce(superseded_at, TIMESTAMP 'infinity') AS known_until FROM event
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link
),

repeated AS (
    SELECT * FROM repeated_event
),

-- A correction must not move an undated event to the night of the correction.
first_received AS (
    SELECT event_id, min(loaded_at) AS loaded_at
    FROM event
    WHERE occurred_from IS NULL AND recorded_at IS NULL
    GROUP BY event_id
),

protected_people AS (
    SELECT person_id FROM protected_person
),

protected_records AS (
    SELECT record_id FROM protected_record
),

known AS (
    SELECT
        versions.*,
        links.person_id,
        greatest(versions.loaded_at, links.known_from) AS known_from,
        nullif(least(versions.known_until, coalesce(links.known_to, 'infinity')), 'infinity') AS known_to
    FROM versions
    LEFT JOIN links
        ON
            versions.record_id = links.record_id
            AND links.known_from < versions.known_until
            AND versions.loaded_at < links.known_to
)

SELECT
    known.person_id,
    known.event_id,
    coalesce(repeated.same_as, known.event_id) AS same_as,
    coalesce(known.occurred_from, known.recorded_at, first_received.loaded_at, known.loaded_at) AS sorts_at,
    known.occurred_from,
    known.occurred_to,
    if(known.occurred_from IS NULL, 'unknown', known.occurred_precision) AS occurred_precision,
    known.recorded_at,
    known.agency,
    known.feed,
    known.event_type,
    known.statement_kind,
    known.title,
    known.narrative,
    known.quoted_words,
    known.outcome,
    known.action_taken,
    known.reported_by_role,
    known.subject_role,
    known.child_present,
    known.risk_scheme,
    known.risk_value,
    known.handling_code,
    known.onward_disclosure,
    known.embargo_until,
    known.source_code,
    known.source_code_system,
    known.record_id,
    known.retracted_at,
    known.retract_reason,
    known.extracted_at,
    known.loaded_at,
    known.load_id,
    protected_people.person_id IS NOT NULL OR protected_records.record_id IS NOT NULL AS address_protected,
    repeated.same_group,
    repeated.same_by_time,
    repeated.same_by_id,
    known.known_from,
    known.known_to
FROM known
LEFT JOIN repeated ON known.event_row = repeated.event_row AND known.known_from = repeated.known_from
LEFT JOIN first_received ON known.event_id = first_received.event_id
LEFT JOIN protected_people ON known.person_id = protected_people.person_id
LEFT JOIN protected_records ON known.record_id = protected_records.record_id
