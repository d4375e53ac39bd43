-- shown_identity_change: the ledger as it may be shown; as `identity_change`. Records and persons of the other side are
-- taken out of an entry; an entry that spoke of nothing else is not there.
WITH changes AS (
    SELECT * FROM identity_change
),

numbered AS (
    SELECT *, row_number() OVER () AS entry FROM changes
),

members AS (
    SELECT record_id, person_id AS side
    FROM link
    WHERE unlinked_at IS NULL AND person_id IN (SELECT person_id FROM sealed_person)
),

hidden_records AS (
    SELECT numbered.entry, list(DISTINCT members.record_id) AS records
    FROM numbered
    INNER JOIN side_of ON numbered.person_id = side_of.person_id
    INNER JOIN sealed_person ON side_of.side = sealed_person.person_id
    INNER JOIN members
        ON sealed_person.other_person_id = members.side AND list_contains(numbered.record_ids, members.record_id)
    GROUP BY numbered.entry
),

hidden_persons AS (
    SELECT numbered.entry, list(DISTINCT theirs.person_id) AS persons
    FROM numbered
    INNER JOIN side_of AS mine ON numbered.person_id = mine.person_id
    INNER JOIN sealed_person ON mine.side = sealed_person.person_id
    INNER JOIN side_of AS theirs
        ON
            sealed_person.other_person_id = theirs.side
            AND list_contains(numbered.other_person_ids, theirs.person_id)
    GROUP BY numbered.entry
),

seen AS (
    SELECT
        numbered.* REPLACE (
            list_filter(
                numbered.other_person_ids,
                lambda item: NOT list_contains(coalesce(hidden_persons.persons, []), item)
            ) AS other_person_ids,
            list_filter(
                numbered.record_ids, lambda item: NOT list_contains(coalesce(hidden_records.records, []), item)
            ) AS record_ids
        ),
        hidden_persons.entry IS NOT NULL OR hidden_records.entry IS NOT NULL AS is_cut
    FROM numbered
    LEFT JOIN hidden_persons ON numbered.entry = hidden_persons.entry
    LEFT JOIN hidden_records ON numbered.entry = hidden_records.entry
)

SELECT * EXCLUDE (entry, is_cut)
FROM seen
WHERE NOT (is_cut AND change IN ('merged', 'split') AND len(record_ids) = 0)
ORDER BY entry
