-- quarantine: one row per received row that is held back, whole, until a person releases it.
-- sorted by: load_id, agency, feed, file_id, row_number
-- column address_protected: The row names somebody whose address is restricted, or holds such an address
WITH rows_held AS (
    SELECT * FROM quarantine
),

protected_tokens AS (
    SELECT token FROM protected_token
),

-- Words of the row, and whatever looks like a postcode with its space taken out.
words AS (
    SELECT
        quarantine_id,
        unnest(list_concat(
            string_split_regex(upper(content), '[^A-Z0-9]+'),
            list_transform(
                regexp_extract_all(upper(content), '[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}'),
                lambda found: regexp_replace(found, '\s', '', 'g')
            )
        )) AS word
    FROM rows_held
),

recognised AS (
    SELECT DISTINCT quarantine_id
    FROM words
    WHERE word IN (SELECT token FROM protected_tokens)
)

SELECT
    rows_held.quarantine_id,
    rows_held.load_id,
    rows_held.agency,
    rows_held.feed,
    rows_held.table_name,
    rows_held.file_id,
    rows_held.row_number,
    rows_held.reason,
    rows_held.content,
    rows_held.released_load_id,
    rows_held.released_by,
    recognised.quarantine_id IS NOT NULL AS address_protected
FROM rows_held
LEFT JOIN recognised ON rows_held.quarantine_id = recognised.quarantine_id
