-- coverage: one row per person and agency: was the agency searched, as of when, and is the person known there?
-- sorted by: person_id, agency
-- column searched_as_of: When the agency's last good extract left its system (UTC)
-- column status: found, withheld, not_supplied (never sent), stale (not in what was sent; more is due) or not_found
-- column is_stale: Part of what the agency is to send is missing, failed or overdue; also where the person was found
-- column record_count: Current records of the person in that agency
WITH records AS (
    SELECT record_id, person_id, agency, flags FROM current_record WHERE person_id IS NOT NULL
),

agencies AS (
    SELECT agency, searched_as_of, is_supplied, is_stale FROM searched_agency
),

people AS (
    SELECT DISTINCT person_id FROM records
),

-- A source that may say only that it knows somebody marks the record with the flag `withheld`.
held AS (
    SELECT
        person_id,
        agency,
        count(DISTINCT record_id) AS record_count,
        bool_and(coalesce(list_contains(flags, 'withheld'), false)) AS is_withheld
    FROM records
    GROUP BY person_id, agency
)

SELECT
    people.person_id,
    agencies.agency,
    agencies.searched_as_of,
    CASE
        WHEN held.is_withheld THEN 'withheld'
        WHEN held.person_id IS NOT NULL THEN 'found'
        WHEN NOT agencies.is_supplied THEN 'not_supplied'
        WHEN agencies.is_stale THEN 'stale'
        ELSE 'not_found'
    END AS status,
    agencies.is_stale,
    coalesce(held.record_count, 0) AS record_count
FROM people
CROSS JOIN agencies
LEFT JOIN held ON people.person_id = held.person_id AND agencies.agency = held.agency
