-- shown_relationship: relationships as they may be shown; as `relationship`. The statement stays; who the other is does not
-- where it would lead from one side of a seal to the other.
WITH relationships AS (
    SELECT * FROM relationship
),

links AS (
    SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL
),

hidden AS (
    SELECT mine.record_id, theirs.record_id AS other_record_id
    FROM hidden_tie
    INNER JOIN links AS mine ON hidden_tie.person_id = mine.person_id
    INNER JOIN links AS theirs ON hidden_tie.other_person_id = theirs.person_id
)

SELECT
    relationships.* REPLACE (
        if(hidden.record_id IS NULL, relationships.other_record_id, NULL) AS other_record_id,
        if(hidden.record_id IS NULL, relationships.other_name, NULL) AS other_name
    )
FROM relationships
LEFT JOIN hidden
    ON relationships.record_id = hidden.record_id AND relationships.other_record_id = hidden.other_record_id
