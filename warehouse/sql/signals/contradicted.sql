-- contradicted: Two agencies' data say opposite things about a plan, about care, about what was agreed with the family, or about school.
-- why: Somebody is relying on the one that is wrong. What is believed of a child should not depend on whom one asks.
-- goes: when they agree.
WITH statuses AS (
    SELECT * FROM stated_status
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
HAVING min(compared) <> max(compared)
