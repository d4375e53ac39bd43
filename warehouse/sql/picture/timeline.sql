-- timeline: one row per thing told of the child, in order, read by a practitioner; parameters: $person_id, $born, $household (whether
-- to look at whom the child lives with: who lived with whom is known as of now alone).
-- What two feeds of an agency tell is one line. `age` is in whole years at the time. `about` says whether it is told of the child or of
-- somebody the child lived with that day. `gap_days`: days of silence before it, where there were more than ninety. `then_on`, `then_what`:
-- what followed within thirty days where an appointment was missed, whoever tells it.
WITH own AS (
    SELECT * FROM chronology WHERE person_id = $person_id AND event_id = same_as
),

-- What happens in a household happens to every child in it; the same thing told of the child itself is not repeated.
near AS (
    SELECT DISTINCT theirs.person_id, mine.valid_from AS mine_from, mine.valid_to AS mine_to, theirs.valid_from, theirs.valid_to
    FROM mart.main.households AS mine
    INNER JOIN mart.main.households AS theirs ON mine.household_id = theirs.household_id AND mine.person_id <> theirs.person_id
    WHERE $household AND mine.person_id = $person_id
),

household AS (
    SELECT DISTINCT chronology.*
    FROM chronology
    INNER JOIN near ON chronology.person_id = near.person_id
    WHERE
        chronology.event_id = chronology.same_as
        AND chronology.event_type IN (
            'da_incident_child_present', 'encompass_notification', 'ppn', 'arrest_of_household_member', 'ppo_s46'
        )
        AND CAST(chronology.sorts_at AS DATE) BETWEEN greatest(
            coalesce(near.mine_from, DATE '1900-01-01'), coalesce(near.valid_from, DATE '1900-01-01')
        ) AND least(coalesce(near.mine_to, DATE '9999-12-31'), coalesce(near.valid_to, DATE '9999-12-31'))
),

elsewhere AS (
    SELECT household.*
    FROM household
    ANTI JOIN own
        ON
            household.agency = own.agency
            AND household.event_type = own.event_type
            AND CAST(household.sorts_at AS DATE) = CAST(own.sorts_at AS DATE)
),

told AS (
    SELECT *, 'child' AS about FROM own
    UNION ALL
    SELECT *, 'household' AS about FROM elsewhere
),

taxonomy AS (
    SELECT event_type, polarity, meaning FROM mart.main.event_types
),

standing AS (
    SELECT event_id, sorts_at, lag(sorts_at) OVER (ORDER BY sorts_at, event_id) AS before
    FROM told
    WHERE retracted_at IS NULL
),

followed AS (
    SELECT
        missed.event_id,
        min(later.sorts_at) AS then_at,
        arg_min(later.agency || ': ' || coalesce(later.title, later.event_type), later.sorts_at) AS then_what
    FROM own AS missed
    INNER JOIN own AS later
        ON
            later.sorts_at > missed.sorts_at
            AND later.sorts_at <= missed.sorts_at + INTERVAL 30 DAYS
            AND later.event_type IN (
                'visit', 'health_contact', 'health_visitor_contact', 'outpatient_attendance', 'appointment_attended',
                'was_not_brought', 'ed_attendance', 'contact', 'referral'
            )
    WHERE missed.event_type IN ('was_not_brought', 'cancelled_by_family') AND later.retracted_at IS NULL
    GROUP BY missed.event_id
)

SELECT
    told.event_id,
    told.sorts_at,
    told.occurred_from,
    told.occurred_to,
    told.occurred_precision,
    if($born IS NULL OR told.sorts_at < $born, NULL, date_sub('year', CAST($born AS DATE), CAST(told.sorts_at AS DATE)))
        AS age,
    told.about,
    told.agency,
    told.event_type,
    taxonomy.polarity,
    coalesce(told.title, taxonomy.meaning, told.event_type) AS title,
    told.statement_kind,
    told.narrative,
    told.quoted_words,
    told.outcome,
    told.action_taken,
    told.reported_by_role,
    told.recorded_at,
    told.retracted_at,
    told.onward_disclosure,
    told.handling_code,
    if(date_diff('day', standing.before, told.sorts_at) > 90, date_diff('day', standing.before, told.sorts_at), NULL)
        AS gap_days,
    CAST(followed.then_at AS DATE) AS then_on,
    followed.then_what
FROM told
LEFT JOIN taxonomy ON told.event_type = taxonomy.event_type
LEFT JOIN standing ON told.event_id = standing.event_id
LEFT JOIN followed ON told.event_id = followed.event_id
ORDER BY told.sorts_at, told.event_id
