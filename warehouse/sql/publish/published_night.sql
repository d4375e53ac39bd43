-- published_night: the one night that is being published; `date` is today in every rule of the marts.
WITH nights AS (
    SELECT load_id, load_seq, date FROM night
)

SELECT load_id, load_seq, date
FROM nights
WHERE load_id = getvariable('published_load_id')
