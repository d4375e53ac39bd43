-- Each header line and whether its child came to this country alone: as it says, or else by whether the child is in uasc.
SELECT
    raw_row_id, child, dob,
    coalesce(uasc, CASE WHEN child IN (SELECT child FROM {this_uasc} WHERE child IS NOT NULL) THEN '1' ELSE '0' END) AS uasc
FROM {this_header}
