-- missing_often: Reported missing on three or more days within 90 days.
-- why: Going missing again and again is a sign of harm at home or of being exploited outside it; reports lie with the police and with social care.
-- goes: 90 days after the last report.
WITH tonight AS (
    SELECT date FROM published_night
),

-- Police and social care may both tell one disappearance: days are counted, not reports.
days AS (
    SELECT
        current_event.person_id,
        current_event.happened_on,
        list(current_event.event_id ORDER BY current_event.event_id) AS event_ids
    FROM current_event
    CROSS JOIN tonight
    WHERE
        current_event.event_type IN ('missing_episode', 'missing_from_care')
        AND current_event.happened_on BETWEEN tonight.date - 180 AND tonight.date
    GROUP BY current_event.person_id, current_event.happened_on
),

near AS (
    SELECT
        person_id,
        happened_on,
        count(*) OVER ninety_days AS day_count,
        list(event_ids) OVER ninety_days AS event_ids
    FROM days
    WINDOW ninety_days AS (
        PARTITION BY person_id ORDER BY happened_on RANGE BETWEEN INTERVAL 90 DAYS PRECEDING AND CURRENT ROW
    )
)

SELECT
    near.person_id,
    min(near.happened_on) AS raised_on,
    list_sort(list_distinct(flatten(flatten(list(near.event_ids))))) AS evidence,
    'missing on ' || max(near.day_count) || ' days within 90, the last ' || max(near.happened_on) AS explanation
FROM near
CROSS JOIN tonight
WHERE near.day_count >= 3 AND near.happened_on > tonight.date - 90
GROUP BY near.person_id
