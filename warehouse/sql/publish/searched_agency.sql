-- searched_agency: one row per agency that was ever loaded or is configured: as of when it was searched, and whether
-- all that it is to send is there and fresh. A feed is behind when it never came, when its last load failed, or when
-- its last good extract is older than its cadence allows on the night's date. One that comes as it happens has no cadence.
WITH tonight AS (
    SELECT load_seq, date FROM published_night
),

loads AS (
    SELECT feed_load.*, night.load_seq
    FROM feed_load
    INNER JOIN night ON feed_load.load_id = night.load_id
),

files AS (
    SELECT load_id, agency, feed, max(extracted_at) AS extracted_at
    FROM received_file
    WHERE status IN ('landed', 'unchanged')
    GROUP BY load_id, agency, feed
),

configured AS (
    SELECT agency, feed, expect_days FROM configured_feed WHERE configured
),

records AS (
    SELECT agency, feed, max(extracted_at) AS extracted_at FROM current_record GROUP BY agency, feed
),

good AS (
    SELECT loads.agency, loads.feed, coalesce(files.extracted_at, loads.finished_at, loads.started_at) AS extracted_at
    FROM loads
    LEFT JOIN files USING (load_id, agency, feed)
    WHERE loads.status IN ('loaded', 'partial')
    UNION ALL
    SELECT agency, feed, extracted_at FROM records
),

last_good AS (
    SELECT agency, feed, max(extracted_at) AS extracted_at FROM good GROUP BY agency, feed
),

last_load AS (
    SELECT agency, feed, arg_max(status, load_seq) AS status FROM loads GROUP BY agency, feed
),

feeds AS (
    SELECT agency, feed FROM configured
    UNION
    SELECT agency, feed FROM last_load
    UNION
    SELECT agency, feed FROM records
),

judged AS (
    SELECT
        feeds.agency,
        last_good.extracted_at,
        configured.agency IS NOT NULL AS is_configured,
        configured.agency IS NOT NULL AND (
            (last_good.extracted_at IS NULL AND configured.expect_days IS NOT NULL)
            OR coalesce(last_load.status = 'failed', false)
            OR coalesce(
                date_diff('day', CAST(last_good.extracted_at AS DATE), tonight.date) > configured.expect_days, false
            )
        ) AS is_behind
    FROM feeds
    CROSS JOIN tonight
    LEFT JOIN configured ON feeds.agency = configured.agency AND feeds.feed = configured.feed
    LEFT JOIN last_good ON feeds.agency = last_good.agency AND feeds.feed = last_good.feed
    LEFT JOIN last_load ON feeds.agency = last_load.agency AND feeds.feed = last_load.feed
)

SELECT
    agency,
    max(extracted_at) AS searched_as_of,
    count(extracted_at) > 0 AS is_supplied,
    -- An agency that is no longer configured sends nothing more: what is known of it grows old.
    bool_or(is_behind) OR NOT bool_or(is_configured) AS is_stale
FROM judged
GROUP BY agency
