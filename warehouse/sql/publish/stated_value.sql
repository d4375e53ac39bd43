-- stated_value: one row per version of a record that is current, and attribute of the person that it states.
-- `compared`: what must be equal for two sources to agree (names without case, accents, spaces or hyphens, and given
-- names by the first one only, since sources differ in keeping middle names). `weight`: how definite the value is; only
-- `is_definite` ones are compared, because "not known", or an age in place of a birth date, contradicts nobody.
-- `arrived_seq`: the load from which this was known of this person: when it was loaded or linked, whichever was later.
WITH current_records AS (
    SELECT record_id, person_id, bool_or(verified) AS verified
    FROM current_record
    WHERE person_id IS NOT NULL
    GROUP BY record_id, person_id
),

versions AS (
    SELECT * FROM person_record
),

loads AS (
    SELECT load_id, load_seq FROM night
),

links AS (
    SELECT link.record_id, link.person_id, min(loads.load_seq) AS linked_seq
    FROM link
    INNER JOIN loads ON link.load_id = loads.load_id
    GROUP BY link.record_id, link.person_id
),

folded AS (
    SELECT
        versions.*,
        current_records.person_id,
        current_records.verified,
        greatest(loads.load_seq, links.linked_seq) AS arrived_seq,
        trim(regexp_replace(
            regexp_replace(strip_accents(lower(versions.given_names)), '[''’`.]', '', 'g'), '[\s\-–]+', ' ', 'g'
        )) AS folded_given_names,
        regexp_replace(strip_accents(lower(versions.family_name)), '[''’`.\s\-–]', '', 'g') AS folded_family_name,
        replace(upper(versions.postcode), ' ', '') AS folded_postcode
    FROM versions
    INNER JOIN current_records ON versions.record_id = current_records.record_id
    LEFT JOIN loads ON versions.load_id = loads.load_id
    LEFT JOIN links
        ON current_records.record_id = links.record_id AND current_records.person_id = links.person_id
),

stated AS (
    SELECT
        person_id,
        agency,
        record_id,
        recorded_at,
        loaded_at,
        verified,
        arrived_seq,
        superseded_at IS NULL AS is_current,
        unnest([
            {
                'attribute': 'given_names',
                'value': given_names,
                'compared': split_part(folded_given_names, ' ', 1),
                -- Placeholders stand until a child is named.
                'weight': if(
                    regexp_matches(
                        folded_given_names,
                        '^(baby|babe|twin|triplet|infant|unborn|newborn|child|unknown|not known|nk|not given)( |$)'
                    ),
                    0,
                    1
                ),
                'definite': 1
            },
            {
                'attribute': 'family_name',
                'value': family_name,
                'compared': folded_family_name,
                'weight': if(folded_family_name IN ('unknown', 'notknown', 'nk', 'unborn'), 0, 1),
                'definite': 1
            },
            {
                'attribute': 'birth_date',
                'value': CAST(birth_date AS VARCHAR),
                'compared': CAST(birth_date AS VARCHAR),
                'weight': CASE coalesce(birth_date_precision, 'day')
                    WHEN 'day' THEN 3 WHEN 'month' THEN 2 WHEN 'year' THEN 1 ELSE 0
                END,
                'definite': 3
            },
            {
                'attribute': 'sex',
                'value': sex,
                'compared': sex,
                'weight': if(sex IN ('M', 'F', 'I'), 1, 0),
                'definite': 1
            },
            {
                'attribute': 'ethnicity',
                'value': ethnicity,
                'compared': upper(ethnicity),
                -- Refused and not obtained.
                'weight': if(upper(ethnicity) IN ('REFU', 'NOBT'), 0, 1),
                'definite': 1
            },
            {
                'attribute': 'nhs_number',
                'value': nhs_number,
                'compared': regexp_replace(nhs_number, '[^0-9]', '', 'g'),
                'weight': 1,
                'definite': 1
            },
            {
                'attribute': 'upn',
                'value': upn,
                'compared': replace(upper(upn), ' ', ''),
                'weight': 1,
                'definite': 1
            },
            {
                'attribute': 'postcode',
                'value': postcode,
                'compared': folded_postcode,
                -- ZZ99 stands for no fixed abode, abroad or not known.
                'weight': if(folded_postcode LIKE 'ZZ99%', 0, 1),
                'definite': 1
            },
            {
                'attribute': 'expected_birth_date',
                'value': CAST(expected_birth_date AS VARCHAR),
                'compared': CAST(expected_birth_date AS VARCHAR),
                'weight': 0,
                'definite': 1
            },
            {
                'attribute': 'death_date',
                'value': CAST(death_date AS VARCHAR),
                'compared': CAST(death_date AS VARCHAR),
                'weight': 0,
                'definite': 1
            }
        ], recursive := true)
    FROM folded
)

SELECT
    person_id,
    attribute,
    value,
    compared,
    weight,
    weight = definite AS is_definite,
    agency,
    record_id,
    recorded_at,
    coalesce(recorded_at, loaded_at) AS stated_at,
    verified,
    arrived_seq,
    is_current
FROM stated
WHERE compared <> ''
