-- stated_status: one row per person, status and agency: what that agency's data says of it now, since when, and from what.
-- Statuses are not columns of a person: they are read out of plans, enrolments, reviews and marks. `compared` is what must be equal for
-- two agencies to agree. A status that only one agency speaks of is here too; where they differ it is a contradiction.
WITH events AS (
    SELECT * FROM current_event
),

spans AS (
    SELECT * FROM current_span
),

links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current AND person_id IS NOT NULL
),

loads AS (
    SELECT load_id, load_seq FROM night
),

-- Whom children's social care knows: where it has no plan open, that says something.
known_to_social_care AS (
    SELECT person_id, min(record_id) AS record_id, max(recorded_at) AS recorded_at
    FROM current_record
    WHERE agency = 'social_care' AND person_id IS NOT NULL
    GROUP BY person_id
),

plan_kinds AS (
    SELECT * FROM (VALUES
        ('child_protection_plan', 'child_protection_plan', 'cpp_start', 'cpp_end'),
        ('looked_after', 'looked_after', 'cla_start', 'cla_end')
    ) AS named (attribute, kind, begins, ends)
),

-- Open, or ended: what the council's own spans say, and what another agency's events last said.
own_plans AS (
    SELECT
        known_to_social_care.person_id,
        plan_kinds.attribute,
        'social_care' AS agency,
        coalesce(max(spans.record_id), any_value(known_to_social_care.record_id)) AS record_id,
        coalesce(max(spans.recorded_at), any_value(known_to_social_care.recorded_at)) AS recorded_at,
        coalesce(bool_or(spans.is_open), false) AS is_open,
        CASE
            WHEN bool_or(spans.is_open) THEN max(spans.started_on) FILTER (WHERE spans.is_open)
            ELSE max(spans.ended_on)
        END AS since,
        coalesce(list(spans.span_id ORDER BY spans.span_id) FILTER (WHERE spans.span_id IS NOT NULL), []) AS evidence,
        max(spans.arrived_seq) AS arrived_seq
    FROM known_to_social_care
    CROSS JOIN plan_kinds
    LEFT JOIN spans
        ON
            known_to_social_care.person_id = spans.person_id
            AND plan_kinds.kind = spans.kind
            AND spans.agency = 'social_care'
    GROUP BY known_to_social_care.person_id, plan_kinds.attribute
),

others_plans AS (
    SELECT
        events.person_id,
        plan_kinds.attribute,
        events.agency,
        arg_max(events.record_id, {'on': events.happened_on, 'id': events.event_id}) AS record_id,
        max(events.recorded_at) AS recorded_at,
        arg_max(events.event_type = plan_kinds.begins, {'on': events.happened_on, 'id': events.event_id}) AS is_open,
        max(events.happened_on) AS since,
        list(events.event_id ORDER BY events.event_id) AS evidence,
        max(events.arrived_seq) AS arrived_seq
    FROM events
    INNER JOIN plan_kinds ON events.event_type IN (plan_kinds.begins, plan_kinds.ends)
    WHERE events.agency <> 'social_care'
    GROUP BY events.person_id, plan_kinds.attribute, events.agency
),

plans AS (
    SELECT * FROM own_plans
    UNION ALL BY NAME
    SELECT * FROM others_plans
),

-- On a school's roll, or said to be taught at home or nowhere since.
on_roll AS (
    SELECT
        person_id,
        agency,
        arg_max(record_id, {'on': started_on, 'id': span_id}) AS record_id,
        max(recorded_at) AS recorded_at,
        max(started_on) AS since,
        list(span_id ORDER BY span_id) AS evidence,
        max(arrived_seq) AS arrived_seq
    FROM spans
    WHERE kind = 'enrolment' AND is_open
    GROUP BY person_id, agency
),

off_roll AS (
    SELECT
        events.person_id,
        events.agency,
        arg_max(events.record_id, {'on': events.happened_on, 'id': events.event_id}) AS record_id,
        max(events.recorded_at) AS recorded_at,
        max(events.happened_on) AS since,
        arg_max(events.event_type, {'on': events.happened_on, 'id': events.event_id}) AS event_type,
        list(events.event_id ORDER BY events.event_id) AS evidence,
        max(events.arrived_seq) AS arrived_seq
    FROM events
    WHERE events.event_type IN ('home_educated', 'missing_education')
    GROUP BY events.person_id, events.agency
),

-- What was agreed with the family: the last review of it, and what other agencies wrote down in the four weeks around that.
reviews AS (
    SELECT
        person_id,
        agency,
        arg_max(record_id, {'on': happened_on, 'id': event_id}) AS record_id,
        arg_max(recorded_at, {'on': happened_on, 'id': event_id}) AS recorded_at,
        max(happened_on) AS since,
        arg_max(coalesce(lower(outcome), 'not said'), {'on': happened_on, 'id': event_id}) AS outcome,
        [arg_max(event_id, {'on': happened_on, 'id': event_id})] AS evidence,
        arg_max(arrived_seq, {'on': happened_on, 'id': event_id}) AS arrived_seq
    FROM events
    WHERE event_type = 'family_agreement_review'
    GROUP BY person_id, agency
),

