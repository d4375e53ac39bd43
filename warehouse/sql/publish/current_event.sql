-- current_event: one row per thing that is told of a person now: the current version, not withdrawn, no longer embargoed, and once
-- though two feeds of an agency tell it. `happened_on`: when it happened, else was written down, else first received.
-- `arrived_seq`: the load from which it was known of this person. What signals and statuses are worked out from.
WITH tonight AS (
    SELECT date FROM published_night
),

told AS (
    SELECT rowid AS event_row, *
    FROM event
    WHERE superseded_at IS NULL AND retracted_at IS NULL
),

repeated AS (
    SELECT event_row, min(same_as) AS same_as FROM repeated_event WHERE same_as IS NOT NULL GROUP BY event_row
),

types AS (
    SELECT event_type, polarity FROM event_taxonomy
),

loads AS (
    SELECT load_id, load_seq FROM night
),

linked_loads AS (
    SELECT link.record_id, link.person_id, max(night.load_seq) AS linked_seq
    FROM link
    INNER JOIN night ON link.load_id = night.load_id
    WHERE link.unlinked_at IS NULL
    GROUP BY link.record_id, link.person_id
),

-- Put together before the events, of which there are ten times as many.
links AS (
    SELECT known_link.record_id, known_link.person_id, linked_loads.linked_seq
    FROM known_link
    LEFT JOIN linked_loads ON known_link.record_id = linked_loads.record_id AND known_link.person_id = linked_loads.person_id
    WHERE known_link.is_current AND known_link.person_id IS NOT NULL
)

SELECT
    links.person_id,
    told.event_id,
    told.record_id,
    told.agency,
    told.feed,
    told.event_type,
    coalesce(types.polarity, 'neutral') AS polarity,
    told.outcome,
    told.child_present,
    CAST(told.occurred_from AS DATE) AS occurred_on,
    told.recorded_at,
    CAST(coalesce(told.occurred_from, told.recorded_at, told.loaded_at) AS DATE) AS happened_on,
    greatest(loads.load_seq, links.linked_seq) AS arrived_seq
FROM told
CROSS JOIN tonight
INNER JOIN links ON told.record_id = links.record_id
LEFT JOIN repeated ON told.event_row = repeated.event_row
LEFT JOIN types ON told.event_type = types.event_type
LEFT JOIN loads ON told.load_id = loads.load_id
WHERE
    coalesce(repeated.same_as, told.event_id) = told.event_id
    AND (told.embargo_until IS NULL OR told.embargo_until <= tonight.date)
