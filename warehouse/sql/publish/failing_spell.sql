-- failing_spell: one row per row of a feed and standard, for as long as it failed, with what it is to whoever reads today.
WITH spells AS (
    SELECT * FROM quality_spell
),

news AS (
    SELECT agency, feed, load_seq FROM feed_news
),

nights AS (
    SELECT load_id, load_seq FROM night
)

SELECT
    spells.*,
    CASE
        WHEN spells.ended_load_id IS NULL AND began.load_seq >= news.load_seq THEN 'new'
        WHEN spells.ended_load_id IS NULL THEN 'still'
        WHEN ended.load_seq >= news.load_seq AND spells.ended <> 'standard_changed' THEN 'fixed'
        ELSE 'past'
    END AS state
FROM spells
INNER JOIN nights AS began ON spells.failing_since = began.load_id
LEFT JOIN nights AS ended ON spells.ended_load_id = ended.load_id
INNER JOIN news ON spells.agency = news.agency AND spells.feed = news.feed
