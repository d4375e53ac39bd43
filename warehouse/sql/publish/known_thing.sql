-- known_thing: one row per person, kind and thing by which somebody may ask for them, as it is compared, with one of the spellings in which
-- sources have it. known_by is sorted by what is asked, known_as by whom it is said of: of a million children either is a narrow read.
WITH links AS (
    SELECT record_id, person_id FROM known_link WHERE is_current AND person_id IS NOT NULL
),

tonight AS (
    SELECT date FROM published_night
),

records AS (
    SELECT *, superseded_at IS NOT NULL OR valid_to IS NOT NULL AS is_past FROM person_record
),

names AS (
    SELECT record_id, concat_ws(' ', given_names, family_name) AS name, is_past FROM records
    UNION ALL
    SELECT record_id, concat_ws(' ', given_names, family_name), superseded_at IS NOT NULL OR kind = 'former' FROM person_name
),

addresses AS (
    SELECT person_address.*, superseded_at IS NOT NULL OR coalesce(valid_to < tonight.date, false) AS is_past
    FROM person_address
    CROSS JOIN tonight
),

told AS (
    SELECT
        record_id,
        'name' AS kind,
        unnest(regexp_split_to_array(lower(strip_accents(name)), '[^\p{L}\p{N}]+')) AS search_key,
        name AS said,
        is_past
    FROM names
    UNION ALL
    SELECT record_id, 'postcode', regexp_replace(lower(postcode), '[^a-z0-9]', '', 'g'), postcode, is_past FROM records
    UNION ALL
    SELECT record_id, 'postcode', regexp_replace(lower(postcode), '[^a-z0-9]', '', 'g'), postcode, is_past FROM addresses
    UNION ALL
    SELECT record_id, 'address', trim(regexp_replace(lower(strip_accents(address)), '[^\p{L}\p{N}]+', ' ', 'g')), address, is_past
    FROM addresses
    UNION ALL
    SELECT record_id, 'identifier', regexp_replace(lower(nhs_number), '[^a-z0-9]', '', 'g'), nhs_number, is_past FROM records
    UNION ALL
    SELECT record_id, 'identifier', regexp_replace(lower(upn), '[^a-z0-9]', '', 'g'), upn, is_past FROM records
    UNION ALL
    SELECT record_id, 'identifier', regexp_replace(lower(source_person_id), '[^a-z0-9]', '', 'g'), source_person_id, is_past
    FROM records
    UNION ALL
    SELECT record_id, 'identifier', regexp_replace(lower(value), '[^a-z0-9]', '', 'g'), value, superseded_at IS NOT NULL
    FROM person_identifier
),

protected AS (
    SELECT person_id FROM protected_person
)

SELECT
    links.person_id,
    told.kind,
    told.search_key,
    min(told.said) AS said,
    bool_and(told.is_past) AS is_former,
    told.kind IN ('postcode', 'address') AND links.person_id IN (SELECT person_id FROM protected) AS address_protected
FROM told
INNER JOIN links ON told.record_id = links.record_id
WHERE told.search_key <> ''
GROUP BY links.person_id, told.kind, told.search_key
