-- kept_until: one row per record of a person: the rule that decides how long it is kept, the day on which it is due, and what holds it.
-- The longest of the rules that are for a record counts; due_on is empty where it is never due. A hold is on the record itself, or on its
-- person under any identifier the person ever had.

WITH news AS (
    SELECT record_id, min(heard) AS first_news, max(heard) AS last_news, list(DISTINCT kind) FILTER (kind IS NOT NULL) AS kinds
    FROM (
        SELECT record_id, CAST(coalesce(recorded_at, extracted_at, loaded_at) AS DATE) AS heard, NULL AS kind FROM person_record
        UNION ALL
        SELECT record_id, CAST(coalesce(occurred_to, occurred_from, recorded_at, loaded_at) AS DATE), NULL FROM event
        UNION ALL
        -- An open span is news every day.
        SELECT record_id, if(superseded_at IS NULL AND retracted_at IS NULL, coalesce(ended_on, $today), ended_on), kind FROM span
        UNION ALL
        SELECT record_id, session_date, NULL FROM attendance
    )
    GROUP BY record_id
),

described AS (
    SELECT record_id, any_value(agency) AS agency, any_value(feed) AS feed, max(birth_date) AS birth_date, max(death_date) AS death_date
    FROM person_record
    GROUP BY record_id
),

applying AS (
    SELECT
        d.record_id,
        r.rule,
        r.replaces,
        CASE
            WHEN r.forever THEN NULL
            ELSE greatest(
                CASE
                    WHEN r.after_death IS NOT NULL AND d.death_date IS NOT NULL THEN d.death_date + to_years(r.after_death)
                    -- A parent or a professional was grown up when first heard of: a child's age says nothing of how long they are kept.
                    WHEN r.until_age IS NOT NULL
                        THEN if(d.birth_date + to_years(18) > n.first_news, d.birth_date, n.last_news) + to_years(r.until_age)
                END,
                n.last_news + to_years(r.after_last_news)
            )
        END AS due_on
    FROM described AS d
    INNER JOIN news AS n USING (record_id)
    INNER JOIN temp.retention_rule AS r
        ON
            d.agency = r.agency
            AND (len(r.feeds) = 0 OR list_contains(r.feeds, d.feed))
            AND (len(r.with_spans) = 0 OR list_has_any(r.with_spans, coalesce(n.kinds, [])))
),

deciding AS (
    SELECT
        record_id,
        first(rule ORDER BY due_on DESC NULLS FIRST, rule) AS rule,
        CAST(first(due_on ORDER BY due_on DESC NULLS FIRST, rule) AS DATE) AS due_on
    FROM applying AS a
    WHERE NOT EXISTS (SELECT 1 FROM applying AS b WHERE b.record_id = a.record_id AND b.replaces = a.rule)
    GROUP BY record_id
),

held AS (
    SELECT record_id, list_sort(list_distinct(flatten(list(holds)))) AS held_by
    FROM (
        SELECT subject AS record_id, holds FROM temp.held_subject
        UNION ALL
        SELECT l.record_id, h.holds
        FROM temp.held_subject AS h
        INNER JOIN person AS p ON h.subject = p.person_id
        INNER JOIN link AS l ON coalesce(p.resolves_to, p.person_id) = l.person_id AND l.unlinked_at IS NULL
    )
    GROUP BY record_id
)

SELECT d.record_id, l.person_id, c.rule, c.due_on, h.held_by
FROM described AS d
LEFT JOIN deciding AS c ON d.record_id = c.record_id
LEFT JOIN link AS l ON d.record_id = l.record_id AND l.unlinked_at IS NULL
LEFT JOIN held AS h ON d.record_id = h.record_id
