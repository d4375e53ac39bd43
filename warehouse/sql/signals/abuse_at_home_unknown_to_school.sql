-- abuse_at_home_unknown_to_school: A domestic abuse incident where a child of school age lives whom no school that sends data knows.
-- why: A school that is told can watch over a child the next morning; this child has no school to tell.
-- goes: 90 days after the incident, or when a school sends a record of the child.
WITH tonight AS (
    SELECT date FROM published_night
),

incidents AS (
    SELECT current_event.person_id, current_event.event_id, current_event.happened_on
    FROM current_event
    CROSS JOIN tonight
    WHERE
        current_event.event_type IN ('da_incident_child_present', 'encompass_notification')
        AND current_event.happened_on BETWEEN tonight.date - 90 AND tonight.date
),

-- An incident reaches everybody who lived in the household that day.
reached AS (
    SELECT person_id, event_id, happened_on FROM incidents
    UNION
    SELECT mates.person_id, incidents.event_id, incidents.happened_on
    FROM incidents
    INNER JOIN shown_household AS theirs ON incidents.person_id = theirs.person_id
    INNER JOIN shown_household AS mates ON theirs.household_id = mates.household_id
    WHERE
        coalesce(theirs.valid_from, incidents.happened_on) <= incidents.happened_on
        AND coalesce(theirs.valid_to, incidents.happened_on) >= incidents.happened_on
        AND coalesce(mates.valid_from, incidents.happened_on) <= incidents.happened_on
        AND coalesce(mates.valid_to, incidents.happened_on) >= incidents.happened_on
),

-- Compulsory school age, near enough for a date of birth: from the fifth birthday to the sixteenth.
of_school_age AS (
    SELECT stated_value.person_id
    FROM stated_value
    CROSS JOIN tonight
    WHERE stated_value.is_current AND stated_value.attribute = 'birth_date' AND stated_value.is_definite
    GROUP BY stated_value.person_id
    HAVING bool_and(date_sub('year', CAST(stated_value.value AS DATE), tonight.date) BETWEEN 5 AND 15)
),

known_to_school AS (
    SELECT DISTINCT person_id FROM current_record WHERE agency = 'school'
),

schools_searched AS (
    SELECT 1 AS searched FROM searched_agency WHERE agency = 'school' AND is_supplied AND NOT is_stale
)

SELECT
    reached.person_id,
    min(reached.happened_on) AS raised_on,
    list(DISTINCT reached.event_id ORDER BY reached.event_id) AS evidence,
    'domestic abuse where the child lives, last on ' || max(reached.happened_on)
    || '; no school that sends data has a record of the child' AS explanation
FROM reached
SEMI JOIN of_school_age ON reached.person_id = of_school_age.person_id
ANTI JOIN known_to_school ON reached.person_id = known_to_school.person_id
WHERE EXISTS (SELECT 1 FROM schools_searched)
GROUP BY reached.person_id
