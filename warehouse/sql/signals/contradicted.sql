-- contradicted: Two agencies' data say opposite things about a plan, about care, about what was agreed with the family, or about school.
-- why: Somebody is relying on the one that is wrong. What is believed of a child should not depend on whom one asks.
-- goes: when they agree.
WITH differing AS (
    SELECT person_id, attribute FROM stated_status GROUP BY person_id, attribute HAVING min(compared) <> max(compared)
),

-- Words are put together only where they differ: it is done for each child by itself.
statuses AS (
    SELECT stated_status.* FROM stated_status SEMI JOIN differing USING (person_id, attribute)
)

SELECT
    person_id,
    attribute AS about,
    max(since) AS raised_on,
    list_sort(list_distinct(flatten(list(evidence)))) AS evidence,
    replace(attribute, '_', ' ') || ': '
    || string_agg(agency || ' says ' || value, '; ' ORDER BY agency, value) AS explanation
FROM statuses
GROUP BY person_id, attribute
