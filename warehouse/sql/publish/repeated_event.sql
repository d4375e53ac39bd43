-- repeated_event: one row per event version that two feeds of one agency may both tell: same person, agency and kind of
-- event on the same day. `same_group` numbers such days of a person. Within a group, the first event of each feed is taken to be
-- the same thing, then the second of each, so that two events of one feed are never shown as one. Which of them were
-- known, and so which is first, depends on the moment asked about: sql/as_of/chronology.sql works it out again from
-- `same_by_time` (order of happening) and `same_by_id` (order of event_id). `same_as` is the answer for now.
WITH families AS (
    -- Names that two feeds give to one kind of event; an event_type not listed is a kind of its own.
    SELECT * FROM (VALUES
        ('missing_from_care', 'missing'),
        ('missing_episode', 'missing')
    ) AS named (event_type, family)
),

-- Most events are of a kind that one feed of their agency tells alone: they are not looked at any further.
told_by AS (
    SELECT DISTINCT agency, feed, event_type FROM event
),

told_twice AS (
    SELECT told_by.agency, coalesce(families.family, told_by.event_type) AS family
    FROM told_by
    LEFT JOIN families ON told_by.event_type = families.event_type
    GROUP BY ALL
    HAVING min(told_by.feed) <> max(told_by.feed)
),

events AS (
    SELECT
        event.rowid AS event_row,
        event.event_id,
        event.record_id,
        event.agency,
        event.feed,
        coalesce(families.family, event.event_type) AS family,
        event.occurred_from,
        event.loaded_at,
        coalesce(event.superseded_at, TIMESTAMP 'infinity') AS known_until
    FROM event
    LEFT JOIN families ON event.event_type = families.event_type
    SEMI JOIN told_twice ON event.agency = told_twice.agency AND coalesce(families.family, event.event_type) = told_twice.family
    WHERE event.occurred_from IS NOT NULL AND coalesce(event.occurred_precision, 'day') IN ('instant', 'day')
),

links AS (
    SELECT record_id, person_id, known_from, known_to FROM known_link WHERE person_id IS NOT NULL
),

known AS (
    SELECT
        events.event_row,
        events.event_id,
        events.agency,
        events.feed,
        events.family,
        events.occurred_from,
        CAST(events.occurred_from AS DATE) AS day,
        links.person_id,
        greatest(events.loaded_at, links.known_from) AS known_from,
        least(events.known_until, links.known_to) AS known_to
    FROM events
    INNER JOIN links
        ON
            events.record_id = links.record_id
            AND links.known_from < events.known_until
            AND events.loaded_at < links.known_to
),

days AS (
    SELECT person_id, agency, family, day
    FROM known
    GROUP BY person_id, agency, family, day
    HAVING min(feed) <> max(feed)
),

numbered_days AS (
    SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY agency, family, day) AS same_group
    FROM days
),

members AS (
    SELECT
        known.event_row,
        known.event_id,
        known.person_id,
        known.feed,
        known.known_from,
        known.known_to,
        numbered_days.same_group,
        row_number() OVER (
            PARTITION BY known.person_id, numbered_days.same_group ORDER BY known.occurred_from, known.event_id, known.known_from
        ) AS same_by_time,
        dense_rank() OVER (PARTITION BY known.person_id, numbered_days.same_group ORDER BY known.event_id) AS same_by_id
    FROM known
    INNER JOIN numbered_days USING (person_id, agency, family, day)
),

placed AS (
    SELECT
        event_row,
        event_id,
        person_id,
        known_from,
        same_group,
        row_number() OVER (PARTITION BY person_id, same_group, feed ORDER BY same_by_time) AS place
    FROM members
    WHERE known_to = 'infinity'
),

grouped AS (
    SELECT event_row, known_from, min(event_id) OVER (PARTITION BY person_id, same_group, place) AS same_as
    FROM placed
)

SELECT
    members.event_row,
    members.known_from,
    members.same_group,
    members.same_by_time,
    members.same_by_id,
    grouped.same_as
FROM members
LEFT JOIN grouped ON members.event_row = grouped.event_row AND members.known_from = grouped.known_from
