-- not_brought_and_absent: Not brought to two or more appointments within 90 days, while attendance at school falls by ten points or more.
-- why: A child misses what others have to bring them to. Health sees the one half and school the other.
-- goes: 90 days after the last missed appointment, or when attendance recovers.
WITH tonight AS (
    SELECT date FROM published_night
),

missed AS (
    SELECT
        current_event.person_id,
        max(current_event.happened_on) AS last_on,
        count(DISTINCT current_event.happened_on) AS missed_count,
        list(current_event.event_id ORDER BY current_event.event_id) AS evidence
    FROM current_event
    CROSS JOIN tonight
    WHERE
        current_event.event_type = 'was_not_brought'
        AND current_event.happened_on BETWEEN tonight.date - 90 AND tonight.date
    GROUP BY current_event.person_id
    HAVING count(DISTINCT current_event.happened_on) >= 2
),

marks AS (
    SELECT
        missed.person_id,
        attendance.session_date,
        attendance.meaning IN ('present', 'approved_activity') AS attended
    FROM missed
    INNER JOIN known_link ON missed.person_id = known_link.person_id AND known_link.is_current
    INNER JOIN attendance ON known_link.record_id = attendance.record_id
    CROSS JOIN tonight
    WHERE
        attendance.superseded_at IS NULL
        AND attendance.session_date BETWEEN tonight.date - 180 AND tonight.date
        AND attendance.meaning IN ('present', 'approved_activity', 'authorised', 'unauthorised')
),

-- Four weeks up to the last session there is, beside the twelve before; fewer than ten school days say nothing.
last_days AS (
    SELECT person_id, max(session_date) AS last_day FROM marks GROUP BY person_id
),

rates AS (
    SELECT
        marks.person_id,
        last_days.last_day,
        100 * avg(CAST(marks.attended AS INTEGER)) FILTER (WHERE marks.session_date > last_days.last_day - 28) AS recent,
        100 * avg(CAST(marks.attended AS INTEGER)) FILTER (WHERE marks.session_date <= last_days.last_day - 28) AS before,
        count(*) FILTER (WHERE marks.session_date > last_days.last_day - 28) AS recent_sessions,
        count(*) FILTER (WHERE marks.session_date <= last_days.last_day - 28) AS earlier_sessions
    FROM marks
    INNER JOIN last_days ON marks.person_id = last_days.person_id
    WHERE marks.session_date > last_days.last_day - 112
    GROUP BY marks.person_id, last_days.last_day
)

SELECT
    missed.person_id,
    greatest(missed.last_on, rates.last_day) AS raised_on,
    missed.evidence,
    'not brought on ' || missed.missed_count || ' days since ' || (missed.last_on - 90) || '; attended '
    || round(rates.recent) || ' % of sessions in four weeks up to ' || rates.last_day || ', '
    || round(rates.before) || ' % in the twelve before' AS explanation
FROM missed
INNER JOIN rates ON missed.person_id = rates.person_id
WHERE rates.recent_sessions >= 20 AND rates.earlier_sessions >= 20 AND rates.recent <= rates.before - 10
