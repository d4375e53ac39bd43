-- signals: one row per person and named rule that is true of them tonight. No score and no prediction: what was found, and from what.
-- sorted by: person_id, raised_on, rule
-- column signal_id: Stable while the rule stays true of the person from the same day
-- column rule: The rule's name, docs/signals.md
-- column raised_on: The day on which what was known made the rule true
-- column evidence: event_id and span_id of what it rests on
-- column explanation: What was found, in words
WITH raised AS (
    SELECT * FROM raised_signal
)

SELECT
    'G' || left(md5(concat_ws(chr(31), person_id, rule, about, raised_on)), 20) AS signal_id,
    person_id,
    rule,
    raised_on,
    evidence,
    explanation
FROM raised
