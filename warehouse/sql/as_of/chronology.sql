-- chronology_as_of(t): the chronology as it was known at t. Which events tell the same thing is worked out among those
-- known then, the way publish/repeated_event.sql does for now. Not materialized, so that asking for one person reads
-- that person's rows alone.
WITH known AS NOT MATERIALIZED (
    SELECT *
    FROM chronology_history
    WHERE known_from <= CAST(t AS TIMESTAMP) AND (known_to IS NULL OR known_to > CAST(t AS TIMESTAMP))
),

placed AS (
    SELECT *, row_number() OVER (PARTITION BY person_id, same_group, feed ORDER BY same_by_time) AS place
    FROM known
    WHERE same_group IS NOT NULL
),

grouped AS (
    SELECT * EXCLUDE (place)
        REPLACE (arg_min(event_id, same_by_id) OVER (PARTITION BY person_id, same_group, place) AS same_as)
    FROM placed
),

alone AS (
    SELECT * REPLACE (event_id AS same_as)
    FROM known
    WHERE same_group IS NULL
),

together AS (
    SELECT * FROM grouped
    UNION ALL
    SELECT * FROM alone
)

SELECT * EXCLUDE (known_from, known_to, same_group, same_by_time, same_by_id)
    REPLACE (if(retracted_at <= CAST(t AS TIMESTAMP), retracted_at, NULL) AS retracted_at)
FROM together
