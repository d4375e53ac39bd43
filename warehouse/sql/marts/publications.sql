-- publications: one row per publication before this one: the load that was served from then on.
-- sorted by: published_at, load_id
WITH publications AS (
    SELECT * FROM publication
)

SELECT load_id, published_at
FROM publications
