-- event_types: one row per word of the published taxonomy of events.
-- sorted by: event_type
-- column event_type: The word, as in chronology
-- column usual_agency: Agency that usually tells it
-- column polarity: Whether such an event as such is a concern, protective or neutral; the note itself may say otherwise
-- column meaning: What it means
WITH taxonomy AS (
    SELECT * FROM event_taxonomy
)

SELECT event_type, usual_agency, polarity, meaning
FROM taxonomy
