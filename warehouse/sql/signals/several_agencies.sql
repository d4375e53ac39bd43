-- several_agencies: Two or more agencies besides children's social care wrote down a concern within 30 days, and social care has nothing open.
-- why: Each may hold one piece. Nobody who sees their own piece alone would act on it, and nobody was asked to put them together.
-- goes: 90 days after the last of the concerns, or when an episode, a plan or care is open.
WITH tonight AS (
    SELECT date FROM published_night
),

open_episodes AS (
    SELECT DISTINCT person_id
    FROM current_span
    WHERE is_open AND kind IN ('cin_episode', 'child_in_need_plan', 'child_protection_plan', 'looked_after')
),

concerns AS (
    SELECT current_event.person_id, current_event.agency, current_event.event_id, current_event.happened_on
    FROM current_event
    CROSS JOIN tonight
    WHERE
        current_event.polarity = 'concern'
        AND current_event.agency <> 'social_care'
        AND current_event.happened_on BETWEEN tonight.date - 120 AND tonight.date
),

near AS (
    SELECT
        person_id,
        happened_on,
        count(DISTINCT agency) OVER thirty_days AS agency_count,
        list(event_id) OVER thirty_days AS event_ids,
        list(agency) OVER thirty_days AS agencies
    FROM concerns
    WINDOW thirty_days AS (
        PARTITION BY person_id ORDER BY happened_on RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND CURRENT ROW
    )
),

found AS (
    SELECT
        near.person_id,
        min(near.happened_on) AS raised_on,
        max(near.happened_on) AS last_on,
        list_sort(list_distinct(flatten(list(near.event_ids)))) AS evidence,
        list_sort(list_distinct(flatten(list(near.agencies)))) AS agencies
    FROM near
    CROSS JOIN tonight
    WHERE near.agency_count >= 2 AND near.happened_on > tonight.date - 90
    GROUP BY near.person_id
)

SELECT
    found.person_id,
    found.raised_on,
    found.evidence,
    len(found.evidence) || ' concerns from ' || array_to_string(found.agencies, ', ') || ' up to ' || found.last_on
    || '; children''s social care has no episode, plan or care open' AS explanation
FROM found
ANTI JOIN open_episodes ON found.person_id = open_episodes.person_id
