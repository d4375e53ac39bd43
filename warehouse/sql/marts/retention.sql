-- retention: one row per period for which records are kept, and what it comes to on the date of the night; counts, and nobody's.
-- sorted by: rule
-- column rule: The period's name, docs/retention.md; "no rule" for records that none is for, which are never due
-- column applies_to: Whose records: the agency, with its feeds and [kinds of span] where the rule is for some of them
-- column kept: How long, in words
-- column source: Where the period is from
-- column rationale: Why it is as long
-- column records: Records whose time it decides
-- column due: Of those, past their period
-- column held: Of those that are due, stopped by a legal hold
-- column within_a_year: Records that will be due within a year
WITH reckoned AS (
    SELECT * FROM retention_reckoned
)

SELECT rule, applies_to, kept, source, rationale, records, due, held, within_a_year
FROM reckoned
