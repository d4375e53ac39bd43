-- The same of last year's return.
SELECT child, coalesce(uasc, CASE WHEN child IN (SELECT child FROM {last_uasc} WHERE child IS NOT NULL) THEN '1' ELSE '0' END) AS uasc
FROM {last_header}
