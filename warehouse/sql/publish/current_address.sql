-- current_address: one row per address a source gives now for a person, with a key by which two are the same place.
WITH addresses AS (
    SELECT record_id, kind, address, postcode, uprn, protected, valid_to
    FROM person_address
    WHERE superseded_at IS NULL
),

links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current
),

tonight AS (
    SELECT date FROM published_night
)

SELECT
    addresses.record_id,
    links.person_id,
    addresses.postcode,
    addresses.uprn,
    coalesce(addresses.protected, false) AS protected,
    addresses.kind IN ('home', 'placement', 'temporary')
    AND (addresses.valid_to IS NULL OR addresses.valid_to >= tonight.date) AS lives_there,
    if(
        addresses.address IS NOT NULL,
        regexp_replace(lower(concat_ws(' ', addresses.address, addresses.postcode)), '[^a-z0-9]', '', 'g'),
        NULL
    ) AS place
FROM addresses
CROSS JOIN tonight
LEFT JOIN links ON addresses.record_id = links.record_id
