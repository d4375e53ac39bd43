-- Health and offending of each child, with age at the two ends of the year and whether the child was looked after all of it.
SELECT
    *,
    date_diff('year', dob, {collection_start})
    - (dob + to_years(date_diff('year', dob, {collection_start})::INTEGER) > {collection_start})::INTEGER AS age_at_start,
    date_diff('year', dob, {collection_end})
    - (dob + to_years(date_diff('year', dob, {collection_end})::INTEGER) > {collection_end})::INTEGER AS age_at_end,
    child IN (SELECT child FROM {whole_year}) AS all_year,
    8 - list_count([convicted, health_check, immunisations, teeth_check, health_assessment, substance_misuse,
        intervention_received, intervention_offered]) AS blanks
FROM {this_oc2}
