-- signals: one row per person and named rule that is true of them tonight. No score and no prediction: what was found, and from what.
-- sorted by: person_id, raised_on, rule
-- column signal_id: Stable while the rule stays true of the person from the same day
-- column rule: The rule's name, docs/signals.md
-- column raised_on: The day on which what was known made the rule true
-- column evidence: event_id and span_id of what it rests on
-- column explanation: What was found, in words
-- column useful: What a practitioner last said of it; empty if nobody did
-- column useful_reason: Why, in the practitioner's words
WITH raised AS (
    SELECT
        'G' || left(md5(concat_ws(chr(31), person_id, rule, about, raised_on)), 20) AS signal_id,
        person_id,
        rule,
        raised_on,
        evidence,
        explanation
    FROM raised_signal
),

verdicts AS (
    SELECT signal_id, useful, reason FROM signal_verdict
)

SELECT
    raised.signal_id,
    raised.person_id,
    raised.rule,
    raised.raised_on,
    raised.evidence,
    raised.explanation,
    verdicts.useful,
    verdicts.reason AS useful_reason
FROM raised
LEFT JOIN verdicts ON raised.signal_id = verdicts.signal_id
