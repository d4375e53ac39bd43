-- protected_token: one row per word by which a protected person or their address is recognised in a row as received:
-- postcodes without their space, and the numbers sources know them by. Former postcodes count: they may be sent again.
WITH people AS (
    SELECT record_id FROM protected_record
),

tokens AS (
    SELECT record_id, postcode AS token FROM person_record
    UNION ALL
    SELECT record_id, postcode FROM person_address
    UNION ALL
    SELECT record_id, uprn FROM person_address
    UNION ALL
    SELECT record_id, source_person_id FROM person_record
    UNION ALL
    SELECT record_id, nhs_number FROM person_record
    UNION ALL
    SELECT record_id, upn FROM person_record
    UNION ALL
    SELECT record_id, value FROM person_identifier
)

SELECT DISTINCT replace(upper(token), ' ', '') AS token
FROM tokens
WHERE record_id IN (SELECT record_id FROM people) AND length(replace(token, ' ', '')) >= 4
