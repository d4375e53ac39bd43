-- not_seen: A child with a plan open, or looked after, whom nobody is known to have seen for more than six weeks.
-- why: A child in care is to be visited at least every six weeks (Care Planning, Placement and Case Review (England) Regulations 2010, reg. 28); an unseen child is unprotected.
-- goes: when anybody writes down that the child was seen, or a school marks the child present.
WITH tonight AS (
    SELECT date FROM published_night
),

watched AS (
    SELECT person_id, min(started_on) AS since, list(span_id ORDER BY span_id) AS spans
    FROM current_span
    WHERE is_open AND kind IN ('child_protection_plan', 'looked_after') AND agency = 'social_care'
    GROUP BY person_id
),

-- Silence is not safety, nor is it neglect: where nobody sends visits, nothing follows from there being none.
visits_are_sent AS (
    SELECT 1 AS sent FROM current_event WHERE event_type = 'visit' LIMIT 1
),

-- Marks and events of everybody else are left alone: there are millions.
watched_links AS (
    SELECT known_link.record_id, known_link.person_id
    FROM known_link
    SEMI JOIN watched ON known_link.person_id = watched.person_id
    WHERE known_link.is_current
),

seen_by_somebody AS (
    SELECT current_event.person_id, current_event.happened_on AS seen_on
    FROM current_event
    SEMI JOIN watched ON current_event.person_id = watched.person_id
    WHERE
        child_present = 'Y'
        OR event_type IN (
            'visit', 'health_contact', 'health_visitor_contact', 'outpatient_attendance', 'appointment_attended',
            'ed_attendance', 'admission', 'health_check', 'found', 'immunisation_given'
        )
    UNION ALL
    SELECT watched_links.person_id, attendance.session_date AS seen_on
    FROM attendance
    INNER JOIN watched_links ON attendance.record_id = watched_links.record_id
    WHERE attendance.superseded_at IS NULL AND attendance.meaning = 'present'
),

last_seen AS (
    SELECT seen_by_somebody.person_id, max(seen_by_somebody.seen_on) AS seen_on
    FROM seen_by_somebody
    CROSS JOIN tonight
    WHERE seen_by_somebody.seen_on <= tonight.date
    GROUP BY seen_by_somebody.person_id
)

SELECT
    watched.person_id,
    CAST(coalesce(greatest(last_seen.seen_on, watched.since), watched.since) + 43 AS DATE) AS raised_on,
    watched.spans AS evidence,
    if(
        last_seen.seen_on IS NULL,
        'not known to have been seen by anybody; under a plan or in care since ' || watched.since,
        'last known to have been seen on ' || last_seen.seen_on
    ) AS explanation
FROM watched
CROSS JOIN tonight
LEFT JOIN last_seen ON watched.person_id = last_seen.person_id
WHERE
    EXISTS (SELECT 1 FROM visits_are_sent)
    AND coalesce(greatest(last_seen.seen_on, watched.since), watched.since) < tonight.date - 42
