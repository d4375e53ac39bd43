-- loads: one row per load and feed: the books. received = landed + unchanged + superseded + quarantined + refused.
-- sorted by: load_seq, agency, feed
-- column night_status: State of the whole night: published, interrupted or failed
-- column date: The date the night stands for
WITH books AS (
    SELECT * FROM feed_load
),

nights AS (
    SELECT load_id, load_seq, date, started_at, status, model_version FROM night
),

tonight AS (
    SELECT load_id FROM published_night
)

SELECT
    books.load_id,
    nights.load_seq,
    nights.date,
    books.agency,
    books.feed,
    books.started_at,
    books.finished_at,
    books.received,
    books.landed,
    books.unchanged,
    books.superseded,
    books.quarantined,
    coalesce(books.refused, 0) AS refused,
    books.vanished,
    books.files,
    books.files_failed,
    books.status,
    books.message,
    -- The night being published still runs; whoever reads this reads it published.
    if(books.load_id = tonight.load_id, 'published', nights.status) AS night_status,
    nights.model_version,
    coalesce(nights.started_at, books.started_at) AS known_from,
    CAST(NULL AS TIMESTAMP) AS known_to
FROM books
CROSS JOIN tonight
LEFT JOIN nights ON books.load_id = nights.load_id
