-- current_span: one row per thing with a start and an end that is told of a person now, and whether it is open tonight.
-- `arrived_seq`: the load with which this version came.
WITH tonight AS (
    SELECT date FROM published_night
),

told AS (
    SELECT * FROM span WHERE superseded_at IS NULL AND retracted_at IS NULL
),

links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current AND person_id IS NOT NULL
),

loads AS (
    SELECT load_id, load_seq FROM night
)

SELECT
    links.person_id,
    told.span_id,
    told.record_id,
    told.agency,
    told.feed,
    told.kind,
    told.started_on,
    told.ended_on,
    told.recorded_at,
    (told.started_on IS NULL OR told.started_on <= tonight.date)
    AND (told.ended_on IS NULL OR told.ended_on > tonight.date) AS is_open,
    loads.load_seq AS arrived_seq
FROM told
CROSS JOIN tonight
INNER JOIN links ON told.record_id = links.record_id
LEFT JOIN loads ON told.load_id = loads.load_id
