-- publications: one row per load that was published before this one, and when; of one published again, the last time.
-- sorted by: published_at, load_id
WITH publications AS (
    SELECT * FROM publication
)

SELECT load_id, published_at
FROM publications
WHERE load_id NOT IN (SELECT load_id FROM published_night)
