-- signal_rules: one row per rule that raises signals: how often it is true tonight, and how often people found it useful.
-- sorted by: rule
-- column rule: The rule's name, docs/signals.md
-- column raised: Signals of it tonight
-- column marked_useful: Signals of it, of any night, that somebody last called useful
-- column marked_not_useful: Signals of it, of any night, that somebody last called not useful
-- column share_useful: Of those marked, the share called useful; empty while nobody marked one
WITH rules AS (
    SELECT rule FROM signal_rule
),

raised AS (
    SELECT rule, count(*) AS raised FROM raised_signal GROUP BY rule
),

marked AS (
    SELECT
        rule,
        count(*) FILTER (WHERE useful) AS marked_useful,
        count(*) FILTER (WHERE NOT useful) AS marked_not_useful
    FROM signal_verdict
    GROUP BY rule
)

SELECT
    rules.rule,
    coalesce(raised.raised, 0) AS raised,
    coalesce(marked.marked_useful, 0) AS marked_useful,
    coalesce(marked.marked_not_useful, 0) AS marked_not_useful,
    marked.marked_useful / (marked.marked_useful + marked.marked_not_useful) AS share_useful
FROM rules
LEFT JOIN raised ON rules.rule = raised.rule
LEFT JOIN marked ON rules.rule = marked.rule
