-- linkage_quality: one row per load, measure and group: how good the links are, by a clerical sample or by a truth.
-- sorted by: load_id, kind, measure, grouped_by, group_name
SELECT
    load_id,
    kind,
    basis,
    measure,
    grouped_by,
    group_name,
    share,
    low,
    high,
    pairs,
    alert
FROM linkage_quality
