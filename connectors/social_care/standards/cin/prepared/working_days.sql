-- Working days of England from a month before the census year to its end.
SELECT day
FROM (
    SELECT unnest(generate_series(
        max(referencedate) - INTERVAL 13 MONTH, max(referencedate)::TIMESTAMP, INTERVAL 1 DAY
    ))::DATE AS day
    FROM {this_child}
)
WHERE isodow(day) < 6 AND day NOT IN (SELECT day FROM {bank_holidays})
