-- households: one row per person and household they belong or belonged to.
-- sorted by: person_id, household_id, valid_from
WITH households AS (
    SELECT * FROM shown_household
)

SELECT household_id, person_id, basis, valid_from, valid_to
FROM households
