-- received_files: one row per load and file (or database table) received.
-- sorted by: load_id, agency, feed, file_id
WITH files AS (
    SELECT * FROM received_file
),

nights AS (
    SELECT load_id, started_at FROM night
)

SELECT
    files.load_id,
    files.agency,
    files.feed,
    files.file_id,
    files.sha256,
    files.name,
    files.unit,
    files.table_name,
    files.scope,
    files.bytes,
    files.extracted_at,
    files.received,
    files.landed,
    files.unchanged,
    files.superseded,
    files.quarantined,
    files.status,
    files.message,
    nights.started_at AS known_from,
    CAST(NULL AS TIMESTAMP) AS known_to
FROM files
LEFT JOIN nights ON files.load_id = nights.load_id