-- Five days late in four weeks is more than a bus that did not come.
late AS (
    SELECT
        reviews.person_id,
        attendance.agency,
        min(attendance.record_id) AS record_id,
        max(attendance.recorded_at) AS recorded_at,
        count(DISTINCT attendance.session_date) AS days,
        min(attendance.session_date) AS first_day,
        max(attendance.session_date) AS last_day,
        max(loads.load_seq) AS arrived_seq
    FROM reviews
    INNER JOIN links ON reviews.person_id = links.person_id
    INNER JOIN attendance
        ON
            links.record_id = attendance.record_id
            AND attendance.superseded_at IS NULL
            AND attendance.mark IN ('L', 'U')
            AND attendance.session_date BETWEEN reviews.since - 28 AND reviews.since + 28
    LEFT JOIN loads ON attendance.load_id = loads.load_id
    WHERE reviews.outcome = 'kept'
    GROUP BY reviews.person_id, attendance.agency
    HAVING count(DISTINCT attendance.session_date) >= 5
),

worried AS (
    SELECT
        reviews.person_id,
        events.agency,
        min(events.record_id) AS record_id,
        max(events.recorded_at) AS recorded_at,
        count(*) AS concerns,
        min(events.happened_on) AS first_day,
        max(events.happened_on) AS last_day,
        list(events.event_id ORDER BY events.event_id) AS evidence,
        max(events.arrived_seq) AS arrived_seq
    FROM reviews
    INNER JOIN events
        ON
            reviews.person_id = events.person_id
            AND reviews.agency <> events.agency
            AND events.polarity = 'concern'
            AND events.happened_on BETWEEN reviews.since - 28 AND reviews.since + 28
    WHERE reviews.outcome = 'kept'
    GROUP BY reviews.person_id, events.agency
),

doubts AS (
    SELECT
        coalesce(late.person_id, worried.person_id) AS person_id,
        coalesce(late.agency, worried.agency) AS agency,
        coalesce(worried.record_id, late.record_id) AS record_id,
        greatest(late.recorded_at, worried.recorded_at) AS recorded_at,
        least(late.first_day, worried.first_day) AS since,
        concat_ws(
            ', ',
            'late on ' || late.days || ' days',
            if(worried.concerns = 1, 'one concern written down', worried.concerns || ' concerns written down')
        ) || ', ' || least(late.first_day, worried.first_day) || ' to ' || greatest(late.last_day, worried.last_day)
            AS words,
        coalesce(worried.evidence, []) AS evidence,
        greatest(late.arrived_seq, worried.arrived_seq) AS arrived_seq
    FROM late
    FULL OUTER JOIN worried ON late.person_id = worried.person_id AND late.agency = worried.agency
),

statuses AS (
    SELECT
        person_id,
        attribute,
        agency,
        if(is_open, 'open', if(since IS NULL, 'none', 'ended')) || coalesce(' since ' || since, '') AS value,
        if(is_open, 'open', 'not open') AS compared,
        since,
        record_id,
        recorded_at,
        evidence,
        arrived_seq
    FROM plans
    UNION ALL BY NAME
    SELECT
        person_id,
        'education' AS attribute,
        agency,
        'on roll since ' || since AS value,
        'on roll' AS compared,
        since,
        record_id,
        recorded_at,
        evidence,
        arrived_seq
    FROM on_roll
    UNION ALL BY NAME
    SELECT
        off_roll.person_id,
        'education' AS attribute,
        off_roll.agency,
        if(off_roll.event_type = 'home_educated', 'taught at home', 'on no roll') || ' since ' || off_roll.since AS value,
        'not on roll' AS compared,
        off_roll.since,
        off_roll.record_id,
        off_roll.recorded_at,
        off_roll.evidence,
        off_roll.arrived_seq
    FROM off_roll
    LEFT JOIN on_roll ON off_roll.person_id = on_roll.person_id
    -- Who joined a school afterwards is simply back.
    WHERE on_roll.since IS NULL OR on_roll.since <= off_roll.since
    UNION ALL BY NAME
    SELECT
        person_id,
        'family_agreement' AS attribute,
        agency,
        replace(outcome, '_', ' ') || ' at the review of ' || since AS value,
        outcome AS compared,
        since,
        record_id,
        recorded_at,
        evidence,
        arrived_seq
    FROM reviews
    UNION ALL BY NAME
    SELECT
        person_id,
        'family_agreement' AS attribute,
        agency,
        words AS value,
        'in doubt' AS compared,
        since,
        record_id,
        recorded_at,
        evidence,
        arrived_seq
    FROM doubts
)

SELECT * FROM statuses
