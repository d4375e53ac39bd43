-- identity_changes: one row per person created, merged, split or retired on one night; the ledger of identity.
-- sorted by: load_id, change, person_id
WITH changes AS (
    SELECT * FROM shown_identity_change
),

nights AS (
    SELECT load_id, started_at FROM night
)

SELECT
    changes.load_id,
    changes.change,
    changes.person_id,
    changes.other_person_ids,
    changes.record_ids,
    changes.reason,
    nights.started_at AS known_from,
    CAST(NULL AS TIMESTAMP) AS known_to
FROM changes
LEFT JOIN nights ON changes.load_id = nights.load_id
