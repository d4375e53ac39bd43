-- potential_matches: one row per pair of records left to a person to decide.
-- sorted by: match_probability, record_id_a, record_id_b
-- column person_id_a: Person the first record is about now
-- column person_id_b: Person the second record is about now
-- column safety_relevant: One of the two is under a child protection plan, or looked after, now
-- column agencies: Agencies that know one of the two
-- column agencies_gained: Agencies that a yes would bring together with others
-- column records_joined: Records that a yes would make one person's
SELECT
    load_id,
    record_id_a,
    record_id_b,
    person_id_a,
    person_id_b,
    match_probability,
    reason,
    safety_relevant,
    agencies,
    agencies_gained,
    records_joined,
    model,
    levels,
    bits,
    prior_bits
FROM ranked_potential_match
