-- feed_news: one row per feed, with the last load that changed anything in it: rows landed, somebody vanished, a failure
-- began or ended. What is new and what is fixed is told from there, so that a night without news changes nothing.
WITH nights AS (
    SELECT load_id, load_seq FROM night
),

news AS (
    SELECT agency, feed, load_id FROM feed_load WHERE landed > 0 OR vanished > 0
    UNION ALL
    SELECT agency, feed, failing_since FROM quality_spell
    UNION ALL
    SELECT agency, feed, ended_load_id FROM quality_spell WHERE ended_load_id IS NOT NULL
)

SELECT
    news.agency,
    news.feed,
    max(nights.load_seq) AS load_seq,
    arg_max(news.load_id, nights.load_seq) AS load_id
FROM news
INNER JOIN nights ON news.load_id = nights.load_id
GROUP BY news.agency, news.feed
