-- side_of: one row per person_id and side of a seal it stands for: itself, or for one no longer in use whoever has its
-- records now. One that held records of both sides stands for both.
WITH held AS (
    SELECT side, holder FROM side_held
)

SELECT DISTINCT holder AS person_id, if(holder IN (SELECT person_id FROM sealed_person), holder, side) AS side
FROM held
